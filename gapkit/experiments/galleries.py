"""Small galleries of a pair set as a task: what every experiment on classes can also be done on.

A set of pairs as one gallery crowds the space it lies in, and there is hardly anything left to close. Cut at random into
disjoint galleries of K candidates, with their partners as queries, it asks what the paper asks, and the galleries are
blocks of data that give an interval (see `gapkit.tasks.galleries`).

A `GalleryTask` is a `Task` whose ``queries`` and ``gallery`` have one dimension more, (G, K, d): everything in
`gapkit.experiments.protocol` takes both.
"""

import warnings
from dataclasses import dataclass, field

import numpy as np

from gapkit.closing import AffineProjection, MeanShift, ProjectedShift
from gapkit.embeddings import EmbeddingSet
from gapkit.errors import GapkitWarning, InputError
from gapkit.experiments.data import Task, load_set, zero_shot_task
from gapkit.experiments.record import Job
from gapkit.geometry import Interval, Resamples
from gapkit.tasks.galleries import LEAST_BLOCKS, block_interval, cut_galleries, unrepeated_rows

PARTITIONS = 4
"""How often a set is cut anew; more make a mean steadier, and count as no more data."""
DIRECTIONS = ("image to text", "text to image")


class Blocks(Resamples):
    """Intervals over galleries, with the methods of `gapkit.geometry.Resamples`.

    Parameters
    ----------
    partitions, blocks : how the (G, K) values of all galleries are grouped
    """

    def __init__(self, partitions: int, blocks: int) -> None:
        self._shape = partitions, blocks

    def _values(self, values) -> np.ndarray:
        return np.asarray(values, dtype=float)

    def mean(self, values) -> Interval:
        """Mean of (G · K,) values with its t interval over galleries."""
        of_blocks = self._values(values).reshape(*self._shape, -1).mean(-1)  # (P, B)
        return block_interval(of_blocks, confidence=self.confidence)

    def share(self, indicator) -> Interval:
        """Share of zeros and ones; where all are alike, the exact binomial end (see `Resamples.share`)."""
        values = np.asarray(indicator, dtype=float)
        if values.min() != values.max():
            return self.mean(values)
        asked = values.size // self._shape[0]  # the partitions ask the same queries again
        doubt = 1 - ((1 - self.confidence) / 2) ** (1 / asked)
        return Interval(0.0, 0.0, doubt) if values.flat[0] == 0 else Interval(1.0, 1 - doubt, 1.0)


@dataclass(frozen=True)
class GalleryTask(Task):
    """Many small galleries of one pair set, each asked by its own queries.

    Attributes
    ----------
    queries, gallery : (G, K, d) float64; query i of a gallery belongs to candidate i
    labels : (G · K,) the right candidate within each gallery
    centre : (d,) mean of all queries of the set, the μ_y of every gap
    partitions : how often the set was cut
    dropped : pairs left out because their gallery row repeats another's
    """

    centre: np.ndarray = field(kw_only=True)
    partitions: int = field(kw_only=True)
    dropped: int = field(kw_only=True)

    @property
    def head(self) -> dict:
        """The first columns of every row of a table; K is part of the dataset's name, so that cells are told apart."""
        size, galleries = self.gallery.shape[1], len(self.gallery) // self.partitions
        about = {"candidates": size, "galleries": galleries, "dropped": self.dropped}
        return super().head | {"dataset": f"{self.dataset}, K={size}"} | about

    @property
    def middle(self) -> np.ndarray:
        """(d,) the μ_y of every gap: that of the whole set."""
        return self.centre

    def resamples(self, seed: int) -> Blocks:
        """Blocks give the intervals of this task."""
        return Blocks(self.partitions, len(self.gallery) // self.partitions)


class GalleryCloser:
    """A closer of full strength fitted on each gallery: the set's μ_y, the gallery's own mean and components.

    Attributes
    ----------
    gap_, shift_ : (G, 1, d) g and what the closer moves by; the projections have no shift
    """

    def __init__(self, name: str, task: GalleryTask) -> None:
        self.name = name
        self.gap_ = task.middle - task.gallery.mean(1, keepdims=True)  # (G, 1, d)
        self._means = task.gallery.mean(1, keepdims=True)
        if name == MeanShift.name:
            self.shift_ = self.gap_
            return
        closers = [_fit_quietly(x, gap) for x, gap in zip(task.gallery, self.gap_[:, 0], strict=True)]
        self._components = [closer.components_ for closer in closers]  # each (r, d)
        if name == ProjectedShift.name:
            self.shift_ = np.stack([closer.shift_ for closer in closers])[:, None]

    def transform(self, queries: np.ndarray) -> np.ndarray:
        """(G, m, d) queries projected onto the affine span of their gallery, or onto that of its differences."""
        about = self._means if self.name == AffineProjection.name else np.zeros_like(self._means)
        pairs = zip(queries - about, self._components, strict=True)
        return about + np.stack([(rows @ v.T) @ v for rows, v in pairs])


def _fit_quietly(gallery: np.ndarray, gap: np.ndarray) -> ProjectedShift:
    # Nothing to move is a number here, not news.
    with warnings.catch_warnings(action="ignore", category=GapkitWarning):
        return ProjectedShift().fit(gallery, gap=gap)


def gallery_task(
    entries: EmbeddingSet,
    model: str,
    dataset: str,
    size: int,
    *,
    direction: str = DIRECTIONS[0],
    partitions: int = PARTITIONS,
    seed: int = 0,
) -> GalleryTask:
    """A pair set cut into galleries of ``size``, by image; of several captions of an image the first.

    Parameters
    ----------
    entries : a set of pairs
    model, dataset : names for the tables
    size : K
    direction : "image to text" (texts are the gallery) or "text to image"
    partitions : how often it is cut
    seed : of the cuts

    Raises
    ------
    InputError
        If it holds no pairs, or too few for five disjoint galleries once repeated gallery rows are dropped.
    """
    if entries.task != "pairs":
        raise InputError(f"{model}/{dataset} is a {entries.task} set; only pairs are cut into galleries")
    texts, images = (z.astype(np.float64) for z in entries.first_captions().modalities())
    queries, gallery = (images, texts) if direction == DIRECTIONS[0] else (texts, images)
    kept = unrepeated_rows(gallery)
    try:
        rows = cut_galleries(len(kept), size, partitions=partitions, seed=seed).numpy()
    except InputError as fault:
        raise InputError(f"{dataset}: {fault}") from None
    rows = kept[rows].reshape(-1, size)  # (G, K)
    name, labels = f"{direction}, K={size}", np.tile(np.arange(size), len(rows))
    about = {"centre": queries.mean(0), "partitions": partitions, "dropped": len(gallery) - len(kept)}
    return GalleryTask(model, dataset, name, queries[rows], gallery[rows], labels, **about)


def galleries_in(entries: EmbeddingSet) -> int:
    """How many galleries of its own a set has, one after the other (see `gapkit.datasets.builtin.scenes_twins`); 0 if none.

    Metadata are anybody's: what does not describe galleries is none.
    """
    notes = entries.metadata.get("notes")
    count = notes.get("galleries") if isinstance(notes, dict) and entries.task == "zero-shot" else None
    if not isinstance(count, int) or count < LEAST_BLOCKS or len(entries.texts) % count:
        return 0
    if len(entries.images) % count:
        return 0
    size, asked = len(entries.texts) // count, len(entries.images) // count
    at_home = np.asarray(entries.labels) // size == np.arange(len(entries.images)) // asked
    return count if at_home.all() else 0


def near_twins_task(entries: EmbeddingSet, count: int, model: str, dataset: str) -> GalleryTask:
    """The ``count`` galleries that a set brings along (`galleries_in`), each with its own queries."""
    texts, images = (z.astype(np.float64) for z in entries.modalities())
    gallery, queries = (z.reshape(count, -1, z.shape[1]) for z in (texts, images))  # (G, K, d), (G, m, d)
    name, labels = f"zero-shot among near-twins, K={gallery.shape[1]}", entries.labels % gallery.shape[1]
    about = {"centre": images.mean(0), "partitions": 1, "dropped": 0}
    return GalleryTask(model, dataset, name, queries, gallery, labels, **about)


def task_of(job: Job) -> Task:
    """What a job on classes is done on: the set as one gallery, or small galleries of it.

    The options ``galleries`` (K) and ``partitions`` of the job say so; a set of near-twins has galleries of its own.
    """
    size = job.options.get("galleries")
    entries = load_set(*job.source)
    if count := galleries_in(entries):
        return near_twins_task(entries, count, job.model, job.dataset)
    if not size:
        return zero_shot_task(*job.source)
    partitions = int(job.options.get("partitions", PARTITIONS))
    return gallery_task(entries, job.model, job.dataset, size, partitions=partitions, seed=job.seed)


def possible_sizes(entries: EmbeddingSet, sizes) -> list[int]:
    """Those numbers of candidates of which a pair set has five disjoint galleries."""
    if entries.task != "pairs":
        return []
    count = min(len(unrepeated_rows(side)) for side in entries.first_captions().modalities())
    return [size for size in sizes if size > 1 and count >= LEAST_BLOCKS * size]
