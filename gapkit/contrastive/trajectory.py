"""What a run of `simulate` leaves behind: positions and measurements at the recorded steps."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from gapkit.errors import InputError
from gapkit.geometry import gap_vector, relative_variance


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


class Recorder:
    """Collects rows while `simulate` runs."""

    def __init__(self, wanted: set[int]) -> None:
        self._wanted = wanted
        self._rows: list[dict] = []
        self._last: dict = {}

    def see(self, step: int, x: Tensor, y: Tensor, **context) -> None:
        """Record ``step`` if it is wanted; otherwise only remember it as the last finite one."""
        self._last = {"step": step, "x": x, "y": y, **context}
        if step in self._wanted:
            self._rows.append(_measure(**self._last))

    def trajectory(self, *, diverged_at: int | None) -> Trajectory:
        """Everything recorded; after a divergence with the last finite step at the end."""
        if diverged_at is not None and self._last and self._last["step"] not in self._wanted:
            self._rows.append(_measure(**self._last))
        columns = [field.name for field in fields(Trajectory) if field.name != "diverged_at"]
        arrays = {name: np.array([row[name] for row in self._rows]) for name in columns}
        return Trajectory(**arrays, diverged_at=diverged_at)


def _measure(step, x, y, *, loss, similarity, tau, bias) -> dict:
    g = gap_vector(x, y)
    sums = torch.cat([similarity.softmax(1).sum(0), similarity.softmax(0).sum(1)])
    return {
        "steps": step,
        "x": x.numpy(),
        "y": y.numpy(),
        "loss": float(loss),
        "gap": float(torch.linalg.vector_norm(g)),
        "variance_along_gap_x": _variance_along(x, g),
        "variance_along_gap_y": _variance_along(y, g),
        "defect": float((sums - 1).abs().mean()),
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
