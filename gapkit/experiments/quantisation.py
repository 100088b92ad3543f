"""Coarser numbers in the stored gallery: uniform bins, int8 and binary codes.

What is stored is the moved gallery, so here the shift comes first and the rounding after it. The fixed range is
one for all coordinates and all α, wide enough for every untouched embedding; "±1" holds every unit
vector. A range fitted to each dimension of the stored gallery moves along with a translation: rounding then moving and
moving then rounding are the same.

One rounding is shared by all queries, and which way it falls is an accident of the axes. So it is done again in random
rotations of the space, which leave everything else as it is: values are means over rotations, and intervals are over
rotations and queries. (For embeddings that are known up to a rotation only it is all that can be asked.)

Rounding can make rows of the gallery equal. A query whose nearest stored row has a twin has lost its answer, and counts
as lost and as wrong, untouched or closed: which of the twins an index returns is an accident of their order.
"""

import itertools
import math
from collections import Counter

import numpy as np
from scipy.stats import t as student

from gapkit.experiments import protocol
from gapkit.experiments.data import Task
from gapkit.experiments.gains import crowded
from gapkit.experiments.galleries import task_of
from gapkit.experiments.record import Experiment, Job, Rows
from gapkit.geometry import Interval, Resamples, nearest
from gapkit.perturbations import BinaryCodes, Int8Codes, UniformQuantization
from gapkit.perturbations.base import Perturbation
from gapkit.robustness.score_noise import equal_sigma

ALPHAS = (0.0, 1.0)
BINS = (8, 16, 32, 64, 128, 256)
"""Numbers of bins: the paper's from 32 on, and coarser ones, at which smaller models lose answers too."""
ROTATIONS = 8
TIED = -1


def measure_quantisation(job: Job) -> dict[str, Rows]:
    """Share of answers that survive each code, untouched and closed, over random rotations.

    Options
    -------
    rotations : how many
    galleries, partitions : see `gapkit.experiments.galleries.task_of`
    """
    task = task_of(job)
    closer = protocol.fit_closer(protocol.PROJECTED, task)
    resamples, rng = task.resamples(job.seed), np.random.default_rng([job.seed, 6])
    closed = protocol.shift_gallery(task.gallery, closer, 1.0)
    sides = zip(ALPHAS, (task.gallery, closed), strict=True)
    clean = {alpha: protocol.answers_to(task.queries, gallery) for alpha, gallery in sides}
    found: dict[tuple[str, str, float], list[np.ndarray]] = {}
    for _ in range(int(job.options.get("rotations", ROTATIONS))):
        turn = np.linalg.qr(rng.standard_normal((task.gallery.shape[-1],) * 2))[0]
        queries, gallery, shift = task.queries @ turn, task.gallery @ turn, closer.shift_ @ turn
        for noise, level, code in _codes(queries, gallery):
            for alpha in ALPHAS:
                stored = _stored(code, gallery + alpha * shift)
                found.setdefault((noise, level, alpha), []).append(unique_answers(queries, stored))
    expected, rows = _expectation(task, closed), []
    for (noise, level, alpha), coarse in found.items():
        both = ((np.stack(found[noise, level, a]), clean[a]) for a in (alpha, 0.0))
        kept, before = (protocol.same(answers, untouched) for answers, untouched in both)  # (rotations, m)
        row = protocol.tidy_row(
            task.head
            | {"closer": protocol.PROJECTED, "alpha": alpha, "noise": noise, "noise_on": "gallery"}
            | {"metric": "euclidean", "level": level, "method": "counted"},
            resamples,
            clean=protocol.right(clean[alpha], task),
            noisy=np.mean([protocol.right(answers, task) for answers in coarse], 0),
            agrees=protocol.same(clean[alpha], clean[0.0]),
            survives=kept.mean(0),
            seed=job.seed,
        )
        row |= protocol.columns("robustness", over_rotations(kept, resamples))
        row |= protocol.columns("gain", over_rotations(kept - before, resamples))
        if alpha == 1.0:
            row |= protocol.columns("gain_expected", expected(over_rotations(before, resamples)))
        tied = float(np.mean([answers == TIED for answers in coarse]))
        rows.append(row | {"rotations": len(coarse), "tied": tied, "reason": crowded(task)})
    return {"quantisation": rows}


