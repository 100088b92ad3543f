"""Files of fitted closers: arrays as safetensors, hyperparameters and single numbers in the header."""

import json
import os
from pathlib import Path

import numpy as np

from gapkit._files import write_atomically
from gapkit.errors import InputError

FORMAT_VERSION = 1


def write_closer(path: str | os.PathLike, kind: str, parameters: dict, fitted: dict) -> Path:
    """Write what a closer is and has learned, whole or not at all.

    Parameters
    ----------
    path : where to write
    kind : the name of its class
    parameters : its hyperparameters, plain values
    fitted : what it has learned: arrays, single numbers, or None
    """
    from safetensors.numpy import save_file

    tensors = {name: np.ascontiguousarray(v) for name, v in fitted.items() if isinstance(v, np.ndarray)}
    numbers = {name: value for name, value in fitted.items() if name not in tensors and value is not None}
    facts = {"closer": kind, "parameters": parameters, "fitted": numbers}
    facts["arrays"] = {name: list(array.shape) for name, array in tensors.items()}
    header = {
        "gapkit_closer_format": str(FORMAT_VERSION),
        "gapkit_closer": json.dumps(facts, default=lambda number: number.item(), sort_keys=True),
    }
    return write_atomically(path, lambda beside: save_file(tensors, beside, metadata=header))


def read_closer(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """What `write_closer` has written: the facts (``closer``, ``parameters``, ``fitted``), and the arrays.

    Raises
    ------
    InputError
        If the file is missing, truncated, damaged, of a newer format, or holds no closer.
    """
    from safetensors import SafetensorError, safe_open

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
    return facts, tensors


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
    return facts
