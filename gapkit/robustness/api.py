"""`robustness`: the checks, and which of the methods answers which question."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from gapkit._arrays import ArrayInput, ArrayLike, as_matrix, like
from gapkit._options import LARGEST_SEED, Number, Seed, check_choice, check_whole, one_line
from gapkit.errors import InputError
from gapkit.geometry.galleries import METRICS, queries_and_gallery
from gapkit.perturbations import GaussianNoise
from gapkit.perturbations.base import as_generator
from gapkit.robustness.exact import Solvable, error_bound, exact_values, nearest_bounds, solvable
from gapkit.robustness.monte_carlo import monte_carlo, not_sampled
from gapkit.robustness.query_noise import quasi_monte_carlo, query_bounds
from gapkit.robustness.saddlepoint import saddlepoint

SIDES = ("gallery", "queries")
METHODS = ("auto", "exact", "saddlepoint", "quasi-monte-carlo", "monte-carlo")
_TAKES = {
    "exact": "noise on the gallery, under euclidean and cosine alike in all directions in which it varies",
    "saddlepoint": "noise on the gallery under Euclidean distance",
    "quasi-monte-carlo": "noise on the queries, among at least 2 candidates",
}
"""What a method takes, if not everything."""
ERROR_BOUND = 1e-5
"""Absolute error of an exact value, as stated for K < 10,000 and σ ≥ 1e-9 of the embeddings' length; `error_bound` is
that of one problem. Measured: up to 8e-6 at d = 128, 1e-6 from d = 512, 1e-7 below 128."""
MEMORY = 2**28


@dataclass(frozen=True)
class RobustnessInfo:
    """How a robustness was computed.

    Attributes
    ----------
    method : "exact", "saddlepoint", "quasi-monte-carlo" or "monte-carlo"
    answers : (m,) int64, the clean nearest neighbours
    mean, mean_std_error : mean over the queries, and its standard error (0 if exact), which accounts for shared draws
    error_bound : absolute error of each value beyond its standard error; where exact, the sum of the closed-form tail's
        (8.2e-6 at d = 128, 1e-6 at 512, none below 128 or for other metrics), the dropped candidates' (up to 1e-10 each),
        the quadrature's and the rounding's (two units in the last place of the two longest lengths together, over σ);
        NaN for the saddlepoint, which has no bound
    draws : perturbations drawn, 0 if exact
    """

    method: str
    answers: ArrayLike
    mean: float
    mean_std_error: float
    error_bound: float
    draws: int


def robustness(
    queries: ArrayInput,
    gallery: ArrayInput | None,
    sigma: ArrayInput | None = None,
    *,
    neighbours: tuple[ArrayInput, Number] | None = None,
    covariance: ArrayInput | None = None,
    perturbation: Any = None,
    metric: str = "euclidean",
    noise_on: str = "gallery",
    method: str = "auto",
    draws: Number = 1000,
    shared: bool = True,
    transform: Any = None,
    generator: Seed = None,
    return_std_error: bool = False,
    return_info: bool = False,
    memory_limit: Number = MEMORY,
) -> Any:
    r"""The probability that each query keeps its nearest neighbour when the gallery (or the query) is perturbed.

    .. math:: \mathrm{Rob}(y) = P_\varepsilon\bigl[\mathrm{NN}(y, X) = \mathrm{NN}(y, X + \varepsilon)\bigr]
        \qquad \text{(Eq. 10, for one query)}

    To keep an answer is not to be right: report accuracy beside it. Which metric, and which side is perturbed, decide
    what a closed gap can gain, so both are arguments.

    Gaussian noise on the gallery is integrated exactly: one integral per query, no sampling. Everything else is
    sampled, and says how well.

    Parameters
    ----------
    queries : (m, d) array-like
    gallery : (K, d) array-like, or None where ``neighbours`` are given
    neighbours : ((m, k) array-like, K), optional
        In place of a gallery what an index such as FAISS returns of its K rows: each query's k least *squared* distances,
        or under the dot product its k largest scores. The result is then a lower and an upper bound: as if all other
        rows were as near as the k-th, and as if none of them mattered. They meet where k is K.
    sigma : float or (d,) array-like
        Standard deviation of Gaussian noise *per coordinate* (its length is about σ√d), one or one for each.
    covariance : (d, d) array-like
        Covariance of Gaussian noise. Noise σ that enters a gallery *before* a linear map A has σ² A Aᵀ after it.
    perturbation : object with ``apply(embeddings, generator=...)``
        Any other, such as those of `gapkit.perturbations`. Give exactly one of the three.
    metric : "euclidean", "dot" or "cosine"
    noise_on : "gallery" or "queries"
    method : "auto", "exact", "saddlepoint", "quasi-monte-carlo" or "monte-carlo"
        Exact holds for Gaussian noise on the gallery (Euclidean and cosine: isotropic, or isotropic in a subspace
        outside which the gallery does not vary; dot: any); quasi-Monte Carlo for Gaussian noise on the queries;
        Monte Carlo always. "auto" takes the first of these that holds. The saddlepoint approximates Euclidean distances
        under Gaussian noise of any covariance on the gallery, without draws; measured against drawn and exact
        values its error was below 1e-5 from d = 128 on for isotropic noise, and below 0.005 for means under steep covariances.
    draws : number of perturbations drawn (quasi-Monte Carlo: of points)
    shared : Monte Carlo on the gallery: one perturbed gallery for all queries of a draw, or one for each query
    transform : callable, (K, d) to (K, d')
        What happens to the gallery after it is perturbed, such as a fitted closer's ``transform`` (where it takes an
        argument ``perturbed``, it is told which rows are); the
        clean answers are those of ``transform(gallery)``. Sampled.
    generator : torch.Generator, int seed or None (seed 0)
    return_std_error : also return (m,) standard errors (0 where exact)
    return_info : also return a `RobustnessInfo`
    memory_limit : bytes that the computation may take besides its input, at least enough for one query

    Returns
    -------
    (m,) float64, of the kind that came in (two of them, lower and upper bounds, for ``neighbours``); with ``return_std_error`` or ``return_info`` a tuple of it and those

    Raises
    ------
    InputError
        If the input does not fit together, or the method does not hold for the question.

    Notes
    -----
    Ties (duplicates in the gallery) go to the lowest index. Noise of any size breaks them: one of two
    duplicates keeps its answer with probability 1/2, and with 1 at σ = 0.

    Exact values have an absolute error below 1e-5 for fewer than 10,000 candidates and a σ of at least 1e-9 of the
    embeddings' length; beyond, `RobustnessInfo.error_bound` says how much it is. Galleries of 10,000 rows and more are read
    in blocks, so that a memory map or half precision stays what it is; most products are then in float32, and it takes
    about as long as their distances in float64 (see `gapkit.geometry.galleries`). Quasi-Monte Carlo's standard errors come from 16
    independent scramblings: a 95% interval is the value ± 2.13 of them (Student's t, 15 degrees of freedom).

    References
    ----------
    Chowers, Naparstek, Barzelay, Weiss, *Is the Modality Gap a Bug or a Feature?*, CVPR 2026, Eq. 10. The exact integrals:
    derived in `gapkit.robustness.exact`, `exact_euclidean` and `exact_cosine`; `gapkit.robustness.reference` computes them with
    scipy, on one page.

    Examples
    --------
    >>> texts = [[1.0, 0.0], [0.0, 1.0]]
    >>> robustness([[0.9, 0.1], [0.5, 0.5]], texts, sigma=0.3).round(4)
    array([0.9927, 0.5   ])
    >>> kept, std_error = robustness([[0.9, 0.1]], texts, sigma=0.3, method="monte-carlo", return_std_error=True)
    >>> bool(abs(kept - 0.9927) < 4 * std_error)
    True
    """
    noise = as_noise(sigma, covariance, perturbation)
    if neighbours is not None:
        y = as_matrix(queries, "queries", shape="(m, d)")
        sampled = noise_on != "gallery" or transform is not None or method not in ("auto", "exact")
        if gallery is not None or sampled or return_std_error or return_info:
            raise InputError("neighbours go with gallery=None and no noise_on, transform, method or return_…")
        bounds = _from_neighbours(y, neighbours, noise, metric)
        return tuple(like(bound, queries, neighbours[0]) for bound in bounds)
    y, x = queries_and_gallery(queries, gallery, metric)
    check_choice(noise_on, "noise_on", SIDES)
    check_choice(method, "method", METHODS)
    if transform is not None and not callable(transform):
        raise InputError(f"transform must be callable, such as a closer's transform; got {transform!r}")
    draws = check_whole(draws, "draws")
    memory = check_whole(memory_limit, "memory_limit", most=LARGEST_SEED)

    chosen, problem = _choose(y, x, noise, metric, noise_on, method, transform)
    bound, generator = 0.0, as_generator(generator)
    options = {"metric": metric, "draws": draws, "generator": generator, "memory": memory}
    if chosen == "exact":
        done = not_sampled(*exact_values(problem, metric, memory=memory))
        bound = error_bound(problem, metric) if return_info else 0.0
    elif chosen == "saddlepoint":
        done, bound = not_sampled(*saddlepoint(y, x.double(), noise)), math.nan
    elif chosen == "quasi-monte-carlo":
        done = quasi_monte_carlo(y, x.double(), noise, **options)
    else:
        options |= {"noise_on": noise_on, "shared": shared, "transform": transform}
        done = monte_carlo(y, x.double(), noise, **options)
    result = [like(done.values, queries, gallery)]
    if return_std_error:
        result.append(like(done.std_error, queries, gallery))
    if return_info:
        answers, mean = like(done.answers, queries, gallery), float(done.values.mean())
        result.append(RobustnessInfo(chosen, answers, mean, done.mean_std_error, bound, done.draws))
    return result[0] if len(result) == 1 else tuple(result)


def _from_neighbours(
    y: Float[Tensor, "m d"], neighbours: Any, noise: Any, metric: str
) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
    sigma = noise.isotropic if isinstance(noise, GaussianNoise) else None
    if sigma is None or check_choice(metric, "metric", METRICS) == "cosine":
        raise InputError("neighbours take one sigma and euclidean or dot; for cosines pass the gallery")
    if not isinstance(neighbours, tuple) or len(neighbours) != 2:
        raise InputError(f"neighbours must be ((m, k) distances or scores, K); got {one_line(neighbours)}")
    nearest = as_matrix(neighbours[0], "neighbours", shape="(m, k)").to(y.device)
    candidates = check_whole(neighbours[1], "the gallery's size", most=LARGEST_SEED)
    if len(nearest) != len(y) or candidates < nearest.shape[1]:
        least = f"{len(y)} queries among at least {nearest.shape[1]} rows"
        raise InputError(f"neighbours must be of {least}; got {len(nearest)} among {candidates}")
    if metric == "euclidean":
        if (nearest < -1e-5 * nearest.max()).any():  # an index in float32 may round below 0
            raise InputError(f"neighbours must be squared distances; got {float(nearest.min())!r}")
        nearest = nearest.clamp_min(0)
    return nearest_bounds(y, nearest, candidates, sigma, metric)


def _choose(
    y: Float[Tensor, "m d"],
    x: Float[Tensor, "k d"],
    noise,
    metric: str,
    noise_on: str,
    method: str,
    transform: Callable | None,
) -> tuple[str, Solvable | None]:
    """The method that is used, and for "exact" the problem it is used on."""
    gaussian = isinstance(noise, GaussianNoise) and transform is None
    gallery, queries = (gaussian and noise_on == side for side in SIDES)
    problem = solvable(y, x, noise, metric) if gallery and method in ("auto", "exact") else None
    holds = {
        "exact": problem is not None,
        "quasi-monte-carlo": queries and len(x) > 1,
        "monte-carlo": True,
        "saddlepoint": gallery and metric == "euclidean",
    }
    if method == "auto":
        method = next(name for name in holds if holds[name])
    if not holds[method]:
        needs = f"{method!r} takes Gaussian noise, no transform, and {_TAKES[method]}"
        raise InputError(f"method {needs}; use 'auto' or 'monte-carlo'")
    return method, problem


def as_noise(sigma: ArrayInput | None, covariance: ArrayInput | None, perturbation: Any) -> Any:
    """The one perturbation that the caller described."""
    ways = {"sigma": sigma, "covariance": covariance, "perturbation": perturbation}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) != 1:
        got = " and ".join(given) or "none"
        raise InputError(f"give exactly one of sigma, covariance and perturbation; got {got}")
    if perturbation is None:
        return GaussianNoise(sigma, covariance)
    if not callable(getattr(perturbation, "apply", None)):
        raise InputError(f"a perturbation needs a method apply; got {perturbation!r}")
    return perturbation


def robustness_bounds(
    queries: ArrayInput,
    gallery: ArrayInput,
    sigma: ArrayInput | None = None,
    *,
    covariance: ArrayInput | None = None,
    metric: str = "euclidean",
    memory_limit: Number = MEMORY,
) -> tuple[ArrayLike, ArrayLike]:
    r"""Lower and upper bounds of the robustness under Gaussian noise on the *queries*, without any draws.

    .. math:: 1 - \sum_j \Phi(-z_j) \le \mathrm{Rob} \le \min_j \Phi(z_j), \qquad \text{(derived)}

    with z_j the distance of the query from its boundary with candidate j, in standard deviations of the noise.

    Parameters
    ----------
    queries : (m, d) array-like
    gallery : (K, d) array-like
    sigma, covariance, metric, memory_limit : as in `gapkit.robustness`

    Returns
    -------
    lower, upper : (m,) float64, of the kind that came in

    Examples
    --------
    >>> lower, upper = robustness_bounds([[0.9, 0.1]], [[1.0, 0.0], [0.0, 1.0]], sigma=0.3)
    >>> lower.round(4), upper.round(4)          # two candidates: one hyperplane, and the bounds meet
    (array([0.9703]), array([0.9703]))
    """
    y, x = queries_and_gallery(queries, gallery, metric)
    memory = check_whole(memory_limit, "memory_limit", most=LARGEST_SEED)
    lower, upper = query_bounds(y, x.double(), as_noise(sigma, covariance, None), metric, memory)
    return like(lower, queries, gallery), like(upper, queries, gallery)
