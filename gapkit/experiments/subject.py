"""What an experiment is run on: embeddings by model and dataset, and the task in them."""

import contextlib
import functools
import hashlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gapkit.embeddings import EmbeddingSet, list_embeddings, load_embeddings, published_sets
from gapkit.errors import InputError
from gapkit.experiments.intervals import Resamples
from gapkit.experiments.sweep import Job


@dataclass(frozen=True)
class Task:
    """Queries, the gallery they choose from, and the right choice.

    Attributes
    ----------
    model, dataset, name : where it comes from and what it is called in tables
    queries : (m, d) float64
    gallery : (K, d) float64, untouched
    labels : (m,) int, the right row of the gallery
    """

    model: str
    dataset: str
    name: str
    queries: np.ndarray
    gallery: np.ndarray
    labels: np.ndarray

    @property
    def head(self) -> dict[str, str]:
        """The first columns of every row of a table."""
        return {"model": self.model, "dataset": self.dataset, "task": self.name}

    def resamples(self, seed: int) -> Resamples:
        """The resampled queries that all intervals of this task share."""
        return Resamples(len(self.queries), seed=seed)


def stands_alone(dataset: str) -> bool:
    """Whether the dataset's name is that of a whole set of embeddings: a file, or a published set."""
    return dataset in published_sets() or dataset.endswith(".safetensors")


_EMBEDDED: ContextVar[Mapping[tuple[str, str], Path]] = ContextVar("embedded", default={})  # noqa: B039


@contextlib.contextmanager
def using(files: Mapping[tuple[str, str], Path]) -> Iterator[None]:
    """Take the embeddings of these models on these datasets from files, inside a ``with`` block.

    Parameters
    ----------
    files : (model, dataset) -> file, as `gapkit.experiments.prepare` gives them
    """
    token = use_files(files)
    try:
        yield
    finally:
        _EMBEDDED.reset(token)


def use_files(files: Mapping[tuple[str, str], Path]) -> Token:
    """As `using`, for the rest of a process."""
    return _EMBEDDED.set(dict(files))


def embedded_files() -> Mapping[tuple[str, str], Path]:
    """The files that `using` or `use_files` has named."""
    return _EMBEDDED.get()


def load_subject(model: str, dataset: str) -> EmbeddingSet:
    """Embeddings of one model on one dataset: prepared, shipped, from a file, or embedded now (and then cached).

    Raises
    ------
    InputError
        If either is unknown, with the nearest known name.
    """
    return _load(model, dataset, _EMBEDDED.get().get((model, dataset)))


@functools.lru_cache(maxsize=4)
def _load(model: str, dataset: str, prepared: Path | None) -> EmbeddingSet:
    if prepared is not None:
        return EmbeddingSet.load(prepared, memory_map=True)
    if stands_alone(dataset):
        return load_embeddings(dataset)
    name = f"{model}/{dataset}"
    if name in list_embeddings():
        return load_embeddings(name)
    from gapkit.encoders import embed

    return embed(model, dataset)


def model_of(dataset: str) -> str:
    """The model's name for a dataset that stands alone."""
    return str(load_embeddings(dataset).metadata.get("model", Path(dataset).stem))


def zero_shot_task(model: str, dataset: str) -> Task:
    """Images choose among the texts: classes, or for pairs the captions."""
    entries = load_subject(model, dataset)
    if entries.task == "multiple-choice":
        raise InputError(
            f"{model}/{dataset} is a multiple-choice set; this experiment needs classes or pairs"
        )
    name = "zero-shot" if entries.task == "zero-shot" else "image to text"
    return Task(
        model,
        dataset,
        f"{name}, K={len(entries.texts)}",
        entries.images.astype(np.float64),
        entries.texts.astype(np.float64),
        entries.labels,
    )


def wordings_of(entries: EmbeddingSet) -> list[dict]:
    """The templates of a set that holds the same classes in several wordings, block after block; else empty.

    Metadata are anybody's: what does not describe wordings is none.
    """
    notes = entries.metadata.get("notes", entries.metadata)
    described = notes.get("templates") if isinstance(notes, dict) else None
    if entries.task != "zero-shot" or not isinstance(described, list) or len(described) < 2:
        return []
    size, rest = divmod(len(entries.texts), len(described))
    fits = all(isinstance(one, dict) and isinstance(one.get("template"), str) for one in described)
    return described if fits and rest == 0 and entries.labels.max() < size else []


def data_hash(job: Job) -> str:
    """The sha256 of the numbers a job reads; empty if it reads none."""
    if not job.dataset:
        return ""
    return _hash_of(job.model, job.dataset, _EMBEDDED.get().get((job.model, job.dataset)))


@functools.lru_cache(maxsize=256)
def _hash_of(model: str, dataset: str, prepared: Path | None) -> str:
    entries = _load(model, dataset, prepared)
    digest = hashlib.sha256()
    for name in ("images", "texts", "labels", "options", "answers", "image_rows"):
        value = getattr(entries, name)
        if value is not None:
            digest.update(f"{name}{value.dtype}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()
