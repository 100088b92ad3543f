"""Files: written whole or not at all, hashed, locked between processes, and what a safetensors header says."""

import contextlib
import errno
import functools
import hashlib
import json
import os
import stat
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gapkit._options import one_line
from gapkit.errors import GapkitWarning, InputError, refusing, short_reason

MOST_JSON, MOST_VALUES = 2**28, 10_000_000
"""Of a file of JSON: bytes, and values inside. COCO's largest file of captions has 92 MB and 4 million."""
PART_SUFFIX = ".part"
"""Ending of a file that is being written; whoever finds one without its writer may delete it."""


def sha256_of(path: str | os.PathLike) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_state(path: str | os.PathLike) -> tuple[int, int, int]:
    """Size, time of the last change and place on the disk: other bytes under the same name have another state."""
    state = os.stat(path)
    return state.st_size, state.st_mtime_ns, state.st_ino


def known_sha256(path: str | os.PathLike) -> str:
    """`sha256_of` a file, read once in a process, and again if it changes."""
    return _sha256_in_state(os.path.abspath(path), file_state(path))


@functools.lru_cache(maxsize=1024)
def _sha256_in_state(path: str, state: tuple[int, ...]) -> str:
    return sha256_of(path)


def write_atomically(path: str | os.PathLike, write: Callable[[Path], object]) -> Path:
    """Let ``write`` fill a file beside ``path``, flush it to the disk, then swap it in.

    Readers see the old file or the new one, never half of it, and a fault on the way leaves neither
    a half file nor the temporary one. Where ``path`` is a link, the file is what it leads to.

    Parameters
    ----------
    path : where the file shall be; missing folders are made
    write : called with the temporary path

    Raises
    ------
    InputError
        If the folder cannot be written to, or the disk is full.
    """
    path = check_target(path)
    target = Path(os.path.realpath(path)) if path.is_symlink() else path  # the link stays one
    temporary = target.with_name(f".{target.name}.{os.urandom(4).hex()}{PART_SUFFIX}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        _flush(temporary)
        os.replace(temporary, target)
        with contextlib.suppress(
            OSError
        ):  # whole it is by now, and not every file system, or right, allows this
            _flush(target.parent)
    except Exception as fault:
        if not isinstance(fault, OSError) and type(fault).__name__ != "SafetensorError":  # of a full disk
            raise
        reason = getattr(fault, "strerror", None) or short_reason(fault, 120)
        raise InputError(f"cannot write {path}: {reason}") from fault
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return path


def check_target(path: str | os.PathLike, *read: str | os.PathLike | None) -> Path:
    """``path``; raises if a pipe, a device, a folder, or a file that is to be ``read`` lies there.

    Whoever works long on a file asks this first.
    """
    path = as_path(path, "the file to write")
    stream = path.is_symlink() and path.absolute().parts[1] in ("dev", "proc")  # such as /dev/stdout
    if path.exists() and (stream or not path.is_file()):  # as root it would take the place of a device
        raise InputError(
            f"cannot write {path}: a {'stream' if stream else _kind_of(path)} lies there; name another file"
        )
    if path.exists() and any(os.path.exists(source) and path.samefile(source) for source in read if source):
        raise InputError(f"cannot write {path}: it is a file to be read, and would be lost; name another")
    return path


def make_folder(path: str | os.PathLike) -> Path:
    """A folder that can be written to; missing ones on the way are made.

    Raises
    ------
    InputError
        If that is not allowed, or something else lies there.
    """
    path = Path(path)
    with refusing(OSError, before=f"cannot write to {path}: "):
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    return path


def write_text(path: str | os.PathLike, text: str) -> Path:
    """Write ``text`` as UTF-8, whole or not at all."""
    return write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


@contextlib.contextmanager
def locked(path: Path, *, waiting: str | None = None) -> Iterator[None]:
    """Hold a lock that dies with its process, so that no crash leaves it behind.

    Parameters
    ----------
    path : the lock's file, in the cache folder. It stays, empty: removed, it would be a lock of its own for whoever
        had opened it before, and Windows removes no open file
    waiting : what to warn of if another process holds it
    """
    from filelock import FileLock, Timeout

    with refusing(OSError, before=f"cannot write to the cache {path.parent}: "):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if waiting:
                warnings.warn(waiting, GapkitWarning, stacklevel=5)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def as_path(value: Any, name: str) -> Path:
    """``value`` as a path that a file may have; else one line that says what is wrong with it.

    >>> as_path(3, "path")
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: path must be the path of a file; got 3
    """
    try:
        path = Path(value)
    except TypeError:
        raise InputError(f"{name} must be the path of a file; got {one_line(value)}") from None
    try:
        os.stat(path)
    except ValueError:
        raise InputError(f"{name} must hold no null character; got {one_line(str(path))}") from None
    except OSError as fault:
        if fault.errno == errno.ENAMETOOLONG:
            raise InputError(f"{name} is too long for a file: {len(str(path)):,} characters") from None
    return path


def check_regular(path: str | os.PathLike) -> None:
    """Raise unless a file lies at ``path`` that ends somewhere: a pipe makes a reader wait, a device never ends."""
    if not os.path.isfile(path):  # unlike Path's, it is False where a name is too long
        kind = f"; a {_kind_of(path)} lies there" if os.path.exists(path) else ""
        raise InputError(f"no file {os.fspath(path)}{kind}")


def read_json(path: str | os.PathLike) -> Any:
    """What a file of JSON holds.

    Raises
    ------
    InputError
        As `parse_json`, or if it is missing, is not a regular file, or has more than `MOST_JSON` bytes.
    """
    check_regular(path)
    with refusing(OSError, before=f"cannot read {path}: "):
        if (size := os.path.getsize(path)) > MOST_JSON:
            raise InputError(f"{path} has {size:,} bytes; at most {MOST_JSON:,} of JSON are read")
        content = Path(path).read_bytes()
    return parse_json(content, str(path))


def parse_json(text: str | bytes, where: str) -> Any:
    """What a text of JSON holds.

    Raises
    ------
    InputError
        If it is none, is nested too deeply, or has so many values that they would take gigabytes.
    """
    signs = (b",", b"[", b"{") if isinstance(text, bytes) else (",", "[", "{")
    if sum(map(text.count, signs)) > MOST_VALUES:  # type: ignore[arg-type]
        raise InputError(f"{where} must have at most {MOST_VALUES:,} values of JSON, but has more")
    with refusing(ValueError, RecursionError, before=f"{where} is not readable JSON: "):
        return json.loads(text)


@contextlib.contextmanager
def open_safetensors(path: Path, framework: str) -> Iterator[Any]:
    """A safetensors file, open for reading; whatever is wrong with its bytes is one line.

    Raises
    ------
    InputError
        If it is missing, truncated or damaged.
    """
    from safetensors import SafetensorError, safe_open

    check_regular(path)
    kinds = SafetensorError, OSError, RuntimeError, TypeError, ValueError
    before = f"{path} is not a readable safetensors file (truncated or damaged?): "
    with refusing(*kinds, before=before), safe_open(path, framework=framework) as file:
        yield file


def read_facts(
    header: dict[str, str] | None, path: Path, *, key: str, newest: int, kinds: dict[str, type], foreign: str
) -> dict[str, Any]:
    """What gapkit has written into a safetensors header: JSON under ``key``, its format under ``key`` + "_format".

    Parameters
    ----------
    header : the file's metadata
    path : how messages call the file
    newest : the highest format that can be read
    kinds : name -> type of what the JSON object must hold
    foreign : what to say of a file without the key

    Raises
    ------
    InputError
        If the header is not gapkit's, damaged, or of a newer format.
    """
    header = header or {}
    if f"{key}_format" not in header:
        raise InputError(f"{path} {foreign}")
    before = f"{path} is damaged: its header cannot be read ("
    with refusing(InputError, ValueError, before=before, after=")"):
        version, facts = int(header[f"{key}_format"]), parse_json(header.get(key, "{}"), "it")
    if version > newest:
        raise InputError(f"{path} has format version {version}; this gapkit reads up to {newest}. Upgrade it")
    if version < 1:
        raise InputError(f"{path} is damaged: format version {version}")
    for name, kind in kinds.items():
        if not isinstance(facts, dict) or not isinstance(facts.get(name), kind):
            raise InputError(f"{path} is damaged: its header says nothing usable about {name!r}")
    return facts


def _kind_of(path: str | os.PathLike) -> str:
    kinds = {stat.S_ISDIR: "folder", stat.S_ISFIFO: "pipe", stat.S_ISSOCK: "socket"}
    return next((word for is_one, word in kinds.items() if is_one(os.stat(path).st_mode)), "device")


def _flush(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
