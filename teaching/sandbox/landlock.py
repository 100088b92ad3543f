"""Linux's Landlock: a process gives up rights to files, the network and signals, for good.

Needs no privileges and holds for native code too, where Python's audit hooks see nothing.
System calls and constants: Linux, ``include/uapi/linux/landlock.h`` and ``landlock(7)``.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE = 1 << 14
_CHANGES = sum(1 << bit for bit in range(4, 14))  # remove, make and move of every kind
_SET_NO_NEW_PRIVS = 38


def version() -> int:
    """The version of Landlock that the kernel offers; 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(0, _libc().syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1)))


def restrict(*, write: Iterable[Path], read: Iterable[Path]) -> bool:
    """Let this thread and its children write only below ``write`` and read files only below these and ``read``.

    No program can be started, no TCP connection made, and no other process signalled where the kernel's
    version knows of it (4 for the network, 6 for signals).

    Returns
    -------
    Whether the kernel took it.
    """
    have = version()
    if not have:
        return False
    changes = _CHANGES & ~(1 << 13) if have < 2 else _CHANGES
    truncate = _TRUNCATE if have >= 3 else 0
    handled = _EXECUTE | _WRITE_FILE | _READ_FILE | changes | truncate
    attributes = struct.pack("<QQQ", handled, 3 if have >= 4 else 0, 3 if have >= 6 else 0)
    size = 24 if have >= 6 else 16 if have >= 4 else 8
    ruleset = _libc().syscall(_CREATE, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    if ruleset < 0:
        return False
    try:
        for path in write:
            _allow(ruleset, path, _READ_FILE | _WRITE_FILE | truncate | (changes if path.is_dir() else 0))
        for path in read:
            _allow(ruleset, path, _READ_FILE)
        none = ctypes.c_ulong(0)
        if _libc().prctl(_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), none, none, none):
            return False
        return _libc().syscall(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0)) == 0
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        at = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # nothing there, nothing to allow
    try:
        rule = struct.pack("<Qi", rights, at)
        _libc().syscall(_ADD, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint32(0))
    finally:
        os.close(at)


def _libc():
    return ctypes.CDLL(None, use_errno=True)
