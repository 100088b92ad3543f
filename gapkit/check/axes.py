"""What is on a pair of axes: enough to tell whether a plot shows what an exercise asks for."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gapkit.check.engine import CheckFailed


@dataclass
class AxesDescription:
    """Labels and data of a matplotlib ``Axes``."""

    title: str = ""
    xlabel: str = ""
    ylabel: str = ""
    legend: list = field(default_factory=list)
    lines: list = field(default_factory=list)
    points: list = field(default_factory=list)
    bars: list = field(default_factory=list)
    bands: int = 0
    ylim: list = field(default_factory=lambda: [0.0, 1.0])
    bars_ends: list = field(default_factory=list)
    scales: list = field(default_factory=lambda: ["linear", "linear"])


def describe(value: Any, *, quietly: bool = False) -> AxesDescription | None:
    """The description of an ``Axes`` (or of the only one of a figure).

    Parameters
    ----------
    value : matplotlib ``Axes`` or ``Figure``, or a description already
    quietly : return None instead of raising where there is none

    Returns
    -------
    AxesDescription: ``lines`` and ``points`` hold one (n, 2) float64 array for each line and each scatter
    """
    if isinstance(value, AxesDescription):
        return value
    axes = getattr(value, "axes", None)
    if isinstance(axes, list) and len(axes) == 1 and hasattr(axes[0], "get_xlabel"):
        value = axes[0]
    if not hasattr(value, "get_xlabel") or not hasattr(value, "collections"):
        if quietly:
            return None
        raise CheckFailed(f"must return the matplotlib Axes it draws on, not {type(value).__name__}")
    legend = value.get_legend()
    return AxesDescription(
        title=value.get_title(),
        xlabel=value.get_xlabel(),
        ylabel=value.get_ylabel(),
        bars_ends=[
            float(end)
            for one in value.collections
            if type(one).__name__ == "LineCollection"
            for segment in one.get_segments()
            if len(segment) == 2 and segment[0][0] == segment[1][0]
            for end in (segment[0][1], segment[1][1])
        ],
        ylim=[float(end) for end in value.get_ylim()],
        scales=[value.get_xscale(), value.get_yscale()],
        legend=[text.get_text() for text in legend.get_texts()] if legend else [],
        lines=[np.asarray(line.get_xydata(), dtype=np.float64) for line in value.lines],
        points=[
            np.asarray(np.ma.filled(one.get_offsets(), np.nan), dtype=np.float64)
            for one in value.collections
            if type(one).__name__ == "PathCollection"
        ],
        bars=[float(patch.get_height()) for patch in value.patches if hasattr(patch, "get_height")],
        bands=sum(
            type(one).__name__ in ("PolyCollection", "FillBetweenPolyCollection") for one in value.collections
        ),
    )


def must_be_labelled(axes: AxesDescription, *, legend: int = 0) -> None:
    """Raise unless both axes are labelled and the legend has at least ``legend`` entries."""
    for name, text in (("x", axes.xlabel), ("y", axes.ylabel)):
        if not text.strip():
            raise CheckFailed(f"the {name} axis has no label")
    if len(axes.legend) < legend:
        raise CheckFailed(f"the legend must name {legend} things; it names {len(axes.legend)}")
