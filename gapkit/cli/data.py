"""How the shipped data is made: ``gapkit train-miniclip`` and ``gapkit data``."""

import time
from pathlib import Path

import click


@click.group("data")
def data() -> None:
    """Rebuild the shipped data and check its manifest."""


def _folder() -> Path:
    from gapkit._paths import data_folder

    return data_folder()


@data.command("ship")
@click.argument(
    "runs", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
def ship(runs: tuple[Path, ...]) -> None:
    """Copy finished training runs into the data folder and embed the stand-in datasets with them."""
    from gapkit.shipping import ship_run, write_manifest

    for run in runs:
        ship_run(run, _folder())
        click.echo(f"shipped {run}", err=True)
    click.echo(write_manifest(_folder()))


@data.command("control")
def control() -> None:
    """Embed the stand-in datasets with the random control, rebuilt from its seed."""
    from gapkit.shipping import ship_control, write_manifest

    ship_control(_folder())
    click.echo(write_manifest(_folder()))


@data.command("manifest")
def manifest() -> None:
    """Rewrite the manifest from the files that are there."""
    from gapkit.shipping import write_manifest

    click.echo(write_manifest(_folder()))


@data.command("quality")
def quality() -> None:
    """Print how good the shipped models are, as a Markdown table."""
    from gapkit.shipping import quality_table

    click.echo(quality_table(_folder()))


@data.command("check")
def check() -> int:
    """Compare the data folder with its manifest; exit code 1 if they differ."""
    from gapkit.shipping import check_manifest

    faults = check_manifest(_folder())
    for fault in faults:
        click.echo(fault)
    if not faults:
        click.echo("every shipped file is as the manifest says")
    return 1 if faults else 0


@click.command("train-miniclip")
@click.argument("name")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the initial weights."
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="Folder to write [default: runs/NAME-SEED]."
)
@click.option(
    "--steps", type=click.IntRange(min=0), default=None, help="Gradient steps [default: the setting's]."
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Threads for torch; one is often fastest.",
)
def train_miniclip(name: str, seed: int, out: Path | None, steps: int | None, threads: int) -> None:
    """Train the mini-CLIP called NAME (wide, t0.01, learned, siglip) and save it in OpenCLIP's format.

    Run it again after an interruption and it goes on from the last checkpoint.
    """
    import torch

    from gapkit._arrays import check_choice
    from gapkit.miniclip import SETTINGS
    from gapkit.miniclip.training import train

    check_choice(name, "NAME", SETTINGS)
    torch.set_num_threads(threads)
    started = time.monotonic()

    def progress(step: int, row: dict) -> None:
        click.echo(
            f"{time.monotonic() - started:6.0f} s  step {step:5d}  loss {row['loss']:.3f}  "
            f"accuracy {row['accuracy']:.3f}  gap {row['gap']:.3f}  temperature {row['temperature']:.4g}",
            err=True,
        )

    folder = train(
        name, seed=seed, out=out or Path("runs") / f"{name}-{seed}", steps=steps, progress=progress
    )
    click.echo(folder)
