"""Decision rules: from one measured value with its interval to *yes*, *no* or *cannot tell*.

A rule is written down before anything is measured. Each knows how to say itself in words, so that the
report prints exactly what was applied. ``smallest`` is the smallest effect that counts: an effect may be
statistically certain and still too small to matter.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

Answer = Literal["yes", "no", "cannot tell"]

ROUNDING = 1e-9
"""An interval that ends this near to 0 touches it: a bootstrap of zeros leaves 1e-18 of either sign."""


@dataclass(frozen=True)
class Cell:
    """One measured value that a claim rests on.

    Attributes
    ----------
    label : where it was measured, such as "digits10, calibrated 0.7"
    value, low, high : the value and its 95 % interval (``low == high == value`` where nothing is sampled)
    band_low, band_high : what chance alone would give, where there is such a thing
    reason : why the data cannot tell; empty if they can
    """

    label: str
    value: float
    low: float
    high: float
    band_low: float = math.nan
    band_high: float = math.nan
    reason: str = ""


class Rule(ABC):
    """What every rule offers; a new one says `_decide`, `margin` and `words`."""

    def answer(self, cell: Cell) -> Answer:
        """Whether the cell meets the rule; "cannot tell" where nothing can be measured."""
        usable = not cell.reason and all(math.isfinite(v) for v in (cell.value, cell.low, cell.high))
        return self._decide(cell) if usable else "cannot tell"

    @abstractmethod
    def _decide(self, cell: Cell) -> Answer:
        """The answer for a cell with a finite value and interval."""

    @abstractmethod
    def margin(self, cell: Cell) -> float:
        """How far the cell is on the good side; the weakest cell of a claim has the least."""

    @abstractmethod
    def words(self) -> str:
        """The rule as the report prints it."""


@dataclass(frozen=True)
class Rises(Rule):
    """The effect is positive beyond doubt and large enough to matter."""

    smallest: float

    def _decide(self, cell: Cell) -> Answer:
        if cell.high < self.smallest:
            return "no"
        return "yes" if cell.low > ROUNDING and cell.value >= self.smallest else "cannot tell"

    def margin(self, cell: Cell) -> float:
        return cell.value - self.smallest

    def words(self) -> str:
        return (
            f"yes if the interval lies above 0 and the value is at least {self.smallest:g}; "
            f"no if the whole interval lies below {self.smallest:g}"
        )


@dataclass(frozen=True)
class Falls(Rule):
    """The effect is negative beyond doubt and large enough to matter."""

    smallest: float

    def _decide(self, cell: Cell) -> Answer:
        if cell.low > -self.smallest:
            return "no"
        return "yes" if cell.high < -ROUNDING and cell.value <= -self.smallest else "cannot tell"

    def margin(self, cell: Cell) -> float:
        return -self.smallest - cell.value

    def words(self) -> str:
        return (
            f"yes if the interval lies below 0 and the value is at most −{self.smallest:g}; "
            f"no if the whole interval lies above −{self.smallest:g}"
        )


@dataclass(frozen=True)
class Above(Rule):
    """The value is above a threshold."""

    smallest: float

    def _decide(self, cell: Cell) -> Answer:
        if cell.low >= self.smallest:
            return "yes"
        return "no" if cell.high < self.smallest else "cannot tell"

    def margin(self, cell: Cell) -> float:
        return cell.value - self.smallest

    def words(self) -> str:
        return f"yes if the whole interval is at least {self.smallest:g}; no if it lies below"


@dataclass(frozen=True)
class Below(Rule):
    """The value is below a threshold."""

    largest: float

    def _decide(self, cell: Cell) -> Answer:
        if cell.high <= self.largest:
            return "yes"
        return "no" if cell.low > self.largest else "cannot tell"

    def margin(self, cell: Cell) -> float:
        return self.largest - cell.value

    def words(self) -> str:
        return f"yes if the whole interval is at most {self.largest:g}; no if it lies above"


@dataclass(frozen=True)
class Within(Rule):
    """The value differs from a target by a stated tolerance at the most."""

    target: float
    tolerance: float = 0.0

    def _decide(self, cell: Cell) -> Answer:
        # A hair of rounding is allowed on top, so that 0.995 is within 0.005 of 1.
        return "yes" if abs(cell.value - self.target) <= self.tolerance + 1e-12 else "no"

    def margin(self, cell: Cell) -> float:
        return -abs(cell.value - self.target)

    def words(self) -> str:
        if self.tolerance == 0:
            return f"yes if the value is exactly {self.target:g}"
        return f"yes if the value is {self.target:g} within {self.tolerance:g}"


@dataclass(frozen=True)
class BelowBand(Rule):
    """The value is smaller than chance would make it (the cell carries the chance band)."""

    def _decide(self, cell: Cell) -> Answer:
        if not math.isfinite(cell.band_low):
            return "cannot tell"
        if cell.high < cell.band_low:
            return "yes"
        return "no" if cell.low >= cell.band_low else "cannot tell"

    def margin(self, cell: Cell) -> float:
        return cell.band_low - cell.value

    def words(self) -> str:
        return (
            "yes if the whole interval lies below the band in which 95 % of random directions fall; "
            "no if it lies inside or above that band"
        )
