"""How the ``data`` folder came to be: models, curves, embeddings, and the manifest that vouches for them.

`gapkit.miniclip.training.train` writes one folder a run; `ship_run` copies what the repository keeps of it and
embeds the stand-in datasets; `write_manifest` lists every file with its hash, its source, its licence
and the command that makes it again.

``python tools/data.py ship RUN …`` copies finished runs, ``control`` embeds with the random control, ``manifest`` only
rewrites the manifest, ``quality`` prints how good the shipped models are, ``check`` compares the folder with its manifest.
"""

import argparse
import functools
import json
import shutil
import sys
from pathlib import Path

import numpy as np

from gapkit._files import sha256_of, write_atomically, write_text
from gapkit._paths import MANIFEST, data_folder, read_manifest
from gapkit.datasets.builtin import QUESTION_TYPES
from gapkit.embeddings import EmbeddingSet, answer
from gapkit.encoders import embed, load_model
from gapkit.errors import InputError
from gapkit.geometry import gap_vector
from gapkit.miniclip import SETTINGS, run_name

WEIGHTS = ("wide", "learned", "few-words")
"""Whose weights ship, of seed 0; the others are trained again with the command that the manifest names."""
PLAIN = ("digits10", "scenes100", "scenes-pairs", "scenes-vqa")
SEED_DATASETS = PLAIN[:2]
"""Embedded for other seeds, and for settings that the family alone needs."""
REPHRASED = ("digits10-rephrased", "scenes100-rephrased")
SHIPPED_DATASETS = {
    "random": PLAIN,  # the control has no use for rephrased captions
    "wide": (*PLAIN, *REPHRASED, "scenes-twins"),
    "few-words": ("scenes100", "scenes100-reworded", "scenes-twins"),
}
"""Embedded for seed 0, where it is not the plain and the rephrased ones."""

_CONTENT_LICENCE = "CC-BY-4.0"


def ship_run(run: Path, data: Path) -> None:
    """Copy a finished training run into the data folder and embed the stand-ins with it.

    Parameters
    ----------
    run : folder written by `gapkit.miniclip.training.train`
    data : the data folder

    Raises
    ------
    InputError
        If the run has not finished.
    """
    try:
        curve = json.loads((run / "curve.json").read_text(encoding="utf-8"))
        setting, seed = curve["setting"], curve["seed"]
    except OSError as fault:
        raise InputError(f"{run} holds no finished training run (no curve.json)") from fault
    except (ValueError, KeyError, TypeError) as fault:
        raise InputError(f"{run / 'curve.json'} is not a training curve of gapkit: {fault!r}") from fault
    name = run_name(setting, seed)
    write_text(data / "curves" / f"{name}.json", json.dumps(curve) + "\n")
    if seed == 0 and setting in WEIGHTS:
        folder = data / "models" / name
        for file in ("open_clip_config.json", "open_clip_model.safetensors"):
            if not (run / file).is_file():
                raise InputError(f"{run} holds no finished training run (no {file})")
            write_atomically(folder / file, functools.partial(shutil.copyfile, run / file))
    first = seed == 0 and SETTINGS[setting].everywhere
    datasets = SHIPPED_DATASETS.get(setting, (*PLAIN, *REPHRASED)) if first else SEED_DATASETS
    _embed(f"local-dir:{run}", name, datasets, data)


def ship_control(data: Path) -> None:
    """Embed the stand-ins with the random control, which is rebuilt from its seed."""
    _embed("miniclip-random", "miniclip-random", SHIPPED_DATASETS["random"], data)


def _embed(model_name: str, name: str, datasets: tuple[str, ...], data: Path) -> None:
    model = load_model(model_name)
    for dataset in datasets:
        entries = embed(model, dataset)
        entries = entries.replace(metadata={**entries.metadata, "model": name})
        entries.save(data / "embeddings" / name / f"{dataset}.safetensors", dtype="float16")


def describe(path: str) -> dict[str, str]:
    """Source, licence and regeneration command of a shipped file, from its place alone.

    Parameters
    ----------
    path : such as ``data/curves/miniclip-wide.json``

    Raises
    ------
    InputError
        If no rule covers the path: nothing is shipped without provenance.
    """
    parts = path.split("/")
    kind, name = parts[1], parts[2] if len(parts) > 2 else ""
    name = name.removesuffix(".json")
    setting, _, seed = name.removeprefix("miniclip-").partition("@")
    train = f"gapkit train-miniclip {setting} --seed {seed or 0} --out runs/{setting}-{seed or 0}"
    ship = f"python tools/data.py ship runs/{setting}-{seed or 0}"
    if kind in ("models", "curves"):
        source = "trained from scratch by gapkit on scikit-learn's digits and gapkit's rendered scenes"
        return {"source": source, "licence": _CONTENT_LICENCE, "command": f"{train} && {ship}"}
    if kind == "embeddings":
        control = setting == "random"
        source = f"{parts[3].removesuffix('.safetensors')} embedded with {name}"
        command = "python tools/data.py control" if control else f"{train} && {ship}"
        return {"source": source, "licence": _CONTENT_LICENCE, "command": command}
    if kind == "example_images":
        return {
            "source": "rendered by gapkit",
            "licence": _CONTENT_LICENCE,
            "command": "python tools/example_images.py",
        }
    if kind == "recorded":
        return {
            "source": "measured on published embeddings (gapkit/embeddings/published.toml; MIT), which do not ship",
            "licence": _CONTENT_LICENCE,
            "command": "make results",
        }
    if path == "data/cone_effect.csv":
        return {
            "source": "OpenCLIP architectures with random weights on gapkit's rendered scenes",
            "licence": _CONTENT_LICENCE,
            "command": "python tools/cone_effect.py --architectures ViT-B-32 ViT-B-16 RN50",
        }
    raise InputError(f"{path} has no provenance: say in tools/data.py where it comes from, or remove it")


