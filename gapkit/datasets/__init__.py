"""Datasets: images, the texts they are compared with, and which text is right; `load_dataset` loads one by name."""

from gapkit._paths import shipped_file, shipped_folder
from gapkit._renamed import renamed
from gapkit.datasets.dataset import Dataset
from gapkit.datasets.registry import list_datasets, load_dataset
from gapkit.datasets.scenes import COLOURS, SHAPES

__all__ = ["COLOURS", "SHAPES", "Dataset", "list_datasets", "load_dataset", "shipped_file", "shipped_folder"]

__getattr__ = renamed(__name__)
