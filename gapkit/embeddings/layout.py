"""The layout of a table of text: what the caller says of it, what is known of it, and its records."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gapkit.embeddings.cells import is_whole
from gapkit.embeddings.columns import Column
from gapkit.errors import InputError

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}
MOST_COLUMNS, MOST_CHARACTERS = 65_536, 4_000_000


@dataclass(frozen=True)
class TableOptions:
    """What the caller says of a table; None and "auto" leave it to the detection.

    Attributes
    ----------
    header : "auto", "yes", "no", or the number of its line
    separator : a character, or comma, semicolon, tab, pipe, space
    decimal : "." or ","
    columns : names or places of the coordinates, FIRST..LAST, patterns with *
    """

    header: str | int = "auto"
    separator: str | None = None
    decimal: str | None = None
    columns: str | None = None

    def __post_init__(self) -> None:
        separator = self.separator
        if separator is not None:
            separator = SEPARATORS.get(separator, "\t" if separator == "\\t" else separator)
            if len(separator) != 1 or separator in "\"'\r\n0123456789+-.":
                raise InputError(
                    f"--separator must be one character, or {', '.join(SEPARATORS)}; got {self.separator!r}"
                )
            object.__setattr__(self, "separator", separator)
        marks = {None: None, ".": ".", ",": ",", "point": ".", "comma": ","}
        if self.decimal not in marks:
            raise InputError(f"--decimal must be . or ,; got {self.decimal!r}")
        object.__setattr__(self, "decimal", marks[self.decimal])
        header = str(self.header)
        if header not in ("auto", "yes", "no") and not (is_whole(header) and int(header[:9]) > 0):
            raise InputError(
                f"--header must be auto, yes, no, or the number of its line; got {self.header!r}"
            )
        object.__setattr__(self, "header", header)

    @property
    def given(self) -> list[str]:
        """The options that say something, as the command line calls them."""
        said = {"--header": self.header if self.header != "auto" else None, "--separator": self.separator,
                "--decimal": self.decimal, "--columns": self.columns}  # fmt: skip
        return [name for name, value in said.items() if value is not None]


@dataclass(frozen=True)
class Layout:
    """How a table of text is written.

    Attributes
    ----------
    separator, decimal, encoding : of the file
    header : line of the header, or None
    first : line of the first row of data
    width : cells in a row
    columns : what each holds
    paths : places of columns whose texts look like files
    announced : rows that a first line "n d" promises, or None
    notes : what is said about it
    """

    separator: str
    decimal: str
    encoding: str
    header: int | None
    first: int
    width: int
    columns: tuple[Column, ...]
    paths: tuple[int, ...] = ()
    announced: int | None = None
    notes: tuple[str, ...] = field(default=())


def encoding_of(path: Path) -> str:
    """UTF-8, or what the file's first bytes say."""
    with open(path, "rb") as file:
        start = file.read(4)
    return "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def records(path: Path, encoding: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Every record of the table with the number of its first line; empty lines are empty records."""
    last = 1

    def lines() -> Iterator[str]:
        with open(path, encoding=encoding, newline="") as file:
            number = 0
            while line := file.readline(MOST_CHARACTERS + 1):
                number += 1
                if len(line) > MOST_CHARACTERS:
                    raise InputError(f"{path}: line {number} has more than {MOST_CHARACTERS:,} characters")
                if separator != " " and line.count(separator) > 4 * MOST_COLUMNS:
                    raise InputError(f"{path}: line {number} has more than {MOST_COLUMNS:,} columns")
                if "\0" in line:
                    raise InputError(f"{path}: line {number} holds a zero byte; this is not a text table")
                yield line

    limit = csv.field_size_limit(MOST_CHARACTERS)
    try:
        if separator == " ":
            for number, line in enumerate(lines(), start=1):
                if "\t" in line or '"[' in line:
                    raise InputError(f"{path}: line {number} has tabs or quotation marks; say --separator")
                yield number, line.split()
            return
        reader = csv.reader(lines(), delimiter=separator, skipinitialspace=separator != "\t", strict=False)
        for record in reader:
            if len(record) > MOST_COLUMNS + 1:
                raise InputError(
                    f"{path}: line {last} has {len(record):,} columns; at most {MOST_COLUMNS:,} are read"
                )
            yield last, record
            last = reader.line_num + 1
    except csv.Error as fault:
        raise InputError(f"{path}: line {last} cannot be read: {fault}") from fault
    except UnicodeError as fault:
        raise InputError(f"{path} is not written in UTF-8 ({fault.reason}); save it as UTF-8") from fault
    finally:
        csv.field_size_limit(limit)


def length(record: list[str], width: int) -> int:
    """Cells of a record, without empty ones beyond the table's width, behind a trailing separator."""
    cells = len(record)
    while cells > width and not record[cells - 1].strip():
        cells -= 1
    return cells
