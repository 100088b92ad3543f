"""Coarser numbers in the stored gallery: uniform bins, int8 and binary codes.

What is stored is the moved gallery, so here the shift comes first and the rounding after it. The fixed range is
one for all coordinates and all α, wide enough for every untouched embedding; "±1" holds every unit
vector. A range fitted to each dimension of the stored gallery moves along with a translation: rounding then moving and
moving then rounding are the same.
"""

import numpy as np

from gapkit.experiments.intervals import Estimate, columns
from gapkit.experiments.levels import BINS
from gapkit.experiments.protocol import PROJECTED, answers_after, fit_closer, right, same, shift_gallery
from gapkit.experiments.subject import Task, zero_shot_task
from gapkit.experiments.sweep import Job, Rows
from gapkit.geometry import nearest
from gapkit.perturbations import BinaryCodes, Int8Codes, Perturbation, UniformQuantization

ALPHAS = (0.0, 0.5, 1.0)
NOTHING_TO_GAIN = 0.995


def measure_quantisation(job: Job) -> dict[str, Rows]:
    """Share of answers that survive each code, untouched and closed."""
    task = zero_shot_task(job.model, job.dataset)
    closer = fit_closer(PROJECTED, task)
    resamples = task.resamples(job.seed)
    rows = []
    for noise, level, code in _codes(task):
        kept = {}
        for alpha in ALPHAS:
            clean = answers_after(task, closer, alpha)
            stored = code.apply(shift_gallery(task.gallery, closer, alpha))
            coarse = nearest(task.queries, stored)
            kept[alpha] = same(coarse, clean)
            gain = resamples.difference(kept[alpha], kept[0.0])
            rows.append(
                task.head
                | {"closer": PROJECTED, "alpha": alpha, "metric": "euclidean", "noise": noise, "level": level}
                | columns("clean_accuracy", resamples.mean(right(clean, task)))
                | columns("noisy_accuracy", resamples.mean(right(coarse, task)))
                | columns("robustness", resamples.mean(kept[alpha]))
                | columns("gain", gain)
                | {"method": "counted", "queries": len(task.queries), "seed": job.seed}
                | {"reason": _reason(kept[0.0], gain)}
            )
    return {"quantisation": rows}


def _codes(task: Task) -> list[tuple[str, str, Perturbation]]:
    """(kind of code, fineness, the code itself)."""
    limit = float(max(np.abs(task.gallery).max(), np.abs(task.queries).max()))
    codes: list[tuple[str, str, Perturbation]] = []
    for bins in BINS:
        codes += [
            ("fixed range", f"{bins} bins", UniformQuantization(bins, range="fixed", limit=limit)),
            ("range ±1", f"{bins} bins", UniformQuantization(bins, range="fixed", limit=1.0)),
            ("fitted range", f"{bins} bins", UniformQuantization(bins, range="fitted")),
        ]
    return [
        *codes,
        ("int8", "scale of each row", Int8Codes()),
        ("binary", "sign", BinaryCodes()),
        ("binary, centred", "sign about the mean", BinaryCodes(threshold="mean")),
    ]


def _reason(untouched: np.ndarray, gain: Estimate) -> str:
    """Where all answers survive anyway no gain can be seen; a loss can."""
    mean = float(untouched.mean())
    if mean > NOTHING_TO_GAIN and gain.high >= 0:
        return f"nothing to gain: {mean:.3f} of answers survive untouched"
    return ""
