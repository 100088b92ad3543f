"""Datasets by name."""

import importlib
import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gapkit._options import check_choice
from gapkit.datasets.dataset import Dataset
from gapkit.errors import GapkitWarning, InputError

_DATASETS = {
    "builtin": (
        *("digits10", "scenes100", "scenes-pairs", "scenes-vqa", "digits10-rephrased", "scenes100-rephrased"),
        *("scenes100-reworded", "scenes-twins"),
    ),
    "cifar": ("cifar10", "cifar100", "cifar10-rephrased", "cifar100-rephrased"),
    "coco": ("coco", "aokvqa"),
    "folders": ("folder", "csv"),
}
"""Module -> the datasets whose functions it has, which are called like them; it is imported when one is asked for."""

_BUILDERS = {name: module for module, names in _DATASETS.items() for name in names}
BUILTIN_DATASETS = _DATASETS["builtin"]
"""The datasets that need neither a network nor files."""


def list_datasets() -> list[str]:
    """The names `load_dataset` knows."""
    return list(_BUILDERS)


def load_dataset(name: str, **options: Any) -> Dataset:
    """Load a dataset by name; ``options`` go to its builder, such as ``template=`` or ``root=``.

    Raises
    ------
    InputError
        If the name is unknown, or an option is not the dataset's.

    Warns
    -----
    GapkitWarning
        Of what was left out or had to be decided; ``notes["said"]`` keeps the lines.

    Examples
    --------
    >>> load_dataset("digits10")
    Dataset(digits10, zero-shot: 360 images, 10 texts)
    """
    if name not in _BUILDERS and Path(name).exists():
        kind, option = ("folder", "root") if Path(name).is_dir() else ("csv", "annotations")
        say = f"load_dataset('{kind}', {option}='{name}'), or on the command line {kind} --{option} {name}"
        say = f"say dataset '{kind}' with its {option}: {say}"
        raise InputError(f"{name} is a path, not a dataset's name; {say}")
    builder = _builder(name)
    parameters = inspect.signature(builder).parameters
    needed = [key for key, value in parameters.items() if value.default is value.empty and key not in options]
    unknown = [key for key in options if key not in parameters]
    if unknown:
        takes = _listed(parameters) or "none"
        raise InputError(f"dataset {name} has no option {_listed(unknown)}; it takes {takes}")
    if needed:
        raise InputError(f"dataset {name} needs {_listed(needed)}")
    dataset = builder(**options)
    if said := dataset.notes.get("said"):
        warnings.warn("; ".join(said), GapkitWarning, stacklevel=2)
    return dataset


def dataset_options(name: str) -> tuple[str, ...]:
    """The options `load_dataset` takes for a dataset.

    >>> dataset_options("digits10")
    ('split', 'template')
    """
    return tuple(inspect.signature(_builder(name)).parameters)


def _builder(name: str) -> Callable[..., Dataset]:
    module = _BUILDERS[check_choice(name, "dataset", _BUILDERS)]
    return getattr(importlib.import_module(f"gapkit.datasets.{module}"), name.replace("-", "_"))


def _listed(options) -> str:
    return ", ".join(f"{key} (--{key.replace('_', '-')})" for key in options)
