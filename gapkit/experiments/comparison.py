"""Every closer of the package under one protocol: fitted on half of the queries, judged on the other half.

Noise enters the untouched gallery and passes through the closer with it, so a closer that rescales wins nothing
by that. `noise_after_the_closer` is the mistake this avoids.
"""

import numpy as np

from gapkit.closing import CLOSERS, Closer, Procrustes
from gapkit.experiments.intervals import columns
from gapkit.experiments.limits import MEMORY
from gapkit.experiments.subject import Task
from gapkit.experiments.sweep import Rows
from gapkit.geometry import nearest
from gapkit.robustness import robustness


def fit_on_half(name: str, task: Task) -> tuple[Closer, np.ndarray]:
    """A closer fitted on the gallery and every second query, and the rows of the other queries.

    Procrustes needs pairs: it alone is told the right answers of the queries it is fitted on.
    """
    used = np.arange(0, len(task.queries), 2)
    gallery = task.gallery[task.labels[used]] if CLOSERS[name] is Procrustes else task.gallery
    closer = CLOSERS[name]().fit(gallery, task.queries[used])
    return closer, np.arange(1, len(task.queries), 2)


def survival(
    closer: Closer, queries: np.ndarray, gallery: np.ndarray, sigma: float, *, draws: int, seed: int
):
    """(m,) probabilities that an answer survives noise on the gallery *before* the closer, and the method.

    A translation leaves isotropic noise alone and a rotation turns it into itself: exact. Whatever else the closer
    does to the gallery it does to the noise as well: A Σ Aᵀ, drawn.
    """
    moved, asked = closer.transform_pair(gallery, queries)
    linear = closer.linear_part("gallery")
    turned = linear is None or np.allclose(linear @ linear.T, np.eye(len(linear)), atol=1e-9)
    noise = {"sigma": sigma} if turned else {"covariance": sigma**2 * linear @ linear.T}
    values, info = robustness(
        asked, moved, **noise, draws=draws, generator=seed, memory_limit=MEMORY, return_info=True
    )
    return values, info.method


def compare_closers(task: Task, sigma: float, *, draws: int = 200, seed: int = 0) -> Rows:
    """Accuracy, agreement with the untouched answers and robustness of every closer, on queries it has not seen.

    ``kept`` is the share of queries that keep their untouched answer through the closer *and* the noise (a lower bound:
    it does not count answers that the closer changes and the noise changes back).
    """
    rest = np.arange(1, len(task.queries), 2)
    queries, labels = task.queries[rest], task.labels[rest]
    resamples = Task(task.model, task.dataset, task.name, queries, task.gallery, labels).resamples(seed)
    untouched = nearest(queries, task.gallery)
    before = robustness(queries, task.gallery, sigma)
    rows = [
        task.head
        | {"closer": "untouched", "moves": "nothing", "method": "exact", "guarantee": True}
        | columns("clean_accuracy", resamples.mean(untouched == labels))
        | columns("agreement", resamples.mean(untouched == untouched))
        | columns("robustness", resamples.mean(before))
        | columns("gain", resamples.difference(before, before))
        | columns("kept", resamples.mean(before))
    ]
    for name in CLOSERS:
        closer, _ = fit_on_half(name, task)
        values, method = survival(closer, queries, task.gallery, sigma, draws=draws, seed=seed)
        moved, asked = closer.transform_pair(task.gallery, queries)
        answers = nearest(asked, moved)
        rows.append(
            task.head
            | {"closer": name, "moves": closer.moves, "method": method}
            | {"guarantee": "euclidean" in closer.guarantee}
            | columns("clean_accuracy", resamples.mean(answers == labels))
            | columns("agreement", resamples.mean(answers == untouched))
            | columns("robustness", resamples.mean(values))
            | columns("gain", resamples.difference(values, before))
            | columns("kept", resamples.mean(values * (answers == untouched)))
        )
    for row in rows:
        row |= {"sigma_per_coordinate": sigma, "queries": len(rest), "seed": seed}
    return rows


def noise_after_the_closer(name: str, task: Task, sigma: float) -> float:
    """The mistake: mean robustness with the same σ added to what the closer has already rescaled."""
    closer, rest = fit_on_half(name, task)
    moved, asked = closer.transform_pair(task.gallery, task.queries[rest])
    return float(robustness(asked, moved, sigma).mean())
