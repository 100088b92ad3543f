"""How the gap arose in the shipped models: their training curves, read and summarised."""

import numpy as np
import pandas as pd

from gapkit.experiments.family import LEAST_TEMPERATURES, permuted_rank_correlation, too_few
from gapkit.experiments.protocol import check_row
from gapkit.experiments.record import Experiment, Job, Rows
from gapkit.miniclip import training_curve


def measure_formation(job: Job) -> dict[str, Rows]:
    """The recorded curve of one setting, every seed, and what the claims ask of it.

    Options
    -------
    seeds : the seeds whose curves are read (the first unless told)
    """
    curve_rows, checks = [], []
    for seed in job.options.get("seeds", (0,)):
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
    defect = column["one_sided_defect"]
    checks = {
        "gap at step 0": column["gap"][0],
        "gap at the end": column["gap"][-1],
        "temperature at the end": column["temperature"][-1],
        "defect at the end over the largest": defect[-1] / defect.max(),
        "defect at the end over that at the start": _ratio(defect[-1], defect[0]),
        "step of half the final accuracy": column["step"][half],
    }
    for side in ("images", "texts"):
        variance = column[f"variance_along_gap_{side}"]
        checks[f"relative variance at the end, {side}"] = variance[-1]
        checks[f"variance along g, end over start, {side}"] = _ratio(variance[-1], variance[0])
        checks[f"variance along g, half accuracy over start, {side}"] = _ratio(variance[half], variance[0])
    return [check_row(check, float(value)) for check, value in checks.items()]


def _ratio(later: float, start: float) -> float:
    """Not a number where the start is 0 and no ratio exists."""
    return later / start if start else float("nan")


def compare_temperatures(curves: pd.DataFrame, seed: int) -> Rows:
    """Whether a lower final temperature went with a wider final gap, over the softmax runs.

    Parameters
    ----------
    curves : the table ``"formation"``
    seed : of the drawn orders
    """
    if curves.empty:
        return []
    wanted = {"temperature at the end": "temperature", "gap at the end": "gap"}
    rows = curves[curves["check"].isin(wanted) & ~curves["model"].str.contains("siglip")]
    if rows.empty:
        return []
    ends = rows.pivot_table(index=["model", "run"], columns="check", values="value", sort=False)
    ends = ends.reset_index().rename(columns={"model": "setting", **wanted})
    means = ends.groupby("setting")[["temperature", "gap"]].mean()
    estimate = permuted_rank_correlation(-means["temperature"], means["gap"], seed=seed)
    few = too_few(ends, least=LEAST_TEMPERATURES)
    head = {"model": "all models", "seed": seed, "check": "temperature and gap"}
    return [head | {"dataset": "held-out pairs", "reason": few} | estimate]


EXPERIMENT = Experiment(
    title="How the gap arose in the trained models",
    order=40,
    measure=measure_formation,
    kinds=("training curve",),
    paper="The gap is there at the start; the variance along it shrinks first (Figs. 3 to 6).",
    question="The recorded training curves of the mini-CLIPs, all seeds.",
    compare=compare_temperatures,
)
