"""Locks between processes, in the cache folder."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

from gapkit.errors import GapkitWarning, InputError


@contextlib.contextmanager
def locked(path: Path, *, waiting: str | None = None) -> Iterator[None]:
    """Hold a lock that dies with its process, so that no crash leaves it behind.

    Parameters
    ----------
    path : the lock's file; it is removed at the end
    waiting : what to warn of if another process holds it
    """
    from filelock import FileLock, Timeout

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if waiting:
                warnings.warn(waiting, GapkitWarning, stacklevel=5)
            lock.acquire()
    except OSError as fault:
        raise InputError(f"cannot write to the cache {path.parent}: {fault.strerror or fault}") from fault
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # whoever waits for it notices that it is gone
        lock.release()
