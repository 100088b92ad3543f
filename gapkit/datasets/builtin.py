"""Built-in datasets, which need neither a network nor files; they stand for the paper's.

``digits10`` stands for CIFAR-10, ``scenes100`` for CIFAR-100, ``scenes-vqa`` for A-OKVQA; ``scenes-pairs`` is for
retrieval. Test images come from seeds of their own, never used in training.

The digits are the 1,797 handwritten ones that ship with scikit-learn (`sklearn.datasets.load_digits`): the test half of
the UCI "Optical Recognition of Handwritten Digits" set (Alpaydin and Kaynak, 1998; CC BY 4.0), 8 x 8 pixels with 17
grey levels.
"""

import itertools
from dataclasses import replace

import numpy as np
import torch

from gapkit._options import check_choice
from gapkit.datasets import captions as wording
from gapkit.datasets.dataset import Dataset, rephrased
from gapkit.datasets.images import ArrayImages
from gapkit.datasets.scenes import COLOURS, IMAGE_SIZE, SHAPES, Scenes, render, sample_scenes

PER_CLASS = 5
PAIRS = 300
GALLERIES, GALLERY_SCENES, TWINS = 24, 20, 4
"""Of scenes-twins: galleries, the scenes of each, and the near-twins of each scene's caption."""
_SEEDS = {"scenes100": 100_001, "scenes-pairs": 100_002, "scenes-vqa": 100_003, "scenes-twins": 100_004}
QUESTION_TYPES = ("left-shape", "right-shape", "colour", "which-object")

TEST_SHARE = 0.2
"""Share of the digits held out for testing; the split is stratified and fixed."""


def digits10(*, split: str = "test", template: str | None = None) -> Dataset:
    """Zero-shot classification of real handwritten digits: 360 images, 10 classes.

    Parameters
    ----------
    split : "test" or "train"
    template : a text with the gap ``{digit}``; the first of `DIGIT_TEMPLATES` when left out
    """
    check_choice(split, "split", ("train", "test"))
    images, labels = load_digits10(split)
    template = template or wording.DIGIT_TEMPLATES[0]
    notes = {"split": split, "template": template}
    facts = {"labels": labels, "text_names": wording.DIGIT_NAMES, "notes": notes}
    return Dataset("digits10", ArrayImages(images), _digit_prompts(template), task="zero-shot", **facts)


