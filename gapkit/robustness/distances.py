"""Clean distances, margins and answers of a block of queries, with the digits that small noise asks for."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gapkit.geometry.neighbours import answers_of, cost_block

_CLOSE = 1e-3
_PAIRS = 2**22


def clean_answers(y: Float[Tensor, "m d"], x: Float[Tensor, "k d"], metric: str) -> Int[Tensor, " m"]:
    """Nearest candidate of each query, both sides prepared for the metric."""
    return answers_of(*cost_block(y, x, metric), y, x, metric)


def squares_and_answers(
    y: Float[Tensor, "m d"], x: Float[Tensor, "k d"], metric: str
) -> tuple[Float[Tensor, "m k"], Int[Tensor, " m"]]:
    """‖x_k − y‖² and the answers, both sides prepared for the metric (unit rows for the cosine).

    ‖x‖² + ‖y‖² − 2 x·y loses the digits by which ‖x‖² exceeds it; for close pairs the difference itself is taken.
    """
    costs, tie = cost_block(y, x, metric)
    answers = answers_of(costs, tie, y, x, metric)
    own, theirs = y.square().sum(1, keepdim=True), x.square().sum(1)
    squares = costs.mul_(2).add_(own + theirs) if metric == "cosine" else costs.add_(own)
    squares.clamp_min_(0)
    rows, columns = (squares < _CLOSE * (own + theirs)).nonzero(as_tuple=True)
    step = max(1, _PAIRS // y.shape[1])
    for first in range(0, len(rows), step):
        r, c = rows[first : first + step], columns[first : first + step]
        squares[r, c] = (y[r] - x[c]).square().sum(1)
    return squares, answers


def margins_and_answers(
    y: Float[Tensor, "m d"], x: Float[Tensor, "k d"]
) -> tuple[Float[Tensor, "m k"], Int[Tensor, " m"]]:
    """The answer's dot product minus each candidate's, and the answers."""
    costs, tie = cost_block(y, x, "dot")
    answers = answers_of(costs, tie, y, x, "dot")
    return costs.sub_(costs.gather(1, answers[:, None])), answers


def angles_from(
    squares: Float[Tensor, "m k"], y: Float[Tensor, "m d"], x: Float[Tensor, "k d"]
) -> Float[Tensor, "m k"]:
    r"""Angles between unit rows from squared chords, right to a few units of 1e-16 from 0 to π.

    .. math:: \theta = 2 \operatorname{atan2}(\|u - v\|, \|u + v\|), \qquad
        \|u + v\|^2 = 2\|u\|^2 + 2\|v\|^2 - \|u - v\|^2 .

    An arc cosine loses half of the digits at both ends, an arc sine of the chord at π. ``squares`` are those of
    `squares_and_answers`, with all their digits at small angles; for opposite pairs the sum itself is taken.
    """
    both = 2 * (y.square().sum(1, keepdim=True) + x.square().sum(1))
    opposite = (both - squares).clamp_min_(0)
    rows, columns = (opposite < _CLOSE * both).nonzero(as_tuple=True)
    step = max(1, _PAIRS // y.shape[1])
    for first in range(0, len(rows), step):
        r, c = rows[first : first + step], columns[first : first + step]
        opposite[r, c] = (y[r] + x[c]).square().sum(1)
    return torch.atan2(squares.sqrt(), opposite.sqrt_()).mul_(2)
