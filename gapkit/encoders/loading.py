"""`load_model`: any OpenCLIP model, from the hub, a folder, a seed, or shipped with the repository."""

import contextlib
import itertools
import json
import logging
import math
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from gapkit._files import check_regular, known_sha256, read_json
from gapkit._openclip import open_clip, transformers_for
from gapkit._options import check_choice, one_line
from gapkit._paths import shipped_file, shipped_names
from gapkit.encoders.hub import OTHER_WEIGHTS, SAFE_WEIGHTS, hub_file, published_weights
from gapkit.encoders.model import Model, check_options, simple_tokeniser, tokeniser
from gapkit.encoders.names import ModelName, parse_model_name
from gapkit.errors import GapkitWarning, InputError, refuse_as_damaged, refusing, short_reason

_MOST = {"layers": 1000, "image_size": 10_000, "size": 10_000}
_SPARE = 2**26
"""Numbers that a model may have beside its weights: masks, and positions that are interpolated."""
_WEIGHT_ENDINGS = (".safetensors", ".bin", ".pth", ".pt")


def load_model(name: str, *, device: str = "cpu") -> Model:
    """Load a model by name, ready to embed.

    Parameters
    ----------
    name : str
        ``"clip-vit-b16"`` and the other presets of the paper; any of OpenCLIP's as
        ``"ViT-B-16-quickgelu/openai"``; ``"ViT-B-32/random@3"``, the architecture initialised from a seed;
        ``"hf-hub:OWNER/REPOSITORY"``, or with ``@REVISION``; ``"local-dir:PATH"``, or ``"local-dir:PATH#FILE"`` where
        a folder holds several weights; or a shipped mini-CLIP, ``"miniclip-wide"``.
    device : "cpu", "cuda", "cuda:1", "mps", or "auto" for the best there is (`Model.device` tells which)

    Raises
    ------
    InputError
        If the name is unknown, or the weights cannot be had, with what to do about it.

    Warns
    -----
    GapkitWarning
        If weights trained with QuickGELU meet an architecture without it, or the other way round. If the model's
        configuration says nothing about preprocessing, and OpenCLIP's default is taken.
    """
    place = _device(device)
    parsed = parse_model_name(name)
    with _in_one_line(name), _quiet():
        module, preprocess, tokenise, source, weights = _LOADERS[parsed.kind](parsed, name)
        module = module.float().eval().requires_grad_(False).to(place)
    plain = json.loads(json.dumps(module.visual.preprocess_cfg))
    length = getattr(tokenise, "context_length", None)
    config = {"architecture": source, "preprocess": plain, "context_length": length}
    file = {} if weights is None else {"name": weights.name, "sha256": known_sha256(weights)}
    return Model(name, module, preprocess, tokenise, place, config, file)


def model_files(model: Model) -> tuple[tuple[str, str], ...]:
    """Path and sha256 of the files in a model's own folder, weights first; none for other models."""
    parsed = parse_model_name(model.name)
    if parsed.kind != "folder":
        return ()
    folder = Path(parsed.place).expanduser()
    folder = folder if folder.is_dir() else Path(parsed.place.rpartition("#")[0]).expanduser()
    weights = folder.absolute() / model.weights_file["name"]
    others = sorted(p for p in weights.parent.iterdir() if p.is_file() and p.suffix not in _WEIGHT_ENDINGS)
    return tuple((str(path), known_sha256(path)) for path in (weights, *others))


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as fault:
        check_choice(str(name).split(":")[0], "device", ("cpu", "cuda", "mps", "auto"))
        raise InputError(f"device {name} is not there: {str(fault).splitlines()[0][:120]}") from fault
    return device


def _load_tag(parsed: ModelName, name: str):
    """OpenCLIP's architecture with published weights, which we fetch so that faults have names."""
    library = open_clip()
    facts = library.get_pretrained_cfg(parsed.place, parsed.tag)
    config = library.get_model_config(parsed.place)
    _check_activation(parsed, facts, config)
    repository, candidates = published_weights(facts)
    path = hub_file(repository, candidates, model=name)
    options = {f"image_{key}": facts.get(key) for key in ("mean", "std", "interpolation", "resize_mode")}
    options |= {"pretrained": str(path), "weights_only": True}
    module, preprocess = _built(config["text_cfg"], parsed.place, **options)
    return module, preprocess, tokeniser(config["text_cfg"], name), config, path


def _load_random(parsed: ModelName, name: str):
    config = open_clip().get_model_config(parsed.place)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(parsed.seed)
        module, preprocess = _built(config["text_cfg"], parsed.place, pretrained=None, pretrained_text=False)
    return module, preprocess, tokeniser(config["text_cfg"], name), config, None


def _load_hub(parsed: ModelName, name: str):
    revision = parsed.tag or None
    config = hub_file(parsed.place, ("open_clip_config.json",), model=name, revision=revision)
    weights = hub_file(parsed.place, (SAFE_WEIGHTS, *OTHER_WEIGHTS), model=name, revision=revision)
    return _load_files(config, weights, name, folder=None)


