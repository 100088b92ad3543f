"""Where the shipped data and the cache are, and how shipped files come to those who have no clone.

The shipped data are the folder that ``$GAPKIT_DATA`` names, else the repository's ``data`` beside the package, else
a folder of the cache, into which each file is fetched when it is first asked for. The manifest, which comes with
the package, says what each file must be: whatever a server answers, only those very bytes are taken.

``$GAPKIT_CACHE`` names the cache, else it is the platform's usual place for caches. ``$GAPKIT_DATA_URL`` names another
address of the data folder than the repository's.
"""

import hashlib
import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

import gapkit
from gapkit._files import known_sha256, write_atomically
from gapkit.errors import InputError, refusing

MANIFEST = "manifest.json"
SECONDS_OF_SILENCE = 30
"""After which a server that says nothing is given up; a slow one may take as long as it needs."""
_CHUNK = 65_536
_SAY = "work in a clone of the repository, or set GAPKIT_DATA to the data folder of one"


class _Place(NamedTuple):
    """Where shipped files lie, and what they must be."""

    folder: Path
    manifest: dict[str, dict]
    fetched: bool
    """Whether files come from the network, into the cache."""


def data_folder() -> Path:
    """The folder of shipped data that is complete: that of a clone, or the one that GAPKIT_DATA names.

    Raises
    ------
    InputError
        If there is none: the package was installed without its repository.
    """
    place = _place()
    if place.fetched:
        raise InputError(f"no data folder beside the package; {_SAY}")
    return place.folder


def cache_folder() -> Path:
    """The folder for downloads and computed embeddings; it need not exist yet."""
    import pooch

    return Path(os.environ.get("GAPKIT_CACHE") or pooch.os_cache("gapkit")).expanduser()


def progress_wanted() -> bool:
    """Whether somebody may be looking: ``GAPKIT_PROGRESS=0`` says that nobody is."""
    return os.environ.get("GAPKIT_PROGRESS") != "0"


def shipped_names(prefix: str = "") -> list[str]:
    """Paths under the data folder of all shipped files whose path begins with ``prefix``, sorted."""
    place = _place()
    names = {path.removeprefix("data/") for path in place.manifest}
    if not place.fetched:  # what nobody vouches for is named too, so that asking for it says so
        present = (path.relative_to(place.folder) for path in place.folder.rglob("*") if path.is_file())
        names |= {path.as_posix() for path in present if not _is_about(path)}
    return sorted(name for name in names if name.startswith(prefix))


def shipped_source() -> str:
    """In words: where the shipped data are, or are fetched from."""
    place = _place()
    return f"{place.folder}, fetched from {data_address()}" if place.fetched else str(place.folder)


def shipped_here(relative: str) -> Path | None:
    """The path of a shipped file if it can be had without a network; its bytes are not looked at."""
    path = _place().folder / relative
    return path if path.is_file() else None


def shipped_file(relative: str) -> Path:
    """The path of a shipped file, once its bytes were checked against the manifest.

    Outside a clone it is fetched into the cache if it is not there yet. Each file is checked once in a process,
    and again if it changes.

    Parameters
    ----------
    relative : path under the data folder, such as ``"embeddings/miniclip-wide/scenes100.safetensors"``

    Raises
    ------
    InputError
        If the file is missing, is not in the manifest, or differs from it, or cannot be fetched.
    """
    place = _place()
    path = place.folder / relative
    expected = place.manifest.get(f"data/{relative}")
    if place.fetched:
        if expected is None:
            raise InputError(f"gapkit {gapkit.__version__} ships no file {relative}; look in the repository")
        if not (path.is_file() and known_sha256(path) == expected["sha256"]):
            _fetch(relative, path, expected)
        return path
    if not path.is_file():
        raise InputError(f"shipped file {path} is missing; restore it with: git checkout -- data/{relative}")
    if expected is None:
        raise InputError(f"{path} is not listed in its {MANIFEST}; rebuild that or remove the file")
    if known_sha256(path) != expected["sha256"]:
        say = f"its sha256 differs from {MANIFEST}. Restore it with: git checkout -- data/{relative}"
        raise InputError(f"{path} is not the shipped file: {say}")
    return path


def shipped_folder(relative: str = "") -> Path:
    """The path of a folder of shipped files, once every file in it is there and checked.

    Parameters
    ----------
    relative : path under the data folder, such as ``"example_images/pairs"``; all of it when left out

    Raises
    ------
    InputError
        If there is no such folder, or as in `shipped_file`.
    """
    names = shipped_names(f"{relative.rstrip('/')}/" if relative else "")
    if not names:
        raise InputError(f"gapkit ships no folder {relative!r}")
    for name in names:
        shipped_file(name)
    return _place().folder / relative


