"""How a wrong result differs from the right one, in a sentence that does not give the right one away."""

import math
from collections.abc import Sequence

import numpy as np
import torch

Result = np.ndarray | tuple


def plain(value, name: str = "the result") -> Result | str:
    """``value`` as a float64 array (or a tuple of them), or a sentence saying why it is none.

    >>> plain([1, 2])
    array([1., 2.])
    >>> plain(None)
    'returns nothing: is a `return` missing?'
    """
    if value is None:
        return "returns nothing: is a `return` missing?"
    if isinstance(value, tuple):
        parts = [plain(part, f"part {i + 1} of {name}") for i, part in enumerate(value)]
        wrong = next((part for part in parts if isinstance(part, str)), None)
        return tuple(parts) if wrong is None else wrong
    if isinstance(value, list):
        value = [_bare(part) for part in value]
    value = _bare(value)
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "fiub":
        return f"{name} must be a number or an array of numbers, not {type(value).__name__}"
    return array.astype(np.float64)


def _bare(value):
    """A tensor as a numpy array; anything else as it is."""
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value


def single_precision(value) -> bool:
    """Whether ``value``, or a part of it, is made of floats of fewer than 64 bits.

    >>> single_precision(np.float32(1)), single_precision([1.0, torch.ones(2)]), single_precision(np.ones(2))
    (True, True, False)
    """
    if isinstance(value, list | tuple):
        return any(map(single_precision, value))
    if isinstance(value, torch.Tensor):
        return value.is_floating_point() and value.dtype != torch.float64
    return isinstance(value, np.ndarray | np.generic) and value.dtype.kind == "f" and value.dtype.itemsize < 8


def split(got: Result, count: int) -> Result:
    """``count`` results that came in one array or list, as a tuple; anything else as it is.

    >>> split(np.array([1.0, 2.0]), 2)
    (array(1.), array(2.))
    """
    if isinstance(got, np.ndarray) and got.ndim and len(got) == count:
        return tuple(np.asarray(part) for part in got)
    return got


def difference(
    got: Result, right: Result, *, rtol: float, sizes: Sequence[int] = (), parts: Sequence[str] = ()
) -> str | None:
    """What is wrong with ``got``, or None if it equals ``right``.

    Parameters
    ----------
    got, right : float64 arrays, or tuples of them
    rtol : largest error allowed, relative to the largest entry of ``right``
    sizes : lengths of the axes of the first input, to recognise a wrong axis
    parts : what the parts of a tuple are called
    """
    if isinstance(right, tuple):
        got = split(got, len(right))
        if not isinstance(got, tuple) or len(got) != len(right):
            count = len(got) if isinstance(got, tuple) else 1
            return f"must return {len(right)} results, not {count}"
        names = parts or [f"result {i + 1}" for i in range(len(right))]
        for name, part, right_part in zip(names, got, right, strict=True):
            fault = difference(part, right_part, rtol=rtol, sizes=sizes)
            if fault:
                return f"({name}) {fault}"
        return None
    if isinstance(got, tuple) and len({part.shape for part in got if isinstance(part, np.ndarray)}) == 1:
        stacked = np.stack(got)  # an array that came as a tuple of its entries or rows
        got = stacked if stacked.shape == right.shape else got
    if isinstance(got, tuple):
        return f"must return one result, not {len(got)}"
    if got.shape != right.shape:
        return _shape(got.shape, right.shape, sizes)
    if not np.isfinite(got).all():
        if np.array_equal(got, right, equal_nan=True):
            return None
        return "holds NaN or infinity (a division by zero, a logarithm of 0, an exponential that overflows?)"
    scale = float(np.abs(right).max(initial=0.0)) or 1.0
    if np.abs(got - right).max(initial=0.0) <= rtol * scale:
        return None
    return _values(got, right, rtol, scale)


def _shape(got: tuple[int, ...], right: tuple[int, ...], sizes: Sequence[int]) -> str:
    shape = f"has shape {got}"
    if math.prod(got) == math.prod(right) and [s for s in got if s > 1] == [s for s in right if s > 1]:
        return f"{shape}: the right numbers of entries, but with axes of length 1 too many or too few"
    if len(right) == 2 and got == right[::-1]:
        return f"{shape}: rows and columns are exchanged (transposed)"
    if len(right) < len(got):
        return f"{shape}: a sum or mean over an axis is missing"
    if len(sizes) == 2 and sizes[0] != sizes[1] and len(got) == len(right) == 1:
        swap = {sizes[0]: sizes[1], sizes[1]: sizes[0]}
        if tuple(swap.get(s, s) for s in got) == right:
            return f"{shape}: a sum or mean runs over the wrong axis"
    if len(got) < len(right):
        return f"{shape}: too few axes, as if something were summed or averaged away (wrong axis?)"
    return f"{shape}, which is not the shape asked for (wrong axis?)"


def _values(got: np.ndarray, right: np.ndarray, rtol: float, scale: float) -> str:
    def same(a, b, tolerance=1e-6) -> bool:
        size = float(np.abs(b).max(initial=0.0)) or 1.0
        return bool(np.isfinite(a).all() and np.abs(a - b).max(initial=0.0) <= max(rtol, tolerance) * size)

    if same(got, right, 3e-5):
        return "is right to single precision only: compute in float64"
    if np.abs(got).max(initial=0.0) <= 1e-12 * scale:
        return "is zero but for rounding: do its terms cancel, or was it known beforehand?"
    if same(got, -right):
        return "has the wrong sign"
    factor = _factor(got, right)
    if factor is not None and same(got, factor * right):
        return "is the right result times a constant: look at the normalisation (what is divided by what?)"
    if right.ndim == 2 and right.shape[0] == right.shape[1]:
        if same(got, right.T):
            return "is the transpose of what it should be: rows and columns are exchanged"
        off = ~np.eye(len(right), dtype=bool)
        if same(got[off], right[off]):
            return "is right except on the diagonal"
    if same(got, 1 - right):
        return "is the complement of what is asked for (1 minus the right result)"
    if (right >= 0).all():
        if same(got, right**2):
            return "is the square of what is asked for: is a root missing?"
        if (got >= 0).all() and same(got, np.sqrt(right)):
            return "is the square root of what is asked for"
    if right.size > 1 and same(np.sort(got, axis=None), np.sort(right, axis=None)):
        return "holds the right numbers in another order"
    if right.size > 2 and same(got - got.mean(), right - right.mean()) and not same(right, right.mean()):
        return "is off by a constant: something is added or left out"
    rows = _row_factor(got, right)
    if rows is not None and same(got, rows * right):
        return "has the right direction row by row and the wrong lengths: look at the normalisation"
    wrong = int((np.abs(got - right) > rtol * scale).sum())
    if wrong < right.size:
        return f"has {wrong} of {right.size} entries wrong"
    return "has the right shape and wrong values" if right.ndim else "has a wrong value"


def _factor(got: np.ndarray, right: np.ndarray) -> float | None:
    """The constant c with got = c·right, as far as the largest entry tells; None for a single number."""
    if right.size < 2:
        return None
    at = np.unravel_index(np.abs(right).argmax(), right.shape)
    return float(got[at] / right[at]) if right[at] and got[at] else None


def _row_factor(got: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    if right.ndim != 2 or right.shape[1] < 2:
        return None
    square = (right**2).sum(axis=1, keepdims=True)
    if (square == 0).any():
        return None
    return (got * right).sum(axis=1, keepdims=True) / square
