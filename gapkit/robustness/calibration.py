"""The noise at which a given share of the answers survives."""

import math

from scipy.optimize import brentq

from gapkit._arrays import as_matrix, check_choice, check_number, check_same_width, check_whole
from gapkit.errors import InputError
from gapkit.geometry.neighbours import METRICS, prepare
from gapkit.perturbations import GaussianNoise
from gapkit.robustness.exact import exact_values
from gapkit.robustness.noise import solvable

_SMALLEST, _LARGEST = 1e-9, 1e6


def calibrate_sigma(
    queries, gallery, target, *, metric: str = "euclidean", tolerance: float = 1e-6, memory_limit=2**28
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
    y = as_matrix(queries, "queries", shape="(m, d)")
    x = as_matrix(gallery, "gallery", shape="(K, d)").to(y.device)
    check_same_width(y, "queries", x, "gallery")
    check_choice(metric, "metric", METRICS)
    target = check_number(target, "target", above=0.0)
    check_number(tolerance, "tolerance", above=0.0)
    memory = check_whole(memory_limit, "memory_limit")
    if target >= 1:
        raise InputError(f"target must be below 1; got {target:g}")

    def excess(log_sigma: float) -> float:
        problem = solvable(y, x, GaussianNoise(math.exp(log_sigma)), metric)
        return float(exact_values(problem, metric, memory=memory)[0].mean()) - target

    unit = float(prepare(x, x, "euclidean")[1].square().sum(1).mean().sqrt()) / math.sqrt(x.shape[1])
    start = math.log(unit if unit > 0 else 1.0)
    low = high = start
    while excess(low) <= 0:
        low -= math.log(4)
        if low < start + math.log(_SMALLEST):
            raise InputError(
                f"no noise is small enough to keep {target:g} of the answers (duplicates in the gallery?)"
            )
    while excess(high) >= 0:
        high += math.log(4)
        if high > start + math.log(_LARGEST):
            raise InputError(
                f"no noise is large enough to leave only {target:g} of the answers among {len(x)} candidates"
            )
    return math.exp(brentq(excess, low, high, xtol=tolerance))
