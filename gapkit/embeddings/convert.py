"""Other people's embeddings: ``.npy``, ``.npz``, CSV, parquet and foreign safetensors as an `EmbeddingSet`.

Pickled arrays are refused, always.
"""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gapkit._arrays import check_choice
from gapkit.embeddings.sets import EmbeddingSet
from gapkit.errors import InputError

IMAGE_KEYS = (
    *("images", "image", "image_embeddings", "image_embedding", "image_features", "image_feature"),
    *("image_embeds", "image_embed", "image_emb", "img_emb", "img", "y"),
)
TEXT_KEYS = (
    *("texts", "text", "text_embeddings", "text_embedding", "text_features", "text_feature"),
    *("text_embeds", "text_embed", "text_emb", "txt_emb", "captions", "txt", "x"),
)
NAME_COLUMNS = ("name", "names", "text", "caption", "file", "filename", "path", "image", "id")
NO_DIMENSIONS = (
    *("", "id", "ids", "idx", "index", "row", "label", "labels", "class", "class_id", "target", "targets"),
    *("category", "category_id", "image_id", "text_id", "caption_id", "split", "fold"),
)
"""Columns of numbers that are no coordinates, in lower case; beside them pandas' nameless index."""
ENDINGS = (".npy", ".npz", ".csv", ".parquet", ".safetensors")
_UNIT = 2e-3
_LARGE, _TOO_DENSE = 100_000_000, 100  # an archive of numbers that shrinks a hundredfold is a trap


@dataclass(frozen=True)
class _Table:
    """Matrices by key, and the names of the rows where a table has them."""

    matrices: dict[str, np.ndarray]
    names: tuple[str, ...] | None = None
    used: str = ""


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
    first = _read(Path(images))
    second = first if texts is None else _read(Path(texts))
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


def _used(*tables: _Table) -> list[str]:
    return list(dict.fromkeys(table.used for table in tables if table.used))


def _pick(table: _Table, known: tuple[str, ...], key: str | None, path, *, alone: bool) -> np.ndarray:
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


def _read(path: Path) -> _Table:
    if not path.is_file():
        raise InputError(f"no file {path}")
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise InputError(f"{path} ends in none of {', '.join(ENDINGS)}")
    try:
        return _READERS[ending](path)
    except InputError:
        raise
    except ImportError as fault:
        raise InputError(f'{path} needs the package {fault.name}; pip install "gapkit[parquet]"') from fault
    except Exception as fault:  # numpy, pandas, pyarrow and zipfile raise nearly everything
        reason = " ".join(str(fault).split())[:150] or type(fault).__name__
        if any(words in reason for words in ("allow_pickle", "Object arrays", "Python objects")):
            raise InputError(
                f"{path} holds pickled objects, which could run code; save plain numbers"
            ) from fault
        raise InputError(f"cannot read {path}: {reason}") from fault


def _read_npy(path: Path) -> _Table:
    return _Table({path.stem: np.load(path, mmap_mode="r", allow_pickle=False)})


def _read_npz(path: Path) -> _Table:
    with zipfile.ZipFile(path) as archive:
        _check_size(sum(member.file_size for member in archive.infolist()), path)
    with np.load(path, allow_pickle=False) as archive:
        return _Table({name: archive[name] for name in archive.files if not name.startswith("/")})


def _read_safetensors(path: Path) -> _Table:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return _Table(
        {name: t.float().numpy() for name, t in tensors.items() if t.ndim >= 2 and t.is_floating_point()}
    )


def _read_csv(path: Path) -> _Table:
    import pandas

    with open(path, encoding="utf-8-sig") as file:
        first = file.readline()
    separator = max(",;\t", key=first.count)
    cells = [cell.strip().strip('"') for cell in first.strip().split(separator)]
    counted = len(cells) > 1 and cells == [
        str(i) for i in range(len(cells))
    ]  # pandas' names of nameless columns
    numeric = all(_is_number(cell) for cell in cells) and not counted
    return _from_frame(pandas.read_csv(path, sep=separator, header=None if numeric else 0), path)


def _read_parquet(path: Path) -> _Table:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        described = file.metadata
        groups = [described.row_group(i) for i in range(described.num_row_groups)]
        values = [group.column(j).num_values for group in groups for j in range(group.num_columns)]
        encoded = sum(group.total_byte_size for group in groups)
        _check_size(max(8 * sum(values), 8 * described.num_rows * described.num_columns, encoded), path)
        table = file.read()
    listlike = pyarrow.types.is_list, pyarrow.types.is_large_list, pyarrow.types.is_fixed_size_list
    lists = {
        name: _matrix_of_lists(table[name].combine_chunks(), name, path)
        for name, kind in zip(table.schema.names, table.schema.types, strict=True)
        if any(is_one(kind) for is_one in listlike) and pyarrow.types.is_floating(kind.value_type)
    }
    plain = table.drop_columns(list(lists)).to_pandas()
    if lists:
        return _Table(lists, _row_names(plain))
    return _from_frame(plain, path)


def _matrix_of_lists(column, name: str, path: Path) -> np.ndarray:
    """A column of lists, all of one length, as the rows of a matrix; no number becomes a Python object."""
    import pyarrow.compute

    lengths = pyarrow.compute.list_value_length(column)
    if column.null_count or len(column) == 0 or pyarrow.compute.count_distinct(lengths).as_py() != 1:
        raise InputError(
            f"{path}: the lists of column {name!r} must all have one length, and none be missing"
        )
    return column.flatten().to_numpy(zero_copy_only=False).astype(np.float64).reshape(len(column), -1)


def _check_size(unpacked: int, path: Path) -> None:
    """Refuse what is far larger in memory than on the disk, taken together."""
    packed = max(path.stat().st_size, 1)
    if unpacked > _LARGE and unpacked > _TOO_DENSE * packed:
        raise InputError(f"{path} would unpack {unpacked:,} bytes from {packed:,}")


def _from_frame(frame, path: Path) -> _Table:
    """A table with one column for each coordinate; columns that only number or label the rows are left out."""
    numeric = list(frame.select_dtypes("number").columns)
    left_out = [column for column in numeric if _is_no_dimension(column)]
    chosen = [column for column in numeric if column not in left_out]
    if not chosen:
        raise InputError(f"{path} has no columns of numbers that could be coordinates")
    used = f"{path.name}: {len(chosen)} columns, {chosen[0]} to {chosen[-1]}" + (
        f"; left out: {', '.join(str(column) or '(no name)' for column in left_out)}" if left_out else ""
    )
    return _Table({path.stem: frame[chosen].to_numpy(dtype=np.float64)}, _row_names(frame), used)


def _is_no_dimension(column) -> bool:
    """Whether a column's name is that of an index or of labels; a column without a header has a number for a name."""
    name = str(column).strip().lower()
    return isinstance(column, str) and (
        name in NO_DIMENSIONS or name.startswith(("unnamed: ", "__index_level_"))
    )


def _row_names(frame) -> tuple[str, ...] | None:
    texts = {
        str(name).lower(): name for name in frame.columns if not np.issubdtype(_kind(frame[name]), np.number)
    }
    for name in NAME_COLUMNS:
        if name in texts:
            return tuple(frame[texts[name]].astype(str))
    return None


def _kind(column):
    return column.dtype if isinstance(column.dtype, np.dtype) else np.dtype(object)


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


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


_READERS = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
