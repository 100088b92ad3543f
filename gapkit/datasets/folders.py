"""Your own photographs: a folder with one subfolder for each class, or a CSV of paths and captions."""

import csv
import os
from pathlib import Path

import numpy as np

from gapkit.datasets.captions import fill
from gapkit.datasets.dataset import Dataset
from gapkit.datasets.images import FileImages, inner_path
from gapkit.errors import InputError

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
IMAGE_COLUMNS = ("image", "path", "file", "filename", "file_name", "filepath", "image_path")
CAPTION_COLUMNS = ("caption", "text", "title", "description", "sentence")


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
    *, root: str | os.PathLike, annotations: str | os.PathLike, limit: int | None = None
) -> Dataset:
    """Pairs of image and caption from a CSV file with a header line.

    Parameters
    ----------
    root : folder the image paths start from
    annotations : path of the CSV; separated by commas, semicolons or tabs, in UTF-8. Its columns are called
        one of `IMAGE_COLUMNS` and one of `CAPTION_COLUMNS`
    limit : take only the first so many rows
    """
    path = Path(annotations)
    if not path.is_file():
        raise InputError(f"no file {path}")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(_rows(file, path, limit))
    except UnicodeDecodeError as fault:
        raise InputError(
            f"{path} is not in UTF-8 (byte {fault.start}); save it again as CSV UTF-8"
        ) from fault
    except (csv.Error, OSError) as fault:
        raise InputError(f"{path} is no readable CSV: {fault}") from fault
    if not rows:
        raise InputError(f"{path} has no rows below its header")
    return Dataset(
        name="csv",
        images=FileImages(root, [image for image, _ in rows]),
        prompts=[caption for _, caption in rows],
        task="pairs",
        notes={"annotations": path.name},
    )


def _rows(file, path: Path, limit: int | None):
    header = file.readline()
    separator = max(",;\t", key=header.count)
    columns = [name.strip().strip('"').lower() for name in header.rstrip("\r\n").split(separator)]
    image, caption = _column(columns, IMAGE_COLUMNS, path), _column(columns, CAPTION_COLUMNS, path)
    for number, row in enumerate(csv.reader(file, delimiter=separator), start=2):
        if limit is not None and number - 2 >= limit:
            return
        if not any(cell.strip() for cell in row):
            continue
        where = f"{path}, line {number}"
        if len(row) <= max(image, caption) or not row[caption].strip():
            raise InputError(f"{where} has no caption")
        yield inner_path(row[image].strip(), where), row[caption].strip()


def _column(columns: list[str], known: tuple[str, ...], path: Path) -> int:
    for name in known:
        if name in columns:
            return columns.index(name)
    raise InputError(
        f"{path} has no column {' or '.join(known[:3])}; its first line says: {', '.join(columns)[:120]}"
    )


def _images_under(root: Path, name: str) -> list[str]:
    paths = (
        os.path.join(folder, file)
        for folder, _, files in os.walk(root / name)
        for file in files
        if file.lower().endswith(IMAGE_ENDINGS) and not file.startswith(".")
    )
    return sorted(Path(path).relative_to(root).as_posix() for path in paths)
