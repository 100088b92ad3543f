"""Which lever keeps most answers: the metric, the side that moves, the closer; each computed, none guessed."""

import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gapkit._arrays import ArrayInput
from gapkit._options import check_number
from gapkit.closing.base import SIDES, Closer
from gapkit.closing.projections import AffineProjection, LinearProjection, SpanProjection
from gapkit.closing.shifts import ProjectedShift
from gapkit.errors import GapkitWarning, InputError
from gapkit.geometry import nearest
from gapkit.geometry.galleries import METRICS, queries_and_gallery
from gapkit.robustness import calibrate_sigma, predict_closed, robustness
from gapkit.robustness.law import predict_metric

UNTOUCHED = 0.7
"""Share of Euclidean answers that the default noise leaves as they were."""
TIE = 0.002
"""Levers this near to the best are as good; the simplest of them is advised."""


@dataclass(frozen=True)
class Lever:
    """One way to choose answers, and how many of them survive the noise.

    Attributes
    ----------
    metric : "euclidean", "dot" or "cosine"
    closer : its name, such as "projected shift"; empty where nothing moves
    moves : "gallery" or "queries"; empty where nothing moves
    robustness : mean share of clean answers that survive, exact
    predicted : the same by the law of the gap, from the untouched Euclidean curve or that of the same metric; None where
        the law does not apply
    answers_kept : share of the clean Euclidean answers (of the asked metric's, if one was asked for) that this
        lever gives without noise
    guaranteed : whether all of them are provably kept, for this gallery and any query, once the metric is chosen
    """

    metric: str
    closer: str
    moves: str
    robustness: float
    predicted: float | None
    answers_kept: float
    guaranteed: bool


@dataclass(frozen=True)
class Advice:
    """What to do about one set of embeddings.

    Attributes
    ----------
    sigma : standard deviation of the noise on the gallery, per coordinate
    levers : all that were compared, best first
    best : the one advised: the simplest within `TIE` of the best of those that keep every clean answer
    untouched : nothing moved, in the metric asked for (Euclidean distance if none was)
    """

    sigma: float
    levers: tuple[Lever, ...]
    best: Lever
    untouched: Lever


def advise(
    queries: ArrayInput, gallery: ArrayInput, *, metric: str | None = None, sigma: float | int | None = None
) -> Advice:
    r"""Which metric, which side to move and which closer keep most answers under noise on the gallery.

    Three metrics × nothing, the projected shift of either side, and the projections of the queries, each with its
    exact robustness. Advised is, of those that change no clean answer, the best; among equals the simplest: nothing, then another
    metric, then a shift, then a projection.

    Parameters
    ----------
    queries : (m, d) array-like
    gallery : (K, d) array-like, K ≥ 2
    metric : only this one; all three if left out
    sigma : standard deviation of the noise per coordinate; if left out, the one that leaves 0.7 of the answers under
        ``metric`` (Euclidean distance if that is left out) with nothing moved

    Returns
    -------
    Advice

    Raises
    ------
    InputError
        If the sets do not fit together, or no noise leaves 0.7 of the answers (then name ``sigma``).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> texts = np.eye(6)[:4]                                           # a gap along the sixth dimension
    >>> images = texts + 0.1 * rng.standard_normal((4, 6)) + 2 * np.eye(6)[5]
    >>> best = advise(images, texts, metric="euclidean").best
    >>> best.closer, best.guaranteed
    ('projected shift', True)
    """
    metrics = METRICS if metric is None else (metric,)
    first = metrics[0]
    y, x = queries_and_gallery(queries, gallery, first)
    x = x.double()
    if len(x) < 2:
        raise InputError("gallery must have at least 2 rows: with one candidate no answer can change")
    if sigma is None:
        sigma = calibrate_sigma(y, x, UNTOUCHED, metric=first, tolerance=1e-4)
    else:
        sigma = check_number(sigma, "sigma", above=0.0)
    wanted = nearest(y, x, metric=first)
    levers = [lever for each in metrics for lever in _levers(y, x, sigma, each, first, wanted)]
    keeping = [lever for lever in levers if lever.answers_kept == 1]
    top = max(lever.robustness for lever in keeping)
    near = [lever for lever in keeping if lever.robustness >= top - TIE]
    best = min(near, key=lambda lever: (_effort(lever, first), -lever.robustness))
    ranked = sorted(levers, key=lambda lever: -lever.robustness)
    untouched = next(lever for lever in levers if lever.metric == first and not lever.closer)
    return Advice(sigma, tuple(ranked), best, untouched)


def _effort(lever: Lever, first: str) -> int:
    """How much has to change: nothing, the metric, a shift (one vector), a projection (a matrix)."""
    move = {"": 0, ProjectedShift.name: 2}.get(lever.closer, 4)
    return move + (lever.metric != first)


def _levers(
    y: Float[Tensor, "m d"], x: Float[Tensor, "k d"], sigma: float, metric: str, first: str, wanted: Tensor
) -> list[Lever]:
    untouched = float(robustness(y, x, sigma=sigma, metric=metric).mean())
    predicted = None if metric == first else _law(predict_metric, y, x, sigma, metric=metric, known=first)
    kept = _share(nearest(y, x, metric=metric), wanted)
    levers = [Lever(metric, "", "", untouched, predicted, kept, metric == first)]
    for closer in _closers(metric):
        with warnings.catch_warnings(action="ignore", category=GapkitWarning):
            closer.fit(x, y)  # that nothing is left to move shows in the numbers
        moved_x, moved_y = closer.transform_pair(x, y)
        if torch.equal(moved_x, x) and torch.equal(moved_y, y):
            continue
        after = float(robustness(moved_y, moved_x, sigma=sigma, metric=metric).mean())
        predicted = _law(predict_closed, y, x, sigma, closer=closer, metric=metric)
        kept = _share(nearest(moved_y, moved_x, metric=metric), wanted)
        moved = (metric, closer.name, closer.moves)
        levers.append(Lever(*moved, after, predicted, kept, metric in closer.guarantee))
    return levers


def _closers(metric: str) -> list[Closer]:
    """Those that keep answers; under the dot product a moved gallery, and under Euclid the side, makes no difference.

    The span projection only where it may be the best: a proof gives Euclid the affine one and the dot product the linear.
    """
    sides = {"euclidean": SIDES[:1], "dot": SIDES[1:], "cosine": SIDES}[metric]
    open_question = [SpanProjection()] if metric == "cosine" else []
    shifts = [ProjectedShift(moves=side) for side in sides]
    return [*shifts, AffineProjection(), LinearProjection(), *open_question]


def _law(predict, *args, **options) -> float | None:
    """The law's value, or None where it refuses."""
    try:
        return predict(*args, **options)
    except InputError:
        return None


def _share(answers: Tensor, wanted: Tensor) -> float:
    return float((answers == wanted).double().mean())
