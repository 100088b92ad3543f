"""The measures of millions of pairs in one pass over blocks that are small enough for the processor's cache.

What is added up is a `Sums`: of parts, of files, of machines. Sums of a block are taken in float32 where the data are
float32, and added up in float64. NaN and infinity need no look of their own: they survive into the sums.
"""

import functools
import operator
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from itertools import accumulate, pairwise
from math import ceil
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from gapkit._arrays import LARGEST, SMALLEST, ArrayInput, ArrayLike, as_matrix, check_pairs, check_scale, like
from gapkit.errors import InputError
from gapkit.geometry.bootstrap import Interval
from gapkit.geometry.gap import rmg_from_cosines
from gapkit.geometry.shape import FEW_ROUNDINGS, cone_from_moments, rank_entropy

BLOCK_ROWS, PRODUCT_ROWS, TURN_ROWS = 16_384, 8192, 65_536
"""Rows summed by a thread, multiplied at once; and after how many the products have their turn."""
CACHED, CONVERTED = 524_288, 32_768
"""Entries of a side that one call takes, few enough for the cache and so many that threads seldom wait for the interpreter;
and those that torch converts on one thread."""
UNIT, CLOSE = 8, 1 / 8
"""Squared lengths so many roundings from 1 are 1; squared distances below this share of ‖x‖² + ‖y‖² are taken again."""
Rows: TypeAlias = Any
"""A tensor, or what has its shape and dtype and gives a tensor for a slice of rows, and tensors side by side with ``pieces``."""


class Streamed(NamedTuple):
    """What one pass over pairs gives."""

    values: dict
    """Numbers under the names `measure` uses."""
    mean_gallery: ArrayLike
    """(d,) float64."""
    mean_queries: ArrayLike
    """(d,) float64."""
    covariance_gallery: ArrayLike | None
    """(d, d) float64, divided by n − 1; None unless asked for."""
    covariance_queries: ArrayLike | None
    """(d, d) float64, likewise."""


@dataclass(frozen=True)
class Sums:
    """What pairs of rows add up to. Those of a whole are the sum of its parts', however it was cut."""

    count: int
    totals: np.ndarray  # (4, d): Σx, Σx/‖x‖, Σy, Σy/‖y‖
    numbers: np.ndarray  # (5,): Σ‖x‖², Σ‖y‖², Σ‖x−y‖, Σ‖x−y‖², Σcos(x, y)
    least: np.ndarray  # (5,): the least of ‖x‖, ‖y‖, −‖x‖, −‖y‖, −ε of what they were summed in
    products: np.ndarray  # (2, d, d): Σ(z−c)(z−c)ᵀ of either side about a given c; or (0, d, d)

    def __add__(self, other: "Sums") -> "Sums":
        with np.errstate(invalid="ignore"):  # what is not finite shows in the sums
            sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        return Sums(**sums | {"least": np.minimum(self.least, other.least)})


