"""What a redraw does, counted. Seconds depend on the machine; `make bench` measures those."""

import contextlib
import functools
from collections import Counter
from collections.abc import Iterator

import pytest
from matplotlib.axis import Axis
from matplotlib.figure import Figure

DRAWING = {
    "figures": (Figure, "__init__"),
    "whole drawings": (Figure, "draw"),
    "axes with ticks": (Axis, "draw"),
}
"""What takes time in a picture: making a figure, drawing all of it, and the ticks with their numbers."""


@contextlib.contextmanager
def counted(**functions: tuple[object, str]) -> Iterator[Counter]:
    """How often each of `DRAWING`, and each ``name=(module or class, attribute)``, is called meanwhile."""
    calls = Counter()
    with pytest.MonkeyPatch.context() as patch:
        for name, (owner, attribute) in (DRAWING | functions).items():
            patch.setattr(owner, attribute, _counting(getattr(owner, attribute), calls, name))
        yield calls


def _counting(function, calls: Counter, name: str):
    @functools.wraps(function)
    def call(*arguments, **options):
        calls[name] += 1
        return function(*arguments, **options)

    return call
