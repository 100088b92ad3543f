"""What comes in and what goes out: numpy arrays, torch tensors and anything array-like.

Public functions call `as_matrix` or `as_vector` on what they are given, compute on float64
tensors, and hand the result through `like`, so that a caller who brings numpy gets numpy back.
Nothing here, and nothing built on it, writes into the caller's memory.
"""

import contextlib
import math
import operator
import reprlib
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from gapkit.errors import InputError, did_you_mean

ArrayLike: TypeAlias = np.ndarray | Tensor
"""What comes out."""
if TYPE_CHECKING:
    import numpy.typing as npt

    ArrayInput: TypeAlias = npt.ArrayLike | Tensor
    Number: TypeAlias = float | np.number | Tensor
    Seed: TypeAlias = torch.Generator | int | None
else:  # at run time functions check for themselves, in better words; no checker of annotations comes before them
    ArrayInput = Number = Seed = Any
"""How public arguments are annotated: whatever holds numbers, whatever is one, and where random numbers come from."""
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
        tensor = off_mps(value.detach())
    else:
        array = _as_array(value, name)
        if array.dtype.kind not in "fiu":
            raise InputError(f"{name} must hold real numbers; got {_kind_of(value, array)}")
        if array.dtype.kind == "f" and array.dtype.itemsize > 8:
            array = array.astype(np.float64)  # torch has no longer doubles
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        with warnings.catch_warnings():  # torch warns of read-only memory (a memory map); we never write
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            tensor = torch.from_numpy(np.ascontiguousarray(array))
    if tensor.is_complex() or tensor.dtype == torch.bool:
        raise InputError(
            f"{name} must hold real numbers; got dtype {str(tensor.dtype).removeprefix('torch.')}"
        )
    if dtype is None:
        dtype = tensor.dtype if tensor.is_floating_point() else torch.float64
    return tensor.to_dense().to(dtype) if tensor.layout != torch.strided else tensor.to(dtype)


def off_mps(tensor: Tensor) -> Tensor:
    """``tensor``, on the CPU if it was on Apple's GPU, which has no float64; gradients flow through."""
    return tensor.cpu() if tensor.device.type == "mps" else tensor


def _as_array(value, name: str) -> np.ndarray:
    try:
        return np.asarray(_without_tensors(value))
    except (ValueError, TypeError, RuntimeError) as fault:
        if not isinstance(value, list | tuple):
            raise InputError(
                f"{name} must hold real numbers; got {_kind_of(value)} that numpy cannot read "
                f"({' '.join(str(fault).split())[:100]})"
            ) from None
        # numpy's words about "inhomogeneous shapes" help nobody
        raise InputError(
            f"{name} must have rows of one length; got a ragged {type(value).__name__}"
        ) from None


def _without_tensors(value):
    """``value`` with every tensor in its lists as an array: numpy refuses bfloat16, gradients and Apple's GPU."""
    if isinstance(value, Tensor):
        tensor = off_mps(value.detach()).cpu().to_dense()
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    if isinstance(value, list | tuple) and any(isinstance(item, Tensor | list | tuple) for item in value):
        return [_without_tensors(item) for item in value]
    return value


def _kind_of(value, array: np.ndarray | None = None) -> str:
    """What ``value`` is, for a message: a type, and what is in it where that is no number."""
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
        # What overflows shows as infinity, and a simulation may run off; what underflows would pass unseen.
        check_scale(check_finite(tensor, name), name, largest=math.inf)
    return tensor


def as_vector(value, name: str, *, dtype: torch.dtype = torch.float64) -> Tensor:
    """``value`` as a non-empty, finite vector."""
    tensor = as_tensor(value, name, dtype=dtype)
    if tensor.ndim != 1 or len(tensor) == 0:
        raise InputError(f"{name} must have shape (d,); got {tuple(tensor.shape)}")
    return check_finite(tensor, name)


def as_index(value, name: str, *, below: int) -> Tensor:
    """``value`` as an int64 vector of indices in [0, below)."""
    if not isinstance(value, Tensor):
        array = _as_array(value, name)
        if array.dtype.kind not in "iu":
            raise InputError(f"{name} must be a vector of whole numbers; got {_kind_of(value, array)}")
        value = torch.as_tensor(array.astype(array.dtype.newbyteorder("="), copy=False))
    tensor = off_mps(value.detach())
    if tensor.ndim != 1 or tensor.is_floating_point() or tensor.dtype == torch.bool:
        raise InputError(
            f"{name} must be a vector of whole numbers; got {tensor.dtype} of shape {tuple(tensor.shape)}"
        )
    if len(tensor) and (int(tensor.min()) < 0 or int(tensor.max()) >= below):
        raise InputError(f"{name} must lie in 0 … {below - 1}; got {int(tensor.min())} … {int(tensor.max())}")
    return tensor.long()


def check_finite(tensor: Tensor, name: str) -> Tensor:
    """``tensor`` itself; raises if it holds NaN or infinity, and says where first."""
    if math.isfinite(tensor.sum()):  # quicker than looking at every entry, and never finite where one is not
        return tensor
    bad = ~torch.isfinite(tensor)
    if bad.any():
        where = tuple(int(i) for i in bad.nonzero()[0])
        raise InputError(
            f"{name} must be finite; {int(bad.sum())} of {tensor.numel()} entries are NaN or infinite, "
            f"the first at {where}"
        )
    return tensor


