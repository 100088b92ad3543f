"""How a table of text is written: what the caller says of it, what is known of it, its records, and its cells.

Cells are taken strictly, nothing is repaired: what Python would read as a number and people would not (``1_000``,
``infinity``) is none.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot, isfinite
from pathlib import Path

from gapkit.errors import InputError

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}
MOST_COLUMNS, MOST_CHARACTERS = 65_536, 4_000_000
SHORTENED = "was shortened by numpy (…) and its numbers are lost; write it again with all numbers"
MATRIX = "holds several vectors, and one is wanted in a row"
_MOST = 2_000_000  # characters of a vector: those of 65,536 long numbers
_DIGITS = r"\s*[+-]?(\d+(MARK\d*)?|MARK\d+)([eE][+-]?\d+)?\s*"
_NUMBER = {mark: re.compile(_DIGITS.replace("MARK", re.escape(mark)), re.ASCII) for mark in ".,"}
_WRAPPED = re.compile(r"(?:np\.|numpy\.|torch\.|jnp\.)?(?:tensor|array|Array)\((.*)\)", re.DOTALL)
_DETAILS = re.compile(r",\s*(?:dtype|device|requires_grad|grad_fn|shape)\s*=.*", re.DOTALL)
_SINGLE = re.compile(r"(?:(?:np|numpy|torch)\.)?(?:float(?:16|32|64)|bfloat16|tensor)\(([^()\[\]]*)\)")
_PAIRS = {"[": "]", "(": ")", "{": "}"}


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
        sign = {**SEPARATORS, "\\t": "\t"}.get(self.separator, self.separator)
        if sign is not None and (len(sign) != 1 or sign in "\"'\r\n0123456789+-."):
            raise InputError(f"--separator must be one character, or {', '.join(SEPARATORS)}; got {sign!r}")
        mark = {"point": ".", "comma": ","}.get(self.decimal, self.decimal)
        if mark not in (None, ".", ","):
            raise InputError(f"--decimal must be . or ,; got {self.decimal!r}")
        header = str(self.header)
        if header not in ("auto", "yes", "no") and not (is_whole(header) and int(header[:9]) > 0):
            raise InputError(f"--header must be auto, yes, no, or a line's number; got {self.header!r}")
        for name, value in {"separator": sign, "decimal": mark, "header": header}.items():
            object.__setattr__(self, name, value)

    @property
    def given(self) -> list[str]:
        """The options that say something, as the command line calls them."""
        said = vars(self) | {"header": None if self.header == "auto" else self.header}
        return [f"--{name}" for name, value in said.items() if value is not None]


def encoding_of(path: Path) -> str:
    """UTF-8, or what the file's first bytes say."""
    with open(path, "rb") as file:
        return "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _lines(path: Path, encoding: str, separator: str) -> Iterator[str]:
    with open(path, encoding=encoding, newline="") as file:
        for number, line in enumerate(iter(lambda: file.readline(MOST_CHARACTERS + 1), ""), start=1):
            if len(line) > MOST_CHARACTERS:
                raise InputError(f"{path}: line {number} has more than {MOST_CHARACTERS:,} characters")
            if separator != " " and line.count(separator) > 4 * MOST_COLUMNS:
                raise InputError(f"{path}: line {number} has more than {MOST_COLUMNS:,} columns")
            if "\0" in line:
                raise InputError(f"{path}: line {number} holds a zero byte; this is not a text table")
            yield line


