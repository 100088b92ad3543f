"""Self-checks: pass your function to one, and it says whether the function is right or what is wrong with it.

``check(gap_vector)`` finds the exercise by the function's name and compares with the reference in float64 on fresh
random inputs. The message names what differs (shape, sign, normalisation, wrong axis …) but never gives the answer. Several
functions can be checked at once. ``check()`` lists the exercises, and ``check.gap_vector`` is the check itself.

>>> from gapkit import check
>>> def gap_vector(x, y):
...     return y.mean(0) - x.mean(0)
>>> check(gap_vector)
gap_vector: right (compared on 5 fresh inputs in float64)
>>> check(lambda x, y: x.mean(0) - y.mean(0), "gap_vector")
Traceback (most recent call last):
...
gapkit.check.engine.CheckFailed: gap_vector has the wrong sign
"""

import sys
import types

from gapkit._renamed import renamed
from gapkit.check.axes import AxesDescription, describe
from gapkit.check.engine import Check, check, exercise
from gapkit.check.inputs import fresh_rng

__all__ = ["AxesDescription", "Check", "check", "describe", "fresh_rng"]


def _exercise(name: str) -> object:
    found = None if name.startswith("_") else exercise(name)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return found


__getattr__ = renamed(__name__, _exercise)


class _CallablePackage(types.ModuleType):
    """A package that can be called like its function, for the same reason as `gapkit.robustness`."""

    def __call__(self, *functions: object, seed: int | None = None) -> None:
        check(*functions, seed=seed)


sys.modules[__name__].__class__ = _CallablePackage
