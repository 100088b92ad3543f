"""The one perturbation protocol of every experiment, its noise levels, and the rows that come out.

1. A closer is fitted once, on the *untouched* gallery and queries.
2. The perturbation hits the untouched gallery: noise, other words, rounding of what is stored.
3. The perturbed gallery is moved by that same, already fitted closer.
4. Answers before and after the perturbation are compared: ``NN(y, X + αg')`` with ``NN(y, X' + αg')``.

Fitting again on each perturbed gallery would be another experiment, and an empty one: by Theorem 3.5 a
closer of full rank changes no answer of the gallery it was fitted on, perturbed or not. `refitted_answers`
shows it, as a control.

`tidy_row` builds the rows of every table that counts answers. `TIDY` is what a reader may rely on: where a row comes
from, what was done to the embeddings, and four means over queries, each with its interval. `robustness` is the share
of answers that survive the perturbation, `agreement` that of the *clean* answers which closing leaves as they were.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import norm
from scipy.stats import t as student

from gapkit.closing import CLOSERS, AffineProjection, Closer, LinearProjection, MeanShift, ProjectedShift
from gapkit.errors import InputError
from gapkit.experiments.data import Task
from gapkit.experiments.galleries import GalleryCloser, GalleryTask, gain_slope
from gapkit.geometry import Interval, Resamples, nearest
from gapkit.robustness import calibrate_sigma, robustness
from gapkit.robustness.law import equal_noise
from gapkit.tasks.galleries import (
    calibrate_in_galleries,
    nearest_in_galleries,
    robustness_in_galleries,
    squares_in_galleries,
)

PROJECTED, RAW = ProjectedShift.name, MeanShift.name
AFFINE, LINEAR = AffineProjection.name, LinearProjection.name
FittedCloser = Closer | GalleryCloser
ALPHAS = tuple(round(0.1 * step, 1) for step in range(-5, 16))
"""α from −0.5 over 0 (untouched) and 1 (closed) to 1.5."""
QUADRATURE = 2e-5
"""Two exact values may differ by this much and still be equal: each is right to 1e-5."""

TARGETS = (0.9, 0.7, 0.5)
"""Untouched robustness that the calibrated levels are calibrated to."""
PAPER_VARIANCES = (0.005, 0.022, 0.040)
"""σ² of the paper's Fig. 8."""
CALIBRATED = tuple(f"untouched {target:g}" for target in TARGETS)
MIDDLE = CALIBRATED[1]
PAPER_PER_COORDINATE = tuple(f"σ²={variance:g} per coordinate" for variance in PAPER_VARIANCES)
PAPER_IN_TOTAL = tuple(f"σ²={variance:g} in total" for variance in PAPER_VARIANCES)

MEANS = ("clean_accuracy", "noisy_accuracy", "agreement", "robustness")
TIDY = (
    *("model", "dataset", "task", "closer", "alpha", "noise", "metric"),
    *(f"{name}{end}" for name in MEANS for end in ("", "_low", "_high")),
    *("queries", "seed"),
)
"""Columns that every table about answers has."""
NOISE_ON_GALLERY = {"noise": "gaussian", "noise_on": "gallery", "metric": "euclidean", "method": "exact"}
"""The setting of most rows."""

FEWEST_DRAWS, MOST_DRAWS, DRAWS_ALTOGETHER = 4, 40, 2000
"""Draws for each query whose clean answer is wrong: fewer where there are many such queries."""


# ---- moving and answering ----


def fit_closer(name: str, task: Task) -> FittedCloser:
    """A closer of full strength, fitted once on the untouched sets of a task."""
    if isinstance(task, GalleryTask):
        return GalleryCloser(name, task)
    return CLOSERS[name]().fit(task.gallery, task.queries)


def answers_to(queries: np.ndarray, gallery: np.ndarray, *, metric: str = "euclidean") -> np.ndarray:
    """(m,) nearest candidates: of one gallery (K, d), or of many (G, K, d) each with its own queries, in their order."""
    if gallery.ndim == 3:
        return nearest_in_galleries(queries, gallery, metric=metric).ravel()
    return nearest(queries, gallery, metric=metric)


