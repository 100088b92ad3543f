"""Embeddings of images and texts, saved with all that is needed to reuse them: `EmbeddingSet`.

Files are safetensors, never pickles. `load_embeddings` takes a shipped name, the name of a
downloaded set, or a path.
"""

from gapkit._renamed import renamed
from gapkit.embeddings.convert import import_embeddings
from gapkit.embeddings.evaluation import answer, close_set, sampling
from gapkit.embeddings.library import list_embeddings, load_embeddings
from gapkit.embeddings.published import fetch_embeddings, published_sets, recorded_figures
from gapkit.embeddings.sets import EmbeddingSet

__all__ = [
    "EmbeddingSet",
    "answer",
    "close_set",
    "fetch_embeddings",
    "import_embeddings",
    "list_embeddings",
    "load_embeddings",
    "published_sets",
    "recorded_figures",
    "sampling",
]

__getattr__ = renamed(__name__)
