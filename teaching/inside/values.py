"""Values as bytes, for the way between the judge and a submission's kernel: an npz file without pickle.

Arrays and tensors are the file's arrays; everything around them is one JSON text beside them. What
cannot be expressed travels as `Opaque`, which only says what it was.
"""

import io
import json
import numbers
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from gapkit.check import AxesDescription, describe

MAX_BYTES = 32 * 2**20
"""The most that one message may hold, packed and unpacked."""

_DTYPES = {
    "float16", "float32", "float64", "int8", "int16", "int32", "int64",
    "uint8", "uint16", "uint32", "uint64", "bool",
}  # fmt: skip
_PLAIN = (bool, int, float, str, type(None))


class ProtocolError(Exception):
    """Bytes that are no message of ours."""


@dataclass(frozen=True)
class Opaque:
    """Something that does not travel, such as an object of a class of one's own."""

    kind: str


def pack(value: Any) -> bytes:
    """``value`` as one message.

    Raises
    ------
    ValueError
        If it is larger than `MAX_BYTES`.
    """
    arrays: list[np.ndarray] = []
    text = json.dumps(_tree(value, arrays, 0)).encode()
    if len(text) + sum(array.nbytes for array in arrays) > MAX_BYTES - 2**16:
        raise ValueError(f"the result is too large: at most {MAX_BYTES >> 20} MiB are taken")
    file = io.BytesIO()
    np.savez(file, np.frombuffer(text, np.uint8), *arrays)
    return file.getvalue()


def unpack(message: bytes) -> Any:
    """The value in a message.

    Raises
    ------
    ProtocolError
        If it is no message of ours.
    """
    try:
        with zipfile.ZipFile(
            io.BytesIO(message)
        ) as file:  # compressed, a small message could become a huge one
            if any(part.compress_type != zipfile.ZIP_STORED for part in file.infolist()):
                raise ProtocolError("compressed")
            if sum(part.file_size for part in file.infolist()) > MAX_BYTES:
                raise ProtocolError("too large")
        with np.load(io.BytesIO(message), allow_pickle=False) as file:
            arrays = [file[f"arr_{number}"] for number in range(len(file.files))]
        return _value(json.loads(arrays[0].tobytes()), arrays[1:])
    except ProtocolError:
        raise
    except Exception as fault:  # malformed in whatever way
        raise ProtocolError(f"{type(fault).__name__}: {fault}") from None


def _tree(value: Any, arrays: list[np.ndarray], depth: int) -> Any:
    if depth > 20:
        return {"opaque": "something nested too deeply"}
    if isinstance(value, _PLAIN) and type(value) in _PLAIN:
        return {"int": str(value)} if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(value, str):
        return str(value)  # numpy's own and other subclasses
    if isinstance(value, np.ndarray | np.generic):
        native = _native(value)
        if native is None:
            return {"opaque": f"{type(value).__name__} of {value.dtype}"}
        return _array(native, "scalar" if isinstance(value, np.generic) else "array", arrays)
    if isinstance(value, torch.Tensor) and not value.is_complex():
        detached = value.detach().cpu()
        detached = detached.float() if detached.dtype == torch.bfloat16 else detached
        return _array(detached.resolve_conj().resolve_neg().numpy(), "tensor", arrays)
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_tree(item, arrays, depth + 1) for item in value]}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: _tree(item, arrays, depth + 1) for key, item in value.items()}}
    if isinstance(value, np.random.Generator):
        return {"generator": _tree(_plain_state(value.bit_generator.state), arrays, depth + 1)}
    described = describe(value, quietly=True)
    if described is not None:
        return {"axes": _tree(vars(described), arrays, depth + 1)}
    native = _native(value) if hasattr(value, "__array__") else None
    if native is not None:  # a table's column and whatever else is an array by another name
        return _array(native, "array", arrays)
    return {"opaque": type(value).__name__}


def _native(value: Any) -> np.ndarray | None:
    """Real numbers in an order of bytes and a type that travel; None if it holds something else."""
    try:
        array = np.asarray(value)
        if array.dtype.name not in _DTYPES:  # long doubles, and numbers as Python's objects
            known = array.dtype.kind in "fiub" or (
                array.dtype == object and all(isinstance(item, numbers.Real) for item in array.flat)
            )
            array = array.astype(np.float64) if known else None
        return None if array is None else array.astype(array.dtype.newbyteorder("="), copy=False)
    except Exception:  # the object may be of a class of the student's own
        return None


def _array(array: np.ndarray, kind: str, arrays: list[np.ndarray]) -> dict:
    arrays.append(array)
    return {kind: len(arrays) - 1}


def _plain_state(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _plain_state(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray) else state


def _value(tree: Any, arrays: list[np.ndarray]) -> Any:
    if not isinstance(tree, dict):
        if not isinstance(tree, _PLAIN):
            raise ProtocolError("a bare list")
        return tree
    ((kind, content),) = tree.items()
    match kind:
        case "int":
            return int(content[:400])
        case "array" | "scalar" | "tensor":
            array = arrays[content]
            if array.dtype.name not in _DTYPES:
                raise ProtocolError(f"dtype {array.dtype}")
            if kind == "tensor":
                return torch.from_numpy(array)
            return array[()] if kind == "scalar" else array
        case "list":
            return [_value(item, arrays) for item in content]
        case "tuple":
            return tuple(_value(item, arrays) for item in content)
        case "dict":
            return {str(key): _value(item, arrays) for key, item in content.items()}
        case "generator":
            bits = np.random.PCG64()
            bits.state = _value(content, arrays)
            return np.random.Generator(bits)
        case "axes":
            return AxesDescription(**_value(content, arrays))
        case "opaque":
            return _opaque(str(content).replace("\0", "")[:100])
    raise ProtocolError(f"kind {kind}")


@lru_cache(maxsize=256)
def _opaque(kind: str) -> Opaque:
    """An `Opaque` whose class is called ``kind``, so that a message that names its type names the student's."""
    return type(kind, (Opaque,), {})(kind)
