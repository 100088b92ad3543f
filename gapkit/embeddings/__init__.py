"""Embeddings of images and texts, with what is needed to use them again: `EmbeddingSet`.

Files are safetensors, never pickles. `load_embeddings` takes a shipped name, the name of a
downloaded set, or a path.
"""

from gapkit.embeddings.convert import import_embeddings
from gapkit.embeddings.files import FORMAT_VERSION
from gapkit.embeddings.library import COCO500_NAMES, fetch_coco500, list_embeddings, load_embeddings
from gapkit.embeddings.sets import EmbeddingSet

__all__ = [
    "COCO500_NAMES",
    "FORMAT_VERSION",
    "EmbeddingSet",
    "fetch_coco500",
    "import_embeddings",
    "list_embeddings",
    "load_embeddings",
]
