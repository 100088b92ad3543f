"""What an experiment is run on: embeddings by model and dataset, and the task in them."""

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gapkit.embeddings import COCO500_NAMES, EmbeddingSet, list_embeddings, load_embeddings
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
    """Whether the dataset's name is that of a whole set of embeddings: a file, or COCO-500."""
    return dataset in COCO500_NAMES or dataset.endswith(".safetensors")


@functools.lru_cache(maxsize=4)
def load_subject(model: str, dataset: str) -> EmbeddingSet:
    """Embeddings of one model on one dataset: shipped, from a file, or embedded now (and then cached).

    Raises
    ------
    InputError
        If either is unknown, with the nearest known name.
    """
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
    """The templates of a set that holds the same classes in several wordings, block after block; else empty."""
    notes = entries.metadata.get("notes", entries.metadata)
    return list(notes.get("templates", []))


def data_hash(job: Job) -> str:
    """The sha256 of the numbers a job reads; empty if it reads none."""
    return _hash_of(job.model, job.dataset) if job.dataset else ""


@functools.lru_cache(maxsize=256)
def _hash_of(model: str, dataset: str) -> str:
    entries = load_subject(model, dataset)
    digest = hashlib.sha256()
    for name in ("images", "texts", "labels", "options", "answers", "image_rows"):
        value = getattr(entries, name)
        if value is not None:
            digest.update(f"{name}{value.dtype}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()
