"""Who moves, who is perturbed, which metric: the table in which most cells stay empty."""

import itertools

import numpy as np

from gapkit.experiments import protocol
from gapkit.experiments.data import Task
from gapkit.experiments.gains import UnderNoise
from gapkit.experiments.galleries import task_of
from gapkit.experiments.record import Experiment, Job, Rows
from gapkit.geometry.galleries import METRICS

DRAWS = 40


def measure_axes(job: Job) -> dict[str, Rows]:
    """Robustness for every metric, moved side and perturbed side, at one σ for all of them.

    Noise on the gallery is exact. Noise on the queries is drawn, with the same draws whoever moves, so
    that differences are those of single answers.

    Options
    -------
    draws : draws of the noise on the queries
    """
    task = task_of(job)
    closer = protocol.fit_closer(protocol.PROJECTED, task)
    sides = {"nothing": (task.queries, task.gallery)}
    sides["gallery"] = task.queries, protocol.shift_gallery(task.gallery, closer, 1.0)
    sides["queries"] = protocol.shift_queries(task.queries, closer, 1.0), task.gallery
    draws = int(job.options.get("draws", DRAWS))
    rows, checks = [], []
    levels = protocol.calibrated_levels(task, [protocol.MIDDLE])  # none if no σ changes three answers in ten
    for level, metric in itertools.product(levels, METRICS):
        noise = UnderNoise(task, level, seed=job.seed, metric=metric)
        exact = {moves: noise.survival(side) for moves, side in sides.items()}
        on_queries, (kept, correct) = [], _query_noise(task, sides, metric, level.sigma, draws, job.seed)
        for moves, side in sides.items():
            about = {"closer": protocol.PROJECTED, "alpha": float(moves != "nothing"), "moves": moves}
            answers = noise.answers(side)
            change = float(np.abs(exact[moves] - exact["nothing"]).max())
            row = noise.row(about, side, exact[moves], answers=answers, expect=moves != "nothing")
            rows.append(row | {"largest_change": change})
            about |= {"metric": metric, "noise_on": "queries", "method": "drawn"}
            change = float(np.abs(kept[moves] - kept["nothing"]).max())
            about |= protocol.level_columns(level, task.gallery)
            about = task.head | protocol.NOISE_ON_GALLERY | about
            known = {"clean": protocol.right(answers, task), "agrees": protocol.same(answers, noise.before)}
            known |= {"noisy": correct[moves], "survives": kept[moves], "untouched": kept["nothing"]}
            row = protocol.tidy_row(about, noise.resamples, **known, seed=job.seed)
            if moves != "nothing":
                row["not_predicted"] = "the law is about noise on the gallery"
            on_queries.append(row | {"largest_change": change})
        rows += on_queries
        if metric == "euclidean":
            apart = float(np.abs(exact["gallery"] - exact["queries"]).max())
            checks.append(task.head | protocol.check_row("gallery or queries moved", apart, seed=job.seed))
    return {"axes": rows, "axes.checks": checks}


def _query_noise(
    task: Task, sides: dict, metric: str, sigma: float, draws: int, seed: int
) -> tuple[dict, dict]:
    """Who moves -> (m,) shares of draws in which the answer survives noise on the query, and in which it is right."""
    rng = np.random.default_rng([seed, 2])
    clean = {moves: protocol.answers_to(*side, metric=metric) for moves, side in sides.items()}
    kept, correct = ({moves: np.zeros(len(task.labels)) for moves in sides} for _ in range(2))
    for _ in range(draws):
        noise = sigma * rng.standard_normal(task.queries.shape)
        for moves, (queries, gallery) in sides.items():
            answers = protocol.answers_to(queries + noise, gallery, metric=metric)
            kept[moves] += answers == clean[moves]
            correct[moves] += answers == task.labels
    return tuple({moves: count / draws for moves, count in counts.items()} for counts in (kept, correct))


EXPERIMENT = Experiment(
    title="Which side moves, which is perturbed, which metric",
    order=70,
    measure=measure_axes,
    kinds=("zero-shot",),
    paper="The paper moves a noisy gallery, Euclidean. Derived here: half of the other ways gain nothing.",
    question="Robustness for every combination of metric, moved side and perturbed side, at one σ.",
    on_request=("pairs",),
    quick={"draws": 40},
    full={"draws": 200},
    galleries={"draws": 12, "partitions": 3},
)
