"""Paired bootstrap intervals over queries.

Every quantity of one task is averaged over the *same* resampled queries, so the interval of a difference
is that of paired differences. Resampling by group keeps together queries that share an image. The gallery
stays as it is: classes are not sampled.
"""

from typing import NamedTuple

import numpy as np

ROUNDING = 1e-12
"""What a sum of a thousand zeros and ones may be off by, many times over."""


class Estimate(NamedTuple):
    """A mean over queries with its 95 % interval."""

    value: float
    low: float
    high: float


class Resamples:
    """The same resampled queries for every quantity of a task.

    Parameters
    ----------
    count : number of queries
    groups : (count,) array-like, optional; queries of one group are drawn together
    draws : number of bootstrap samples
    seed : seed of the draws

    Examples
    --------
    >>> resamples = Resamples(100, seed=0)
    >>> before, after = np.zeros(100), np.full(100, 0.25)
    >>> resamples.difference(after, before)
    Estimate(value=0.25, low=0.25, high=0.25)
    """

    confidence = 0.95

    def __init__(self, count: int, *, groups=None, draws: int = 1000, seed: int = 0) -> None:
        rng = np.random.default_rng([seed, count])
        member = np.arange(count) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
        units = int(member.max()) + 1
        times = rng.multinomial(units, np.full(units, 1 / units), size=draws)
        weights = times[:, member].astype(float)
        self._weights = weights / weights.sum(1, keepdims=True)

    def means(self, values) -> np.ndarray:
        """(draws, …) resampled means of (count, …) values."""
        return np.tensordot(self._weights, np.asarray(values, dtype=float), axes=1)

    def mean(self, values) -> Estimate:
        """Mean of (count,) values with its percentile interval."""
        values = np.asarray(values, dtype=float)
        return self.summarise(float(values.mean()), self.means(values - values.mean()) + values.mean())

    def share(self, indicator) -> Estimate:
        """Share of (count,) zeros and ones; where all are alike, the exact binomial end replaces no width.

        A bootstrap of equal values has an interval without width, as if nothing were left to doubt. With n
        zeros the 97.5 % upper end of the binomial share is 1 − 0.025^(1/n) (Clopper and Pearson).
        """
        estimate = self.mean(indicator)
        if estimate.low != estimate.high or estimate.value not in (0.0, 1.0):
            return estimate
        doubt = 1 - ((1 - self.confidence) / 2) ** (1 / np.size(indicator))
        return Estimate(0.0, 0.0, doubt) if estimate.value == 0 else Estimate(1.0, 1 - doubt, 1.0)

    def difference(self, after, before) -> Estimate:
        """Mean of paired differences."""
        return self.mean(np.asarray(after, dtype=float) - np.asarray(before, dtype=float))

    @classmethod
    def summarise(cls, value: float, resampled: np.ndarray) -> Estimate:
        """The value with the percentile interval of its resampled versions.

        An end that is 0 but for rounding is 0: its sign would otherwise depend on the machine.
        """
        low, high = np.quantile(resampled, [(1 - cls.confidence) / 2, (1 + cls.confidence) / 2])
        return Estimate(*(0.0 if abs(end) < ROUNDING else float(end) for end in (value, low, high)))


def columns(name: str, estimate: Estimate) -> dict[str, float]:
    """An estimate as three columns of a tidy table.

    >>> columns("gain", Estimate(0.5, 0.25, 0.75))
    {'gain': 0.5, 'gain_low': 0.25, 'gain_high': 0.75}
    """
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
