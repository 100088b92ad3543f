"""What closing gains under Gaussian noise, with its interval, and what can be expected of it before it is measured.

`UnderNoise` gives the rows of every experiment that closes a gap and adds noise: with the gain, the law's expectation from
untouched figures and two lengths (closing is turning the noise down, `gapkit.robustness.law`), and the reason if the
gallery is crowded.
`gapkit.claims.rules.why_not_asked` reads both.
"""

import functools
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


class UnderNoise:
    """A task under Gaussian noise on its gallery, at one level and under one metric: what a closer gains there.

    Parameters
    ----------
    task, level : what is asked, and the noise
    seed : of everything random
    metric : by which answers are found; the level may have been calibrated under another
    resamples : the queries that all intervals share; the task's own if left out
    """

    def __init__(
        self,
        task: Task,
        level: protocol.Level,
        *,
        seed: int,
        metric: str = "euclidean",
        resamples: Resamples | None = None,
    ) -> None:
        self.task, self.level, self.seed, self.metric = task, level, seed, metric
        self.resamples = resamples or task.resamples(seed)

    @functools.cached_property
    def untouched(self) -> np.ndarray:
        """(m,) robustness with nothing moved."""
        return self.survival((self.task.queries, self.task.gallery))

    @functools.cached_property
    def before(self) -> np.ndarray:
        """(m,) clean answers with nothing moved, which are the same at every level."""
        known = self.task.known
        if ("answers", self.metric) not in known:
            known["answers", self.metric] = self.answers((self.task.queries, self.task.gallery))
        return known["answers", self.metric]

    def survival(self, moved: protocol.Sides) -> np.ndarray:
        """(m,) robustness of queries and a gallery, as they were moved."""
        return protocol.survival_of(*moved, self.level.sigma, metric=self.metric)

    def answers(self, moved: protocol.Sides) -> np.ndarray:
        """(m,) clean answers of queries to a gallery, as they were moved."""
        return protocol.answers_to(*moved, metric=self.metric)

    def right(self, moved: protocol.Sides, survives: np.ndarray) -> np.ndarray:
        """(m,) probability that the answer under noise is the right one, drawn where robustness does not say it."""
        task, sigma = self.task, self.level.sigma
        told = {"ids": task.ids, "metric": self.metric, "seed": self.seed}
        return right_after_noise(*moved, task.labels, survives, sigma, **told)

    def row(
        self,
        setting: Mapping,
        moved: protocol.Sides,
        survives: np.ndarray,
        *,
        answers: np.ndarray | None = None,
        noisy: np.ndarray | None = None,
        expect: bool | str = True,
    ) -> dict:
        """`tidy_row` with the gain, what could be expected of it, and the reason if the gallery is crowded.

        Parameters
        ----------
        setting : columns beside those of the task, the noise and its level
        moved : queries and gallery after the closer
        survives : (m,) their robustness
        answers, noisy : (m,) clean answers, and probability that the answer under noise is the right one, if known
        expect : whether to say what the law lets expect of the gain, or why it tells nothing of it
        """
        task, answers = self.task, self.answers(moved) if answers is None else answers
        about = task.head | protocol.NOISE_ON_GALLERY | {"metric": self.metric} | setting
        about |= protocol.level_columns(self.level, task.gallery)
        noisy = self.right(moved, survives) if noisy is None else noisy
        clean, agrees = protocol.right(answers, task), protocol.same(answers, self.before)
        known = {"clean": clean, "noisy": noisy, "agrees": agrees, "survives": survives}
        row = protocol.tidy_row(about, self.resamples, **known, seed=self.seed)
        reason = self.level.reason or (crowded(task) if setting["alpha"] else "")
        return row | self.gain(moved, survives, expect=expect) | {"reason": reason}

    def gain(
        self,
        moved: protocol.Sides,
        survives: np.ndarray,
        *,
        over: tuple[protocol.Sides, np.ndarray] | None = None,
        name: str = "gain",
        expect: bool | str = True,
    ) -> dict[str, float]:
        """Columns of a gain in robustness with its interval, and of what could be expected of it beforehand.

        At a calibrated level the gain is as it would be at that untouched robustness exactly (`Resamples.gain`).

        Parameters
        ----------
        moved, survives : as `row`
        over : another closer, over which the gain is: queries and gallery after it, and the robustness
        name : of the columns
        expect : whether to say what the law lets expect, or why it tells nothing: the column ``not_predicted``
        """
        untouched, sigma, metric = self.untouched, self.level.sigma, self.metric
        relative = untouched + survives - (untouched if over is None else over[1])
        sides = moved, None if over is None else over[0]
        if self.level.metric == metric:
            slope = _slope(self.task, sigma, *sides, metric)
            target = protocol.TARGETS[protocol.CALIBRATED.index(self.level.name)]
            gain = self.resamples.gain(relative, untouched, slope=slope, target=target)
        else:
            gain = self.resamples.difference(relative, untouched)
        row = protocol.columns(name, gain)
        if isinstance(expect, str):
            return row | {"not_predicted": expect}
        if expect:
            after, before = (untouched if z is None else law(self.task, z, sigma, metric) for z in sides)
            if np.isnan(after + before).any():
                return row | {"not_predicted": "margins do not stay as they were"}
            expected = self.resamples.difference(after, before)
            row[f"predicted_{name}"] = expected.value
            if metric != "cosine":  # its claim is older than the law for it, and asks every cell
                row |= protocol.columns(f"{name}_expected", expected)
        return row


def law(task: Task, moved: protocol.Sides, sigma: float, metric: str = "euclidean") -> np.ndarray:
    """(m,) robustness that the law lets expect after a closer: that of the untouched sets at σ*; NaN if margins change.

    The closed side is looked at for lengths only (`gapkit.robustness.law`).
    """
    try:
        equal = equal_noise((task.queries, task.gallery), moved, sigma, metric=metric)
    except InputError:
        return np.full(len(task.labels), math.nan)
    if (equal, metric, "law") not in task.known:
        known = protocol.survival_of(task.queries, task.gallery, equal, metric=metric)
        task.known[equal, metric, "law"] = known
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
        # Nothing to move is a number here, not news.
        with warnings.catch_warnings(action="ignore", category=GapkitWarning):
            closer = protocol.fit_closer(protocol.PROJECTED, task)
        gap, left = (float(np.square(z).sum(-1).mean()) for z in (closer.gap_, closer.shift_))
        why = f"little is orthogonal: {rows} rows in {d} dimensions leave {100 * (left / gap):.0f} % "
        why += "of the squared gap (see retrieval, fewer components)"
        task.known["crowded"] = why if left < gap / 2 else ""
    return task.known["crowded"]