def records(path: Path, encoding: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Every record of the table with the number of its first line; empty lines are empty records."""
    last, lines = 1, _lines(path, encoding, separator)
    limit = csv.field_size_limit(MOST_CHARACTERS)
    try:
        if separator == " ":
            for number, line in enumerate(lines, start=1):
                if "\t" in line or '"[' in line:
                    raise InputError(f"{path}: line {number} has tabs or quotation marks; say --separator")
                yield number, line.split()
            return
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=separator != "\t", strict=False)
        for record in reader:
            if len(record) > MOST_COLUMNS + 1:
                raise InputError(f"{path}: line {last} has more than {MOST_COLUMNS:,} columns")
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


def is_number(cell: str, decimal: str = ".") -> bool:
    """Whether a cell is a finite number, written with this decimal mark."""
    written = _NUMBER[decimal].fullmatch(cell) is not None
    return written and isfinite(float(cell.replace(",", ".")))


def is_whole(cell: str) -> bool:
    """Whether a cell is a plain whole number without a sign, as in a header that counts."""
    return cell.strip().isdecimal() and cell.isascii()


def count_in_parts(cells: list[str]) -> bool:
    """Whether cells count several times from the start, as names of tables side by side: 0, 1, 2, 0, 1, 2 (0.1, 1.1, 2.1)."""
    whole = [re.sub(r"\.[1-9]$", "", cell) for cell in cells]
    starts = [i for i, cell in enumerate(whole) if cell == whole[0]]
    parts = [whole[i:j] for i, j in pairwise([*starts, len(cells)])]
    return cells[:2] == whole[:2] and len(parts) > 1 and all(len(p) > 1 and counts(p) for p in parts)


def is_unit(cells: list[str]) -> bool:
    """Whether a row of numbers has length 1, but for rounding."""
    try:
        return abs(hypot(*(float(cell.replace(",", ".")) for cell in cells)) - 1) < 0.01
    except ValueError:
        return False


def counts(cells: list[str]) -> bool:
    """Whether cells are consecutive whole numbers, all written without a point or all with ``.0``."""
    if all(cell.endswith(".0") for cell in cells):
        cells = [cell[:-2] for cell in cells]
    return all(map(is_whole, cells)) and all(int(b) == int(a) + 1 for a, b in pairwise(cells))


def numbers(cells: Sequence[str], decimal: str = ".") -> list[float]:
    """The numbers in cells; ValueError if one is none."""
    text = "\t".join(cells)
    if decimal == ",":
        if "." in text:
            raise ValueError("a point beside decimal commas")
        cells = text.replace(",", ".").split("\t")
    values = [] if "_" in text or not text.isascii() else list(map(float, cells))
    if not values or not all(map(isfinite, values)):
        raise ValueError("no finite number")
    return values


def looks_like_vector(cell: str) -> bool:
    """Whether a cell is several numbers: in brackets, or at least three with one separator."""
    try:
        return bool(vector(cell))
    except ValueError as fault:
        return str(fault) in (SHORTENED, MATRIX)  # such a one, but of no use


def is_cut(cell: str) -> bool:
    """Whether a cell looks like a piece of a vector in brackets that was cut at its commas."""
    text = cell.strip().strip('"').strip()
    opened = bool(re.match(r"[\[({]+\s*[-+.\d]", text)) and not re.search(r"[\])}]", text)
    return opened or (bool(re.search(r"\d\.?\s*[\])}]+$", text)) and not re.search(r"[\[({]", text))


def vector(cell: str) -> list[float]:
    """The numbers of a vector in a cell: ``[0.1, 0.2]``, ``[0.1 0.2]``, ``(…)``, ``{…}``, ``tensor([…])``, or without
    brackets if there are at least three; ValueError with the reason if it is none.
    """
    text = cell.strip()
    if len(text) > _MOST:
        raise ValueError("no vector")
    if wrapped := _WRAPPED.fullmatch(text):
        text = _DETAILS.sub("", wrapped[1]).strip().rstrip(",").strip()
    if "(" in text[1:]:
        text = _SINGLE.sub(r"\1", text)
    behind = text.lstrip("[({ \t\r\n")
    opened = "".join(text[: len(text) - len(behind)].split())
    if opened:
        text = behind.rstrip("])}, \t\r\n")
        closed = "".join(_PAIRS[sign] for sign in reversed(opened))
        if re.sub(r"[\s,]", "", behind[len(text) :]) != closed or behind.endswith(","):
            raise ValueError("no vector")
    if "..." in text or "…" in text:
        raise ValueError(SHORTENED if opened and re.search(r"\d", text) else "no vector")
    if len(opened) > 1 and re.search(r"[\])}].*[\[({]", text, re.DOTALL) and re.search(r"\d", text):
        raise ValueError(MATRIX)
    values = _split(text)
    if not opened and len(values) < 3:
        raise ValueError("no vector")
    return values


def _split(text: str) -> list[float]:
    separator = next((sign for sign in ";|," if sign in text), None)
    if separator == ",":
        gaps = {bool(gap) for gap in re.findall(r",(\s*)", text)}
        if len(gaps) > 1 and not re.search(r"[.eE]", text):
            raise ValueError("commas that may be decimal marks")  # [0,1, 0,2]
    return numbers(text.split(separator), "," if separator == ";" and "," in text else ".")
