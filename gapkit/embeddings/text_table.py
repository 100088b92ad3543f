"""A table of text read strictly by its layout: a cell that is not a number ends it, with its row and column."""

from array import array
from pathlib import Path

import numpy as np

from gapkit.embeddings import cells
from gapkit.embeddings.columns import Column
from gapkit.embeddings.detection import describe
from gapkit.embeddings.layout import TableOptions, length, records
from gapkit.errors import InputError

_MOST_EMPTY = 10_000


class TextTable:
    """A table of text: ``columns`` as found, ``paths`` (places of texts that look like files), and ``notes``."""

    def __init__(self, path: Path, options: TableOptions) -> None:
        self.path, self.layout = path, describe(path, options)
        self.columns, self.paths = list(self.layout.columns), self.layout.paths
        self.notes = list(self.layout.notes)

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
        layout, rows = self.layout, 0
        empty: int | None = None
        blank: int | None = None
        for line, record in records(self.path, layout.encoding, layout.separator):
            if line < layout.first:
                continue
            if not any(map(str.strip, record)) and (layout.width > 1 or not record):
                blank = blank or line
                empty = empty or (line if record or layout.width == 1 else None)
                if line > blank + _MOST_EMPTY:
                    raise InputError(
                        f"{self.path}: more than {_MOST_EMPTY:,} lines from line {blank} on are empty; delete them"
                    )
                continue
            blank = None
            if empty is not None:
                raise InputError(
                    f"{self.path}: line {empty} is empty among the rows; delete it, or fill it in"
                )
            rows += 1
            if length(record, layout.width) != layout.width:
                raise InputError(
                    f"{self.path}: row {rows} (line {line}) has {len(record)} cells, and the table {layout.width} columns; mend "
                    "the row, or say --separator"
                )
            for key, columns in groups.items():
                if columns[0].kind == "vector":
                    found = self._vector(record, columns[0], rows, line)
                    if widths.setdefault(key, len(found)) != len(found):
                        raise InputError(
                            f"{self.path}: the vectors of {columns[0].where} must all have one length, and none be missing; "
                            f"row {rows} (line {line}) has {len(found)} numbers, and the first {widths[key]}"
                        )
                else:
                    found = self._numbers(record, columns, rows, line)
                values[key].extend(found)
            for key, column in names.items():
                texts[key].append(record[column.place].strip())
        if layout.announced is not None and layout.announced != rows:
            raise InputError(
                f"{self.path}: its first line announces {layout.announced} rows, and it has {rows}"
            )
        matrices = {
            key: np.frombuffer(numbers, np.float64).reshape(rows, -1) for key, numbers in values.items()
        }
        return matrices, {key: tuple(found) for key, found in texts.items()}

    def _numbers(self, record: list[str], columns: list[Column], row: int, line: int) -> list[float]:
        try:
            return cells.numbers([record[column.place] for column in columns], self.layout.decimal)
        except ValueError:
            for column in columns:
                try:
                    cells.numbers([record[column.place]], self.layout.decimal)
                except ValueError:
                    raise self._bad(record[column.place], column, row, line, "not a number") from None
            raise

    def _vector(self, record: list[str], column: Column, row: int, line: int) -> list[float]:
        cell = record[column.place]
        try:
            return cells.vector(cell)
        except ValueError as fault:
            reason = str(fault)
            known = reason in (cells.SHORTENED, cells.MATRIX)
            raise self._bad(cell, column, row, line, reason if known else "no vector") from None

    def _bad(self, cell: str, column: Column, row: int, line: int, reason: str) -> InputError:
        shown = " ".join(cell.split())
        shown = repr(shown if len(shown) <= 40 else f"{shown[:38]} …") if shown else "an empty cell"
        verb = "" if reason.startswith(("was", "holds")) else "is "
        return InputError(f"{self.path}: row {row} (line {line}), {column.where}: {shown} {verb}{reason}")
