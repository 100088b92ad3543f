"""Embedding against a bare OpenCLIP loop with the same batches: reading, preprocessing and encoding."""

import functools
import os
import tempfile
from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.clock import once
from benchmarks.rows import Row
from gapkit.datasets import Dataset
from gapkit.datasets.images import ArrayImages
from gapkit.encoders import load_model
from gapkit.encoders.embedding import embed_to_file
from gapkit.encoders.model import Model

BATCH = 32
LEAST_SHARE = 0.95
"""Of the bare loop's throughput."""


def noise(count: int, size: int, seed: int) -> Dataset:
    """Random pixels under two prompts."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), np.uint8)
    return Dataset(
        name=f"noise{seed}",
        images=ArrayImages(pixels),
        prompts=["a", "b"],
        task="zero-shot",
        labels=np.zeros(count, int),
    )


@torch.inference_mode()
def bare(model: Model, data: Dataset) -> torch.Tensor:
    """What one would write first: read, preprocess, stack, encode."""
    rows = []
    for start in range(0, len(data.images), BATCH):
        images = [data.images[row] for row in range(start, min(start + BATCH, len(data.images)))]
        pixels = torch.stack([model.preprocess(image) for image in images])
        rows.append(model.module.encode_image(pixels, normalize=True))
    return torch.cat(rows)


def compare(name: str, count: int, size: int, repeats: int) -> Row:
    """Both as the best of alternating turns, each with new data: nothing may come from the cache."""
    model = load_model(name)
    ours, theirs = functools.partial(embed_to_file, model, batch_size=BATCH), functools.partial(bare, model)
    least = {ours: float("inf"), theirs: float("inf")}
    for turn in range(repeats):
        data = noise(count, size, seed=turn)
        for function in (ours, theirs) if turn % 2 else (theirs, ours):
            least[function] = min(least[function], once(lambda f=function, data=data: f(data)))
    what = f"embedding {count:,} images of {size} pixels, {name}"
    against = "bare OpenCLIP loop"
    return Row(what, least[ours], against=against, other=least[theirs], most_ratio=1 / LEAST_SHARE)


def rows(*, quick: bool = False, repeats: int = 3) -> Iterator[Row]:
    """All rows."""
    many, few = (1500, 32) if quick else (6000, 256)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["GAPKIT_CACHE"] = cache
        yield compare("miniclip-random", many, 64, 3 * repeats)  # short: what else the machine does shows
        yield compare("ViT-B-32/random", few, 224, repeats)
