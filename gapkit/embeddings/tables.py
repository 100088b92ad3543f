"""Files of embeddings as others write them, read into matrices by name; whatever is wrong with one is one clear line.

Pickled arrays are never unpacked, and what is far larger in memory than on the disk is refused.
"""

import re
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gapkit._files import check_regular
from gapkit.embeddings import layout as text
from gapkit.embeddings.archives import PICKLED, Table, check_sides, open_archive, read_archive, used_and_left
from gapkit.embeddings.columns import WORDS, Column, find_groups, id_columns, listed, name_column, pick
from gapkit.embeddings.detection import describe
from gapkit.embeddings.layout import TableOptions
from gapkit.embeddings.parquet import ParquetTable
from gapkit.errors import InputError, refuse_as_damaged

_MOST_EMPTY = 10_000
_HINTS = {
    **dict.fromkeys((".pt", ".pth", ".pkl", ".pickle", ".joblib"), "such files can run code"),
    **dict.fromkeys((".gz", ".zip", ".xz", ".bz2", ".zst"), "unpack it first"),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "save the sheet as CSV"),
}


def read_table(
    path: Path,
    sides: Sequence[str] = ("images", "texts"),
    *,
    keys: dict[str, str | None] | None = None,
    options: TableOptions | None = None,
    labels: bool = True,
) -> Table:
    """The sides of a file: ``.npy``, ``.npz``, ``.safetensors``, ``.parquet``, or a table of text.

    Parameters
    ----------
    path : the file
    sides : which of "images" and "texts" it has
    keys : what the caller calls each side's matrix
    options : what the caller says of a table's layout
    labels : whether to look for labels

    Raises
    ------
    InputError
        If it is missing, damaged, pickled, far larger in memory than on the disk, has no coordinates, or could be read
        in two ways.
    """
    keys, options = {"images": None, "texts": None, **(keys or {})}, options or TableOptions()
    check_regular(path)
    ending = path.suffix.lower()
    if ending not in _READERS:
        hint = f" ({_HINTS[ending]})" if ending in _HINTS else ""
        raise InputError(f"{path} ends in none of {', '.join(_READERS)}{hint}; save it as one of them")
    read = _READERS[ending]
    if options.given and read in (_read_npy, read_archive):
        raise InputError(f"{options.given[0]} describes a table; {path} is none")
    if ending == ".parquet" and (foreign := [name for name in options.given if name != "--columns"]):
        raise InputError(f"{foreign[0]} describes a table of text; {path} is none")
    try:
        return read(path, tuple(sides), keys, options, labels)
    except InputError:
        raise
    except ImportError as fault:
        raise InputError(f'{path} needs the package {fault.name}; pip install "gapkit[parquet]"') from fault
    except Exception as fault:  # numpy, pyarrow and zipfile raise nearly everything
        reason = " ".join(str(fault).split())[:150] or type(fault).__name__
        if any(words in reason for words in ("allow_pickle", "Object arrays", "Python objects")):
            raise InputError(f"{path} {PICKLED}") from fault
        refuse_as_damaged(fault, f"cannot read {path}: {reason}")


def read_matrix(path: Path) -> np.ndarray:
    """The one matrix of a file, such as one of cosines: all of its columns of numbers.

    Raises
    ------
    InputError
        As `read_table`, or if the file has several.
    """
    read = _READERS.get(path.suffix.lower()) if path.is_file() else None
    key = None
    if read is read_archive:
        found = [name for name, array in open_archive(path).items() if len(array.shape) == 2]
        if len(found) != 1:
            raise InputError(f"{path} must hold one matrix; it has {listed(found)}")
        key = found[0]
    if read is _read_table:
        table = _table_of(path, TableOptions())
        if all(column.kind == "number" for column in table.columns):
            return table.read({"": table.columns}, {})[0][""]
    return read_table(path, ("images",), keys={"images": key}).matrices["images"]