def scenes100(*, template: str | None = None, synonyms: bool = False) -> Dataset:
    """Zero-shot classification of rendered objects: 10 shapes x 10 colours, five images of each.

    Parameters
    ----------
    template : a text with the gap ``{object}`` or ``{a_object}``; the first of `SCENE_TEMPLATES` when left out
    synonyms : use the rarer word wherever a shape or colour has one
    """
    template = template or wording.SCENE_TEMPLATES[0]
    labels = np.tile(np.arange(100), PER_CLASS)
    rng = np.random.default_rng(_SEEDS["scenes100"])
    scenes = sample_scenes(rng, np.ones_like(labels), shape=labels // 10, colour=labels % 10)
    prompts, notes = _scene_prompts(template, synonyms), {"template": template, "synonyms": synonyms}
    facts = {"labels": labels, "text_names": wording.SCENE_CLASS_NAMES, "notes": notes}
    return Dataset("scenes100", ArrayImages(render(scenes)), prompts, task="zero-shot", **facts)


def digits10_rephrased() -> Dataset:
    """digits10 with one block of ten texts for each template; see `scenes100_rephrased`."""
    templates = (wording.DIGIT_TEMPLATES[0], *wording.DIGIT_HELD_OUT)
    return rephrased(digits10(), [_digit_prompts(template) for template in templates], templates)


def scenes100_rephrased() -> Dataset:
    """scenes100 with one block of 100 texts for each way to say it: the zero-shot template, those held out
    of training, and the zero-shot template with synonyms.

    The gallery has the classes in the first template as rows 0–99, in the second as rows 100–199, and so
    on; ``notes["templates"]`` lists template, whether it was held out, and whether synonyms were used, in
    the order of the blocks. Labels point into the first block.
    """
    templates = (wording.SCENE_TEMPLATES[0], *wording.SCENE_HELD_OUT, wording.SCENE_TEMPLATES[0])
    last = len(templates) - 1
    prompts = [_scene_prompts(template, synonyms=i == last) for i, template in enumerate(templates)]
    return rephrased(scenes100(), prompts, templates, synonyms=last)


def scenes100_reworded() -> Dataset:
    """scenes100 as people might say it: the zero-shot template, then `REWORDINGS`, a block of 100 texts each."""
    templates = (wording.SCENE_TEMPLATES[0], *wording.REWORDINGS)
    prompts = [_scene_prompts(template, synonyms=False) for template in templates]
    return replace(rephrased(scenes100(), prompts, templates), name="scenes100-reworded")


def scenes_twins() -> Dataset:
    """Near-twins: 24 galleries of 100 captions each, for 20 two-object scenes; every scene's caption has four twins
    in its gallery, which differ from it in one colour, shape, size or side.

    The galleries' captions lie one gallery after the other, the scenes too; ``notes["galleries"]`` says how many there are.
    """
    rng = np.random.default_rng(_SEEDS["scenes-twins"])
    scenes = _distinct(sample_scenes(rng, np.full(3 * GALLERIES * GALLERY_SCENES, 2)))
    drawn = wording.twin_captions(scenes, rng, twins=TWINS)
    galleries: list[list[str]] = [[] for _ in range(GALLERIES)]
    rows: list[list[int]] = [[] for _ in range(GALLERIES)]
    for row, captions in enumerate(drawn):  # into the first gallery with room that has none of these captions
        for texts, members in zip(galleries, rows, strict=True):
            if len(members) < GALLERY_SCENES and len({*texts, *captions}) == len(texts) + len(captions):
                texts += captions
                members.append(row)
                break
    images, prompts = ArrayImages(render(scenes[np.concatenate(rows)])), list(itertools.chain(*galleries))
    labels, notes = np.arange(GALLERIES * GALLERY_SCENES) * (1 + TWINS), {"galleries": GALLERIES}
    return Dataset("scenes-twins", images, prompts, task="zero-shot", labels=labels, notes=notes)


def scenes_pairs() -> Dataset:
    """Retrieval: 300 two-object scenes, no two with the same objects, and their full captions."""
    rng = np.random.default_rng(_SEEDS["scenes-pairs"])
    scenes = _distinct(sample_scenes(rng, np.full(2 * PAIRS, 2)))[:PAIRS]
    captions = wording.scene_captions(scenes, rng, full=True)
    return Dataset("scenes-pairs", ArrayImages(render(scenes)), captions, task="pairs")


def scenes_vqa() -> Dataset:
    """Multiple choice: 300 two-object scenes, each with one question of each of `QUESTION_TYPES`.

    The wrong options of the first three types are drawn from all other shapes or colours, so every third
    question offers what the other object has. "which-object" always offers the asked object in the other
    one's colour: it can't be answered without binding colours to shapes.
    """
    rng = np.random.default_rng(_SEEDS["scenes-vqa"])
    scenes = sample_scenes(rng, np.full(PAIRS, 2))
    asked = list(itertools.product(range(PAIRS), QUESTION_TYPES))
    rows, kinds = zip(*asked, strict=True)
    offers, answers = zip(*(_question(scenes, row, kind, rng) for row, kind in asked), strict=True)
    texts = sorted({text for offered in offers for text in offered})
    place = {text: row for row, text in enumerate(texts)}
    options = np.array([[place[text] for text in offered] for offered in offers])
    facts = {"options": options, "answers": np.array(answers), "image_rows": np.array(rows), "groups": kinds}
    return Dataset("scenes-vqa", ArrayImages(render(scenes)), texts, task="multiple-choice", **facts)


def _digit_prompts(template: str) -> list[str]:
    return [wording.fill_digit(template, name) for name in wording.DIGIT_NAMES]


def _scene_prompts(template: str, synonyms: bool) -> list[str]:
    prompts = [wording.fill_scene(template, name) for name in wording.SCENE_CLASS_NAMES]
    return [wording.with_synonyms(prompt) for prompt in prompts] if synonyms else prompts


def _distinct(scenes: Scenes) -> Scenes:
    """The scenes whose two objects have not both been seen before, in whichever order."""
    both = np.sort(10 * scenes.shape + scenes.colour, axis=1)
    return scenes[np.sort(np.unique(both, axis=0, return_index=True)[1])]


def _question(scenes: Scenes, row: int, kind: str, rng: np.random.Generator) -> tuple[list[str], int]:
    """Four shuffled options, and the position of the right one."""
    shapes, colours = scenes.shape[row], scenes.colour[row]
    asked = {"left-shape": 0, "right-shape": 1}.get(kind, int(rng.integers(2)))
    shape, colour = shapes[asked], colours[asked]
    other_shapes = rng.permutation(np.setdiff1d(np.arange(len(SHAPES)), shape))
    other_colours = rng.permutation(np.setdiff1d(np.arange(len(COLOURS)), colour))
    words = tuple(COLOURS)
    if kind in ("left-shape", "right-shape"):
        side = kind.removesuffix("-shape")
        offered = [f"{wording.with_article(SHAPES[s])} on the {side}" for s in (shape, *other_shapes[:3])]
    elif kind == "colour":
        offered = [f"the {SHAPES[shape]} is {words[c]}" for c in (colour, *other_colours[:3])]
    else:
        absent_colours = [new for new in other_colours if new not in colours][:2]
        absent_shapes = [new for new in other_shapes if new not in shapes][:2]
        objects = [(colour, shape), (colours[1 - asked], shape)]
        objects += zip(absent_colours, absent_shapes, strict=True)
        offered = [wording.with_article(f"{words[c]} {SHAPES[s]}") for c, s in objects]
    order = rng.permutation(4)
    return [offered[i] for i in order], int(np.flatnonzero(order == 0)[0])


def load_digits10(split: str, *, size: int = IMAGE_SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of one split.

    Parameters
    ----------
    split : "train" (1,437 digits) or "test" (360)
    size : int, width and height in pixels

    Returns
    -------
    images : (n, size, size, 3) uint8
    labels : (n,) int64, the digit
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits, labels = load_digits(return_X_y=True)
    rows = train_test_split(np.arange(len(labels)), test_size=TEST_SHARE, stratify=labels, random_state=0)
    rows = np.sort(rows[{"train": 0, "test": 1}[split]])
    return enlarge(digits[rows].reshape(-1, 8, 8) / 16, size=size), labels[rows].astype(np.int64)


def enlarge(grey: np.ndarray, *, size: int = IMAGE_SIZE) -> np.ndarray:
    """Enlarge (n, 8, 8) grey images in [0, 1] to (n, size, size, 3) uint8 by bilinear interpolation.

    >>> enlarge(np.ones((2, 8, 8))).shape
    (2, 64, 64, 3)
    """
    pixels = torch.from_numpy(grey)[:, None]
    large = torch.nn.functional.interpolate(pixels, size=(size, size), mode="bilinear")[:, 0].numpy()
    grey8 = (np.clip(large, 0, 1) * 255 + 0.5).astype(np.uint8)
    return np.repeat(grey8[..., None], 3, axis=-1)
