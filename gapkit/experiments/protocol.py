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

import functools
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gapkit.closing import CLOSERS, AffineProjection, LinearProjection, MeanShift, ProjectedShift
from gapkit.closing.base import Closer
from gapkit.errors import InputError
from gapkit.experiments.data import Task
from gapkit.experiments.galleries import GalleryCloser, GalleryTask
from gapkit.geometry import Interval, Resamples, nearest
from gapkit.robustness import calibrate_sigma, robustness
from gapkit.tasks.galleries import calibrate_in_galleries, nearest_in_galleries, robustness_in_galleries

PROJECTED, RAW = ProjectedShift.name, MeanShift.name
AFFINE, LINEAR = AffineProjection.name, LinearProjection.name
FittedCloser = Closer | GalleryCloser
Sides = tuple[np.ndarray, np.ndarray]
"""Queries and gallery, as they were moved."""
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


def moved_queries(task: Task, names: Sequence[str]) -> dict[str, Sides]:
    """Closer -> the queries as it leaves them (α = 1), and the gallery; beside the untouched ones.

    Moving the queries by a shift is, for Euclidean neighbours, moving the gallery; for dot products it is what has an effect.
    """
    moved = {"untouched": (task.queries, task.gallery)}
    for name in names:
        closer = fit_closer(name, task)
        shifted = name in (PROJECTED, RAW)
        queries = shift_queries(task.queries, closer, 1.0) if shifted else closer.transform(task.queries)
        moved[name] = queries, task.gallery
    return moved


def answers_after(
    task: Task,
    closer: FittedCloser,
    alpha: float,
    perturbed: np.ndarray | None = None,
) -> np.ndarray:
    """Answers to the perturbed gallery (or the untouched one), moved by the closer that was fitted on the untouched one."""
    gallery = task.gallery if perturbed is None else perturbed
    return answers_to(task.queries, shift_gallery(gallery, closer, alpha))


def refitted_answers(task: Task, gallery: np.ndarray) -> np.ndarray:
    """The control: the paper's closer fitted again on the perturbed gallery, then applied to it."""
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
    """One noise level: its name, σ per coordinate, why it can decide nothing (if so), and the metric it was calibrated under."""

    name: str
    sigma: float
    reason: str = ""
    metric: str = ""


def paper_levels(dimension: int) -> list[Level]:
    """The paper's three σ² under both readings: per coordinate, and as the total over all d.

    >>> [f"{level.sigma:.4f}" for level in paper_levels(512)[::3]]
    ['0.0707', '0.0031']
    """
    sigmas = [(variance / over) ** 0.5 for over in (1, dimension) for variance in PAPER_VARIANCES]
    return list(map(Level, PAPER_PER_COORDINATE + PAPER_IN_TOTAL, sigmas))


def calibrated_levels(
    task: Task, names: Sequence[str] = CALIBRATED, *, metric: str = "euclidean", unsolved: bool = False
) -> list[Level]:
    """σ at which the untouched gallery keeps 90, 70 and 50 % of its answers, or some of these, under one metric.

    A level that no σ reaches (with duplicates in the gallery, say) is left out, or kept with the reason and σ = NaN
    if ``unsolved``.
    """
    levels = []
    calibrate = calibrate_in_galleries if task.gallery.ndim == 3 else calibrate_sigma
    for name in names:
        target = TARGETS[CALIBRATED.index(name)]
        try:
            sigma = calibrate(task.queries, task.gallery, target, metric=metric)
            levels.append(Level(name, sigma, metric=metric))
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
    relative = level.sigma * gallery.shape[-1] ** 0.5 / spread if spread > 0 else math.nan
    return {"level": level.name, "sigma_per_coordinate": level.sigma, "sigma_over_spread": relative}


# ---- rows ----


def columns(name: str, estimate: Interval) -> dict[str, float]:
    """An estimate as three columns of a tidy table.

    >>> columns("gain", Interval(0.5, 0.25, 0.75))
    {'gain': 0.5, 'gain_low': 0.25, 'gain_high': 0.75}
    """
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def means(resamples: Resamples, **values) -> dict[str, float]:
    """Of each of some (m,) values its mean, as three columns."""
    return functools.reduce(operator.or_, (columns(name, resamples.mean(x)) for name, x in values.items()))


def check_row(check: str, estimate: Interval | float, **more) -> dict:
    """A row of a table of checks: one number that a claim reads, with its interval if it has one.

    >>> check_row("hump", 0.5, reason="")
    {'check': 'hump', 'value': 0.5, 'value_low': 0.5, 'value_high': 0.5, 'reason': ''}
    """
    ends = estimate if isinstance(estimate, tuple) else (estimate,) * 3
    return {"check": check, **columns("value", Interval(*map(float, ends))), **more}


def tidy_row(
    setting: Mapping, resamples: Resamples, *, clean, noisy, agrees, survives, untouched=None, seed: int
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
    seed : of everything random in the row

    Examples
    --------
    >>> setting = dict.fromkeys(TIDY[:7], "…")
    >>> row = tidy_row(setting, Resamples(2), clean=[1, 1], noisy=[1, 0.5], agrees=[1, 1], survives=[1, 0.5], seed=0)
    >>> row["clean_accuracy"], row["noisy_accuracy"], set(row) >= set(TIDY)
    (1.0, 0.75, True)
    """
    row = setting | means(resamples, **dict(zip(MEANS, (clean, noisy, agrees, survives), strict=True)))
    if untouched is not None:
        row |= columns("gain", resamples.difference(survives, untouched))
    return row | {"queries": len(survives), "seed": seed}
