"""Ways to close the modality gap, behind one interface: ``fit(X, Y)`` (gallery first), ``transform``, ``transform_pair``.

Each closer says what it is called, what it moves, where it comes from and what it guarantees, in its ``name``, ``moves``,
``reference`` and ``guarantee``. `CLOSERS` lists them. `GapCloser` is the short name of `ProjectedShift`, the paper's closer.
"""

from gapkit._renamed import renamed
from gapkit.closing.advice import advise
from gapkit.closing.catalogue import CLOSERS, load_closer
from gapkit.closing.closed_model import close_model
from gapkit.closing.outcome import ClosingOutcome
from gapkit.closing.projections import AffineProjection, LinearProjection
from gapkit.closing.selection import select_closer
from gapkit.closing.shifts import GapCloser, MeanShift, ProjectedShift

__all__ = [
    "CLOSERS",
    "AffineProjection",
    "ClosingOutcome",
    "GapCloser",
    "LinearProjection",
    "MeanShift",
    "ProjectedShift",
    "advise",
    "close_model",
    "load_closer",
    "select_closer",
]

__getattr__ = renamed(__name__)
