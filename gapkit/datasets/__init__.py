"""Images, the texts they are compared with, and which text is right: `load_dataset` knows them by name."""

from gapkit.datasets.base import Dataset
from gapkit.datasets.registry import BUILDERS, STANDINS, load_dataset

__all__ = ["BUILDERS", "STANDINS", "Dataset", "load_dataset"]
