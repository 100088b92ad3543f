"""Millions of embeddings in many files, as clip-retrieval writes them: ``img_emb/img_emb_0.npy``, ``img_emb_1.npy``, …

The files of a side are one matrix of rows; where they are cut need not be where the other side's are. Memory is that
of a block. What is added up depends on the number of rows alone: not on the files, and not on who adds it up.
"""

import contextlib
import functools
import glob
import re
import threading
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from gapkit._files import check_regular, file_state, open_safetensors
from gapkit.embeddings.columns import listed, pick
from gapkit.embeddings.tables import read_table
from gapkit.engine import run
from gapkit.errors import InputError
from gapkit.geometry.streaming import Sums, add_in_a_tree, centres_of, finish, jackknife, pair_sums
from gapkit.tasks.answers import INDICES

PARTS = 64
"""Tasks, and what the jackknife leaves out in turn."""
_ONE_OPENS = threading.Lock()  # what torch would warn of is ignored while a file is opened
ENDINGS = (".npy", ".safetensors")
LEFT_OUT = "right answers and robustness, which need every row at once (bring a sample with gapkit import)"


class MeasuredFiles(NamedTuple):
    """What one pass over many files gives."""

    values: dict
    """Numbers, or intervals, under the names `gapkit.geometry.measure` uses."""
    notes: list[str]
    """What was read, and what is left out."""


@dataclass(frozen=True)
class Side:
    """The files of one side: where each begins among all rows, and its size and time when they were first looked at."""

    name: str
    paths: tuple[Path, ...]
    starts: tuple[int, ...]  # one more than there are files: the last is the number of rows
    states: tuple[tuple[int, ...], ...]
    width: int
    dtype: torch.dtype

    def __str__(self) -> str:
        files = f"{len(self.paths):,} files" if len(self.paths) > 1 else self.paths[0].name
        return f"{self.name}: {files}, {self.starts[-1]:,} × {self.width}, {str(self.dtype)[6:]}"

    def check(self, files: Iterable[int]) -> None:
        """Raise if one of the files is not as it was."""
        for number in files:
            check_regular(path := self.paths[number])
            if file_state(path)[:2] != self.states[number]:
                raise InputError(f"{path} has changed meanwhile, or is another here; measure again")


class _Range:
    """The rows first … last of a side, as `gapkit.geometry.streaming` reads them: mapped, a slice at a time."""

    def __init__(self, side: Side, first: int, last: int) -> None:
        self.side, self.first, self.dtype = side, first, side.dtype
        self.shape = last - first, side.width
        self.files = [i for i, (a, b) in enumerate(pairwise(side.starts)) if a < last and b > first]
        side.check(self.files)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Tensor:
        pieces = self.pieces(rows)
        return pieces[0] if len(pieces) == 1 else torch.cat([piece.to(self.dtype) for piece in pieces])

    def pieces(self, rows: slice) -> list[Tensor]:
        """The rows, as far as each file has them: nothing is copied."""
        first, last = (self.first + end for end in rows.indices(len(self))[:2])
        pieces, starts = [], self.side.starts
        for i in range(bisect_right(starts, first) - 1, bisect_left(starts, last)):
            with _ONE_OPENS:
                part = _opened(self.side.paths[i], self.side.name, self.side.states[i])
            pieces.append(part[max(first - starts[i], 0) : last - starts[i]])
        return pieces

    def row_name(self, row: int) -> str:
        i = next(i for i in reversed(self.files) if self.side.starts[i] <= self.first + row)
        return f"{self.side.paths[i]}, row {self.first + row - self.side.starts[i]},"


