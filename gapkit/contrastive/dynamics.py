"""Gradient descent on free embeddings: the loss at work without any network around it.

Every text and every image is its own parameter. What happens here is the doing of the loss, the
temperature and the starting point, not of an architecture.
"""

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gapkit._arrays import check_unit_rows
from gapkit._options import Number, check_choice, check_number, check_whole, one_line
from gapkit.contrastive.gradient import pull_on_rows
from gapkit.contrastive.initialisation import starting_pairs
from gapkit.contrastive.loss import KINDS, SIGLIP_BIAS, as_pairs, defect_of, loss_and_pull, similarities
from gapkit.errors import GapkitWarning, InputError
from gapkit.geometry import relative_variance

_LARGEST_EXPONENT = 700.0
"""e to this still is a float; a log scale of minus that is no longer a temperature."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A recorded run; every array has one entry for each recorded step.

    Attributes
    ----------
    steps : (r,) int
    x, y : (r, n, d), texts and images
    loss : (r,), nats, Eq. 6 or SigLIP's
    gap : (r,), ‖g‖
    variance_along_gap_x, variance_along_gap_y : (r,), relative to isotropic (1 = as much as in a mean
        direction, 0 = orthogonal to the gap); NaN where there is no gap or no spread
    defect : (r,), see `doubly_stochastic_defect`
    alignment : (r,), mean ‖x_i - y_i‖² (Wang & Isola 2020)
    accuracy : (r,), share of images whose nearest text is their own
    tau, bias : (r,), as they were used
    diverged_at : the step at which the loss left the finite numbers, or None
    """

    steps: np.ndarray
    x: np.ndarray
    y: np.ndarray
    loss: np.ndarray
    gap: np.ndarray
    variance_along_gap_x: np.ndarray
    variance_along_gap_y: np.ndarray
    defect: np.ndarray
    alignment: np.ndarray
    accuracy: np.ndarray
    tau: np.ndarray
    bias: np.ndarray
    diverged_at: int | None = None

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def mismatch(self) -> np.ndarray:
        """(r,): what is left of the alignment when the gap is taken out, ``alignment - ‖g‖²``.

        It is the mean of ``‖(x_i - μ_x) - (y_i - μ_y)‖²``, because the mean of x_i - y_i is -g.
        """
        return self.alignment - self.gap**2

    def nearest(self, step: int) -> int:
        """Index of the recorded step nearest to ``step``."""
        return int(np.abs(self.steps - step).argmin())


