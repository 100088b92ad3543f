"""What a measurement is written down as, what it has to keep to, and the table of all of them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes
    ----------
    what : what was measured
    value, unit : the result, in "s" or "MB"
    against, other : what it is compared with, measured in the same run, and its result in the same unit
    most, most_ratio, least_speedup : the bar, one of them or none: on ``value``, on ``value / other``, or on
        ``other / value``
    """

    what: str
    value: float
    unit: str = "s"
    against: str = ""
    other: float | None = None
    most: float | None = None
    most_ratio: float | None = None
    least_speedup: float | None = None

    @property
    def falls_short(self) -> bool:
        """Whether there is a bar that this misses.

        >>> Row("a", 2.0, against="b", other=1.0, most_ratio=1.5).falls_short
        True
        """
        return bool(
            (self.most is not None and self.value > self.most)
            or (self.most_ratio is not None and self.value > self.most_ratio * self.other)
            or (self.least_speedup is not None and self.other < self.least_speedup * self.value)
        )

    def cells(self) -> list[str]:
        """What, result, against what, ratio, bar."""
        result = f"{self.value:.0f} MB" if self.unit == "MB" else f"{self.value:.3f} s"
        against = f"{self.against} ({self.other:.3g} {self.unit})" if self.against else ""
        ratio = bar = ""
        if self.least_speedup is not None or (
            self.most_ratio is None and (self.other or 0) > 100 * self.value
        ):
            ratio = f"{self.other / self.value:,.3g} times faster"
        elif self.other is not None:
            ratio = f"{self.value / self.other:.2f}"
        if self.most is not None:
            bar = f"at most {self.most:g} {self.unit}"
        elif self.most_ratio is not None:
            bar = f"at most {self.most_ratio:.3g}"
        elif self.least_speedup is not None:
            bar = f"at least {self.least_speedup:,g}"
        return [self.what, result, against, ratio, bar]


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [["what", "result", "against", "ratio", "bar"], ["---"] * 5, *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def shortfalls(sections: dict[str, list[Row]]) -> str:
    """A table of the rows that miss their bars, or a sentence that none does."""
    rows = [row for section in sections.values() for row in section]
    short, bars = [row for row in rows if row.falls_short], [row for row in rows if row.cells()[-1]]
    return table(short) if short else f"Nothing: all {len(bars)} bars are kept.\n"
