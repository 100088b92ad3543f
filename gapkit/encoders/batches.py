"""Images in batches, preprocessed here or in worker processes, and whole shards, embedded here or on a cluster.

OpenCLIP's own preprocessing is called as it is, behind a bound on what resizing may make of an image. Unreadable images
come back as reasons.
"""

import contextlib
import functools
import hashlib
import os
import pickle
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from gapkit import engine
from gapkit._files import known_sha256, short_reason
from gapkit.datasets import Dataset
from gapkit.datasets.images import FileImages, has_hashes, path_in
from gapkit.encoders.loading import load_model, model_files
from gapkit.encoders.model import Model
from gapkit.errors import InputError, refusing

PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}

MOST_RESIZED = 50_000_000
"""Pixels after resizing: at 224 a side a line of 1 x 60,000, a file of 312 bytes, would be 3 billion."""
_SQUARE = 40  # times as long as wide; even at 1,000 a side that is within MOST_RESIZED


@dataclass(frozen=True)
class Batch:
    """Some images, ready for a model.

    Attributes
    ----------
    pixels : (b, 3, h, w) float32, or None if no image of the batch could be read
    faults : row -> why it could not be read
    hashes : row -> hash of the bytes that were read; empty where the images have none
    """

    pixels: torch.Tensor | None
    faults: dict[int, str]
    hashes: dict[int, str]


@dataclass(frozen=True)
class Precisely:
    """What the last bits of embeddings depend on beside the model: the same everywhere for the shards of a run."""

    batch_size: int
    precision: str
    threads: int
    device: str

    @contextlib.contextmanager
    def calculating(self) -> Iterator[None]:
        """In this precision, on so many threads."""
        before, cast = torch.get_num_threads(), PRECISIONS[self.precision]
        precise = torch.autocast(self.device.partition(":")[0], dtype=cast, enabled=cast is not None)
        try:
            with engine.limit_threads(self.threads), precise:
                yield
        finally:
            torch.set_num_threads(before)


def batches(rows: range, batch_size: int) -> list[range]:
    """``rows`` in pieces.

    >>> batches(range(4, 9), 2)
    [range(4, 6), range(6, 8), range(8, 9)]
    """
    return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]


def read_batches(
    images: Sequence, preprocess: Callable, plan: list[range], *, workers: int = 0
) -> Iterator[Batch]:
    """The images of each range in ``plan``, in order, whatever the number of ``workers``."""
    prepared, own = _Prepared(images, preprocess), torch.Generator()  # else it would draw from the caller's
    # Python 3.14's own choice on Linux would import torchvision without what `gapkit._openclip` does for it.
    fork = "fork" if workers and sys.platform == "linux" else None
    loader = DataLoader(prepared, batch_sampler=plan, num_workers=workers, collate_fn=_collate, generator=own,
                        multiprocessing_context=fork)  # fmt: skip
    try:
        say = "images or preprocessing cannot be handed to worker processes; take none (workers=0): "
        with refusing(AttributeError, TypeError, pickle.PicklingError, before=say):
            ready = iter(loader)
        yield from ready
    except RuntimeError as fault:
        if "worker" not in str(fault).lower():
            raise
        died = f"a worker process died ({str(fault).splitlines()[0][:100]})"
        raise InputError(f"{died}; too little memory? Use fewer workers") from fault


class _Prepared(torch.utils.data.Dataset):
    """The images, preprocessed, or the reasons why not; what DataLoader sees, with workers or without."""

    def __init__(self, images: Sequence, preprocess: Callable) -> None:
        self.images, self.preprocess = images, preprocess
        self._hashed = has_hashes(images)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[int, str | None, torch.Tensor | str]:
        digest = None
        try:
            if self._hashed:
                digest, content = self.images.read(row)
                image = self.images.decode(row, content)
            else:
                image = self.images[row]
        except (InputError, MemoryError) as fault:
            return row, digest, str(fault) or f"{self._name(row)}: too little memory to read it"
        return row, digest, self._pixels(row, image)

    @torch.inference_mode()  # 7 % less time for small images
    def _pixels(self, row: int, image) -> torch.Tensor | str:
        """The image as the model takes it, or why that cannot be."""
        size = "an image of {} x {} pixels".format(*image.size)
        if too_stretched(self.preprocess, *image.size):
            return f"{self._name(row)} is too stretched: {size} would be enlarged without end"
        try:
            return self.preprocess(image)
        except (ValueError, RuntimeError, ZeroDivisionError, MemoryError) as fault:
            return f"{self._name(row)}: cannot preprocess {size}: {short_reason(fault, 120)}"

    def _name(self, row: int) -> str:
        return self.images.names[row]


def _collate(items: list) -> Batch:
    pixels = [value for *_, value in items if isinstance(value, torch.Tensor)]
    faults = {row: value for row, _, value in items if isinstance(value, str)}
    hashes = {row: digest for row, digest, _ in items if digest is not None}
    return Batch(torch.stack(pixels) if pixels else None, faults, hashes)


def too_stretched(preprocess: Callable, width: int, height: int) -> bool:
    """Whether resizing an image of this size would make more than `MOST_RESIZED` pixels of it."""
    if max(width, height) <= _SQUARE * min(width, height):  # hardly any image is worth a closer look
        return False
    return _resized_pixels(preprocess, width, height) > MOST_RESIZED


def _resized_pixels(preprocess: Callable, width: int, height: int) -> float:
    """How many pixels an image has once its shorter side is the model's; 0 where that is not how it goes."""
    step = next((step for step in getattr(preprocess, "transforms", ()) if hasattr(step, "size")), None)
    size = getattr(step, "size", 0)
    if isinstance(size, (tuple, list)):  # both sides given, or OpenCLIP's ResizeKeepRatio
        size = max(size) if getattr(step, "longest", 1) == 0 else 0
    return float(size**2) * max(width, height) / min(width, height) if size else 0.0


