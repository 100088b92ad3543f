"""Bootstrap intervals: how far would a number move if other rows had been sampled?"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gapkit._arrays import as_tensor, check_choice, check_finite, check_number
from gapkit.errors import InputError


class Interval(NamedTuple):
    """A value and the two ends of its confidence interval; floats, or arrays if the statistic gives several."""

    value: float
    low: float
    high: float


def both_tails(confidence) -> list[float]:
    """The two quantile levels that leave ``confidence`` between them."""
    confidence = check_number(confidence, "confidence")
    if not 0 < confidence < 1:
        raise InputError(f"confidence must lie between 0 and 1; got {confidence:g}")
    return [(1 - confidence) / 2, (1 + confidence) / 2]


def _mean(*arrays: Tensor) -> Tensor:
    return arrays[0].mean(0)


def bootstrap_interval(
    *arrays,
    statistic: Callable | None = None,
    paired: bool = True,
    resamples: int = 1000,
    confidence=0.95,
    method: str = "percentile",
    seed: int = 0,
) -> Interval:
    r"""Bootstrap interval of a statistic over resampled rows (Efron 1979).

    Rows are drawn with replacement, as many as there are, and the statistic is computed again. With
    q the quantiles of those values and t the value itself, the interval is [q_low, q_high]
    (``"percentile"``) or [2t − q_high, 2t − q_low] (``"basic"``).

    Take ``"basic"`` for lengths and the like (‖g‖, RMG): resampling adds noise, noise makes a
    length longer, and the percentile interval of a length is shifted by that bias twice, while the basic
    one takes it off.

    Parameters
    ----------
    *arrays : (n,) or (n, d) array-likes, the rows to resample
    statistic : called with the resampled arrays as float64 tensors, gives a number or a vector; by default
        the mean over rows of the first array
    paired : draw the same rows from every array (they are matched); otherwise each is drawn on its own
    resamples : number of bootstrap samples
    confidence : coverage aimed at
    method : ``"percentile"`` or ``"basic"``
    seed : seed of the draws

    Returns
    -------
    Interval (value, low, high)

    Raises
    ------
    InputError
        If arrays are empty or not finite, or paired arrays differ in their number of rows.

    Examples
    --------
    >>> answers = np.repeat([0.0, 1.0], 50)
    >>> value, low, high = bootstrap_interval(answers)
    >>> print(f"{value:.2f}, {low:.2f} to {high:.2f}")
    0.50, 0.40 to 0.60
    """
    check_choice(method, "method", ("percentile", "basic"))
    tails = both_tails(confidence)
    if not arrays or resamples < 2:
        raise InputError("bootstrap_interval needs an array and at least two resamples")
    tensors = [check_finite(as_tensor(array, f"array {i}"), f"array {i}") for i, array in enumerate(arrays)]
    lengths = [len(tensor) if tensor.ndim else 0 for tensor in tensors]
    if 0 in lengths or (paired and len(set(lengths)) > 1):
        raise InputError(f"arrays must not be empty, and paired ones need as many rows; got {lengths} rows")
    function = statistic or _mean
    rng = np.random.default_rng(seed)
    value = np.asarray(function(*tensors), dtype=float)
    draws = []
    for _ in range(resamples):
        shared = rng.integers(lengths[0], size=lengths[0]) if paired else None
        rows = [shared if paired else rng.integers(length, size=length) for length in lengths]
        picked = [
            tensor[torch.from_numpy(row).to(tensor.device)] for tensor, row in zip(tensors, rows, strict=True)
        ]
        draws.append(np.asarray(function(*picked), dtype=float))
    low, high = np.quantile(np.stack(draws), tails, axis=0)
    if method == "basic":
        low, high = 2 * value - high, 2 * value - low
    return Interval(*(float(v) if v.ndim == 0 else v for v in map(np.asarray, (value, low, high))))
