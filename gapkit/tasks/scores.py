"""Answers against answers, and answers against labels."""

from jaxtyping import Int
from torch import Tensor

from gapkit._arrays import as_index
from gapkit.errors import InputError


def as_answers(value, name: str) -> Int[Tensor, " m"]:
    """``value`` as a non-empty int64 vector of indices."""
    vector = as_index(value, name, below=2**63 - 1)
    if len(vector) == 0:
        raise InputError(f"{name} must not be empty")
    return vector


def agreement(first, second) -> float:
    """Share of queries that two runs answer alike, whether rightly or not.

    Parameters
    ----------
    first, second : (m,) integer array-likes, answers as `nearest` gives them

    Returns
    -------
    float in [0, 1]

    Raises
    ------
    InputError
        If they differ in length, are empty, or are not whole numbers.

    Examples
    --------
    >>> agreement([0, 1, 2, 2], [0, 1, 2, 3])
    0.75
    """
    a, b = as_answers(first, "first"), as_answers(second, "second")
    if len(a) != len(b):
        raise InputError(f"first and second must answer the same queries; got {len(a)} and {len(b)} answers")
    return float((a == b.to(a.device)).double().mean())


def accuracy(answers, labels) -> float:
    """Share of answers that are right.

    Parameters
    ----------
    answers, labels : (m,) integer array-likes

    Returns
    -------
    float in [0, 1]

    Raises
    ------
    InputError
        As `agreement`.

    Examples
    --------
    >>> accuracy([0, 1, 1, 1], [0, 1, 1, 2])
    0.75
    """
    given, right = as_answers(answers, "answers"), as_answers(labels, "labels")
    if len(given) != len(right):
        raise InputError(f"answers and labels must be as many; got {len(given)} and {len(right)}")
    return float((given == right.to(given.device)).double().mean())
