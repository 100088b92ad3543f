"""Embeddings in safetensors files: writing, reading, and what can be wrong with a file.

A file holds the tensors ``images``, ``texts`` and those of ``labels``, ``options``, ``answers``,
``image_rows``, ``image_of_text`` the task has. Long lists of strings are uint8 tensors with a JSON list in UTF-8
inside (``text_names``, ``image_names``, ``groups``), so that the header stays small. The header's
metadata has ``gapkit_format`` (an integer), ``gapkit`` (a JSON object: task, normalised, and the set's own
metadata) and ``gapkit_sha256``, the hash of the whole file with zeros in place of that hash. It is checked once in a
process, and again when the file changes; files from before there was one are read without.
"""

import functools
import hashlib
import json
import math
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gapkit._arrays import check_unit_rows, normalise_rows
from gapkit._files import as_path, open_safetensors, parse_json, read_facts, write_atomically
from gapkit.errors import InputError, refusing
from gapkit.tasks.answers import INDICES

FORMAT_VERSION = 1
MATRICES = ("images", "texts")
STRINGS = ("text_names", "image_names", "groups")
FOREIGN = (".npy", ".npz", ".csv", ".tsv", ".txt", ".parquet")
_HASH, _ZEROS = "gapkit_sha256", "0" * 64
_FACTS = {"task": str, "normalised": bool, "metadata": dict}
_MOST_HEADER = 100_000_000  # more is refused by whoever reads safetensors
_CODES = {"float16": "F16", "float32": "F32", "float64": "F64", "int64": "I64", "uint8": "U8"}


@dataclass(frozen=True)
class Part:
    """An array that arrives in blocks of rows, so that it need not fit into memory."""

    dtype: str
    shape: tuple[int, ...]
    blocks: Iterable[np.ndarray]

    def pieces(self) -> Iterator[bytes]:
        """The bytes of the file, block by block."""
        for block in self.blocks:
            with np.errstate(over="ignore"):
                stored = np.ascontiguousarray(block, dtype=self.dtype)
            if not np.isfinite(stored).all() or _is_lost(block, stored.dtype):
                raise InputError(f"embeddings do not fit into {self.dtype}, or are not finite")
            yield stored.tobytes()


def _is_lost(block: np.ndarray, kind: np.dtype) -> bool:
    """Whether a row is so small that a narrower dtype keeps few of its digits, or none."""
    if kind.kind != "f" or not kind.itemsize < block.dtype.itemsize:
        return False
    most = np.maximum(block.max(axis=1), -block.min(axis=1))
    return bool(((most > 0) & (most < np.finfo(kind).smallest_normal)).any())


def write_parts(
    path: str | os.PathLike, parts: dict[str, Part], fields: dict, task: str, normalised: bool, metadata: dict
) -> Path:
    """Write the file of an `EmbeddingSet`, whose matrices arrive in blocks and need not fit into memory.

    Parameters
    ----------
    path : where to write, whole or not at all
    parts : ``images`` and ``texts``
    fields : the other fields of an `EmbeddingSet`, arrays and lists of strings; None is left out
    task, normalised, metadata : as in `EmbeddingSet`
    """
    check_name(path)
    with refusing(
        TypeError,
        ValueError,
        RecursionError,
        before="metadata must hold plain values only (text, numbers, lists): ",
    ):
        told = json.dumps({"task": task, "normalised": normalised, "metadata": metadata}, sort_keys=True)
    header = {_HASH: _ZEROS, "gapkit_format": str(FORMAT_VERSION), "gapkit": told}
    parts = dict(parts)
    for name, value in fields.items():
        if value is None or (task == "pairs" and name == "labels"):
            continue
        if name in STRINGS:
            listed = json.dumps(list(value), ensure_ascii=False)
            if re.search("[\ud800-\udfff]", listed):  # names of files that are not in UTF-8
                listed = json.dumps(list(value))
            array = np.frombuffer(listed.encode(), dtype=np.uint8)
        else:
            array = np.asarray(value, dtype=np.int64)
        parts[name] = Part(array.dtype.name, array.shape, [array])
    # The format wants numbers aligned to their width: the widest first.
    order = sorted(parts, key=lambda name: (-np.dtype(parts[name].dtype).itemsize, name))
    layout, start = {"__metadata__": header}, 0
    for name in order:
        dtype, shape = parts[name].dtype, parts[name].shape
        stop = start + np.dtype(dtype).itemsize * math.prod(shape)
        layout[name] = {"dtype": _CODES[dtype], "shape": list(shape), "data_offsets": [start, stop]}
        start = stop
    described = json.dumps(layout, ensure_ascii=False).encode()
    described += b" " * (-len(described) % 8)
    if len(described) > _MOST_HEADER:
        raise InputError(f"metadata must have less than {_MOST_HEADER:,} bytes; got {len(described):,}")

    def write(temporary: Path) -> None:
        head = len(described).to_bytes(8, "little") + described
        digest = hashlib.sha256(head)
        with open(temporary, "wb") as file:
            file.write(head)
            for name in order:
                for piece in parts[name].pieces():
                    digest.update(piece)
                    file.write(piece)
            if file.tell() != 8 + len(described) + start:
                raise InputError(f"{path}: the blocks do not add up to the announced shape")
            file.seek(head.index(_ZEROS.encode()))  # known only now, as the blocks need not fit into memory
            file.write(digest.hexdigest().encode())

    return write_atomically(path, write)


