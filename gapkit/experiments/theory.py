"""The paper's theorems about training, on free embeddings: no data, no network, only the loss."""

import numpy as np

from gapkit.contrastive import contrastive_gradient, simulate
from gapkit.contrastive.gradient import theorem_fit
from gapkit.experiments.protocol import check_row
from gapkit.experiments.record import Experiment, Job, Rows

REGIMES = ((0.01, 1e-4), (0.01, 1e-5), (0.05, 5e-4), (0.5, 5e-3))
"""(τ, cluster radius ε): inside the theorem's regime first, the last well outside."""
INSIDE = 0.01
PAIRS, DIMENSION = 200, 16
STEPS = 4000
COLLAPSE_PAIRS, COLLAPSE_STEPS = 60, 2000


def measure_theory(job: Job) -> dict[str, Rows]:
    """Theorems 3.1 and 3.2, and the two phases of gradient descent, as numbers.

    Options
    -------
    steps : steps of the free simulation (4,000 unless told)
    """
    steps = int(job.options.get("steps", STEPS))
    checks, curve = _two_phases(job.seed, steps)
    rows = [*_theorem_31(job.seed), _theorem_32(), *checks, *_collapse(job.seed)]
    head = {"model": "free embeddings", "dataset": "", "seed": job.seed}
    return {"theory": [head | row for row in rows], "theory.curve": [head | row for row in curve]}


def _theorem_31(seed: int) -> list[dict]:
    rows = []
    for tau, radius in REGIMES:
        x, y = radius * np.random.default_rng(seed).standard_normal((2, PAIRS, DIMENSION))
        x[:, 0] -= 0.5
        y[:, 0] += 0.5
        level = f"τ = {tau:g}, ε = {radius:g}"
        where = "" if tau == INSIDE else ", outside the claim"
        named = zip(("slope", "residual", "off the gap"), theorem_fit(x, y, tau), strict=True)
        rows += [check_row(f"theorem 3.1: {name}{where}", value, level=level) for name, value in named]
    return rows


def _theorem_32() -> dict:
    """Points on cyclic orbits see each other all alike: both Q are circulant, so doubly stochastic."""
    turn = 2 * np.pi * np.arange(12) / 12
    orbit = np.stack([np.cos(turn), np.sin(turn), np.cos(5 * turn), np.sin(5 * turn)], 1)
    x = np.column_stack([orbit, np.zeros(12)])
    y = np.column_stack([0.5 * np.roll(orbit, 1, axis=0), np.full(12, 0.8)])
    grad = np.stack(contrastive_gradient(x, y, 0.3))
    value = float(np.abs(grad[..., -1]).max() / np.abs(grad).max())
    return check_row("theorem 3.2: gradient along v", value, level="12 points, τ = 0.3")


def _two_phases(seed: int, steps: int) -> tuple[list[dict], list[dict]]:
    """Numbers and recorded curves of gradient descent, without and with the unit sphere."""
    early = min(100, steps // 2)
    late = np.geomspace(10, steps, 40).round().astype(int).tolist()
    level = f"N = {PAIRS}, d = {DIMENSION}, τ = 0.05, {steps} steps"
    checks, curve = [], []
    for where, sphere in (("free embeddings", False), ("on the sphere", True)):
        options = {"n": PAIRS, "d": DIMENSION, "tau": 0.05, "sphere": sphere, "steps": steps, "seed": seed}
        run = simulate("cones", **options, record={*range(11), early, *late})
        recorded = zip(map(int, run.steps), run.gap, run.variance_along_gap_y, run.accuracy, strict=True)
        names = ("step", "gap", "variance", "accuracy")
        at = {int(row[0]): {"where": where} | dict(zip(names, row, strict=True)) for row in recorded}
        change = abs(at[steps]["gap"] - at[early]["gap"])
        said = {"change of the gap": change, "variance along g at step 10": at[10]["variance"]}
        said |= {"accuracy at the end": at[steps]["accuracy"]}
        checks += [check_row(f"{where}: {name}", value, level=level) for name, value in said.items()]
        curve += at.values()
    return checks, curve


def _collapse(seed: int) -> list[dict]:
    """Is dimensional collapse needed for a gap, or enough for one? Neither: one run for each question."""
    level = f"N = {COLLAPSE_PAIRS}, d = {DIMENSION}, τ = 0.05, {COLLAPSE_STEPS} steps on the sphere"
    options = {"n": COLLAPSE_PAIRS, "d": DIMENSION, "tau": 0.05, "sphere": True, "steps": COLLAPSE_STEPS}
    options |= {"seed": seed, "record": [COLLAPSE_STEPS]}
    runs = {"isotropic start": simulate("isotropic", **options)}
    runs["collapsed start without a gap"] = simulate("collapsed", gap=0.0, **options)
    ends = {f"{start}: gap at the end": float(run.gap[-1]) for start, run in runs.items()}
    return [check_row(*end, level=level) for end in ends.items()]


EXPERIMENT = Experiment(
    title="Why a gap appears: the theorems on free embeddings",
    order=30,
    measure=measure_theory,
    kinds=(),
    paper="Theorem 3.1: the variance along the gap shrinks first. Theorem 3.2: then the gap freezes.",
    question="The exact gradient against the theorem's; gradient descent, with and without the sphere.",
)
