"""The noise at which a given share of the answers survives."""

import functools
import math
from collections.abc import Callable

from scipy.optimize import brentq

from gapkit._arrays import ArrayInput
from gapkit._options import LARGEST_SEED, Number, check_number, check_whole
from gapkit.errors import InputError
from gapkit.geometry.galleries import Gallery, queries_and_gallery
from gapkit.perturbations import GaussianNoise
from gapkit.robustness.exact import exact_values, solvable

_SMALLEST, _LARGEST = 1e-9, 1e6


def calibrate_sigma(
    queries: ArrayInput,
    gallery: ArrayInput,
    target: Number,
    *,
    metric: str = "euclidean",
    tolerance: float = 1e-6,
    memory_limit: Number = 2**28,
) -> float:
    r"""The σ at which the mean exact robustness under noise on the gallery is ``target``.

    Noise levels so chosen make models comparable whose embeddings are spread differently. The mean robustness
    falls from 1 as σ grows (to about 1/K, what is left when only noise decides); the root is bracketed by doublings and
    then found by Brent's method on ln σ.

    Parameters
    ----------
    queries : (m, d) array-like
    gallery : (K, d) array-like
    target : in (0, 1), the mean robustness asked for
    metric : "euclidean", "dot" or "cosine"
    tolerance : of ln σ
    memory_limit : bytes, as in `gapkit.robustness`

    Returns
    -------
    float, the standard deviation per coordinate

    Raises
    ------
    InputError
        If no σ gives the target: it is below what pure noise leaves, or duplicates keep robustness below it.

    Examples
    --------
    >>> round(calibrate_sigma([[0.9, 0.1]], [[1.0, 0.0], [0.0, 1.0]], 0.9), 4)
    0.4935
    """
    y, x = queries_and_gallery(queries, gallery, metric)
    target = check_number(target, "target", above=0.0)
    tolerance = check_number(tolerance, "tolerance", above=0.0)
    memory = check_whole(memory_limit, "memory_limit", most=LARGEST_SEED)
    if target >= 1:
        raise InputError(f"target must be below 1; got {target:g}")

    def mean_robustness(sigma: float) -> float:
        problem = solvable(y, x, GaussianNoise(sigma), metric)
        return float(exact_values(problem, metric, memory=memory)[0].mean())

    spread = float(Gallery.of(x, y, "dot").lengths.square().mean().sqrt()) / math.sqrt(x.shape[1])
    return solve_sigma(mean_robustness, target, low=spread or 1.0, high=spread or 1.0, tolerance=tolerance)


def solve_sigma(
    robustness_at: Callable[[float], float],
    target: float,
    *,
    low: float,
    high: float,
    factor: float = 4.0,
    tolerance: float = 1e-6,
) -> float:
    """The σ at which a mean robustness that falls with σ has come down to ``target``, however it is computed.

    Parameters
    ----------
    robustness_at : the mean robustness at a σ
    target : in (0, 1)
    low, high : where the search begins; they are moved apart by ``factor`` until the target lies between
    factor, tolerance : of σ, and of ln σ

    Raises
    ------
    InputError
        If no σ in reach gives the target.

    Examples
    --------
    >>> round(solve_sigma(lambda sigma: math.exp(-sigma), 0.5, low=1.0, high=1.0), 4)
    0.6931
    """

    @functools.cache  # the ends are asked for again
    def excess(log_sigma: float) -> float:
        return robustness_at(math.exp(log_sigma)) - target

    begin, end, step = math.log(low), math.log(high), math.log(factor)
    least, largest = begin + math.log(_SMALLEST), end + math.log(_LARGEST)
    while excess(begin) <= 0:
        begin -= step
        if begin < least:
            raise InputError(f"no noise is small enough to keep {target:g} of the answers (duplicates?)")
    while excess(end) >= 0:
        end += step
        if end > largest:
            raise InputError(f"no noise is large enough to leave only {target:g} of the answers")
    return math.exp(brentq(excess, begin, end, xtol=tolerance))
