"""What closing gains under Gaussian noise, with its interval, and what can be expected of it before it is measured.

`exact_row` is the row of every experiment that closes a gap and adds noise: it brings the gain, the law's expectation from
untouched figures and two lengths (closing is turning the noise down, `gapkit.robustness.law`), and the reason if the gallery is crowded.
`gapkit.claims.rules.why_not_asked` reads both.
"""

import math
import warnings
from collections.abc import Callable, Mapping

import numpy as np

from gapkit.errors import GapkitWarning, InputError
from gapkit.experiments import protocol
from gapkit.experiments.data import Task
from gapkit.experiments.drawn import right_after_noise
from gapkit.geometry import Resamples
from gapkit.robustness.law import equal_noise

PARTLY = "at α = 1 only"
"""Why no gain is predicted along the way: the law could, but nobody asks it there."""
SLOPE_QUERIES = 60
"""Queries that a slope is taken on."""


def exact_row(
    setting: Mapping,
    task: Task,
    resamples: Resamples,
    level: protocol.Level,
    *,
    queries: np.ndarray,
    gallery: np.ndarray,
    survives: np.ndarray,
    untouched: np.ndarray,
    seed: int,
    metric: str = "euclidean",
    answers: np.ndarray | None = None,
    before: np.ndarray | None = None,
    noisy: np.ndarray | None = None,
    expect: bool | str = True,
) -> dict:
    """`tidy_row` for exact robustness to Gaussian noise on a gallery, whoever was moved.

    Parameters
    ----------
    setting : columns beside those of the task, the noise and its level
    queries, gallery : as they were moved
    survives, untouched : (m,) robustness, moved and with nothing moved
    answers, before : (m,) clean answers, moved and with nothing moved; found where they are not given
    noisy : (m,) probability that the answer under noise is the right one; drawn where it is not given
    expect : whether to say what the law lets expect of the gain, or why it tells nothing of it
    """
    answers = protocol.answers_to(queries, gallery, metric=metric) if answers is None else answers
    before = protocol.answers_to(task.queries, task.gallery, metric=metric) if before is None else before
    if noisy is None:
        noisy = right_after_noise(
            queries, gallery, task.labels, survives, level.sigma, ids=task.ids, metric=metric, seed=seed
        )
    row = protocol.tidy_row(
        task.head
        | protocol.NOISE_ON_GALLERY
        | {"metric": metric}
        | setting
        | protocol.level_columns(level, task.gallery),
        resamples,
        clean=protocol.right(answers, task),
        noisy=noisy,
        agrees=protocol.same(answers, before),
        survives=survives,
        seed=seed,
    )
    row |= gain_columns(
        task, resamples, level, (queries, gallery), survives, untouched, metric=metric, expect=expect
    )
    return row | {
        "reason": setting.get("reason") or level.reason or (crowded(task) if setting["alpha"] else "")
    }


def gain_columns(
    task: Task,
    resamples: Resamples,
    level: protocol.Level,
    moved: protocol.Sides,
    survives: np.ndarray,
    untouched: np.ndarray,
    *,
    over: tuple[protocol.Sides, np.ndarray] | None = None,
    metric: str = "euclidean",
    name: str = "gain",
    expect: bool | str = True,
) -> dict[str, float]:
    """Columns of a gain in robustness with its interval, and of what could be expected of it beforehand.

    At a calibrated level the gain is as it would be at that untouched robustness exactly (`Resamples.gain`).

    Parameters
    ----------
    moved : queries and gallery after the closer
    survives, untouched : (m,) robustness, moved and with nothing moved
    over : another closer, over which the gain is: queries and gallery after it, and the robustness
    name : of the columns
    expect : whether to say what the law lets expect, or why it tells nothing: the column ``not_predicted``
    """
    relative = untouched + survives - (untouched if over is None else over[1])
    sides = moved, None if over is None else over[0]
    if level.metric == metric:
        slope = _slope(task, level.sigma, *sides, metric)
        target = protocol.TARGETS[protocol.CALIBRATED.index(level.name)]
        found = protocol.columns(name, resamples.gain(relative, untouched, slope=slope, target=target))
    else:
        found = protocol.columns(name, resamples.difference(relative, untouched))
    if isinstance(expect, str):
        return found | {"not_predicted": expect}
    if expect:
        after, before = (
            untouched if side is None else law(task, side, level.sigma, metric) for side in sides
        )
        expected = resamples.difference(after, before)
        found[f"predicted_{name}"] = expected.value
        if metric != "cosine":  # its claim is older than the law for it, and asks every cell
            found |= protocol.columns(f"{name}_expected", expected)
    return found


def law(task: Task, moved: protocol.Sides, sigma: float, metric: str = "euclidean") -> np.ndarray:
    """(m,) robustness that the law lets expect after a closer: that of the untouched sets at σ*; NaN if margins change.

    The closed side is looked at for lengths only (`gapkit.robustness.law`).
    """
    try:
        equal = equal_noise((task.queries, task.gallery), moved, sigma, metric=metric)
    except InputError:
        return np.full(len(task.labels), math.nan)
    if (equal, metric, "law") not in task.known:
        task.known[equal, metric, "law"] = protocol.survival_of(
            task.queries, task.gallery, equal, metric=metric
        )
    return task.known[equal, metric, "law"]


def _slope(
    task: Task, sigma: float, moved: protocol.Sides, over: protocol.Sides | None, metric: str
) -> float:
    """How the gain changes with the untouched robustness as σ does: a difference quotient over some of the queries.

    It turns the width of an interval alone, which forgives it a tenth.
    """
    step = -(-len(task.labels) // SLOPE_QUERIES)

    def mean(side: protocol.Sides, at: float) -> float:
        queries, gallery = side
        gallery = gallery[::step] if gallery.ndim == 3 else gallery
        return float(protocol.survival_of(queries[::step], gallery, at, metric=metric).mean())

    def ends(at: float) -> tuple[float, float]:
        if (at, metric) not in task.known:
            task.known[at, metric] = mean((task.queries, task.gallery), at)
        untouched = task.known[at, metric]
        return mean(moved, at) - (untouched if over is None else mean(over, at)), untouched

    return gain_slope(ends, sigma)


def gain_slope(at: Callable[[float], tuple[float, float]], sigma: float) -> float:
    """How a gain changes with the untouched robustness as σ does, from ``at``: σ -> (gain, untouched), means.

    >>> round(gain_slope(lambda s: (0.1 + 0.5 * s, 1 - s), 0.3), 6)
    -0.5
    """
    (more, weaker), (less, stronger) = at(sigma * 1.03), at(sigma / 1.03)
    return (more - less) / (weaker - stronger) if weaker != stronger else 0.0


def crowded(task: Task) -> str:
    """Why a full-rank shift has little to move: a gallery of about as many rows as dimensions holds most of the gap.

    At least half of the rows that a space has room for, and less than half of ‖g‖² orthogonal to them.
    """
    rows, d = task.gallery.shape[-2:]
    if rows - 1 <= d / 2:
        return ""
    if "crowded" not in task.known:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GapkitWarning)  # nothing to move is a number here, not news
            closer = protocol.fit_closer(protocol.PROJECTED, task)
        gap, left = (float(np.square(z).sum(-1).mean()) for z in (closer.gap_, closer.shift_))
        task.known["crowded"] = (
            f"little is orthogonal: {rows} rows in {d} dimensions leave {left / gap:.0%} of the squared gap "
            "(see retrieval, fewer components)".replace("%", " %")
            if left < gap / 2
            else ""
        )
    return task.known["crowded"]