def survival_of(
    queries: np.ndarray, gallery: np.ndarray, sigma: float, *, metric: str = "euclidean"
) -> np.ndarray:
    """(m,) exact robustness to noise on the gallery, of one gallery or of many."""
    if gallery.ndim == 3:
        return robustness_in_galleries(queries, gallery, sigma, metric=metric).ravel()
    return robustness(queries, gallery, sigma=sigma, metric=metric)


def shift_gallery(gallery: np.ndarray, closer: FittedCloser, alpha: float) -> np.ndarray:
    """``X + α g'`` for a fitted closer that translates, whatever gallery it was fitted on."""
    return gallery + alpha * closer.shift_


def shift_queries(queries: np.ndarray, closer: FittedCloser, alpha: float) -> np.ndarray:
    """``Y - α g'``: the same relative motion with the queries moved."""
    return queries - alpha * closer.shift_


def answers_after(
    task: Task,
    closer: FittedCloser,
    alpha: float,
    perturb: Callable[[np.ndarray], np.ndarray] | None = None,
    *,
    metric: str = "euclidean",
) -> np.ndarray:
    """Answers to the perturbed gallery, moved by the closer that was fitted on the untouched one."""
    gallery = task.gallery if perturb is None else perturb(task.gallery)
    return answers_to(task.queries, shift_gallery(gallery, closer, alpha), metric=metric)


