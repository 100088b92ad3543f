"""`Dataset`: images, the texts they are compared with, and which text is right."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gapkit.datasets.images import has_hashes
from gapkit.errors import InputError, refusing
from gapkit.tasks.answers import INDICES, check_answers

FORMAT = 1
"""Part of every fingerprint; raise it when the same files would be read differently."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """The images and texts that a model embeds.

    Parameters
    ----------
    name : such as "cifar10"
    images : sequence of PIL images with ``names`` and ``fingerprint()``, as in `gapkit.datasets.images`. Of `ArrayImages`
        and `FileImages` every image that is embedded is compared with its hash; of a class of one's own the
        fingerprint is taken again at the end
    prompts : for each row of the gallery one text, or several whose embeddings are averaged
    task, labels, options, answers, image_rows, image_of_text : see `gapkit.tasks.answers`
    groups : one string for each question ("multiple-choice") or image
    text_names : what each gallery row is; the first prompt when left out
    notes : plain values worth keeping with the embeddings, such as the template

    Raises
    ------
    InputError
        If texts are missing or an answer points nowhere.
    """

    name: str
    images: Sequence
    prompts: Any
    task: str
    labels: Any = None
    options: Any = None
    answers: Any = None
    image_rows: Any = None
    image_of_text: Any = None
    groups: Sequence[str] | np.ndarray | None = None
    text_names: Sequence[str] | np.ndarray | None = None
    notes: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        prompts = tuple((row,) if isinstance(row, str) else tuple(row) for row in self.prompts)
        if not prompts or not all(row and all(isinstance(text, str) for text in row) for row in prompts):
            raise InputError(f"dataset {self.name}: every row of prompts needs at least one text")
        if not hasattr(self.images, "names"):
            say = "have names and fingerprint(), as FileImages of files and ArrayImages of pixels"
            raise InputError(f"dataset {self.name}: images must {say}")
        names = tuple(row[0] for row in prompts) if self.text_names is None else tuple(self.text_names)
        groups = None if self.groups is None else tuple(map(str, self.groups))
        answers = {name: getattr(self, name) for name in INDICES}
        object.__setattr__(self, "image_of_text", None)  # unless it is another than 0, 1, 2, …
        with refusing(InputError, before=f"dataset {self.name}: "):
            answers = check_answers(self.task, images=len(self.images), texts=len(prompts), **answers)
        asked = len(self.images) if self.task != "multiple-choice" else len(answers["options"])
        for key, value, count in (("text_names", names, len(prompts)), ("groups", groups, asked)):
            if value is not None and len(value) != count:
                raise InputError(f"dataset {self.name}: {key} must have {count} entries; got {len(value)}")
        for key, value in {"groups": groups, "prompts": prompts, "text_names": names, **answers}.items():
            object.__setattr__(self, key, value)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"Dataset({self.name}, {self.task}: {len(self.images)} images, {len(self.prompts)} texts)"

    def fingerprint(self) -> str:
        """A hash of everything that embeddings of this dataset depend on, answers included."""
        return self.hashes()[0]

    def hashes(self) -> tuple[str, list[str] | None]:
        """The fingerprint, and the hash of each image, taken in one go; None where the images have none."""
        images = self.images.hashes() if has_hashes(self.images) else (self.images.fingerprint(), None)
        plain = ("name", "task", "prompts", "text_names", "groups", "notes")
        facts = {"format": FORMAT, "images": images[0]} | {name: getattr(self, name) for name in plain}
        for name in INDICES:
            value = getattr(self, name)
            if value is not None or name != "image_of_text":  # of which older fingerprints did not know
                facts[name] = None if value is None else np.asarray(value).tolist()
        with refusing(TypeError, before=f"dataset {self.name}: notes must be plain values: "):
            return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest(), images[1]


def rephrased(
    plain: Dataset,
    blocks: Sequence[Sequence],
    templates: Sequence[str],
    *,
    synonyms: int | None = None,
    notes: dict | None = None,
) -> Dataset:
    """A zero-shot dataset whose classes stand in the gallery once for each template, one block of texts after the other.

    Labels point into the first block. ``notes["templates"]`` lists template, whether it was held out (all but the first
    and that of the synonyms), and whether synonyms were used, in the order of the blocks.

    Parameters
    ----------
    plain : the dataset in the first, familiar words
    blocks : for each template the prompts of all classes
    templates : their templates
    synonyms : which block uses synonyms
    notes : others, to be kept
    """
    about = [
        {"template": template, "held_out": i > 0 and i != synonyms, "synonyms": i == synonyms}
        for i, template in enumerate(templates)
    ]
    prompts, kept = [prompt for block in blocks for prompt in block], {**(notes or {}), "templates": about}
    return replace(plain, name=f"{plain.name}-rephrased", prompts=prompts, text_names=None, notes=kept)
