"""The one door to OpenCLIP."""

from gapkit._torchvision import ensure_torchvision


def open_clip():
    """The ``open_clip`` module, importable whichever build of torchvision is there."""
    ensure_torchvision()
    import open_clip as library

    return library
