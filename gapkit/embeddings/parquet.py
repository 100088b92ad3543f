"""A parquet file, of which only the columns that are wanted are read, and in pieces that fit into memory."""

from pathlib import Path

import numpy as np

from gapkit.embeddings import cells
from gapkit.embeddings.columns import Column
from gapkit.embeddings.sizes import check_size
from gapkit.errors import InputError

_PIECE = 64_000_000
_LISTS = ("list", "large_list", "fixed_size_list", "list_view", "large_list_view")
_TEXTS = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view")


class ParquetTable:
    """A parquet file: ``columns`` by their types, read when they are wanted."""

    paths: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet

        self.path = path
        with pyarrow.parquet.ParquetFile(path) as file:
            self.rows = file.metadata.num_rows
            self.schema = file.schema_arrow
            self._leaves: dict[str, list[tuple[int, int]]] = {}
            for i in range(file.metadata.num_row_groups):
                group = file.metadata.row_group(i)
                for j in range(group.num_columns):
                    leaf = group.column(j)
                    size = (leaf.num_values, leaf.total_uncompressed_size)
                    self._leaves.setdefault(leaf.path_in_schema, []).append(size)
        if len(set(self.schema.names)) != len(self.schema.names):
            raise InputError(f"{path} has two columns of one name; rename one")
        self.columns = [
            Column(field.name, place, self._kind(field)) for place, field in enumerate(self.schema)
        ]

    def _kind(self, field) -> str:
        import pyarrow.types as types

        kind = field.type
        if types.is_floating(kind) or types.is_integer(kind) or types.is_decimal(kind):
            return "number"
        if _numbers_inside(kind) is not None:
            return "vector"
        if types.is_dictionary(kind):
            kind = kind.value_type
        if _is(kind, _TEXTS):
            first = self._first_text(field.name)
            if "\ufffd" in (first or ""):  # bytes, such as of an image
                return "other"
            return "vector" if first is not None and cells.looks_like_vector(first) else "text"
        return "empty" if types.is_null(kind) else "other"

    def _first_text(self, name: str) -> str | None:
        for piece in self._pieces(name, largest=1):
            for value in piece.to_pylist():
                if value is not None:
                    return _as_text(value)
            break
        return None

    def _sizes(self, name: str) -> list[tuple[int, int]]:
        inside = (sizes for leaf, sizes in self._leaves.items() if f"{leaf}.".startswith(f"{name}."))
        return [size for sizes in inside for size in sizes]

    def _pieces(self, name: str, *, largest: int = 65_536):
        """A column in pieces of so few rows that each fits, whatever its values are encoded as."""
        import pyarrow.parquet

        # no value is longer than what all are encoded in
        longest = max((size for _, size in self._sizes(name)), default=1)
        rows = max(1, min(largest, _PIECE // max(longest, 1)))
        with pyarrow.parquet.ParquetFile(self.path) as file:
            for batch in file.iter_batches(batch_size=rows, columns=[name], use_threads=False):
                yield batch.column(batch.schema.get_field_index(name))

    def read(self, groups: dict[str, list[Column]], names: dict[str, Column]) -> tuple[dict, dict]:
        """The matrices of groups of columns, and the names of rows; see `TextTable.read`."""
        wanted = {column.name for columns in groups.values() for column in columns}
        check_size(8 * sum(values for name in wanted for values, _ in self._sizes(name)), self.path)
        matrices = {key: self._matrix(columns) for key, columns in groups.items()}
        return matrices, {key: tuple(self._texts(column.name)) for key, column in names.items()}

    def _texts(self, name: str) -> list[str]:
        found, size = [], 0
        for piece in self._pieces(name):
            size += piece.get_total_buffer_size() if not hasattr(piece, "dictionary") else _spelt_out(piece)
            check_size(size, self.path)
            found += [_as_text(value) for value in piece.to_pylist()]
        return found

    def _matrix(self, columns: list[Column]) -> np.ndarray:
        if len(columns) == 1 and columns[0].kind == "vector":
            return self._vectors(columns[0])
        matrix = np.empty((self.rows, len(columns)))
        for j, column in enumerate(columns):
            matrix[:, j] = self._numbers(column)
        return matrix

    def _numbers(self, column: Column) -> np.ndarray:
        if column.kind != "number":
            for row, text in enumerate(self._texts(column.name), start=1):
                if not cells.is_number(text):
                    raise InputError(f"{self.path}: row {row}, {column.where}: {text[:40]!r} is not a number")
            return np.array([float(text) for text in self._texts(column.name)])
        values = np.concatenate([_floats(piece) for piece in self._pieces(column.name)] or [np.empty(0)])
        bad = ~np.isfinite(values)
        if bad.any():
            row = int(bad.argmax())
            raise InputError(
                f"{self.path}: row {row + 1}, {column.where}: {values[row]} is not a number (or missing)"
            )
        return values

    def _vectors(self, column: Column) -> np.ndarray:
        field = self.schema.field(column.name)
        if _numbers_inside(field.type) is None:
            return self._spelt_vectors(column)
        blocks, width = [], None
        ragged = InputError(
            f"{self.path}: the lists of column {column.name!r} must all have one length, and none be missing"
        )
        for piece in self._pieces(column.name):
            flat, lengths = _flattened(piece)
            if lengths is None:
                raise InputError(
                    f"{self.path}: the rows of column {column.name!r} hold matrices, and a vector is wanted in each"
                )
            if piece.null_count or len({*lengths} | ({width} - {None})) > 1:
                raise ragged
            if len(lengths):
                width = int(lengths[0])
                blocks.append(_floats(flat).reshape(len(lengths), width))
        if not blocks or not width:
            raise ragged
        matrix = np.concatenate(blocks)
        bad = ~np.isfinite(matrix).all(axis=1)
        if bad.any():
            row = int(bad.argmax())
            place = int((~np.isfinite(matrix[row])).argmax())
            raise InputError(
                f"{self.path}: row {row + 1}, {column.where}, number {place + 1}: {matrix[row, place]} is not a number (or missing)"
            )
        return matrix

    def _spelt_vectors(self, column: Column) -> np.ndarray:
        rows: list[np.ndarray] = []
        for text in self._texts(column.name):
            try:
                rows.append(np.array(cells.vector(text)))
            except ValueError as fault:
                raise InputError(
                    f"{self.path}: row {len(rows) + 1}, {column.where}: {text[:40]!r}: {fault}"
                ) from None
            if len(rows[-1]) != len(rows[0]):
                raise InputError(
                    f"{self.path}: the lists of column {column.name!r} must all have one length, and none be missing; row "
                    f"{len(rows)} has {len(rows[-1])} numbers, and the first {len(rows[0])}"
                )
        return np.stack(rows)


def _storage(kind):
    return getattr(kind, "storage_type", kind)


def _is(kind, names: tuple[str, ...]) -> bool:
    """Whether a type is one of these, of which older versions of pyarrow lack some."""
    import pyarrow.types as types

    return any(getattr(types, f"is_{name}")(kind) for name in names if hasattr(types, f"is_{name}"))


def _numbers_inside(kind):
    """The type of the numbers in (nested) lists, or None."""
    import pyarrow.types as types

    kind, depth = _storage(kind), 0
    while _is(kind, _LISTS):
        kind, depth = kind.value_type, depth + 1
    return kind if depth and (types.is_floating(kind) or types.is_integer(kind)) else None


def _flattened(piece):
    """All numbers of lists, and the length of each; None for the lengths where a row has several lists."""
    import pyarrow.compute

    shape = getattr(piece.type, "shape", None)
    piece = getattr(piece, "storage", piece)
    count = len(piece)
    if shape is not None and sum(size > 1 for size in shape) > 1:
        return piece, None
    lengths = None
    while _is(piece.type, _LISTS):
        if piece.null_count:
            return piece, [-1, 0]
        here = pyarrow.compute.list_value_length(piece).to_pylist()
        if _is(piece.type.value_type, _LISTS) and any(size != 1 for size in here):
            return piece, None
        lengths, piece = here, piece.flatten()
    assert lengths is not None and count == len(lengths)
    return piece, lengths


def _floats(values) -> np.ndarray:
    import pyarrow.types as types

    if types.is_decimal(values.type):
        values = values.cast("double")
    return np.asarray(values.to_numpy(zero_copy_only=False)).astype(np.float64)


def _spelt_out(piece) -> int:
    lengths = [len(value or "") for value in piece.dictionary.to_pylist()]
    return sum(lengths[i] for i in piece.indices.to_pylist() if i is not None)


def _as_text(value) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return "" if value is None else str(value)
