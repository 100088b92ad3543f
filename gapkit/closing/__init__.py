"""Ways to close the modality gap, behind one interface: ``fit(X, Y)`` (gallery first), ``transform``, ``transform_pair``.

What each moves, where it comes from and what it guarantees is in its ``moves``, ``reference`` and ``guarantee``.
"""

from gapkit.closing.base import Closer
from gapkit.closing.baselines import Centring, Procrustes, Standardisation
from gapkit.closing.catalogue import CLOSERS, load_closer
from gapkit.closing.projections import AffineProjection, LinearProjection
from gapkit.closing.selection import Selection, select_closer
from gapkit.closing.shifts import GapCloser, HalfwayShift, MeanShift
from gapkit.closing.system import ClosedModel, close_gap

__all__ = [
    "CLOSERS",
    "AffineProjection",
    "Centring",
    "ClosedModel",
    "Closer",
    "GapCloser",
    "HalfwayShift",
    "LinearProjection",
    "MeanShift",
    "Procrustes",
    "Selection",
    "Standardisation",
    "close_gap",
    "load_closer",
    "select_closer",
]
