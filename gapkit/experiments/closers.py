"""The closers against each other, each under the metric it is made for."""

import numpy as np

from gapkit.experiments.calibration import calibrated_levels
from gapkit.experiments.draws import right_after_noise
from gapkit.experiments.intervals import columns
from gapkit.experiments.protocol import AFFINE, LINEAR, PROJECTED, RAW, fit_closer, right, same, shift_queries
from gapkit.experiments.rows import GAUSSIAN, level_columns, tidy_row
from gapkit.experiments.subject import Task, zero_shot_task
from gapkit.experiments.sweep import Job, Rows
from gapkit.geometry import nearest
from gapkit.robustness import robustness

BEST = {"euclidean": AFFINE, "dot": LINEAR}
"""The closer that is provably the best margin-preserving translation under each metric."""
QUADRATURE = 2e-5


def measure_closers(job: Job) -> dict[str, Rows]:
    """Robustness to noise on the gallery of untouched, shifted and projected queries, two metrics.

    All move the queries, which for Euclidean neighbours is the same as moving the gallery, and for dot
    products is what has an effect at all.
    """
    task = zero_shot_task(job.model, job.dataset)
    resamples = task.resamples(job.seed)
    moved = _moved_queries(task)
    rows, checks = [], []
    for metric, best in BEST.items():
        untouched = nearest(task.queries, task.gallery, metric=metric)
        for level in calibrated_levels(task, metric=metric):
            values = {
                name: robustness(queries, task.gallery, sigma=level.sigma, metric=metric)
                for name, queries in moved.items()
            }
            for name, value in values.items():
                answers = nearest(moved[name], task.gallery, metric=metric)
                noisy = right_after_noise(
                    *(moved[name], task.gallery, task.labels, value, level.sigma),
                    metric=metric,
                    seed=job.seed,
                )
                row = tidy_row(
                    task.head
                    | {"closer": name, "moves": "queries", "alpha": float(name != "untouched")}
                    | {"noise": GAUSSIAN, "noise_on": "gallery", "metric": metric, "method": "exact"}
                    | level_columns(level, task.gallery),
                    resamples,
                    clean=right(answers, task),
                    noisy=noisy,
                    agrees=same(answers, untouched),
                    survives=value,
                    untouched=values["untouched"],
                    seed=job.seed,
                )
                rows.append(row | columns("gain_over_shift", resamples.difference(value, values[PROJECTED])))
            worse = float(np.mean(values[PROJECTED] > values[best] + QUADRATURE))
            checks.append(
                task.head
                | {"check": f"shift beats {best}", "metric": metric, "level": level.name, "seed": job.seed}
                | {"value": worse, "value_low": worse, "value_high": worse}
            )
    return {"closers": rows, "closers.checks": checks}


def _moved_queries(task: Task) -> dict[str, np.ndarray]:
    """The queries as each closer leaves them, fitted once on the untouched sets."""
    moved = {"untouched": task.queries}
    for name in (RAW, PROJECTED):
        moved[name] = shift_queries(task.queries, fit_closer(name, task), 1.0)
    for name in (AFFINE, LINEAR):
        moved[name] = fit_closer(name, task).transform(task.queries)
    return moved