def simulate(
    start: Any = "cones",
    *,
    n: Number = 200,
    d: Number = 16,
    gap: Number | None = None,
    spread: Number | None = None,
    collapsed_to: Number | None = None,
    seed: Number = 0,
    tau: Number = 0.05,
    kind: str = "softmax",
    sphere: bool = False,
    steps: Number = 4000,
    step_size: Number = 0.02,
    learned: bool = False,
    learned_rate: Number = 0.01,
    least_tau: Number = 0.02,
    bias: Number = SIGLIP_BIAS,
    record: Any = None,
) -> Trajectory:
    """Descend the contrastive loss on free embeddings and record what happens (derived; Theorem 3.1 seen at work).

    One step is ``z ← z - step_size · N · τ · ∂L/∂z`` for all texts and images at once; the factor Nτ
    takes out the scale of the gradient, so that one step size serves every τ and N. On the sphere the
    gradient is projected onto the tangent space first and the row normalised after (Riemannian descent).

    Parameters
    ----------
    start : name of a start (see `starting_pairs`), or the pair ``(x, y)`` of (n, d) array-likes to
        start from, unit rows if ``sphere``
    n, d, gap, spread, collapsed_to, seed : passed to `starting_pairs`
    tau : τ of Eq. 6; the first value if it is learned
    kind : "softmax" (CLIP) or "sigmoid" (SigLIP)
    sphere : whether rows stay on the unit sphere
    steps : gradient steps
    step_size : see above. In the regime of Theorem 3.1 a step multiplies every deviation along the gap by
        ``1 - 4 · step_size · ‖g‖²/τ``, and so the variance along it by the square of that. Above
        τ/(4‖g‖²) a deviation changes sign at every step, which the default does at τ = 0.05 and ‖g‖ = 1
        (factor -0.6); above τ/(2‖g‖²) it grows instead: the clusters are shaken and the gap shortens
    learned : train the log logit scale, as CLIP does, and for the sigmoid loss the bias as well
    learned_rate : their step size
    least_tau : a learned τ stops here; 0.02 is OpenCLIP's limit, logit scale 100
    bias : SigLIP's logit bias, or its first value
    record : steps to record, beside the last one; usually 0 to 10 and then about 60, evenly in log(step)

    Returns
    -------
    Trajectory. If the loss or a learned τ leaves the finite numbers (a step size or a learned rate too
    large), a `GapkitWarning` gives the step, ``diverged_at`` keeps it, and the trajectory ends with the last
    finite step. On the sphere no step size leads there, because rows are put back to length 1: a step size
    of 1e5 gives finite numbers too, and only the loss, which rises, shows that they mean nothing.

    Raises
    ------
    InputError
        For τ ≤ 0, unmatched shapes, unknown names, numbers of steps that are not whole, steps outside the
        run, a start that is neither a name nor a pair.

    Examples
    --------
    >>> run = simulate("cones", n=50, d=8, steps=100)
    >>> bool(run.gap[-1] > 0.9), bool(run.variance_along_gap_y[-1] < 0.01)
    (True, True)
    """
    check_choice(kind, "kind", KINDS)
    steps = check_whole(steps, "steps", least=0)
    if isinstance(start, str):
        shape = {"n": n, "d": d, "gap": gap, "spread": spread, "collapsed_to": collapsed_to}
        start = starting_pairs(start, **shape, sphere=sphere, seed=seed)
    try:
        first, second = start
    except (TypeError, ValueError):
        raise InputError(f"start must be a name or a pair of arrays (x, y); got {one_line(start)}") from None
    x, y, tau = as_pairs(first, second, tau)
    if sphere:
        check_unit_rows(x, "x", tolerance=1e-6)
        check_unit_rows(y, "y", tolerance=1e-6)
    step_size = check_number(step_size, "step_size", above=0.0)
    learned_rate = check_number(learned_rate, "learned_rate", least=0.0)
    bias = check_number(bias, "bias")
    log_scale = math.log(2 / tau)
    most_log_scale = math.log(2 / check_number(least_tau, "least_tau", above=0.0))
    if learned and log_scale > most_log_scale:
        raise InputError(f"a learned tau must start at least_tau={least_tau:g} or above; got tau={tau:g}")
    wanted, rows, diverged_at = _steps_to_record(steps, record), {}, None
    x, y = x.clone(), y.clone()

    with torch.inference_mode():
        for step in range(steps + 1):
            s = similarities(x, y, tau)
            loss, pull = loss_and_pull(s, tau, kind, bias)
            if not (math.isfinite(loss) and math.isfinite(tau)):
                what, cause = "loss", f"step_size={step_size:g}"
                if log_scale < -_LARGEST_EXPONENT:
                    what, cause = "learned tau", f"learned_rate={learned_rate:g} or {cause}"
                end = f"{cause} is too large; the trajectory ends with step {step - 1}"
                words = f"the {what} left the finite numbers at step {step} of {steps}: {end}"
                warnings.warn(words, GapkitWarning, stacklevel=2)
                diverged_at = step
                break
            last = {"x": x, "y": y, "loss": loss, "similarity": s, "tau": tau, "bias": bias}
            if step in wanted:
                rows[step] = _measure(step, **last)
            if step == steps:
                break
            grad_x, grad_y = pull_on_rows(pull, x, y, tau)
            rate = step_size * len(x) * tau
            if learned:
                # ℓ = scale · cosine + bias, so ∂ℓ/∂log(scale) is the scaled cosine, s + 2/τ. (The softmax
                # loss ignores the constant: there the entries of ∂L/∂s sum to zero.)
                log_scale -= learned_rate * float((pull * (s + 2 / tau)).sum())
                log_scale = min(log_scale, most_log_scale)
                tau = math.inf if log_scale < -_LARGEST_EXPONENT else 2 * math.exp(-log_scale)
                if kind == "sigmoid":
                    bias -= learned_rate * float(pull.sum())
            x = _descend(x, grad_x, rate, sphere)
            y = _descend(y, grad_y, rate, sphere)
    if diverged_at:  # the last finite step, wanted or not
        rows[step - 1] = _measure(step - 1, **last)
    columns = [field.name for field in fields(Trajectory) if field.name != "diverged_at"]
    arrays = {name: np.array([row[name] for row in rows.values()]) for name in columns}
    return Trajectory(**arrays, diverged_at=diverged_at)


def _descend(z: Tensor, gradient: Tensor, rate: float, sphere: bool) -> Tensor:
    """One step of plain or of Riemannian gradient descent."""
    if sphere:
        gradient = gradient - (gradient * z).sum(1, keepdim=True) * z
    z = z - rate * gradient
    return z / torch.linalg.vector_norm(z, dim=1, keepdim=True) if sphere else z


def _steps_to_record(steps: int, record) -> set[int]:
    if record is None:
        late = np.geomspace(10, max(steps, 10), 60).round().astype(int)
        return {step for step in (*range(11), 100, 1000, 10_000, *late.tolist(), steps) if step <= steps}
    if isinstance(record, str) or not isinstance(record, Iterable) or getattr(record, "ndim", 1) != 1:
        raise InputError(f"record must hold steps in 0 … {steps}; got {one_line(record)}")
    chosen = {check_whole(step, "every entry of record", least=0) for step in record}
    if chosen and max(chosen) > steps:
        raise InputError(f"record must hold steps in 0 … {steps}; got {sorted(chosen)[:10]}")
    return {*chosen, steps}


def _measure(step, x, y, *, loss, similarity, tau, bias) -> dict:
    g = y.mean(0) - x.mean(0)  # not `gap_vector`, which refuses the sizes a run that diverges goes through
    return {
        "steps": step,
        "x": x.numpy(),
        "y": y.numpy(),
        "loss": float(loss),
        "gap": float(torch.linalg.vector_norm(g)),
        "variance_along_gap_x": _variance_along(x, g),
        "variance_along_gap_y": _variance_along(y, g),
        "defect": defect_of(similarity),
        "alignment": float(((x - y) ** 2).sum(1).mean()),
        "accuracy": float((similarity.argmax(0) == torch.arange(len(x))).double().mean()),
        "tau": tau,
        "bias": bias,
    }


def _variance_along(z: Tensor, g: Tensor) -> float:
    """`relative_variance`, or NaN where it has no meaning (no gap, or all points in one)."""
    try:
        return relative_variance(z, g)
    except InputError:
        return float("nan")
