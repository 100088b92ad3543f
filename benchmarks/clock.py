"""Seconds, measured so that what else a machine does disturbs both sides of a ratio alike."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
_MATRIX = np.random.default_rng(0).normal(size=(500, 500))


def once(function: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def best(functions: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The least seconds of each function, run in turns."""
    least = dict.fromkeys(functions, float("inf"))
    for turn in range(repeats):
        for name in functions if turn % 2 else reversed(functions):
            least[name] = min(least[name], once(functions[name]))
    return least


def yardstick() -> None:
    """A fixed piece of work of the kind that redraws are made of: a blank picture, three products of matrices."""
    from gapkit.plots import canvas
    from gapkit.plots.style import png

    png(canvas(width=4.0, height=3.0, layout=None), dpi=80)
    for _ in range(3):
        _MATRIX @ _MATRIX


def in_a_new_python(code: str, *arguments: str, **variables: str) -> str:
    """What a program prints in a new process of one thread, without progress bars."""
    quiet = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = os.environ | quiet | {"GAPKIT_PROGRESS": "0", "PYTHONPATH": str(ROOT)} | variables
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # users' Pythons compile a module once
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout
