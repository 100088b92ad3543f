"""What there is, and how to make a mini-CLIP: ``gapkit info``, ``gapkit models`` and ``gapkit train-miniclip``."""

import json
import platform
import sys
import textwrap
import time
from pathlib import Path

import click

import gapkit
from gapkit._format import version_of
from gapkit.cli.main import A_COUNT, A_NUMBER, A_PATH

PACKAGES = ["torch", "torchvision", "open_clip_torch", "transformers", "numpy", "safetensors"]
PACKAGES += ["faiss-cpu", "pyarrow"]  # optional


@click.command("info")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(as_json):
    """Show versions, folders and what is available."""
    facts = collect()
    if as_json:
        click.echo(json.dumps(facts, indent=1))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        words = ", ".join(value) if isinstance(value, list) else value
        fold = textwrap.TextWrapper(80, subsequent_indent=" " * (width + 2))
        fold.break_long_words = fold.break_on_hyphens = False  # a name or a path stays in one piece
        click.echo(fold.fill(f"{name:<{width}}  {words}"))


def collect() -> dict:
    """Everything a report of a fault should contain, and nothing personal but folders."""
    import torch

    from gapkit._paths import cache_folder, shipped_source
    from gapkit.datasets import list_datasets
    from gapkit.embeddings import list_embeddings, published_sets
    from gapkit.encoders.hub import hub_cache
    from gapkit.errors import InputError

    try:
        data = shipped_source()
    except InputError as fault:
        data = f"none: {fault}"
    devices = ["cpu"]
    devices += [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    devices += ["mps"] if torch.backends.mps.is_available() else []
    return {
        "gapkit": gapkit.__version__,
        "python": f"{sys.version.split()[0]} on {platform.platform()}",
        **{name: version_of(name) for name in PACKAGES},
        "devices": devices,
        "threads": str(torch.get_num_threads()),
        "data": data,
        "cache": str(cache_folder()),
        "hub cache": str(hub_cache()),
        "embeddings": list_embeddings(),
        "published embeddings": [
            f"{name} ({'in the cache' if entry.cached else 'not in the cache'})"
            for name, entry in published_sets().items()
        ],
        "datasets": list_datasets(),
    }


@click.command("models")
@click.option("--all", "every", is_flag=True, help="Every published model of OpenCLIP, not only short names.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def models(every, as_json):
    """List models, their sizes, and what is in the cache."""
    from gapkit.encoders import available_models

    rows = available_models(every=every)
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    width = {key: max(len(row[key]) for row in rows) for key in ("name", "source")}
    click.echo(f"{'name':<{width['name']}}  {'weights':<{width['source']}}  {'MB':>6}  here  what it is")
    for row in rows:
        size = f"{row['megabytes']:,.0f}" if row["megabytes"] else ""
        facts = f"{size:>6}  {'yes' if row['here'] else 'no':<4}  {row['about']}".rstrip()
        click.echo(f"{row['name']:<{width['name']}}  {row['source']:<{width['source']}}  {facts}")


@click.command("train-miniclip")
@click.argument("name")
@click.option("--seed", type=A_NUMBER, default=0, show_default=True, help="Seed of the initial weights.")
@click.option("--out", type=A_PATH, help="Folder to write [default: runs/NAME-SEED].")
@click.option("--steps", type=A_NUMBER, help="Gradient steps [default: the setting's].")
@click.option("--threads", type=A_COUNT, default=1, show_default=True, help="Of torch; one is often fastest.")
def train_miniclip(name: str, seed: int, out: Path | None, steps: int | None, threads: int) -> None:
    """Train the mini-CLIP called NAME, such as wide or few-words (gapkit models lists all), in OpenCLIP's format.

    Run it again after an interruption and it goes on from the last checkpoint.
    """
    import torch

    from gapkit._options import check_choice
    from gapkit.miniclip import SETTINGS
    from gapkit.miniclip.training import train

    check_choice(name, "NAME", SETTINGS)
    torch.set_num_threads(threads)
    started = time.monotonic()

    def progress(step: int, row: dict) -> None:
        values = "  ".join(f"{key} {row[key]:.3f}" for key in ("loss", "accuracy", "gap"))
        spent, temperature = time.monotonic() - started, f"temperature {row['temperature']:.4g}"
        click.echo(f"{spent:6.0f} s  step {step:5d}  {values}  {temperature}", err=True)

    out = out or Path("runs") / f"{name}-{seed}"
    click.echo(train(name, seed=seed, out=out, steps=steps, progress=progress))
