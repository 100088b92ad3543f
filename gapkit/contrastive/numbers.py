"""Numbers as the simulation takes them: a truth value or a word is not one, and counts are whole."""

import operator

import numpy as np

from gapkit._arrays import check_number
from gapkit.errors import InputError


def real_number(value, name: str, *, least=None, above=None) -> float:
    """``value`` as a finite float within its bounds; ``True`` and ``"5"`` are refused.

    >>> real_number(True, "tau")
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: tau must be a number; got True
    """
    if isinstance(value, bool | np.bool_ | str | bytes):
        raise InputError(f"{name} must be a number; got {value!r}")
    return check_number(value, name, least=least, above=above)


def whole_number(value, name: str, *, least: int = 0) -> int:
    """``value`` as an int of at least ``least``; what is not whole by its type is refused, not rounded.

    >>> whole_number(10.5, "steps")
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: steps must be a whole number; got 10.5
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise InputError(f"{name} must be a whole number; got {value!r}") from None
    if number < least:
        raise InputError(f"{name} must be at least {least}; got {number}")
    return number
