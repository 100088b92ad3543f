"""The natural experiment on published models: does a wider gap gain more from closing it?

Every set of pairs that was asked for is one model, whatever it is about; galleries of ten, because every set has enough
pairs for them. The order of the models by ‖g‖ is compared with their order by gain, and chance is the order of the models
drawn anew: a permutation test over models, exact for up to eight.
"""

import itertools

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from gapkit.experiments import protocol
from gapkit.experiments.data import load_set
from gapkit.experiments.galleries import gallery_task
from gapkit.experiments.record import Experiment, Job, Rows

SIZE = 10
PARTITIONS = 10
LEAST_MODELS = 6
"""Of fewer the smallest p of a permutation is hardly below 0.05: 1/24 for four."""
EXACT = 8
DRAWS = 20_000


def measure_model(job: Job) -> dict[str, Rows]:
    """One model: its gap, and what the two closers gain on galleries of ten at each calibrated level."""
    entries = load_set(*job.source)
    if len(entries.images) < 5 * SIZE or entries.task != "pairs":
        return {}
    task = gallery_task(entries, job.model, job.dataset, SIZE, partitions=PARTITIONS, seed=job.seed)
    resamples = task.resamples(job.seed)
    closer = protocol.fit_closer(protocol.PROJECTED, task)
    texts, images = (z.astype(np.float64) for z in entries.modalities())
    about = {
        "model": job.model,
        "dataset": job.dataset,
        "candidates": SIZE,
        "pairs": len(entries.images) - task.dropped,
        "gap_norm": float(np.linalg.norm(images.mean(0) - texts.mean(0))),
        "shift_norm": float(np.linalg.norm(closer.shift_, axis=-1).mean()),
    }
    about |= protocol.columns(
        "clean_accuracy",
        resamples.mean(protocol.right(protocol.answers_to(task.queries, task.gallery), task)),
    )
    sides = {
        "gain": (task.queries, protocol.shift_gallery(task.gallery, closer, 1.0)),
        "affine_gain": (protocol.fit_closer(protocol.AFFINE, task).transform(task.queries), task.gallery),
    }
    rows = []
    for level in protocol.calibrated_levels(task):
        untouched = protocol.survival_of(task.queries, task.gallery, level.sigma)
        row = (
            about
            | protocol.level_columns(level, task.gallery)
            | protocol.columns("untouched", resamples.mean(untouched))
        )
        for name, side in sides.items():
            values = protocol.survival_of(*side, level.sigma)
            row |= protocol.columns(
                name, protocol.calibrated_gain(task, resamples, level, side, values, untouched)
            )
            row[f"predicted_{name}"] = protocol.predicted_gain(task, level.sigma, side)
        rows.append(row | {"seed": job.seed})
    return {"real-models": rows}


def compare_models(models: pd.DataFrame, seed: int) -> Rows:
    """Whether wider gaps gained more: all models, and those that embedded the very same pairs.

    Parameters
    ----------
    models : the table ``"real-models"``
    seed : of the drawn orders, where there are too many models for all
    """
    rows = []
    for level, group in models.groupby("level", sort=False):
        one_each = group.drop_duplicates(["model", "dataset"])
        sets = {"all sets": one_each}
        sets |= {
            f"the same pairs ({dataset})": same
            for dataset, same in one_each.groupby(_pairs_of(one_each), sort=False)
            if len(same) > 2
        }
        for name, some in sets.items():
            estimate = permuted_rank_correlation(some["gap_norm"], some["gain"], seed=seed)
            few = "" if len(some) >= LEAST_MODELS else f"only {len(some)} models; {LEAST_MODELS} are needed"
            rows.append({"check": "gap and gain", "dataset": name, "level": level, "reason": few} | estimate)
    return [{"model": "all models", "seed": seed} | row for row in rows]


def _pairs_of(models: pd.DataFrame) -> pd.Series:
    """What the pairs of each set are, by the first word of a published name: coco100 of coco100-cyclip."""
    return models["dataset"].str.partition("-")[0]


def permuted_rank_correlation(first, second, *, seed: int = 0) -> dict[str, float]:
    """Spearman's ρ with the p of a permutation test, for more of the one with more of the other.

    The interval is ρ minus and plus the value that 95 % of all orders stay below: its lower end is above 0 where p < 0.05.

    Examples
    --------
    >>> found = permuted_rank_correlation([1, 2, 3, 4], [10, 20, 30, 40])
    >>> found["value"], round(found["p"], 4)          # one order of 24 is as good
    (1.0, 0.0417)
    """
    a, b = (rankdata(np.asarray(z, dtype=float)) for z in (first, second))
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    members = {"members": len(a), "settings": len(a)}
    if len(a) < 3 or scale == 0:
        return dict.fromkeys(("value", "value_low", "value_high", "p"), float("nan")) | members
    if len(a) <= EXACT:
        orders = np.array(list(itertools.permutations(range(len(a)))))
    else:
        rng = np.random.default_rng([seed, 5])
        orders = np.stack([np.arange(len(a)), *(rng.permutation(len(a)) for _ in range(DRAWS))])
    chance = (b[orders] @ a) / scale
    value = float(a @ b) / scale
    reach = float(np.quantile(chance, 0.95, method="higher"))
    return {
        "value": value,
        "value_low": max(value - reach, -1.0),
        "value_high": min(value + reach, 1.0),
        "p": float(np.mean(chance >= value - 1e-12)),
    } | members


EXPERIMENT = Experiment(
    name="real-models",
    title="The natural experiment on real models",
    order=140,
    measure=measure_model,
    kinds=("nothing shipped",),
    paper="If distance is what costs robustness, models with a wider gap must gain more from closing it.",
    question="Published models, whatever they embed, on galleries of ten at matched untouched robustness; chance is the order of the models drawn anew.",
    on_request=("pairs",),
    compare=compare_models,
)
