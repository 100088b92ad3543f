"""Decision rules: from one measured value with its interval to *yes*, *no*, *harms* or *cannot tell*.

A rule is written down before anything is measured, and says itself in words, so that the report prints exactly what was
applied. All rules are one comparison: the value is put on a scale on which more is better and 0 is the edge, and then

- *yes* needs the whole 95 % interval at or above the edge,
- *no* needs the whole interval below it,
- *harms* (effects only) is a loss beyond doubt: the interval below no effect at all, the value as far on the wrong side
  as the smallest effect that counts is on the right one.

What lies across the edge cannot be told. The edge of an effect is the smallest effect that counts: one may be statistically
certain and still too small to matter.

Before a rule is asked the cell must be able to answer it: `why_not_asked` is the power check.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from scipy.special import ndtr, ndtri, stdtr, stdtrit

from gapkit.geometry import Interval

Answer = Literal["yes", "no", "harms", "cannot tell"]

ROUNDING = 1e-9
"""An interval that ends this near to an edge touches it: the last bit of a sum, which differs between machines,
decides nothing."""
POWER = 0.8
"""How likely an expected effect must be to be seen for a cell to be asked."""
LAW_ERROR = 0.2
"""By how much of itself an expected effect may be wrong: the margin by which it must reach what counts."""
DOUBT = 0.025
"""What a 95 % interval leaves on either side."""


@dataclass(frozen=True)
class Cell:
    """One measured value that a claim rests on.

    Attributes
    ----------
    label : where it was measured, such as "digits10, calibrated 0.7"
    value, low, high : the value and its 95 % interval (``low == high == value`` where nothing is sampled)
    band_low, band_high : what chance alone would give, where there is such a thing
    reason : why it is not asked here; empty if it is
    degrees : of freedom of a t interval (blocks minus one); infinite for any other
    """

    label: str
    value: float
    low: float
    high: float
    band_low: float = math.nan
    band_high: float = math.nan
    reason: str = ""
    degrees: float = math.inf


@dataclass(frozen=True)
class Rule(ABC):
    """What every rule offers; a new one says where its edge is (`_edge`), and says itself (`words`)."""

    edge: float
    sign = 1
    """1 where more is better, −1 where less is."""

    @abstractmethod
    def words(self) -> str:
        """The rule as the report prints it."""

    def _edge(self, cell: Cell) -> float:
        """Where *yes* begins, on the scale on which more is better."""
        return self.edge

    def _scale(self, cell: Cell) -> tuple[float, float, float]:
        """Value, low and high on the scale on which more is better and 0 is the edge."""
        edge = self._edge(cell)
        return tuple(end - edge for end in self._turned(cell))

    def _turned(self, cell: Cell) -> tuple[float, float, float]:
        """Value, low and high, turned so that more is better."""
        if self.sign > 0:
            return cell.value, cell.low, cell.high
        return -cell.value, -cell.high, -cell.low

    def answer(self, cell: Cell) -> Answer:
        """What the cell says to the rule. Harm is seen even where a gain is not asked for; nothing else is."""
        if not all(map(math.isfinite, (cell.value, cell.low, cell.high))):
            return "cannot tell"
        if self._harms(cell):
            return "harms"
        _, low, high = self._scale(cell)
        if cell.reason or math.isnan(low):
            return "cannot tell"
        return "yes" if low >= -ROUNDING else "no" if high < -ROUNDING else "cannot tell"

    def _harms(self, cell: Cell) -> bool:
        return False

    def margin(self, cell: Cell) -> float:
        """How far the cell is on the good side; the weakest cell of a claim has the least."""
        return self._scale(cell)[0]

    def doubt(self, cell: Cell, answer: Answer) -> float:
        """How likely chance alone would give this *yes* or *harms*: the one-sided p that the interval implies."""
        value, low, high = self._turned(cell) if answer == "harms" else self._scale(cell)
        excess, width = (-value, high - value) if answer == "harms" else (value, value - low)
        if width <= 0:
            return 0.0
        if math.isinf(cell.degrees):
            return float(ndtr(-excess * ndtri(1 - DOUBT) / width))
        return float(stdtr(cell.degrees, -excess * stdtrit(cell.degrees, 1 - DOUBT) / width))


@dataclass(frozen=True)
class Above(Rule):
    """The value is above a threshold."""

    def _edge(self, cell: Cell) -> float:
        return self.sign * self.edge

    def words(self) -> str:
        least, below = ("least", "below") if self.sign > 0 else ("most", "above")
        return f"yes if the whole interval is at {least} {self.edge:g}; no if it lies {below}"


@dataclass(frozen=True)
class Below(Above):
    """The value is below a threshold."""

    sign = -1


@dataclass(frozen=True)
class Rises(Rule):
    """The effect is positive beyond doubt and at least as large as the smallest that counts."""

    def _harms(self, cell: Cell) -> bool:
        value, _, high = self._turned(cell)
        return high < -ROUNDING and value <= -self.edge + ROUNDING

    def words(self) -> str:
        gain, loss = (f"at least {self.edge:g}", f"at most −{self.edge:g}")[:: self.sign]
        below = "lies below" if self.sign > 0 else "lies above"
        harm = f"harms if it {below} 0 and the value is {loss}"
        return f"yes if the whole interval is {gain}; no if it {below}; {harm}"


@dataclass(frozen=True)
class Falls(Rises):
    """The effect is negative beyond doubt and at least as large as the smallest that counts."""

    sign = -1


@dataclass(frozen=True)
class BelowBand(Rule):
    """The value is smaller than chance would make it (the cell carries the chance band)."""

    edge: float = math.nan
    sign = -1

    def _edge(self, cell: Cell) -> float:
        return -cell.band_low

    def words(self) -> str:
        band = "the band in which 95 % of random directions fall"
        return f"yes if the whole interval lies below {band}; no if it lies inside or above that band"


@dataclass(frozen=True)
class Within(Rule):
    """The value differs from a target by a stated tolerance at the most."""

    tolerance: float = 0.0

    def _scale(self, cell: Cell) -> tuple[float, float, float]:
        off = [abs(x - self.edge) for x in (cell.value, cell.low, cell.high)]
        nearest = 0.0 if cell.low <= self.edge <= cell.high else min(off)
        value, worst, best = (self.tolerance - x for x in (off[0], max(off), nearest))
        return value, worst, best

    def words(self) -> str:
        if self.tolerance == 0:
            return f"yes if the value is exactly {self.edge:g}"
        within = f"within {self.tolerance:g} of {self.edge:g}"
        return f"yes if the whole interval is {within}; no if all of it is not"


_EFFECTS: dict[str, type[Rule]] = {"rises": Rises, "falls": Falls}
RULES = {"above": Above, "below": Below, "within": Within, "below band": BelowBand} | _EFFECTS
"""The rules as ``claims.toml`` names them."""


def why_not_asked(rule: Rule, expected: Interval) -> str:
    r"""The power check: why a cell cannot decide an effect, from what untouched embeddings let expect; empty if it can.

    With s the smallest effect that counts, e the expected effect, less a fifth of it (what is expected may be wrong by as
    much), and w the expected half-width of its interval, a cell is asked if e reaches s and

    .. math:: e \ge s + \left(1 + \frac{\Phi^{-1}(0.8)}{\Phi^{-1}(0.975)}\right) w

    so that an interval around e lies above s in at least 80 % of cases (derived: with w = 1.96 SE its low end lies
    :math:`w` below a value that falls more than 0.84 SE short of e in 20 % of cases). No other limit is put on a noise
    level: where it is too weak or drowns everything, the expected gain is small.

    Parameters
    ----------
    rule : `Rises` or `Falls`; of any other rule every cell is asked
    expected : of the effect, before it is measured: the law's prediction, or all that could be won

    Examples
    --------
    >>> why_not_asked(Rises(0.01), Interval(0.05, 0.04, 0.06))
    ''
    >>> why_not_asked(Rises(0.01), Interval(0.002, 0.001, 0.003))
    'expected is 0.002 or a fifth less, where 0.01 counts'
    >>> why_not_asked(Rises(0.01), Interval(0.02, 0.00, 0.04))
    'too few data: 0.02 ± 0.02 is expected, which shows less often than in 80 % of cases'
    """
    if not isinstance(rule, Rises) or not all(map(math.isfinite, expected)):
        return ""
    effect, smallest = (1 - LAW_ERROR) * rule.sign * expected.value, rule.edge
    width = (expected.high - expected.low) / 2
    if effect < smallest:
        return f"expected is {expected.value:.2g} or a fifth less, where {rule.sign * smallest:g} counts"
    if effect < smallest + (1 + ndtri(POWER) / ndtri(1 - DOUBT)) * width:
        told, rate = f"{expected.value:.2g} ± {width:.2g} is expected", f"{100 * POWER:.0f} % of cases"
        return f"too few data: {told}, which shows less often than in {rate}"
    return ""
