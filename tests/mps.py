"""A stand-in for Apple's GPU: tensors that refuse float64, numpy and company from the CPU, as those on "mps" do.

No such machine was at hand. What is imitated is what torch's MPS backend refuses, by its documentation and source:
float64 of any origin, ``.numpy()``, and operations that mix its tensors with the CPU's (single numbers excepted).
"""

import functools

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("mps")
_TO_CPU = {torch.Tensor.cpu}
_COPIES = {torch.Tensor.copy_, torch.Tensor.__setitem__, torch.Tensor.__getitem__}
_MOVES = {torch.Tensor.to, torch.Tensor.type, torch.Tensor.type_as}


class OnMps(torch.Tensor):
    """A tensor that says that it is on Apple's GPU."""


class Mps(TorchFunctionMode):
    """Inside this context `OnMps` tensors behave as if they were on Apple's GPU."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        flat, _ = tree_flatten((args, kwargs))
        marked = [value for value in flat if isinstance(value, OnMps)]
        if not marked and not any(_is_mps(value) for value in flat):
            return func(*args, **kwargs)
        for attribute, value in (("device", DEVICE), ("is_mps", True), ("is_cpu", False)):
            if func == getattr(torch.Tensor, attribute).__get__:
                return value
        if func in (torch.Tensor.numpy, torch.Tensor.__array__):
            raise TypeError("can't convert mps:0 device type tensor to numpy. Use Tensor.cpu() first")
        if func in _TO_CPU:
            return _plain(args[0])
        if func in _MOVES:
            return self._move(func, args, kwargs)
        others = [value for value in flat if isinstance(value, torch.Tensor) and not isinstance(value, OnMps)]
        if marked and func not in _COPIES and any(value.ndim for value in others):
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two, mps:0 and cpu!"
            )
        if not marked and others and func not in _COPIES:  # device="mps" in a call on the CPU's tensors
            raise RuntimeError(f"{func} was called with a device of mps and tensors of the CPU")
        args, kwargs = tree_map(_without_device, (args, kwargs))
        kwargs = {name: value for name, value in kwargs.items() if not (name == "device" and value is None)}
        return _marked(func(*args, **kwargs))

    def _move(self, func, args, kwargs):
        tensor, *rest = args
        given = [*rest, *kwargs.values()]
        targets = [value for value in given if isinstance(value, torch.device | str | torch.Tensor)]
        targets = [_device_of(value) for value in targets if not (isinstance(value, str) and "." in value)]
        on_mps = targets[0].type == "mps" if targets else isinstance(tensor, OnMps)
        dtypes = [value if isinstance(value, torch.dtype) else value.dtype for value in given
                  if isinstance(value, torch.dtype | torch.Tensor)]  # fmt: skip
        moved = _plain(tensor) if not dtypes else _plain(tensor).to(dtypes[0])
        # torch converts on the old device before it moves: float64 is refused there too
        if isinstance(tensor, OnMps):
            _marked(moved)
        return _marked(moved) if on_mps else moved


def on_mps(values) -> OnMps:
    """A tensor on the imitated device, float32 where ``values`` are wider."""
    tensor = torch.as_tensor(values)
    return (tensor.float() if tensor.dtype == torch.float64 else tensor.clone()).as_subclass(OnMps)


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.as_subclass(torch.Tensor)


def _device_of(value) -> torch.device:
    if isinstance(value, OnMps):
        return DEVICE
    return value.device if isinstance(value, torch.Tensor) else torch.device(value)


def _is_mps(value) -> bool:
    if isinstance(value, str):
        return value.split(":")[0] == "mps"
    return isinstance(value, torch.device) and value.type == "mps"


def _without_device(value):
    if isinstance(value, OnMps):
        return _plain(value)
    return None if _is_mps(value) else value


def _marked(result):
    return tree_map(_mark, result)


@functools.singledispatch
def _mark(value):
    return value


@_mark.register
def _(value: torch.Tensor):
    if value.dtype == torch.float64:
        raise TypeError(
            "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64. "
            "Please use float32 instead."
        )
    return value.as_subclass(OnMps)
