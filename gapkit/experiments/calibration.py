"""Noise levels calibrated to the untouched robustness, so that models and datasets can be compared."""

import math
from collections.abc import Callable

from scipy.optimize import brentq

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


def solve_sigma(robustness_at: Callable[[float], float], target: float) -> float:
    """σ at which a mean robustness that falls with σ has come down to ``target``."""
    low, high = math.log(1e-6), math.log(1e-1)
    while robustness_at(math.exp(high)) > target and high < math.log(1e4):
        high += math.log(10)
    if not robustness_at(math.exp(low)) > target > robustness_at(math.exp(high)):
        raise InputError(f"no noise leaves {target:g} of the answers")
    return math.exp(brentq(lambda x: robustness_at(math.exp(x)) - target, low, high, xtol=1e-6))