def _load_folder(parsed: ModelName, name: str):
    folder, wanted = Path(parsed.place).expanduser(), ""
    if not folder.is_dir() and "#" in parsed.place:
        place, _, wanted = parsed.place.rpartition("#")
        folder = Path(place).expanduser()
    if not folder.is_dir():
        hint = f"; that is a file: say local-dir:{folder.parent}#{folder.name}" if folder.is_file() else ""
        raise InputError(f"cannot load {name}: no folder {folder}{hint}")
    config = folder / "open_clip_config.json"
    if not config.is_file():
        raise InputError(f"cannot load {name}: {folder} has no open_clip_config.json: no OpenCLIP model")
    endings = {path.name: path.suffix for path in sorted(folder.iterdir()) if path.is_file()}
    files = [file for file, ending in endings.items() if ending in _WEIGHT_ENDINGS]
    listed = ", ".join(files)
    if not files:
        raise InputError(f"cannot load {name}: {folder} has no weights (*.safetensors)")
    if wanted and wanted not in files:
        raise InputError(f"cannot load {name}: {folder} has no weights {wanted!r}; it has {listed}")
    if not wanted and len(files) > 1:
        say = f"Say which, as in local-dir:{folder}#{files[-1]}"
        raise InputError(f"cannot load {name}: {folder} has several weights: {listed}. {say}")
    return _load_files(config, folder / (wanted or files[0]), name, folder=folder)


def _load_miniclip(parsed: ModelName, name: str):
    from gapkit.miniclip import MODEL_CONFIG, SETTINGS
    from gapkit.miniclip.family import PREPROCESS_CONFIG, build

    if parsed.place != "random":
        folder = f"models/miniclip-{parsed.place}"
        if parsed.seed or f"{folder}/{SAFE_WEIGHTS}" not in shipped_names(folder):
            run = f"runs/{parsed.place}-{parsed.seed}"
            train = f"gapkit train-miniclip {parsed.place} --seed {parsed.seed} --out {run}"
            say = f"Train it: {train}; then load local-dir:{run}"
            raise InputError(f"{name} ships as embeddings, without weights. {say}")
        config = shipped_file(f"{folder}/open_clip_config.json")
        weights = shipped_file(f"{folder}/{SAFE_WEIGHTS}")
        return _load_files(config, weights, name, folder=config.parent)
    transform = open_clip().transform
    module = build(SETTINGS["random"], seed=parsed.seed)
    module.visual.preprocess_cfg = dict(PREPROCESS_CONFIG)
    preprocess = transform.image_transform_v2(transform.PreprocessCfg(**PREPROCESS_CONFIG), is_train=False)
    tokenise = simple_tokeniser(MODEL_CONFIG["text_cfg"]["context_length"])
    return module, preprocess, tokenise, MODEL_CONFIG, None


def _load_files(config: Path, weights: Path, name: str, *, folder: Path | None):
    """A model from its OpenCLIP configuration and its weights, which need not lie in one folder."""
    before = f"cannot load {name}: {config} is not an OpenCLIP configuration ("
    with refusing(InputError, ValueError, KeyError, TypeError, before=before, after=")"):
        facts = read_json(config)
        architecture = facts["model_cfg"]
        embed_dim, text = architecture["embed_dim"], architecture["text_cfg"]
        if not isinstance(embed_dim, int) or not isinstance(text, dict):
            raise TypeError(f"embed_dim {one_line(embed_dim)}, text_cfg {one_line(text)}")
    check_regular(weights)
    check_options(text, name)
    given = facts.get("preprocess_cfg") or {}
    if not isinstance(given, dict) or not {"mean", "std"} <= set(given):
        what = f"{config.name} of {name} does not say how images are preprocessed (mean, std)"
        say = "If the model was trained with other values, write them into preprocess_cfg"
        message = f"{what}; OpenCLIP's default is taken, that of OpenAI's CLIP. {say}"
        warnings.warn(message, GapkitWarning, stacklevel=5)
    elif isinstance(given["mean"], list) and any(isinstance(z, int | float) and z > 1 for z in given["mean"]):
        what = f"its configuration has the mean {one_line(given['mean'])} of pixels, which are from 0 to 1"
        raise InputError(f"cannot load {name}: {what}; divide mean and std by 255")
    # First the architecture, then exactly this file: left to itself OpenCLIP would take any it finds there,
    # and start from random weights where it finds none.
    place, options = f"local-dir:{config.parent}", {"load_weights": False, "pretrained_text": False}
    _check_lengths(facts, name)
    with torch.device("meta"):  # shapes alone: neither time nor memory
        shapes, _ = _built(text, place, device="meta", **options)
    _check_size(shapes, weights, name)
    module, preprocess = _built(text, place, **options)
    open_clip().load_checkpoint(module, str(weights), strict=True, weights_only=True)
    return module, preprocess, tokeniser(text, name, folder=folder), architecture, weights