def refitted_answers(task: Task, perturb: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The control: the paper's closer fitted again on the perturbed gallery, then applied to it."""
    gallery = perturb(task.gallery)
    closer = fit_closer(PROJECTED, replace(task, gallery=gallery))
    return answers_to(task.queries, shift_gallery(gallery, closer, 1.0))


def right(answers: np.ndarray, task: Task) -> np.ndarray:
    """1 where the answer is the right one, else 0, as floats."""
    return ((answers if task.ids is None else task.ids[answers]) == task.labels).astype(float)


def same(answers: np.ndarray, others: np.ndarray) -> np.ndarray:
    """1 where two runs answer alike, else 0, as floats."""
    return (answers == others).astype(float)


# ---- noise levels ----


@dataclass(frozen=True)
class Level:
    """One noise level: its name, its standard deviation per coordinate, and why it can decide nothing (if so)."""

    name: str
    sigma: float
    reason: str = ""


def paper_levels(dimension: int) -> list[Level]:
    """The paper's three σ² under both readings: per coordinate, and as the total over all d.

    >>> [f"{level.sigma:.4f}" for level in paper_levels(512)[::3]]
    ['0.0707', '0.0031']
    """
    each = zip(PAPER_PER_COORDINATE, PAPER_VARIANCES, strict=True)
    total = zip(PAPER_IN_TOTAL, PAPER_VARIANCES, strict=True)
    return [Level(name, variance**0.5) for name, variance in each] + [
        Level(name, (variance / dimension) ** 0.5) for name, variance in total
    ]


def calibrated_levels(task: Task, *, metric: str = "euclidean", unsolved: bool = False) -> list[Level]:
    """σ at which the untouched gallery keeps 90, 70 and 50 % of its answers, under one metric.

    A level that no σ reaches (with duplicates in the gallery, say) is left out, or kept with the reason and σ = NaN
    if ``unsolved``.
    """
    levels = []
    calibrate = calibrate_in_galleries if task.gallery.ndim == 3 else calibrate_sigma
    for name, target in zip(CALIBRATED, TARGETS, strict=True):
        try:
            levels.append(Level(name, calibrate(task.queries, task.gallery, target, metric=metric)))
        except InputError as fault:
            if unsolved:
                levels.append(Level(name, math.nan, str(fault)))
    return levels


def level_columns(level: Level, gallery: np.ndarray) -> dict:
    """A level of Gaussian noise: its name, σ per coordinate, and the noise's length σ√d over the gallery's spread.

    The spread is the root mean square distance of the gallery's rows from their mean, so that noise can be compared
    between galleries, and between galleries before and after something that rescales them.

    >>> columns = level_columns(Level("weak", 0.1), np.array([[1.0, 0.0], [-1.0, 0.0]]))
    >>> round(columns["sigma_over_spread"], 3)
    0.141
    """
    spread = float(np.sqrt(gallery.var(axis=-2).sum(-1).mean()))
    return {
        "level": level.name,
        "sigma_per_coordinate": level.sigma,
        "sigma_over_spread": level.sigma * gallery.shape[-1] ** 0.5 / spread if spread > 0 else float("nan"),
    }


# ---- rows ----


def columns(name: str, estimate: Interval) -> dict[str, float]:
    """An estimate as three columns of a tidy table.

    >>> columns("gain", Interval(0.5, 0.25, 0.75))
    {'gain': 0.5, 'gain_low': 0.25, 'gain_high': 0.75}
    """
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def check_row(check: str, estimate: Interval | float, **more) -> dict:
    """A row of a table of checks: one number that a claim reads, with its interval if it has one.

    >>> check_row("hump", 0.5, reason="")
    {'check': 'hump', 'value': 0.5, 'value_low': 0.5, 'value_high': 0.5, 'reason': ''}
    """
    ends = estimate if isinstance(estimate, tuple) else (estimate,) * 3
    return {"check": check, **columns("value", Interval(*map(float, ends))), **more}


def tidy_row(
    setting: Mapping,
    resamples: Resamples,
    *,
    clean,
    noisy,
    agrees,
    survives,
    untouched=None,
    gain: Interval | None = None,
    predicted: float = math.nan,
    seed: int,
) -> dict:
    """One row of a tidy table, from what is known of every query.

    Parameters
    ----------
    setting : the columns that say what was measured: model, dataset, task, closer, alpha, noise, metric, …
    resamples : the queries that all intervals share
    clean : (m,) 1 where the clean answer is the right one
    noisy : (m,) probability that the answer after the perturbation is the right one
    agrees : (m,) 1 where the clean answer is that of the untouched embeddings
    survives : (m,) probability that the clean answer survives the perturbation
    untouched : (m,) the same with nothing moved; gives the column ``gain``, paired
    gain : instead of the plain paired difference (see `calibrated_gain`)
    predicted : the gain that the law tells (see `predicted_gain`); NaN where it tells none
    seed : of everything random in the row

    Examples
    --------
    >>> setting = dict.fromkeys(TIDY[:7], "…")
    >>> row = tidy_row(setting, Resamples(2), clean=[1, 1], noisy=[1, 0.5], agrees=[1, 1], survives=[1, 0.5], seed=0)
    >>> row["clean_accuracy"], row["noisy_accuracy"], set(row) >= set(TIDY)
    (1.0, 0.75, True)
    """
    row = dict(setting)
    for name, values in zip(MEANS, (clean, noisy, agrees, survives), strict=True):
        row |= columns(name, resamples.mean(values))
    if untouched is not None:
        row |= columns("gain", resamples.difference(survives, untouched) if gain is None else gain)
        row["predicted_gain"] = predicted
    return row | {"queries": len(survives), "seed": seed}


def exact_row(
    setting: Mapping,
    task: Task,
    resamples: Resamples,
    level: Level,
    *,
    queries: np.ndarray,
    gallery: np.ndarray,
    survives: np.ndarray,
    untouched: np.ndarray,
    seed: int,
    metric: str = "euclidean",
    answers: np.ndarray | None = None,
    before: np.ndarray | None = None,
    predicts: bool | None = None,
) -> dict:
    """`tidy_row` for exact robustness to Gaussian noise on a gallery, whoever was moved.

    Parameters
    ----------
    setting : columns beside those of the task, the noise and its level
    queries, gallery : as they were moved
    survives, untouched : (m,) robustness, moved and with nothing moved
    answers, before : (m,) clean answers, moved and with nothing moved; found where they are not given
    predicts : whether the law is asked for the gain; by default at the middle level, which the report prints
    """
    answers = answers_to(queries, gallery, metric=metric) if answers is None else answers
    before = answers_to(task.queries, task.gallery, metric=metric) if before is None else before
    moved = (queries, gallery)
    gain = calibrated_gain(task, resamples, level, moved, survives, untouched, metric=metric)
    predicts = level.name == MIDDLE if predicts is None else predicts
    return tidy_row(
        task.head | NOISE_ON_GALLERY | {"metric": metric} | setting | level_columns(level, task.gallery),
        resamples,
        clean=right(answers, task),
        noisy=right_after_noise(
            queries, gallery, task.labels, survives, level.sigma, ids=task.ids, metric=metric, seed=seed
        ),
        agrees=same(answers, before),
        survives=survives,
        untouched=untouched,
        gain=gain,
        predicted=predicted_gain(task, level.sigma, moved, metric=metric) if predicts else math.nan,
        seed=seed,
    )


def predicted_gain(
    task: Task, sigma: float, moved: tuple[np.ndarray, np.ndarray], *, metric: str = "euclidean"
) -> float:
    """The gain by the law of the gap, from the untouched curve and lengths; NaN where the closer changes margins.

    Parameters
    ----------
    sigma : noise on the gallery
    moved : queries and gallery after the closer
    """
    sides = (task.queries, task.gallery)
    if all(map(np.array_equal, moved, sides)):
        return 0.0
    try:
        equal = equal_noise(sides, moved, sigma, metric=metric)
    except InputError:
        return math.nan
    return task.untouched(equal, metric) - task.untouched(sigma, metric)


def calibrated_gain(
    task: Task,
    resamples: Resamples,
    level: Level,
    moved: tuple[np.ndarray, np.ndarray],
    survives: np.ndarray,
    untouched: np.ndarray,
    *,
    over: tuple[np.ndarray, np.ndarray] | None = None,
    metric: str = "euclidean",
) -> Interval | None:
    """The gain of small galleries at a calibrated level, as it is at its untouched robustness exactly; else None.

    Parameters
    ----------
    moved : queries and gallery after the closer
    survives, untouched : (m,) robustness, moved and with nothing moved
    over : queries and gallery of another closer, over which the gain is; ``survives`` is then relative to
        it too: ``untouched + survives(moved) − survives(over)``
    """
    if not isinstance(task, GalleryTask) or level.name not in CALIBRATED:
        return None

    def mean(side: tuple[np.ndarray, np.ndarray] | None, sigma: float) -> float:
        if side is None or all(map(np.array_equal, side, (task.queries, task.gallery))):
            return task.untouched(sigma, metric)
        return float(survival_of(*side, sigma, metric=metric).mean())

    def at(sigma: float) -> tuple[float, float]:
        return mean(moved, sigma) - mean(over, sigma), task.untouched(sigma, metric)

    slope = gain_slope(at, level.sigma)
    target = TARGETS[CALIBRATED.index(level.name)]
    return resamples.gain(survives, untouched, slope=slope, target=target)


# ---- drawn answers ----


def noisy_answers(
    task: Task, closer: FittedCloser, alphas, sigma: float, *, draws: int, seed: int
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
    if metric == "euclidean":
        squares = cdist(queries[wrong], gallery, "sqeuclidean")
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
        wrong = np.flatnonzero(answers_to(queries, gallery) != labels)
        squares = squares_in_galleries(queries, gallery).reshape(len(labels), -1)[wrong]
        result[wrong] = drawn_right(squares, labels[wrong], sigma, gallery.shape[2], seed=seed)
        return result
    parts = zip(
        queries, gallery, labels.reshape(len(gallery), -1), result.reshape(len(gallery), -1), strict=True
    )
    return np.concatenate(
        [
            right_after_noise(y, x, k, s, sigma, metric=metric, seed=seed + i)
            for i, (y, x, k, s) in enumerate(parts)
        ]
    )


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
