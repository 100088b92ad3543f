"""Where the shipped data and the cache are.

``$GAPKIT_DATA`` names the data folder, else it is the repository's ``data`` beside the package;
``$GAPKIT_CACHE`` names the cache, else it is the platform's usual place for caches.
"""

import functools
import json
import os
from pathlib import Path

from gapkit._files import sha256_of
from gapkit.errors import InputError

MANIFEST = "manifest.json"


def data_folder() -> Path:
    """The folder of shipped data.

    Raises
    ------
    InputError
        If there is none: the package was installed without its repository.
    """
    named = os.environ.get("GAPKIT_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parent.parent / "data"
    if not (folder / MANIFEST).is_file():
        said = "which GAPKIT_DATA names" if named else "beside the package"
        raise InputError(
            f"no shipped data in {folder} ({said}): it has no {MANIFEST}. Work in a clone of the repository, "
            "or set GAPKIT_DATA to the data folder of one"
        )
    return folder


def cache_folder() -> Path:
    """The folder for downloads and computed embeddings; it need not exist yet."""
    named = os.environ.get("GAPKIT_CACHE")
    if named:
        return Path(named).expanduser()
    import pooch

    return Path(pooch.os_cache("gapkit"))


def shipped_file(relative: str) -> Path:
    """The path of a shipped file, once its bytes were checked against the manifest.

    Each file is checked once in a process, and again if it changes.

    Parameters
    ----------
    relative : path under the data folder, such as ``"embeddings/miniclip-wide/scenes100.safetensors"``

    Raises
    ------
    InputError
        If the file is missing, is not in the manifest, or differs from it.
    """
    folder = data_folder()
    path = folder / relative
    if not path.is_file():
        raise InputError(f"shipped file {path} is missing; restore it with: git checkout -- data/{relative}")
    expected = read_manifest(folder).get(f"data/{relative}")
    if expected is None:
        raise InputError(
            f"{path} is not listed in {folder / MANIFEST}; rebuild the manifest or remove the file"
        )
    state = path.stat()
    if _checked_sha256(path, state.st_size, state.st_mtime_ns) != expected["sha256"]:
        raise InputError(
            f"{path} is not the shipped file: its sha256 differs from {MANIFEST}. "
            f"Restore it with: git checkout -- data/{relative}"
        )
    return path


def read_manifest(folder: Path) -> dict[str, dict]:
    """Path (``data/…``) to entry, for every file in the manifest of ``folder``."""
    path = folder / MANIFEST
    try:
        return {entry["path"]: entry for entry in json.loads(path.read_text(encoding="utf-8"))["files"]}
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise InputError(f"cannot read {path}: {fault}") from fault


@functools.lru_cache(maxsize=1024)
def _checked_sha256(path: Path, size: int, changed: int) -> str:
    return sha256_of(path)
