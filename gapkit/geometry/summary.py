"""Everything cheap about a pair of modalities in one dictionary: in memory with intervals, or in one pass over files.

`measure` takes what fits into memory. `measure_stream` takes millions of pairs, block by block: blocks small enough for the
processor's cache are read once and used for every sum; sums of a block are taken in float32 where the data are float32, and
added up in float64. NaN and infinity need no look of their own: they survive into the sums.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gapkit._arrays import (
    LARGEST,
    SMALLEST,
    ArrayInput,
    ArrayLike,
    as_matrix,
    check_finite,
    check_pairs,
    check_scale,
    like,
)
from gapkit.errors import InputError
from gapkit.geometry.bootstrap import RESAMPLES, Interval, bootstrap_interval
from gapkit.geometry.gap import rmg_from_cosines, two_sets, unit_rows
from gapkit.geometry.shape import cone_from_moments, rank_entropy

CACHED_ROWS = 512
PRODUCT_ROWS = 8192


def _one_side(z: Tensor, gap: Tensor, side: str) -> dict[str, float]:
    unit, centred = unit_rows(z, side), z - z.mean(0)
    variance = centred.square().sum()
    length = torch.linalg.vector_norm(gap)
    along = (centred @ gap / length).square().sum()
    known = bool(length > 0) and bool(variance > 0)
    return {
        f"mean_cosine_{side}": cone_from_moments(len(z), unit.sum(0), None).mean_cosine,
        f"relative_variance_{side}": float(along / (variance / z.shape[1])) if known else float("nan"),
        f"total_variance_{side}": float(variance / max(len(z) - 1, 1)),
    }


def _cheap(x: Tensor, y: Tensor, paired: bool) -> dict[str, float]:
    gap = y.mean(0) - x.mean(0)
    values = {"l2m": float(torch.linalg.vector_norm(gap))}
    values |= _one_side(x, gap, "gallery") | _one_side(y, gap, "queries")
    if paired:
        matched = float((unit_rows(x, "x") * unit_rows(y, "y")).sum(1).mean())
        distances = torch.linalg.vector_norm(x - y, dim=1)
        values["l2i"] = float(distances.mean())
        values["alignment"] = float(distances.square().mean())
        values["matched_cosine"] = matched
        values["rmg"] = rmg_from_cosines(
            matched, values["mean_cosine_gallery"], values["mean_cosine_queries"]
        )
    return values


def measure(
    x: ArrayInput,
    y: ArrayInput,
    *,
    paired: bool = True,
    intervals: bool = False,
    groups: ArrayInput | None = None,
    together: ArrayInput | None = None,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict:
    """Every cheap measure of the gap between a gallery and its queries.

    Parameters
    ----------
    x : (n, d) array-like, the gallery (texts)
    y : (m, d) array-like, the queries (images)
    paired : row i of ``x`` is the partner of row i of ``y``; if not, the measures of pairs are left out
    intervals : give an `Interval` (basic bootstrap over rows) instead of each number, but where a sample has none
    groups : (m,) array-like, optional; the gallery row that is right for each query of a list of classes. Then queries
        are drawn within classes, and the gallery, which nobody sampled, stays as it is
    together : (m,) array-like, optional; pairs of one value are drawn together, such as an image that is repeated for
        each of its captions
    resamples, confidence, seed : of that bootstrap

    Returns
    -------
    dict
        ``n_gallery``, ``n_queries``, ``dimension`` (always plain numbers), and

        - ``l2m``: ‖μ_y − μ_x‖, the length of the gap vector
        - ``relative_variance_gallery`` and ``…_queries``: variance along the gap, 1 = as isotropic
        - ``mean_cosine_gallery`` and ``…_queries``: mean cosine of two different rows
        - ``total_variance_gallery`` and ``…_queries``: trace of the covariance
        - ``effective_rank_gallery`` and ``…_queries``: without interval (resampled rows repeat, which lowers a rank)
        - for pairs: ``l2i``, ``alignment``, ``matched_cosine``, ``rmg``

    Raises
    ------
    InputError
        For one row, zero rows, or sets that do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 8))
    >>> round(measure(x, x + 1.0)["l2m"] / 8**0.5, 6)
    1.0
    """
    first, second = two_sets(x, y, paired=paired)
    if min(len(first), len(second)) < 2:
        raise InputError("measure needs at least two rows on each side")
    values = _cheap(first, second, paired)
    result: dict = {"n_gallery": len(first), "n_queries": len(second), "dimension": first.shape[1]}
    if intervals:
        result |= _with_intervals(
            values,
            first,
            second,
            paired,
            groups,
            together=together,
            resamples=resamples,
            confidence=confidence,
            seed=seed,
        )
    else:
        result |= values
    for side, z in (("gallery", first), ("queries", second)):
        result[f"effective_rank_{side}"] = rank_entropy(torch.linalg.svdvals(z - z.mean(0)))
    return result


def _with_intervals(
    values: dict[str, float], x: Tensor, y: Tensor, paired: bool, groups, **options
) -> dict[str, float | Interval]:
    """The same values with their intervals; the value alone where a sample has none (the same row throughout)."""
    classes = groups is not None and not paired  # a list of classes is given, not sampled

    def statistic(*sides: Tensor) -> list[float]:
        return list(_cheap(*((x, *sides) if classes else sides), paired).values())

    intervals = bootstrap_interval(
        *((y,) if classes else (x, y)),
        statistic=statistic,
        paired=paired or classes,
        groups=groups,
        method="basic",
        least=[-1.0 if "cosine" in name else 0.0 for name in values],
        **options,
    )
    each = (Interval(*map(float, three)) for three in zip(*intervals, strict=True))
    return {
        name: interval if np.isfinite(interval).all() else interval.value
        for name, interval in zip(values, each, strict=True)
    }


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


class _Sums(NamedTuple):
    """What a block of pairs adds: everything but the products is cheap and read from the cache."""

    totals: np.ndarray  # (4, d): Σx, Σx/‖x‖, Σy, Σy/‖y‖
    numbers: np.ndarray  # (5,): Σ‖x‖², Σ‖y‖², Σ‖x−y‖, Σ‖x−y‖², Σcos(x, y)


def _cheap_sums(x: np.ndarray, y: np.ndarray) -> _Sums:
    """Sums over a block, a few cached rows at a time. numpy: small blocks stay cheap.

    Vectors times matrix and row by row products are the cheapest ways that BLAS has for these sums.
    """
    totals, numbers = np.zeros((4, x.shape[1])), np.zeros(5)
    ones = np.ones(CACHED_ROWS, dtype=x.dtype)
    difference = np.empty((CACHED_ROWS, x.shape[1]), dtype=x.dtype)
    with np.errstate(all="ignore"):  # what is not finite shows in the sums
        for start in range(0, len(x), CACHED_ROWS):
            a, b = x[start : start + CACHED_ROWS], y[start : start + CACHED_ROWS]
            n = len(a)
            squares = [np.vecdot(z, z) for z in (a, b)]
            lengths = [np.sqrt(square) for square in squares]
            for side, z in enumerate((a, b)):
                totals[2 * side] += ones[:n] @ z
                totals[2 * side + 1] += (1 / lengths[side]) @ z
                numbers[side] += squares[side].sum(dtype=np.float64)
            apart = np.subtract(a, b, out=difference[:n])
            apart = np.vecdot(apart, apart)
            numbers[2] += np.sqrt(apart).sum(dtype=np.float64)
            numbers[3] += apart.sum(dtype=np.float64)
            cosines = np.vecdot(a, b) / (lengths[0] * lengths[1])
            numbers[4] += cosines.sum(dtype=np.float64)
    return _Sums(totals, numbers)


def _stream(
    x: Float[Tensor, "n d"], y: Float[Tensor, "n d"], covariance: bool, dtype: torch.dtype
) -> tuple[_Sums, list[np.ndarray], list[np.ndarray]]:
    """The sums, and, on request, Σ(z−c)(z−c)ᵀ of either side with the centre c that it was taken about."""
    d = x.shape[1]
    sums = _Sums(np.zeros((4, d)), np.zeros(5))
    # Centred near the mean, the products are of the size of the covariance and float32 keeps its digits.
    centres = [z[:PRODUCT_ROWS].to("cpu", dtype).mean(0).numpy() for z in (x, y)] if covariance else []
    products = [np.zeros((d, d)) for _ in centres]
    near = torch.empty(PRODUCT_ROWS, d, dtype=dtype) if covariance else None
    workers = torch.get_num_threads()
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(x), PRODUCT_ROWS):
            block = [z[start : start + PRODUCT_ROWS].to("cpu", dtype).numpy() for z in (x, y)]
            parts = [np.array_split(z, workers) for z in block]
            for part in pool.map(_cheap_sums, *parts):
                sums = _Sums(sums.totals + part.totals, sums.numbers + part.numbers)
            for z, centre, product in zip(block, centres, products, strict=False):
                moved = near[: len(z)]
                with np.errstate(all="ignore"):  # what is not finite shows in the sums
                    np.subtract(z, centre, out=moved.numpy())
                product += (moved.T @ moved).numpy()
    return sums, products, centres


def _explain(z: Float[Tensor, "n d"], name: str) -> None:
    """Raise if ``z`` has an entry that is not finite, a zero row, or is too small or large to be squared in float64."""
    for start in range(0, len(z), PRODUCT_ROWS):
        block = z[start : start + PRODUCT_ROWS]
        check_finite(block, f"{name}, rows {start} onwards,")
        if not block.any(1).all():
            raise InputError(f"{name} must have no zero row (a cosine needs a direction)")
    check_scale(z, name)


def _out_of_range(sums: _Sums, products: list[np.ndarray], entries: int, single: bool) -> bool:
    """Whether squares were not finite, or so small that they have lost digits."""
    if not all(np.isfinite(part).all() for part in (*sums, *products)):
        return True
    low, high = (1e-30, np.inf) if single else (SMALLEST**2, LARGEST**2)
    return not all(low <= square <= high for square in sums.numbers[:2] / entries)


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
    n = len(first)
    if n < 2:
        raise InputError("measure_stream needs at least two pairs")
    single = all(z.dtype in (torch.float16, torch.bfloat16, torch.float32) for z in (first, second))
    sums, products, centres = _stream(first, second, covariance, torch.float32 if single else torch.float64)
    if _out_of_range(sums, products, n * first.shape[1], single):
        _explain(first, "x (the gallery)")
        _explain(second, "y (the queries)")
        sums, products, centres = _stream(
            first, second, covariance, torch.float64
        )  # too large or too small to square in float32
    means = [sums.totals[row] / n for row in (0, 2)]
    matrices: list = [None, None]
    if covariance:
        off = [mean - centre for mean, centre in zip(means, centres, strict=True)]
        matrices = [(p - n * np.outer(o, o)) / (n - 1) for p, o in zip(products, off, strict=True)]
    values = _values(sums, n)
    if covariance:
        with np.errstate(invalid="ignore", divide="ignore"):  # no gap or no spread: NaN
            values |= _of_covariances(means[1] - means[0], matrices)
    return Streamed(
        values, *(None if v is None else like(torch.from_numpy(v), x, y) for v in (*means, *matrices))
    )


def _values(sums: _Sums, n: int) -> dict:
    gap = (sums.totals[2] - sums.totals[0]) / n
    values = {"n_gallery": n, "n_queries": n, "dimension": len(gap), "l2m": float(np.linalg.norm(gap))}
    for side, name in enumerate(("gallery", "queries")):
        total, directions = torch.from_numpy(sums.totals[2 * side : 2 * side + 2])
        values[f"mean_cosine_{name}"] = cone_from_moments(n, directions, None).mean_cosine
        spread = float(sums.numbers[side]) - float(total @ total) / n
        values[f"total_variance_{name}"] = max(spread, 0.0) / (n - 1)
    values["l2i"], values["alignment"], values["matched_cosine"] = (float(v) / n for v in sums.numbers[2:])
    values["rmg"] = rmg_from_cosines(
        values["matched_cosine"], values["mean_cosine_gallery"], values["mean_cosine_queries"]
    )
    return values


def _of_covariances(gap: np.ndarray, matrices: list[np.ndarray]) -> dict:
    unit = gap / np.linalg.norm(gap)
    values = {}
    for name, matrix in zip(("gallery", "queries"), matrices, strict=True):
        values[f"relative_variance_{name}"] = float(unit @ matrix @ unit / (matrix.trace() / len(gap)))
        values[f"effective_rank_{name}"] = rank_entropy(
            torch.linalg.eigvalsh(torch.from_numpy(matrix)).clamp(min=0).sqrt()
        )
    return values
