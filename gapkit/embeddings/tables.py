"""Files of embeddings as others write them, read into matrices by name; whatever is wrong with one is one clear line.

Pickled arrays are refused, always, and so is what is far larger in memory than on the disk.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gapkit.errors import InputError

NAME_COLUMNS = ("name", "names", "text", "caption", "file", "filename", "path", "image", "id")
NO_DIMENSIONS = (
    *("", "id", "ids", "idx", "index", "row", "label", "labels", "class", "class_id", "target", "targets"),
    *("category", "category_id", "image_id", "text_id", "caption_id", "split", "fold"),
)
"""Columns of numbers that are no coordinates, in lower case; beside them pandas' nameless index."""
_TEXTS = ("string", "large_string", "binary", "large_binary")  # as pyarrow calls them
_LARGE, _TOO_DENSE = 100_000_000, 100  # an archive of numbers that shrinks a hundredfold is a trap


@dataclass(frozen=True)
class Table:
    """Matrices by key, and the names of the rows where a table has them."""

    matrices: dict[str, np.ndarray]
    names: tuple[str, ...] | None = None
    used: str = ""


def read_table(path: Path) -> Table:
    """The matrices of a file in one of five formats: ``.npy``, ``.npz``, ``.csv``, ``.parquet``, ``.safetensors``.

    Raises
    ------
    InputError
        If it is missing, damaged, pickled, far larger in memory than on the disk, or has no coordinates.
    """
    if not path.is_file():
        raise InputError(f"no file {path}")
    ending = path.suffix.lower()
    if ending not in _READERS:
        raise InputError(f"{path} ends in none of {', '.join(_READERS)}")
    try:
        return _READERS[ending](path)
    except InputError:
        raise
    except ImportError as fault:
        raise InputError(f"{path} needs another package: pip install {fault.name}") from fault
    except Exception as fault:  # numpy, pandas, pyarrow and zipfile raise nearly everything
        reason = " ".join(str(fault).split())[:150] or type(fault).__name__
        if any(words in reason for words in ("allow_pickle", "Object arrays", "Python objects")):
            raise InputError(
                f"{path} holds pickled objects, which could run code; save plain numbers"
            ) from fault
        raise InputError(f"cannot read {path}: {reason}") from fault


def _read_npy(path: Path) -> Table:
    return Table({path.stem: np.load(path, mmap_mode="r", allow_pickle=False)})


def _read_npz(path: Path) -> Table:
    with zipfile.ZipFile(path) as archive:
        _check_size(sum(member.file_size for member in archive.infolist()), path)
    with np.load(path, allow_pickle=False) as archive:
        return Table({name: archive[name] for name in archive.files if not name.startswith("/")})


def _read_safetensors(path: Path) -> Table:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return Table(
        {name: t.float().numpy() for name, t in tensors.items() if t.ndim >= 2 and t.is_floating_point()}
    )


def _read_csv(path: Path) -> Table:
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


def _read_parquet(path: Path) -> Table:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        described = file.metadata
        groups = [described.row_group(i) for i in range(described.num_row_groups)]
        values = [group.column(j).num_values for group in groups for j in range(group.num_columns)]
        encoded = sum(group.total_byte_size for group in groups)
        _check_size(max(8 * sum(values), 8 * described.num_rows * described.num_columns, encoded), path)
        texts = [field.name for field in file.schema_arrow if str(field.type) in _TEXTS]
    with pyarrow.parquet.ParquetFile(
        path, read_dictionary=texts
    ) as file:  # one long text may stand in every row
        table = file.read()
    _check_size(sum(_text_bytes(chunk) for name in texts for chunk in table[name].chunks), path)
    listlike = pyarrow.types.is_list, pyarrow.types.is_large_list, pyarrow.types.is_fixed_size_list
    lists = {
        name: _matrix_of_lists(table[name].combine_chunks(), name, path)
        for name, kind in zip(table.schema.names, table.schema.types, strict=True)
        if any(is_one(kind) for is_one in listlike) and pyarrow.types.is_floating(kind.value_type)
    }
    plain = table.drop_columns(list(lists)).to_pandas()
    if lists:
        return Table(lists, _row_names(plain))
    return _from_frame(plain, path)


def _text_bytes(chunk) -> int:
    """How many bytes the texts of a column have, written out row by row."""
    import pyarrow.compute

    if not hasattr(chunk, "dictionary"):
        return chunk.nbytes
    lengths = pyarrow.compute.binary_length(chunk.dictionary)
    return pyarrow.compute.sum(lengths.take(chunk.indices)).as_py() or 0


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


def _from_frame(frame, path: Path) -> Table:
    """A table with one column for each coordinate; columns that only number or label the rows are left out."""
    numeric = list(frame.select_dtypes("number").columns)
    left_out = [column for column in numeric if _is_no_dimension(column)]
    chosen = [column for column in numeric if column not in left_out]
    if not chosen:
        raise InputError(f"{path} has no columns of numbers that could be coordinates")
    used = f"{path.name}: {len(chosen)} columns, {chosen[0]} to {chosen[-1]}" + (
        f"; left out: {', '.join(str(column) or '(no name)' for column in left_out)}" if left_out else ""
    )
    return Table({path.stem: frame[chosen].to_numpy(dtype=np.float64)}, _row_names(frame), used)


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
