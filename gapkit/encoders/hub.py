"""Files from the Hugging Face hub, with one clear message for whatever can go wrong.

Downloads land in the hub's own cache, which other tools share. The hub's client checks lengths only;
large files are stored under their sha256, so we check that too, at every load.
"""

import errno
import os
import socket
import time
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import getproxies, proxy_bypass

from gapkit._files import sha256_of
from gapkit.errors import InputError

SAFE_WEIGHTS = "open_clip_model.safetensors"
OTHER_WEIGHTS = ("model.safetensors", "open_clip_pytorch_model.bin")
"""The last is unpickled with ``weights_only=True``: arrays, and nothing that could run."""

_ATTEMPTS = 3
_PASSING = ("ReadError", "WriteError", "RemoteProtocolError", "ChunkedEncodingError", "ConnectionError")


def hub_file(repository: str, names: tuple[str, ...], *, model: str, revision: str | None = None) -> Path:
    """The first of ``names`` that ``repository`` has, from the cache or downloaded into it.

    Parameters
    ----------
    repository : "OWNER/NAME"
    names : candidates, the best first
    model : how messages call what is being loaded
    revision : branch, tag or commit; the main branch when left out

    Raises
    ------
    InputError
        If the repository is gated, missing or out of reach, or what came is not what was published.
    """
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RevisionNotFoundError

    path, reason = None, f"{repository} has no {' or '.join(names)}"
    if not hub_answers():  # asked first: the client would try for half a minute
        path = cached_file(repository, names, revision=revision)
        reason = "" if path else _unreachable(None, repository)
        names = ()
    for name in names:
        try:
            path = _download(repository, name, revision)
            break
        except LocalEntryNotFoundError as fault:
            raise InputError(f"cannot load {model}: {_unreachable(fault, repository)}") from fault
        except EntryNotFoundError:
            continue
        except RevisionNotFoundError as fault:
            raise InputError(f"cannot load {model}: {repository} has no revision {revision}") from fault
        except Exception as fault:  # httpx, OSError, and a dozen kinds of the hub's own
            raise InputError(f"cannot load {model}: {_reason(fault, repository)}") from fault
    if path is None:
        raise InputError(f"cannot load {model}: {reason}")
    _check_bytes(path, model)
    return path


def hub_cache() -> Path:
    """The hub's cache folder."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def cached_file(repository: str, names: tuple[str, ...], *, revision: str | None = None) -> Path | None:
    """The first of ``names`` that lies in the cache."""
    from huggingface_hub import try_to_load_from_cache as in_cache

    paths = (in_cache(repository, name, cache_dir=hub_cache(), revision=revision) for name in names)
    return next((Path(path) for path in paths if isinstance(path, str)), None)


def published_weights(facts: dict) -> tuple[str, tuple[str, ...]]:
    """Repository and candidates, the best first, of one of OpenCLIP's entries for published weights."""
    repository, _, name = facts["hf_hub"].rpartition("/")
    if not name:
        return repository, (SAFE_WEIGHTS, *OTHER_WEIGHTS)
    if name.endswith((".bin", ".pth")):
        return repository, (f"{name.rsplit('.', 1)[0]}.safetensors", name)
    return repository, (name,)


def hub_answers(*, seconds: float = 4.0) -> bool:
    """Whether a connection to the hub, or to the proxy in front of it, can be opened."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    address = urlparse(constants.ENDPOINT)
    proxy = getproxies().get(address.scheme) or getproxies().get("all")
    if proxy and not proxy_bypass(address.hostname):
        address = urlparse(proxy if "//" in proxy else f"http://{proxy}")
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        with socket.create_connection((address.hostname, port), timeout=seconds):
            return True
    except OSError:
        return False


def _download(repository: str, name: str, revision: str | None) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        for attempt in range(_ATTEMPTS):
            try:
                return Path(hf_hub_download(repository, name, revision=revision))
            except Exception as fault:  # the client itself gives up when a connection is reset
                if attempt == _ATTEMPTS - 1 or type(fault).__name__ not in _PASSING:
                    raise
                time.sleep(2**attempt)
    finally:
        _remove_halves(repository)


def _remove_halves(repository: str) -> None:
    """Delete what attempts that failed or were killed left of a download, unless it is going on elsewhere."""
    from filelock import FileLock, Timeout

    folder = f"models--{repository.replace('/', '--')}"
    for left in (hub_cache() / folder / "blobs").glob("*.incomplete"):
        lock = hub_cache() / ".locks" / folder / f"{left.name.partition('.')[0]}.lock"
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(lock, timeout=0):  # the client holds it as long as it downloads
                left.unlink(missing_ok=True)
        except (Timeout, OSError):
            continue


def _check_bytes(path: Path, model: str) -> None:
    """Large files bear their sha256 as the name of what the cache's link points to."""
    blob = path.resolve()
    if len(blob.name) != 64 or sha256_of(blob) == blob.name:
        return
    path.unlink(missing_ok=True)
    blob.unlink(missing_ok=True)
    what = f"cannot load {model}: {path.name} is damaged, its sha256 is not the published one"
    raise InputError(f"{what}. It was removed from the cache; run the same again to download it anew")


def _unreachable(fault: Exception | None, repository: str) -> str:
    from huggingface_hub import constants

    cause, endpoint = getattr(fault, "__cause__", None), constants.ENDPOINT
    status = getattr(getattr(cause, "response", None), "status_code", None)
    if status is not None:
        return f"the hub answers with an error ({status}) for {repository}, which is not cached; try later"
    if constants.HF_HUB_OFFLINE:
        return f"{repository} is not in the cache, and HF_HUB_OFFLINE forbids to download it"
    if type(cause).__name__ == "FileMetadataError":
        return f"{endpoint} does not answer as the hub does; check HF_ENDPOINT and your proxy"
    remedy = "Connect to the network once, or copy the model's folder here and name it as local-dir:PATH"
    return f"{repository} is not in the cache, and {endpoint} cannot be reached. {remedy}"


def _reason(fault: Exception, repository: str) -> str:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    status = getattr(getattr(fault, "response", None), "status_code", None)
    login = "log in with: hf auth login"
    if isinstance(fault, GatedRepoError):
        return f"{repository} is gated: accept its terms at https://huggingface.co/{repository}, then {login}"
    if isinstance(fault, RepositoryNotFoundError) or status in (401, 403, 404):
        return f"the hub has no repository {repository}, or it is private. Check it; if private, {login}"
    if status is not None:
        return f"the hub answers with an error ({status}) for {repository}; try later"
    number = getattr(fault, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"no space left in {hub_cache()}. Free some, or set HF_HOME to a larger disk"
    if number in (errno.EACCES, errno.EROFS, errno.EPERM):
        return f"cannot write to {hub_cache()} ({os.strerror(number)}). Set HF_HOME to a folder you own"
    return f"the download of {repository} broke off ({type(fault).__name__}); run the same again"
