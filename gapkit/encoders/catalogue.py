"""What can be loaded here and now: shipped models and the hub's cache."""

from gapkit._openclip import open_clip
from gapkit._paths import shipped_here
from gapkit.encoders.hub import SAFE_WEIGHTS, cached_file, published_weights
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
    """Whether ``ARCHITECTURE/WEIGHTS`` is in the hub's cache: its weights, and its tokeniser if that is there."""
    architecture, tag = name.split("/")
    library = open_clip()
    if cached_file(*published_weights(library.get_pretrained_cfg(architecture, tag))) is None:
        return False
    tokeniser = library.get_model_config(architecture)["text_cfg"].get("hf_tokenizer_name")
    return not tokeniser or cached_file(tokeniser, ("tokenizer.json", "tokenizer_config.json")) is not None


def _shipped(name: str) -> dict:
    if name == "miniclip-random":
        return _row(name, "rebuilt from its seed", 0.0, True, "mini-CLIP, the random control")
    try:
        path = shipped_here(f"models/{name}/{SAFE_WEIGHTS}")
    except InputError:
        path = None
    megabytes = path.stat().st_size / 1e6 if path else 0.0
    return _row(name, "shipped", megabytes, path is not None, "mini-CLIP, trained by gapkit")


def _row(name: str, source: str, megabytes: float, here: bool, about: str) -> dict:
    return {"name": name, "source": source, "megabytes": megabytes, "here": here, "about": about}
