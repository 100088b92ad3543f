"""Models by name: what a name means, and which of them can be loaded here and now."""

import os
import re
from dataclasses import dataclass

from gapkit._openclip import open_clip
from gapkit._options import one_line
from gapkit._paths import shipped_here, shipped_names
from gapkit.encoders.hub import SAFE_WEIGHTS, cached_file, published_weights
from gapkit.errors import InputError, did_you_mean


@dataclass(frozen=True)
class Preset:
    """One of the paper's models: the OpenCLIP name with the right activation, and its size to download."""

    source: str
    megabytes: float
    about: str


PRESETS = {
    "clip-vit-b16": Preset("ViT-B-16-quickgelu/openai", 599.0, "OpenAI's CLIP, ViT-B/16"),
    "clip-vit-l14": Preset("ViT-L-14-quickgelu/openai", 1711.0, "OpenAI's CLIP, ViT-L/14"),
    "siglip-vit-b16": Preset(
        "ViT-B-16-SigLIP/webli", 813.0, "SigLIP, ViT-B/16 (needs the transformers package)"
    ),
    "metaclip-vit-b16": Preset("ViT-B-16-quickgelu/metaclip_400m", 599.0, "MetaCLIP 400M, ViT-B/16"),
}
"""The paper's four families. Sizes in megabytes: four bytes a parameter."""


_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_ALIKE = 0.6
_TRANSFORMERS = ("openai/clip", "google/siglip", "facebook/metaclip")
"""How repositories begin whose models only the transformers package reads."""


@dataclass(frozen=True)
class ModelName:
    """A name that has been understood.

    Attributes
    ----------
    kind : "tag" (OpenCLIP's architecture and published weights), "random" (an architecture, initialised
        from a seed), "miniclip" (shipped), "hub" or "folder"
    place : architecture, setting of the mini-CLIP, repository or path
    tag : the name of the weights, for "tag"; the revision, if one is named, for "hub"
    seed : for "random" and "miniclip"
    """

    kind: str
    place: str
    tag: str = ""
    seed: int = 0


def list_models() -> list[str]:
    """The short names: the mini-CLIPs of the family, then the paper's presets."""
    return [f"miniclip-{name}" for name in _family()] + list(PRESETS)


def parse_model_name(name: str) -> ModelName:
    """Understand a model's name, without looking whether its weights are there.

    Raises
    ------
    InputError
        If it is not a known name; with the nearest ones.

    Examples
    --------
    >>> parse_model_name("miniclip-wide@1")
    ModelName(kind='miniclip', place='wide', tag='', seed=1)
    >>> parse_model_name("hf-hub:timm/ViT-B-16-SigLIP")
    ModelName(kind='hub', place='timm/ViT-B-16-SigLIP', tag='', seed=0)
    """
    if not isinstance(name, str | os.PathLike):
        raise InputError(f"a model's name must be a text; got {one_line(name)}")
    name = os.fspath(name).strip()
    if name in PRESETS:
        name = PRESETS[name].source
    if name.startswith("hf-hub:"):
        return _hub_name(name)
    if name.startswith("local-dir:"):
        if name == "local-dir:":
            raise InputError(f"{name!r} lacks its path")
        return ModelName("folder", name.removeprefix("local-dir:"))
    plain, seed = _split_seed(name)
    if plain.startswith("miniclip-"):
        setting = plain.removeprefix("miniclip-")
        if setting not in _family():
            raise InputError(f"no mini-CLIP {setting!r}; there are {', '.join(_family())}{_near(plain)}")
        return ModelName("miniclip", setting, seed=seed)
    architecture, _, tag = plain.partition("/")
    return _openclip_name(name, architecture, tag, seed)


def _hub_name(name: str) -> ModelName:
    place, at, revision = name.removeprefix("hf-hub:").partition("@")
    if not _REPOSITORY.fullmatch(place):
        raise InputError(f"{name!r} lacks its OWNER/REPOSITORY")
    if at and not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", revision):
        raise InputError(f"what follows @ in {name!r} must be a revision: a branch, a tag or a commit")
    if place.startswith(_TRANSFORMERS) and (near := _of_transformers(place)):
        raise InputError(f"{place} is a transformers model, which OpenCLIP does not read; write {near}")
    return ModelName("hub", place, tag=revision)


def _family() -> list[str]:
    from gapkit.miniclip import SETTINGS  # not above: training brings scipy along

    return list(SETTINGS)


