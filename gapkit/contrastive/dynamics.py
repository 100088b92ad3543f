"""Gradient descent on free embeddings: the loss at work without any network around it.

Every text and every image is its own parameter. What happens here is the doing of the loss, the
temperature and the starting point, not of an architecture.
"""

import math
import warnings
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from gapkit._arrays import check_choice, check_unit_rows
from gapkit.contrastive.gradient import pull_on_rows
from gapkit.contrastive.loss import KINDS, SIGLIP_BIAS, as_pairs, sigmoid_pull, similarities, softmax_pull
from gapkit.contrastive.numbers import real_number, whole_number
from gapkit.contrastive.starts import starting_pairs
from gapkit.contrastive.trajectory import Recorder, Trajectory
from gapkit.errors import GapkitWarning, InputError

_LARGEST_EXPONENT = 700.0
"""e to this still is a float; a log scale of minus that is no longer a temperature."""


def simulate(
    start="cones",
    *,
    n=200,
    d=16,
    gap=None,
    spread=None,
    collapsed_to=None,
    seed=0,
    tau=0.05,
    kind: str = "softmax",
    sphere: bool = False,
    steps=4000,
    step_size=0.02,
    learned: bool = False,
    learned_rate=0.01,
    least_tau=0.02,
    bias=SIGLIP_BIAS,
    record=None,
) -> Trajectory:
    """Descend the contrastive loss on free embeddings and record what happens (derived).

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
    steps = whole_number(steps, "steps")
    if isinstance(start, str):
        start = starting_pairs(
            start, n=n, d=d, gap=gap, spread=spread, collapsed_to=collapsed_to, sphere=sphere, seed=seed
        )
    x, y, tau = as_pairs(*_pair(start), tau)
    if sphere:
        check_unit_rows(x, "x", tolerance=1e-6)
        check_unit_rows(y, "y", tolerance=1e-6)
    step_size = real_number(step_size, "step_size", above=0.0)
    learned_rate = real_number(learned_rate, "learned_rate", least=0.0)
    bias = real_number(bias, "bias")
    log_scale = math.log(2 / tau)
    most_log_scale = math.log(2 / real_number(least_tau, "least_tau", above=0.0))
    if learned and log_scale > most_log_scale:
        raise InputError(f"a learned tau must start at least_tau={least_tau:g} or above; got tau={tau:g}")
    recorder = Recorder(_steps_to_record(steps, record))
    x, y = x.clone(), y.clone()

    with torch.inference_mode():
        for step in range(steps + 1):
            s = similarities(x, y, tau)
            loss, pull = softmax_pull(s) if kind == "softmax" else sigmoid_pull(s, tau, bias)
            if not (math.isfinite(loss) and math.isfinite(tau)):
                what, cause = "loss", f"step_size={step_size:g}"
                if log_scale < -_LARGEST_EXPONENT:
                    what, cause = "learned tau", f"learned_rate={learned_rate:g} or {cause}"
                warnings.warn(
                    f"the {what} left the finite numbers at step {step} of {steps}: {cause} is too large; "
                    f"the trajectory ends with step {step - 1}",
                    GapkitWarning,
                    stacklevel=2,
                )
                return recorder.trajectory(diverged_at=step)
            recorder.see(step, x, y, loss=loss, similarity=s, tau=tau, bias=bias)
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
    return recorder.trajectory(diverged_at=None)


def _descend(z: Tensor, gradient: Tensor, rate: float, sphere: bool) -> Tensor:
    """One step of plain or of Riemannian gradient descent."""
    if sphere:
        gradient = gradient - (gradient * z).sum(1, keepdim=True) * z
    z = z - rate * gradient
    return z / torch.linalg.vector_norm(z, dim=1, keepdim=True) if sphere else z


def _pair(start) -> tuple:
    """``start`` as two arrays, or a clear error."""
    try:
        x, y = start
    except (TypeError, ValueError):
        raise InputError(
            f"start must be a name or a pair of arrays (x, y); got {_described(start)}"
        ) from None
    return x, y


def _described(value) -> str:
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"one array of shape {tuple(shape)}"
    return f"a {type(value).__name__} of {len(value)}" if isinstance(value, tuple | list) else repr(value)


def _steps_to_record(steps: int, record) -> set[int]:
    if record is None:
        late = np.geomspace(10, max(steps, 10), 60).round().astype(int)
        return {step for step in (*range(11), 100, 1000, 10_000, *late.tolist(), steps) if step <= steps}
    if isinstance(record, str) or not isinstance(record, Iterable):
        raise InputError(f"record must hold steps in 0 … {steps}; got {record!r}")
    chosen = {whole_number(step, "every entry of record") for step in record}
    if chosen and max(chosen) > steps:
        raise InputError(f"record must hold steps in 0 … {steps}; got {sorted(chosen)[:10]}")
    return {*chosen, steps}
