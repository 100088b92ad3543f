"""`EmbeddingSet`: two matrices of embeddings and the answers that are right."""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from gapkit._arrays import as_matrix, check_finite, check_same_width, check_unit_rows, normalise_rows
from gapkit._options import check_choice, check_whole
from gapkit.embeddings.files import MATRICES, STRINGS, Part, read_fields, write_parts
from gapkit.errors import InputError, refusing
from gapkit.geometry.gram import points_from_gram
from gapkit.tasks.answers import INDICES, check_answers

DTYPES = ("float16", "float32", "float64")

# Anything array-like comes in; a numpy array, or a tuple of strings, is what the set then holds.
Floats: TypeAlias = Any
Integers: TypeAlias = Any
Strings: TypeAlias = Any


@dataclass(frozen=True, eq=False)
class EmbeddingSet:
    """Embeddings of images (the queries) and of texts (the gallery), and which text is right.

    Parameters
    ----------
    images : (n, d) array-like; half precision becomes float32, float64 stays
    texts : (k, d) array-like
    task : "zero-shot" (texts are classes), "pairs" (text i belongs to image i) or "multiple-choice"
    labels : (n,) int, row of the right text of each image; needed for "zero-shot", implied for "pairs"
    options : (q, c) int, rows of the texts each question offers ("multiple-choice")
    answers : (q,) int, position of the right one among a question's options
    image_rows : (q,) int, row of each question's image; left out when question i is about image i
    image_of_text : (k,) int, row of the image that each text describes ("pairs"), where images have several captions; left out
        when text i describes image i
    groups : q strings, such as the type of each question; for the other tasks one for each image
    text_names, image_names : what each row is, such as a class name, a caption or a file name
    normalised : whether every row has length 1
    metadata : dict of plain values: model, dataset, template, hashes …

    Attributes
    ----------
    Those above; the arrays are numpy, floats as float32 or float64 and indices as int64.

    Raises
    ------
    InputError
        If a matrix is empty or not finite, widths differ, an index points nowhere, or rows that are
        said to be normalised are not.

    Examples
    --------
    >>> toy = EmbeddingSet(images=np.eye(3, 4), texts=np.eye(2, 4), task="zero-shot", labels=[0, 1, 1])
    >>> toy
    EmbeddingSet(zero-shot: 3 images, 2 texts, d=4)
    """

    images: Floats
    texts: Floats
    task: str
    labels: Integers | None = None
    options: Integers | None = None
    answers: Integers | None = None
    image_rows: Integers | None = None
    image_of_text: Integers | None = None
    groups: Strings | None = None
    text_names: Strings | None = None
    image_names: Strings | None = None
    normalised: bool = False
    metadata: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        images = _floats(self.images, "images", "(n, d)")
        texts = _floats(self.texts, "texts", "(k, d)")
        check_same_width(images, "images", texts, "texts")
        if self.normalised:
            check_unit_rows(images, "images")
            check_unit_rows(texts, "texts")
        self._set(images=images.numpy(), texts=texts.numpy())
        answers = {name: getattr(self, name) for name in INDICES}
        self._set(image_of_text=None)  # unless it is another than 0, 1, 2, …
        self._set(**check_answers(self.task, images=len(images), texts=len(texts), **answers))
        counts = {"groups": self.n_questions, "text_names": len(texts), "image_names": len(images)}
        self._set(**{name: _names(getattr(self, name), name, count) for name, count in counts.items()})
        self._set(metadata=dict(self.metadata))

    def __repr__(self) -> str:
        questions = f", {self.n_questions} questions" if self.task == "multiple-choice" else ""
        rows = f"{len(self.images)} images, {len(self.texts)} texts{questions}"
        return f"EmbeddingSet({self.task}: {rows}, d={self.dim})"

    @property
    def dim(self) -> int:
        """The dimension d of the shared space."""
        return self.images.shape[1]

    @property
    def n_questions(self) -> int:
        """How many answers the task asks for: one for each image, or for each question."""
        return len(self.options) if self.task == "multiple-choice" else len(self.images)

    def matched(self) -> tuple[np.ndarray, np.ndarray]:
        """The right text and the image of every question, row by row: ``(texts, images)``.

        Returns
        -------
        texts, images : (n, d) each; for "multiple-choice" (q, d), images repeating where questions share one; for pairs
            (k, d), images repeating for each of their captions
        """
        if self.image_of_text is not None:
            return self.texts, self.images[self.image_of_text]
        if self.task != "multiple-choice":
            return self.texts[self.labels], self.images
        right = self.options[np.arange(len(self.options)), self.answers]
        return self.texts[right], self.images[self.image_rows]

    def modalities(self) -> tuple[np.ndarray, np.ndarray]:
        """``(texts, images)`` as measures of the gap take them: pairs row by row, as `matched` gives them, else as they are."""
        return self.matched() if self.task == "pairs" else (self.texts, self.images)

    def first_captions(self) -> "EmbeddingSet":
        """A copy that keeps the first caption of each image; the set itself where there is one of each."""
        if self.image_of_text is None:
            return self
        names = None if self.text_names is None else [self.text_names[row] for row in self.labels]
        kept = {"texts": self.texts[self.labels], "text_names": names}
        return dataclasses.replace(self, **kept, labels=None, image_of_text=None)

    def replace(self, **changes: Any) -> "EmbeddingSet":
        """A copy with some fields changed, checked again; moved rows are no longer ``normalised``."""
        if {"images", "texts"} & set(changes):
            changes.setdefault("normalised", False)
        return dataclasses.replace(self, **changes)

    def normalise(self) -> "EmbeddingSet":
        """A copy whose rows have length 1, computed in float64."""
        rows = {name: normalise_rows(getattr(self, name)) for name in MATRICES}
        return self.replace(**rows, normalised=True)

    def save(self, path: str | os.PathLike, *, dtype: str | None = None) -> Path:
        """Write a safetensors file, whole or not at all.

        Parameters
        ----------
        path : usually ends in ``.safetensors``
        dtype : "float16", "float32" or "float64"; as they are when left out

        Returns
        -------
        path, as `pathlib.Path`
        """
        stored = None if dtype is None else check_choice(dtype, "dtype", DTYPES)
        sides = {name: getattr(self, name) for name in MATRICES}
        parts = {name: Part(stored or side.dtype.name, side.shape, [side]) for name, side in sides.items()}
        fields = {name: getattr(self, name) for name in (*INDICES, *STRINGS)}
        return write_parts(path, parts, fields, self.task, self.normalised, self.metadata)

    @classmethod
    def load(cls, path: str | os.PathLike, *, memory_map: bool = False) -> "EmbeddingSet":
        """Read a file that `save` has written.

        Rows said to be normalised are normalised again in float64, since half precision leaves lengths of
        1 ± 5e-4, which alone changes Euclidean neighbours. Rows further from 1 than rounding takes them are an error,
        mapped or not.

        Parameters
        ----------
        path : the file
        memory_map : keep float32 and float64 matrices on the disk until they are used, exactly as stored

        Raises
        ------
        InputError
            If the file is missing, truncated, damaged, of a newer format, or not gapkit's.
        """
        fields = read_fields(path, memory_map=memory_map)
        with refusing(InputError, before=f"{path}: "):
            return cls(**fields)

    @classmethod
    def from_gram(
        cls,
        gram: Floats,
        *,
        images: int,
        dimension: int,
        task: str | None = None,
        labels: Integers | None = None,
        metadata: dict | None = None,
    ) -> "EmbeddingSet":
        """Embeddings, up to a rotation, from a matrix of all their cosines.

        All of the gap's geometry and every robustness to isotropic noise depend on nothing else; what reads single
        coordinates, such as quantisation, is not that of the model. ``metadata["gram"]`` says so, with what was
        clipped (see `gapkit.geometry.gram.points_from_gram`).

        Parameters
        ----------
        gram : (n + k, n + k) array-like of cosines, the n images first, then the k texts
        images : n
        dimension : d of the model's embeddings, in which the noise lives; the matrix does not tell it
        task : "pairs" where text i belongs to image i, or "zero-shot" with ``labels``; told by the labels if left out
        labels : (n,) int, row of each image's right text
        metadata : what is known of the model and the data

        Raises
        ------
        InputError
            If the matrix is no matrix of cosines, or the counts do not fit.

        Examples
        --------
        >>> EmbeddingSet.from_gram(np.eye(4), images=2, dimension=8)
        EmbeddingSet(pairs: 2 images, 2 texts, d=8)
        """
        rebuilt = points_from_gram(gram, dimension=dimension)
        points = np.asarray(rebuilt.points)
        rows = len(points)
        images = check_whole(images, f"images (how many of the {rows} rows are images)", most=rows - 1)
        if labels is None and 2 * images != rows:
            need = "pairs need as many of both, other sets need labels"
            raise InputError(f"images={images} leaves {rows - images} texts; {need}")
        kept = "lengths, angles and what isotropic noise does, not single coordinates"
        about = {"kept": f"everything up to a rotation: {kept}", "least_eigenvalue": rebuilt.least}
        about |= {name: getattr(rebuilt, name) for name in ("rank", "clipped", "rounding")}
        task, known = task or ("pairs" if labels is None else "zero-shot"), dict(metadata or {}, gram=about)
        return cls(points[:images], points[images:], task, labels, normalised=True, metadata=known)

    def _set(self, **values) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


def _floats(value, name: str, shape: str) -> torch.Tensor:
    tensor = as_matrix(value, name, dtype=None, shape=shape, finite=False)
    for block in tensor.split(16_384):  # in blocks: the matrix may be larger than the memory
        if not torch.isfinite(block).all():
            check_finite(tensor, name)
    return tensor.cpu() if tensor.dtype in (torch.float32, torch.float64) else tensor.cpu().float()


def _names(names: Sequence[str] | None, name: str, count: int) -> tuple[str, ...] | None:
    if names is None:
        return None
    names = tuple(map(str, names))
    if len(names) != count:
        raise InputError(f"{name} must have {count} entries, one for each row; got {len(names)}")
    return names
