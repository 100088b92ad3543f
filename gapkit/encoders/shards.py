"""The parts of an embedding run as they are finished, which makes it resumable, and how they become one file.

A run has a folder of its own, named after everything its bytes depend on. A shard is one safetensors
file, written whole or not at all; it holds the embeddings of a fixed range of rows and, in its header,
which of them could not be read and why. What is on the disk after a kill is a set of good shards and
perhaps a temporary file, which the next run removes.
"""

import glob
import hashlib
import itertools
import json
import shutil
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from gapkit._files import PART_SUFFIX, open_safetensors, write_atomically
from gapkit.datasets.dataset import Dataset
from gapkit.embeddings.files import Part, write_parts
from gapkit.errors import GapkitWarning, InputError

_STALE_AFTER = 30 * 24 * 3600  # seconds


class ShardFolder:
    """Finished shards of one side (images or texts) of a run.

    Parameters
    ----------
    folder : the run's folder
    side : "images" or "texts"
    count : rows in all
    size : rows in a shard
    """

    def __init__(self, folder: Path, side: str, *, count: int, size: int) -> None:
        self.folder, self.side = folder, side
        self.ranges = [range(start, min(start + size, count)) for start in range(0, count, size)]

    def missing(self) -> Iterator[tuple[int, range]]:
        """Number and rows of every shard that still has to be made; damaged ones are removed."""
        for number, rows in enumerate(self.ranges):
            if self._open(number) is None:
                yield number, rows

    def write(self, number: int, embeddings: np.ndarray, faults: dict[int, str]) -> None:
        """Store a finished shard: the embeddings of its readable rows, in order."""
        from safetensors.numpy import save_file

        embeddings = np.ascontiguousarray(embeddings)
        header = {"faults": json.dumps({str(row): why for row, why in faults.items()})}
        header["sha256"] = hashlib.sha256(embeddings.tobytes()).hexdigest()
        content = {"embeddings": embeddings}
        write_atomically(self._path(number), lambda part: save_file(content, part, metadata=header))

    def faults(self) -> dict[int, str]:
        """Row -> reason, for all rows that could not be read."""
        return {row: why for number in range(len(self.ranges)) for row, why in self._done(number)[1].items()}

    def forget_faults(self) -> None:
        """Remove the shards that have rows that could not be read."""
        for number in range(len(self.ranges)):
            if (opened := self._open(number)) is not None and opened[1]:
                self._path(number).unlink(missing_ok=True)

    def blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows and embeddings of each shard, in order: (m,) int and (m, d) float32."""
        for number, rows in enumerate(self.ranges):
            embeddings, faults = self._done(number)
            kept = np.array([row for row in rows if row not in faults], dtype=np.int64)
            yield kept, embeddings

    def _done(self, number: int) -> tuple[np.ndarray, dict[int, str]]:
        if (opened := self._open(number)) is None:
            raise InputError(f"{self._path(number)} was removed or damaged meanwhile; run the same again")
        return opened

    def _path(self, number: int) -> Path:
        return self.folder / f"{self.side}-{number:06d}.safetensors"

    def _open(self, number: int) -> tuple[np.ndarray, dict[int, str]] | None:
        path, rows = self._path(number), self.ranges[number]
        if not path.is_file():
            return None
        try:
            with open_safetensors(path, "numpy") as file:
                header, embeddings = file.metadata(), file.get_tensor("embeddings")
            faults = {int(row): why for row, why in json.loads(header["faults"]).items()}
            if header["sha256"] != hashlib.sha256(embeddings.tobytes()).hexdigest():
                raise ValueError("the bytes are not those that were written")
            if len(embeddings) != len(rows) - len(faults) or not set(faults) <= set(rows):
                raise ValueError("rows are missing")
        except (InputError, ValueError, KeyError, TypeError):
            path.unlink(missing_ok=True)
            return None
        return embeddings, faults


def remove_leftovers(folder: Path, name: str = "") -> None:
    """Delete what killed writers of ``name`` (of anything, by default) left in ``folder``.

    Only whoever holds the lock may call this: a living writer would lose its file.
    """
    for left in folder.glob("." + glob.escape(name) + f"*{PART_SUFFIX}"):
        left.unlink(missing_ok=True)


def remove_stale(runs: Path) -> None:
    """Delete runs that nobody has gone on with for a month: images changed, models were dropped."""
    for run in runs.glob("*-*"):
        try:
            if not run.is_dir() or time.time() - run.stat().st_mtime < _STALE_AFTER:
                continue
            with FileLock(runs / f"{run.name.partition('-')[0]}.lock", timeout=0):
                shutil.rmtree(run, ignore_errors=True)
        except (Timeout, OSError):  # somebody goes on with it, or has removed it
            continue


def assemble(dataset: Dataset, images: ShardFolder, texts: ShardFolder, target: Path, facts: dict) -> None:
    """Join the shards into the finished file, block by block, without the rows that could not be read."""
    faults = images.faults()
    if len(faults) == len(dataset.images):
        raise InputError(listed(faults, "cannot be read: that is all of them"))
    kept = np.setdiff1d(np.arange(len(dataset.images)), list(faults))
    if faults:
        warnings.warn(listed(faults, "cannot be read and are left out"), GapkitWarning, stacklevel=4)
    gallery, owner = np.arange(len(dataset.prompts)), dataset.image_of_text
    if dataset.task == "pairs":
        gallery = kept if owner is None else np.flatnonzero(np.isin(owner, kept))
    width = next(block.shape[1] for _, block in texts.blocks())
    parts = {
        "images": Part("float32", (len(kept), width), (block for _, block in images.blocks() if len(block))),
        "texts": Part("float32", (len(gallery), width), _gallery(dataset, texts, gallery)),
    }
    fields = _kept_fields(dataset, kept, gallery)
    skipped = [[dataset.images.names[row], why] for row, why in sorted(faults.items())]
    write_parts(target, parts, fields, dataset.task, True, facts | {"skipped": skipped})


def _gallery(dataset: Dataset, texts: ShardFolder, rows: np.ndarray) -> Iterator[np.ndarray]:
    """The gallery row by row: an average, normalised again, where a row has several prompts."""
    wanted = set(rows.tolist())
    embeddings = (embedding for _, block in texts.blocks() for embedding in block)
    for row, prompts in enumerate(dataset.prompts):
        mean = _mean(list(itertools.islice(embeddings, len(prompts))))
        if row in wanted:
            yield mean[None]


def _mean(embeddings: list[np.ndarray]) -> np.ndarray:
    if len(embeddings) == 1:
        return embeddings[0]
    mean = np.mean(np.stack(embeddings), axis=0, dtype=np.float64)
    return (mean / np.linalg.norm(mean)).astype(np.float32)


def _kept_fields(dataset: Dataset, kept: np.ndarray, gallery: np.ndarray) -> dict:
    """The set's other fields, once only the images at ``kept`` are left."""
    fields = {"image_names": [dataset.images.names[row] for row in kept]}
    fields["text_names"] = [dataset.text_names[row] for row in gallery]
    questions = kept
    if dataset.task == "multiple-choice":
        place = np.full(len(dataset.images), -1)
        place[kept] = np.arange(len(kept))
        questions = np.flatnonzero(place[dataset.image_rows] >= 0)
        fields["image_rows"] = place[dataset.image_rows[questions]]
        fields |= {"options": dataset.options[questions], "answers": dataset.answers[questions]}
    elif dataset.task == "zero-shot":
        fields["labels"] = dataset.labels[kept]
    elif dataset.image_of_text is not None:
        fields["image_of_text"] = np.searchsorted(kept, dataset.image_of_text[gallery])
    if dataset.groups is not None:
        fields["groups"] = [dataset.groups[row] for row in questions]
    return fields


def listed(faults: dict[int, str], what: str) -> str:
    """One line about the images that could not be read: how many, and why the first ten."""
    reasons = [why for _, why in sorted(faults.items())]
    more = f" … and {len(reasons) - 10} more" if len(reasons) > 10 else ""
    return f"{len(reasons)} images {what}: " + "; ".join(reasons[:10]) + more
