"""A parquet file, of which only the columns that are wanted are read, and in pieces that fit into memory."""

from collections import defaultdict
from pathlib import Path

import numpy as np

from gapkit.embeddings.archives import check_size
from gapkit.embeddings.columns import Column
from gapkit.embeddings.layout import MATRIX, is_number, looks_like_vector, vector
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
            facts, self.schema = file.metadata, file.schema_arrow
        self.rows = facts.num_rows
        self._leaves: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for group in map(facts.row_group, range(facts.num_row_groups)):
            for leaf in map(group.column, range(group.num_columns)):
                self._leaves[leaf.path_in_schema].append((leaf.num_values, leaf.total_uncompressed_size))
        if len(set(self.schema.names)) != len(self.schema.names):
            raise InputError(f"{path} has two columns of one name; rename one")
        self.columns = [Column(field.name, j, self._kind(field)) for j, field in enumerate(self.schema)]

    def _kind(self, field) -> str:
        import pyarrow.types as types

        kind = field.type
        if types.is_floating(kind) or types.is_integer(kind) or types.is_decimal(kind):
            return "number"
        if _holds_vectors(kind):
            return "vector"
        if str(kind.value_type if types.is_dictionary(kind) else kind) in _TEXTS:
            first = self._first_text(field.name)
            if "\ufffd" in first:  # bytes, such as of an image
                return "other"
            return "vector" if looks_like_vector(first) else "text"
        return "empty" if types.is_null(kind) else "other"

    def _first_text(self, name: str) -> str:
        """The first of a column's first piece that is not missing."""
        piece = next(self._pieces(name, largest=1), None)
        return "" if piece is None else _as_text(next((v for v in piece.to_pylist() if v is not None), None))

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
            texts = [_as_text(value) for value in piece.to_pylist()]
            size += sum(map(len, texts))
            check_size(size, self.path)
            found += texts
        return found

    def _matrix(self, columns: list[Column]) -> np.ndarray:
        if vectors := columns[0].kind == "vector":
            read = self._vectors if _holds_vectors(self.schema.field(columns[0].name).type) else self._spelt
            matrix = read(columns[0])
        else:
            matrix = np.empty((self.rows, len(columns)))
            for j, column in enumerate(columns):
                matrix[:, j] = self._numbers(column)
        for row, j in np.argwhere(~np.isfinite(matrix)):
            where = f", number {j + 1}" if vectors else ""
            what = f"{matrix[row, j]} is not a number (or missing)"
            raise self._bad(columns[0 if vectors else j], row + 1, what, where)
        return matrix

    def _numbers(self, column: Column) -> np.ndarray:
        if column.kind != "number":
            texts = self._texts(column.name)
            if bad := next((row for row, text in enumerate(texts, start=1) if not is_number(text)), None):
                raise self._bad(column, bad, f"{texts[bad - 1][:40]!r} is not a number")
            return np.array([float(text) for text in texts])
        return np.concatenate([_floats(piece) for piece in self._pieces(column.name)] or [np.empty(0)])

    def _vectors(self, column: Column) -> np.ndarray:
        blocks, widths = [], set()
        for piece in self._pieces(column.name):
            flat, lengths = _flattened(piece)
            if lengths is None:
                raise InputError(f"{self.path}: column {column.name!r} {MATRIX}")
            widths |= {*lengths}
            if piece.null_count or len(widths) > 1:
                raise self._ragged(column)
            if lengths:
                blocks.append(_floats(flat).reshape(len(lengths), -1))
        if not any(widths):
            raise self._ragged(column)
        return np.concatenate(blocks)

    def _spelt(self, column: Column) -> np.ndarray:
        """Vectors that are written out as texts."""
        rows: list[list[float]] = []
        for text in self._texts(column.name):
            try:
                rows.append(vector(text))
            except ValueError as fault:
                raise self._bad(column, len(rows) + 1, f"{text[:40]!r}: {fault}") from None
            if len(rows[-1]) != len(rows[0]):
                counts = f"{len(rows[-1])} numbers, and the first {len(rows[0])}"
                raise self._ragged(column, f"; row {len(rows)} has {counts}")
        return np.array(rows)

    def _bad(self, column: Column, row, what: str, place: str = "") -> InputError:
        return InputError(f"{self.path}: row {row}, {column.where}{place}: {what}")

    def _ragged(self, column: Column, where: str = "") -> InputError:
        what = f"the lists of column {column.name!r} must all have one length, and none be missing"
        return InputError(f"{self.path}: {what}{where}")


def _is_list(kind) -> bool:
    return str(kind).partition("<")[0] in _LISTS


def _holds_vectors(kind) -> bool:
    """Whether a type is (nested) lists of numbers."""
    import pyarrow.types as types

    kind = inside = getattr(kind, "storage_type", kind)
    while _is_list(inside):
        inside = inside.value_type
    return inside is not kind and (types.is_floating(inside) or types.is_integer(inside))


def _flattened(piece):
    """All numbers of lists, and the length of each; None for the lengths where a row has several lists."""
    import pyarrow.compute

    if sum(size > 1 for size in getattr(piece.type, "shape", None) or ()) > 1:
        return piece, None
    piece, lengths = getattr(piece, "storage", piece), []
    while _is_list(piece.type):
        if piece.null_count:
            return piece, [-1, 0]
        lengths = pyarrow.compute.list_value_length(piece).to_pylist()
        if _is_list(piece.type.value_type) and any(size != 1 for size in lengths):
            return piece, None
        piece = piece.flatten()
    return piece, lengths


def _floats(values) -> np.ndarray:
    import pyarrow.types as types

    if types.is_decimal(values.type):
        values = values.cast("double")
    return np.asarray(values.to_numpy(zero_copy_only=False)).astype(np.float64)


def _as_text(value) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return "" if value is None else str(value)
