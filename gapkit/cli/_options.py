"""Options that several commands share: which data, and how they are embedded."""

from pathlib import Path

import click

_OPTIONS = (
    click.option(
        "--root", type=click.Path(path_type=Path), help="Folder of the dataset's images or archive."
    ),
    click.option(
        "--annotations", type=click.Path(path_type=Path), help="Annotation file: JSON (coco, aokvqa) or CSV."
    ),
    click.option("--split", help="train or test, where the dataset has both."),
    click.option("--template", help="Prompt template, or: single, ensemble."),
    click.option(
        "--limit", type=click.IntRange(min=1), help="Only the first so many entries (coco, aokvqa, csv)."
    ),
    click.option("--download", is_flag=True, help="Fetch the dataset if it is not there (CIFAR)."),
    click.option("--device", default="auto", show_default=True, help="cpu, cuda, mps, or auto."),
    click.option(
        "--precision", default="auto", show_default=True, help="float32, float16, bfloat16, or auto."
    ),
    click.option(
        "--batch-size", type=click.IntRange(min=1), default=64, show_default=True, help="Images in a batch."
    ),
    click.option(
        "--workers",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Processes that read images.",
    ),
    click.option(
        "--skip-unreadable", is_flag=True, help="Leave out images that cannot be read, and list them."
    ),
)
_HOW = ("device", "precision", "batch_size", "workers", "skip_unreadable")


def embedding_options(command):
    """Give a command the options of a dataset and of embedding it; it receives them as keyword arguments."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def split_options(options: dict) -> tuple[str, dict, dict]:
    """What `embedding_options` gave, as the device, the options of `gapkit.embed`, and those of the dataset."""
    how = {name: options[name] for name in _HOW}
    device, skip = how.pop("device"), how.pop("skip_unreadable")
    data = {name: value for name, value in options.items() if name not in _HOW and value not in (None, False)}
    return device, {**how, "on_error": "skip" if skip else "raise"}, data