def quality_table(data: Path) -> str:
    """Markdown: ‖g‖ on scenes100, zero-shot accuracy, and accuracy on each type of four-option question.

    Parameters
    ----------
    data : the data folder; every model with embeddings there gets a row
    """
    lines: list[str] = []
    for folder in sorted((data / "embeddings").iterdir()):
        sets = {path.stem: EmbeddingSet.load(path) for path in sorted(folder.glob("*.safetensors"))}
        row = {"model": folder.name.removeprefix("miniclip-")}
        scenes = sets["scenes100"]
        row["‖g‖"] = f"{np.linalg.norm(gap_vector(scenes.texts, scenes.images)):.2f}"
        row |= {name: f"{_right(sets[name]).mean():.3f}" for name in SEED_DATASETS if name in sets}
        if "scenes-vqa" in sets:
            right, kinds = _right(sets["scenes-vqa"]), np.array(sets["scenes-vqa"].groups)
            row["questions"] = f"{right.mean():.2f}"
            row |= {kind: f"{right[kinds == kind].mean():.2f}" for kind in QUESTION_TYPES}
        names = ["model", "‖g‖", *SEED_DATASETS, "questions", *QUESTION_TYPES]
        lines = lines or [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
        lines.append(f"| {' | '.join(row.get(name, '') for name in names)} |")
    return "\n".join(lines)


def _right(entries: EmbeddingSet) -> np.ndarray:
    given, right = answer(entries)
    return np.asarray(given) == np.asarray(right)


def write_manifest(data: Path) -> Path:
    """List every file under ``data``, with its hash and provenance."""
    files = []
    for path in sorted(p for p in data.rglob("*") if p.is_file()):
        relative = path.relative_to(data).as_posix()
        if relative in (MANIFEST, "README.md") or any(part.startswith(".") for part in path.parts[-2:]):
            continue
        entry = {"path": f"data/{relative}", "bytes": path.stat().st_size, "sha256": sha256_of(path)}
        files.append({**entry, **describe(f"data/{relative}")})
    return write_text(data / MANIFEST, json.dumps({"files": files}, indent=1) + "\n")


def check_manifest(data: Path) -> list[str]:
    """What is wrong with the data folder, one line for each fault; empty if nothing is.

    Parameters
    ----------
    data : the data folder
    """
    listed = read_manifest(data)
    present = {
        f"data/{p.relative_to(data).as_posix()}": p
        for p in data.rglob("*")
        if p.is_file() and p.name not in (MANIFEST, "README.md") and not p.name.startswith(".")
    }
    faults = [f"{path}: listed but missing" for path in listed if path not in present]
    faults += [f"{path}: not listed" for path in present if path not in listed]
    for path, file in present.items():
        if path in listed and sha256_of(file) != listed[path]["sha256"]:
            faults.append(f"{path}: sha256 differs")
    return sorted(faults)


def main(arguments: list[str]) -> int:
    """Do what the first argument says; returns the exit code."""
    parser = argparse.ArgumentParser(description="Rebuild the shipped data and check its manifest.")
    parser.add_argument("task", choices=("ship", "control", "manifest", "quality", "check"))
    parser.add_argument("runs", nargs="*", type=Path, help="for ship: folders of finished training runs")
    given, data = parser.parse_args(arguments), data_folder()
    if (given.task == "ship") != bool(given.runs):
        parser.error("ship takes the folders of finished runs, the others take none")
    if given.task in ("quality", "check"):
        faults = check_manifest(data) if given.task == "check" else []
        fine = "every shipped file is as the manifest says" if given.task == "check" else quality_table(data)
        print("\n".join(faults) or fine)
        return int(bool(faults))
    for run in given.runs:
        ship_run(run, data)
        print(f"shipped {run}", file=sys.stderr)
    if given.task == "control":
        ship_control(data)
    print(write_manifest(data))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except InputError as fault:
        sys.exit(f"tools/data.py: {fault}")
