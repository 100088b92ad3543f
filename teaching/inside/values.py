"""Values as bytes, for the way between the judge and a submission's kernel: an npz file without pickle.

Arrays and tensors are the file's arrays; everything around them is one JSON text beside them. What
cannot be expressed travels as `Opaque`, which only says what it was.
"""

import contextlib
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
        with zipfile.ZipFile(io.BytesIO(message)) as file:
            parts = file.infolist()  # compressed, a small message could become a huge one
        if any(part.compress_type for part in parts) or sum(part.file_size for part in parts) > MAX_BYTES:
            raise ProtocolError("compressed, or too large")
        with np.load(io.BytesIO(message), allow_pickle=False) as file:
            arrays = [file[f"arr_{number}"] for number in range(len(file.files))]
        return _value(json.loads(arrays[0].tobytes()), arrays[1:])
    except Exception as fault:  # malformed in whatever way
        raise ProtocolError(f"{type(fault).__name__}: {fault}") from None


def _tree(value: Any, arrays: list[np.ndarray], depth: int) -> Any:
    def below(item: Any) -> Any:
        return _tree(item, arrays, depth + 1)

    def kept(array: np.ndarray, kind: str) -> dict:
        arrays.append(array)
        return {kind: len(arrays) - 1}

    if depth > 20:
        return {"opaque": "something nested too deeply"}
    if type(value) in _PLAIN:
        return {"int": str(value)} if type(value) is int else value
    if isinstance(value, str):
        return str(value)  # numpy's own and other subclasses
    if isinstance(value, torch.Tensor) and not value.is_complex():
        tensor = value.detach().cpu().resolve_conj().resolve_neg()
        return kept((tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy(), "tensor")
    if isinstance(value, list | tuple):
        return {"list" if isinstance(value, list) else "tuple": list(map(below, value))}
    if isinstance(value, dict):
        return {"dict": {str(key): below(item) for key, item in value.items()}}
    if isinstance(value, np.random.Generator):
        return {"generator": below(value.bit_generator.state)}
    is_numpy = isinstance(value, np.ndarray | np.generic)
    described = None if is_numpy else describe(value, quietly=True)
    if described is not None:
        return {"axes": below(vars(described))}
    # an array by whatever name, such as a table's column
    native = _native(value) if hasattr(value, "__array__") else None
    if native is not None:
        return kept(native, "scalar" if isinstance(value, np.generic) else "array")
    if hasattr(type(value), "__float__") and not hasattr(value, "__array__"):  # a Fraction, a Decimal
        with contextlib.suppress(Exception):
            return float(value)
    return {"opaque": type(value).__name__ + (f" of {value.dtype}" if is_numpy else "")}


def _native(value: Any) -> np.ndarray | None:
    """Real numbers in an order of bytes and a type that travel; None if it holds something else."""
    with contextlib.suppress(Exception):  # the object may be of a class of the student's own
        array = np.asarray(value)
        real = array.dtype == object and all(isinstance(item, numbers.Real) for item in array.flat)
        if real or (array.dtype.kind == "f" and array.dtype.itemsize > 8):  # long doubles
            array = array.astype(np.float64)
        if array.dtype.kind in "fiub":
            return array.astype(array.dtype.newbyteorder("="), copy=False)
    return None


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
            if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
                raise ProtocolError(f"dtype {array.dtype}")
            return {"array": np.asarray, "scalar": lambda a: a[()], "tensor": torch.from_numpy}[kind](array)
        case "list" | "tuple":
            return {"list": list, "tuple": tuple}[kind](_value(item, arrays) for item in content)
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
