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
    "cifar10-rephrased": ("gapkit.datasets.cifar", "cifar10_rephrased"),
    "cifar100-rephrased": ("gapkit.datasets.cifar", "cifar100_rephrased"),
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
            f"load_dataset('{kind}', {option}='{name}'), or on the command line {kind} --{option} {name}"
        )
    builder = _builder(name)
    parameters = inspect.signature(builder).parameters
    needed = [key for key, one in parameters.items() if one.default is one.empty and key not in options]
    unknown = [key for key in options if key not in parameters]
    if unknown:
        raise InputError(
            f"dataset {name} has no option {_listed(unknown)}; it takes {_listed(parameters) or 'none'}"
        )
    if needed:
        raise InputError(f"dataset {name} needs {_listed(needed)}")
    return builder(**options)


def dataset_options(name: str) -> tuple[str, ...]:
    """The options `load_dataset` takes for a dataset.

    >>> dataset_options("digits10")
    ('split', 'template')
    """
    return tuple(inspect.signature(_builder(name)).parameters)


def _builder(name: str) -> Callable[..., Dataset]:
    module, function = BUILDERS[check_choice(name, "dataset", BUILDERS)]
    return getattr(importlib.import_module(module), function)


def _listed(options) -> str:
    return ", ".join(f"{key} (--{key})" for key in options)
