"""Datasets by name."""

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path

from gapkit._arrays import check_choice
from gapkit.datasets.base import Dataset
from gapkit.errors import InputError

BUILDERS = {
    "digits10": ("gapkit.datasets.standins", "digits10"),
    "scenes100": ("gapkit.datasets.standins", "scenes100"),
    "scenes-pairs": ("gapkit.datasets.standins", "scenes_pairs"),
    "scenes-vqa": ("gapkit.datasets.standins", "scenes_vqa"),
    "digits10-rephrased": ("gapkit.datasets.standins", "digits10_rephrased"),
    "scenes100-rephrased": ("gapkit.datasets.standins", "scenes100_rephrased"),
    "cifar10": ("gapkit.datasets.cifar", "cifar10"),
    "cifar100": ("gapkit.datasets.cifar", "cifar100"),
    "coco": ("gapkit.datasets.coco", "coco"),
    "aokvqa": ("gapkit.datasets.aokvqa", "aokvqa"),
    "folder": ("gapkit.datasets.folders", "folder"),
    "csv": ("gapkit.datasets.folders", "captions_csv"),
}
"""Name -> (module, function) of everything `load_dataset` knows."""

STANDINS = tuple(BUILDERS)[:6]
"""The datasets that need neither a network nor files."""


def load_dataset(name: str, **options) -> Dataset:
    """A dataset by name; ``options`` go to its builder, such as ``template=`` or ``root=``.

    Raises
    ------
    InputError
        If the name is unknown, or an option is not the dataset's.

    Examples
    --------
    >>> load_dataset("digits10")
    Dataset(digits10, zero-shot: 360 images, 10 texts)
    """
    if name not in BUILDERS and Path(name).exists():
        kind, option = ("folder", "root") if Path(name).is_dir() else ("csv", "annotations")
        raise InputError(
            f"{name} is a path, not a dataset's name; say dataset '{kind}' with its {option}: "
            f"load_dataset('{kind}', {option}='{name}'), or gapkit embed MODEL {kind} --{option} {name}"
        )
    module, function = BUILDERS[check_choice(name, "dataset", BUILDERS)]
    builder: Callable[..., Dataset] = getattr(importlib.import_module(module), function)
    try:
        inspect.signature(builder).bind(**options)
    except TypeError as fault:
        raise InputError(f"dataset {name}: {fault}") from None
    return builder(**options)
