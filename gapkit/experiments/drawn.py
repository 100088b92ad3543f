"""What noise on the gallery leaves right, drawn: the answers that the exact integral does not know."""

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from gapkit.experiments.data import Task
from gapkit.geometry import nearest
from gapkit.tasks.galleries import nearest_in_galleries, squares_in_galleries

FEWEST_DRAWS, MOST_DRAWS, DRAWS_ALTOGETHER = 4, 40, 2000
"""Draws for each query whose clean answer is wrong: fewer where there are many such queries."""


def noisy_answers(
    task: Task, closer, alphas, sigma: float, *, draws: int, seed: int
) -> dict[float, np.ndarray]:
    """α -> (draws, m) answers to galleries with noise, each draw shared by all queries and all α.

    With x' a noisy row, ``‖x' + αg' − y‖² = ‖x' − y‖² + 2α g'·x' + const(y, α)``: one matrix of distances
    serves every α.
    """
    rng = np.random.default_rng([seed, 0])
    answers = {alpha: np.empty((draws, len(task.labels)), dtype=np.int64) for alpha in alphas}
    for draw in range(draws):
        noisy = task.gallery + sigma * rng.standard_normal(task.gallery.shape)
        lengths, tilt = (noisy * noisy).sum(-1), 2 * (noisy * closer.shift_).sum(-1)  # (K,) or (G, K)
        costs = lengths[..., None, :] - 2 * task.queries @ np.swapaxes(noisy, -1, -2)  # (m, K) or (G, m, K)
        for alpha in alphas:
            answers[alpha][draw] = (costs + alpha * tilt[..., None, :]).argmin(-1).ravel()
    return answers


def compare_with_exact(noisy: dict, clean: np.ndarray, exact: np.ndarray) -> float:
    """Difference of drawn and exact mean robustness of the untouched gallery, in standard errors.

    The error is estimated from few draws: the standard errors are those of a normal variable that is as unlikely as
    the t value.
    """
    kept = (noisy[0.0] == clean).mean(1)  # one mean for each draw: queries of one draw share its noise
    error = kept.std(ddof=1) / len(kept) ** 0.5
    difference = abs(float(kept.mean() - exact.mean()))
    if error == 0:
        return 0.0 if difference < 1e-4 else float("inf")
    return float(norm.isf(student.sf(difference / error, len(kept) - 1)))


def right_after_noise(
    queries, gallery, labels, survives, sigma: float, *, ids=None, metric: str = "euclidean", seed: int = 0
) -> np.ndarray:
    """(m,) probability that the answer to a noisy gallery is the right one.

    Where the clean answer is right this is its robustness, which is exact. For the other queries, often few, the costs of
    all rows are drawn: for one query they are independent, and each takes three numbers of known distribution (along the
    query or the difference, across it, and the rest) instead of a whole noisy row.

    Parameters
    ----------
    queries, gallery : (m, d) and (K, d), moved if they are
    labels : (m,) right rows; or, with ``ids``, what they are called there
    ids : (K,) what each row is called, where several are right: then every query is drawn
    survives : (m,) robustness of the clean answers
    sigma : standard deviation of the noise on the gallery, per coordinate
    metric : "euclidean", "dot" or "cosine"
    seed : of the draws
    """
    labels = np.asarray(labels)
    if gallery.ndim == 3:
        return _right_in_galleries(queries, gallery, labels, survives, sigma, metric=metric, seed=seed)
    wrong = np.arange(len(labels))
    if ids is None:
        ids = np.arange(len(gallery))
        wrong = np.flatnonzero(nearest(queries, gallery, metric=metric) != labels)
    result = np.asarray(survives, dtype=float).copy()
    if len(wrong) == 0:
        return result
    if metric == "euclidean":
        squares = squares_in_galleries(queries[None, wrong], gallery[None])[0]
        result[wrong] = drawn_right(squares, labels[wrong], sigma, gallery.shape[1], ids=ids, seed=seed)
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
            sideways = across + sigma * rng.standard_normal(scores.shape)
            rest = sigma**2 * rng.chisquare(max(d - 2, 1e-9), scores.shape)
            drawn /= np.sqrt(drawn**2 + sideways**2 + rest)
        hits += ids[drawn.argmax(1)] == labels[wrong]
    result[wrong] = hits / draws
    return result


def _right_in_galleries(
    queries, gallery, labels, survives, sigma: float, *, metric: str, seed: int
) -> np.ndarray:
    """`right_after_noise` of many galleries: pooled for Euclidean distance, else one after the other."""
    result = np.asarray(survives, dtype=float).copy()
    if metric == "euclidean":
        wrong = np.flatnonzero(nearest_in_galleries(queries, gallery).ravel() != labels)
        squares = squares_in_galleries(queries, gallery).reshape(len(labels), -1)[wrong]
        result[wrong] = drawn_right(squares, labels[wrong], sigma, gallery.shape[2], seed=seed)
        return result
    labels, result = (z.reshape(len(gallery), -1) for z in (labels, result))
    parts = enumerate(zip(queries, gallery, labels, result, strict=True))
    drawn = [right_after_noise(*part, sigma, metric=metric, seed=seed + i) for i, part in parts]
    return np.concatenate(drawn)


def drawn_right(
    squares: np.ndarray, labels: np.ndarray, sigma: float, dimension: int, *, ids=None, seed: int = 0
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
        drawn = noisy.argmin(1)
        hits += (drawn if ids is None else ids[drawn]) == labels
    return hits / draws


def _draws(queries: int) -> int:
    return int(np.clip(DRAWS_ALTOGETHER // max(queries, 1), FEWEST_DRAWS, MOST_DRAWS))
