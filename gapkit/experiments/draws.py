"""Answers under drawn noise, by the protocol: noise on the untouched gallery, then the fitted shift."""

import numpy as np
from scipy.spatial.distance import cdist

from gapkit.closing import Closer
from gapkit.experiments.subject import Task
from gapkit.geometry import nearest

FEWEST, MOST, ALTOGETHER = 4, 40, 2000
"""Draws for each query whose clean answer is wrong: fewer where there are many such queries."""


def noisy_answers(
    task: Task, closer: Closer, alphas, sigma: float, *, draws: int, seed: int
) -> dict[float, np.ndarray]:
    """α -> (draws, m) answers to galleries with noise, each draw shared by all queries and all α.

    With x' a noisy row, ``‖x' + αg' − y‖² = ‖x' − y‖² + 2α g'·x' + const(y, α)``: one matrix of distances
    serves every α.
    """
    rng = np.random.default_rng([seed, 0])
    answers = {alpha: np.empty((draws, len(task.queries)), dtype=np.int64) for alpha in alphas}
    for draw in range(draws):
        noisy = task.gallery + sigma * rng.standard_normal(task.gallery.shape)
        costs = (noisy * noisy).sum(1) - 2 * task.queries @ noisy.T
        tilt = 2 * noisy @ closer.shift_
        for alpha in alphas:
            answers[alpha][draw] = (costs + alpha * tilt).argmin(1)
    return answers


def compare_with_exact(noisy: dict, clean: np.ndarray, exact: np.ndarray) -> float:
    """Difference of drawn and exact mean robustness of the untouched gallery, in standard errors."""
    kept = (noisy[0.0] == clean).mean(1)  # one mean for each draw: queries of one draw share its noise
    error = kept.std(ddof=1) / len(kept) ** 0.5
    difference = abs(float(kept.mean() - exact.mean()))
    return difference / error if error > 0 else (0.0 if difference < 1e-4 else float("inf"))


def right_after_noise(
    queries, gallery, labels, survives, sigma: float, *, metric: str = "euclidean", seed: int = 0
) -> np.ndarray:
    """(m,) probability that the answer to a noisy gallery is the right one.

    Where the clean answer is right this is its robustness, which is exact. For the other queries, often few, the costs of
    all rows are drawn: for one query they are independent, and each takes three numbers of known distribution (along the
    query or the difference, across it, and the rest) instead of a whole noisy row.

    Parameters
    ----------
    queries, gallery : (m, d) and (K, d), moved if they are
    labels : (m,) right rows
    survives : (m,) robustness of the clean answers
    sigma : standard deviation of the noise on the gallery, per coordinate
    metric : "euclidean", "dot" or "cosine"
    seed : of the draws
    """
    labels = np.asarray(labels)
    wrong = np.flatnonzero(nearest(queries, gallery, metric=metric) != labels)
    result = np.asarray(survives, dtype=float).copy()
    if metric == "euclidean":
        squares = cdist(queries[wrong], gallery, "sqeuclidean")
        result[wrong] = drawn_right(squares, labels[wrong], sigma, gallery.shape[1], seed=seed)
        return result
    lengths = np.linalg.norm(queries[wrong], axis=1, keepdims=True)
    scores = queries[wrong] @ gallery.T
    if metric == "cosine":
        scores, lengths = scores / lengths, np.ones_like(lengths)
    across = np.sqrt(np.clip((gallery**2).sum(1) - scores**2, 0, None))
    rng, d = np.random.default_rng([seed, 4]), gallery.shape[1]
    hits, draws = np.zeros(len(wrong)), _draws(len(wrong))
    for _ in range(draws):
        drawn = scores + sigma * lengths * rng.standard_normal(scores.shape)
        if metric == "cosine":
            beside = across + sigma * rng.standard_normal(scores.shape)
            rest = sigma**2 * rng.chisquare(max(d - 2, 1e-9), scores.shape)
            drawn /= np.sqrt(drawn**2 + beside**2 + rest)
        hits += drawn.argmax(1) == labels[wrong]
    result[wrong] = hits / draws
    return result


def drawn_right(
    squares: np.ndarray, labels: np.ndarray, sigma: float, dimension: int, *, seed: int = 0
) -> np.ndarray:
    """(m,) share of draws in which the right row is the nearest, from (m, K) clean squared distances.

    ``‖x + ε − y‖² = (‖x − y‖ + σz)² + σ²χ²`` with z standard normal and χ² of d − 1 degrees of freedom.
    """
    apart = np.sqrt(squares)
    rng = np.random.default_rng([seed, 4])
    hits, draws = np.zeros(len(apart)), _draws(len(apart))
    for _ in range(draws):
        noisy = (apart + sigma * rng.standard_normal(apart.shape)) ** 2
        noisy += sigma**2 * rng.chisquare(max(dimension - 1, 1e-9), apart.shape)
        hits += noisy.argmin(1) == labels
    return hits / draws


def _draws(queries: int) -> int:
    return int(np.clip(ALTOGETHER // max(queries, 1), FEWEST, MOST))
