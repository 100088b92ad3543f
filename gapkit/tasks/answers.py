"""Which text is right for which image, and what share of the answers is: the three kinds of task and their scores.

``zero-shot``: texts are classes, ``labels[i]`` is the row of image i's class.
``pairs``: text i belongs to image i; where images have several captions, text i belongs to image ``image_of_text[i]``, and
any of an image's captions is right.
``multiple-choice``: question q is about image ``image_rows[q]``, offers the texts ``options[q]``, and
``options[q, answers[q]]`` is right. Options that are the same text count as one answer, the first of them.
"""

import numpy as np

from gapkit._arrays import ArrayInput, as_array, as_index
from gapkit._options import check_choice
from gapkit.errors import InputError
from gapkit.geometry.orthogonality import as_whole_numbers

TASKS = ("zero-shot", "pairs", "multiple-choice")
INDICES = ("labels", "options", "answers", "image_rows", "image_of_text")
"""What says which text is right."""


def check_answers(
    task: str,
    *,
    images: int,
    texts: int,
    labels: ArrayInput | None = None,
    options: ArrayInput | None = None,
    answers: ArrayInput | None = None,
    image_rows: ArrayInput | None = None,
    image_of_text: ArrayInput | None = None,
) -> dict[str, np.ndarray]:
    """The index arrays of a task as int64, checked against the number of images and texts.

    Parameters
    ----------
    task : one of `TASKS`
    images, texts : how many there are
    labels : (images,) int, or None
    options : (q, c) int, or None
    answers, image_rows : (q,) int, or None
    image_of_text : (texts,) int, or None

    Returns
    -------
    dict with the arrays the task has: ``labels`` (of pairs the first of an image's captions) and, unless it counts 0, 1, 2,
    …, ``image_of_text``; or ``options``, ``answers`` and ``image_rows``

    Raises
    ------
    InputError
        If one is missing, does not belong to the task, has a wrong shape, or points nowhere.

    Examples
    --------
    >>> check_answers("pairs", images=3, texts=3)
    {'labels': array([0, 1, 2])}
    """
    check_choice(task, "task", TASKS)
    if image_of_text is not None and task != "pairs":
        raise InputError(f"image_of_text belongs to the task 'pairs'; this task is {task!r}")
    if task == "multiple-choice":
        if labels is not None:
            raise InputError("labels have no meaning for 'multiple-choice'; give options and answers")
        return _questions(images, texts, options, answers, image_rows)
    for name, value in {"options": options, "answers": answers, "image_rows": image_rows}.items():
        if value is not None:
            raise InputError(f"{name} belongs to the task 'multiple-choice'; this task is {task!r}")
    if task == "zero-shot":
        if labels is None:
            raise InputError("labels are needed for the task 'zero-shot': the row of each image's right text")
        return {"labels": _rows(labels, "labels", below=texts, count=images)}
    if image_of_text is None and images != texts:
        rows = f"got {images} and {texts} rows"
        raise InputError(f"images and texts must be matched row by row for the task 'pairs'; {rows}")
    owner = np.arange(images)
    if image_of_text is not None:
        owner = _rows(image_of_text, "image_of_text", below=images, count=texts)
    described, implied = np.unique(owner, return_index=True)
    if len(described) < images:
        bare = int(np.setdiff1d(np.arange(images), described)[0])
        raise InputError(f"image_of_text must name every image; image {bare} has no text")
    if labels is not None and not np.array_equal(as_index(labels, "labels", below=2**63 - 1).cpu(), implied):
        raise InputError("labels of the task 'pairs' are 0, 1, 2, …: text i belongs to image i")
    counts = np.array_equal(owner, np.arange(images))
    return {"labels": implied} | ({} if counts else {"image_of_text": owner})


def _questions(images: int, texts: int, options, answers, image_rows) -> dict[str, np.ndarray]:
    if options is None or answers is None:
        raise InputError("options and answers are needed for the task 'multiple-choice'")
    options = as_array(options, "options")
    if options.ndim != 2 or 0 in options.shape:
        raise InputError(f"options must have shape (q, c); got {options.shape}")
    count, choices = options.shape
    flat = as_index(options.reshape(-1), "options", below=texts).cpu().numpy()
    if image_rows is None:
        if count != images:
            raise InputError(f"image_rows are needed, as {count} questions are asked about {images} images")
        image_rows = np.arange(count)
    offered, right = flat.reshape(count, choices), _rows(answers, "answers", below=choices, count=count)
    same = offered == offered[np.arange(count), right][:, None]
    return {
        "options": offered,
        "answers": same.argmax(1),  # of equal options the first, which is the one that is given in a tie
        "image_rows": _rows(image_rows, "image_rows", below=images, count=count),
    }


def _rows(value, name: str, *, below: int, count: int) -> np.ndarray:
    rows = as_index(value, name, below=below)
    if len(rows) != count:
        raise InputError(f"{name} must have {count} entries; got {len(rows)}")
    return rows.cpu().numpy()


def agreement(first: ArrayInput, second: ArrayInput) -> float:
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
    return _share_alike(first, "first", second, "second")


def accuracy(answers: ArrayInput, labels: ArrayInput) -> float:
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
    return _share_alike(answers, "answers", labels, "labels")


def _share_alike(first: ArrayInput, first_name: str, second: ArrayInput, second_name: str) -> float:
    a, b = as_whole_numbers(first, first_name), as_whole_numbers(second, second_name)
    if len(a) != len(b):
        raise InputError(f"{first_name} and {second_name} must be as many; got {len(a)} and {len(b)}")
    return float((a == b).double().mean())
