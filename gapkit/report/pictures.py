"""Which pictures the report shows for each experiment."""

from collections.abc import Callable, Iterator

import matplotlib as mpl

from gapkit.report import pictures_closing as closing
from gapkit.report import pictures_gap as gap
from gapkit.report import pictures_noise as noise
from gapkit.report.picture import Picture, Tables
from gapkit.report.svg import THEMED

_DRAWERS: dict[str, Callable[[Tables], Iterator[Picture]]] = {
    "gap": gap.draw_gap,
    "orthogonality": gap.draw_orthogonality,
    "theory": gap.draw_theory,
    "formation": gap.draw_formation,
    "noise": noise.draw_noise,
    "closers": closing.draw_closers,
    "axes": closing.draw_axes,
    "raw-shift": closing.draw_raw_shift,
    "multiple-choice": closing.draw_multiple_choice,
    "quantisation": closing.draw_quantisation,
    "rephrasing": closing.draw_rephrasing,
    "retrieval": closing.draw_retrieval,
    "family": gap.draw_family,
}
_NEEDS = {name: name for name in _DRAWERS} | {"theory": "theory.curve", "formation": "formation.curve"}


def pictures(experiment: str, tables: Tables) -> list[Picture]:
    """The pictures of one experiment, in the order of the report; none if its tables are missing."""
    draw = _DRAWERS.get(experiment)
    with mpl.rc_context(THEMED):
        return list(draw(tables)) if draw and _NEEDS[experiment] in tables else []
