"""Waiting for something to happen: long enough for any machine, and no clock is read."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil

MARK = "GAPKIT_TEST_MARK"
"""In the environment of a program: what it starts, and leaves behind, is found by it."""

PATIENCE = 240
"""Seconds after which something hangs; a tenth of it is plenty, so this fits a machine ten times slower."""


def wait_until(happened: Callable[[], object], *, patience: float = PATIENCE, pause: float = 0.05):
    """Look until ``happened()`` is true and return what it gave; after ``patience`` return what it gives then."""
    for _ in range(round(patience / pause)):
        if found := happened():
            return found
        time.sleep(pause)
    return happened()


def left_behind(mark: str | Path) -> list[int]:
    """Processes whose environment holds this `MARK`, wherever they hang in the tree."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(mark):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found
