"""Joining the shards of a finished run into one file, block by block."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gapkit.datasets.base import Dataset
from gapkit.embeddings.files import Part, write_parts
from gapkit.encoders.shards import ShardFolder
from gapkit.errors import GapkitWarning, InputError


def assemble(dataset: Dataset, images: ShardFolder, texts: ShardFolder, target: Path, facts: dict) -> None:
    """Join the shards into the finished file, block by block, without the rows that could not be read."""
    faults = images.faults()
    if len(faults) == len(dataset.images):
        raise InputError(listed(faults, "cannot be read: that is all of them"))
    kept = np.setdiff1d(np.arange(len(dataset.images)), list(faults))
    if faults:
        message = listed(faults, "cannot be read and are left out")
        warnings.warn(message, GapkitWarning, stacklevel=4)
    pairs = dataset.task == "pairs"
    gallery = kept if pairs else np.arange(len(dataset.prompts))
    width = next(block.shape[1] for _, block in texts.blocks())
    parts = {
        "images": Part("float32", (len(kept), width), (block for _, block in images.blocks() if len(block))),
        "texts": Part("float32", (len(gallery), width), _gallery(dataset, texts, gallery if pairs else None)),
    }
    fields = _kept_fields(dataset, kept, gallery)
    skipped = [[dataset.images.names[row], why] for row, why in sorted(faults.items())]
    write_parts(target, parts, fields, dataset.task, True, facts | {"skipped": skipped})


def _gallery(dataset: Dataset, texts: ShardFolder, rows: np.ndarray | None) -> Iterator[np.ndarray]:
    """The gallery in blocks: an average, normalised again, where a row has several prompts."""
    wanted = None if rows is None else set(rows.tolist())
    waiting, finished, row = [], [], 0
    for _, block in texts.blocks():
        for embedding in block:
            waiting.append(embedding)
            if len(waiting) < len(dataset.prompts[row]):
                continue
            if wanted is None or row in wanted:
                finished.append(_mean(waiting))
            waiting, row = [], row + 1
        if finished:
            yield np.stack(finished)
            finished = []


def _mean(embeddings: list[np.ndarray]) -> np.ndarray:
    if len(embeddings) == 1:
        return embeddings[0]
    mean = np.mean(np.stack(embeddings), axis=0, dtype=np.float64)
    return (mean / np.linalg.norm(mean)).astype(np.float32)


def _kept_fields(dataset: Dataset, kept: np.ndarray, gallery: np.ndarray) -> dict:
    """The set's other fields, once only the images at ``kept`` are left."""
    fields = {
        "image_names": [dataset.images.names[row] for row in kept],
        "text_names": [dataset.text_names[row] for row in gallery],
    }
    questions = kept
    if dataset.task == "multiple-choice":
        place = np.full(len(dataset.images), -1)
        place[kept] = np.arange(len(kept))
        questions = np.flatnonzero(place[dataset.image_rows] >= 0)
        fields["image_rows"] = place[dataset.image_rows[questions]]
        fields |= {"options": dataset.options[questions], "answers": dataset.answers[questions]}
    elif dataset.task == "zero-shot":
        fields["labels"] = dataset.labels[kept]
    if dataset.groups is not None:
        fields["groups"] = [dataset.groups[row] for row in questions]
    return fields


def listed(faults: dict[int, str], what: str) -> str:
    """One line about the images that could not be read: how many, and why the first ten."""
    reasons = [why for _, why in sorted(faults.items())]
    more = f" … and {len(reasons) - 10} more" if len(reasons) > 10 else ""
    return f"{len(reasons)} images {what}: " + "; ".join(reasons[:10]) + more
