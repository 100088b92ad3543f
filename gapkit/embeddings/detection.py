"""How a table of text is written, found from its first lines with the evidence for it.

Whoever reads the table afterwards reads it by this description and guesses nothing. What could be read in two ways is
an error that names the option which says it.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from gapkit.embeddings import layout as text
from gapkit.embeddings.columns import MISSING, Column, could_be_names, is_title, listed
from gapkit.embeddings.layout import SEPARATORS, TableOptions
from gapkit.errors import InputError

_SAMPLE_LINES, _SAMPLE_CHARACTERS, _MOST_BEFORE = 300, 4_000_000, 50
_CUT = re.compile(r"^[-+]?\d*\.?\d+\s*[,;|\t]|[,;|\t]\s*[-+]?\d*\.?\d+([eE][-+]?\d+)?$")
_SIGNS = {sign: name for name, sign in SEPARATORS.items()}
_FILES = re.compile(r"\.(jpe?g|png|webp|gif|bmp|tiff?|npy|pt|mp4|wav|jfif|avif|heic)$", re.IGNORECASE)


def describe(path: Path, options: TableOptions) -> "Layout":
    """The layout of a table, from what the caller says and the first lines.

    Raises
    ------
    InputError
        If there is no table, or it can be read in two ways; the message names the option that says which.
    """
    encoding = text.encoding_of(path)
    excel = _excel_separator(path, encoding)
    said = options.separator or excel
    ways: list[Layout] = []
    faults: list[InputError] = []
    for separator in [said] if said else SEPARATORS.values():
        try:
            way = Layout(path, encoding, separator, options, skipped=0 if excel is None else 1)
            if way.covered > 0 and not any(way.rows == other.rows for other in ways):
                ways.append(way)
        except InputError as fault:
            faults.append(fault)
    if not ways:
        say = f"say --separator ({', '.join(SEPARATORS)}, or another), --header or --decimal"
        nothing = f"{path} has no columns of numbers that could be coordinates in its first lines; {say}"
        raise [*faults, InputError(nothing)][0]
    ways.sort(key=lambda way: -way.covered)
    if len(ways) > 1 and ways[1].covered > 0.8 * ways[0].covered:
        signs = [_SIGNS[way.separator] for way in ways]
        raise InputError(f"{path} can be read in {len(signs)} ways; say --separator {'|'.join(signs)}")
    ways[0].settle()
    return ways[0]


def _excel_separator(path: Path, encoding: str) -> str | None:
    """What Excel's own first line ``sep=;`` says."""
    try:
        with open(path, encoding=encoding) as file:
            match = re.fullmatch(r'"?sep=(.)"?\s*', file.readline(20))
    except UnicodeError:
        return None
    return match[1] if match else None


