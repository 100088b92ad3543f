"""Your own photographs: a folder with one subfolder for each class, or a CSV of paths and captions."""

import os
from pathlib import Path

import numpy as np

from gapkit.datasets.caption_tables import read_captions
from gapkit.datasets.captions import fill
from gapkit.datasets.dataset import Dataset
from gapkit.datasets.images import FileImages
from gapkit.errors import InputError

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")


def folder(*, root: str | os.PathLike, template="single") -> Dataset:
    """Zero-shot classification: one subfolder for each class, whose name is the class's.

    Parameters
    ----------
    root : folder with at least two subfolders of images (underscores in their names become spaces)
    template : "single", "ensemble", a text with the gap ``{}``, or several such texts
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise InputError(f"no folder {root}")
    classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and entry.name[0] != ".")
    images = [(label, path) for label, name in enumerate(classes) for path in _images_under(root, name)]
    present = sorted({label for label, _ in images})
    if len(present) < 2:
        raise InputError(
            f"{root} must have at least two subfolders of images, one for each class; found {len(present)}. "
            "For images with captions write a CSV file instead"
        )
    class_names = [classes[label].replace("_", " ") for label in present]
    return Dataset(
        name="folder",
        images=FileImages(root, [path for _, path in images]),
        prompts=fill(template, class_names),
        text_names=class_names,
        task="zero-shot",
        labels=np.searchsorted(present, [label for label, _ in images]),
        notes={"folder": root.name, "template": template if isinstance(template, str) else list(template)},
    )


def captions_csv(
    *,
    root: str | os.PathLike,
    annotations: str | os.PathLike,
    limit: int | None = None,
    encoding: str | None = None,
    quoting: str = "auto",
    image_column: str | None = None,
    caption_column: str | None = None,
) -> Dataset:
    """Pairs of image and caption from a table with a header line.

    Parameters
    ----------
    root : folder the image paths start from
    annotations : path of the table; separated by commas, semicolons, tabs or bars
    limit : take only the first so many images
    encoding, quoting, image_column, caption_column : see `gapkit.datasets.caption_tables.read_captions`
    """
    path = Path(annotations)
    if not path.is_file():
        raise InputError(f"no file {path}")
    rows, notes = read_captions(
        path,
        encoding=encoding,
        quoting=quoting,
        image_column=image_column,
        caption_column=caption_column,
    )
    rows = rows[:limit]
    return Dataset(
        name="csv",
        images=FileImages(root, [image for image, _ in rows]),
        prompts=[caption for _, caption in rows],
        task="pairs",
        notes={"annotations": path.name, **notes},
    )


def _images_under(root: Path, name: str) -> list[str]:
    paths = (
        os.path.join(folder, file)
        for folder, _, files in os.walk(root / name)
        for file in files
        if file.lower().endswith(IMAGE_ENDINGS) and not file.startswith(".")
    )
    return sorted(Path(path).relative_to(root).as_posix() for path in paths)
