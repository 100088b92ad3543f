"""Noise levels calibrated to the untouched robustness, so that models and datasets can be compared."""

import math

from gapkit.errors import InputError
from gapkit.experiments.levels import CALIBRATED, TARGETS, Level
from gapkit.experiments.subject import Task
from gapkit.robustness import calibrate_sigma


def calibrated_levels(task: Task, *, metric: str = "euclidean", unsolved: bool = False) -> list[Level]:
    """σ at which the untouched gallery keeps 90, 70 and 50 % of its answers, under one metric.

    A level that no σ reaches (with duplicates in the gallery, say) is left out, or kept with the reason and σ = NaN
    if ``unsolved``.
    """
    levels = []
    for name, target in zip(CALIBRATED, TARGETS, strict=True):
        try:
            levels.append(Level(name, calibrate_sigma(task.queries, task.gallery, target, metric=metric)))
        except InputError as fault:
            if unsolved:
                levels.append(Level(name, math.nan, str(fault)))
    return levels
