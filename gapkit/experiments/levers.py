"""Which lever keeps most answers, metric or closer, and the law that tells it beforehand."""

import numpy as np
import pandas as pd

from gapkit.closing import CLOSERS
from gapkit.experiments import protocol
from gapkit.experiments.data import Task, zero_shot_task
from gapkit.experiments.family import LEAST_SETTINGS
from gapkit.experiments.gains import UnderNoise
from gapkit.experiments.record import Experiment, Job, Rows
from gapkit.geometry import Interval
from gapkit.geometry.neighbours import METRICS
from gapkit.robustness import predict_closed
from gapkit.robustness.law import predict_metric

TELLS_APART = 0.01
"""Two metrics whose robustness differs by less are as good: their order is not asked for."""


def measure_levers(job: Job) -> dict[str, Rows]:
    """Every metric with every closer that keeps answers, at one noise, measured and predicted.

    σ is calibrated under Euclidean distance. The shift moves the queries: under Euclidean distance it makes no difference,
    under the dot product it is what has an effect. Under Euclidean distance the other two levels are measured too.
    """
    task = zero_shot_task(*job.source)
    resamples = task.resamples(job.seed)
    closers = {
        protocol.PROJECTED: CLOSERS[protocol.PROJECTED](moves="queries"),
        protocol.AFFINE: CLOSERS[protocol.AFFINE](),
        protocol.LINEAR: CLOSERS[protocol.LINEAR](),
    }
    moved = {"untouched": (task.queries, task.gallery)} | {
        name: (closer.fit(task.gallery, task.queries).transform(task.queries), task.gallery)
        for name, closer in closers.items()
    }
    rows, checks, order = [], [], {}
    for level in protocol.calibrated_levels(task):
        metrics = METRICS if level.name == protocol.MIDDLE else ("euclidean",)
        noises = {metric: UnderNoise(task, level, seed=job.seed, metric=metric) for metric in metrics}
        untouched = {metric: noise.untouched for metric, noise in noises.items()}
        head = task.head | {"level": level.name, "seed": job.seed}
        for metric, noise in noises.items():
            predicted = {"untouched": _predicted_metric(task, level, metric, untouched)} | {
                name: predict_closed(task.queries, task.gallery, level.sigma, closer=closer, metric=metric)
                for name, closer in closers.items()
            }
            order[metric] = predicted["untouched"]
            for name, sides in moved.items():
                about = {"closer": name, "moves": "queries", "alpha": float(name != "untouched")}
                value = noise.survival(sides)
                over = resamples.difference(value, untouched["euclidean"])
                rows.append(
                    noise.row(about, sides, value, expect=False)
                    | protocol.columns("gain_over_euclidean", over)
                    | {"predicted": predicted[name]}
                    | {"predicted_gain": predicted[name] - noise.untouched.mean()}
                )
                if metric == "euclidean" and name in (protocol.PROJECTED, protocol.AFFINE):
                    error = abs(predicted[name] - float(value.mean()))
                    checks.append(
                        head | protocol.check_row("error of the predicted gain", error, closer=name)
                    )
        if level.name == protocol.MIDDLE:
            checks.append(head | protocol.check_row("order of the metrics", _order(untouched, order)))
    return {"levers": rows, "levers.checks": checks}


def _predicted_metric(
    task: Task, level: protocol.Level, metric: str, untouched: dict[str, np.ndarray]
) -> float:
    if metric == "euclidean":  # whose curve is what the others are told from
        return float(untouched["euclidean"].mean())
    return predict_metric(task.queries, task.gallery, level.sigma, metric=metric)


def _order(measured: dict[str, np.ndarray], predicted: dict[str, float]) -> float:
    """Share of pairs of metrics, told apart by the measurement, that the law puts into the right order."""
    right = []
    for first, second in (("euclidean", "dot"), ("euclidean", "cosine"), ("dot", "cosine")):
        difference = float(measured[second].mean() - measured[first].mean())
        if abs(difference) > TELLS_APART:
            right.append(difference * (predicted[second] - predicted[first]) > 0)
    return float(np.mean(right)) if right else 1.0


def compare_predictions(levers: pd.DataFrame, seed: int) -> Rows:
    """How well the law predicts gains over all models and sets: R², from the table ``"levers"``."""
    rows = levers[
        (levers["metric"] == "euclidean") & levers["closer"].isin([protocol.PROJECTED, protocol.AFFINE])
    ]
    if len(rows) < 3 or rows["gain"].var() == 0:
        return []
    missed = float(((rows["predicted_gain"] - rows["gain"]) ** 2).sum())
    r_squared = 1 - missed / float(((rows["gain"] - rows["gain"].mean()) ** 2).sum())
    value = Interval(r_squared, r_squared, r_squared)
    # The gains of one set differ too little for a share of their variance to say much.
    sets = len(rows[["model", "dataset"]].drop_duplicates())
    few = (
        "" if sets >= LEAST_SETTINGS else f"only {sets} of the {LEAST_SETTINGS} models or sets that it takes"
    )
    return [
        {"model": "all models", "seed": seed}
        | protocol.check_row("R² of the predicted gains", value, cells=len(rows), reason=few)
    ]


EXPERIMENT = Experiment(
    name="levers",
    title="Which lever: the metric or the closer",
    order=75,
    measure=measure_levers,
    kinds=("zero-shot",),
    paper="The paper closes the gap under Euclidean distance. Derived here: closing is turning the noise down by a known factor, and a change of metric is another such factor, often a larger one.",
    question="Robustness for every metric with every closer that keeps answers, at one σ, with what the law of the gap predicts from lengths.",
    on_request=("pairs",),
    compare=compare_predictions,
)
