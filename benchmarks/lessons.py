"""What each lesson takes under nbval, as `make test` runs it: processor seconds, and its kernel's largest memory."""

import os
from collections.abc import Iterator
from statistics import mean

from benchmarks.rows import Row
from tests.notebooks.lessons import EXECUTED, run_nbval

AVERAGE_SECONDS = 20
MOST_SECONDS = 40
MOST_MEGABYTES = 700
"""Binder gives 1,000 for a kernel and the server."""


def rows(*, quick: bool = False, repeats: int = 3) -> Iterator[Row]:
    """Two rows a lesson, of one run each, and the average; ``quick`` takes the first lesson alone."""
    seconds = []
    for path in EXECUTED[:1] if quick else EXECUTED:
        before = os.times()
        run = run_nbval(path)
        after = os.times()
        if run.status:
            raise RuntimeError(f"{path.stem} fails:\n{run.output[-3000:]}")
        seconds.append(
            after.children_user - before.children_user + after.children_system - before.children_system
        )
        yield Row(f"{path.stem}, processor time", seconds[-1], most=MOST_SECONDS)
        yield Row(f"{path.stem}, memory of its kernel", run.kernel_megabytes, "MB", most=MOST_MEGABYTES)
    if not quick:
        yield Row("lessons on average, processor time", mean(seconds), most=AVERAGE_SECONDS)
