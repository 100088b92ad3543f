"""What a set is for: answering its task, being measured, and closing its gap."""

import warnings
from typing import Any

import numpy as np

from gapkit._options import Number
from gapkit.embeddings.sets import EmbeddingSet
from gapkit.errors import GapkitWarning, InputError
from gapkit.geometry import gap_vector, measure
from gapkit.tasks import nearest
from gapkit.tasks.classification import answer_multiple_choice

# Of gapkit.closing, which brings scikit-learn along: a second that loading need not wait.
UnfittedCloser = Any

LEAST_OF_CLASS = 5


def answer(entries: EmbeddingSet, *, metric: str = "euclidean") -> tuple[np.ndarray, np.ndarray]:
    """The answer to every question of the set, and the right one.

    Parameters
    ----------
    entries : EmbeddingSet
    metric : "euclidean", "dot" or "cosine"

    Returns
    -------
    given, right : (m,) int64 each: rows of the texts, or for "multiple-choice" positions among the options; where images
        have several captions, rows of the images that the texts describe

    Examples
    --------
    >>> toy = EmbeddingSet(images=np.eye(2), texts=np.eye(2), task="pairs")
    >>> given, right = answer(toy)
    >>> float((given == right).mean())
    1.0
    """
    if entries.task == "multiple-choice":
        queries, offered = entries.images[entries.image_rows], entries.texts[entries.options]
        return answer_multiple_choice(queries, offered, metric=metric), entries.answers
    given = nearest(entries.images, entries.texts, metric=metric)
    if entries.image_of_text is not None:
        return entries.image_of_text[given], np.arange(len(entries.images))
    return given, entries.labels


def sampling(entries: EmbeddingSet) -> dict[str, Any]:
    """What a bootstrap of the set draws: options of `gapkit.geometry.resampled.gap_interval` and its like.

    Captions were sampled together with their images, and are drawn with them, all of an image's together (rows are those
    of `EmbeddingSet.modalities`). Classes and options are given: they
    stay, and images are drawn, within classes where each has at least five (of fewer, a class would hardly vary).

    Parameters
    ----------
    entries : EmbeddingSet

    Examples
    --------
    >>> sampling(EmbeddingSet(images=np.eye(2), texts=np.eye(2), task="pairs"))
    {'paired': True, 'groups': None}
    """
    if entries.task == "pairs":
        together = {} if entries.image_of_text is None else {"together": entries.image_of_text}
        return {"paired": True, "groups": None, **together}
    classes = classes_to_draw_within(entries.labels) if entries.task == "zero-shot" else None
    groups = np.zeros(len(entries.images), dtype=np.int64) if classes is None else classes
    return {"paired": False, "groups": groups}


def classes_to_draw_within(labels: np.ndarray) -> np.ndarray | None:
    """The classes of a test set, if each has at least five images: of fewer, a class would hardly vary."""
    return labels if np.unique(labels, return_counts=True)[1].min() >= LEAST_OF_CLASS else None


def close_set(entries: EmbeddingSet, closer: UnfittedCloser) -> EmbeddingSet:
    """A copy of the set with its gap closed.

    The closer is fitted on the set itself, texts as the gallery. In multiple choice every question has a
    gallery of its own: the gap comes from the whole set, its orthogonal part from the question's options, and
    it is the question's image that is moved, which for Euclidean distance is the same as moving the options.

    Parameters
    ----------
    entries : EmbeddingSet
    closer : an unfitted closer; for "multiple-choice" a `GapCloser` or `MeanShift`

    Raises
    ------
    InputError
        If the closer cannot do multiple choice.
    """
    from gapkit.closing import GapCloser, MeanShift

    about = entries.metadata | {"closed": {"closer": type(closer).__name__, **closer.get_params()}}
    if entries.task != "multiple-choice":
        texts, images = closer.fit(*entries.modalities()).transform_pair(entries.texts, entries.images)
        return entries.replace(texts=texts, images=images, metadata=about)
    if not isinstance(closer, GapCloser | MeanShift):
        raise InputError("multiple choice is closed by GapCloser or MeanShift: the others mix the questions")
    gap = gap_vector(entries.texts, entries.images)
    moving = type(closer)(**closer.get_params() | {"moves": "queries"})
    rows = zip(entries.options, entries.image_rows, strict=True)
    questions = ((entries.texts[offered], entries.images[[image]]) for offered, image in rows)
    images = np.concatenate([moving.fit(offered, gap=gap).transform(image) for offered, image in questions])
    names = None if entries.image_names is None else [entries.image_names[row] for row in entries.image_rows]
    moved = {"images": images, "image_rows": np.arange(len(images)), "image_names": names}
    return entries.replace(**moved, metadata=about)


def measure_set(
    entries: EmbeddingSet, *, metric: str = "euclidean", sigma: Number | None = None, intervals: bool = False
) -> dict:
    """Every cheap measure of a set's gap, its accuracy, and its robustness to noise on the texts (Eq. 10).

    Parameters
    ----------
    entries : EmbeddingSet
    metric : "euclidean", "dot" or "cosine", by which answers are chosen
    sigma : also the ``robustness`` to noise of this size on each coordinate; multiple choice has none
    intervals : 95 % bootstrap intervals of the measures of the gap, drawn as `sampling` says

    Returns
    -------
    dict: what `gapkit.geometry.measure` gives, ``accuracy``, and ``robustness`` if asked for

    Examples
    --------
    >>> from gapkit.embeddings import load_embeddings
    >>> round(measure_set(load_embeddings("miniclip-wide/digits10"))["accuracy"], 3)
    0.994
    """
    from gapkit.robustness import robustness

    how = sampling(entries) if intervals else {"paired": entries.task == "pairs"}
    values = measure(*entries.modalities(), **how, intervals=intervals)
    given, right = answer(entries, metric=metric)
    values["accuracy"] = float((given == right).mean())
    if sigma is not None and entries.task == "multiple-choice":
        words = "robustness is not measured: each question has a gallery of its own"
        warnings.warn(words, GapkitWarning, stacklevel=2)
    elif sigma is not None:
        kept = robustness(entries.images, entries.texts, sigma=sigma, metric=metric)
        values["robustness"] = float(kept.mean())
    return values
