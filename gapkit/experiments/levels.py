"""The noise levels of the experiments, by the names that tables, claims and report share."""

from dataclasses import dataclass

TARGETS = (0.9, 0.7, 0.5)
"""Untouched robustness that the calibrated levels are calibrated to."""

PAPER_VARIANCES = (0.005, 0.022, 0.040)
"""σ² of the paper's Fig. 8."""

CALIBRATED = tuple(f"untouched {target:g}" for target in TARGETS)
MIDDLE = CALIBRATED[1]
PAPER_PER_COORDINATE = tuple(f"σ²={variance:g} per coordinate" for variance in PAPER_VARIANCES)
PAPER_IN_TOTAL = tuple(f"σ²={variance:g} in total" for variance in PAPER_VARIANCES)

BINS = (32, 64, 128, 256)
"""Numbers of bins of the paper's quantisation."""


@dataclass(frozen=True)
class Level:
    """One noise level: its name, its standard deviation per coordinate, and why it can decide nothing (if so)."""

    name: str
    sigma: float
    reason: str = ""


def paper_levels(dimension: int) -> list[Level]:
    """The paper's three σ² under both readings: per coordinate, and as the total over all d.

    >>> [f"{level.sigma:.4f}" for level in paper_levels(512)[::3]]
    ['0.0707', '0.0031']
    """
    each = zip(PAPER_PER_COORDINATE, PAPER_VARIANCES, strict=True)
    total = zip(PAPER_IN_TOTAL, PAPER_VARIANCES, strict=True)
    return [Level(name, variance**0.5) for name, variance in each] + [
        Level(name, (variance / dimension) ** 0.5) for name, variance in total
    ]
