"""Other people's embeddings: ``.npy``, ``.npz``, CSV, parquet and foreign safetensors as an `EmbeddingSet`.

Pickled arrays are refused, always.
"""

import os
from pathlib import Path

import numpy as np

from gapkit._arrays import check_choice
from gapkit.embeddings.sets import EmbeddingSet
from gapkit.embeddings.tables import Table, read_table
from gapkit.errors import InputError

IMAGE_KEYS = (
    *("images", "image", "image_embeddings", "image_embedding", "image_features", "image_feature"),
    *("image_embeds", "image_embed", "image_emb", "img_emb", "img", "y"),
)
TEXT_KEYS = (
    *("texts", "text", "text_embeddings", "text_embedding", "text_features", "text_feature"),
    *("text_embeds", "text_embed", "text_emb", "txt_emb", "captions", "txt", "x"),
)
_UNIT = 2e-3


def import_embeddings(
    images: str | os.PathLike,
    texts: str | os.PathLike | None = None,
    *,
    labels: str | os.PathLike | None = None,
    task: str | None = None,
    normalise: str = "auto",
    image_key: str | None = None,
    text_key: str | None = None,
    metadata: dict | None = None,
) -> EmbeddingSet:
    """Embeddings from files that gapkit did not write.

    Parameters
    ----------
    images : file with the images' embeddings, (n, d); or with both sides, if ``texts`` is left out: an ``.npz``
        or ``.safetensors`` with two matrices, or an ``.npy`` of shape (2, n, d), images first
    texts : file with the texts' embeddings, (k, d)
    labels : file with n whole numbers, the row of each image's right text (``.npy``, or text, one a line)
    task : "pairs" or "zero-shot"; by default "zero-shot" where there are labels
    normalise : "yes" divides every row by its length, "no" keeps all as it is, "auto" divides where every
        row already has length 1 within 2e-3
    image_key, text_key : names of the matrices in an archive, or of the column with lists in a parquet file
    metadata : what is known of the model and the data

    Raises
    ------
    InputError
        If a file is missing, damaged, pickled, of another form, or the sides do not fit.
    """
    check_choice(normalise, "normalise", ("auto", "yes", "no"))
    first = read_table(Path(images))
    second = first if texts is None else read_table(Path(texts))
    if texts is None and len(first.matrices) == 1:
        (both,) = first.matrices.values()
        if both.ndim != 3 or both.shape[0] != 2:
            raise InputError(
                f"{images} holds one matrix of shape {both.shape}; name a second file with the texts, "
                "or bring one of shape (2, n, d)"
            )
        y, x = both
    else:
        y = _pick(first, IMAGE_KEYS, image_key, images, alone=texts is not None)
        x = _pick(second, TEXT_KEYS, text_key, images if texts is None else texts, alone=texts is not None)
    rows = None if labels is None else _read_labels(Path(labels))
    entries = EmbeddingSet(
        images=y,
        texts=x,
        task=task or ("pairs" if rows is None else "zero-shot"),
        labels=rows,
        image_names=first.names,
        text_names=second.names if texts is not None else None,
        metadata={"imported_from": [Path(f).name for f in (images, texts) if f is not None]}
        | ({"columns": used} if (used := _used(first, second)) else {})
        | (metadata or {}),
    )
    lengths = [np.linalg.norm(side.astype(np.float64), axis=1) for side in (entries.images, entries.texts)]
    unit = all(np.abs(length - 1).max() < _UNIT for length in lengths)
    return entries.normalise() if normalise == "yes" or (normalise == "auto" and unit) else entries


def import_gram(
    path: str | os.PathLike,
    *,
    images: int,
    dimension: int,
    task: str | None = None,
    labels: str | os.PathLike | None = None,
    metadata: dict | None = None,
) -> EmbeddingSet:
    """Embeddings, up to a rotation, from a file with a matrix of all their cosines; see `EmbeddingSet.from_gram`.

    Parameters
    ----------
    path : ``.npy``, ``.csv`` or another table of n + k rows and columns, the n images first
    images, dimension, task, metadata : as in `EmbeddingSet.from_gram`
    labels : as in `import_embeddings`

    Raises
    ------
    InputError
        If the file cannot be read, or does not hold such a matrix.
    """
    table = read_table(Path(path))
    if len(table.matrices) != 1:
        raise InputError(f"{path} must hold one matrix of cosines; it has {', '.join(table.matrices)[:200]}")
    (gram,) = table.matrices.values()
    try:
        return EmbeddingSet.from_gram(
            gram,
            images=images,
            dimension=dimension,
            task=task,
            labels=None if labels is None else _read_labels(Path(labels)),
            metadata={"imported_from": [Path(path).name], **(metadata or {})},
        )
    except InputError as fault:
        raise InputError(f"{path}: {fault}") from fault


def _used(*tables: Table) -> list[str]:
    return list(dict.fromkeys(table.used for table in tables if table.used))


def _pick(table: Table, known: tuple[str, ...], key: str | None, path, *, alone: bool) -> np.ndarray:
    """The matrix called ``key``, or like one of the ``known``, or the only one."""
    if key is not None:
        if key not in table.matrices:
            raise InputError(f"{path} has no {key!r}; it has {', '.join(table.matrices)[:200]}")
        return table.matrices[key]
    lower = {name.lower(): matrix for name, matrix in table.matrices.items()}
    for name in known:
        if name in lower:
            return lower[name]
    if alone and len(table.matrices) == 1:
        return next(iter(table.matrices.values()))
    option = "--image-key" if known is IMAGE_KEYS else "--text-key"
    raise InputError(
        f"which matrix of {path} is meant? It has {', '.join(table.matrices)[:200]}; use {option}"
    )


def _read_labels(path: Path) -> np.ndarray:
    if not path.is_file():
        raise InputError(f"no file {path}")
    try:
        if path.suffix.lower() == ".npy":
            return np.load(path, allow_pickle=False)
        lines = path.read_text(encoding="utf-8-sig").split()
        return np.array([int(line) for line in lines], dtype=np.int64)
    except (ValueError, OSError, OverflowError, EOFError) as fault:
        reason = " ".join(str(fault).split())[:120]
        raise InputError(f"cannot read labels from {path}, one whole number a line: {reason}") from fault
