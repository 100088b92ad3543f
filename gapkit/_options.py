"""Single options as they come in: words, numbers, counts, seeds; judged once, at the door, in one line."""

import contextlib
import math
import operator
import reprlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from gapkit.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    ArrayInput: TypeAlias = ArrayLike | Tensor
    Number: TypeAlias = float | np.number | Tensor
    Seed: TypeAlias = torch.Generator | int | None
else:  # at run time functions check for themselves, in better words than a checker of annotations has
    ArrayInput = Number = Seed = Any
"""How public arguments are annotated: many numbers, one, and where random ones come from."""
MOST = 10**9
"""The largest count of anything that is drawn, cut or repeated."""
ROOM = 2**31
"""Bytes of what a call makes out of its counts alone, before it looks at any data."""
LARGEST_SEED = 2**63 - 1


def check_choice(value: str, name: str, known: Iterable[str]) -> str:
    """``value`` itself if it is one of ``known``; else a message with the nearest known name.

    >>> check_choice("euclidian", "metric", ("euclidean", "dot", "cosine"))
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: metric must be one of 'euclidean', 'dot', 'cosine'; got 'euclidian' (did you mean 'euclidean'?)
    """
    known = list(known)
    if isinstance(value, str) and value in known:
        return value
    listed, hint = ", ".join(map(repr, known)), did_you_mean(value, known)
    raise InputError(f"{name} must be one of {listed}; got {one_line(value)}{hint}")


def check_number(
    value,
    name: str,
    *,
    least: float | int | None = None,
    above: float | int | None = None,
    most: float | int | None = None,
) -> float:
    """``value`` as a finite float; raises below ``least``, at or below ``above``, beyond ``most``.

    A word or a truth value is not a number, although Python's ``float`` would take it.

    >>> check_number("0.1", "sigma")
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: sigma must be a number; got '0.1'; pass it without quotes
    """
    kind, number = _kind(value), None
    try:
        if kind in "iuf":
            number = float(value.detach() if isinstance(value, Tensor) else value)
    except OverflowError:
        raise InputError(f"{name} must be a number below 1.8e308; got a larger one; pass one below") from None
    except (TypeError, ValueError, RuntimeError):  # no number at all
        pass
    if number is None:
        say = {"U": "it without quotes", "b": "0.0 or 1.0 if that is meant"}.get(kind, "one int or float")
        raise InputError(f"{name} must be a number; got {one_line(value)}; pass {say}")
    if not np.isfinite(number):
        raise InputError(f"{name} must be finite; got {number}; pass a finite number")
    if least is not None and number < least:
        raise InputError(f"{name} must be at least {least:g}; got {number:g}; pass a larger number")
    if most is not None and abs(number) > most:
        raise InputError(f"{name} must be at most {most:g}; got {number:g}; pass a smaller number")
    if above is not None and number <= above:
        raise InputError(f"{name} must be greater than {above:g}; got {number:g}; pass a larger number")
    return number


def check_whole(value, name: str, *, least: int = 1, most: int = MOST) -> int:
    """``value`` as an int in [least, most]. A float that is whole, such as 1e3, is one; nothing is ever rounded.

    >>> check_whole(1e3, "draws")
    1000
    >>> check_whole(10.5, "steps", least=0)
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: steps must be a whole number of at least 0; got 10.5
    >>> check_whole(10**12, "draws")
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: draws must be a whole number of at most 1,000,000,000; got 1000000000000
    """
    number = None
    if _kind(value) in "iuf":
        try:
            number = operator.index(value)  # exact, however large
        except (TypeError, RuntimeError):  # a float, or what is no single number at all
            with contextlib.suppress(TypeError, ValueError, RuntimeError, OverflowError):
                number = int(value) if float(value).is_integer() else None
    if number is None or not least <= number <= most:
        bound = f"of at least {least}" if number is None or number < least else f"of at most {most:,}"
        if most < MOST:
            bound = f"from {least} to {most:,}"
        raise InputError(f"{name} must be a whole number {bound}; got {one_line(value)}")
    return number


def check_seed(value, name: str = "seed") -> int:
    """``value`` as a seed that numpy and torch both take.

    >>> check_seed(0)
    0
    """
    return check_whole(value, name, least=0, most=LARGEST_SEED)


def check_room(what: str, *shape: int) -> None:
    """Raise if float64 numbers of that shape, made out of counts alone, would take more than `ROOM`.

    >>> check_room("resamples × rows", 10**9, 10**3)
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: resamples × rows must fit into 2 GiB; 1,000,000,000 × 1,000 numbers take 7,450; ask for less
    """
    size = math.prod(shape) * 8
    if size > ROOM:
        room, sides = f"{ROOM // 2**30} GiB", " × ".join(f"{side:,}" for side in shape)
        raise InputError(f"{what} must fit into {room}; {sides} numbers take {size // 2**30:,}; ask for less")


def _kind(value) -> str:
    """What a single value is, as numpy's letters say it: "U" a text, "b" a truth value, "f" what may be a number; "O" several."""
    dtype = getattr(value, "dtype", None)
    kind = getattr(dtype, "kind", "f")
    if isinstance(dtype, torch.dtype):
        kind = "b" if dtype == torch.bool else "c" if dtype.is_complex else "f"
    if isinstance(value, str | bytes) or kind in "US":
        return "U"
    if isinstance(value, bool) or kind == "b":
        return "b"
    return "O" if getattr(value, "ndim", 0) or isinstance(value, np.ma.MaskedArray) else kind


def one_line(value) -> str:
    """``value`` as messages show it: on one line of limited length."""
    if isinstance(value, int) and abs(value) >= 10**60:
        return f"a number of {value.bit_length()} bits"  # Python refuses to write out the largest
    return "".join(letter if letter.isprintable() else " " for letter in reprlib.repr(value))
