"""Embeddings by name: those shipped with the repository, and the published ones in the cache."""

import os
from pathlib import Path

from gapkit._paths import shipped_file, shipped_names
from gapkit.embeddings.files import FOREIGN
from gapkit.embeddings.published import published_sets
from gapkit.embeddings.sets import EmbeddingSet
from gapkit.errors import InputError, did_you_mean


def load_embeddings(name: str | os.PathLike, *, memory_map: bool = False) -> EmbeddingSet:
    """Load embeddings by name or from a file.

    Parameters
    ----------
    name : str or path
        A shipped set such as ``"miniclip-wide/scenes100"`` (``"miniclip-wide@1/scenes100"`` is another
        seed), a published set such as ``"coco500-clip-vitb16"`` once ``gapkit fetch`` has downloaded it, or the path of a file
        that gapkit wrote. `list_embeddings` lists the names.
    memory_map : keep large matrices on the disk until they are used (see `EmbeddingSet.load`)

    Raises
    ------
    InputError
        If the name is unknown (with the nearest ones) or the file is missing or damaged.
    """
    text = os.fspath(name)
    if text in published_sets():
        return published_sets()[text].load()
    return EmbeddingSet.load(embeddings_file(text), memory_map=memory_map)


def embeddings_file(name: str | os.PathLike) -> Path:
    """The file that `load_embeddings` reads for a name.

    Raises
    ------
    InputError
        If the name is unknown (with the nearest ones) or the file is missing.
    """
    text = os.fspath(name)
    if text in published_sets():
        return published_sets()[text].file_in_cache()
    if Path(text).is_file():
        return Path(text)
    if text.lower().endswith((".safetensors", *FOREIGN)):
        raise InputError(f"no file {text}")
    known = list_embeddings()
    if text not in known:
        if text.startswith("miniclip-"):
            shipped_names()  # says so if no data were shipped: then no such name is known
        names = dict.fromkeys([*known, *published_sets()])
        hint = did_you_mean(text, names, most=3) or f"; known are {', '.join(known[:8])} …"
        raise InputError(f"no embeddings {text!r}, neither a file nor a known name{hint}")
    return shipped_file(f"embeddings/{text}.safetensors")


def list_embeddings() -> list[str]:
    """List the names `load_embeddings` knows: shipped sets, then published ones in the cache.

    A shipped set whose file is missing is listed, so that asking for it says what is missing.
    """
    try:
        files = shipped_names("embeddings/")
    except InputError:
        files = []
    shipped = [name.removeprefix("embeddings/").removesuffix(".safetensors") for name in files]
    return shipped + [name for name, entry in published_sets().items() if entry.cached]
