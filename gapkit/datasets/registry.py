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

_BUILDERS = {
    "digits10": "builtin.digits10",
    "scenes100": "builtin.scenes100",
    "scenes-pairs": "builtin.scenes_pairs",
    "scenes-vqa": "builtin.scenes_vqa",
    "digits10-rephrased": "builtin.digits10_rephrased",
    "scenes100-rephrased": "builtin.scenes100_rephrased",
    "scenes100-reworded": "builtin.scenes100_reworded",
    "scenes-twins": "builtin.scenes_twins",
    "cifar10": "cifar.cifar10",
    "cifar100": "cifar.cifar100",
    "cifar10-rephrased": "cifar.cifar10_rephrased",
    "cifar100-rephrased": "cifar.cifar100_rephrased",
    "coco": "coco.coco",
    "aokvqa": "coco.aokvqa",
    "folder": "folders.folder",
    "csv": "folders.captions_csv",
}
"""Name -> module and function, which is imported when the dataset is asked for."""

BUILTIN_DATASETS = tuple(name for name, place in _BUILDERS.items() if place.startswith("builtin."))
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
        raise InputError(
            f"{name} is a path, not a dataset's name; say dataset '{kind}' with its {option}: "
            f"load_dataset('{kind}', {option}='{name}'), or on the command line {kind} --{option} {name}"
        )
    builder = _builder(name)
    parameters = inspect.signature(builder).parameters
    needed = [key for key, value in parameters.items() if value.default is value.empty and key not in options]
    unknown = [key for key in options if key not in parameters]
    if unknown:
        raise InputError(
            f"dataset {name} has no option {_listed(unknown)}; it takes {_listed(parameters) or 'none'}"
        )
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
    module, function = _BUILDERS[check_choice(name, "dataset", _BUILDERS)].split(".")
    return getattr(importlib.import_module(f"gapkit.datasets.{module}"), function)


def _listed(options) -> str:
    return ", ".join(f"{key} (--{key.replace('_', '-')})" for key in options)
