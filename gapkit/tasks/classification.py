"""Classification: one gallery for all images (zero-shot), or one for each of them (multiple choice)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gapkit._arrays import (
    ArrayInput,
    ArrayLike,
    as_index,
    as_matrix,
    as_tensor,
    check_same_width,
    like,
    unit_rows,
)
from gapkit._options import check_choice, one_line
from gapkit.errors import InputError
from gapkit.geometry.galleries import METRICS
from gapkit.geometry.neighbours import answers_of, cost_block, nearest, prepare
from gapkit.geometry.orthogonality import as_whole_numbers
from gapkit.tasks.answers import accuracy

_TOGETHER = 256
"""About as many options are searched together."""


def zero_shot(
    images: ArrayInput, class_texts: ArrayInput, labels: ArrayInput, *, metric: str = "euclidean"
) -> float:
    """Zero-shot accuracy: each image is given the class of its nearest class text.

    Parameters
    ----------
    images : (m, d) array-like, the queries
    class_texts : (K, d) array-like, the gallery, one row a class (see `prompt_ensemble`)
    labels : (m,) integers in [0, K)
    metric : ``"euclidean"``, ``"dot"`` or ``"cosine"``

    Returns
    -------
    float in [0, 1]

    Raises
    ------
    InputError
        If shapes do not fit or a label is no class.

    Examples
    --------
    >>> zero_shot([[0.9, 0.1], [0.2, 0.7]], [[1.0, 0.0], [0.0, 1.0]], [0, 0])
    0.5
    """
    classes = len(as_matrix(class_texts, "class_texts", shape="(K, d)", dtype=None, finite=False))
    return accuracy(nearest(images, class_texts, metric=metric), as_index(labels, "labels", below=classes))


def prompt_ensemble(prompts: ArrayInput, classes: ArrayInput) -> ArrayLike:
    r"""One class text from several prompts: the mean of their unit vectors, scaled back to length 1.

    .. math:: x_c = \bar u_c / \|\bar u_c\|, \qquad \bar u_c = \operatorname{mean}_{p \in c} \, t_p / \|t_p\|

    as in CLIP (Radford et al. 2021, section 3.1.4).

    Parameters
    ----------
    prompts : (n, d) array-like, embedded prompts
    classes : (n,) integers, the class each prompt belongs to; every class 0 … K−1 has at least one

    Returns
    -------
    (K, d), of the kind and floating dtype of ``prompts``

    Raises
    ------
    InputError
        If a class has no prompt, a prompt is zero, or the prompts of a class cancel out.

    Examples
    --------
    >>> prompt_ensemble([[1.0, 0.0], [0.0, 2.0], [0.0, -3.0]], [0, 0, 1]).round(3)
    array([[ 0.707,  0.707],
           [ 0.   , -1.   ]])
    """
    kept = as_matrix(prompts, "prompts", dtype=None)
    wide = kept.double()
    owner = as_whole_numbers(classes, "classes").to(wide.device)
    if len(owner) != len(wide):
        raise InputError(f"classes must name one for each of {len(wide)} prompts; got {len(owner)}")
    named, counts = owner.unique(return_counts=True)
    missing = (named != torch.arange(len(named), device=named.device)).nonzero()
    if len(missing):
        first, last = int(missing[0, 0]), int(named[-1])
        raise InputError(f"every class from 0 to {last} needs a prompt; class {first} has none")
    sums = wide.new_zeros(len(counts), wide.shape[1]).index_add_(0, owner, unit_rows(wide, "prompts"))
    lengths = torch.linalg.vector_norm(sums, dim=1, keepdim=True)
    if (lengths <= 1e-12 * counts[:, None]).any():
        raise InputError("the prompts of a class cancel out: their mean has no direction")
    return like(sums / lengths, prompts, dtype=kept.dtype)


def answer_multiple_choice(
    queries: ArrayInput, options: ArrayInput, *, metric: str = "euclidean"
) -> ArrayLike:
    """The option each query is nearest to, among its own options.

    Parameters
    ----------
    queries : (m, d) array-like, one a question
    options : (m, k, d) array-like, or a list of m (k_i, d) array-likes
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
    x, owner = _stacked(y, options)
    check_same_width(y, "queries", x, "options")
    return like(_answer(y, x, owner, torch.bincount(owner), metric), queries, *options)


