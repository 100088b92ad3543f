"""What comes in and what goes out: numpy arrays, torch tensors and anything array-like.

Public functions call `as_matrix` or `as_vector` on what they are given, compute on float64
tensors, and hand the result through `like`, so that a caller who brings numpy gets numpy back.
Nothing here, and nothing built on it, writes into the caller's memory.
"""

import math
import warnings
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from gapkit._options import ArrayInput
from gapkit.errors import InputError, short_reason

ArrayLike: TypeAlias = np.ndarray | Tensor
"""What comes out."""
SMALLEST, LARGEST = 1e-60, 1e60
"""Least and largest scale of embeddings and of noise: fourth powers, and squared ratios, are still numbers."""


def as_tensor(value, name: str, *, dtype: torch.dtype | None = torch.float64) -> Tensor:
    """``value`` as a detached real tensor of ``dtype`` (``None`` keeps a floating dtype as it is).

    Raises
    ------
    InputError
        If it is not numeric (text, objects, complex numbers, booleans).
    """
    if isinstance(value, Tensor):
        tensor = _plain_tensor(value, name)
    else:
        array = as_array(value, name)
        if array.dtype.kind not in "fiu":
            raise InputError(f"{name} must hold real numbers; got {_kind_of(value, array)}")
        if array.dtype.kind == "f" and array.dtype.itemsize > 8:
            with np.errstate(over="ignore"):  # what is too large shows as infinity
                array = array.astype(np.float64)  # torch has no longer doubles
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        with warnings.catch_warnings():  # torch warns of read-only memory (a memory map); we never write
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            array = np.asarray(array, order="C")  # not ascontiguousarray: no number becomes a row
            tensor = torch.from_numpy(array)
    if tensor.is_complex() or tensor.dtype == torch.bool:
        raise InputError(f"{name} must hold real numbers; got dtype {_dtype_of(tensor)}")
    if dtype is None:
        dtype = tensor.dtype if tensor.is_floating_point() else torch.float64
        if dtype.itemsize == 1:  # float8 holds numbers, but nothing computes with them
            dtype = torch.float32
    return tensor.to(dtype)


def _plain_tensor(value: Tensor, name: str) -> Tensor:
    """``value`` detached, dense, on a device that has float64, and holding its numbers as they are."""
    if value.is_nested:
        raise InputError(f"{name} must have rows of one length; got a nested tensor; pad or stack its parts")
    if value.is_meta:
        raise InputError(f"{name} must hold numbers; got a tensor on the device 'meta', which has none")
    tensor = off_mps(value.detach())
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    return tensor.resolve_conj().resolve_neg()


def off_mps(tensor: Tensor) -> Tensor:
    """``tensor``, on the CPU if it was on Apple's GPU, which has no float64; gradients flow through."""
    return tensor.cpu() if tensor.device.type == "mps" else tensor


