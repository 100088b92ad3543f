"""What is on a pair of axes: enough to tell whether a plot shows what an exercise asks for."""

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gapkit.check.engine import CheckFailed


@dataclass
class AxesDescription:
    """Labels and data of a matplotlib ``Axes``.

    ``lines_drawn`` and ``points_drawn`` say how each of ``lines`` and ``points`` looks: its label in the
    legend (empty if it cannot be told), its marker and its line style.
    """

    xlabel: str = ""
    ylabel: str = ""
    legend: list = field(default_factory=list)
    lines: list = field(default_factory=list)
    points: list = field(default_factory=list)
    lines_drawn: list = field(default_factory=list)
    points_drawn: list = field(default_factory=list)
    verticals: list = field(default_factory=list)
    ylim: list = field(default_factory=lambda: [0.0, 1.0])
    bars_ends: list = field(default_factory=list)
    scales: list = field(default_factory=lambda: ["linear", "linear"])

    def must_be_labelled(self, *, legend: int = 0) -> None:
        """Raise unless both axes are labelled and the legend has at least ``legend`` entries."""
        for name, text in (("x", self.xlabel), ("y", self.ylabel)):
            if not text.strip():
                raise CheckFailed(f"the {name} axis has no label")
        if len(self.legend) < legend:
            raise CheckFailed(f"the legend must name {legend} things; it names {len(self.legend)}")

    @staticmethod
    def must_not_be_swapped(first: dict, second: dict, *words: str) -> None:
        """Raise if only the label of the ``first`` has a word that begins like the ``second``'s, or both are alike.

        >>> AxesDescription.must_not_be_swapped({"label": "texts"}, {"label": "images"}, "image")
        """
        labels = [entry["label"].casefold() for entry in (first, second)]
        begun = re.compile(rf"(?<![a-z])({'|'.join(words)})")
        in_first, in_second = (begun.search(label) is not None for label in labels)
        if labels[0] and labels[0] == labels[1]:
            raise CheckFailed("the legend names two things alike")
        if in_first and not in_second:
            raise CheckFailed("the legend names things the wrong way round")


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
    entries = _entries(value)
    segments = [
        segment
        for artist in value.collections
        if type(artist).__name__ == "LineCollection"
        for segment in artist.get_segments()
        if len(segment) == 2 and segment[0][0] == segment[1][0]
    ]
    scatters = [artist for artist in value.collections if type(artist).__name__ == "PathCollection"]
    return AxesDescription(
        xlabel=value.get_xlabel(),
        ylabel=value.get_ylabel(),
        bars_ends=[float(end) for segment in segments for end in (segment[0][1], segment[1][1])],
        verticals=[float(segment[0][0]) for segment in segments],
        ylim=[float(end) for end in value.get_ylim()],
        scales=[value.get_xscale(), value.get_yscale()],
        legend=[text for text, _ in entries],
        lines=[np.asarray(line.get_xydata(), dtype=np.float64) for line in value.lines],
        points=[np.asarray(np.ma.filled(dots.get_offsets(), np.nan), dtype=np.float64) for dots in scatters],
        lines_drawn=[_drawn(line, entries, value.containers) for line in value.lines],
        points_drawn=[_drawn(dots, entries, ()) for dots in scatters],
    )


def _entries(axes) -> list[tuple[str, Any]]:
    """Text and handle of each entry of the legends: of the axes', or else of its figure's."""
    legends = [axes.get_legend()] if axes.get_legend() else list(getattr(axes.figure, "legends", ()))
    entries: list[tuple[str, Any]] = []
    for legend in legends:
        texts = [text.get_text() for text in legend.get_texts()]
        handles = list(getattr(legend, "legend_handles", ()))
        handles += [None] * (len(texts) - len(handles))
        entries += zip(texts, handles, strict=False)
    return entries


def _look(artist) -> tuple[str, str, str]:
    """Marker, line style and colour, each as a text that is equal where they are."""
    if type(artist).__name__ == "PathCollection":
        paths, filled = artist.get_paths(), len(artist.get_facecolor()) > 0
        shape = np.round(paths[0].vertices, 3).tolist() if len(paths) else []
        edge = artist.get_facecolor() if filled else artist.get_edgecolor()
        return f"{'filled' if filled else 'open'} {shape}", "None", str(np.round(edge[:1], 3).tolist())
    if hasattr(artist, "get_marker") and hasattr(artist, "get_linestyle"):
        return str(artist.get_marker()), str(artist.get_linestyle()), str(artist.get_color())
    return "", "", ""


def _drawn(artist, entries, containers) -> dict[str, str]:
    """Label, marker and line style of a line or a scatter."""
    look = _look(artist)
    same = [text for text, handle in entries if handle is not None and _look(handle) == look]
    labels = [str(artist.get_label())]
    labels += [str(holder.get_label()) for holder in containers if any(part is artist for part in holder)]
    label = same[0] if len(same) == 1 else next((text for text in labels if text[:1] not in ("", "_")), "")
    return {"label": label, "marker": look[0], "linestyle": look[1]}


must_be_labelled, must_not_be_swapped = AxesDescription.must_be_labelled, AxesDescription.must_not_be_swapped
