"""The natural experiment on published models: does a wider gap gain more from closing it?

Every set of pairs that was asked for is one model, whatever it is about; galleries of ten, because every set has enough
pairs for them. The order of the models by ‖g‖ is compared with their order by gain, and chance is the order of the models
drawn anew: a permutation test over models, exact for up to eight.
"""

import numpy as np
import pandas as pd

from gapkit.experiments import protocol
from gapkit.experiments.data import load_set
from gapkit.experiments.family import LEAST_SETTINGS, permuted_rank_correlation
from gapkit.experiments.gains import UnderNoise
from gapkit.experiments.galleries import gallery_task
from gapkit.experiments.record import Experiment, Job, Rows

SIZE = 10


def measure_model(job: Job) -> dict[str, Rows]:
    """One model: its gap, and what the two closers gain on galleries of ten at each calibrated level."""
    entries = load_set(*job.source)
    if len(entries.images) < 5 * SIZE or entries.task != "pairs":
        return {}
    task = gallery_task(entries, job.model, job.dataset, SIZE, seed=job.seed)
    resamples = task.resamples(job.seed)
    closer = protocol.fit_closer(protocol.PROJECTED, task)
    texts, images = (z.astype(np.float64) for z in entries.modalities())
    about = {"model": job.model, "dataset": job.dataset, "candidates": SIZE}
    gap, shifts = np.linalg.norm(images.mean(0) - texts.mean(0)), np.linalg.norm(closer.shift_, axis=-1)
    about |= {"pairs": len(entries.images) - task.dropped}
    about |= {"gap_norm": float(gap), "shift_norm": float(shifts.mean())}
    answers = protocol.answers_to(task.queries, task.gallery)
    about |= protocol.columns("clean_accuracy", resamples.mean(protocol.right(answers, task)))
    sides = {"gain": (task.queries, protocol.shift_gallery(task.gallery, closer, 1.0))}
    sides["affine_gain"] = protocol.fit_closer(protocol.AFFINE, task).transform(task.queries), task.gallery
    rows = []
    for level in protocol.calibrated_levels(task):
        noise = UnderNoise(task, level, seed=job.seed)
        row = about | protocol.level_columns(level, task.gallery)
        row |= protocol.columns("untouched", resamples.mean(noise.untouched))
        for name, side in sides.items():
            row |= noise.gain(side, noise.survival(side), name=name)
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
        pairs = one_each["dataset"].str.partition("-")[0]  # coco100 of the published name coco100-cyclip
        alike = {f"the same pairs ({name})": same for name, same in one_each.groupby(pairs, sort=False)}
        sets = {"all sets": one_each} | {name: same for name, same in alike.items() if len(same) > 2}
        for name, some in sets.items():
            estimate = permuted_rank_correlation(some["gap_norm"], some["gain"], seed=seed)
            few = f"only {len(some)} model{'s' * (len(some) > 1)}; {LEAST_SETTINGS} are needed"
            reason = few if len(some) < LEAST_SETTINGS else ""
            rows.append({"dataset": name, "level": level, "reason": reason} | estimate)
    return [{"model": "all models", "seed": seed, "check": "gap and gain"} | row for row in rows]


EXPERIMENT = Experiment(
    title="The natural experiment on real models",
    order=140,
    measure=measure_model,
    kinds=("nothing shipped",),
    paper="If distance is what costs robustness, models with a wider gap must gain more from closing it.",
    question="Published models, on galleries of ten at matched untouched robustness, against chance.",
    on_request=("pairs",),
    compare=compare_models,
)