def measure_files(
    images: Sequence[str],
    texts: Sequence[str],
    *,
    covariances: bool = False,
    intervals: bool = False,
    processes: int = 1,
    cluster: Any = None,
) -> MeasuredFiles:
    """Measure the gap of pairs in many files, in one pass.

    Parameters
    ----------
    images, texts : files, folders, or patterns with ``*``, of ``.npy`` or ``.safetensors`` files of floats. Those of a folder
        or pattern are taken by their numbers, 2 before 10; row i of all images is the partner of row i of all texts
    covariances : also what needs the covariances, in two products of matrices
    intervals : give an `Interval` (jackknife over 64 parts of consecutive rows) instead of each number that has one
    processes, cluster : who measures, as in `gapkit.engine.run`; workers of a cluster must see the files

    Raises
    ------
    InputError
        If a file is missing from its numbers, cannot be read, is no matrix of floats, has changed meanwhile or holds what
        is not finite; or if the sides do not fit.
    """
    sides = [_side(_find(given, name), name) for name, given in (("texts", texts), ("images", images))]
    _check_fit(*sides)
    n = sides[0].starts[-1]
    centres = centres_of(*(_Range(side, 0, n) for side in sides)) if covariances else None
    ends = [n * part // min(PARTS, n) for part in range(min(PARTS, n) + 1)]
    tasks = [(sides, first, last, centres) for first, last in pairwise(ends)]
    parts: dict[int, Sums] = {}

    def arriving():
        # Products of matrices have threads of their own; of BLAS one each, more would stand in their way.
        here = processes < 2 and cluster is None and not covariances and torch.get_num_threads() > 1
        done = _in_threads(tasks) if here else run(_sums_of, tasks, processes=processes, cluster=cluster)
        with threadpool_limits(1, user_api="blas"), contextlib.closing(done):
            for position, sums in done:
                parts[position] = replace(sums, products=sums.products[:0])
                yield position, sums

    try:
        with contextlib.closing(arriving()) as sums:  # at once, where it is interrupted
            total = add_in_a_tree(sums, len(tasks))
    finally:
        _opened.cache_clear()  # Windows deletes no open file
    values = finish(total, centres).values
    notes = [str(side) for side in reversed(sides)]
    if intervals:
        values |= jackknife([parts[position] for position in sorted(parts)])
        notes.append(f"intervals: 95 %, jackknife over {len(tasks)} parts of consecutive rows")
    for side, low, high in zip(sides, total.least[:2], -total.least[2:4], strict=True):
        if max(abs(low - 1), abs(high - 1)) > 1e-5:
            notes.append(f"rows of the {side.name} have lengths of {low:.4g} to {high:.4g}, and keep them")
    if not covariances:
        notes.append("left out: variance along the gap and effective ranks (--covariances gives them)")
    return MeasuredFiles(values, [*notes, f"left out: {LEFT_OUT}"])


def _in_threads(tasks: list[tuple]) -> Iterator[tuple[int, Sums]]:
    """As `run`, on all threads that torch may use; who stops asking lets none begin any more."""
    pool = ThreadPoolExecutor(torch.get_num_threads())
    try:
        yield from enumerate(pool.map(functools.partial(_sums_of, threads=1), tasks))
    finally:
        pool.shutdown(cancel_futures=True)


def _sums_of(task: tuple, threads: int | None = None) -> Sums:
    sides, first, last, centres = task
    ranges = [_Range(side, first, last) for side in sides]
    sums = pair_sums(*ranges, centres=centres, threads=threads)
    for side, rows in zip(sides, ranges, strict=True):
        side.check(rows.files)
    return sums


def _find(given: Sequence[str], name: str) -> list[Path]:
    """The files that are meant, in their order."""
    found: list[Path] = []
    for item in given:
        path = Path(item)
        if path.is_file():
            found.append(path)
            continue
        inside = path.iterdir() if path.is_dir() else map(Path, glob.glob(item, recursive=True))
        files = [f for f in inside if f.suffix.lower() in ENDINGS and f.is_file() and f.name[0] != "."]
        if not files:
            raise InputError(f"--{name} {item}: no {' or '.join(ENDINGS)} file is there")
        found += _by_number(files, f"--{name} {item}", name)
    if len({path.resolve() for path in found}) < len(found):
        raise InputError(f"--{name}: a file is named twice")
    return found


def _by_number(files: list[Path], where: str, name: str) -> list[Path]:
    """Sorted by the numbers in their names; raises if one is missing, or they are files of several kinds."""
    kinds = sorted({re.sub(r"\d+", "#", str(path)) for path in files})
    if len(kinds) > 1:
        if not any(re.search(r"\d", path.name) for path in files):
            return sorted(files)
        shown = listed(Path(kind).name for kind in kinds)
        raise InputError(f"{where} has files of several kinds, {shown}; say which: 'img_emb_*.npy'")
    numbered = {tuple(map(int, re.findall(r"\d+", str(path)))): path for path in files}
    if len(numbered) < len(files):
        raise InputError(f"{where} has two files of the same number")
    order = sorted(numbered)
    varying = [column for column in zip(*order, strict=True) if len(set(column)) > 1]
    each = [column for column in varying if len({*column}) == len(order)]  # each of them alone is an order
    if len({tuple(sorted(range(len(order)), key=column.__getitem__)) for column in each}) > 1:
        counting = [column for column in each if max(column) - min(column) == len(order) - 1]
        if len(counting) != 1:
            two = f"{numbered[order[0]].name}, {numbered[order[1]].name}"
            raise InputError(f"{where}: which of the numbers in {two} is the order? Name each with --{name}")
        order = [numbers for _, numbers in sorted(zip(counting[0], order, strict=True))]
        varying = counting
    if len(varying) == 1:
        for before, after in pairwise(varying[0]):
            if after > before + 1:
                raise InputError(f"{where}: number {before + 1} is missing between {before} and {after}")
    return [numbered[numbers] for numbers in order]


def _side(paths: list[Path], name: str) -> Side:
    states = tuple(file_state(path)[:2] for path in paths)
    # No two of them open at once.
    found = [(*m.shape, m.dtype) for m in (_open(path, name) for path in paths)]
    counts, widths, dtypes = zip(*found, strict=True)
    for path, width in zip(paths, widths, strict=True):
        if width != widths[0]:
            raise InputError(f"{path} has {width} columns, {paths[0]} has {widths[0]}; they must be alike")
    starts, widest = tuple(accumulate(counts, initial=0)), functools.reduce(torch.promote_types, dtypes)
    return Side(name, tuple(map(Path.absolute, paths)), starts, states, widths[0], widest)


def _check_fit(*sides: Side) -> None:
    (text, image), (k, n) = (side.paths for side in sides), (side.starts[-1] for side in sides)
    if sides[0].width != sides[1].width:
        widths = f"images have {sides[1].width}, texts {sides[0].width}"
        raise InputError(f"both sides must have the same dimension; {widths} (are they of one model?)")
    if n != k or n < 2:
        got = f"{n:,} rows in {len(image):,} files and {k:,} in {len(text):,}"
        raise InputError(f"images and texts must be matched row by row, two at least; got {got}")
    first = [re.findall(r"\d+", paths[0].stem)[-1:] for paths in (image, text) if len(paths) > 1]
    if len(first) == 2 and all(first) and int(first[0][0]) != int(first[1][0]):
        raise InputError(f"both must begin with one number; {image[0].name} and {text[0].name} come first")
    if twice := [p.name for p in sorted({*image} & {*text}) if p.suffix.lower() == ".npy"]:
        raise InputError(f"{listed(twice)} cannot be on both sides")


@functools.lru_cache(maxsize=16)
def _opened(path: Path, side: str, state: tuple[int, ...]) -> Tensor:
    """Mapped once for tasks that follow each other: each new map is filled page by page."""
    return _open(path, side)


def _open(path: Path, side: str) -> Tensor:
    """The matrix of a file, mapped into memory."""
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{path} ends in neither {' nor '.join(ENDINGS)}; bring it with gapkit import")
    if path.suffix.lower() == ".npy":
        array = read_table(path, (side,)).matrices[side]
        if not isinstance(array, np.memmap) or not array.flags.c_contiguous or not array.dtype.isnative:
            raise InputError(f"{path} must hold one array, by rows, in the machine's order of bytes")
        if array.dtype not in (np.float16, np.float32, np.float64):
            raise _no_matrix(path, array)
        with warnings.catch_warnings():  # torch warns of read-only memory; we never write
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            matrix = torch.from_numpy(array)
    else:
        with open_safetensors(path, "pt") as file:
            if "gapkit_format" in (file.metadata() or {}) and {*INDICES} & {*file.keys()}:
                raise InputError(f"{path} says which text is whose, not row by row: gapkit measure reads it")
            names = [key for key in file.keys() if len(file.get_slice(key).get_shape()) == 2]  # noqa: SIM118
            matrix = file.get_tensor(pick(names, side, None, path, alone=True))
    kind, shape = matrix.dtype, matrix.shape
    if not kind.is_floating_point or kind.itemsize == 1 or len(shape) != 2 or 0 in shape:
        raise _no_matrix(path, matrix)
    return matrix


def _no_matrix(path: Path, array: Tensor | np.ndarray) -> InputError:
    got = f"{str(array.dtype).removeprefix('torch.')} of shape {tuple(array.shape)}"
    return InputError(f"{path} must hold a matrix (n, d) of float16, float32 or float64; got {got}")
