"""Templates and captions: for photographs, for the built-in datasets, for training and for rephrasing.

A template for photographs has the gap ``{}``; `SINGLE` and `ENSEMBLE` are those of Radford et al. 2021 for CIFAR (their
published prompts, whose articles are never adapted: "a airplane"), so that accuracies can be compared with published
ones. Templates of the built-in datasets have named gaps, such as ``"a photo of {a_object}"``. Those called held out are
never used in training: the rephrasing experiment asks how answers change when a familiar template is replaced by one of
them.
"""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gapkit.datasets.scenes import COLOURS, SHAPES, Scenes
from gapkit.errors import InputError

_TEXTS = tomllib.loads(Path(__file__).with_name("captions.toml").read_text(encoding="utf-8"))

SINGLE = "a photo of a {}."

ENSEMBLE = tuple(_TEXTS["ensemble"])
"""Eighteen prompts whose embeddings are averaged."""

REPHRASINGS = tuple(_TEXTS["rephrasings"])
"""Ways to say the same, for the rephrasing experiment; the first is the familiar one."""

CIFAR10_NAMES = tuple(_TEXTS["cifar10_names"])
"""In label order, as the data set's own ``batches.meta`` has them."""

DIGIT_NAMES = tuple(_TEXTS["digit_names"])
"""Class names of digits10, in label order."""

SCENE_CLASS_NAMES = tuple(f"{colour} {shape}" for shape in SHAPES for colour in COLOURS)
"""Class names of scenes100: the label is ``10 * shape + colour``."""

SCENE_TEMPLATES = tuple(_TEXTS["scene_templates"])
"""Training templates for one object; the first is the zero-shot template."""

SCENE_HELD_OUT = tuple(_TEXTS["scene_held_out"])
"""Templates for one object that no mini-CLIP has seen in training."""

REWORDINGS = tuple(_TEXTS["rewordings"])
"""Ways in which people say it, other in grammar than any training template: none of them is used in training."""

DIGIT_TEMPLATES = tuple(_TEXTS["digit_templates"])
"""Training templates for digits; the first is the zero-shot template."""

DIGIT_HELD_OUT = tuple(_TEXTS["digit_held_out"])
"""Templates for digits that no mini-CLIP has seen in training."""

SYNONYMS = _TEXTS["synonyms"]
"""Rarer words for some shapes and colours: one training caption in ten uses them."""

_SIDED_TEMPLATES, _UNSIDED_TEMPLATES = tuple(_TEXTS["sided_templates"]), tuple(_TEXTS["unsided_templates"])
_SIDED_PARTS, _COLOUR_PARTS = tuple(_TEXTS["sided_parts"]), tuple(_TEXTS["colour_parts"])
FEW = 2
"""Wordings of each kind that a model of few wordings is trained on."""
_GAP = re.compile(r"\{[^{}]*\}")
_PART_SHARE, _SYNONYM_SHARE, _SIZE_SHARE = 0.3, 0.1, 0.3


def fill(template, class_names: Sequence[str]) -> list[tuple[str, ...]]:
    """The prompts of each class.

    Parameters
    ----------
    template : "single", "ensemble", a text with the gap ``{}``, or several such texts
    class_names : k strings

    Examples
    --------
    >>> fill("single", ["cat", "dog"])
    [('a photo of a cat.',), ('a photo of a dog.',)]
    """
    if isinstance(template, str):
        template = {"single": (SINGLE,), "ensemble": ENSEMBLE}.get(template, (template,))
    if not isinstance(template, Sequence) or len(template) == 0:
        raise InputError(f"template must be a text with the gap {{}}, or several; got {template!r}")
    for text in template:
        if not isinstance(text, str) or text.count("{}") != 1:
            raise InputError(f"a template needs the gap {{}} exactly once; got {text!r}")
    return [tuple(text.replace("{}", name) for text in template) for name in class_names]


def with_article(words: str) -> str:
    """Put the indefinite article before ``words``.

    >>> with_article("orange arrow"), with_article("red star")
    ('an orange arrow', 'a red star')
    """
    return ("an " if words[0] in "aeiou" else "a ") + words


def fill_scene(template: str, class_name: str) -> str:
    """Fill a one-object template with a class name of scenes100.

    >>> fill_scene(SCENE_TEMPLATES[0], "orange star")
    'a photo of an orange star'
    >>> fill_scene(REWORDINGS[0], "orange star")
    'a star that is orange'
    """
    colour, _, shape = class_name.rpartition(" ")
    words = {"object": class_name, "a_object": with_article(class_name)}
    return _filled(template, words | {"colour": colour, "shape": shape, "a_shape": with_article(shape)})


def with_synonyms(caption: str) -> str:
    """Replace every word that has an entry in `SYNONYMS`.

    >>> with_synonyms("a photo of a red circle")
    'a photo of a crimson disc'
    """
    return " ".join(SYNONYMS.get(word, word) for word in caption.split())


def fill_digit(template: str, class_name: str) -> str:
    """Fill a digit template with a class name of digits10.

    >>> fill_digit(DIGIT_TEMPLATES[0], "seven")
    'a photo of the digit seven'
    """
    return _filled(template, {"digit": class_name})


