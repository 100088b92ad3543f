"""Tables of paths and captions, as people have them: every row is read as it was meant, or the table is refused.

A table says nowhere how it is quoted. There are three ways: marks around cells, doubled inside (RFC 4180); marks around
cells, with a backslash inside; no quoting at all, where a caption may begin with a quotation mark. A way is taken if
it fits every row and no other way reads other rows; else the table is refused, with the line.
"""

import csv
import io
import itertools
import os
import re
from dataclasses import dataclass
from pathlib import Path

from gapkit._options import check_choice, check_whole
from gapkit.datasets.images import inner_path
from gapkit.errors import InputError, refusing

IMAGE_COLUMNS = ("image", "path", "file", "filename", "file_name", "filepath", "file_path")
IMAGE_COLUMNS += ("image_path", "image_name", "image_file")
CAPTION_COLUMNS = ("caption", "text", "title", "description", "sentence", "comment")
_PARTS = ("split", "subset", "partition", "fold")
_MORE = rf"({'|'.join(CAPTION_COLUMNS)}|raw)s?[ _.-]?\d+"
CAPTIONS = ("all", "first", "longest")
MOST_BYTES, MOST_LINES, MOST_LINE = 2**29, 5_000_000, 1_000_000
QUOTING = ("auto", "csv", "backslash", "none")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}

_WAYS = {
    "csv": {"doublequote": True},
    "backslash": {"doublequote": False, "escapechar": "\\"},
    "none": {"quoting": csv.QUOTE_NONE},
}
_SAID = {
    "backslash": "a backslash stands before quotation marks inside a cell; it is left out",
    "none": "quotation marks are taken as part of the captions",
}
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_FILE = re.compile(r"\.\w{2,5}$")
_WORD = re.compile(r"^\S+$")
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_MARKS = re.compile(r'""|\\"')
_LIST = re.compile(r"\[\s*(['\"]).*\1\s*\]", re.DOTALL)

Rows = list[tuple[int, list[str]]]  # the line where a row begins, and its cells


def read_captions(
    path: str | os.PathLike,
    *,
    encoding: str | None = None,
    quoting: str = "auto",
    image_column: str | None = None,
    caption_column: str | None = None,
) -> tuple[list[tuple[str, str]], dict]:
    """The pairs of image path and caption in a table with a header, and how it was read.

    Parameters
    ----------
    path : separated by commas, semicolons, tabs or bars
    encoding : such as "cp1252"; UTF-8, or what its byte order mark says, when left out
    quoting : one of `QUOTING`
    image_column, caption_column : their names, where `IMAGE_COLUMNS` and `CAPTION_COLUMNS` do not tell them

    Returns
    -------
    rows : list of (path, caption)
    notes : ``separator`` and ``columns``; ``quoting`` and a line for the user in ``said`` where it is not plain CSV

    Raises
    ------
    InputError
        If a row cannot be read with certainty, with its line.
    """
    path = Path(path)
    check_choice(quoting, "quoting", QUOTING)
    text = _text(path, encoding)
    lines = io.StringIO(text, newline="").readlines()
    if max(map(len, lines), default=0) > MOST_LINE:
        raise InputError(f"{path} has a line of over {MOST_LINE:,} characters; that is no table of captions")
    start = next((number for number, line in enumerate(lines) if line.strip(" \t\r\n,;|")), None)
    if start is None:
        raise InputError(f"{path} has no column {' or '.join(IMAGE_COLUMNS[:3])}: it is empty")
    if lines[start].lstrip().startswith(("{", "[")):
        say = "write a CSV with the line image,caption and a row for each caption"
        raise InputError(f"{path} is JSON, no table; {say}")
    separator = re.fullmatch(r"sep=(.)\s*", lines[start].strip('"'))  # Excel's own first line
    start += bool(separator)
    if start == len(lines):
        raise InputError(f"{path} has no rows below its header")
    mark = separator.group(1) if separator else _separator(lines[start])
    header = _names(lines[start], mark)
    image = _column(header, IMAGE_COLUMNS, image_column, path, "image")
    caption = _column(header, CAPTION_COLUMNS, caption_column, path, "caption")
    if image == caption:
        raise InputError(f"{path}: the image and the caption cannot both be in column {header[image]!r}")
    way, rows = _rows(lines, start + 1, _Table(path, mark, tuple(header), image, caption), quoting)
    if not rows:
        raise InputError(f"{path} has no rows below its header")
    pairs = [(inner_path(cells[image], f"{path}, line {line}"), cells[caption]) for line, cells in rows]
    notes = {"separator": mark, "columns": [header[image], header[caption]]}
    said = [] if way == "csv" else [f"{path.name}: {_SAID[way]}"]
    for place, name in enumerate(header):
        parts = (
            list(dict.fromkeys(cells[place] for _, cells in rows if cells[place])) if name in _PARTS else []
        )
        if len(parts) > 1:
            told = f"whatever {name} says ({', '.join(parts[:5])[:60]}{', …' * (len(parts) > 5)})"
            said += [f"{path.name}: the rows of all its parts are read, {told}"]
    if more := [name for name in header if re.fullmatch(_MORE, name) and name not in notes["columns"]]:
        lost = f"{', '.join(more)}; write a row for each caption"
        said += [f"left out of {path.name}, other columns of captions: {lost}"]
    notes |= ({} if way == "csv" else {"quoting": way}) | ({"said": said} if said else {})
    return pairs, notes


