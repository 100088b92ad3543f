r"""Small galleries from one set of pairs: how many retrieval questions of K candidates a set can ask.

A set of N pairs as *one* gallery asks how 500 captions compete in 512 dimensions, where little is left to move. Cut at
random into ⌊N/K⌋ disjoint galleries of K candidates each, with their partners as the queries, it asks what the paper's
experiments ask (10 or 100 classes, 4 options), and its blocks are independent: they give an interval.

Many galleries of one size are arrays of shape (G, K, d), with queries of shape (G, m, d): gallery i is asked by
queries i alone.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gapkit._arrays import LARGEST, ArrayInput, ArrayLike, as_matrix, as_tensor, check_scale, like
from gapkit._options import Number, check_choice, check_number, check_room, check_seed, check_whole
from gapkit.errors import InputError
from gapkit.geometry.bootstrap import Interval, both_tails
from gapkit.geometry.galleries import METRICS
from gapkit.geometry.neighbours import stacked_costs_and_answers
from gapkit.robustness.api import robustness
from gapkit.robustness.calibration import solve_sigma
from gapkit.robustness.exact import dot, euclidean

SIZES = (10, 30, 100)
"""Numbers of candidates that are asked for where nothing else is said."""
LEAST_BLOCKS = 5
"""Fewer disjoint galleries give no interval worth having."""


def unrepeated_rows(gallery: ArrayInput, *, tolerance: float = 1e-6) -> ArrayLike:
    """Indices of the rows that repeat no earlier row.

    Two pairs whose gallery rows are the same are one candidate twice: neither answer is right or wrong.

    Parameters
    ----------
    gallery : (n, d) array-like
    tolerance : rows this close are the same

    Returns
    -------
    (m,) int64, ascending

    Examples
    --------
    >>> unrepeated_rows([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    array([0, 1])
    """
    x = as_matrix(gallery, "gallery")
    tolerance = check_number(tolerance, "tolerance", least=0.0)
    close = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist") <= tolerance  # (n, n)
    first = close.to(torch.uint8).argmax(1)  # of all rows like this one, the first
    return like((first == torch.arange(len(x), device=x.device)).nonzero()[:, 0], gallery)


def cut_galleries(count: int, size: int, *, partitions: int = 10, seed: int = 0) -> Int[Tensor, "p b k"]:
    """Random partitions of ``count`` pairs into disjoint galleries of ``size``; what is left over is left out.

    Parameters
    ----------
    count : N pairs
    size : K pairs in a gallery, at least 2
    partitions : how often all pairs are cut anew, P
    seed : of the cuts

    Returns
    -------
    (P, ⌊N/K⌋, K) int64, rows of the set

    Raises
    ------
    InputError
        If there would be fewer than 5 disjoint galleries.

    Examples
    --------
    >>> cut_galleries(20, 4, partitions=3).shape
    torch.Size([3, 5, 4])
    """
    count, size = check_whole(count, "count"), check_whole(size, "size", least=0)
    partitions = check_whole(partitions, "partitions")
    check_room("partitions × pairs", partitions, count)
    blocks = count // size if size > 1 else 0
    if blocks < LEAST_BLOCKS:
        pairs = max(size, 2) * LEAST_BLOCKS
        raise InputError(f"{LEAST_BLOCKS} disjoint galleries of {size} need {pairs} pairs; got {count}")
    generator = torch.Generator().manual_seed(check_seed(seed))
    cuts = [torch.randperm(count, generator=generator)[: blocks * size] for _ in range(partitions)]
    return torch.stack(cuts).view(partitions, blocks, size)


def nearest_in_galleries(
    queries: ArrayInput, galleries: ArrayInput, *, metric: str = "euclidean"
) -> ArrayLike:
    """The answer of every query among the candidates of its own gallery; ties go to the first.

    Parameters
    ----------
    queries : (G, m, d) array-like
    galleries : (G, K, d) array-like
    metric : "euclidean", "dot" or "cosine"

    Returns
    -------
    (G, m) int64

    Examples
    --------
    >>> nearest_in_galleries([[[0.9]], [[0.9]]], [[[0.0], [1.0]], [[1.0], [0.0]]])
    array([[1],
           [0]])
    """
    y, x = _stacks(queries, galleries)
    check_choice(metric, "metric", METRICS)
    return like(stacked_costs_and_answers(y, x, metric)[1], queries, galleries)


def robustness_in_galleries(
    queries: ArrayInput, galleries: ArrayInput, sigma: Number, *, metric: str = "euclidean"
) -> ArrayLike:
    """Exact robustness of every query among the candidates of its own gallery, under noise on the gallery.

    The same numbers as `gapkit.robustness` for each gallery alone, hundreds of galleries at once.

    Parameters
    ----------
    queries : (G, m, d) array-like
    galleries : (G, K, d) array-like
    sigma : standard deviation of the noise per coordinate, > 0
    metric : "euclidean", "dot" or "cosine"

    Returns
    -------
    (G, m) float64

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.random.default_rng(0).standard_normal((2, 3, 4, 50))
    >>> both = robustness_in_galleries(y, x, 0.5)
    >>> bool(np.abs(both[1] - robustness(y[1], x[1], 0.5)).max() < 1e-7)
    True
    """
    y, x = _stacks(queries, galleries)
    sigma = check_number(sigma, "sigma", above=0.0, most=LARGEST)
    check_choice(metric, "metric", METRICS)
    return like(_robustness(y, x, sigma, metric), queries, galleries)


def squares_in_galleries(queries, galleries) -> ArrayLike:
    """(G, m, K) squared distances of every query from the candidates of its own gallery; arguments as above."""
    y, x = _stacks(queries, galleries)
    return like(_costs_and_answers(y, x, "euclidean")[0], queries, galleries)


def _robustness(
    y: Float[Tensor, "g m d"],
    x: Float[Tensor, "g k d"],
    sigma: float,
    metric: str,
    known: tuple[Tensor, Tensor] | None = None,
) -> Float[Tensor, "g m"]:
    groups, asked, d = y.shape
    if metric == "cosine":  # the integral shares tables among candidates of one length: gallery by gallery
        return torch.stack([robustness(a, b, sigma, metric=metric) for a, b in zip(y, x, strict=True)])
    costs, answers = known or _costs_and_answers(y, x, metric)
    costs, answers = costs.flatten(0, 1), answers.flatten()  # (g·m, K): no query sees another's candidates
    if metric == "dot":
        margins = (costs - costs.gather(1, answers[:, None])).clamp_min_(0)
        spread = sigma * torch.linalg.vector_norm(y, dim=2).flatten()
        return dot(margins, answers, spread).view(groups, asked)
    return euclidean(costs, answers, sigma, d).view(groups, asked)


def calibrate_in_galleries(
    queries: ArrayInput, galleries: ArrayInput, target: float, *, metric: str = "euclidean"
) -> float:
    """The one σ at which the mean robustness over all queries of all galleries is ``target``.

    Parameters
    ----------
    queries : (G, m, d) array-like
    galleries : (G, K, d) array-like, untouched
    target : in (0, 1)
    metric : "euclidean", "dot" or "cosine"

    Raises
    ------
    InputError
        If no σ leaves that share of the answers.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.random.default_rng(0).standard_normal((2, 3, 4, 50))
    >>> sigma = calibrate_in_galleries(y, x, 0.7)
    >>> float(robustness_in_galleries(y, x, sigma).mean().round(4))
    0.7
    """
    y, x = _stacks(queries, galleries)
    target = check_number(target, "target", above=0.0)
    check_choice(metric, "metric", METRICS)
    # Once: the noise does not change them.
    known = None if metric == "cosine" else _costs_and_answers(y, x, metric)

    spread = math.sqrt(float(x.var(dim=1, correction=0).sum(1).mean()) / x.shape[2])
    start = spread or 1.0

    def mean_robustness(sigma: float) -> float:
        return float(_robustness(y, x, sigma, metric, known).mean())

    return solve_sigma(mean_robustness, target, low=start, high=start, factor=math.e, tolerance=1e-5)


def block_interval(values: ArrayInput, *, confidence: float = 0.95) -> Interval:
    r"""Mean over all blocks of all partitions, with a t interval over the blocks of one.

    .. math:: \mathrm{SE}^2 = \frac1P \sum_p \frac{\operatorname{Var}_b(v_{pb})}{B}

    with B − 1 degrees of freedom: partitions of one set share its pairs, so that many of them make the mean steadier
    but count as no more data. (Resampling rows or blocks covers in 56 to 71 % of the cases only.)

    Parameters
    ----------
    values : (P, B) array-like, one number a gallery
    confidence : of the interval

    Examples
    --------
    >>> value, low, high = block_interval([[0.1, 0.2, 0.3], [0.2, 0.2, 0.2]])
    >>> round(value, 3), round(low, 3), round(high, 3)
    (0.2, 0.024, 0.376)
    """
    v = as_matrix(values, "values", shape="(P, B)")
    blocks = v.shape[1]
    if blocks < 2:
        raise InputError(f"values must have at least two blocks in a partition; got {blocks}")
    error = math.sqrt(float(v.var(dim=1, correction=1).mean()) / blocks)
    from scipy.stats import t as student  # two seconds, which most who come here need not wait

    mean, width = float(v.mean()), float(student.ppf(both_tails(confidence)[1], blocks - 1)) * error
    return Interval(mean, mean - width, mean + width)


def _stacks(queries, galleries) -> tuple[Float[Tensor, "g m d"], Float[Tensor, "g k d"]]:
    y, x = as_tensor(queries, "queries"), as_tensor(galleries, "galleries")
    for stack, name in ((y, "queries"), (x, "galleries")):
        if stack.ndim != 3 or 0 in stack.shape:
            raise InputError(f"{name} must have shape (galleries, rows, d); got {tuple(stack.shape)}")
        check_scale(stack, name)
    if len(y) != len(x) or y.shape[2] != x.shape[2]:
        shapes = f"got {tuple(y.shape)} and {tuple(x.shape)}"
        raise InputError(f"queries and galleries must belong together; {shapes}")
    if x.shape[1] < 2:
        raise InputError("galleries need at least two candidates each; got one")
    return y, x.to(y.device)


def _costs_and_answers(
    y: Float[Tensor, "g m d"], x: Float[Tensor, "g k d"], metric: str
) -> tuple[Float[Tensor, "g m k"], Int[Tensor, "g m"]]:
    """What the nearest candidate has least of, the squared distance or minus the product, and the nearest."""
    costs, answers = stacked_costs_and_answers(y, x, metric)
    if metric == "euclidean":
        of_query = (y - x.mean(1, keepdim=True)).square().sum(2)[:, :, None]
        costs = (costs + of_query).clamp_min_(0)
    return costs, answers
