"""Answers under drawn noise, by the protocol: noise on the untouched gallery, then the fitted shift."""

import numpy as np

from gapkit.closing import Closer
from gapkit.experiments.subject import Task


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