def first_of(entries: list, limit: int | None) -> list:
    """The first so many, or all."""
    return entries if limit is None else entries[: check_whole(limit, "limit")]


def grouped(name: str, captions: list[tuple[str, list[str]]], which: str) -> tuple[dict, list[str]]:
    """What a `Dataset` takes of images with their captions, and what is said where an image has several.

    Parameters
    ----------
    name : of the file
    captions : the captions of each image, in order
    which : one of `CAPTIONS`: all of them, the first or the longest
    """
    check_choice(which, "captions", CAPTIONS)
    count, images = sum(len(texts) for _, texts in captions), len(captions)
    kept = [texts for _, texts in captions]
    if which != "all":
        kept = [[texts[0] if which == "first" else max(texts, key=len)] for texts in kept]
    fields = {"prompts": [text for texts in kept for text in texts], "task": "pairs"}
    if count == images:
        return fields, []
    done = f"the {which} of each image is kept, {count - images} are left out"
    if which == "all":
        fields["image_of_text"] = [row for row, texts in enumerate(kept) for _ in texts]
        done = "all are kept, and any of an image's is right"
    return fields, [f"{name} has {count} captions of {images} images; {done}"]


def _text(path: Path, encoding: str | None) -> str:
    with refusing(OSError, before=f"{path} cannot be read: "):
        content = path.read_bytes() if os.path.getsize(path) <= MOST_BYTES else None
    if content is None or content.count(b"\n") > MOST_LINES:
        raise InputError(f"{path} has over {MOST_BYTES:,} bytes or {MOST_LINES:,} lines; cut it into parts")
    marked = next((name for mark, name in _BOMS.items() if content.startswith(mark)), None)
    encoding = encoding or marked or "UTF-8"
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except LookupError as fault:
        raise InputError(f"no encoding {encoding!r}; known are utf-8, utf-16, cp1252, latin-1 …") from fault
    except UnicodeError as fault:
        line = content[: getattr(fault, "start", 0)].count(b"\n") + 1
        say = "save the table again as CSV UTF-8, or say what it is in, such as --encoding cp1252"
        raise InputError(f"{path}, line {line}, is not in {encoding}; {say}") from fault
    if (zero := text.find("\0")) >= 0:
        line = text.count("\n", 0, zero) + 1
        raise InputError(f"{path}, line {line}, has a zero byte: no text in {encoding}")
    return text


def _separator(header: str) -> str:
    """The one whose cells are known names; the most frequent if none are."""
    known = (*IMAGE_COLUMNS, *CAPTION_COLUMNS)
    return max(SEPARATORS, key=lambda mark: (sum(map(known.count, _names(header, mark))), header.count(mark)))


def _names(header: str, mark: str) -> list[str]:
    return [cell.strip().strip('"').strip().lower() for cell in header.split(mark)]


