"""The descendants of a process, and how to end them all: a session of one's own does not hide a process.

A descendant whose parent has died goes to the nearest ancestor that adopts orphans, `adopt_orphans`, and
so stays in the family. Where there is no ``/proc`` only process groups can be ended.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Collection
from pathlib import Path

_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> bool:
    """Become the parent of descendants that lose theirs; whether the platform took it."""
    if not sys.platform.startswith("linux"):
        return False
    none = ctypes.c_ulong(0)
    libc = ctypes.CDLL(None)
    return libc.prctl(_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), none, none, none) == 0


def descendants(pid: int) -> list[int]:
    """The processes that descend from ``pid``, parents before children; without itself."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int(entry.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    found = list(children.get(pid, []))
    for one in found:  # grows on the way
        found += children.get(one, [])
    return found


def end_children(spared: Collection[int] = (), seconds: float = 5.0) -> None:
    """Kill and reap every child of this process but ``spared``, and theirs, until none is left.

    Children that fork faster than they are killed do not stop this: it ends after ``seconds``.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        mine = set(descendants(os.getpid()))
        for one in spared:
            mine -= {one, *descendants(one)}
        if not mine:
            return
        for one in mine:
            with contextlib.suppress(OSError):
                os.kill(one, signal.SIGKILL)
        for one in mine:  # those that are not our own children yet become so, and are reaped next time
            with contextlib.suppress(OSError):
                os.waitpid(one, os.WNOHANG)
        time.sleep(0.005)
