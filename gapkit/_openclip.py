"""The one door to OpenCLIP, and to the libraries below it: torchvision and transformers.

**torchvision.** PyPI's is built against CUDA torch. Next to a CPU build of torch its compiled operators cannot load,
and ``import torchvision`` dies with ``operator torchvision::nms does not exist``, taking ``import open_clip`` with it.
gapkit uses no detection operators; declaring the two missing schemas is enough for transforms, OpenCLIP and timm to
work. Where torchvision imports as it should, nothing is touched.

**transformers.** OpenCLIP imports it wherever it is installed, although few models need it: half a second of computing
and 20 MiB a process (0.52 s of 3.4 s with transformers 5.23). It comes with the extra ``siglip`` alone.
"""

import contextlib
import importlib
import logging
import sys
from collections.abc import Iterator

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


def open_clip():
    """The ``open_clip`` module, importable whichever build of torchvision is there."""
    ensure_torchvision()
    return importlib.import_module("open_clip")


@contextlib.contextmanager
def transformers_for(text: dict) -> Iterator[None]:
    """Keep transformers quiet while it makes a part of a model, and take back its offer to run a stranger's code.

    Left to itself it asks on the terminal whether Python files of a model's own may run; here it refuses.

    Parameters
    ----------
    text : the ``text_cfg`` of the model's configuration

    Raises
    ------
    ImportError
        If the model needs transformers and it is not installed.
    """
    if not (text.get("hf_tokenizer_name") or text.get("hf_model_name")):
        yield
        return
    from transformers import dynamic_module_utils

    logger, seconds = logging.getLogger("transformers"), dynamic_module_utils.TIME_OUT_REMOTE_CODE
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    dynamic_module_utils.TIME_OUT_REMOTE_CODE = 0  # how long it would wait for an answer
    try:
        yield
    finally:
        dynamic_module_utils.TIME_OUT_REMOTE_CODE = seconds
        logger.setLevel(level)