def _column(header: list[str], known: tuple[str, ...], asked: str | None, path: Path, what: str) -> int:
    names = (asked.strip().lower(),) if asked else known
    places = [place for place, name in enumerate(header) if name in names]
    if not places:
        say = f". Say which it is with --{what}-column NAME; if that is a row already, write a line such as "
        say = "" if asked else f"{say}image,caption above it"
        columns = f"{' or '.join(names[:3])}; its first line says: {', '.join(header)[:120]}"
        raise InputError(f"{path} has no column {columns}{say}")
    if len(places) > 1:
        columns, say = " and ".join(header[place] for place in places), f"with --{what}-column NAME"
        raise InputError(f"{path} has the columns {columns}; say which holds the {what}s {say}")
    return places[0]


def _rows(lines: list[str], start: int, table: "_Table", quoting: str) -> tuple[str, Rows]:
    """The way of quoting that fits, and the rows it gives."""
    if quoting != "auto":
        return quoting, _read(lines, start, table, quoting)
    body = "".join(lines[start:])
    # those that follow would be doubled, or a path's
    marked = '\\"' in body and not re.search(r'""|\\[^"\\]', body)
    read, faults = {}, {}
    for way in (way for way in _WAYS if marked or way != "backslash"):
        try:
            read[way] = _read(lines, start, table, way)
        except InputError as fault:
            faults[way] = fault
    if "csv" in read:
        files = any(_FILE.search(cells[table.image]) for _, cells in read["csv"])
        firsts = [line for line, _ in read["csv"]] + [len(lines) + 1]
        for line, after in itertools.pairwise(firsts):  # blank lines behind a row count, and do no harm
            first, *others = (table.is_row(text, files=files) for text in lines[line - 1 : after - 1])
            if first and any(others):  # were the mark the caption's own, the next line would be a row
                raise table.two_ways(line)
        if "backslash" in read and read["backslash"] != read["csv"]:
            pairs = zip(read["backslash"], read["csv"], strict=False)
            raise table.two_ways(next((a[0] for a, b in pairs if a != b), read["backslash"][-1][0]))
        return "csv", read["csv"]
    if not read:
        raise faults["csv"]
    way = "backslash" if "backslash" in read else "none"
    for line, cells in read["none"] if way == "none" else ():
        if any(_QUOTED.fullmatch(cell) or _MARKS.search(cell) for cell in cells):
            raise table.two_ways(line)
    return way, read[way]


def _read(lines: list[str], start: int, table: "_Table", way: str) -> Rows:
    reader = csv.reader(lines[start:], delimiter=table.mark, strict=True, skipinitialspace=True, **_WAYS[way])
    rows, line = [], start + 1
    try:
        for record in reader:
            cells = [cell.strip() for cell in record]
            if any(cells):
                table.check(line, cells)
                rows.append((line, cells))
            line = start + reader.line_num + 1
    except csv.Error as fault:
        raise InputError(f"{table.path}, line {line}, is not readable CSV: {fault}") from fault
    return rows


@dataclass(frozen=True)
class _Table:
    """What the header says."""

    path: Path
    mark: str
    header: tuple[str, ...]
    image: int
    caption: int

    def check(self, line: int, cells: list[str]) -> None:
        where, width = f"{self.path}, line {line}", len(self.header)
        named = width - next((n for n, name in enumerate(reversed(self.header)) if name), 0)
        if len(cells) > width or any(cells[named:]):
            say = f"put captions with {SEPARATORS.get(self.mark, self.mark)} into quotation marks"
            raise InputError(f"{where} has {len(cells)} cells, the header {named}; {say}")
        for name, place in {"image": self.image, "caption": self.caption}.items():
            if len(cells) <= place or not cells[place]:
                raise InputError(f"{where} has no {name}")
        if len(cells) < named:
            raise InputError(f"{where} has {len(cells)} cells, the header {named}")
        if _LIST.fullmatch(cells[self.caption]):
            raise InputError(f"{where} holds a list of captions; write one row for each of them")

    def is_row(self, line: str, *, files: bool) -> bool:
        """Whether a line looks like a whole row, were no quotation mark one; ``files``: images are named as files."""
        cells = [cell.strip().strip('"') for cell in line.split(self.mark)]
        likely = _FILE if files else _WORD
        return len(cells) >= len(self.header) and bool(likely.search(cells[self.image]))

    def two_ways(self, line: int) -> InputError:
        return InputError(
            f"{self.path}, line {line}: its quotation marks can be read in two ways; say --quoting csv if "
            "they stand around cells and are doubled inside, --quoting backslash if those inside follow a "
            "backslash, or --quoting none if they belong to the captions"
        )
