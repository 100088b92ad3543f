"""Values as bytes, for the pipe between the judge and a submission's process.

A submission may send anything, so nothing here unpickles: plain values travel as JSON, arrays and
tensors as raw numbers. What cannot be expressed travels as `Opaque`, which only says what it was.
"""

import json
import numbers
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from gapkit.check import AxesDescription, describe

MAX_BYTES = 64 * 2**20
"""The largest message that is read."""

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
    """``value`` as one message: the length of a JSON header, the header, then the arrays' numbers."""
    buffers: list[bytes] = []
    header = json.dumps(_tree(value, buffers, 0)).encode()
    sizes = json.dumps([len(buffer) for buffer in buffers]).encode()
    return struct.pack("<II", len(header), len(sizes)) + header + sizes + b"".join(buffers)


def unpack(message: bytes) -> Any:
    """The value in a message.

    Raises
    ------
    ProtocolError
        If it is no message of ours.
    """
    try:
        first, second = struct.unpack_from("<II", message)
        tree = json.loads(message[8 : 8 + first])
        sizes = json.loads(message[8 + first : 8 + first + second])
        buffers, start = [], 8 + first + second
        for size in sizes:
            buffers.append(message[start : start + size])
            start += size
        if start != len(message):
            raise ProtocolError("wrong length")
        return _value(tree, buffers)
    except ProtocolError:
        raise
    except Exception as fault:  # malformed in whatever way
        raise ProtocolError(f"{type(fault).__name__}: {fault}") from None


def _tree(value: Any, buffers: list[bytes], depth: int) -> Any:
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
        return _array(native, "scalar" if isinstance(value, np.generic) else "array", buffers)
    if isinstance(value, torch.Tensor) and not value.is_complex():
        detached = value.detach().cpu()
        detached = detached.float() if detached.dtype == torch.bfloat16 else detached
        return _array(detached.resolve_conj().resolve_neg().numpy(), "tensor", buffers)
    if isinstance(value, list | tuple):
        return {type(value).__name__ if type(value) in (list, tuple) else "tuple": [
            _tree(one, buffers, depth + 1) for one in value
        ]}  # fmt: skip
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: _tree(one, buffers, depth + 1) for key, one in value.items()}}
    if isinstance(value, np.random.Generator):
        return {"generator": _tree(_plain_state(value.bit_generator.state), buffers, depth + 1)}
    if isinstance(value, AxesDescription):
        return {"axes": _tree(vars(value), buffers, depth + 1)}
    described = describe(value, quietly=True)
    if described is not None:
        return {"axes": _tree(vars(described), buffers, depth + 1)}
    native = _native(value) if hasattr(value, "__array__") else None
    if native is not None:  # a table's column and whatever else is an array by another name
        return _array(native, "array", buffers)
    return {"opaque": type(value).__name__}


def _native(value: Any) -> np.ndarray | None:
    """Real numbers in an order of bytes and a type that travel; None if it holds something else."""
    try:
        array = np.asarray(value)
        if array.dtype.name not in _DTYPES:  # long doubles, and numbers as Python's objects
            known = array.dtype.kind in "fiub" or (
                array.dtype == object and all(isinstance(one, numbers.Real) for one in array.flat)
            )
            array = array.astype(np.float64) if known else None
        return None if array is None else array.astype(array.dtype.newbyteorder("="), copy=False)
    except Exception:  # the object may be of a class of the student's own
        return None


def _array(array: np.ndarray, kind: str, buffers: list[bytes]) -> dict:
    buffers.append(np.ascontiguousarray(array).tobytes())
    return {kind: [array.dtype.name, list(array.shape), len(buffers) - 1]}


def _plain_state(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _plain_state(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray) else state


def _value(tree: Any, buffers: list[bytes]) -> Any:
    if not isinstance(tree, dict):
        if not isinstance(tree, _PLAIN):
            raise ProtocolError("a bare list")
        return tree
    ((kind, content),) = tree.items()
    match kind:
        case "int":
            return int(content[:400])
        case "array" | "scalar" | "tensor":
            name, shape, index = content
            if name not in _DTYPES:
                raise ProtocolError(f"dtype {name}")
            array = np.frombuffer(buffers[index], dtype=name).reshape(shape).copy()
            return {"array": lambda: array, "scalar": lambda: array[()], "tensor": lambda: torch.from_numpy(array)}[kind]()  # fmt: skip
        case "list":
            return [_value(one, buffers) for one in content]
        case "tuple":
            return tuple(_value(one, buffers) for one in content)
        case "dict":
            return {str(key): _value(one, buffers) for key, one in content.items()}
        case "generator":
            return _generator(_value(content, buffers))
        case "axes":
            return AxesDescription(**_value(content, buffers))
        case "opaque":
            return _opaque(str(content).replace("\0", "")[:100])
    raise ProtocolError(f"kind {kind}")


@lru_cache(maxsize=256)
def _opaque(kind: str) -> Opaque:
    """An `Opaque` whose class is called ``kind``, so that a message that names its type names the student's."""
    return type(kind, (Opaque,), {})(kind)


def _generator(state: dict) -> np.random.Generator:
    bits = np.random.PCG64()
    bits.state = state
    return np.random.Generator(bits)
