"""Gaussian noise on the texts: the paper's Fig. 8, exact, and the theorems behind it."""

import itertools

import numpy as np

from gapkit.closing import AffineProjection, Closer
from gapkit.experiments.calibration import calibrated_levels
from gapkit.experiments.draws import compare_with_exact, noisy_answers
from gapkit.experiments.intervals import Resamples
from gapkit.experiments.levels import Level, paper_levels
from gapkit.experiments.protocol import (
    ALPHAS,
    PROJECTED,
    answers_after,
    fit_closer,
    refitted_answers,
    right,
    same,
    shift_gallery,
)
from gapkit.experiments.rows import GAUSSIAN, level_columns, tidy_row
from gapkit.experiments.subject import Task, zero_shot_task
from gapkit.experiments.sweep import Job, Rows
from gapkit.robustness import robustness

RISE = tuple(round(0.1 * step, 1) for step in range(10))
"""α = 0, 0.1, …, 0.9: where robustness should rise."""
QUADRATURE = 2e-5
"""Two exact values may differ by this much and still be equal: each is right to 1e-5."""
DRAWS = 40
PAPER_ALPHAS = (-0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
"""α at the paper's own noise levels: coarser, because verdicts rest on the calibrated ones."""
APPROACH = (0.0, 0.25, 0.5, 0.75, 1.0)
BESIDE = 0.25
TELLING = 0.1
"""Share of the queries whose robustness must visibly fall beside α*, or the check could not fail."""
CROWDED = 0.5
"""A gallery whose differences span more than this share of the dimensions leaves little that is orthogonal."""


def measure_noise(job: Job) -> dict[str, Rows]:
    """Robustness, accuracy and agreement over α at each noise level, and the checks the claims read.

    Options
    -------
    alphas : the values of α at the calibrated levels
    paper_alphas : those at the paper's own σ²
    draws : draws of the noise, for the noisy accuracy and the check of the exact value
    """
    task = zero_shot_task(job.model, job.dataset)
    closer = fit_closer(PROJECTED, task)
    resamples = task.resamples(job.seed)
    alphas = tuple(job.options.get("alphas", ALPHAS))
    draws = int(job.options.get("draws", DRAWS))
    paper_alphas = tuple(job.options.get("paper_alphas", PAPER_ALPHAS))
    clean = {alpha: answers_after(task, closer, alpha) for alpha in sorted({*ALPHAS, *paper_alphas, *alphas})}
    rows, checks = [], _clean_checks(task, clean, resamples)
    for level in calibrated_levels(task, unsolved=True):
        if level.reason:
            rows.append(_unsolved(task, level))
            continue
        exact = {alpha: _robustness(task, closer, alpha, level.sigma) for alpha in alphas}
        noisy = noisy_answers(task, closer, alphas, level.sigma, draws=draws, seed=job.seed)
        rows += _rows(task, level, exact, clean, noisy, resamples, job.seed)
        checks += [
            {"level": level.name, "sigma_per_coordinate": level.sigma, "reason": level.reason} | check
            for check in (
                *_level_checks(task, closer, level, exact, resamples),
                _refit_check(task, level, job.seed),
                _row("Monte Carlo against exact", compare_with_exact(noisy, clean[0.0], exact[0.0])),
            )
        ]
    for level in paper_levels(task.gallery.shape[1]):
        exact = {alpha: _robustness(task, closer, alpha, level.sigma) for alpha in paper_alphas}
        noisy = noisy_answers(task, closer, paper_alphas, level.sigma, draws=draws, seed=job.seed)
        level = _decidable(level, exact[0.0], len(task.gallery))
        rows += _rows(task, level, exact, clean, noisy, resamples, job.seed)
    return {
        "noise": [row | {"seed": job.seed} for row in rows],
        "noise.checks": [task.head | {"seed": job.seed} | check for check in checks],
    }


def _robustness(task: Task, closer: Closer, alpha: float, sigma: float) -> np.ndarray:
    return robustness(task.queries, shift_gallery(task.gallery, closer, alpha), sigma=sigma)


def _rows(task, level, exact, clean, noisy, resamples: Resamples, seed: int) -> Rows:
    """One row for each α; a query that is right without noise is right with it as often as its answer survives."""
    rows = []
    for alpha, values in exact.items():
        correct = right(clean[alpha], task)
        row = tidy_row(
            task.head
            | {"closer": PROJECTED, "alpha": alpha, "noise": GAUSSIAN, "noise_on": "gallery"}
            | {"metric": "euclidean", "method": "exact"}
            | level_columns(level, task.gallery),
            resamples,
            clean=correct,
            noisy=np.where(correct == 1, values, (noisy[alpha] == task.labels).mean(0)),
            agrees=same(clean[alpha], clean[0.0]),
            survives=values,
            untouched=exact[0.0],
            seed=seed,
        )
        rows.append(row | {"reason": level.reason or crowded(task)})
    return rows


def crowded(task: Task) -> str:
    """Why a full-rank shift has little to move, where the gallery has about as many rows as dimensions."""
    own, d = len(task.gallery) - 1, task.gallery.shape[1]
    if own <= CROWDED * d:
        return ""
    return f"little is orthogonal: {own + 1} rows span {min(own, d)} of {d} dimensions (see retrieval, fewer components)"


def _unsolved(task: Task, level: Level) -> dict:
    return (
        task.head
        | {"closer": PROJECTED, "alpha": 1.0, "noise": GAUSSIAN, "noise_on": "gallery"}
        | {"metric": "euclidean", "level": level.name, "reason": level.reason}
    )


def _row(check: str, estimate) -> dict:
    value, low, high = estimate if isinstance(estimate, tuple) else (estimate, estimate, estimate)
    return {"check": check, "value": float(value), "value_low": float(low), "value_high": float(high)}


def _clean_checks(task: Task, clean: dict, resamples: Resamples) -> list[dict]:
    accuracy = {alpha: float(right(answers, task).mean()) for alpha, answers in clean.items()}
    kept = min(float(same(answers, clean[0.0]).mean()) for answers in clean.values())
    change = max((accuracy[a] - accuracy[0.0] for a in accuracy if 0 <= a <= 1), key=abs)
    past = resamples.mean(1 - same(clean[1.5], clean[0.0]))
    return [
        _row("answers kept", kept),
        _row("clean accuracy", change),
        _row("answers changed past closure", past),
    ]


def _level_checks(task, closer, level: Level, exact: dict, resamples: Resamples) -> list[dict]:
    found = [
        _falls_although_nearer(task, level.sigma),
        _better_beside_the_optimum(task, closer, level.sigma),
    ]
    if set(RISE) <= set(exact):
        means = [float(exact[alpha].mean()) for alpha in RISE]
        falling = sum(b < a - QUADRATURE for a, b in itertools.pairwise(means))
        found.append(_row("falling steps", falling) | _visible(max(means) - min(means)))
    if {1.0, 1.5} <= set(exact):
        found.append(_row("loss past closure", resamples.difference(exact[1.0], exact[1.5])))
    return found


def _visible(change: float) -> dict:
    """A reason where nothing moves by more than the quadrature's error: a check that could not fail is none."""
    if change > 10 * QUADRATURE:
        return {}
    return {"reason": f"below the error of the quadrature: nothing here changes by more than {change:.0e}"}


def _falls_although_nearer(task: Task, sigma: float) -> dict:
    """Share of steps on the way to the affine projection at which some query's robustness falls.

    On that way all squared distances of a query shrink by one common amount: Theorem 3.4.
    """
    values = []
    for alpha in APPROACH:
        queries = AffineProjection(alpha=alpha).fit(task.gallery, task.queries).transform(task.queries)
        values.append(robustness(queries, task.gallery, sigma=sigma))
    values = np.stack(values)
    falls = float(np.mean(np.diff(values, axis=0) < -QUADRATURE))
    return _row("falls although nearer", falls) | _visible(float(np.ptp(values, axis=0).max()))


def per_query_optimum(task: Task, closer: Closer) -> np.ndarray:
    """(m,) α* = 1 + g'·(y − μ_y)/‖g'‖², where each query is most robust (derived)."""
    shift = closer.shift_
    return 1 + (task.queries - task.queries.mean(0)) @ shift / (shift @ shift)


def _better_beside_the_optimum(task: Task, closer: Closer, sigma: float) -> dict:
    """Share of queries that are more robust a quarter beside their α* than at it."""
    check = "better beside the optimum"
    if not closer.shift_.any():
        return _row(check, 0.0) | _visible(0.0)
    best = per_query_optimum(task, closer)

    def at(alpha):  # moving a query by −αg' is moving the gallery by αg', for that query alone
        return robustness(task.queries - alpha[:, None] * closer.shift_, task.gallery, sigma=sigma)

    beside, there = np.maximum(at(best - BESIDE), at(best + BESIDE)), at(best)
    found = _row(check, float(np.mean(beside > there + QUADRATURE)))
    telling = float(np.mean(there > beside + QUADRATURE))
    if telling < TELLING:
        found["reason"] = f"for only {telling:.0%} of the queries would another α* be seen: too flat to tell"
    return found


def _refit_check(task: Task, level: Level, seed: int, draws: int = 3) -> dict:
    rng = np.random.default_rng([seed, 1])
    differ = []
    for _ in range(draws):
        noisy = task.gallery + level.sigma * rng.standard_normal(task.gallery.shape)
        untouched = answers_after(task, fit_closer(PROJECTED, task), 0.0, lambda _, noisy=noisy: noisy)
        differ.append(1 - same(refitted_answers(task, lambda _, noisy=noisy: noisy), untouched))
    return _row("refitted: answers differ", float(np.mean(differ)))


def _decidable(level: Level, untouched: np.ndarray, classes: int) -> Level:
    """A fixed noise level, with the reason why it can decide nothing if it is far too weak or too strong."""
    mean = float(untouched.mean())
    if mean > 0.99:
        return Level(
            level.name, level.sigma, f"the noise is too weak: {mean:.3f} of answers survive it untouched"
        )
    if mean < 1.5 / classes + 0.02:
        return Level(
            level.name,
            level.sigma,
            f"the noise drowns everything: {mean:.3f} survive, chance is {1 / classes:.3f}",
        )
    return level