def read_manifest(folder: Path) -> dict[str, dict]:
    """Path (``data/…``) to entry, for every file in the manifest of ``folder``."""
    path = folder / MANIFEST
    with refusing(OSError, ValueError, KeyError, TypeError, before=f"cannot read {path}: "):
        return {entry["path"]: entry for entry in json.loads(path.read_text(encoding="utf-8"))["files"]}


def data_address() -> str:
    """The address of the data folder that files are fetched from, with a slash at its end.

    That of the repository named in pyproject.toml: at the commit if pip installed one, else at the tag of this
    version.
    """
    named = os.environ.get("GAPKIT_DATA_URL")
    if named:
        return named.rstrip("/") + "/"
    with refusing(ImportError, before="where the data are is not known; set GAPKIT_DATA_URL: "):
        installed = importlib.metadata.distribution("gapkit")
    urls = dict(line.split(", ", 1) for line in installed.metadata.get_all("Project-URL") or [])
    source = json.loads(installed.read_text("direct_url.json") or "{}")
    at = source.get("vcs_info", {}).get("commit_id") or f"v{installed.version}"
    return f"{urls['Repository'].rstrip('/')}/raw/{at}/data/"


def _place() -> _Place:
    named = os.environ.get("GAPKIT_DATA")
    package = Path(__file__).resolve().parent
    folder = Path(named).expanduser() if named else package.parent / "data"
    if (folder / MANIFEST).is_file():
        return _Place(folder, read_manifest(folder), fetched=False)
    bundled = package / MANIFEST
    if named or not bundled.is_file():
        which = "which GAPKIT_DATA names" if named else "beside the package, which has none either"
        raise InputError(f"no shipped data in {folder} ({which}): no {MANIFEST} there; {_SAY}")
    kept = hashlib.sha256(bundled.read_bytes()).hexdigest()[:12]  # another release may ship other files
    return _Place(cache_folder() / "shipped" / kept, read_manifest(package), fetched=True)


def _is_about(path: Path) -> bool:
    """Whether a file in the data folder is about the data, not one of them."""
    return path.name in (MANIFEST, "README.md") or any(part.startswith(".") for part in path.parts)


def _fetch(relative: str, path: Path, expected: dict) -> None:
    """Download one shipped file; what is not exactly it leaves nothing behind."""
    address = data_address() + relative
    say = (
        "Try again with a network (gapkit fetch --shipped gets everything), or set GAPKIT_DATA to the data "
        "folder of a clone, or GAPKIT_DATA_URL to another address of it"
    )
    with refusing(InputError, before=f"cannot fetch {relative} from {address}: ", after=f". {say}"):
        download(address, path, expected["sha256"], size=expected["bytes"])


def download(address: str, path: Path, known: str, *, size: int | None = None) -> Path:
    """Download a file whose bytes are known, whole or not at all.

    Parameters
    ----------
    address, path : where from, and where to
    known : its hash: a sha256, or an md5 of 32 digits
    size : in bytes, for a bar on the terminal; no bar when left out

    Raises
    ------
    InputError
        With the reason in a few words: no network, a download that broke off, other bytes.
    """
    import pooch
    from tqdm import tqdm

    notebook = False if "ipykernel" in sys.modules else None  # None: off unless on a terminal
    off = size is None or not progress_wanted() or notebook
    bar = tqdm(desc=f"fetching {path.name}", total=size, unit="B", unit_scale=True, leave=False, disable=off)
    kind = "md5" if len(known) == 32 else "sha256"

    def write(partial: Path) -> None:
        shown = bar if size else False
        get = pooch.HTTPDownloader(timeout=SECONDS_OF_SILENCE, chunk_size=_CHUNK, progressbar=shown)
        get(address, str(partial), None)
        if (digest := pooch.file_hash(str(partial), alg=kind)) != known:
            raise InputError(f"the bytes there are not the published ones, of {kind} {known}, but {digest}")

    try:
        return write_atomically(path, write)
    except Exception as fault:  # requests, urllib3 and pooch raise a dozen unrelated kinds
        raise InputError(_download_reason(fault)) from fault
    finally:
        bar.close()


def _download_reason(fault: Exception) -> str:
    """What went wrong with a download, in a few words."""
    cause = fault.__cause__ if isinstance(fault, InputError) and fault.__cause__ else fault
    status = getattr(getattr(cause, "response", None), "status_code", None)
    if status is not None:
        return f"the server answers {status}"
    kind = "ReadTimeout" if "Read timed out" in str(cause) else type(cause).__name__
    words = {
        "ConnectionError": "no connection", "ConnectTimeout": "no answer", "ReadTimeout": "no answer",
        "ChunkedEncodingError": "the connection broke off", "InputError": str(cause),
    }  # fmt: skip
    said = words.get(kind) or getattr(cause, "strerror", None)
    return said or f"{kind}: {' '.join(str(cause).split())[:120]}"