def encode_texts(model: Model, texts: Sequence[str], how: Precisely) -> np.ndarray:
    """A shard of texts, batch by batch: (n, d) float32."""
    rows = batches(range(len(texts)), how.batch_size)
    return np.concatenate([model.encode_texts(texts[some.start : some.stop]) for some in rows])


def encode_images(
    model: Model,
    images: Sequence,
    hashes: Sequence[str] | None,
    shards: dict[int, range],
    how: Precisely,
    *,
    dataset: str,
    workers: int = 0,
    advance: Callable[[int], object] = lambda count: None,
) -> Iterator[tuple[int, np.ndarray, dict[int, str]]]:
    """Shards of images as they are finished: number, embeddings of the readable rows, and row -> why not.

    Raises
    ------
    InputError
        If an image is not the one whose hash is known.
    """
    plan = [(number, some) for number, rows in shards.items() for some in batches(rows, how.batch_size)]
    ready = read_batches(images, model.preprocess, [some for _, some in plan], workers=workers)
    blocks, faults = [], {}
    for (number, some), batch in zip(plan, ready, strict=True):
        for row, digest in batch.hashes.items():
            if hashes is not None and digest != hashes[row]:
                raise InputError(f"{images.names[row]} changed while {dataset} was embedded; run it again")
        faults |= batch.faults
        if batch.pixels is not None:
            blocks.append(model.encode_pixels(batch.pixels).numpy())
        advance(len(some))
        if some.stop == shards[number].stop:
            yield number, np.concatenate(blocks) if blocks else np.zeros((0, 0), np.float32), faults
            blocks, faults = [], {}


def embed_shards(
    client: Any,
    model: Model,
    dataset: Dataset,
    prompts: Sequence[str],
    hashes: Sequence[str] | None,
    how: Precisely,
    missing: Sequence[tuple[str, int, range]],
) -> Iterator[tuple[str, int, np.ndarray, dict[int, str]]]:
    """Shards as the workers of a cluster finish them: side, number, embeddings, and row -> why not."""
    if hashes is None:
        raise InputError(f"{dataset.name} has a class of its own for images; embed it without a cluster")
    files, seen = model_files(model), _seen(client, dataset.images, hashes)

    def pack(shard: tuple[str, int, range]) -> tuple[Any, Sequence]:
        side, _, rows = shard
        if side == "texts":
            texts = prompts[rows.start : rows.stop]
            return (texts, tokens_sha256(model.tokenise, texts)), files
        return (dataset.images.part(rows, read=not seen), hashes[rows.start : rows.stop]), files

    load = functools.partial(_loaded, model.name, how.device, model.weights_sha256(), files)
    function = functools.partial(_embed_shard, load, how, dataset.name)
    for position, (embeddings, faults) in engine.run(function, missing, cluster=client, pack=pack):
        side, number, rows = missing[position]
        yield side, number, embeddings, {row + rows.start: why for row, why in faults.items()}


def tokens_sha256(tokenise: Callable, texts: Sequence[str]) -> str:
    """What becomes of the texts, hashed."""
    digest = hashlib.sha256()
    for rows in batches(range(len(texts)), 1024):
        digest.update(np.asarray(tokenise(list(texts[rows.start : rows.stop]))).tobytes())
    return digest.hexdigest()


def _embed_shard(load: Callable[[], Model], how: Precisely, dataset: str, shard: tuple) -> tuple:
    """On a worker: the embeddings of texts, or of images whose hashes are known, and row -> why not."""
    model, (content, hashes) = load(), shard
    with how.calculating():
        if isinstance(hashes, str):  # of the tokens
            if tokens_sha256(model.tokenise, content) != hashes:
                raise InputError(f"workers load {model.name} anew, with another tokeniser; embed it here")
            return encode_texts(model, content, how), {}
        whole = {0: range(len(content))}
        ((_, *result),) = encode_images(model, content, hashes, whole, how, dataset=dataset)
        return tuple(result)


@functools.lru_cache(maxsize=1)
def _loaded(name: str, device: str, weights_sha256: str, files: tuple[tuple[str, str], ...]) -> Model:
    """A model, loaded once by each worker: by its name, or from files that come along."""
    called = name
    if files:
        weights = engine.local_file(*files[0])
        called = f"local-dir:{weights.parent}#{weights.name}"
    with refusing(InputError, before=f"on a worker ({platform.node()}): "):
        model = load_model(called, device=device)
    if model.weights_sha256() != weights_sha256:
        raise InputError(f"a worker ({platform.node()}) has other weights of {name} than this machine")
    return model


def _seen(client: Any, images: Sequence, hashes: Sequence[str]) -> bool:
    """Whether all workers see the images' folder, judged by three of its files."""
    if not isinstance(images, FileImages):
        return False
    rows = {0, len(images) // 2, len(images) - 1}
    folder = images.folder.absolute()
    paths = {os.fspath(path_in(folder, images.paths[row])): hashes[row] for row in rows}
    return all(client.run(_has_files, paths).values())


def _has_files(paths: dict[str, str]) -> bool:
    try:
        return all(known_sha256(path) == digest for path, digest in paths.items())
    except OSError:
        return False


def device_of_workers(client: Any, device: str) -> str:
    """What "auto" means on a cluster: "cuda" if every worker has it."""
    if device != "auto":
        return device
    return "cuda" if set(client.run(torch.cuda.is_available).values()) == {True} else "cpu"