def check_name(path: str | os.PathLike) -> None:
    """Raise where ``path`` ends like a file of another kind, which nothing would then read as gapkit's."""
    if (path := as_path(path, "the file to write")).suffix.lower() in FOREIGN:
        raise InputError(f"cannot write {path}: gapkit writes safetensors; name it {path.stem}.safetensors")


def has_hash(path: str | os.PathLike) -> bool:
    """Whether a file that can be read carries a hash of its bytes."""
    return _stated_hash(Path(path)) is not None


def check_hash(path: str | os.PathLike) -> None:
    """Compare a file's bytes with the hash it carries, if it carries one.

    Raises
    ------
    InputError
        If they differ.
    """
    if (stated := _stated_hash(Path(path))) is not None and stated != _hash_of(Path(path)):
        raise InputError(f"{path} is damaged: its bytes are not those that were written; make it again")


def _stated_hash(path: Path) -> str | None:
    with open_safetensors(path, "np") as file:
        return (file.metadata() or {}).get(_HASH)


def _hash_of(path: Path) -> str:
    with open(path, "rb") as file:
        head = file.read(8)
        head += file.read(int.from_bytes(head, "little"))
        start = head.find(f'"{_HASH}": "'.encode()) + len(_HASH) + 5
        digest = hashlib.sha256(head[:start] + _ZEROS.encode() + head[start + len(_ZEROS) :])
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@functools.lru_cache(maxsize=1024)
def _check_once(path: Path, size: int, changed: int) -> None:
    check_hash(path)


def read_fields(path: str | os.PathLike, *, memory_map: bool = False) -> dict:
    """The arguments of the `EmbeddingSet` that a file holds; see its ``load``.

    Raises
    ------
    InputError
        If the file is missing, truncated, damaged, of a newer format, or not gapkit's.
    """
    path = Path(path)
    facts, tensors = _read(path)
    _check_once(path.resolve(), (state := path.stat()).st_size, state.st_mtime_ns)
    fields = {name: tensors.pop(name) for name in MATRICES}
    mapped = memory_map and all(fields[name].dtype in (torch.float32, torch.float64) for name in MATRICES)
    for name in MATRICES:
        if not fields[name].dtype.is_floating_point or fields[name].dtype.itemsize == 1:
            raise InputError(f"{path} is damaged: {name} is of {str(fields[name].dtype)[6:]}")
    for name in () if mapped else MATRICES:
        wide = torch.promote_types(fields[name].dtype, torch.float32)
        matrix = fields[name].to(wide).clone()  # nothing may hang on the file any longer
        fields[name] = normalise_rows(_named(matrix, name, path)) if facts["normalised"] else matrix
    for name, tensor in tensors.items():
        fields[name] = _strings(tensor, name, path) if name in STRINGS else tensor.clone()
    return fields | {name: facts[name] for name in ("task", "normalised", "metadata")}


def _read(path: Path) -> tuple[dict, dict[str, torch.Tensor]]:
    """The facts in the header, and the known tensors, lazily mapped into memory."""
    if path.suffix.lower() in FOREIGN and path.is_file():
        raise InputError(f"{path} is not a gapkit file; {_how_to_import(path)}")
    with open_safetensors(path, "pt") as file:
        foreign = f"was not written by gapkit; {_how_to_import(path)}"
        how = {"key": "gapkit", "newest": FORMAT_VERSION, "kinds": _FACTS, "foreign": foreign}
        facts = read_facts(file.metadata(), path, **how)
        names = set(file.keys())
        if lacking := [name for name in MATRICES if name not in names]:
            raise InputError(f"{path} is damaged: it has no {lacking[0]}")
        return facts, {n: file.get_tensor(n) for n in (*MATRICES, *INDICES, *STRINGS) if n in names}


def _how_to_import(path: Path) -> str:
    out = path.with_suffix(".safetensors")
    out = out.with_stem(f"{out.stem}-imported") if out == path else out
    return f"bring it in with: gapkit import {shlex.quote(str(path))} --out {shlex.quote(out.name)}"


def _strings(tensor: torch.Tensor, name: str, path: Path) -> list[str]:
    with refusing(InputError, ValueError, before=f"{path} is damaged: {name} cannot be read (", after=")"):
        if tensor.dtype != torch.uint8 or tensor.ndim != 1:
            raise ValueError(f"{tensor.dtype} of shape {tuple(tensor.shape)}")
        strings = parse_json(bytes(tensor.numpy()), "it")
        if not isinstance(strings, list) or not all(isinstance(text, str) for text in strings):
            raise ValueError("no list of strings")
        return strings


def _named(matrix: torch.Tensor, name: str, path: Path) -> torch.Tensor:
    """``matrix``; raises in the file's name if its rows do not have length 1 but for rounding."""
    if matrix.ndim != 2 or 0 in matrix.shape or not torch.isfinite(matrix).all():
        raise InputError(f"{path} is damaged: {name} has shape {tuple(matrix.shape)} or is not finite")
    if (torch.linalg.vector_norm(matrix, dim=1) == 0).any():
        raise InputError(f"{path} is damaged: {name} is said to be normalised and has a zero row")
    with refusing(InputError, before=f"{path} is said to be normalised, but "):
        check_unit_rows(matrix, name)  # more than rounding: what the header says is wrong
    return matrix
