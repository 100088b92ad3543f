"""Gaussian noise on the texts: the paper's Fig. 8, exact, and the theorems behind it."""

import itertools

import numpy as np

from gapkit.experiments import protocol
from gapkit.experiments.data import Task
from gapkit.experiments.drawn import compare_with_exact, noisy_answers
from gapkit.experiments.gains import PARTLY, UnderNoise, crowded, law
from gapkit.experiments.galleries import task_of
from gapkit.experiments.record import Experiment, Job, Rows
from gapkit.geometry import Resamples

RISE = tuple(round(0.1 * step, 1) for step in range(10))
"""α = 0, 0.1, …, 0.9: where robustness should rise."""
DRAWS = 40
QUICK_ALPHAS = (-0.5, *(alpha for alpha in protocol.ALPHAS if 0 <= alpha <= 1), 1.25, 1.5)
FULL_ALPHAS = tuple(round(0.05 * step, 2) for step in range(-10, 31))
PAPER_ALPHAS = (-0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
"""α at the paper's own noise levels: coarser, because verdicts rest on the calibrated ones."""
APPROACH = (0.0, 0.25, 0.5, 0.75, 1.0)
ASIDE = 0.25
TELLING = 0.1
"""Share of the queries whose robustness must visibly fall beside α*, or the check could not fail."""


def measure_noise(job: Job) -> dict[str, Rows]:
    """Robustness, accuracy and agreement over α at each noise level (Eq. 10, Theorem 3.4), and the checks the claims read.

    Options
    -------
    alphas : the values of α at the calibrated levels
    paper_alphas : those at the paper's own σ²
    draws : draws of the noise, for the noisy accuracy and the check of the exact value
    galleries, partitions : see `gapkit.experiments.galleries.task_of`
    """
    task = task_of(job)
    closer = protocol.fit_closer(protocol.PROJECTED, task)
    resamples = task.resamples(job.seed)
    alphas = tuple(job.options.get("alphas", protocol.ALPHAS))
    draws = int(job.options.get("draws", DRAWS))
    paper_alphas = tuple(job.options.get("paper_alphas", PAPER_ALPHAS))
    every = sorted({*protocol.ALPHAS, *paper_alphas, *alphas})
    clean = {alpha: protocol.answers_after(task, closer, alpha) for alpha in every}
    rows, checks = [], _clean_checks(task, clean, resamples)

    # Made when asked for: all at once they take most of the memory.
    def moved(alpha: float) -> protocol.Sides:
        return task.queries, protocol.shift_gallery(task.gallery, closer, alpha)

    levels = protocol.calibrated_levels(task, unsolved=True)
    for level in levels + protocol.paper_levels(task.gallery.shape[-1]):
        if level.reason:
            setting = {"closer": protocol.PROJECTED, "alpha": 1.0, **protocol.NOISE_ON_GALLERY}
            why = {"level": level.name, "reason": level.reason, "seed": job.seed}
            rows.append(task.head | setting | why)
            continue
        here = alphas if level.metric else paper_alphas
        noise = UnderNoise(task, level, seed=job.seed)
        exact = {alpha: noise.survival(moved(alpha)) if alpha else noise.untouched for alpha in here}
        noisy = noisy_answers(task, closer, here, level.sigma, draws=draws, seed=job.seed)
        for alpha, survives in exact.items():
            # A query that is right without noise is right with it as often as its answer survives.
            correct = protocol.right(clean[alpha], task)
            kept = np.where(correct == 1, survives, (noisy[alpha] == task.labels).mean(0))
            about = {"closer": protocol.PROJECTED, "alpha": alpha}
            known = {"answers": clean[alpha], "noisy": kept, "expect": alpha == 1.0 or PARTLY}
            rows.append(noise.row(about, moved(alpha), survives, **known))
        if not level.metric:
            continue
        about = {"level": level.name, "sigma_per_coordinate": level.sigma, "reason": level.reason}
        of_level = _level_checks(task, closer, moved, level, exact, resamples)
        of_level.append(_refit_check(task, level, job.seed))
        agrees = compare_with_exact(noisy, clean[0.0], exact[0.0])
        of_level.append(protocol.check_row("Monte Carlo against exact", agrees))
        checks += [about | check for check in of_level]
    return {"noise": rows, "noise.checks": [task.head | {"seed": job.seed} | check for check in checks]}


def _clean_checks(task: Task, clean: dict, resamples: Resamples) -> list[dict]:
    accuracy = {alpha: float(protocol.right(answers, task).mean()) for alpha, answers in clean.items()}
    kept = min(float(protocol.same(answers, clean[0.0]).mean()) for answers in clean.values())
    change = max((accuracy[a] - accuracy[0.0] for a in accuracy if 0 <= a <= 1), key=abs)
    past = resamples.mean(1 - protocol.same(clean[1.5], clean[0.0]))
    checks = {"answers kept": kept, "clean accuracy": change, "answers changed past closure": past}
    return list(itertools.starmap(protocol.check_row, checks.items()))


def _level_checks(
    task: Task, closer, moved, level: protocol.Level, exact: dict, resamples: Resamples
) -> list[dict]:
    sigma = level.sigma
    checks = [_falls_although_nearer(task, sigma), _better_beside_the_optimum(task, closer, sigma)]
    if set(RISE) <= set(exact):
        means = [float(exact[alpha].mean()) for alpha in RISE]
        falling = sum(b < a - protocol.QUADRATURE for a, b in itertools.pairwise(means))
        checks.append(protocol.check_row("falling steps", float(falling)) | _visible(max(means) - min(means)))
    if {1.0, 1.5} <= set(exact):
        expected = resamples.difference(*(law(task, moved(alpha), sigma) for alpha in (1.0, 1.5)))
        loss = protocol.check_row("loss past closure", resamples.difference(exact[1.0], exact[1.5]))
        checks.append(loss | protocol.columns("value_expected", expected) | {"reason": crowded(task)})
    return checks


def _visible(change: float) -> dict:
    """A reason where nothing moves by more than the quadrature's error: a check that could not fail is none."""
    if change > 10 * protocol.QUADRATURE:
        return {}
    return {"reason": f"below the error of the quadrature: nothing here changes by more than {change:.0e}"}


def _falls_although_nearer(task: Task, sigma: float) -> dict:
    """Share of steps on the way to the affine projection at which some query's robustness falls.

    On that way all squared distances of a query shrink by one common amount: Theorem 3.4.
    """
    onto = protocol.fit_closer(protocol.AFFINE, task).transform(task.queries) - task.queries
    moved = (task.queries + alpha * onto for alpha in APPROACH)
    values = np.stack([protocol.survival_of(queries, task.gallery, sigma) for queries in moved])
    falls = float(np.mean(np.diff(values, axis=0) < -protocol.QUADRATURE))
    return protocol.check_row("falls although nearer", falls) | _visible(float(np.ptp(values, axis=0).max()))


def per_query_optimum(task: Task, closer: protocol.FittedCloser) -> np.ndarray:
    """(m,) or (G, m) α* = 1 + g'·(y − μ_y)/‖g'‖², where each query is most robust (derived)."""
    shift = closer.shift_
    return 1 + ((task.queries - task.middle) * shift).sum(-1) / (shift * shift).sum(-1)


def _better_beside_the_optimum(task: Task, closer: protocol.FittedCloser, sigma: float) -> dict:
    """Share of queries that are more robust a quarter beside their α* than at it."""
    check = "better beside the optimum"
    if not closer.shift_.any():
        return protocol.check_row(check, 0.0) | _visible(0.0)
    best = per_query_optimum(task, closer)

    def at(alpha):  # moving a query by −αg' is moving the gallery by αg', for that query alone
        return protocol.survival_of(task.queries - alpha[..., None] * closer.shift_, task.gallery, sigma)

    elsewhere, there = np.maximum(at(best - ASIDE), at(best + ASIDE)), at(best)
    row = protocol.check_row(check, float(np.mean(elsewhere > there + protocol.QUADRATURE)))
    telling = float(np.mean(there > elsewhere + protocol.QUADRATURE))
    if telling < TELLING:
        row["reason"] = f"for only {telling:.0%} of the queries would another α* be seen: too flat to tell"
    return row


def _refit_check(task: Task, level: protocol.Level, seed: int, draws: int = 3) -> dict:
    """Share of noisy answers that differ where the closer is fitted again on the noisy gallery: none."""
    rng, differ = np.random.default_rng([seed, 1]), []
    for _ in range(draws):
        noisy = task.gallery + level.sigma * rng.standard_normal(task.gallery.shape)
        untouched = protocol.answers_to(task.queries, noisy)
        differ.append(1 - protocol.same(protocol.refitted_answers(task, noisy), untouched))
    return protocol.check_row("refitted: answers differ", float(np.mean(differ)))


EXPERIMENT = Experiment(
    title="Gaussian noise on the texts",
    order=50,
    measure=measure_noise,
    kinds=("zero-shot",),
    paper="Fig. 8: closing the gap raises robustness; clean accuracy stays. Theorems 3.4 and 3.5 say why.",
    question="Exact robustness over α at calibrated noise (verdicts rest on it), and at the paper's own σ².",
    on_request=("pairs",),
    quick={"alphas": list(QUICK_ALPHAS), "paper_alphas": [0.0, 0.5, 1.0], "draws": 24},
    full={"alphas": list(FULL_ALPHAS), "draws": 200},
    galleries={"alphas": [*RISE, 1.0, 1.5], "paper_alphas": [0.0, 1.0], "draws": 8},
)
