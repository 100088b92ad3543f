"""Images, the texts they are compared with, and which text is right: `load_dataset` knows them by name."""

from gapkit._paths import shipped_file, shipped_folder
from gapkit._renamed import renamed
from gapkit.datasets.captions import scene_captions
from gapkit.datasets.dataset import Dataset
from gapkit.datasets.images import ArrayImages, FileImages
from gapkit.datasets.registry import BUILTIN_DATASETS, dataset_options, list_datasets, load_dataset
from gapkit.datasets.scenes import COLOURS, SHAPES, render, sample_scenes

__all__ = [
    "BUILTIN_DATASETS",
    "COLOURS",
    "SHAPES",
    "ArrayImages",
    "Dataset",
    "FileImages",
    "dataset_options",
    "list_datasets",
    "load_dataset",
    "render",
    "sample_scenes",
    "scene_captions",
    "shipped_file",
    "shipped_folder",
]

__getattr__ = renamed(__name__)