def as_array(value: Any, name: str) -> np.ndarray:
    """``value`` as a numpy array of whatever dtype it has; masked and ragged ones are refused.

    >>> as_array(np.ma.masked_equal([1, 2], 2), "labels")
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: labels must not be masked: 1 of 2 entries are; drop them, or say filled(...) what they are
    """
    for part in (value, *value) if isinstance(value, list | tuple) else (value,):
        if isinstance(part, np.ma.MaskedArray):
            hidden = int(np.ma.getmaskarray(part).sum())
            say = "drop them, or say filled(...) what they are"
            raise InputError(f"{name} must not be masked: {hidden} of {part.size} entries are; {say}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what numpy warns of here, it could not read
            return np.asarray(_without_tensors(value, name))
    except InputError:
        raise
    except (ValueError, TypeError, RuntimeError, OverflowError, RecursionError) as fault:
        if not isinstance(value, list | tuple):
            why = f"{_kind_of(value)} that numpy cannot read ({short_reason(fault, 100)})"
            raise InputError(f"{name} must hold real numbers; got {why}") from None
        # numpy's words about "inhomogeneous shapes" help nobody
        kind = type(value).__name__
        raise InputError(f"{name} must have rows of one length; got a ragged {kind}") from None


def _without_tensors(value: Any, name: str) -> Any:
    """``value`` with every tensor in its lists as an array: numpy refuses bfloat16, gradients and Apple's GPU."""
    if isinstance(value, Tensor):
        tensor = _plain_tensor(value, name).cpu()
        known = (torch.float16, torch.float32, torch.float64)
        foreign = tensor.is_floating_point() and tensor.dtype not in known
        return (tensor.float() if foreign else tensor).numpy()
    if isinstance(value, list | tuple) and any(isinstance(item, Tensor | list | tuple) for item in value):
        return [_without_tensors(item, name) for item in value]
    return value


def _dtype_of(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _kind_of(value, array: np.ndarray | None = None) -> str:
    """What ``value`` is, for a message: a type, and what is in it where that is not a number."""
    kind = type(value).__name__
    if array is not None and array.dtype.kind != "O":
        return f"dtype {array.dtype}"
    named = f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"
    if isinstance(value, list | tuple) or (array is not None and array.size > 1):
        items = np.ravel(np.asarray(array, dtype=object)) if array is not None else list(value)
        foreign = [type(item).__name__ for item in items if not isinstance(item, int | float | np.number)]
        return f"{named} with {foreign[0]} in it" if foreign else named
    return named


def as_matrix(
    value, name: str, *, dtype: torch.dtype | None = torch.float64, shape: str = "(n, d)", finite: bool = True
) -> Tensor:
    """``value`` as a non-empty, finite matrix; the messages name it ``name``.

    Parameters
    ----------
    value : array-like of shape (n, d)
    name : how messages call it
    dtype : dtype of the result; ``None`` keeps a floating dtype
    shape : the shape as messages write it
    finite : whether to look for NaN, infinity and magnitudes beyond `check_scale` (off where the caller looks itself)

    Examples
    --------
    >>> as_matrix([[1, 2]], "images")
    tensor([[1., 2.]], dtype=torch.float64)
    >>> as_matrix(np.zeros(512), "images")
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: images must have shape (n, d); got (512,)
    """
    tensor = as_tensor(value, name, dtype=dtype)
    if tensor.ndim != 2:
        raise InputError(f"{name} must have shape {shape}; got {tuple(tensor.shape)}")
    if 0 in tensor.shape:
        raise InputError(f"{name} must not be empty; got shape {tuple(tensor.shape)}")
    if finite:
        check_scale(tensor, name)
    return tensor


def as_vector(value, name: str) -> Tensor:
    """``value`` as a non-empty, finite vector."""
    tensor = as_tensor(value, name)
    if tensor.ndim != 1 or len(tensor) == 0:
        raise InputError(f"{name} must have shape (d,); got {tuple(tensor.shape)}")
    return check_finite(tensor, name)


def as_index(value: Any, name: str, *, below: int) -> Tensor:
    """``value`` as an int64 vector of indices in [0, below).

    >>> as_index(np.array([1, 0], dtype="u4")[::-1], "labels", below=2)
    tensor([0, 1])
    """
    array = as_array(value, name)
    if array.dtype.kind not in "iu":
        raise InputError(f"{name} must be a vector of whole numbers; got {_kind_of(value, array)}")
    if array.size and int(array.max()) > 2**63 - 1:
        raise InputError(f"{name} must lie in 0 … {below - 1}; got up to {int(array.max())}")
    # Whatever the byte order, whichever way it runs.
    tensor = torch.from_numpy(np.array(array, dtype=np.int64))
    if isinstance(value, Tensor) and value.device.type != "mps":
        tensor = tensor.to(value.device)
    if tensor.ndim != 1:
        raise InputError(f"{name} must be a vector of whole numbers; got shape {tuple(tensor.shape)}")
    if len(tensor) and (int(tensor.min()) < 0 or int(tensor.max()) >= below):
        raise InputError(f"{name} must lie in 0 … {below - 1}; got {int(tensor.min())} … {int(tensor.max())}")
    return tensor


def as_groups(value: Any, name: str, *, count: int) -> np.ndarray:
    """(count,) int64, 0, 1, 2 … for the groups that ``value`` names by anything that can be sorted.

    >>> as_groups(["dog", "cat", "dog"], "groups", count=3)
    array([1, 0, 1])
    """
    labels = as_array(value, name)
    if labels.shape != (count,):
        raise InputError(f"{name} must name one group for each of {count} rows; got shape {labels.shape}")
    try:
        return np.unique(labels, return_inverse=True)[1]
    except (TypeError, ValueError):  # things that cannot be sorted
        raise InputError(f"{name} must be words or numbers; got {_kind_of(value, labels)}") from None


def check_finite(tensor: Tensor, name: str) -> Tensor:
    """``tensor`` itself; raises if it holds NaN or infinity, and says where first."""
    if math.isfinite(tensor.sum()):  # quicker than looking at every entry, and never finite where one is not
        return tensor
    bad = ~torch.isfinite(tensor)
    if bad.any():
        count, first = f"{int(bad.sum())} of {tensor.numel()}", tuple(bad.nonzero()[0].tolist())
        raise InputError(f"{name} must be finite; {count} entries are NaN or infinite, the first at {first}")
    return tensor


def check_scale(tensor: Tensor, name: str) -> Tensor:
    """``tensor`` itself; raises if it is not finite, or so small or so large that squares would not be numbers.

    >>> check_scale(torch.tensor([[3e-200, 1e-200]], dtype=torch.float64), "images")
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: images must have a largest magnitude of 0 or between 1e-60 and 1e+60; got 3e-200; divide everything of that scale by it, noise and gap included
    """
    low, high = (float(end) for end in torch.aminmax(check_finite(tensor, name)))
    size = max(-low, high)
    if size != 0 and not SMALLEST <= size <= LARGEST:
        say = "divide everything of that scale by it, noise and gap included"
        most = f"a largest magnitude of 0 or between {SMALLEST:g} and {LARGEST:g}; got {size:g}"
        raise InputError(f"{name} must have {most}; {say}")
    return tensor


def row_lengths(rows: Tensor) -> Tensor:
    """‖x_i‖ of every row (..., n, d), also of rows so short or long that float64 cannot hold their squares.

    >>> row_lengths(torch.tensor([[3e-200, 4e-200], [3.0, 4.0], [0.0, 0.0]], dtype=torch.float64)).tolist()
    [5e-200, 5.0, 0.0]
    """
    lengths = torch.linalg.vector_norm(rows, dim=-1)
    extreme = (lengths < 1e-140) | (lengths > 1e140)
    if extreme.any():
        part = rows[extreme]
        largest = part.abs().amax(-1, keepdim=True)
        part = part / torch.where(largest > 0, largest, 1)
        lengths[extreme] = torch.linalg.vector_norm(part, dim=-1) * largest[:, 0]
    return lengths


def check_same_width(
    first: Tensor | np.ndarray, first_name: str, second: Tensor | np.ndarray, second_name: str
) -> None:
    """Raise unless both matrices live in the same space."""
    if first.shape[-1] != second.shape[-1]:
        widths = f"got d={first.shape[-1]} and d={second.shape[-1]} (do they come from the same model?)"
        raise InputError(f"{first_name} and {second_name} must have the same dimension; {widths}")


def check_pairs(first: Tensor, first_name: str, second: Tensor, second_name: str) -> None:
    """Raise unless row i of one can be the partner of row i of the other."""
    check_same_width(first, first_name, second, second_name)
    if len(first) != len(second):
        counts = f"got {len(first)} and {len(second)} rows"
        raise InputError(f"{first_name} and {second_name} must be matched row by row; {counts}")


def check_unit_rows(tensor: Tensor, name: str, *, tolerance: float = 2e-3) -> None:
    """Raise unless every row has length 1 within ``tolerance`` (half-precision files reach 1e-3)."""
    norms = torch.linalg.vector_norm(tensor, dim=1)
    worst = int((norms - 1).abs().argmax())
    if abs(float(norms[worst]) - 1) > tolerance:
        length = f"{float(norms[worst]):.4g}; divide each row by its length first (gapkit.normalise_rows)"
        raise InputError(f"{name} must have rows of length 1; row {worst} has length {length}")


def check_fits(result: Tensor) -> Tensor:
    """``result`` itself, in the dtype that came in; raises where finite numbers have become infinite in it."""
    if not torch.isfinite(result).all():
        kind = _dtype_of(result)
        raise InputError(f"the result is too large for {kind}, the input's dtype; pass float32 or float64")
    return result


def like(result: Tensor, *sources, dtype: torch.dtype | None = None) -> ArrayLike:
    """``result`` as numpy, unless one of ``sources`` is a torch tensor; then where the first of them is.

    On Apple's GPU float64 becomes float32, the widest that it has.
    """
    if dtype is not None and dtype != result.dtype:
        wide, result = result, result.to(dtype)
        if torch.isfinite(wide).all():
            check_fits(result)
    tensors = [source for source in sources if isinstance(source, Tensor)]
    if not tensors:
        return result.cpu().numpy()
    if tensors[0].device.type != "mps":
        return result
    return (result.float() if result.dtype == torch.float64 else result).to(tensors[0].device)


def normalise_rows(matrix: ArrayInput) -> ArrayLike:
    """Divide every row by its length: x_i / ‖x_i‖, computed in float64.

    Parameters
    ----------
    matrix : (n, d) array-like

    Returns
    -------
    (n, d), of the kind and floating dtype that came in

    Raises
    ------
    InputError
        If a row is zero.

    Examples
    --------
    >>> normalise_rows(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """
    kept = as_matrix(matrix, "matrix", dtype=None)
    return like(unit_rows(kept.double(), "matrix"), matrix, dtype=kept.dtype)


def unit_rows(rows: Tensor, name: str) -> Tensor:
    """Each row (n, d) over its length; a zero row raises, because it has no direction."""
    lengths = row_lengths(rows)[:, None]
    check_directions(lengths, name)
    return rows / lengths


def check_directions(rows: Tensor, name: str) -> None:
    """Raise where a row is zero: it has no direction, and no cosine."""
    zero = (rows == 0).all(1)
    if zero.any():
        row = int(zero.nonzero()[0, 0])
        raise InputError(f"{name} must have no zero row (a cosine needs a direction); row {row} is zero")
