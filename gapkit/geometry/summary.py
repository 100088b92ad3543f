"""Everything cheap about a pair of modalities in one dictionary, with intervals, for what fits into memory."""

import numpy as np
import torch
from torch import Tensor

from gapkit._arrays import ArrayInput, unit_rows
from gapkit.errors import InputError
from gapkit.geometry.bootstrap import RESAMPLES, Interval, bootstrap_interval
from gapkit.geometry.gap import gap_of, rmg_from_cosines, two_sets
from gapkit.geometry.shape import alike, cone_from_moments, rank_entropy


def _one_side(z: Tensor, gap: Tensor, side: str) -> dict[str, float]:
    unit, centred = unit_rows(z, side), z - z.mean(0)
    variance = centred.square().sum()
    length = torch.linalg.vector_norm(gap)
    along = (centred @ gap / length).square().sum()
    known = bool(length > 0) and not alike(z, centred)
    return {
        f"mean_cosine_{side}": cone_from_moments(len(z), unit.sum(0), None).mean_cosine,
        f"relative_variance_{side}": float(along / (variance / z.shape[1])) if known else float("nan"),
        f"total_variance_{side}": float(variance / max(len(z) - 1, 1)),
    }


def _cheap(x: Tensor, y: Tensor, paired: bool) -> dict[str, float]:
    gap = gap_of(x, y)
    values = {"l2m": float(torch.linalg.vector_norm(gap))}
    values |= _one_side(x, gap, "gallery") | _one_side(y, gap, "queries")
    if paired:
        cosine = float((unit_rows(x, "x") * unit_rows(y, "y")).sum(1).mean())
        distances = torch.linalg.vector_norm(x - y, dim=1)
        values["l2i"] = float(distances.mean())
        values["alignment"] = float(distances.square().mean())
        values["matched_cosine"] = cosine
        values["rmg"] = rmg_from_cosines(cosine, values["mean_cosine_gallery"], values["mean_cosine_queries"])
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
    """Compute every cheap measure of the gap between a gallery and its queries.

    Parameters
    ----------
    x : (n, d) array-like, the gallery (texts)
    y : (m, d) array-like, the queries (images)
    paired : row i of ``x`` is the partner of row i of ``y``; if not, the measures of pairs are left out
    intervals : give an `Interval` (basic bootstrap over rows) instead of each number, but where a sample has none.
        Of few rows they are a little short: from 30 pairs, variances have 88 % for 95 (tools/coverage.py)
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
        - ``relative_variance_gallery`` and ``…_queries``: variance along the gap, 1 = as isotropic; NaN where there is
          no gap or no spread
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
        options = {"together": together, "resamples": resamples, "confidence": confidence, "seed": seed}
        values = _with_intervals(values, first, second, paired, groups, **options)
    result |= values
    for side, z in (("gallery", first), ("queries", second)):
        centred = z - z.mean(0)
        rank = float("nan") if alike(z, centred) else rank_entropy(torch.linalg.svdvals(centred))
        result[f"effective_rank_{side}"] = rank
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
    each = [Interval(*map(float, three)) for three in zip(*intervals, strict=True)]
    known = (interval if np.isfinite(interval).all() else interval.value for interval in each)
    return dict(zip(values, known, strict=True))