def check_scale(tensor: Tensor, name: str, *, largest: float = LARGEST) -> Tensor:
    """``tensor`` itself; raises if its largest magnitude is so small or so large that squares would not be numbers.

    >>> check_scale(torch.tensor([[3e-200, 1e-200]], dtype=torch.float64), "images")
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: images must have a largest magnitude of 0 or between 1e-60 and 1e+60; got 3e-200; divide everything of that scale by it, noise and gap included
    """
    low, high = (float(end) for end in torch.aminmax(tensor))
    size = max(-low, high)
    if size != 0 and not SMALLEST <= size <= largest:
        raise InputError(
            f"{name} must have a largest magnitude of 0 or between {SMALLEST:g} and {LARGEST:g}; got {size:g}; "
            "divide everything of that scale by it, noise and gap included"
        )
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


def check_same_width(first: Tensor, first_name: str, second: Tensor, second_name: str) -> None:
    """Raise unless both matrices live in the same space."""
    if first.shape[-1] != second.shape[-1]:
        raise InputError(
            f"{first_name} and {second_name} must have the same dimension; "
            f"got d={first.shape[-1]} and d={second.shape[-1]} (do they come from the same model?)"
        )


def check_pairs(first: Tensor, first_name: str, second: Tensor, second_name: str) -> None:
    """Raise unless row i of one can be the partner of row i of the other."""
    check_same_width(first, first_name, second, second_name)
    if len(first) != len(second):
        raise InputError(
            f"{first_name} and {second_name} must be matched row by row; got {len(first)} and {len(second)} rows"
        )


def check_unit_rows(tensor: Tensor, name: str, *, tolerance: float = 2e-3) -> None:
    """Raise unless every row has length 1 within ``tolerance`` (half-precision files reach 1e-3)."""
    norms = torch.linalg.vector_norm(tensor, dim=1)
    worst = int((norms - 1).abs().argmax())
    if abs(float(norms[worst]) - 1) > tolerance:
        raise InputError(
            f"{name} must have rows of length 1; row {worst} has length {float(norms[worst]):.4g}. "
            "Divide each row by its length first (gapkit.normalise_rows)"
        )


def check_choice(value: str, name: str, known: Iterable[str]) -> str:
    """``value`` itself if it is one of ``known``; else a message with the nearest known name.

    >>> check_choice("euclidian", "metric", ("euclidean", "dot", "cosine"))
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: metric must be one of 'euclidean', 'dot', 'cosine'; got 'euclidian' (did you mean 'euclidean'?)
    """
    known = list(known)
    if value in known:
        return value
    listed, hint = ", ".join(map(repr, known)), did_you_mean(value, known)
    raise InputError(f"{name} must be one of {listed}; got {one_line(value)}{hint}")


def check_number(
    value, name: str, *, least: float | int | None = None, above: float | int | None = None
) -> float:
    """``value`` as a finite float; raises below ``least`` or at or below ``above``.

    A word or a truth value is no number, although Python's ``float`` would take it.

    >>> check_number("0.1", "sigma")
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: sigma must be a number; got '0.1'; pass it without quotes
    """
    kind = getattr(getattr(value, "dtype", None), "kind", None)  # numpy's words and truth values
    if isinstance(value, str | bytes) or kind in ("U", "S"):
        raise InputError(f"{name} must be a number; got {one_line(value)}; pass it without quotes")
    if _is_truth_value(value):
        raise InputError(f"{name} must be a number; got {one_line(value)}; pass 0.0 or 1.0 if that is meant")
    try:
        number = float(value)
    except OverflowError:
        raise InputError(
            f"{name} must be a number below 1.8e308; got a larger one; pass a smaller one"
        ) from None
    except (TypeError, ValueError, RuntimeError):  # the last from a tensor of several numbers
        raise InputError(
            f"{name} must be a number; got {one_line(value)}; pass a single int or float"
        ) from None
    if not np.isfinite(number):
        raise InputError(f"{name} must be finite; got {number}; pass a finite number")
    if least is not None and number < least:
        raise InputError(f"{name} must be at least {least:g}; got {number:g}; pass a larger number")
    if above is not None and number <= above:
        raise InputError(f"{name} must be greater than {above:g}; got {number:g}; pass a larger number")
    return number


def check_whole(value, name: str, *, least: int = 1) -> int:
    """``value`` as an int of at least ``least``. A float that is whole, such as 1e3, is one; nothing is ever rounded.

    >>> check_whole(1e3, "draws")
    1000
    >>> check_whole(10.5, "steps", least=0)
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: steps must be a whole number of at least 0; got 10.5
    """
    number = None
    if not _is_truth_value(value) and not isinstance(value, str | bytes):
        try:
            number = operator.index(value)  # exact, however large
        except (TypeError, RuntimeError):  # a float, or what is no single number at all
            with contextlib.suppress(TypeError, ValueError, RuntimeError, OverflowError):
                number = int(value) if float(value).is_integer() else None
    if number is None or number < least:
        raise InputError(f"{name} must be a whole number of at least {least}; got {one_line(value)}")
    return number


def _is_truth_value(value) -> bool:
    dtype = getattr(value, "dtype", None)
    return isinstance(value, bool) or dtype == torch.bool or getattr(dtype, "kind", None) == "b"


def one_line(value) -> str:
    """``value`` as messages show it: on one line of limited length."""
    return reprlib.repr(value).replace("\n", " ")


def like(result: Tensor, *sources, dtype: torch.dtype | None = None) -> ArrayLike:
    """``result`` as numpy, unless one of ``sources`` is a torch tensor; then where the first of them is.

    On Apple's GPU float64 becomes float32, the widest that it has.
    """
    if dtype is not None:
        result = result.to(dtype)
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
    wide = kept.double()
    norms = row_lengths(wide)[:, None]
    if (norms == 0).any():
        raise InputError(f"matrix must have no zero row; row {int((norms == 0).nonzero()[0, 0])} is zero")
    return like(wide / norms, matrix, dtype=kept.dtype)
