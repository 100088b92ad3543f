"""Gradient descent on free embeddings: the loss at work without any network around it.

Every text and every image is its own parameter. What happens here is the doing of the loss, the
temperature and the starting point, not of an architecture.
"""

import math
import warnings

import numpy as np
import torch
from torch import Tensor

from gapkit._arrays import check_choice, check_number, check_unit_rows
from gapkit.contrastive.gradient import pull_on_rows
from gapkit.contrastive.loss import KINDS, SIGLIP_BIAS, as_pairs, sigmoid_pull, similarities, softmax_pull
from gapkit.contrastive.starts import starting_pairs
from gapkit.contrastive.trajectory import Recorder, Trajectory
from gapkit.errors import GapkitWarning, InputError


def simulate(
    start: str | tuple = "cones",
    *,
    n: int = 200,
    d: int = 16,
    gap=None,
    spread=None,
    collapsed_to: int | None = None,
    seed: int = 0,
    tau=0.05,
    kind: str = "softmax",
    sphere: bool = False,
    steps: int = 4000,
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
    step_size : see above. The variance along the gap contracts by about 4 · step_size · ‖g‖²/τ a step
        (Theorem 3.1), so steps above τ/(2‖g‖²) overshoot: they shake the clusters and shorten the gap
    learned : train the log logit scale, as CLIP does, and for the sigmoid loss the bias as well
    learned_rate : their step size
    least_tau : learned τ stops here; 0.02 is OpenCLIP's limit, logit scale 100
    bias : SigLIP's logit bias, or its first value
    record : steps to record, beside the last one; usually 0 to 10 and then about 60, evenly in log(step)

    Returns
    -------
    Trajectory. If the loss leaves the finite numbers (a step size too large), a `GapkitWarning` gives
    the step, ``diverged_at`` keeps it, and the trajectory ends with the last finite step.

    Raises
    ------
    InputError
        For τ ≤ 0, unmatched shapes, unknown names, steps outside the run.

    Examples
    --------
    >>> run = simulate("cones", n=50, d=8, steps=100)
    >>> bool(run.gap[-1] > 0.9), bool(run.variance_along_gap_y[-1] < 0.01)
    (True, True)
    """
    check_choice(kind, "kind", KINDS)
    if isinstance(start, str):
        start = starting_pairs(
            start, n=n, d=d, gap=gap, spread=spread, collapsed_to=collapsed_to, sphere=sphere, seed=seed
        )
    x, y, tau = as_pairs(*start, tau)
    if sphere:
        check_unit_rows(x, "x", tolerance=1e-6)
        check_unit_rows(y, "y", tolerance=1e-6)
    step_size = check_number(step_size, "step_size", above=0.0)
    bias = check_number(bias, "bias")
    log_scale = math.log(2 / tau)
    most_log_scale = math.log(2 / check_number(least_tau, "least_tau", above=0.0))
    if learned and log_scale > most_log_scale:
        raise InputError(f"a learned tau must start at least_tau={least_tau:g} or above; got tau={tau:g}")
    recorder = Recorder(_steps_to_record(steps, record))
    x, y = x.clone(), y.clone()

    for step in range(steps + 1):
        s = similarities(x, y, tau)
        loss, pull = softmax_pull(s) if kind == "softmax" else sigmoid_pull(s, tau, bias)
        if not math.isfinite(loss):
            warnings.warn(
                f"the loss left the finite numbers at step {step} of {steps}: step_size={step_size:g} is too "
                f"large; the trajectory ends with step {step - 1}",
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
            tau = 2 / math.exp(log_scale)
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


def _steps_to_record(steps: int, record) -> set[int]:
    if steps < 0:
        raise InputError(f"steps must be at least 0; got {steps}")
    if record is None:
        late = np.geomspace(10, max(steps, 10), 60).round().astype(int)
        return {step for step in (*range(11), 100, 1000, 10_000, *late.tolist(), steps) if step <= steps}
    chosen = {int(step) for step in record}
    if chosen and (min(chosen) < 0 or max(chosen) > steps):
        raise InputError(f"record must hold steps in 0 … {steps}; got {sorted(chosen)[:10]}")
    return {*chosen, steps}
