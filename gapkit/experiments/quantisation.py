"""Coarser numbers in the stored gallery: uniform bins, int8 and binary codes.

What is stored is the moved gallery, so here the shift comes first and the rounding after it. The fixed range is
one for all coordinates and all α, wide enough for every untouched embedding; "±1" holds every unit
vector. A range fitted to each dimension of the stored gallery moves along with a translation: rounding then moving and
moving then rounding are the same.

Rounding can make rows of the gallery equal. A query whose nearest stored row has a twin has lost its answer, and counts
as lost and as wrong, untouched or closed: which of the twins an index returns is an accident of their order.
"""

import numpy as np

from gapkit.experiments import protocol
from gapkit.experiments.data import Task, load_set
from gapkit.experiments.galleries import task_of
from gapkit.experiments.record import Experiment, Job, Rows
from gapkit.geometry import nearest
from gapkit.perturbations import BinaryCodes, Int8Codes, UniformQuantization
from gapkit.perturbations.base import Perturbation

ALPHAS = (0.0, 0.5, 1.0)
BINS = (32, 64, 128, 256)
"""Numbers of bins of the paper's quantisation."""
NOTHING_TO_GAIN = 0.995
TIED = -1
ROTATED = "known up to a rotation only (from a matrix of cosines): the model's coordinates are lost"


def measure_quantisation(job: Job) -> dict[str, Rows]:
    """Share of answers that survive each code, untouched and closed."""
    task = task_of(job)
    rotated = "gram" in load_set(*job.source).metadata
    closer = protocol.fit_closer(protocol.PROJECTED, task)
    resamples = task.resamples(job.seed)
    rows = []
    for noise, level, code in _codes(task):
        kept = {}
        for alpha in ALPHAS:
            clean = protocol.answers_after(task, closer, alpha)
            stored = _stored(code, protocol.shift_gallery(task.gallery, closer, alpha))
            coarse = unique_answers(task.queries, stored)
            kept[alpha] = protocol.same(coarse, clean)
            row = protocol.tidy_row(
                task.head
                | {"closer": protocol.PROJECTED, "alpha": alpha, "noise": noise, "noise_on": "gallery"}
                | {"metric": "euclidean", "level": level, "method": "counted"},
                resamples,
                clean=protocol.right(clean, task),
                noisy=protocol.right(coarse, task),
                agrees=protocol.same(clean, protocol.answers_after(task, closer, 0.0)),
                survives=kept[alpha],
                untouched=kept[0.0],
                seed=job.seed,
            )
            rows.append(
                row
                | {
                    "tied": float((coarse == TIED).mean()),
                    "reason": ROTATED if rotated else _reason(kept[0.0]),
                }
            )
    return {"quantisation": rows}


def unique_answers(queries: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """(m,) nearest stored rows; `TIED` where the nearest row is there twice."""
    if stored.ndim == 3:
        return np.concatenate([unique_answers(y, x) for y, x in zip(queries, stored, strict=True)])
    twins = np.unique(stored, axis=0, return_inverse=True, return_counts=True)
    copies = twins[2][twins[1].reshape(-1)]
    answers = nearest(queries, stored)
    return np.where(copies[answers] > 1, TIED, answers)


def _stored(code: Perturbation, gallery: np.ndarray) -> np.ndarray:
    """The gallery as it is stored; of many, each with ranges of its own."""
    return np.stack([code.apply(rows) for rows in gallery]) if gallery.ndim == 3 else code.apply(gallery)


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


def _reason(untouched: np.ndarray) -> str:
    """Where all answers survive anyway no gain can be seen: a matter of the untouched gallery, whatever comes out."""
    mean = float(untouched.mean())
    if mean > NOTHING_TO_GAIN:
        return f"nothing to gain: {mean:.3f} of answers survive untouched"
    return ""


EXPERIMENT = Experiment(
    name="quantisation",
    title="Quantised galleries",
    order=100,
    measure=measure_quantisation,
    kinds=("zero-shot",),
    paper="With the gap closed, more answers survive when embeddings are quantised to 32, 64, 128 or 256 bins.",
    question="The stored, moved gallery is quantised with one fixed range and with a range fitted to each dimension, besides int8 and binary codes.",
    on_request=("pairs",),
    galleries={"partitions": 3},
)
