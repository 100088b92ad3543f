"""Files from the Hugging Face hub, with one clear message for whatever can go wrong.

Downloads land in the hub's own cache, which other tools share. The hub's client checks lengths only;
large files are stored under their sha256, so we check that too, at every load.
"""

import errno
import os
import time
from pathlib import Path

from gapkit._files import sha256_of
from gapkit.errors import InputError

SAFE_WEIGHTS = "open_clip_model.safetensors"
OTHER_WEIGHTS = ("model.safetensors", "open_clip_pytorch_model.bin")
"""The last is unpickled with ``weights_only=True``: arrays, and nothing that could run."""

_ATTEMPTS = 3
_PASSING = ("ReadError", "WriteError", "RemoteProtocolError", "ChunkedEncodingError", "ConnectionError")
_ABANDONED_AFTER = 3600  # seconds without a byte


def hub_file(repository: str, names: str | tuple[str, ...], *, model: str) -> Path:
    """The first of ``names`` that ``repository`` has, from the cache or downloaded into it.

    Parameters
    ----------
    repository : "OWNER/NAME"
    names : candidates, the best first
    model : how messages call what is being loaded

    Raises
    ------
    InputError
        If the repository is gated, missing or out of reach, or what came is not what was published.
    """
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    names = (names,) if isinstance(names, str) else names
    for name in names:
        try:
            path = _download(repository, name)
        except LocalEntryNotFoundError as fault:
            raise InputError(f"cannot load {model}: {_unreachable(fault, repository)}") from fault
        except EntryNotFoundError:
            continue
        except Exception as fault:  # httpx, OSError, and a dozen kinds of the hub's own
            raise InputError(f"cannot load {model}: {_reason(fault, repository)}") from fault
        _check_bytes(path, model)
        return path
    raise InputError(f"cannot load {model}: {repository} has no {' or '.join(names)}")


def hub_cache() -> Path:
    """The hub's cache folder."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def cached_megabytes(repository: str) -> float:
    """How much of ``repository`` is in the cache."""
    blobs = hub_cache() / f"models--{repository.replace('/', '--')}" / "blobs"
    sizes = (f.stat().st_size for f in blobs.glob("*") if f.is_file() and f.suffix != ".incomplete")
    return sum(sizes) / 1e6


def _download(repository: str, name: str) -> Path:
    from huggingface_hub import hf_hub_download

    blobs = hub_cache() / f"models--{repository.replace('/', '--')}" / "blobs"
    before = set(blobs.glob("*.incomplete"))
    try:
        for attempt in range(_ATTEMPTS):
            try:
                return Path(hf_hub_download(repository, name))
            except Exception as fault:  # the client itself gives up when a connection is reset
                if attempt == _ATTEMPTS - 1 or type(fault).__name__ not in _PASSING:
                    raise
                time.sleep(2**attempt)
    finally:
        # What this attempt left behind (clients before 2.0 do), and what a killed one did.
        for left in set(blobs.glob("*.incomplete")):
            if left not in before or time.time() - left.stat().st_mtime > _ABANDONED_AFTER:
                left.unlink(missing_ok=True)


def _check_bytes(path: Path, model: str) -> None:
    """Large files bear their sha256 as the name of what the cache's link points to."""
    blob = path.resolve()
    if len(blob.name) != 64 or sha256_of(blob) == blob.name:
        return
    path.unlink(missing_ok=True)
    blob.unlink(missing_ok=True)
    raise InputError(
        f"cannot load {model}: {path.name} is damaged, its sha256 is not the published one. "
        "It was removed from the cache; run the same again to download it anew"
    )


def _unreachable(fault: Exception, repository: str) -> str:
    from huggingface_hub import constants

    status = getattr(getattr(fault.__cause__, "response", None), "status_code", None)
    if status is not None:
        return f"the hub answers with an error ({status}) for {repository}, and it is not in the cache; try later"
    if constants.HF_HUB_OFFLINE:
        return f"{repository} is not in the cache, and HF_HUB_OFFLINE forbids to download it"
    endpoint = constants.ENDPOINT
    if type(fault.__cause__).__name__ == "FileMetadataError":
        return f"{endpoint} does not answer as the hub does; check HF_ENDPOINT and your proxy"
    return (
        f"{repository} is not in the cache, and {endpoint} cannot be reached. Connect to the network once, "
        f"or copy the model's folder here and name it as local-dir:PATH"
    )


def _reason(fault: Exception, repository: str) -> str:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    status = getattr(getattr(fault, "response", None), "status_code", None)
    if isinstance(fault, GatedRepoError):
        return (
            f"{repository} is gated: accept its terms at https://huggingface.co/{repository}, "
            "then log in with: hf auth login"
        )
    if isinstance(fault, RepositoryNotFoundError) or status in (401, 403, 404):
        return (
            f"the hub has no repository {repository}, or it is private. Check the name; "
            "for a private one log in with: hf auth login"
        )
    if status is not None:
        return f"the hub answers with an error ({status}) for {repository}; try later"
    number = getattr(fault, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"no space left in {hub_cache()}. Free some, or set HF_HOME to a larger disk"
    if number in (errno.EACCES, errno.EROFS, errno.EPERM):
        return f"cannot write to {hub_cache()} ({os.strerror(number)}). Set HF_HOME to a folder you own"
    return f"the download of {repository} broke off ({type(fault).__name__}); run the same again"
