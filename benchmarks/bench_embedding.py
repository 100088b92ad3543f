"""Embedding against a bare OpenCLIP loop with the same batches, side by side in one run, and the first result.

python benchmarks/bench_embedding.py
python benchmarks/bench_embedding.py --quick
"""

import argparse
import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from gapkit.datasets import ArrayImages, Dataset
from gapkit.encoders import Model, embed_to_file, load_model

BATCH = 32
LEAST_SHARE = 0.95


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


def seconds(function: Callable, data: Dataset) -> float:
    """Wall-clock seconds of one call."""
    began = time.perf_counter()
    function(data)
    return time.perf_counter() - began


def compare(name: str, count: int, size: int, repeats: int) -> dict:
    """The share of the bare loop's throughput, both as the best of alternating turns."""
    model = load_model(name)
    model.weights_sha256()  # once for each model
    ours, theirs = functools.partial(embed_to_file, model, batch_size=BATCH), functools.partial(bare, model)
    times = {ours: [], theirs: []}
    for turn in range(repeats):
        data = noise(count, size, seed=turn)  # new data: nothing may come from the cache
        for function in (ours, theirs) if turn % 2 else (theirs, ours):
            times[function].append(seconds(function, data))
    mine, other = min(times[ours]), min(times[theirs])
    return {
        "what": f"embedding {count:,} images of {size} pixels, {name}",
        "seconds": mine,
        "against": "bare OpenCLIP loop",
        "its_seconds": other,
        "ratio": mine / other,
        "bar": 1 / LEAST_SHARE,
    }


FIRST = """
import sys, time
began = time.perf_counter()
from gapkit.encoders import embed_to_file, load_model
from bench_embedding import noise
embed_to_file(load_model(sys.argv[1]), noise(32, 64, 0))
print(time.perf_counter() - began)
"""
IMPORTS = """
import time
began = time.perf_counter()
from gapkit._openclip import open_clip
open_clip()
print(time.perf_counter() - began)
"""


def first_result(name: str, *, repeats: int = 5) -> dict:
    """From a fresh process with a warm disk to the first finished batch, and what imports take of that."""
    found = {FIRST: [], IMPORTS: []}
    variables = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # users' Pythons compile a module once
    for _ in range(repeats):
        for code, times in found.items():
            with tempfile.TemporaryDirectory() as cache:
                done = subprocess.run(
                    [sys.executable, "-c", code, name],
                    env=variables | {"GAPKIT_CACHE": cache},
                    capture_output=True,
                    text=True,
                    check=True,
                )
            times.append(float(done.stdout))
    return {
        "what": f"new process to first 32 embeddings, {name}",
        "seconds": min(found[FIRST]),
        "against": "importing torch and OpenCLIP alone",
        "its_seconds": min(found[IMPORTS]),
        "bar_seconds": 5.0,
    }


def results(*, quick: bool = False, repeats: int = 3) -> list[dict]:
    """All rows."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["GAPKIT_CACHE"] = cache
        many, few = (1500, 32) if quick else (6000, 256)
        return [
            compare("miniclip-random", many, 64, 3 * repeats),  # short: what else the machine does shows
            compare("ViT-B-32/random", few, 224, repeats),
            first_result("miniclip-wide"),
        ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="smaller problems")
    for row in results(quick=parser.parse_args().quick):
        print(row)
