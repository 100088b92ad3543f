"""Every closer by its name, and back from its file: the one list of them.

A closer says itself what it is called (``name``), what it moves (``moves``), where it comes from (``reference``) and under
which metrics it keeps every answer (``guarantee``).
"""

import os
from pathlib import Path

import numpy as np

from gapkit._files import as_path, open_safetensors, read_facts
from gapkit._options import check_choice, check_number
from gapkit.closing import published
from gapkit.closing.base import FORMAT, HASH, SIDES, Closer, digest
from gapkit.closing.projections import AffineProjection, LinearProjection, SpanProjection
from gapkit.closing.shifts import HalfwayShift, MeanShift, ProjectedShift
from gapkit.errors import InputError, did_you_mean, refusing

_SHIFTS = (ProjectedShift, MeanShift, HalfwayShift)
_PROJECTIONS = (AffineProjection, LinearProjection)
_OTHERS = (published.Centring, published.Standardisation, published.Procrustes, SpanProjection, published.I0T)
_MORE = (published.GRCLIP, published.ReAlign, published.MeanDirectionRemoval, published.RenormalisedShift)
CLOSERS: dict[str, type[Closer]] = {each.name: each for each in (*_SHIFTS, *_PROJECTIONS, *_OTHERS, *_MORE)}
"""Every closer by the name that tables use."""
_FACTS = {"closer": str, "parameters": dict, "fitted": dict, "arrays": dict}
_FOREIGN = "holds no closer written by gapkit"
_CLASSES = {closer.__name__: closer for closer in CLOSERS.values()} | {"GapCloser": ProjectedShift}


def find_closer(name: str) -> type[Closer]:
    """The closer called ``name``: that of tables, its first word, or the name of its class.

    Raises
    ------
    InputError
        If there is none; the message lists them.

    Examples
    --------
    >>> find_closer("projected shift") is find_closer("projected") is find_closer("GapCloser")
    True
    """
    words = {title.split()[0]: closer for title, closer in CLOSERS.items()}
    known = words | CLOSERS | _CLASSES
    if name not in known:
        raise InputError(f"no closer {name!r}{did_you_mean(name, known)}; there are {', '.join(CLOSERS)}")
    return known[name]


def load_closer(path: str | os.PathLike) -> Closer:
    """Load a closer saved with `Closer.save`.

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
    path = as_path(path, "path")
    facts, tensors = _read(path)
    if facts["closer"] not in _CLASSES:
        raise InputError(f"{path} holds a closer called {facts['closer']!r}, which this gapkit does not know")
    with refusing(InputError, before=f"{path} is damaged: "):
        return _rebuild(facts, tensors)


def _rebuild(facts: dict, tensors: dict[str, np.ndarray]) -> Closer:
    kind = _CLASSES[facts["closer"]]
    known = set(kind().get_params())
    if set(facts["parameters"]) != known:
        raise InputError(f"{kind.__name__} has the hyperparameters {sorted(known)}")
    for name, value in facts["parameters"].items():
        _check_parameter(name, value)
    for name, value in facts["fitted"].items():
        check_number(float(value) if isinstance(value, bool) else value, name)
    closer = kind(**facts["parameters"])
    fitted = {f"{side}_{part}_": None for side in SIDES for part in ("linear", "offset")}
    fitted |= facts["fitted"] | tensors
    width = fitted.get("n_features_in_")
    if not isinstance(width, int) or not all(name.endswith("_") for name in fitted):
        raise InputError("it does not say in which dimension the closer was fitted")
    for name, array in tensors.items():
        square = array.ndim == 2 and name.endswith("_linear_")
        if square and array.shape[0] != width:
            raise InputError(f"{name} has shape {array.shape}, not ({width}, {width})")
        if array.dtype != np.float64 or array.shape[-1:] != (width,) or not np.isfinite(array).all():
            raise InputError(f"{name} is not finite float64 of width {width}")
    shapes = {name: list(array.shape) for name, array in tensors.items()}
    if shapes != facts["arrays"]:  # a map that is missing would pass for the identity
        raise InputError(f"its header lists the arrays {facts['arrays']}; it holds {shapes}")
    vars(closer).update(fitted)
    return closer


def _check_parameter(name: str, value: object) -> None:
    """What `fit` would look at: a closer from a file is used without being fitted."""
    if name == "moves":
        check_choice(str(value), name, (*SIDES, "both"))
    elif name == "alpha":
        check_number(value, name)
    elif value is not None:
        check_number(value, name, least=0)


def _read(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The facts in the header (``closer``, ``parameters``, ``fitted``, ``arrays``), and the arrays."""
    with open_safetensors(path, "np") as file:
        header = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    facts = read_facts(header, path, key="gapkit_closer", newest=FORMAT, kinds=_FACTS, foreign=_FOREIGN)
    if header.get(HASH, made := digest(header["gapkit_closer"], tensors)) != made:  # older files have none
        raise InputError(f"{path} is damaged: it is not what was written; fit the closer again")
    return facts, tensors
