"""Exact robustness under Gaussian noise on the gallery, block of queries by block."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gapkit.geometry.neighbours import prepare
from gapkit.robustness.distances import angles_from, clean_answers, margins_and_answers, squares_and_answers
from gapkit.robustness.exact_cosine import cosine, cosine_on_a_line
from gapkit.robustness.exact_dot import dot
from gapkit.robustness.exact_euclidean import euclidean
from gapkit.robustness.noise import Solvable

_PAIR_BYTES, _QUERY_BYTES = 160, 40_000


def exact_values(
    problem: Solvable, metric: str, *, memory: int
) -> tuple[Float[Tensor, " m"], Int[Tensor, " m"]]:
    """Robustness and clean answers, in blocks that take about ``memory`` bytes."""
    y, x = prepare(problem.y, problem.x, metric)
    lengths = torch.linalg.vector_norm(problem.x, dim=1)
    step = max(1, memory // (_PAIR_BYTES * len(x) + _QUERY_BYTES))
    values, answers = [], []
    for first in range(0, len(y), step):
        part = slice(first, first + step)
        scale = problem.scale if isinstance(problem.scale, float) else problem.scale[part]
        value, answer = _block(y[part], x, lengths, scale, metric, memory)
        values.append(value)
        answers.append(answer)
    return torch.cat(values), torch.cat(answers)


def _block(
    y: Float[Tensor, "m d"],
    x: Float[Tensor, "k d"],
    lengths: Float[Tensor, " k"],
    scale: float | Float[Tensor, " m"],
    metric: str,
    memory: int,
) -> tuple[Float[Tensor, " m"], Int[Tensor, " m"]]:
    if len(x) == 1 or (isinstance(scale, float) and scale == 0):
        return torch.ones_like(y[:, 0]), clean_answers(y, x, metric)
    if metric == "dot":
        margins, answers = margins_and_answers(y, x)
        return dot(margins, answers, scale), answers
    if metric == "cosine" and x.shape[1] == 1:
        answers = clean_answers(y, x, metric)
        return cosine_on_a_line(y * x.T * lengths, answers, scale), answers
    squares, answers = squares_and_answers(y, x, metric)
    if metric == "cosine":
        return cosine(angles_from(squares), lengths, answers, scale, x.shape[1], memory=memory), answers
    return euclidean(squares, answers, scale, x.shape[1]), answers
