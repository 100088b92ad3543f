"""``gapkit train-miniclip``."""

import time
from pathlib import Path

import click

A_PATH = click.Path(path_type=Path)
A_COUNT = click.IntRange(min=1)


@click.command("train-miniclip")
@click.argument("name")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="Seed of the initial weights.")  # fmt: skip
@click.option("--out", type=A_PATH, default=None, help="Folder to write [default: runs/NAME-SEED].")
@click.option("--steps", type=click.IntRange(min=0), default=None,
              help="Gradient steps [default: the setting's].")  # fmt: skip
@click.option("--threads", type=A_COUNT, default=1, show_default=True,
              help="Threads for torch; one is often fastest.")  # fmt: skip
def train_miniclip(name: str, seed: int, out: Path | None, steps: int | None, threads: int) -> None:
    """Train the mini-CLIP called NAME (wide, t0.01, learned, siglip) and save it in OpenCLIP's format.

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
        click.echo(
            f"{time.monotonic() - started:6.0f} s  step {step:5d}  loss {row['loss']:.3f}  "
            f"accuracy {row['accuracy']:.3f}  gap {row['gap']:.3f}  temperature {row['temperature']:.4g}",
            err=True,
        )

    folder = train(
        name, seed=seed, out=out or Path("runs") / f"{name}-{seed}", steps=steps, progress=progress
    )
    click.echo(folder)