class TextTable:
    """A table of text: ``columns`` as found, ``paths`` (places of texts that look like files), and ``notes``."""

    def __init__(self, path: Path, options: TableOptions) -> None:
        self.path, self.layout = path, describe(path, options)
        self.columns, self.paths, self.notes = self.layout.columns, self.layout.paths, self.layout.notes

    def read(self, groups: dict[str, list[Column]], names: dict[str, Column]) -> tuple[dict, dict]:
        """The matrices of groups of columns, and the names of rows.

        Raises
        ------
        InputError
            If a row has another number of cells, or a coordinate is not a number, with row and column.
        """
        values = {key: array("d") for key in groups}
        widths: dict[str, int] = {}
        texts: dict[str, list[str]] = {key: [] for key in names}
        width, announced, rows = self.layout.width, self.layout.announced, 0
        words = [column.place for column in self.columns if column.kind == "text"]
        for line, record in self._filled_records():
            rows += 1
            where = f"row {rows} (line {line})"
            if text.length(record, width) != width:
                what = f"{where} has {len(record)} cells, and the table {width} columns"
                raise InputError(f"{self.path}: {what}; mend the row, or say --separator")
            if any(self._holds_rows(record[place]) for place in words):
                what = f"{where} takes in the row below it, by a quotation mark that is not closed"
                raise InputError(f"{self.path}: {what}; delete the mark, or double it inside quotation marks")
            for key, columns in groups.items():
                found = self._coordinates(record, columns, where)
                if widths.setdefault(key, len(found)) != len(found):
                    what = f"the vectors of {columns[0].where} must all have one length, and none be missing"
                    counts = f"{where} has {len(found)} numbers, and the first {widths[key]}"
                    raise InputError(f"{self.path}: {what}; {counts}")
                values[key].extend(found)
            for key, column in names.items():
                texts[key].append(record[column.place].strip())
        if announced not in (None, rows):
            raise InputError(f"{self.path}: its first line announces {announced} rows, and it has {rows}")
        matrices = {key: np.frombuffer(flat, np.float64).reshape(rows, -1) for key, flat in values.items()}
        return matrices, {key: tuple(found) for key, found in texts.items()}

    def _holds_rows(self, cell: str) -> bool:
        """Whether a cell has, behind a line break or before one, the coordinates of another row."""
        if "\n" not in cell and "\r" not in cell:
            return False
        pieces = re.split(f"[\r\n{re.escape(self.layout.separator)}]", cell)
        numbers = sum(column.kind == "number" for column in self.columns)
        inside = sum(text.is_number(piece, self.layout.decimal) for piece in pieces)
        spelt = any(column.kind == "vector" for column in self.columns)
        opened = spelt and re.search(r"\[\s*[-+]?\d*\.\d", cell) is not None
        return numbers > 1 <= inside // numbers or opened

    def _filled_records(self) -> Iterator[tuple[int, list[str]]]:
        """The rows of data; raises where one among them is empty, or very many lines behind them."""
        layout = self.layout
        blank = hollow = None  # where a run of empty lines began, and the first empty line that may be a row
        for line, record in text.records(self.path, layout.encoding, layout.separator):
            if line < layout.first:
                continue
            if any(map(str.strip, record)) or (layout.width == 1 and record):
                if hollow is not None:
                    raise InputError(f"{self.path}: line {hollow} is empty; delete it, or fill it in")
                blank = None
                yield line, record
                continue
            blank = blank or line
            hollow = hollow or (line if record or layout.width == 1 else None)
            if line > blank + _MOST_EMPTY:
                raise InputError(f"{self.path}: {_MOST_EMPTY:,} empty lines from line {blank}; delete them")

    def _coordinates(self, record: list[str], columns: list[Column], where: str) -> list[float]:
        """The numbers in a record's cells, or those of its one vector."""
        cells, decimal, column = [record[c.place] for c in columns], self.layout.decimal, columns[0]
        try:
            return text.vector(cells[0]) if column.kind == "vector" else text.numbers(cells, decimal)
        except ValueError as fault:
            reason = str(fault) if str(fault) in (text.SHORTENED, text.MATRIX) else "is no vector"
        if column.kind != "vector":
            column = next(c for c in columns if not text.is_number(record[c.place], decimal))
            reason = "is not a number"
        shown = " ".join(record[column.place].split())
        shown = repr(shown if len(shown) <= 40 else f"{shown[:38]} …") if shown else "an empty cell"
        raise InputError(f"{self.path}: {where}, {column.where}: {shown} {reason}")


