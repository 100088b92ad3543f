"""The one place that knows about a broken pairing: CPU torch beside PyPI's torchvision.

PyPI's torchvision is built against CUDA torch. Next to a CPU build of torch its compiled
operators cannot load, and ``import torchvision`` dies with ``operator torchvision::nms does not
exist``, taking ``import open_clip`` with it. gapkit uses no detection operators; declaring the
two missing schemas is enough for transforms, open_clip and timm to work. Where torchvision
imports as it should, nothing is touched.
"""

import importlib
import sys

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_library = None  # kept alive: torch drops the schemas with the Library object


def ensure_torchvision() -> None:
    """Make ``import torchvision`` work beside a CPU build of torch; does nothing where it already does."""
    global _library
    if "torchvision" in sys.modules or _library is not None:
        return
    try:
        importlib.import_module("torchvision")
    except RuntimeError as fault:
        if "torchvision::nms" not in str(fault):
            raise
        import torch

        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        _library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            _library.define(operator + _SCHEMA)
        importlib.import_module("torchvision")