def _few_at_a_time(z: Rows, block: slice, few: int, dtype: torch.dtype) -> Iterator[np.ndarray]:
    """Few rows after few: the same memory where the dtype is right; else converted, always into one place."""
    pieces = [piece.cpu() for piece in (z.pieces(block) if hasattr(z, "pieces") else [z[block]])]
    starts = [0, *accumulate(map(len, pieces))]
    right = all(piece.dtype == dtype for piece in pieces)
    if right:  # to be cut by numpy: at each of its calls torch lets other threads go first
        pieces = [piece.numpy() for piece in pieces]
    piece = max(1, CONVERTED // z.shape[1])  # too small for torch to start threads for it
    place = torch.empty(0 if right else few, z.shape[1], dtype=dtype)
    for rows in _slices(0, starts[-1], few):
        cut = [
            some[max(rows.start - start, 0) : rows.stop - start]
            for some, (start, stop) in zip(pieces, pairwise(starts), strict=True)
            if start < rows.stop and stop > rows.start
        ]
        if right:
            yield cut[0] if len(cut) == 1 else np.concatenate(cut)
            continue
        targets = place[: rows.stop - rows.start].split([len(some) for some in cut])
        for target, some in zip(targets, cut, strict=True):
            for to, part in zip(target.split(piece), some.split(piece), strict=True):
                to.copy_(part)
        yield place[: rows.stop - rows.start].numpy()


def _block_sums(x: Rows, y: Rows, block: slice, dtype: torch.dtype) -> Sums:
    """Sums over a block, without products, a few cached rows at a time.

    Vectors times matrix and row by row products are the cheapest ways that BLAS has for these sums.
    """
    n, d, kind = block.stop - block.start, x.shape[1], np.dtype(str(dtype)[6:])
    few = min(n, max(1, CACHED // d))
    every, ones = _slices(0, n, few), np.ones(few, kind)
    squares = np.empty((3, n), kind)  # ‖x‖², ‖y‖², x·y
    totals = np.empty((4, len(every), d), kind)
    low, high = 1 - UNIT * np.finfo(kind).eps, 1 + UNIT * np.finfo(kind).eps
    with np.errstate(all="ignore"):  # what is not finite shows in the sums
        read = (_few_at_a_time(z, block, few, dtype) for z in (x, y))
        for i, (rows, *pair) in enumerate(zip(every, *read, strict=True)):
            np.vecdot(pair[0], pair[0], out=squares[0, rows])
            np.vecdot(*pair, out=squares[2, rows])
            np.vecdot(pair[1], pair[1], out=squares[1, rows])
            for side in (1, 0):  # what was read last first
                np.matmul(ones[: len(pair[side])], pair[side], out=totals[2 * side, i])
            totals[1::2, i] = totals[::2, i]
            both = squares[:2, rows]
            if not (low <= both.min() and both.max() <= high):  # so where there is a NaN
                for side, z in enumerate(pair):
                    totals[2 * side + 1, i] = (1 / np.sqrt(both[side])) @ z
        lengths = np.sqrt(squares[:2])
        both = squares[0] + squares[1]
        apart = both - 2 * squares[2]  # ‖x − y‖², unless x and y are so close that it cancels
        close = np.flatnonzero(apart < CLOSE * both)
        for rows in np.split(close, range(few, len(close), few)) if len(close) else ():
            difference = np.subtract(*(z[block][rows].to("cpu", dtype).numpy() for z in (x, y)))
            apart[rows] = np.vecdot(difference, difference)
        each = (*squares[:2], np.sqrt(apart), apart, squares[2] / (lengths[0] * lengths[1]))
        numbers = np.array([entries.sum(dtype=np.float64) for entries in each])
    least = np.concatenate([lengths.min(1), -lengths.max(1), [-np.finfo(kind).eps]], dtype=np.float64)
    return Sums(n, totals.sum(1, dtype=np.float64), numbers, least, np.zeros((0, d, d)))


def _slices(first: int, last: int, rows: int) -> list[slice]:
    return [slice(start, min(start + rows, last)) for start in range(first, last, rows)]


def centres_of(x: Rows, y: Rows) -> np.ndarray:
    """(2, d) means of first rows. About them products are of the size of the covariance, and float32 keeps its digits."""
    return np.stack([z[:PRODUCT_ROWS].to("cpu", torch.float64).mean(0).numpy() for z in (x, y)])


def _stream(x: Rows, y: Rows, centres: np.ndarray | None, threads: int, dtype: torch.dtype) -> Sums:
    n, d = x.shape
    products = np.zeros((0 if centres is None else 2, d, d))
    total = Sums(0, np.zeros((4, d)), np.zeros(5), np.full(5, np.inf), products[:0])
    with ThreadPoolExecutor(threads) as pool:
        each = pool.map if threads > 1 else map  # starting a thread takes as long as a block
        for turn in _slices(0, n, TURN_ROWS):
            rows = turn.stop - turn.start
            even = 2 * ceil(rows / (2 * BLOCK_ROWS))  # blocks, for two threads
            blocks = _slices(turn.start, turn.stop, ceil(rows / even))
            for part in each(lambda block: _block_sums(x, y, block, dtype), blocks):
                total += part
            for z, product, centre in zip((x, y), products, () if centres is None else centres, strict=False):
                for rows in _slices(turn.start, turn.stop, PRODUCT_ROWS):
                    near = z[rows].to("cpu", dtype) - torch.from_numpy(centre).to(dtype)
                    product += (near.T @ near).numpy()
    return replace(total, products=products)


def pair_sums(x: Rows, y: Rows, *, centres: np.ndarray | None = None, threads: int | None = None) -> Sums:
    """The sums over all pairs of rows, in one pass; the same, however many threads do it.

    Parameters
    ----------
    x, y : (n, d) tensors of floats, or what has a shape, a dtype and gives a tensor for a slice of rows
    centres : (2, d) float64, optional; about which to take the products
    threads : as many as torch may use, when left out

    Raises
    ------
    InputError
        If something is not finite, or a row is zero.
    """
    single = all(z.dtype in (torch.float16, torch.bfloat16, torch.float32) for z in (x, y))
    threads = threads or torch.get_num_threads()
    sums = _stream(x, y, centres, threads, torch.float32 if single else torch.float64)
    # Squares that are not finite, or so small that they have lost digits?
    low, high = (1e-15, 1e18) if single else (SMALLEST, LARGEST)
    low, high = (end * x.shape[1] ** 0.5 for end in (low, high))
    finite = all(np.isfinite(part).all() for part in (sums.totals, sums.numbers, sums.products))
    if finite and low <= sums.least[:2].min() and -sums.least[2:4].min() <= high:
        return sums
    for z, name in ((x, "x (the gallery)"), (y, "y (the queries)")):
        _explain(z, name)
    if not single:
        raise InputError("x and y must have rows whose squares float64 can hold; divide each by its length")
    return _stream(x, y, centres, threads, torch.float64)


def _explain(z: Rows, name: str) -> None:
    """Raise if an entry is not finite, a row is zero, or all are too small or large to be squared in float64."""
    row_name = getattr(z, "row_name", lambda row: f"{name}, row {row},")
    ends = []
    for rows in _slices(0, len(z), PRODUCT_ROWS):
        block = z[rows]
        for good, must in (
            (block.isfinite().all(1), "be finite; it holds NaN or infinity"),
            (block.any(1), "not be zero; there must be no zero row (a cosine needs a direction)"),
        ):
            if not good.all():
                raise InputError(f"{row_name(rows.start + int(good.int().argmin()))} must {must}")
        ends += torch.aminmax(block)
    check_scale(torch.stack(ends), name)


def add_in_a_tree(arriving: Iterable[tuple[int, Sums]], count: int) -> Sums:
    """All of ``count`` sums, that come with their positions in any order, added in pairs: always the same pairs.

    In order, no more than one of each level waits for its neighbour.
    """
    waiting: dict[tuple[int, int], Sums] = {}
    for position, part in arriving:
        level, width = 0, count
        while width > 1:
            if position ^ 1 < width:  # it has a neighbour
                if (level, position ^ 1) not in waiting:
                    waiting[level, position] = part
                    break
                other = waiting.pop((level, position ^ 1))
                part = other + part if position % 2 else part + other
            level, position, width = level + 1, position // 2, (width + 1) // 2
        else:
            return part
    raise InputError("nothing to add up")


def finish(sums: Sums, centres: np.ndarray | None = None) -> Streamed:
    """The measures that sums give, and, where they have products about ``centres``, what needs covariances."""
    n, means, matrices = sums.count, sums.totals[::2] / sums.count, [None, None]
    values = _values(sums)
    if centres is not None:
        matrices = [
            (product - n * np.outer(off, off)) / (n - 1)
            for product, off in zip(sums.products, means - centres, strict=True)
        ]
        gap, rounding = means[1] - means[0], _rounding(sums) * (sums.numbers[:2] / n) ** 0.5
        if np.linalg.norm(gap) <= rounding.max():
            gap = np.zeros_like(gap)  # equal means, but for rounding
        for matrix in (m for m, of in zip(matrices, rounding, strict=True) if m.trace() <= of**2):
            matrix[:] = 0.0  # equal rows, but for rounding
        with np.errstate(invalid="ignore", divide="ignore"):  # no gap or no spread: NaN
            values |= _of_covariances(gap, matrices)
    return Streamed(values, *means, *matrices)


def jackknife(parts: Sequence[Sums]) -> dict[str, Interval]:
    """Measures with 95 % intervals, from the sums of g parts of about the same size, which are taken for independent.

    Each is left out in turn: θ ± t s with s² = (g − 1)/g Σ(θ₋ᵢ − mean θ₋)² and Student's t of g − 1 degrees of freedom
    (Tukey 1958), so that pairs that resemble each other within a part widen the interval.
    """
    from scipy.stats import t

    g, total = len(parts), functools.reduce(operator.add, parts)
    adds = ("count", "totals", "numbers")
    left = [replace(total, **{a: getattr(total, a) - getattr(part, a) for a in adds}) for part in parts]
    each, factor = [_values(sums) for sums in left], float(t.ppf(0.975, g - 1)) * (g - 1) ** 0.5
    values, intervals = _values(total), {}
    for name in (name for name, value in values.items() if isinstance(value, float)):
        half = factor * float(np.std([other[name] for other in each]))
        intervals[name] = Interval(values[name], values[name] - half, values[name] + half)
    return intervals


def measure_stream(x: ArrayInput, y: ArrayInput, *, covariance: bool = False) -> Streamed:
    """Measure the gap of millions of pairs in one pass, for example over memory-mapped files.

    Beside the mapped data it needs about 100 MB at d = 512, however many rows there are. float32 data give
    values right to about 1e-6 (relative to the embeddings' length); float64 data are summed in float64.

    Parameters
    ----------
    x, y : (n, d) numpy arrays (a `numpy.memmap` is fine) or torch tensors, the gallery and the queries; row i of
        one is the partner of row i of the other, n ≥ 2
    covariance : also compute both covariance matrices, and what needs them: the relative variances
        along the gap and the effective ranks. Costs two (d, n) @ (n, d) products

    Returns
    -------
    Streamed

    Raises
    ------
    InputError
        If the sets do not fit together, something is not finite, or a row is zero.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((5000, 8)).astype(np.float32)
    >>> round(measure_stream(x, x + np.float32(1)).values["l2m"], 4)
    2.8284
    """
    first = as_matrix(x, "x (the gallery)", dtype=None, finite=False)
    second = as_matrix(y, "y (the queries)", dtype=None, finite=False)
    check_pairs(first, "x (the gallery)", second, "y (the queries)")
    if len(first) < 2:
        raise InputError("measure_stream needs at least two pairs")
    centres = centres_of(first, second) if covariance else None
    with threadpool_limits(1, user_api="blas"):  # whose threads would stand in the way of ours
        streamed = finish(pair_sums(first, second, centres=centres), centres)
    rest = (None if v is None else like(torch.from_numpy(v), x, y) for v in streamed[1:])
    return Streamed(streamed.values, *rest)


def _values(sums: Sums) -> dict:
    n = sums.count
    gap = (sums.totals[2] - sums.totals[0]) / n
    values = {"n_gallery": n, "n_queries": n, "dimension": len(gap), "l2m": float(np.linalg.norm(gap))}
    for side, name in enumerate(("gallery", "queries")):
        total, directions = torch.from_numpy(sums.totals[2 * side : 2 * side + 2])
        values[f"mean_cosine_{name}"] = cone_from_moments(n, directions, None).mean_cosine
        spread = float(sums.numbers[side]) - float(total @ total) / n
        values[f"total_variance_{name}"] = max(spread, 0.0) / max(n - 1, 1)
    values["l2i"], values["alignment"], values["matched_cosine"] = (float(v) / n for v in sums.numbers[2:])
    cosines = (values[name] for name in ("matched_cosine", "mean_cosine_gallery", "mean_cosine_queries"))
    values["rmg"] = rmg_from_cosines(*cosines, rounding=_rounding(sums))
    return values


def _rounding(sums: Sums) -> float:
    """`FEW_ROUNDINGS` of the precision that rows were summed in."""
    return FEW_ROUNDINGS * float(-sums.least[4] / np.finfo(float).eps)


def _of_covariances(gap: np.ndarray, matrices: list[np.ndarray]) -> dict:
    unit = gap / np.linalg.norm(gap)
    values = {}
    for name, matrix in zip(("gallery", "queries"), matrices, strict=True):
        along, squares = unit @ matrix @ unit, np.linalg.eigvalsh(matrix)
        values[f"relative_variance_{name}"] = float(max(along, 0.0) / (matrix.trace() / len(gap)))
        # What products leave of a variance of zero, as often below 0 as above: its roots would be many directions.
        squares[squares <= max(-2 * squares[0], FEW_ROUNDINGS / 8 * squares[-1])] = 0.0
        values[f"effective_rank_{name}"] = rank_entropy(torch.from_numpy(squares).sqrt())
    return values
