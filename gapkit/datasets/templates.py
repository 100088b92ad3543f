"""Prompt templates for photographs, with one gap ``{}`` for the class name.

`SINGLE` and `ENSEMBLE` are those of Radford et al. 2021 for CIFAR (their published prompts, whose
articles are never adapted: "a airplane"), so that accuracies can be compared with published ones.
"""

from collections.abc import Sequence

from gapkit.errors import InputError

SINGLE = "a photo of a {}."

ENSEMBLE = tuple(
    f"{manner}photo of {article} {size}{{}}."
    for article in ("a", "the")
    for manner, size in (
        ("a ", ""),
        ("a blurry ", ""),
        ("a black and white ", ""),
        ("a low contrast ", ""),
        ("a high contrast ", ""),
        ("a bad ", ""),
        ("a good ", ""),
        ("a ", "small "),
        ("a ", "big "),
    )
)
"""Eighteen prompts whose embeddings are averaged."""

REPHRASINGS = (
    "a photo of a {}.",
    "photograph of a {}.",
    "an image of a {}.",
    "a picture of a {}.",
    "a photo showing a {}.",
    "this is a {}.",
    "there is a {} in the picture.",
    "a {}.",
)
"""Ways to say the same, for the rephrasing experiment; the first is the familiar one."""

CIFAR10_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
"""In label order, as the data set's own ``batches.meta`` has them."""


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
