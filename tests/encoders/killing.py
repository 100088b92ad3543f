"""Embedding runs that are killed at random moments; run as a script, it prints what came of each.

Everything is imported once and every run is a fork, so that fifty of them cost seconds.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from gapkit.datasets import Dataset
from gapkit.datasets.images import ArrayImages
from gapkit.encoders import embed_to_file, load_model
from gapkit.encoders import embedding as machinery
from tests.encoders.tiny import write_tiny


def dataset() -> Dataset:
    pixels = np.random.default_rng(0).integers(0, 256, (240, 32, 32, 3), np.uint8)
    texts = [f"number {i}" for i in range(240)]
    return Dataset(name="toy", images=ArrayImages(pixels), prompts=texts, task="pairs")


def run(folder: Path, work: Path, workers: int) -> None:
    """One whole run; it ends the process."""
    torch.set_num_threads(1)
    machinery._SHARD_BATCHES = 2
    warnings.simplefilter("ignore")
    os.environ["GAPKIT_CACHE"] = str(work / "cache")
    model = load_model(f"local-dir:{folder}")
    embed_to_file(model, dataset(), batch_size=8, workers=workers, out=work / "out.safetensors")
    os._exit(0)


def start(*arguments) -> int:
    child = os.fork()
    if child == 0:
        try:
            run(*arguments)
        except BaseException as fault:
            print(repr(fault), file=sys.stderr, flush=True)
        os._exit(1)
    return child


def finish(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def state(work: Path) -> dict:
    files = [str(p.relative_to(work)) for p in work.rglob("*") if p.is_file()]
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
    began = time.monotonic()
    assert finish(start(folder, given.work / "whole", given.workers)) == 0
    length = time.monotonic() - began
    print(json.dumps({"kind": "whole", "seconds": length, **state(given.work / "whole")}), flush=True)
    for number in range(given.kills):
        work, kills = given.work / f"killed-{number}", 0
        while True:
            child = start(folder, work, given.workers)
            if kills < 2:  # every run is killed, and so is every other resumed one
                time.sleep(chance.uniform(0, length * (0.95 if kills == 0 else 1.5)))
                os.kill(child, signal.SIGKILL)
                kills += 1
            code = finish(child)
            if code == 0 and kills:
                break
            if code not in (0, -signal.SIGKILL):
                print(json.dumps({"kind": "failed", "code": code}), flush=True)
                break
        print(json.dumps({"kind": "killed", "kills": kills, **state(work)}), flush=True)
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
