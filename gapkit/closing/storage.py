"""Closers in safetensors files: arrays as tensors, hyperparameters and single numbers in the header."""

import json
import os
from pathlib import Path

import numpy as np

from gapkit._files import write_atomically
from gapkit.closing.base import SIDES, Closer
from gapkit.closing.baselines import Centring, Procrustes, Standardisation
from gapkit.closing.projections import AffineProjection, LinearProjection
from gapkit.closing.shifts import GapCloser, HalfwayShift, MeanShift
from gapkit.errors import InputError

FORMAT_VERSION = 1
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


def save(closer: Closer, path: str | os.PathLike) -> Path:
    """Write a fitted closer to ``path``, whole or not at all; `load_closer` reads it back."""
    from safetensors.numpy import save_file

    closer._check_fitted()
    if CLOSERS.get(type(closer).__name__) is not type(closer):
        raise InputError(f"only gapkit's own closers can be saved; got {type(closer).__name__}")
    fitted = {name: value for name, value in vars(closer).items() if name.endswith("_")}
    tensors = {name: np.ascontiguousarray(v) for name, v in fitted.items() if isinstance(v, np.ndarray)}
    numbers = {name: value for name, value in fitted.items() if name not in tensors and value is not None}
    facts = {"closer": type(closer).__name__, "parameters": closer.get_params(), "fitted": numbers}
    facts["arrays"] = {name: list(array.shape) for name, array in tensors.items()}
    header = {
        "gapkit_closer_format": str(FORMAT_VERSION),
        "gapkit_closer": json.dumps(facts, default=lambda number: number.item(), sort_keys=True),
    }
    return write_atomically(path, lambda beside: save_file(tensors, beside, metadata=header))


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
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise InputError(f"no file {path}")
    try:
        with safe_open(path, framework="np") as file:
            header = file.metadata() or {}
            facts = _facts(header, path)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError, TypeError, ValueError) as fault:
        if isinstance(fault, InputError):
            raise
        raise InputError(
            f"{path} is no readable safetensors file (truncated or damaged?): {fault}"
        ) from fault
    return _rebuild(facts, tensors, path)


def _facts(header: dict, path: Path) -> dict:
    if "gapkit_closer_format" not in header:
        raise InputError(f"{path} holds no closer written by gapkit")
    try:
        version, facts = int(header["gapkit_closer_format"]), json.loads(header.get("gapkit_closer", ""))
    except ValueError as fault:
        raise InputError(f"{path} is damaged: its header cannot be read") from fault
    if version > FORMAT_VERSION:
        raise InputError(
            f"{path} has format version {version}; this gapkit reads up to {FORMAT_VERSION}. Upgrade gapkit"
        )
    kinds = {"closer": str, "parameters": dict, "fitted": dict, "arrays": dict}
    if (
        version < 1
        or not isinstance(facts, dict)
        or any(not isinstance(facts.get(k), t) for k, t in kinds.items())
    ):
        raise InputError(f"{path} is damaged: its header says nothing usable about the closer")
    if facts["closer"] not in CLOSERS:
        raise InputError(f"{path} holds a closer called {facts['closer']!r}, which this gapkit does not know")
    return facts


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