def _check_lengths(facts: dict, name: str) -> None:
    """Refuse a configuration that would take long to build, or to feed, however small its weights are."""
    parts = facts.get("preprocess_cfg"), facts["model_cfg"], *facts["model_cfg"].values()
    known = (part for part in parts if isinstance(part, dict))
    for part, (key, most) in itertools.product(known, _MOST.items()):
        numbers = part[key] if isinstance(part.get(key), list) else [part.get(key)]
        if sum(abs(number) for number in numbers if isinstance(number, int | float)) > most:
            given = f"its configuration has {key} {one_line(part[key])}"
            raise InputError(f"cannot load {name}: {given}; at most {most:,} are built")


def _check_size(shapes: torch.nn.Module, weights: Path, name: str) -> None:
    """Refuse an architecture of far more numbers than its weights have, before the memory for it is taken.

    OpenCLIP fits positions of another number in silence; said is where it will.
    """
    held = {}
    wanted = sum(part.numel() for part in (*shapes.parameters(), *shapes.buffers()))
    if weights.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(weights, framework="pt") as file:
            keys = list(file.keys())
            held = {k.removeprefix("module."): tuple(file.get_slice(k).get_shape()) for k in keys}
        there = sum(map(math.prod, held.values()))
    else:
        there = weights.stat().st_size // 2  # in half precision, at the most
    if wanted > there + _SPARE:
        numbers = f"{weights.name} holds {there:,} numbers, and the configuration wants {wanted:,}"
        raise InputError(f"cannot load {name}: the weights do not fit the architecture; {numbers}")
    if "logit_bias" in held and getattr(shapes, "logit_bias", 0) is None:
        say = "its configuration has none; write init_logit_bias into model_cfg"
        raise InputError(f"cannot load {name}: its weights have a logit bias, {say}")
    for key, tensor in shapes.state_dict().items():
        if "pos" in key and held.get(key, tensor.shape) != tensor.shape:
            what = f"{key} of {name} has the shape {held[key]}, its configuration {tuple(tensor.shape)}"
            say = "say context_length and image_size as it was trained, unless that is meant"
            warnings.warn(f"{what}; it is cut or interpolated: {say}", GapkitWarning, stacklevel=6)


def _built(text: dict, *arguments, **options):
    with transformers_for(text):
        module, _, preprocess = open_clip().create_model_and_transforms(*arguments, **options)
    return module, preprocess


def _check_activation(parsed: ModelName, facts: dict, config: dict) -> None:
    trained, built = bool(facts.get("quick_gelu")), bool(config.get("quick_gelu"))
    if trained == built:
        return
    right = f"{parsed.place}-quickgelu" if trained else parsed.place.replace("-quickgelu", "")
    one, other = ("with", "without") if trained else ("without", "with")
    what = f"the weights {parsed.tag!r} were trained {one} QuickGELU and {parsed.place} is built {other} it"
    message = f"{what}, which costs several points of accuracy: use {right}/{parsed.tag}"
    warnings.warn(message, GapkitWarning, stacklevel=5)


_LOADERS = {"tag": _load_tag, "random": _load_random, "hub": _load_hub, "folder": _load_folder}
_LOADERS["miniclip"] = _load_miniclip


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep OpenCLIP from configuring the root logger, and all of them from reporting what we check ourselves.

    The hub's client has a handler of its own, and a line for each of its attempts.
    """
    root, silent = logging.getLogger(), logging.NullHandler()
    disabled = root.manager.disable
    root.addHandler(silent)
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        root.removeHandler(silent)
        logging.disable(disabled)


@contextlib.contextmanager
def _in_one_line(name: str) -> Iterator[None]:
    """Whatever OpenCLIP, torch or safetensors raise, as one line that says what to do."""
    try:
        yield
    except (InputError, GapkitWarning, MemoryError):
        raise
    except ImportError as fault:
        missing = fault.name or str(fault).splitlines()[0][:100]
        said = f"the package {missing} is missing"
        if "transformers" in str(fault) or missing in ("sentencepiece", "google.protobuf"):
            install = "pip install transformers sentencepiece protobuf"
            said = f"it needs another package for its texts; install it with: {install}"
        raise InputError(f"cannot load {name}: {said}") from fault
    except Exception as fault:
        said, kind = str(fault), type(fault).__name__
        if kind == "UnpicklingError" or "weights_only" in said.lower():
            said = "its weights are a pickle that could run code when opened; ask for a safetensors file"
        elif "trust_remote_code" in said:
            said = "it wants to run Python code of its own, which gapkit never does; ask for a model without"
        elif kind == "SafetensorError" or "PytorchStreamReader" in said:
            said = "its weights are truncated or damaged; get them again"
        elif "state_dict" in said and "CLIP" in said:
            said = "the weights do not fit the architecture"
        else:
            said = short_reason(fault)
        refuse_as_damaged(fault, f"cannot load {name}: {said}")
