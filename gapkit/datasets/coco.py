"""COCO's images: captions for retrieval (Lin et al. 2014; Chen et al. 2015), and A-OKVQA's four-option questions
(Schwenk et al. 2022) as multiple choice.

The annotation files are other people's: every fault names the file and the entry.
"""

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from gapkit._files import read_json
from gapkit.datasets.caption_tables import first_of, grouped
from gapkit.datasets.dataset import Dataset
from gapkit.datasets.images import FileImages, inner_path
from gapkit.errors import InputError

AOKVQA_TEMPLATE = "{question} {choice}"
_KINDS = {int: "a whole number", str: "a text", list: "a list", dict: "an object"}


def coco(
    *,
    root: str | os.PathLike,
    annotations: str | os.PathLike,
    limit: int | None = None,
    captions: str = "all",
) -> Dataset:
    """Images and their captions, in the annotation file's order; captions by their ids.

    Parameters
    ----------
    root : folder of the images, such as ``val2017``
    annotations : path of ``captions_val2017.json``
    limit : take only the first so many images
    captions : "all", of which any is right; "first", the one with the lowest id; or "longest"

    Raises
    ------
    InputError
        If the annotation file is damaged or a path in it leads out of ``root``.
    """
    path = Path(annotations)
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path} is not a COCO caption file: it holds no object")
    written: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for number, record in enumerate(_records(content.get("annotations"), f"{path}: annotations")):
        where = f"{path}: annotation {number}"
        text = _entry(record, "caption", str, where).strip()
        image, number = _entry(record, "image_id", int, where), _entry(record, "id", int, where)
        if text:
            written[image].append((number, text))
    described: dict[str, list[str]] = defaultdict(list)
    bare, taken = [], set()
    for number, record in enumerate(_records(content.get("images"), f"{path}: images")):
        where = f"{path}: image {number}"
        name = inner_path(_entry(record, "file_name", str, where), where)
        image = _entry(record, "id", int, where)
        if image in taken:
            raise InputError(f"{where} has the id {image} of another image")
        if image not in written:
            bare.append(name)
            continue
        taken.add(image)
        described[name] += [text for _, text in sorted(written[image])]
    if not described:
        raise InputError(f"{path} has no image with a caption")
    kept = first_of(list(described.items()), limit)
    fields, said = grouped(path.name, kept, captions)
    if bare:
        images = "1 image" if len(bare) == 1 else f"{len(bare)} images"
        said += [f"left out of {path.name}, {images} without a caption: {', '.join(sorted(bare)[:5])}"]
    if lost := sum(len(texts) for image, texts in written.items() if image not in taken):
        said += [f"left out of {path.name}, {lost} captions of images that it does not list"]
    notes = {"annotations": path.name, "captions": captions} | ({"said": said} if said else {})
    return Dataset("coco", FileImages(root, [name for name, _ in kept]), **fields, notes=notes)


def aokvqa(
    *,
    root: str | os.PathLike,
    annotations: str | os.PathLike,
    template: str = AOKVQA_TEMPLATE,
    limit: int | None = None,
) -> Dataset:
    """Questions with their options; each option becomes one text of the gallery.

    Parameters
    ----------
    root : folder of the COCO images, or the one that holds ``train2017`` and ``val2017``
    annotations : path of ``aokvqa_v1p0_val.json`` (the test split has no answers)
    template : a text with the gap ``{choice}`` and, if wanted, ``{question}``
    limit : take only the first so many questions

    Raises
    ------
    InputError
        If the annotation file is damaged, or its questions have no answers.
    """
    if not isinstance(template, str) or "{choice}" not in template:
        raise InputError(f"the template needs the gap {{choice}}; got {template!r}")
    path = Path(annotations)
    records = first_of(_records(read_json(path), str(path)), limit)
    places: dict[str, int] = {}
    rows: dict[str, int] = {}
    options, answers, image_rows = [], [], []
    for number, record in enumerate(records):
        where = f"{path}: question {number}"
        question = _entry(record, "question", str, where).strip()
        choices = _entry(record, "choices", list, where)
        if not all(isinstance(choice, str) for choice in choices) or not choices:
            raise InputError(f"{where}: 'choices' must be a list of texts")
        if record.get("correct_choice_idx") is None:
            raise InputError(f"{where} has no answer; use train or val, the test split keeps them secret")
        if options and len(choices) != len(options[0]):
            raise InputError(f"{where} offers {len(choices)} choices, the first question {len(options[0])}")
        asked = template.replace("{question}", question)
        texts = [asked.replace("{choice}", choice.strip()) for choice in choices]
        first: dict[str, str] = {}  # options that are equal but for capitals and spaces are one text
        texts = [first.setdefault(" ".join(text.casefold().split()), text) for text in texts]
        options.append([rows.setdefault(text, len(rows)) for text in texts])
        answers.append(_entry(record, "correct_choice_idx", int, where))
        name = _file_name(Path(root), record, where)
        image_rows.append(places.setdefault(name, len(places)))
    facts = {"options": options, "answers": answers, "image_rows": image_rows}
    images, notes = FileImages(root, list(places)), {"annotations": path.name, "template": template}
    return Dataset("aokvqa", images, list(rows), "multiple-choice", **facts, notes=notes)


def _file_name(root: Path, record: dict, where: str) -> str:
    name, split = f"{_entry(record, 'image_id', int, where):012d}.jpg", record.get("split")
    folder = f"{split}2017" if split in ("train", "val", "test") else "val2017"
    return f"{folder}/{name}" if (root / folder).is_dir() else name


def _records(value: Any, where: str) -> list[dict]:
    """``value`` if it is a non-empty list of objects."""
    if not isinstance(value, list) or not value or not all(isinstance(record, dict) for record in value):
        raise InputError(f"{where} must be a non-empty list of objects")
    return value


def _entry(record: dict, key: str, kind: type, where: str) -> Any:
    """``record[key]``, if it is of ``kind``."""
    value = record.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{where}: {key!r} must be {_KINDS[kind]}; got {str(value)[:60]!r}")
    return value
