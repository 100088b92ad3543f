"""How the gap arose in the shipped models: their training curves, read and summarised."""

import numpy as np

from gapkit.experiments.sweep import Job, Rows
from gapkit.miniclip import training_curve

SEEDS = (0, 1, 2)


def seed_name(model: str, seed: int) -> str:
    """The name of another seed of a shipped model.

    >>> seed_name("miniclip-wide", 0), seed_name("miniclip-wide", 2)
    ('miniclip-wide', 'miniclip-wide@2')
    """
    return model if seed == 0 else f"{model}@{seed}"


def measure_formation(job: Job) -> dict[str, Rows]:
    """The recorded curve of one setting, every seed, and what the claims ask of it.

    Options
    -------
    seeds : the seeds whose curves are read
    """
    curve_rows, checks = [], []
    for seed in job.options.get("seeds", SEEDS):
        curve = training_curve(job.model.removeprefix("miniclip-"), seed=seed)["rows"]
        head = {"model": job.model, "dataset": "held-out pairs", "run": seed, "training": f"seed {seed}"}
        head["seed"] = job.seed
        curve_rows += [head | row for row in curve]
        if len(curve) > 1:
            checks += [head | row for row in _checks(curve)]
    return {"formation.curve": curve_rows, "formation": checks}


def _checks(curve: list[dict]) -> list[dict]:
    column = {name: np.array([row[name] for row in curve]) for name in curve[0]}
    half = int(np.argmax(column["accuracy"] >= column["accuracy"][-1] / 2))
    defect = column["doubly_stochastic_defect"]
    found = {
        "gap at step 0": column["gap"][0],
        "gap at the end": column["gap"][-1],
        "temperature at the end": column["temperature"][-1],
        "defect at the end over the largest": defect[-1] / defect.max(),
        "defect at the end over that at the start": _ratio(defect[-1], defect[0]),
        "step of half the final accuracy": column["step"][half],
    }
    for side in ("images", "texts"):
        variance = column[f"variance_along_gap_{side}"]
        found[f"relative variance at the end, {side}"] = variance[-1]
        found[f"variance along g, end over start, {side}"] = _ratio(variance[-1], variance[0])
        found[f"variance along g, half accuracy over start, {side}"] = _ratio(variance[half], variance[0])
    return [
        {"check": check, "value": float(value), "value_low": float(value), "value_high": float(value)}
        for check, value in found.items()
    ]


def _ratio(later: float, start: float) -> float:
    """Not a number where the start is 0 and no ratio exists."""
    return later / start if start else float("nan")
