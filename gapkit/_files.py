"""Whole files or none: writing beside and swapping in, and the sha256 of what lies there."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from gapkit.errors import InputError

PART_SUFFIX = ".part"
"""Ending of a file that is being written; whoever finds one without its writer may delete it."""


def sha256_of(path: str | os.PathLike) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: str | os.PathLike, write: Callable[[Path], object]) -> Path:
    """Let ``write`` fill a file beside ``path``, flush it to the disk, then swap it in.

    Readers see the old file or the new one, never half of it, and a fault on the way leaves neither
    a half file nor the temporary one.

    Parameters
    ----------
    path : where the file shall be; missing folders are made
    write : called with the temporary path

    Raises
    ------
    InputError
        If the folder cannot be written to, or the disk is full.
    """
    path = Path(path)
    beside = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=PART_SUFFIX, dir=path.parent)
        os.close(handle)
        beside = Path(name)
        write(beside)
        _flush(beside)
        os.chmod(beside, 0o666 & ~_umask())  # mkstemp makes files that nobody else may read
        os.replace(beside, path)
        beside = None
        _flush(path.parent)
    except OSError as fault:
        raise InputError(f"cannot write {path}: {fault.strerror or fault}") from fault
    except Exception as fault:
        if type(fault).__name__ != "SafetensorError":  # what that library makes of a full disk
            raise
        raise InputError(f"cannot write {path}: {' '.join(str(fault).split())[:120]}") from fault
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)
    return path


def make_folder(path: str | os.PathLike) -> Path:
    """A folder that can be written to; missing ones on the way are made.

    Raises
    ------
    InputError
        If that is not allowed, or something else lies there.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as fault:
        raise InputError(f"cannot write to {path}: {fault.strerror or fault}") from fault
    return path


def write_text(path: str | os.PathLike, text: str) -> Path:
    """Write ``text`` as UTF-8, whole or not at all."""
    return write_atomically(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def _flush(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
