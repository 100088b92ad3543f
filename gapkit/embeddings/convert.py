"""Other people's embeddings: ``.npy``, ``.npz``, CSV, parquet and foreign safetensors as an `EmbeddingSet`.

Pickled arrays are refused, always.
"""

import os
from pathlib import Path

import numpy as np

from gapkit._arrays import check_choice
from gapkit.embeddings.layout import TableOptions
from gapkit.embeddings.sets import EmbeddingSet
from gapkit.embeddings.tables import Table, read_matrix, read_table
from gapkit.errors import InputError

_NEAR_ONE = (0.9959, 1.0041)
"""Lengths that rounding leaves of 1: float16 half a part in a thousand, bfloat16 up to four."""


def import_embeddings(
    images: str | os.PathLike,
    texts: str | os.PathLike | None = None,
    *,
    labels: str | os.PathLike | None = None,
    task: str | None = None,
    normalise: str = "auto",
    image_key: str | None = None,
    text_key: str | None = None,
    header: str | int = "auto",
    separator: str | None = None,
    decimal: str | None = None,
    columns: str | None = None,
    metadata: dict | None = None,
) -> EmbeddingSet:
    """Embeddings from files that gapkit did not write; what was used of them and what was left out is in the metadata.

    Parameters
    ----------
    images : file with the images' embeddings, (n, d); or with both sides, if ``texts`` is left out: an ``.npz``
        or ``.safetensors`` with two matrices, an ``.npy`` of shape (2, n, d), images first, or a table with both
    texts : file with the texts' embeddings, (k, d)
    labels : file with n whole numbers, the row of each image's right text (``.npy``, or text, one a line); by default
        those inside an archive
    task : "pairs" or "zero-shot"; by default "zero-shot" where there are labels
    normalise : "yes" divides every row by its length, "no" keeps all as it is, "auto" divides where every
        row already has length 1 but for the rounding of half precision (0.996 to 1.004)
    image_key, text_key : names of the matrices in an archive, or of a table's column of vectors or numbered columns
        ("emb" for emb_1, emb_2, …)
    header : of a table of text: "yes", "no", the number of its line, or "auto"
    separator : of a table of text: a character, or comma, semicolon, tab, pipe, space
    decimal : the decimal mark, "." or ","
    columns : which columns of a table are coordinates: names (places from 1 without a header), FIRST..LAST, patterns
        with ``*``, divided by commas
    metadata : what is known of the model and the data

    Raises
    ------
    InputError
        If a file is missing, damaged, pickled, of another form, could be read in two ways, or the sides do not fit.
    """
    check_choice(normalise, "normalise", ("auto", "yes", "no"))
    options = TableOptions(header, separator, decimal, columns)
    keys = {"images": image_key, "texts": text_key}
    inside = labels is None and task != "pairs"
    if texts is None:
        tables = [read_table(Path(images), keys=keys, options=options, labels=inside)]
    else:
        tables = [
            read_table(Path(path), (side,), keys=keys, options=options, labels=inside)
            for side, path in {"images": images, "texts": texts}.items()
        ]
    matrices = {side: matrix for table in tables for side, matrix in table.matrices.items()}
    names = {side: found for table in tables for side, found in table.names.items()}
    rows = tables[0].labels if labels is None else _read_labels(Path(labels))
    y, x = matrices["images"], matrices["texts"]
    _check_counts(y, x, rows, task, named=labels is not None)
    entries = EmbeddingSet(
        images=y,
        texts=x,
        task=task or ("pairs" if rows is None else "zero-shot"),
        labels=rows,
        image_names=names.get("images"),
        text_names=names.get("texts"),
        metadata={"imported_from": [Path(f).name for f in (images, texts) if f is not None]}
        | ({"columns": used} if (used := _used(*tables)) else {})
        | (metadata or {}),
    )
    return _normalised(entries, normalise)


def _check_counts(images, texts, rows, task: str | None, *, named: bool) -> None:
    """Raise where the numbers of rows leave open which text belongs to an image; the message says how to say it."""
    if images.ndim != 2 or texts.ndim != 2:
        return  # said by `EmbeddingSet`, in its words
    n, k = len(images), len(texts)
    if rows is None and n != k and task != "multiple-choice":
        few, many = sorted((n, k))
        times = f"{many // few} for each of {few}: " if few and many % few == 0 else ""
        raise InputError(
            f"images and texts must be matched row by row; got {n} and {k} rows ({times}keep one of each pair, or say with "
            "--labels FILE which text is right for each image, one row number a line)"
        )
    if rows is not None and not named and task is None and n == k and not np.array_equal(rows, np.arange(n)):
        raise InputError(
            f"the file has labels, and as many texts as images ({n}): are they classes or pairs? Say --task zero-shot or "
            "--task pairs"
        )


def _normalised(entries: EmbeddingSet, normalise: str) -> EmbeddingSet:
    """``entries`` with rows of length 1 where that is asked for or was meant; the metadata say what was done."""
    lengths = {}
    for side in ("images", "texts"):
        found = np.linalg.norm(getattr(entries, side).astype(np.float64), axis=1)
        lengths[side] = float(found.min()), float(found.max())
    low, high = _NEAR_ONE
    unit = all(low <= least and most <= high for least, most in lengths.values())
    divided = normalise == "yes" or (normalise == "auto" and unit)
    why = {"yes": "as asked", "no": "as asked"}.get(
        normalise, "1 but for rounding" if unit else "not 1 but for rounding"
    )
    said = "; ".join(
        f"lengths of the {side} {least:.6g} … {most:.6g}" for side, (least, most) in lengths.items()
    )
    entries = entries.replace(
        metadata={
            **entries.metadata,
            "lengths": f"{said}: {'divided by them' if divided else 'kept'} ({why})",
        }
    )
    return entries.normalise() if divided else entries


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
    gram = read_matrix(Path(path))
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


def _read_labels(path: Path) -> np.ndarray:
    if not path.is_file():
        raise InputError(f"no file {path}")
    try:
        if path.suffix.lower() == ".npy":
            rows = np.load(path, allow_pickle=False)
            whole = rows.dtype.kind == "f" and np.isfinite(rows).all() and (rows == np.round(rows)).all()
            rows = rows.astype(np.int64) if whole else rows
            return rows[:, 0] if rows.ndim == 2 and rows.shape[1] == 1 else rows
        lines = path.read_text(encoding="utf-8-sig").split()
        return np.array([int(line) for line in lines], dtype=np.int64)
    except (ValueError, OSError, OverflowError, EOFError) as fault:
        reason = " ".join(str(fault).split())[:120]
        raise InputError(f"cannot read labels from {path}, one whole number a line: {reason}") from fault
