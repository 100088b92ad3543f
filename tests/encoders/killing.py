"""Embedding runs that are killed at random moments; run as a script, it prints what came of each.

Everything is imported once and every run is a fork, so that dozens of them cost seconds. How far a run has
come is told by its own calls, not by a clock: it writes a byte into a pipe at every hundredth, and whoever
kills it reads so many of them first. Where exactly it is hit then, inside a call or between two, is chance.
"""

import argparse
import hashlib
import json
import math
import os
import random
import shutil
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

from gapkit.datasets import Dataset
from gapkit.datasets.images import ArrayImages
from gapkit.encoders import embedding as machinery
from gapkit.encoders import load_model
from gapkit.encoders.embedding import embed_to_file
from tests.encoders.tiny import write_tiny

COUNT = 96
"""Pairs: six shards of two batches a side, so that a run is seldom hit where nothing is at stake."""


def dataset() -> Dataset:
    pixels = np.random.default_rng(0).integers(0, 256, (COUNT, 32, 32, 3), np.uint8)
    texts = [f"number {i}" for i in range(COUNT)]
    return Dataset(name="toy", images=ArrayImages(pixels), prompts=texts, task="pairs")


EVERY = 100
"""Calls of Python functions from one byte to the next."""


def tell(steps: int) -> None:
    """From now on write a byte into the pipe ``steps`` at every hundredth call in this thread, while it is read."""
    calls, process = 0, os.getpid()

    def count(_frame, event, _argument):
        nonlocal calls
        calls += event == "call"
        if event == "call" and calls % EVERY == 0:
            try:
                assert os.getpid() == process  # a worker has inherited this
                os.write(steps, b".")
            except (AssertionError, OSError):
                sys.setprofile(None)

    sys.setprofile(count)


def run(folder: Path, work: Path, workers: int, steps: int) -> None:
    """One whole run; it ends the process."""
    torch.set_num_threads(1)
    machinery._SHARD_BATCHES = 2
    warnings.simplefilter("ignore")
    os.environ["GAPKIT_CACHE"] = str(work / "cache")
    model = load_model(f"local-dir:{folder}")
    tell(steps)
    embed_to_file(model, dataset(), batch_size=8, workers=workers, out=work / "out.safetensors")
    os._exit(0)


def start(*arguments) -> tuple[int, int]:
    """The new process, and the end of its pipe to read from."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            run(*arguments, writing)
        except BaseException as fault:
            print(repr(fault), file=sys.stderr, flush=True)
        os._exit(1)
    os.close(writing)
    return child, reading


def wait_for(reading: int, steps: float = math.inf) -> int:
    """Read so many bytes, fewer if the run ends before; how many there were."""
    read = 0
    while read < steps and (got := os.read(reading, 1 if steps < math.inf else 4096)):
        read += len(got)
    return read


def finish(child: int, reading: int) -> int:
    """How the run ended."""
    os.close(reading)  # a worker whose run was killed may hold the other end for some seconds
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def state(work: Path) -> dict:
    files = [str(p.relative_to(work)) for p in work.rglob("*") if p.is_file()]
    files = [name for name in files if not name.endswith(".lock")]  # they stay, empty and locked by nobody
    done = [name for name in files if name == "out.safetensors" or name.startswith("cache/embeddings/toy")]
    content = (work / "out.safetensors").read_bytes()
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "extra": sorted(set(files) - set(done)),
        "done": len(done),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("work", type=Path)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    folder = write_tiny(given.work / "model")
    chance = random.Random(given.seed)
    child, reading = start(folder, given.work / "whole", given.workers)
    length = wait_for(reading)
    assert finish(child, reading) == 0
    print(json.dumps({"kind": "whole", "steps": length, **state(given.work / "whole")}), flush=True)
    for number in range(given.kills):
        work, kills = given.work / f"killed-{number}", 0
        while True:
            child, reading = start(folder, work, given.workers)
            if kills < 2:  # every run is killed, and so is every other resumed one
                wait_for(reading, chance.uniform(0, length * (0.95 if kills == 0 else 1.5)))
                os.kill(child, signal.SIGKILL)
                kills += 1
            code = finish(child, reading)
            if code == 0 and kills:
                break
            if code not in (0, -signal.SIGKILL):
                print(json.dumps({"kind": "failed", "code": code}), flush=True)
                break
        print(json.dumps({"kind": "killed", "kills": kills, **state(work)}), flush=True)
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