def _openclip_name(name: str, architecture: str, tag: str, seed: int) -> ModelName:
    library = open_clip()
    if architecture not in library.list_models():
        repository = name if _REPOSITORY.fullmatch(name) else ""
        if hubs := " or ".join(_of_hub(repository)):
            raise InputError(f"{name!r} is a repository of the hub; write {hubs}, or hf-hub:{name}")
        if near := _of_transformers(repository):
            raise InputError(f"{name!r} is a name of Hugging Face's; the nearest known is {near}; use it")
        forms = "ARCHITECTURE/WEIGHTS as OpenCLIP has them, hf-hub:OWNER/REPOSITORY, local-dir:PATH"
        known = f"one of {', '.join(list_models())}{_near(name)}"
        raise InputError(f"no model {name!r}. A name is {forms}, or {known}")
    if tag == "random":
        return ModelName("random", architecture, seed=seed)
    tags = library.list_pretrained_tags_by_model(architecture)
    if tag.lower().replace("-", "_") not in tags:
        known = ", ".join([*tags, "random"])
        raise InputError(f"{architecture} has no weights {tag!r}; write {architecture}/ and one of {known}")
    return ModelName("tag", architecture, tag=tag)


def _of_hub(repository: str) -> list[str]:
    """Names of the weights that OpenCLIP itself gets from this repository."""
    facts = {name: open_clip().get_pretrained_cfg(*name.split("/")) for name in _published()}
    return [n for n, told in facts.items() if published_weights(told)[0].lower() == repository.lower()][:3]


def _of_transformers(repository: str) -> str:
    """The name most like that of a repository for transformers; none where not enough of its parts agree."""
    wanted = _parts(repository)
    if not re.search("clip|siglip", repository, re.IGNORECASE):
        return ""
    if wanted & {"openai", "metaclip"}:  # trained with it, which the repository's name leaves out
        wanted |= {"quickgelu"}

    def alike(name: str) -> float:
        parts = _parts(name)
        return len(wanted & parts) / len(wanted | parts)

    best = max(_published(), key=alike)
    return best if alike(best) >= _ALIKE else ""


def _parts(name: str) -> set[str]:
    """What a name says of owner, size, patches and data, as OpenCLIP would say it."""
    words = re.split(r"[^a-z0-9.]+", re.sub(r"patch|\b([blhg])(?=\d\d\b)", r"\1 ", name.lower()))
    sizes = {"base": "b", "large": "l", "huge": "h", "giant": "g", "fullcc2.5b": "fullcc"}
    parts = {sizes.get(word, word) for word in words} - {"", "vit", "224", "google", "facebook"}
    if parts & {"siglip", "siglip2"}:
        parts |= {"webli"}
    return parts - {"clip"} if len(parts) > 1 else parts


def _split_seed(name: str) -> tuple[str, int]:
    plain, mark, seed = name.rpartition("@")
    if not mark:
        return name, 0
    if not seed.isdecimal() or len(seed) > 19 or int(seed) >= 2**63:
        raise InputError(f"what follows @ in {name!r} must be a seed, a whole number from 0")
    return plain, int(seed)


def _near(name: str) -> str:
    architectures = [f"{architecture}/…" for architecture in open_clip().list_models()]
    return did_you_mean(name, [*list_models(), *_published(), *architectures], most=3)


def _published() -> list[str]:
    """``ARCHITECTURE/WEIGHTS`` of everything that OpenCLIP knows."""
    return ["/".join(pair) for pair in open_clip().list_pretrained()]


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
        rows += [_row(name, "hub", 0.0, is_cached(name), "") for name in _published()]
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
    weights = f"models/{name}/{SAFE_WEIGHTS}"
    if weights not in shipped_names(weights):
        about = f"mini-CLIP; gapkit train-miniclip {name.removeprefix('miniclip-')} makes it"
        return _row(name, "to be trained", 0.0, False, about)
    try:
        path = shipped_here(weights)
    except InputError:
        path = None
    megabytes = path.stat().st_size / 1e6 if path else 0.0
    return _row(name, "shipped", megabytes, path is not None, "mini-CLIP, trained by gapkit")


def _row(name: str, source: str, megabytes: float, here: bool, about: str) -> dict:
    return {"name": name, "source": source, "megabytes": megabytes, "here": here, "about": about}