def over_rotations(values: np.ndarray, resamples: Resamples) -> Interval:
    """Mean of (rotations, m) values; its half-width is that over queries and the t one over rotations, in quadrature."""
    value, low, high = resamples.mean(values.mean(0))
    count = len(values)
    reach = values.mean(1).std(ddof=1) / math.sqrt(count) * student.ppf(0.975, count - 1)
    return Interval(value, value - math.hypot(value - low, reach), value + math.hypot(high - value, reach))


def _expectation(task: Task, closed: np.ndarray):
    """What the law lets expect of a code: the gain under that Gaussian noise which as many untouched answers survive.

    The half-width is that of the untouched share: by it the gain would be known if the closed share were known.
    """
    step = -(-len(task.labels) // 60)
    some = task.gallery[::step] if task.gallery.ndim == 3 else task.gallery
    d = task.gallery.shape[-1]
    spread = float(np.sqrt(task.gallery.var(axis=-2).sum(-1).mean() / d))
    noises = spread * np.geomspace(5.0, 0.02, 24)
    curve = np.array([float(protocol.survival_of(task.queries[::step], some, s).mean()) for s in noises])
    answers = protocol.answers_to(task.queries, task.gallery)
    chosen = (_chosen(gallery, answers) for gallery in (task.gallery, closed))
    before, after = (float(np.square(task.queries - rows).sum(-1).mean()) for rows in chosen)

    def expected(untouched: Interval) -> Interval:
        sigma = float(np.interp(untouched.value, np.maximum.accumulate(curve), noises))
        star = equal_sigma(sigma, before, after, d / 2)
        gain = float(np.interp(-star, -noises, curve) - np.interp(-sigma, -noises, curve))
        width = (untouched.high - untouched.low) / 2
        return Interval(gain, gain - width, gain + width)

    return expected


def _chosen(gallery: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The gallery's row that answers each query."""
    if gallery.ndim == 2:
        return gallery[answers]
    return np.take_along_axis(gallery, answers.reshape(len(gallery), -1, 1), 1)


def unique_answers(queries: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """(m,) nearest stored rows; `TIED` where the nearest row is there twice."""
    if stored.ndim == 3:
        return np.concatenate([unique_answers(y, x) for y, x in zip(queries, stored, strict=True)])
    rows = [row.tobytes() for row in stored + 0.0]  # −0.0 and 0.0 are one code
    times = Counter(rows)
    copies = np.array([times[row] for row in rows])
    answers = nearest(queries, stored)
    return np.where(copies[answers] > 1, TIED, answers)


def _stored(code: Perturbation, gallery: np.ndarray) -> np.ndarray:
    """The gallery as it is stored; of many, each with ranges of its own."""
    return np.stack([code.apply(rows) for rows in gallery]) if gallery.ndim == 3 else code.apply(gallery)


def _codes(queries: np.ndarray, gallery: np.ndarray) -> list[tuple[str, str, Perturbation]]:
    """(kind of code, fineness, the code itself)."""
    limit = float(max(np.abs(gallery).max(), np.abs(queries).max()))
    fixed = {"range": "fixed", "limit": limit}
    ranges = {"fixed range": fixed, "range ±1": fixed | {"limit": 1.0}, "fitted range": {"range": "fitted"}}
    kinds = itertools.product(BINS, ranges.items())
    codes = [(kind, f"{bins} bins", UniformQuantization(bins, **how)) for bins, (kind, how) in kinds]
    codes += [("int8", "scale of each row", Int8Codes()), ("binary", "sign", BinaryCodes())]
    return [*codes, ("binary, centred", "sign about the mean", BinaryCodes(threshold="mean"))]


EXPERIMENT = Experiment(
    title="Quantised galleries",
    order=100,
    measure=measure_quantisation,
    kinds=("zero-shot", "near-twins"),
    paper="With the gap closed, more answers survive quantisation to 32, 64, 128 or 256 bins.",
    question="The moved gallery in fixed and fitted ranges, int8 and binary codes, under random rotations.",
    on_request=("pairs",),
    full={"rotations": 20},
    galleries={"partitions": 2},
)
