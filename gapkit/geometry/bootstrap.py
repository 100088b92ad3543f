"""Bootstrap intervals: how far would a number move if other rows had been sampled?

A bootstrap sample is a row of weights: how often each row was drawn (`draw_weights`). All intervals of the package
come from here, so that one number has one interval wherever it is printed: `bootstrap_interval` for any statistic
of rows, `Resamples` for means over queries.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gapkit._arrays import ArrayInput, as_groups, as_tensor, check_scale
from gapkit._options import Number, check_choice, check_number, check_room, check_seed, check_whole, one_line
from gapkit.errors import InputError

RESAMPLES = 400
"""Bootstrap samples of the measures of the gap, wherever they are printed."""
ROUNDING = 1e-12
"""What a sum of a thousand zeros and ones may be off by, many times over."""


class Interval(NamedTuple):
    """A value and the two ends of its confidence interval; floats, or arrays if the statistic gives several."""

    value: float
    low: float
    high: float


def both_tails(confidence: Number) -> list[float]:
    """The two quantile levels that leave ``confidence`` between them."""
    confidence = check_number(confidence, "confidence")
    if not 0 < confidence < 1:
        raise InputError(f"confidence must lie between 0 and 1; got {confidence:g}")
    return [(1 - confidence) / 2, (1 + confidence) / 2]


def percentile_interval(
    value: ArrayInput, resampled, *, confidence: float = 0.95, size: ArrayInput = 1.0
) -> Interval:
    """The value with the central quantiles of its resampled versions (first axis).

    An end that is 0 but for rounding is 0: its sign would otherwise depend on the machine. ``size`` is that of what was
    averaged, 1 for shares.
    """
    low, high = np.quantile(resampled, both_tails(confidence), axis=0)
    return _interval(*(np.where(np.abs(end) < ROUNDING * size, 0.0, end) for end in (value, low, high)))


def basic_interval(
    value: ArrayInput, resampled, *, confidence: float = 0.95, least: ArrayInput = -math.inf
) -> Interval:
    """The value with the quantiles of its resampled versions (first axis) mirrored at it: [2t − q_high, 2t − q_low].

    With few rows resampling shifts a length or a variance so much that this interval, which takes the shift off twice,
    ends beside the value or where no value can be. So it never goes below ``least``, and always reaches to the value.
    """
    value = np.asarray(value, dtype=float)
    low, high = np.quantile(resampled, both_tails(confidence), axis=0)
    low, high = 2 * value - high, 2 * value - low
    # All of these keep NaN: of a handful of rows a sample may be the same row throughout.
    return _interval(value, np.maximum(np.minimum(low, value), least), np.maximum(high, value))


def _interval(*ends) -> Interval:
    return Interval(*(float(end) if end.ndim == 0 else end for end in map(np.asarray, ends)))


def draw_weights(
    count: int,
    *,
    groups: ArrayInput | None = None,
    together: ArrayInput | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """Weights of the rows in bootstrap samples; the first row of weights is the sample itself.

    Parameters
    ----------
    count : number of rows to resample
    groups : (count,) array-like, optional; as many rows of each group are drawn as there are, such as images
        of a class in a balanced test set
    together : (count,) array-like, optional; rows of one value are drawn together, such as the captions of one image
    resamples : number of bootstrap samples
    seed : seed of the draws

    Returns
    -------
    (resamples + 1, count) array; every row sums to 1

    Raises
    ------
    InputError
        If ``groups`` or ``together`` has another length, both are given, or a number is not positive.

    Examples
    --------
    >>> weights = draw_weights(4, groups=["cat", "cat", "dog", "dog"], resamples=2)
    >>> weights[0]
    array([0.25, 0.25, 0.25, 0.25])
    >>> weights[:, :2].sum(1)
    array([0.5, 0.5, 0.5])
    """
    times = _draw_counts(count, groups, together, resamples, check_seed(seed))
    return times / times.sum(1, keepdims=True)


def _draw_counts(count: int, groups, together, resamples: int, seed) -> np.ndarray:
    """(resamples + 1, count) how often each row was drawn; the first row is all ones."""
    count, resamples = check_whole(count, "count"), check_whole(resamples, "resamples")
    check_room("resamples × rows", resamples, count)
    if together is not None:
        if groups is not None:
            raise InputError("groups and together exclude each other")
        unit = as_groups(together, "together", count=count)
        return _draw_counts(int(unit.max()) + 1, None, None, resamples, seed)[:, unit]
    groups = np.zeros(count) if groups is None else as_groups(groups, "groups", count=count)
    rng = np.random.default_rng(seed)
    times = np.ones((resamples + 1, count))
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        times[1:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=resamples)
    return times


def _mean(*arrays: Tensor) -> Tensor:
    return arrays[0].mean(0)


def bootstrap_interval(
    *arrays: ArrayInput,
    statistic: Callable | None = None,
    paired: bool = True,
    groups: ArrayInput | None = None,
    together: ArrayInput | None = None,
    resamples: int = 1000,
    confidence: float = 0.95,
    method: str = "percentile",
    least: ArrayInput = -math.inf,
    seed: int = 0,
) -> Interval:
    r"""Bootstrap interval of a statistic over resampled rows (Efron 1979).

    Rows are drawn with replacement, as many as there are, and the statistic is computed again. With
    q the quantiles of those values and t the value itself, the interval is [q_low, q_high]
    (``"percentile"``) or [2t − q_high, 2t − q_low] (``"basic"``, which always reaches to t).

    Take ``"basic"`` for lengths and the like (‖g‖, RMG): resampling adds noise, noise makes a
    length longer, and the percentile interval of a length is shifted by that bias twice, while the basic
    one takes it off.

    Parameters
    ----------
    *arrays : (n,) or (n, d) array-likes, the rows to resample
    statistic : called with the resampled arrays as float64 tensors, gives a number or a vector; by default
        the mean over rows of the first array
    paired : draw the same rows from every array (they are matched); otherwise each is drawn on its own
    groups : (n,) array-like, optional; rows are drawn within groups, such as the images of each class (paired only)
    together : (n,) array-like, optional; rows of one value are drawn together, such as the captions of one image (paired
        only)
    resamples : number of bootstrap samples
    confidence : coverage aimed at
    method : ``"percentile"`` or ``"basic"``
    least : the least that the statistic can be; no basic interval goes below it
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
    0.50, 0.41 to 0.60
    """
    check_choice(method, "method", ("percentile", "basic"))
    if not arrays:
        raise InputError("bootstrap_interval needs an array; got none")
    resamples, seed = check_whole(resamples, "resamples", least=2), check_seed(seed)
    if not paired and (groups is not None or together is not None):
        raise InputError("groups and together need paired arrays: others are drawn each on its own")
    tensors = [as_rows(array, f"array {i}") for i, array in enumerate(arrays)]
    lengths = [len(tensor) if tensor.ndim else 0 for tensor in tensors]
    if 0 in lengths or (paired and len(set(lengths)) > 1):
        raise InputError(f"arrays must not be empty, and paired ones need as many rows; got {lengths} rows")
    both_tails(confidence)
    floor = as_tensor(least, "least").cpu().numpy()
    if floor.ndim > 1 or np.isnan(floor).any() or np.isposinf(floor).any():
        raise InputError(f"least must be a number, or one for each of the statistic's; got {one_line(least)}")
    function = statistic or _mean
    drawn = [
        _draw_counts(length, groups, together, resamples, seed if paired else [seed, i])[1:].astype(int)
        for i, length in enumerate(lengths[:1] if paired else lengths)
    ]
    value = np.asarray(function(*tensors), dtype=float)
    resampled = []
    for sample in range(resamples):
        rows = [torch.from_numpy(np.repeat(np.arange(len(some[sample])), some[sample])) for some in drawn]
        rows = rows * len(tensors) if paired else rows
        picked = [tensor[row.to(tensor.device)] for tensor, row in zip(tensors, rows, strict=True)]
        resampled.append(np.asarray(function(*picked), dtype=float))
    if method == "percentile":
        size = np.abs(resampled).max(0)
        return percentile_interval(value, np.stack(resampled), confidence=confidence, size=size)
    return basic_interval(value, np.stack(resampled), confidence=confidence, least=floor)


def as_rows(value: ArrayInput, name: str) -> Tensor:
    """``value`` as finite numbers, of a size that can be squared; true and false count as 1 and 0, for shares."""
    if isinstance(value, np.ndarray) and value.dtype == bool:
        value = value.astype(np.float64)
    elif isinstance(value, Tensor) and value.dtype == torch.bool:
        value = value.double()
    tensor = as_tensor(value, name)
    return check_scale(tensor, name) if tensor.numel() else tensor


class Resamples:
    """The same resampled queries for every mean of a task, so that the interval of a difference is a paired one.

    The gallery stays as it is: classes are not sampled. Values are shares or differences of shares: a mean below 1e-12 is 0.

    Parameters
    ----------
    count : number of queries
    groups : (count,) array-like, optional; queries of one group are drawn together, such as questions on one image
    strata : (count,) array-like, optional; queries are drawn within strata, such as the classes of a balanced test set. Of
        n queries n − 1 are drawn, so that the variance of a mean comes out right for few of a class too (Rao and Wu 1988)
    draws : number of bootstrap samples
    seed : seed of the draws

    Examples
    --------
    >>> resamples = Resamples(100, seed=0)
    >>> before, after = np.zeros(100), np.full(100, 0.25)
    >>> resamples.difference(after, before)
    Interval(value=0.25, low=0.25, high=0.25)
    """

    confidence = 0.95

    def __init__(
        self,
        count: int,
        *,
        groups: ArrayInput | None = None,
        strata: ArrayInput | None = None,
        draws: int = 1000,
        seed: int = 0,
    ) -> None:
        count, draws = check_whole(count, "count"), check_whole(draws, "draws")
        check_room("draws × queries", draws, count)
        seeds = [check_seed(seed), count]
        together = None if groups is None else as_groups(groups, "groups", count=count)
        if strata is None:
            weights = _draw_counts(count, None, together, draws, seeds)[1:]
        else:
            rng, weights = np.random.default_rng(seeds), np.ones((draws, count))
            kinds = as_groups(strata, "strata", count=count)
            if groups is not None:
                raise InputError("groups and strata cannot be combined; pass one of them")
            for rows in (np.flatnonzero(kinds == kind) for kind in np.unique(kinds)):
                n = len(rows)
                if n > 1:  # a query alone in its stratum is always there
                    weights[:, rows] = rng.multinomial(n - 1, np.full(n, 1 / n), size=draws) * n / (n - 1)
        self._weights = weights / weights.sum(1, keepdims=True)
        self._units = count if together is None else int(together.max()) + 1

    def means(self, values: ArrayInput) -> np.ndarray:
        """(draws, …) resampled means of (count, …) values."""
        return np.tensordot(self._weights, self._values(values), axes=1)

    def _values(self, values: ArrayInput) -> np.ndarray:
        rows, count = as_rows(values, "values").cpu().numpy(), self._weights.shape[1]
        if rows.shape[:1] != (count,):
            raise InputError(f"values must have one row for each of {count} queries; got shape {rows.shape}")
        return rows

    def mean(self, values: ArrayInput) -> Interval:
        """Mean of (count,) values with its percentile interval."""
        values = self._values(values)
        if values.ndim != 1:
            raise InputError(f"values must be a vector; got shape {values.shape}")
        resampled = self.means(values - values.mean()) + values.mean()
        return percentile_interval(float(values.mean()), resampled, confidence=self.confidence)

    def difference(self, after: ArrayInput, before: ArrayInput) -> Interval:
        """Mean of paired differences."""
        return self.mean(self._values(after) - self._values(before))

    def gain(self, after: ArrayInput, before: ArrayInput, *, slope: Number, target: Number) -> Interval:
        r"""Mean of paired differences at a calibrated level, freed of the calibration's own noise (derived).

        .. math:: h = \mathrm{gain} - \mathrm{slope}\,(\mathrm{rob} - \mathrm{target}), \qquad
            \mathrm{slope} = \frac{d\,\mathrm{gain}/d\sigma}{d\,\mathrm{rob}/d\sigma}

        σ is calibrated on the very queries that are compared: on average that does no harm, but without h, the gain of each
        query as it would be at the calibrated robustness exactly, the interval has the wrong width.

        Parameters
        ----------
        after, before : (count,) robustness of each query, closed and untouched
        slope : how the mean gain changes with the mean untouched robustness as σ changes
        target : the untouched robustness that σ was calibrated to
        """
        before = self._values(before)
        return self.mean(self._values(after) - before - float(slope) * (before - float(target)))

    def share(self, indicator: ArrayInput) -> Interval:
        """Share of (count,) zeros and ones; where all are alike, the exact binomial end replaces no width.

        A bootstrap of equal values has an interval without width, as if nothing were left to doubt. With n
        zeros the 97.5 % upper end of the binomial share is 1 − 0.025^(1/n) (Clopper and Pearson); queries that are drawn
        together count once.
        """
        estimate = self.mean(indicator)
        if estimate.low != estimate.high or estimate.value not in (0.0, 1.0):
            return estimate
        doubt = 1 - ((1 - self.confidence) / 2) ** (1 / self._units)
        return Interval(0.0, 0.0, doubt) if estimate.value == 0 else Interval(1.0, 1 - doubt, 1.0)
