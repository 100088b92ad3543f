"""Embeddings of images and texts, with what is needed to use them again: `EmbeddingSet`.

Files are safetensors, never pickles. `load_embeddings` takes a shipped name, the name of a
downloaded set, or a path.
"""

from gapkit._renamed import renamed
from gapkit.embeddings.convert import import_embeddings, import_gram
from gapkit.embeddings.evaluation import answer, close_set, measure_set, sampling
from gapkit.embeddings.library import embeddings_file, list_embeddings, load_embeddings
from gapkit.embeddings.published import (
    Published,
    differing,
    fetch_embeddings,
    find_published,
    published_sets,
    recorded_figures,
)
from gapkit.embeddings.sets import EmbeddingSet

__all__ = [
    "EmbeddingSet",
    "Published",
    "answer",
    "close_set",
    "differing",
    "embeddings_file",
    "fetch_embeddings",
    "find_published",
    "import_embeddings",
    "import_gram",
    "list_embeddings",
    "load_embeddings",
    "measure_set",
    "published_sets",
    "recorded_figures",
    "sampling",
]

__getattr__ = renamed(__name__)
