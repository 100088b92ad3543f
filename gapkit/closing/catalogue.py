"""Every closer by its name, and back from its file."""

import os
from pathlib import Path

import numpy as np

from gapkit.closing.base import SIDES, Closer
from gapkit.closing.baselines import Centring, Procrustes, Standardisation
from gapkit.closing.projections import AffineProjection, LinearProjection
from gapkit.closing.shifts import GapCloser, HalfwayShift, MeanShift
from gapkit.closing.storage import read_closer
from gapkit.errors import InputError

CLOSERS: dict[str, type[Closer]] = {
    one.__name__: one
    for one in (
        GapCloser,
        MeanShift,
        HalfwayShift,
        AffineProjection,
        LinearProjection,
        Centring,
        Standardisation,
        Procrustes,
    )
}
"""Every closer by its name."""


def load_closer(path: str | os.PathLike) -> Closer:
    """Read a closer that `Closer.save` has written.

    Parameters
    ----------
    path : the file

    Returns
    -------
    the fitted closer

    Raises
    ------
    InputError
        If the file is missing, truncated, damaged, of a newer format, or holds no closer.
    """
    path = Path(path)
    facts, tensors = read_closer(path)
    if facts["closer"] not in CLOSERS:
        raise InputError(f"{path} holds a closer called {facts['closer']!r}, which this gapkit does not know")
    return _rebuild(facts, tensors, path)


def _rebuild(facts: dict, tensors: dict[str, np.ndarray], path: Path) -> Closer:
    kind = CLOSERS[facts["closer"]]
    known = set(kind().get_params())
    if set(facts["parameters"]) != known:
        raise InputError(f"{path} is damaged: {kind.__name__} has the hyperparameters {sorted(known)}")
    closer = kind(**facts["parameters"])
    fitted = {f"{side}_{part}_": None for side in SIDES for part in ("linear", "offset")}
    fitted |= facts["fitted"] | tensors
    width = fitted.get("n_features_in_")
    if not isinstance(width, int) or not all(name.endswith("_") for name in fitted):
        raise InputError(f"{path} is damaged: it does not say in which dimension the closer was fitted")
    for name, array in tensors.items():
        square = array.ndim == 2 and name.endswith("_linear_")
        if square and array.shape[0] != width:
            raise InputError(f"{path} is damaged: {name} has shape {array.shape}, not ({width}, {width})")
        if array.dtype != np.float64 or array.shape[-1:] != (width,) or not np.isfinite(array).all():
            raise InputError(f"{path} is damaged: {name} is not finite float64 of width {width}")
    shapes = {name: list(array.shape) for name, array in tensors.items()}
    if shapes != facts["arrays"]:  # a map that is missing would pass for the identity
        raise InputError(
            f"{path} is damaged: its header lists the arrays {facts['arrays']}; it holds {shapes}"
        )
    vars(closer).update(fitted)
    return closer
