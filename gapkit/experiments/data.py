"""What an experiment reads: files of embeddings by model and dataset, and the task in them."""

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gapkit import engine
from gapkit._files import file_state, known_sha256
from gapkit.embeddings import EmbeddingSet, list_embeddings, load_embeddings, published_sets
from gapkit.embeddings.evaluation import classes_to_draw_within
from gapkit.embeddings.library import embeddings_file
from gapkit.errors import InputError
from gapkit.geometry import Resamples


@dataclass(frozen=True)
class Task:
    """Queries, the gallery they choose from, and the right choice.

    Attributes
    ----------
    model, dataset, name : where it comes from and what it is called in tables
    queries : (m, d) float64
    gallery : (K, d) float64, untouched
    labels : (m,) int, the right row of the gallery; or, with ``ids``, what the right rows are called there
    ids : (K,) int, what each row of the gallery is called, where several are right; None: its number
    """

    model: str
    dataset: str
    name: str
    queries: np.ndarray
    gallery: np.ndarray
    labels: np.ndarray
    ids: np.ndarray | None = field(default=None, kw_only=True)
    known: dict = field(default_factory=dict, init=False, repr=False, compare=False)
    """What was computed of the untouched sets and is asked for again."""

    @property
    def head(self) -> dict[str, str]:
        """The first columns of every row of a table."""
        return {"model": self.model, "dataset": self.dataset, "task": self.name}

    def resamples(self, seed: int) -> Resamples:
        """The resampled queries that all intervals of this task share; drawn within classes, which are fixed."""
        if ("resamples", seed) not in self.known:
            strata = classes_to_draw_within(self.labels)
            self.known["resamples", seed] = Resamples(len(self.queries), strata=strata, seed=seed)
        return self.known["resamples", seed]

    @property
    def middle(self) -> np.ndarray:
        """(d,) mean of the queries, the μ_y of the gap."""
        return self.queries.mean(0)


def stands_alone(dataset: str) -> bool:
    """Whether the dataset's name is that of a whole set of embeddings: a file, or a published set."""
    return dataset in published_sets() or dataset.endswith(".safetensors")


def find_file(model: str, dataset: str, prepared: Mapping[tuple[str, str], Path] | None = None) -> Path:
    """The file of embeddings of one model on one dataset: prepared, named itself, shipped, or embedded now.

    Parameters
    ----------
    model, dataset : names
    prepared : (model, dataset) -> file, as `gapkit.experiments.plan.prepare` gives them

    Raises
    ------
    InputError
        If either is unknown, with the nearest known name.
    """
    if prepared and (model, dataset) in prepared:
        return Path(prepared[model, dataset])
    if stands_alone(dataset):
        return embeddings_file(dataset)
    if f"{model}/{dataset}" in list_embeddings():
        return embeddings_file(f"{model}/{dataset}")
    from gapkit.datasets import load_dataset
    from gapkit.encoders import load_model
    from gapkit.encoders.embedding import embed_to_file

    return embed_to_file(load_model(model), load_dataset(dataset))


def load_set(model: str, dataset: str, path: str | os.PathLike = "", sha256: str = "") -> EmbeddingSet:
    """The embeddings of one model on one dataset.

    Parameters
    ----------
    model, dataset : names
    path : of the file; by default that of `find_file`
    sha256 : of its bytes, as they were when the job was planned

    Raises
    ------
    InputError
        If there is no such file, or its bytes have changed since.
    """
    path = engine.local_file(path or find_file(model, dataset), sha256)
    if sha256 and known_sha256(path) != sha256:
        raise InputError(f"{path} has changed since the measurements were planned; start them again")
    return _load(dataset if dataset in published_sets() else "", path, file_state(path))


@functools.lru_cache(maxsize=4)
def _load(published: str, path: Path, state: tuple[int, ...]) -> EmbeddingSet:
    """Kept as long as the file is the same: one saved again under its name is read again."""
    if published:  # published sets have formats of their own
        return published_sets()[published].load(path)
    return load_embeddings(path, memory_map=True)


def model_of(dataset: str) -> str:
    """The model's name for a dataset that stands alone."""
    return str(load_set("", dataset).metadata.get("model", Path(dataset).stem))


def zero_shot_task(model: str, dataset: str, path: str | os.PathLike = "", sha256: str = "") -> Task:
    """Images choose among the texts: classes, or for pairs the captions, one of each image.

    Parameters
    ----------
    model, dataset, path, sha256 : as `load_set`
    """
    entries = load_set(model, dataset, path, sha256).first_captions()
    if entries.task == "multiple-choice":
        raise InputError(f"{model}/{dataset} is a multiple-choice set; this needs classes or pairs")
    name = "zero-shot" if entries.task == "zero-shot" else "image to text"
    texts, images = (z.astype(np.float64) for z in entries.modalities())
    return Task(model, dataset, f"{name}, K={len(texts)}", images, texts, entries.labels)


def wordings_of(entries: EmbeddingSet) -> list[dict]:
    """The templates of a set that holds the same classes in several wordings, block after block; else empty.

    Metadata are anybody's: what does not describe wordings is none.
    """
    notes = entries.metadata.get("notes", entries.metadata)
    described = notes.get("templates") if isinstance(notes, dict) else None
    if entries.task != "zero-shot" or not isinstance(described, list) or len(described) < 2:
        return []
    size, rest = divmod(len(entries.texts), len(described))
    fits = all(isinstance(about, dict) and isinstance(about.get("template"), str) for about in described)
    return described if fits and rest == 0 and entries.labels.max() < size else []