class Layout:
    """One way of reading a table: with one separator. It is whole once it is settled.

    Attributes
    ----------
    separator, decimal, encoding : of the file
    first : line of the first row of data
    width : cells in a row
    columns : what each holds
    paths : places of columns whose texts look like files
    announced : rows that a first line "n d" promises, or None
    notes : what is said about it
    """

    def __init__(
        self, path: Path, encoding: str, separator: str, options: TableOptions, skipped: int
    ) -> None:
        self.path, self.encoding, self.separator, self.options = path, encoding, separator, options
        sample, characters = [], 0
        for line, record in text.records(path, encoding, separator):
            if line > skipped:
                sample.append((line, record))
            characters += sum(map(len, record)) + len(record)
            if cut := len(sample) > _SAMPLE_LINES or characters > _SAMPLE_CHARACTERS:
                break
        filled = [(line, record) for line, record in sample if any(map(str.strip, record))]
        if not filled:
            raise InputError(f"{path} has nothing in {'its first lines' if sample and cut else 'it'}")
        counts = Counter(len(record) for _, record in filled)
        self.width = next(len(r) for _, r in reversed(filled) if counts[len(r)] == max(counts.values()))
        usual = [record for _, record in filled if len(record) == self.width]
        while self.width > 1 and not any(record[self.width - 1].strip() for record in usual):
            self.width -= 1  # every row ends in a separator
        self.hollow = [line for line, record in sample if record and line < filled[0][0]]
        start = next(i for i, (_, record) in enumerate(filled) if self._length(record) == self.width)
        self.before, self.filled = filled[:start], filled[start:]
        self.rows = [record for _, record in filled]
        body = [self._padded(record) for _, record in self.filled if self._length(record) == self.width]
        data = body[1:] or body
        if any(text.is_cut(cell) for record in data[:20] for cell in record):
            raise InputError(f"{path}: vectors in brackets are cut at commas; quote them, or say --separator")
        self.kinds = [self._kind([record[j] for record in data]) for j in range(self.width)]
        for j, cells in enumerate(zip(*data, strict=True)):
            if self.kinds[j] == "text" and all(map(_CUT.search, cells)):
                what = f"column {j + 1} holds a number behind another separator ({cells[0][:40]})"
                raise InputError(f"{path}: {what}; say --separator")
        self.covered = self._covered(data)
        self.data, self.body = data if body[1:] else [], body

    def _length(self, record: list[str]) -> int:
        return text.length(record, self.width)

    def _padded(self, record: list[str]) -> list[str]:
        return record[: self.width] + [""] * (self.width - len(record))

    def _kind(self, cells: list[str]) -> str:
        filled = [cell for cell in cells if cell.strip()]
        if not filled:
            return "empty"
        if 2 * max(sum(text.is_number(cell, mark) for cell in filled) for mark in ".,") >= len(filled):
            return "number"
        spelt = [cell for cell in filled if text.looks_like_vector(cell)]
        sure = spelt and (self.width > 1 or self.separator in spelt[0] or spelt[0].strip()[0] in "[({tanj")
        return "vector" if sure and 2 * len(spelt) >= len(filled) else "text"

    def _covered(self, data: list[list[str]]) -> float:
        """Which part of the characters are numbers."""
        held = [j for j, kind in enumerate(self.kinds) if kind in ("number", "vector")]
        inside = sum(len(record[j]) for record in data for j in held)
        outside = sum(len(cell) + 1 for record in data for cell in record)
        useful = self.kinds.count("number") > 1 or "vector" in self.kinds
        words = self.separator == " " and {*self.kinds[1:]} - {"number"}
        return inside / outside if (useful and not words) or self.options.separator else 0.0

    def settle(self) -> None:
        """Decide the rest; raises where the decimal mark or the header could be two things."""
        path, self.decimal = self.path, self._decimal()
        header, self.first, names = self._header(self.decimal)
        self.announced = self._check_before(header)
        body = (record for line, record in self.filled if line >= self.first)
        rows = [self._padded(record) for record in body if self._length(record) == self.width]
        if not rows:
            raise InputError(f"{path} has no row below its header")
        self.columns = [self._column(j, names, rows, self.decimal) for j in range(self.width)]
        if header is None and names is None:
            self._check_split_decimals(self.columns, rows)
        texts = (column.place for column in self.columns if column.kind == "text")
        self.paths = [place for place in texts if _all_files(row[place] for row in rows)]
        self.notes = [f"header in line {header}" if header is not None else "no header"]
        self.notes += [f"separator {_SIGNS.get(self.separator, self.separator)}"] if self.width > 1 else []
        self.notes += ["decimal comma"] if self.decimal == "," else []
        if self.hollow and self.width == 1:
            raise InputError(f"{path}: line {self.hollow[0]} holds an empty cell; delete it, or fill it in")
        if self.hollow:
            self.notes.append(f"left out: empty cells in line {listed(self.hollow)}")
        if self.before:
            lines = (f"line {line} ({self.separator.join(record)[:40]})" for line, record in self.before)
            self.notes.append(f"left out before the table: {listed(lines)}")

    def _column(self, j: int, names, rows: list[list[str]], decimal: str) -> Column:
        kind = self._kind([row[j] for row in rows])
        whole, most = False, 0.0
        if kind == "number":
            values = [float(row[j].replace(",", ".")) for row in rows if text.is_number(row[j], decimal)]
            whole = all(value.is_integer() for value in values)
            most = max(map(abs, values), default=0.0)
        missing = kind == "text" and any(row[j].strip().lower() in MISSING for row in rows)
        return Column(None if names is None else names[j], j, kind, whole, most, missing)

    def _decimal(self) -> str:
        """The decimal mark that the numbers show; asks where they show both, or what may be thousands."""
        if self.options.decimal is not None:
            return self.options.decimal
        places = [j for j, kind in enumerate(self.kinds) if kind == "number"]
        cells = [record[j].strip() for record in self.body for j in places]
        commas = [cell for cell in cells if "," in cell and text.is_number(cell, ",")]
        dots = [cell for cell in cells if "." in cell and text.is_number(cell)]
        if commas and dots:
            raise InputError(f"{self.path} has decimals like {commas[0]} and like {dots[0]}; say --decimal")
        if commas and all(re.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+", cell) for cell in commas):
            raise InputError(f"{self.path}: is {commas[0]} a decimal comma? Say --decimal , or .")
        return "," if commas else "."

    def _check_split_decimals(self, columns, rows) -> None:
        if self.separator != "," or self.options.decimal is not None:
            return
        numbers = [column.place for column in columns if column.kind == "number"]
        cells = (row[j].strip() for row in rows[:50] for j in numbers)
        cut = next((f"cells such as {c} look" for c in cells if re.fullmatch(r"-0|[+-]?0\d+", c)), None)
        if len(columns) > 2 and len(columns) % 2 == 0 and all(column.whole for column in columns):
            signs = [any(row[j].lstrip().startswith("-") for row in rows) for j in numbers]
            if any(signs[::2]) and not any(signs[1::2]):
                cut = cut or "columns of which every second has no sign look"
        if cut:
            say = "write the table with semicolons, or say --decimal . if they are whole numbers"
            raise InputError(f"{self.path}: {cut} like decimal commas cut at the separator; {say}")

    def _check_before(self, header: int | None) -> int | None:
        """Whether the lines before the table can be left out; how many rows they announce."""
        if header is not None and str(header) == self.options.header:
            return None
        if len(self.before) > _MOST_BEFORE:
            raise InputError(f"{self.path} has no table in its first {_MOST_BEFORE} lines; say --header LINE")
        announced, wide = None, self.kinds.count("number")
        for line, record in self.before:
            cells = [cell.strip() for cell in record if cell.strip()]
            words = " ".join(cells).split()
            if len(self.before) == 1 and [*map(text.is_whole, words)] == [True] * 2 and int(words[1]) == wide:
                announced = int(words[0])  # as word2vec does
                continue
            kinds = text.is_number, lambda c: text.is_number(c, ","), text.looks_like_vector
            numeric = sum(any(is_kind(c) for is_kind in kinds) for c in cells)
            like_row = 2 * numeric > len(cells) or len(cells) > self.width or numeric > 2
            if like_row and not record[0].lstrip().startswith(("#", "%", "//")):
                what = f"{self.path}: line {line} has {len(record)} cells and the table {self.width}"
                raise InputError(f"{what}; mend or delete it, or say where the header is: --header LINE")
        return announced

    def _header(self, decimal: str) -> tuple[int | None, int, list[str] | None]:
        """The header's line or None, the line where the data begin, and the columns' names."""
        said = self.options.header
        if said.isdecimal():
            self._begin_in_line(int(said))
        elif self.before and (short := self._short_header(said, decimal)) is not None:
            number, names = short
            self.before = self.before[:-1]
            return number, number + 1, names
        (line, record), second = self.filled[0], self.filled[1:2]
        cells = [cell.strip() for cell in self._padded(record)]
        if said == "no" or (said == "auto" and not self._is_header(cells, decimal, line)):
            return None, line, None
        if not second:
            raise InputError(f"{self.path} has no row below its header in line {line}")
        if cells[0].startswith("#"):
            cells[0] = cells[0].lstrip("# ")
        return line, line + 1, cells

    def _begin_in_line(self, wanted: int) -> None:
        """Let the table begin with the header that the caller has named."""
        everything = self.before + self.filled
        start = next((i for i, (line, _) in enumerate(everything[:-1]) if line == wanted), None)
        if start is None:
            raise InputError(f"{self.path} has no header with rows below in line {wanted}; say --header LINE")
        self.before, self.filled = everything[:start], everything[start:]
        if self._length(record := self.filled[0][1]) > self.width:
            raise InputError(f"{self.path}: line {wanted} has {len(record)} cells, and the rows {self.width}")

    def _short_header(self, said: str, decimal: str) -> tuple[int, list[str]] | None:
        """A header with one cell less than the rows: as R writes it, whose rows have names and no title for them."""
        line, record = self.before[-1]
        cells = [cell.strip() for cell in record]
        if said == "no" or self._length(record) != self.width - 1 or text.is_number(cells[0], decimal):
            return None
        firsts = [row[0].strip() for row in self.body]
        counted = firsts[0] in ("0", "1") and text.counts(firsts)
        named = not any(text.is_number(cell, decimal) or not cell for cell in firsts) and len(cells) > 1
        twice = "" in cells or len(set(cells)) < len(cells)
        if twice or {c.lower() for c in cells} & MISSING or not (named or counted):
            what = f"{self.path}: line {line} has {len(cells)} cells and the rows {self.width}"
            say = "Add it, or delete the line and say --header no and --columns FIRST..LAST"
            raise InputError(f"{what}; which column has no name? {say}")
        return line, ["", *cells]

    def _is_header(self, cells: list[str], decimal: str, line: int) -> bool:
        """Whether the first row has names, where that is certain; elsewhere it asks."""
        what = f"{self.path}: is line {line} ({listed(cells)[:60]}) a header or a row of data?"
        unsure = InputError(f"{what} Say --header yes or --header no")
        index = not cells[0] and len(cells) > 1 and self._is_index()
        places = [j for j, kind in enumerate(self.kinds) if kind in ("number", "vector") and (j or not index)]
        given = [cells[j] for j in places]
        inside = [text.is_number(c, decimal) or text.is_number(c) or text.looks_like_vector(c) for c in given]
        if not self.data:  # a single row
            if inside and all(inside) and not (all(text.is_whole(c) for c in given) and len(given) > 1):
                return False
            raise unsure
        names = [cell for cell, number in zip(given, inside, strict=True) if not number]
        values = [cell for cell, number in zip(given, inside, strict=True) if number]
        titles = [cell for j, cell in enumerate(cells) if j not in places]
        files = [cells[j] for j in range(self.width) if _all_files(row[j] for row in self.data)]
        if any(map(_FILES.search, files)):  # a file is named, as in the rows of data
            if names:
                raise unsure
            return False
        told = bool(files) or index or any(map(is_title, [*titles, *names]))
        if names:
            counted = not values or (len(values) > 1 and text.counts(values))
            if could_be_names(names) and counted and (told or len(names) > 1):
                return True
            raise unsure
        numbers = [float(c.replace(",", ".")) if text.is_number(c, decimal) else math.nan for c in values]
        once = len(set(values)) == len(values) and all(number.is_integer() for number in numbers)
        if not (once or text.count_in_parts(values)) or any(c.startswith("-") for c in values):
            if not files:
                return False
            raise unsure
        rows = [[row[j] for j in places] for row in self.data]
        unit = len(rows) > 1 and all(text.is_unit(row) for row in rows)
        if unit and text.is_unit(values) and not text.counts(values):
            return False
        if text.counts(values) and (told or (unit and not text.is_unit(values))):
            return True
        raise unsure

    def _is_index(self) -> bool:
        """Whether the first column says what the rows are, as pandas' index does, whose header has no name."""
        firsts = [row[0].strip() for row in self.data]
        counted = all(map(text.is_whole, firsts)) and len(set(firsts)) == len(firsts)
        return counted or not any(text.is_number(cell) or not cell for cell in firsts)


def _all_files(cells: Iterable[str]) -> bool:
    return all(_FILES.search(cell.strip()) for cell in cells)
