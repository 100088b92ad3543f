"""Images, the texts they are compared with, and which text is right: `load_dataset` knows them by name."""

from gapkit._paths import shipped_file, shipped_folder
from gapkit.datasets.base import Dataset
from gapkit.datasets.registry import BUILDERS, STANDINS, dataset_options, load_dataset

__all__ = [
    "BUILDERS",
    "STANDINS",
    "Dataset",
    "dataset_options",
    "load_dataset",
    "shipped_file",
    "shipped_folder",
]
