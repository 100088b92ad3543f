"""The one perturbation protocol of every experiment.

1. A closer is fitted once, on the *untouched* gallery and queries.
2. The perturbation hits the untouched gallery: noise, other words, rounding of what is stored.
3. The perturbed gallery is moved by that same, already fitted closer.
4. Answers before and after the perturbation are compared: ``NN(y, X + αg')`` with ``NN(y, X' + αg')``.

Fitting again on each perturbed gallery would be another experiment, and an empty one: by Theorem 3.5 a
closer of full rank changes no answer of the gallery it was fitted on, perturbed or not. `refitted_answers`
shows it, as a control.
"""

from collections.abc import Callable

import numpy as np

from gapkit.closing import CLOSERS, AffineProjection, Closer, LinearProjection, MeanShift, ProjectedShift
from gapkit.experiments.subject import Task
from gapkit.geometry import nearest

PROJECTED, RAW = ProjectedShift.name, MeanShift.name
AFFINE, LINEAR = AffineProjection.name, LinearProjection.name

ALPHAS = tuple(round(0.1 * step, 1) for step in range(-5, 16))
"""α from −0.5 over 0 (untouched) and 1 (closed) to 1.5."""


def fit_closer(name: str, task: Task) -> Closer:
    """A closer of full strength, fitted once on the untouched sets of a task."""
    return CLOSERS[name]().fit(task.gallery, task.queries)


def shift_gallery(gallery: np.ndarray, closer: Closer, alpha: float) -> np.ndarray:
    """``X + α g'`` for a fitted closer that translates, whatever gallery it was fitted on."""
    return gallery + alpha * closer.shift_


def shift_queries(queries: np.ndarray, closer: Closer, alpha: float) -> np.ndarray:
    """``Y - α g'``: the same relative motion with the queries moved."""
    return queries - alpha * closer.shift_


def answers_after(
    task: Task,
    closer: Closer,
    alpha: float,
    perturb: Callable[[np.ndarray], np.ndarray] | None = None,
    *,
    metric: str = "euclidean",
) -> np.ndarray:
    """Answers to the perturbed gallery, moved by the closer that was fitted on the untouched one."""
    gallery = task.gallery if perturb is None else perturb(task.gallery)
    return nearest(task.queries, shift_gallery(gallery, closer, alpha), metric=metric)


def refitted_answers(task: Task, perturb: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The control: the paper's closer fitted again on the perturbed gallery, then applied to it."""
    gallery = perturb(task.gallery)
    closer = ProjectedShift().fit(gallery, task.queries)
    return nearest(task.queries, closer.transform(gallery))


def right(answers: np.ndarray, task: Task) -> np.ndarray:
    """1 where the answer is the right one, else 0, as floats."""
    return (answers == task.labels).astype(float)


def same(answers: np.ndarray, others: np.ndarray) -> np.ndarray:
    """1 where two runs answer alike, else 0, as floats."""
    return (answers == others).astype(float)