def _stacked(y: Float[Tensor, "m d"], options) -> tuple[Float[Tensor, "t d2"], Int[Tensor, " t"]]:
    """All options below each other, and the question each belongs to."""
    if not hasattr(options, "__len__") or getattr(options, "ndim", 1) == 0:
        raise InputError(f"options must hold one list for each query; got {one_line(options)}")
    if len(options) != len(y):
        raise InputError(f"options must hold one list for each of {len(y)} queries; got {len(options)}")
    if getattr(options, "ndim", None) == 3:
        stack = as_tensor(options, "options")
        if 0 in stack.shape:
            raise InputError("every question needs an option; got none")
        x = as_matrix(stack.reshape(-1, stack.shape[2]), "options", shape="(m, k, d)")
        counts = torch.full((len(y),), stack.shape[1])
    else:
        galleries = [as_matrix(rows, f"options[{i}]", shape="(k, d)") for i, rows in enumerate(options)]
        for i, gallery in enumerate(galleries):
            check_same_width(y, "queries", gallery, f"options[{i}]")
        x, counts = torch.cat(galleries), torch.tensor([len(gallery) for gallery in galleries])
    return x.to(y.device), torch.repeat_interleave(counts).to(y.device)


def _answer(
    y: Float[Tensor, "m d"],
    x: Float[Tensor, "t d"],
    owner: Int[Tensor, " t"],
    counts: Int[Tensor, " m"],
    metric: str,
) -> Int[Tensor, " m"]:
    """The nearest of each query's own rows, by the rules that `nearest` has for ties and rounding.

    A few questions are asked of all their options together, and what belongs to another question costs infinity: that
    multiplies more than it must, by the number of questions in a block, and needs no second set of rules.
    """
    y, x = prepare(y, x, metric)
    ends = counts.cumsum(0)  # question q owns the rows ends[q] − counts[q] … ends[q]
    winners = torch.empty_like(counts)
    step = max(1, _TOGETHER // int(counts.max()))
    for first in range(0, len(y), step):
        block = slice(first, first + step)
        start = int(ends[first] - counts[first])
        rows = x[start : int(ends[block][-1])]
        costs, tie = cost_block(y[block], rows, metric)  # (b, rows of the block)
        questions = torch.arange(first, first + len(costs), device=y.device)
        foreign = owner[start : start + len(rows)] != questions[:, None]
        costs.masked_fill_(foreign, torch.inf)
        winners[block] = answers_of(costs, tie, y[block], rows, metric) + start
    return winners - (ends - counts)


def multiple_choice(
    queries: ArrayInput,
    options: ArrayInput,
    answers: ArrayInput,
    *,
    metric: str = "euclidean",
) -> float:
    """Accuracy on multiple-choice questions, each with its own options as the gallery.

    Parameters
    ----------
    queries, options, metric : as in `answer_multiple_choice`
    answers : (m,) integers, the position of the right option

    Returns
    -------
    float in [0, 1]

    Raises
    ------
    InputError
        As `answer_multiple_choice`, or if answers are not as many as queries, or one is no option.

    Examples
    --------
    >>> multiple_choice([[0.0], [1.0]], [[[0.1], [3.0]], [[7.0], [2.0], [0.9]]], [0, 1])
    0.5
    """
    given = answer_multiple_choice(queries, options, metric=metric)
    right = as_whole_numbers(answers, "answers").cpu()
    counts = torch.tensor([len(rows) for rows in options])
    if len(right) == len(counts) and (beyond := (right >= counts).nonzero()[:, 0].tolist()):
        at = beyond[0]
        raise InputError(f"answers must name an option; question {at} has {counts[at]}, got {right[at]}")
    return accuracy(given, answers)
