"""The one door to OpenCLIP, and to the transformers package behind it.

OpenCLIP imports transformers with itself wherever that is installed, more than a second for what few models
use. Here it stays outside until a model asks for it: one whose tokeniser or text tower is of that package.
(In a process that comes through this door first, the text generation of OpenCLIP's CoCa, which gapkit does
not use, finds no transformers; ``import open_clip`` before gapkit's first model gives it back.)
"""

import contextlib
import importlib
import logging
import sys
from collections.abc import Iterator

from gapkit._torchvision import ensure_torchvision


def open_clip():
    """The ``open_clip`` module, importable whichever build of torchvision is there."""
    ensure_torchvision()
    if "open_clip" not in sys.modules and "transformers" not in sys.modules:
        sys.modules["transformers"] = None  # Python's own mark of a package that must not be imported
        try:
            return importlib.import_module("open_clip")
        finally:
            del sys.modules["transformers"]
    return importlib.import_module("open_clip")


@contextlib.contextmanager
def transformers_for(text: dict) -> Iterator[None]:
    """Let transformers in for a model that needs it, quiet, and without its offer to run a stranger's code.

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
    from transformers import dynamic_module_utils as asking

    towers = open_clip().hf_model
    if towers.transformers is None:  # OpenCLIP was imported without
        importlib.reload(towers)
    logger, seconds = logging.getLogger("transformers"), asking.TIME_OUT_REMOTE_CODE
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    asking.TIME_OUT_REMOTE_CODE = 0
    try:
        yield
    finally:
        asking.TIME_OUT_REMOTE_CODE = seconds
        logger.setLevel(level)
