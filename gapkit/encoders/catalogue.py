"""What can be loaded here and now: shipped models, the hub's cache, and whether the hub answers."""

import socket
from urllib.parse import urlparse

from gapkit._paths import data_folder
from gapkit.encoders._openclip import open_clip
from gapkit.encoders.hub import SAFE_WEIGHTS, cached_megabytes
from gapkit.encoders.names import PRESETS, list_models
from gapkit.errors import InputError


def available_models(*, every: bool = False) -> list[dict]:
    """One row for each model: the short names, or with ``every`` all that OpenCLIP knows, too.

    Returns
    -------
    list of dict
        ``name``; ``source``, where the weights come from; ``megabytes``, 0 where unknown; ``here``, whether
        it can be loaded without a network; ``about``
    """
    rows = [_shipped(name) for name in list_models() if name not in PRESETS]
    rows += [_row(n, p.source, p.megabytes, is_cached(p.source), p.about) for n, p in PRESETS.items()]
    if every:
        names = (f"{architecture}/{tag}" for architecture, tag in open_clip().list_pretrained())
        rows += [_row(name, "hub", 0.0, is_cached(name), "") for name in names]
    return rows


def is_cached(name: str) -> bool:
    """Whether the weights of ``ARCHITECTURE/WEIGHTS`` are in the hub's cache."""
    architecture, tag = name.split("/")
    repository = open_clip().get_pretrained_cfg(architecture, tag)["hf_hub"].rpartition("/")[0]
    return cached_megabytes(repository) > 1  # configurations alone are smaller


def hub_answers(*, seconds: float = 2.0) -> bool:
    """Whether a connection to the hub can be opened, so that models could be downloaded."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    address = urlparse(constants.ENDPOINT)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        with socket.create_connection((address.hostname, port), timeout=seconds):
            return True
    except OSError:
        return False


def _shipped(name: str) -> dict:
    if name == "miniclip-random":
        return _row(name, "rebuilt from its seed", 0.0, True, "mini-CLIP, the random control")
    try:
        path = data_folder() / "models" / name / SAFE_WEIGHTS
    except InputError:
        path = None
    here = path is not None and path.is_file()
    return _row(
        name, "shipped", path.stat().st_size / 1e6 if here else 0.0, here, "mini-CLIP, trained by gapkit"
    )


def _row(name: str, source: str, megabytes: float, here: bool, about: str) -> dict:
    return {"name": name, "source": source, "megabytes": megabytes, "here": here, "about": about}
