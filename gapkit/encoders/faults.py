"""What OpenCLIP and the libraries under it say, kept quiet or turned into one line."""

import contextlib
import logging
from collections.abc import Iterator

from gapkit.errors import GapkitWarning, InputError


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep OpenCLIP from configuring the root logger, and all of them from reporting what we check ourselves.

    The hub's client has a handler of its own, and a line for each of its attempts.
    """
    root, silent = logging.getLogger(), logging.NullHandler()
    loggers = [root, logging.getLogger("huggingface_hub")]
    levels = [logger.level for logger in loggers]
    root.addHandler(silent)
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        root.removeHandler(silent)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def one_message(name: str) -> Iterator[None]:
    """Whatever OpenCLIP, torch or safetensors raise, as one line that says what to do."""
    try:
        yield
    except (InputError, GapkitWarning, MemoryError):
        raise
    except ImportError as fault:
        missing = fault.name or str(fault).splitlines()[0][:100]
        if "transformers" in str(fault) or missing in ("transformers", "sentencepiece", "google.protobuf"):
            raise InputError(
                f"cannot load {name}: it needs another package for its texts; install it with: "
                'pip install "gapkit[siglip]"'
            ) from fault
        raise InputError(f"cannot load {name}: the package {missing} is missing") from fault
    except Exception as fault:
        kind = type(fault).__name__
        if kind == "UnpicklingError" or "weights_only" in str(fault).lower():
            raise InputError(
                f"cannot load {name}: its weights are a pickle that could run code when opened; "
                "ask for a safetensors file"
            ) from fault
        if "trust_remote_code" in str(fault):
            raise InputError(
                f"cannot load {name}: it wants to run Python code of its own, which gapkit never does; "
                "ask for a model without"
            ) from fault
        if kind == "SafetensorError" or "PytorchStreamReader" in str(fault):
            raise InputError(
                f"cannot load {name}: its weights are truncated or damaged; get them again"
            ) from fault
        if "state_dict" in str(fault) and "CLIP" in str(fault):
            raise InputError(f"cannot load {name}: the weights do not fit the architecture") from fault
        reason = " ".join(str(fault).split())[:200] or kind
        raise InputError(f"cannot load {name}: {reason}") from fault
