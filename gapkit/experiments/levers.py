"""Which lever keeps most answers, metric or closer, and the law that tells it beforehand."""

import itertools

import numpy as np
import pandas as pd

from gapkit.experiments import protocol
from gapkit.experiments.data import zero_shot_task
from gapkit.experiments.family import LEAST_SETTINGS
from gapkit.experiments.gains import UnderNoise, law
from gapkit.experiments.record import Experiment, Job, Rows
from gapkit.geometry.galleries import METRICS
from gapkit.robustness.law import predict_metric

PROJECTED, AFFINE = protocol.PROJECTED, protocol.AFFINE
TELLS_APART = 0.01
"""Two metrics whose robustness differs by less are as good: their order is not asked for."""


def measure_levers(job: Job) -> dict[str, Rows]:
    """Every metric with every closer that keeps answers, at one noise, measured and predicted.

    σ is calibrated under Euclidean distance. The shift moves the queries: under Euclidean distance it makes no difference,
    under the dot product it is what has an effect. Under Euclidean distance the other two levels are measured too.
    """
    task = zero_shot_task(*job.source)
    resamples = task.resamples(job.seed)
    moved = protocol.moved_queries(task, (PROJECTED, AFFINE, protocol.LINEAR))
    rows, checks = [], []
    for level in protocol.calibrated_levels(task):
        metrics = METRICS if level.name == protocol.MIDDLE else ("euclidean",)
        noises = {metric: UnderNoise(task, level, seed=job.seed, metric=metric) for metric in metrics}
        euclidean = noises["euclidean"].untouched
        head, order = task.head | {"level": level.name, "seed": job.seed}, {}
        for metric, noise in noises.items():
            for name, sides in moved.items():
                if name != "untouched":
                    predicted = float(law(task, sides, level.sigma, metric).mean())
                elif metric == "euclidean":  # whose curve is what the others are told from
                    predicted = order[metric] = float(euclidean.mean())
                else:
                    predicted = order[metric] = predict_metric(*sides, level.sigma, metric=metric)
                about = {"closer": name, "moves": "queries", "alpha": float(name != "untouched")}
                value = noise.survival(sides)
                row = noise.row(about, sides, value, expect=False)
                row |= protocol.columns("gain_over_euclidean", resamples.difference(value, euclidean))
                row |= {"predicted": predicted, "predicted_gain": predicted - noise.untouched.mean()}
                rows.append(row)
                if metric == "euclidean" and name in (PROJECTED, AFFINE):
                    error = abs(predicted - float(value.mean()))
                    check = protocol.check_row("error of the predicted gain", error, closer=name)
                    checks.append(head | check)
        if level.name == protocol.MIDDLE:
            measured = {metric: float(noise.untouched.mean()) for metric, noise in noises.items()}
            checks.append(head | protocol.check_row("order of the metrics", _order(measured, order)))
    return {"levers": rows, "levers.checks": checks}


def _order(measured: dict[str, float], predicted: dict[str, float]) -> float:
    """Share of pairs of metrics, told apart by the measurement, that the law puts into the right order."""
    right = []
    for first, second in itertools.combinations(("euclidean", "dot", "cosine"), 2):
        difference = measured[second] - measured[first]
        if abs(difference) > TELLS_APART:
            right.append(difference * (predicted[second] - predicted[first]) > 0)
    return float(np.mean(right)) if right else 1.0


def compare_predictions(levers: pd.DataFrame, seed: int) -> Rows:
    """How well the law predicts gains over all models and sets: R², from the table ``"levers"``."""
    rows = levers[(levers["metric"] == "euclidean") & levers["closer"].isin([PROJECTED, AFFINE])]
    if len(rows) < 3 or rows["gain"].var() == 0:
        return []
    missed = float(((rows["predicted_gain"] - rows["gain"]) ** 2).sum())
    r_squared = 1 - missed / float(((rows["gain"] - rows["gain"].mean()) ** 2).sum())
    # The gains of one set differ too little for a share of their variance to say much.
    sets = len(rows[["model", "dataset"]].drop_duplicates())
    few = f"only {sets} of the {LEAST_SETTINGS} models or sets that it takes" if sets < LEAST_SETTINGS else ""
    check = protocol.check_row("R² of the predicted gains", r_squared, cells=len(rows), reason=few)
    return [{"model": "all models", "seed": seed} | check]


EXPERIMENT = Experiment(
    title="Which lever: the metric or the closer",
    order=75,
    measure=measure_levers,
    kinds=("zero-shot",),
    paper="Derived here: closing turns the noise down by a known factor; a change of metric is another.",
    question="Robustness for every metric and every closer that keeps answers, beside the law's prediction.",
    on_request=("pairs",),
    compare=compare_predictions,
)