def _read_npy(path: Path, sides, keys, options, labels) -> Table:
    matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(matrix, np.ndarray):
        raise InputError(f"{path} is an archive of arrays; call it .npz")
    if len(sides) == 1:
        return Table({sides[0]: matrix})
    if matrix.ndim != 3 or matrix.shape[0] != 2:
        what = f"{path} holds one matrix of shape {matrix.shape}"
        raise InputError(f"{what}; name a second file with the texts, or bring one of shape (2, n, d)")
    return Table({"images": matrix[0], "texts": matrix[1]})


def _table_of(path: Path, options: TableOptions):
    return ParquetTable(path) if path.suffix.lower() == ".parquet" else TextTable(path, options)


def _read_table(path: Path, sides, keys, options, labels) -> Table:
    table = _table_of(path, options)
    if options.columns is not None and len(sides) > 1:
        raise InputError(f"--columns is for one side; {path} has both: use --image-key and --text-key")
    groups = find_groups(table.columns, path, options.columns)
    alone = len(sides) == 1
    if not alone and len(groups) == 1:
        raise InputError(f"{path} holds one matrix, {_range(*groups.values())}; name a second file of texts")
    first = next(iter(groups))
    sure = options.columns or (alone and keys[sides[0]] is None and len(groups) == 1 and len(first) < 2)
    used = {side: first if sure else pick([*groups], side, keys[side], path, alone=alone) for side in sides}
    check_sides(used, path)
    titles = {side: name_column(table.columns, side, alone=alone, paths=table.paths) for side in sides}
    names = {side: column for side, column in titles.items() if column is not None}
    taken = {column.place for group in used.values() for column in groups[group]}
    free = {str(column.name).lower(): column for column in table.columns if column.place not in taken}
    wanted = WORDS["labels"] if labels and sides == ("images",) else ()
    label = next((free[word] for word in wanted if word in free), None)
    asked = [column for column in id_columns(table.columns) if alone and column.place not in taken]
    named = names | {f"id {c.place}": c for c in asked} | ({"labels": label} if label else {})
    matrices, texts = table.read({side: groups[group] for side, group in used.items()}, named)
    found = np.array([word.removesuffix(".0") for word in texts.pop("labels")]) if label else None
    ids = {c.shown: tuple(text.removesuffix(".0") for text in texts.pop(f"id {c.place}")) for c in asked}
    taken |= {column.place for column in (*names.values(), *([label] if label else []))}
    left = [column.shown for column in table.columns if column.place not in taken and column.kind != "empty"]
    said = [f"{'' if alone else f'{side}: '}{_range(groups[group])}" for side, group in used.items()]
    said += [f"names{'' if alone else f' of {side}'} from {column.shown}" for side, column in names.items()]
    said += [f"labels from {label.shown}"] if label else []
    return Table(matrices, texts, found, used_and_left(path, [*said, *table.notes], left), ids)


def _range(columns) -> str:
    if len(columns) == 1:
        return f"vectors from {columns[0].shown}"
    return f"{len(columns)} columns, {columns[0].shown} to {columns[-1].shown}"


_READERS = {
    ".npy": _read_npy,
    **dict.fromkeys((".npz", ".safetensors"), read_archive),
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt", ".dat", ".parquet"), _read_table),
}
