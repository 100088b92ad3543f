"""Multiple choice: every query has a small gallery of its own."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gapkit._arrays import ArrayLike, as_index, as_matrix, check_choice, check_same_width, like, row_lengths
from gapkit.errors import InputError
from gapkit.geometry.neighbours import METRICS, blocks
from gapkit.tasks.scores import accuracy


def answer_multiple_choice(queries, options, *, question=None, metric: str = "euclidean") -> ArrayLike:
    """The option each query is nearest to, among its own options.

    Parameters
    ----------
    queries : (m, d) array-like, one a question
    options : (m, k, d) array-like, or a list of m (k_i, d) array-likes, or one (total, d) array-like with ``question``
    question : (total,) integers in [0, m): the question each row of ``options`` belongs to, in ascending order
    metric : ``"euclidean"``, ``"dot"`` or ``"cosine"``

    Returns
    -------
    (m,) int64, the position within the question's options; ties go to the first

    Raises
    ------
    InputError
        If a question has no option, or shapes do not fit.

    Examples
    --------
    >>> answer_multiple_choice([[0.0], [1.0]], [[[0.1], [3.0]], [[7.0], [2.0], [0.9]]])
    array([0, 2])
    """
    check_choice(metric, "metric", METRICS)
    y = as_matrix(queries, "queries", shape="(m, d)")
    if question is None:
        x, owner = _stacked(y, options)
    else:
        x = as_matrix(options, "options", shape="(total, d)").to(y.device)
        owner = as_index(question, "question", below=len(y)).to(y.device)
        if len(owner) != len(x) or (owner.diff() < 0).any():
            raise InputError("question must name a question for each option, in ascending order")
    check_same_width(y, "queries", x, "options")
    counts = torch.bincount(owner, minlength=len(y))
    if (counts == 0).any():
        raise InputError(
            f"every question needs an option; question {int((counts == 0).nonzero()[0, 0])} has none"
        )
    return like(_answer(y, x, owner, counts, metric), queries, *(options if question is None else (options,)))


def _stacked(y: Float[Tensor, "m d"], options) -> tuple[Float[Tensor, "t d2"], Int[Tensor, " t"]]:
    """All options below each other, and the question each belongs to."""
    if len(options) != len(y):
        raise InputError(
            f"options must hold one list for each query; got {len(options)} for {len(y)} queries"
        )
    if getattr(options, "ndim", None) == 3:
        if options.shape[1] == 0:
            raise InputError("every question needs an option; got none")
        x = as_matrix(options.reshape(-1, options.shape[2]), "options", shape="(m, k, d)")
        counts = torch.full((len(y),), options.shape[1])
    else:
        rows = [as_matrix(one, f"options[{i}]", shape="(k, d)") for i, one in enumerate(options)]
        for i, one in enumerate(rows):
            check_same_width(y, "queries", one, f"options[{i}]")
        x, counts = torch.cat(rows), torch.tensor([len(one) for one in rows])
    return x.to(y.device), torch.repeat_interleave(counts).to(y.device)


def _answer(
    y: Float[Tensor, "m d"],
    x: Float[Tensor, "t d"],
    owner: Int[Tensor, " t"],
    counts: Int[Tensor, " m"],
    metric: str,
) -> Int[Tensor, " m"]:
    costs = x.new_empty(len(x))
    for block in blocks(len(x), x.shape[1] * 8 * 4):
        own = y[owner[block]]
        if metric == "euclidean":
            costs[block] = (x[block] - own).square().sum(1)
        else:
            costs[block] = -(x[block] * own).sum(1)
    lengths = row_lengths(x)
    if metric == "cosine":
        if (lengths == 0).any() or not y.any(1).all():
            raise InputError("queries and options must have no zero row for the cosine")
        costs = costs / lengths
    best = x.new_full((len(y),), torch.inf).scatter_reduce_(0, owner, costs, "amin")
    scale = row_lengths(y) * (1.0 if metric == "cosine" else lengths.max())
    if metric == "euclidean":
        scale = best  # a sum of squares is right to its own size: nothing cancels
    tie = (4 * torch.finfo(torch.float64).eps * x.shape[1] ** 0.5) * scale
    position = torch.arange(len(x), device=x.device)
    tied = torch.where(costs <= (best + tie)[owner], position, len(x))
    winner = torch.full_like(counts, len(x)).scatter_reduce_(0, owner, tied, "amin")
    return winner - (counts.cumsum(0) - counts)


def multiple_choice(queries, options, answers, *, question=None, metric: str = "euclidean") -> float:
    """Accuracy on multiple-choice questions, each with its own options as the gallery.

    Parameters
    ----------
    queries, options, question, metric : as in `answer_multiple_choice`
    answers : (m,) integers, the position of the right option

    Returns
    -------
    float in [0, 1]

    Raises
    ------
    InputError
        As `answer_multiple_choice`, or if answers are not as many as queries.

    Examples
    --------
    >>> multiple_choice([[0.0], [1.0]], [[[0.1], [3.0]], [[7.0], [2.0], [0.9]]], [0, 1])
    0.5
    """
    return accuracy(answer_multiple_choice(queries, options, question=question, metric=metric), answers)
