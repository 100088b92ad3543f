"""Processor time as a quiet machine would need it, on machines that are anything but quiet."""

import statistics
import time
from collections.abc import Callable, Iterable

import numpy as np

from gapkit.plots import canvas, png

QUIET_SECONDS = 0.055
"""What `fixed_work` is taken to need on a quiet machine with two cores.

Measured on two idle cores of an AMD EPYC: three processes found a median of 0.055 to 0.058 s in sixty
calls, and a least of 0.053. The larger this number, the stricter the tests.
"""
_MATRIX = np.random.default_rng(0).normal(size=(500, 500))


def fixed_work() -> float:
    """Processor seconds for one blank picture and three products of matrices: what redraws are made of."""
    began = time.process_time()
    png(canvas(width=4.0, height=3.0, layout=None), dpi=80)
    for _ in range(3):
        _MATRIX @ _MATRIX
    return time.process_time() - began


def quiet_median(redraws: Iterable[Callable[[], object]]) -> float:
    """Median processor seconds of the calls, each in units of the fixed work before and after it.

    What else the machine does slows both alike: it shares caches and cores with each. A machine that is
    slower by nature is measured as if it were the one of `QUIET_SECONDS`.
    """
    spent = []
    fixed_work()
    for redraw in redraws:
        before = fixed_work()
        began = time.process_time()
        redraw()
        took = time.process_time() - began
        spent.append(took / ((before + fixed_work()) / 2) * QUIET_SECONDS)
    return statistics.median(spent)
