"""A-OKVQA (Schwenk et al. 2022): four-option questions about COCO images, as multiple choice."""

from pathlib import Path

from gapkit.datasets.base import Dataset
from gapkit.datasets.images import FileImages
from gapkit.datasets.records import entry, read_json, records_of
from gapkit.errors import InputError

TEMPLATE = "{question} {choice}"


def aokvqa(*, root, annotations, template: str = TEMPLATE, limit: int | None = None) -> Dataset:
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
    records = records_of(read_json(path), str(path))[:limit]
    places: dict[str, int] = {}
    rows: dict[str, int] = {}
    options, answers, image_rows = [], [], []
    for number, record in enumerate(records):
        where = f"{path}: question {number}"
        question = entry(record, "question", str, where).strip()
        choices = entry(record, "choices", list, where)
        if not all(isinstance(choice, str) for choice in choices) or not choices:
            raise InputError(f"{where}: 'choices' must be a list of texts")
        if record.get("correct_choice_idx") is None:
            raise InputError(
                f"{where} has no answer; use the train or val split, the test split keeps them secret"
            )
        if options and len(choices) != len(options[0]):
            raise InputError(f"{where} offers {len(choices)} choices, the first question {len(options[0])}")
        texts = [
            template.replace("{question}", question).replace("{choice}", choice.strip()) for choice in choices
        ]
        options.append([rows.setdefault(text, len(rows)) for text in texts])
        answers.append(entry(record, "correct_choice_idx", int, where))
        name = _file_name(Path(root), record, where)
        image_rows.append(places.setdefault(name, len(places)))
    return Dataset(
        name="aokvqa",
        images=FileImages(root, list(places)),
        prompts=list(rows),
        task="multiple-choice",
        options=options,
        answers=answers,
        image_rows=image_rows,
        notes={"annotations": path.name, "template": template},
    )


def _file_name(root: Path, record: dict, where: str) -> str:
    name = f"{entry(record, 'image_id', int, where):012d}.jpg"
    split = record.get("split", "val")
    folder = f"{split}2017" if split in ("train", "val", "test") else "val2017"
    return f"{folder}/{name}" if (root / folder).is_dir() else name