def _filled(template: str, words: dict[str, str]) -> str:
    """The template with its gaps filled; one without a gap would give every class the same caption."""
    gaps = " or ".join(f"{{{name}}}" for name in words)
    if not isinstance(template, str):
        raise InputError(f"a template is a text with the gap {gaps}; got {template!r}")
    # Not str.format: whoever writes a template could look into objects, or ask for a text of a billion spaces.
    present = set(_GAP.findall(template))
    known = {f"{{{name}}}" for name in words}
    if not present or not present <= known or set(_GAP.sub("", template)) & {*"{}"}:
        raise InputError(f"a template must have the gap {gaps} and no other; got {template!r}")
    return _GAP.sub(lambda gap: words[gap.group()[1:-1]], template)


def scene_captions(
    scenes: Scenes,
    rng: np.random.Generator,
    *,
    full: bool = False,
    few: bool = False,
    contrast: Sequence[str] | np.ndarray | None = None,
) -> list[str]:
    """One random training caption for each scene.

    Parameters
    ----------
    scenes : Scenes
    rng : numpy.random.Generator
    full : bool
        Name colour, shape and side of every object, and use no synonyms: what retrieval needs.
    few : bool
        Keep to the first `FEW` wordings of each kind, and use no synonyms.
    contrast : (n,) of "sides" or "colours", optional
        What the caption of a two-object scene must tell apart: scenes whose objects trade places,
        or trade colours (see `gapkit.datasets.scenes.counterpart`).
    """
    shapes, colours = np.array(SHAPES), np.array(list(COLOURS))
    captions = []
    for i in range(len(scenes)):
        described = []
        for slot in range(2):
            words = f"{colours[scenes.colour[i, slot]]} {shapes[scenes.shape[i, slot]]}"
            if rng.random() < _SIZE_SHARE:
                words = f"{'large' if scenes.large[i, slot] else 'small'} {words}"
            described.append(words)
        if scenes.count[i] == 1:
            known = SCENE_TEMPLATES[:FEW] if few else SCENE_TEMPLATES
            caption = fill_scene(known[rng.integers(len(known))], described[0])
        else:
            templates = _SIDED_TEMPLATES
            if not full and contrast is not None:
                part = rng.random() < _PART_SHARE
                if contrast[i] == "colours":
                    templates = _COLOUR_PARTS if part else _SIDED_TEMPLATES + _UNSIDED_TEMPLATES
                else:
                    templates = _SIDED_PARTS if part else _SIDED_TEMPLATES
            templates = templates[:FEW] if few else templates
            gaps: dict[str, str] = {}
            for slot, side in enumerate(("left", "right")):
                shape, colour = shapes[scenes.shape[i, slot]], colours[scenes.colour[i, slot]]
                gaps |= {f"a_{side}": with_article(described[slot]), f"{side}_colour": colour}
                gaps |= {f"{side}_shape": shape, f"a_{side}_shape": with_article(shape)}
            caption = templates[rng.integers(len(templates))].format(**gaps)
        rarer = rng.random() < _SYNONYM_SHARE and not (full or few)
        captions.append(with_synonyms(caption) if rarer else caption)
    return captions


def twin_captions(scenes: Scenes, rng: np.random.Generator, *, twins: int) -> list[list[str]]:
    """For each two-object scene its full caption, then captions that differ from it in one thing.

    Parameters
    ----------
    scenes : Scenes with two objects each
    rng : numpy.random.Generator
    twins : how many near-twins each caption gets, at most 8: objects or colours exchanged, one size changed, one
        colour or shape replaced

    Returns
    -------
    n lists of 1 + ``twins`` captions
    """
    colours = list(COLOURS)

    def say(size, colour, shape) -> str:
        words = zip(size, colour, shape, strict=True)
        left, right = (with_article(f"{('small', 'large')[a]} {colours[b]} {SHAPES[c]}") for a, b, c in words)
        return f"{left} to the left of {right}"

    found = []
    for i in range(len(scenes)):
        size, colour, shape = scenes.large[i].astype(int), scenes.colour[i], scenes.shape[i]
        variants = [say(size[::-1], colour[::-1], shape[::-1]), say(size, colour[::-1], shape)]
        for side in np.eye(2, dtype=int):  # which of the two objects changes
            variants.append(say(size ^ side, colour, shape))
            variants.append(say(size, (colour + side * rng.integers(1, len(COLOURS))) % len(COLOURS), shape))
            variants.append(say(size, colour, (shape + side * rng.integers(1, len(SHAPES))) % len(SHAPES)))
        found.append([say(size, colour, shape), *(variants[k] for k in rng.permutation(8)[:twins])])
    return found


def digit_captions(labels: np.ndarray, rng: np.random.Generator, *, few: bool = False) -> list[str]:
    """One random training caption for each digit label; ``few`` as in `scene_captions`."""
    picks = rng.integers(FEW if few else len(DIGIT_TEMPLATES), size=len(labels))
    pairs = zip(picks, labels, strict=True)
    return [fill_digit(DIGIT_TEMPLATES[pick], DIGIT_NAMES[label]) for pick, label in pairs]
