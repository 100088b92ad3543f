"""What people call columns and matrices (``words.toml``): which are coordinates, and which say what the rows are.

Coordinates are a column of vectors, a numbered family of columns (``d0 … d511``, ``0 … 511``, ``emb_1 …``), or all columns
of a file of numbers only. Nothing else is ever taken for one, unless the caller says so.
"""

import fnmatch
import itertools
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gapkit.errors import InputError, did_you_mean

WORDS = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
OTHER = {"images": "texts", "texts": "images"}
MISSING, COORDINATES = frozenset(WORDS["missing"]), frozenset(WORDS["coordinates"])
NO_COORDINATES = frozenset(WORDS["no_coordinates"])
NUMBERED = re.compile(r"(?P<stem>.*?)[\s_.:\-\[(]*(?P<number>\d{1,7})[\])]?")
MOST_LISTED = 200
_EMBEDDING = re.compile("emb|feat|vec|latent|hidden|clip", re.IGNORECASE)
_INDEX = ("", "__index_level_0__", "unnamed: 0")
ID_NAMES = [
    *dict.fromkeys(WORDS["names"]["images"] + WORDS["owners"] + WORDS["class_ids"] + ["idx", "index"]),
    *("caption_id", "caption_ids", "text_id", "text_ids", "sentence_id", "sentid"),
]
_FEW = 8  # a family of fewer columns needs a name that says what it is


@dataclass(frozen=True)
class Column:
    """A column as the detection describes it: ``kind`` is "number", "vector", "text", "empty" or "other"; and
    of a number whether all are whole and the largest, of a text whether a cell says that something is missing.
    """

    name: str | None
    place: int
    kind: str
    whole: bool = False
    most: float = 0.0
    missing: bool = False

    @property
    def where(self) -> str:
        """As `shown`, behind the word column."""
        return self.shown if self.name is None else f"column {self.shown}"

    @property
    def shown(self) -> str:
        """Its name in messages; its place, from 1, where it has none."""
        return self.name if self.name else ("(no name)" if self.name == "" else f"column {self.place + 1}")


def find_groups(columns: Sequence[Column], path, chosen: str | None = None) -> dict[str, list[Column]]:
    """Every set of columns that is a matrix, by name: a column of vectors, or a family under its stem.

    Parameters
    ----------
    columns : all columns; without a header their names are None
    path : the file, for messages
    chosen : what ``--columns`` says

    Raises
    ------
    InputError
        If there is none, or a family lacks a member.
    """
    if chosen is not None:
        return {"": _chosen(columns, chosen, path)}
    vectors = {column.shown: [column] for column in columns if column.kind == "vector"}
    if columns and columns[0].name is None:
        return vectors or {"": _numbers_only(columns, path)}
    vectors = {n: c for n, c in vectors.items() if _EMBEDDING.search(n) or not tokens(n) & NO_COORDINATES}
    families = _families(columns, path)
    if "" in families:
        _check_alike(families[""], path, "say which are coordinates with --columns FIRST..LAST")
    sure = {stem: family for stem, family in families.items() if _is_sure(stem, family)}
    groups = vectors | sure
    if twice := next(iter(vectors.keys() & sure.keys()), None):
        raise InputError(f"{path} has a column and numbered columns both called {twice!r}; use --columns")
    if not groups:
        what = f"{path} has no columns of numbers that could be coordinates, such as d0 … d511"
        say = "say which are with --columns FIRST..LAST"
        raise InputError(f"{what}; it has {listed(c.shown for c in columns)}; {say}")
    return groups


def _chosen(columns: Sequence[Column], spec: str, path) -> list[Column]:
    """The columns that ``spec`` says: names, places where there is no header, patterns, and FIRST..LAST."""
    order = [column.name if column.name is not None else str(column.place + 1) for column in columns]
    named, times = dict(zip(order, columns, strict=True)), Counter(order)

    def called(name: str) -> Column:
        if name not in named:
            hint = did_you_mean(name, order)
            raise InputError(f"{path} has no column {name!r}{hint}; it has {listed(order)}")
        if times[name] > 1:
            raise InputError(f"{path} has several columns called {name!r}; rename one")
        return named[name]

    picked: list[Column] = []
    for part in [part.strip() for part in spec.split(",") if part.strip()] if spec not in named else [spec]:
        first, dots, last = part.partition("..")
        if part not in named and dots:
            inside = columns[called(first.strip()).place : called(last.strip()).place + 1]
            picked += _by_number(inside)
        elif part not in named and any(sign in part for sign in "*?"):
            matches = [name for name in order if fnmatch.fnmatchcase(name, part)]
            if not matches:
                raise InputError(f"{path} has no column like {part!r}; it has {listed(order)}")
            picked += _by_number([called(name) for name in matches])
        else:
            picked.append(called(part))
    if not picked or len({column.place for column in picked}) != len(picked):
        raise InputError(f"--columns {spec!r} names no column, or one twice; {path} has {listed(order)}")
    if len(picked) > 1 and any(column.kind == "vector" for column in picked):
        raise InputError(f"--columns must name one column of vectors, or columns of numbers; got {spec!r}")
    return picked


def _by_number(columns: Sequence[Column]) -> list[Column]:
    """Columns that are one numbered family in the order of their numbers, as both sides must have them; others as they are."""
    found = [NUMBERED.fullmatch((column.name or "").strip()) for column in columns]
    numbers = [int(match["number"]) for match in found if match]
    if len(numbers) < len(columns) or len({match["stem"] for match in found if match}) > 1:
        return list(columns)
    return [columns[i] for i in sorted(range(len(columns)), key=numbers.__getitem__)]


def _numbers_only(columns: Sequence[Column], path) -> list[Column]:
    """The columns of numbers of a table without a header, beside at most texts before or behind them."""
    numbers = [column for column in columns if column.kind == "number"]
    say = f"say which columns are coordinates, such as --columns 2..{len(columns)}, or say --header LINE"
    if not numbers:
        raise InputError(f"{path} has no columns of numbers that could be coordinates; {say}")
    if odd := next((c for c in columns[numbers[0].place : numbers[-1].place] if c.kind != "number"), None):
        raise InputError(f"{path}: {odd.shown} among the numbers holds none; {say}")
    first = numbers[0].place
    if odd := next((c for c in columns if c.missing or (c.kind == "empty" and c.place < first)), None):
        raise InputError(f"{path}: {odd.shown} has empty cells or errors: numbers may be missing; {say}")
    _check_alike(numbers, path, say)
    return numbers


def _check_alike(numbers: Sequence[Column], path, say: str) -> None:
    """Raise where one of columns that have no names looks like ids, labels or times among coordinates."""
    whole = [column for column in numbers if column.whole]
    if whole and len(whole) < len(numbers):
        odd_ones = listed(column.shown for column in whole)
        raise InputError(f"{path}: {odd_ones} holds whole numbers, the others not (ids or labels?); {say}")
    sizes = sorted(column.most for column in numbers)
    if len(numbers) > 1 and sizes[len(sizes) // 2] > 0 and sizes[-1] > 1000 * sizes[(len(sizes) - 1) // 2]:
        odd = max(numbers, key=lambda column: column.most)
        raise InputError(f"{path}: {odd.shown} holds numbers a thousand times larger than the others'; {say}")


def _families(columns: Sequence[Column], path) -> dict[str, list[Column]]:
    """Numbered columns by stem, in the order of their numbers; every number once and none left out."""
    members: dict[str, list[tuple[int, Column]]] = {}
    for column in columns:
        name = (column.name or "").strip()
        name = name[:-2] if re.fullmatch(r"\d+\.0", name) else name
        if (match := NUMBERED.fullmatch(name)) and column.kind != "vector":
            members.setdefault(match["stem"], []).append((int(match["number"]), column))
    families = {}
    for stem, found in members.items():
        numbers = sum(column.kind == "number" for _, column in found)
        if len(found) < 2 or 2 * numbers < len(found) or tokens(stem) & NO_COORDINATES:
            continue
        found.sort(key=lambda one: one[0])
        places = [number for number, _ in found]
        if len(found) >= _FEW or _is_sure(stem, [column for _, column in found]):
            _check_complete(stem, places, path)
        families[stem] = [column for _, column in found]
    return families


def _check_complete(stem: str, places: list[int], path) -> None:
    for before, after in itertools.pairwise(places):
        if after == before:
            raise InputError(f"{path} has two columns numbered {stem}{before}; use --columns")
        if after != before + 1:
            what = f"{path} has columns {stem}{places[0]} to {stem}{places[-1]} without {stem}{before + 1}"
            raise InputError(f"{what}; is a part missing? Say which to take with --columns FIRST..LAST")


def _is_sure(stem: str, family: Sequence[Column]) -> bool:
    if len(family) >= _FEW:
        return True
    if not stem:
        return (family[0].name or "").strip().removesuffix(".0") in ("0", "1", "00", "01", "000", "001")
    return bool(tokens(stem) & COORDINATES)


def name_column(
    columns: Sequence[Column], side: str, *, alone: bool, paths: Iterable[int] = ()
) -> Column | None:
    """The column of texts that says what the rows of a side are.

    Parameters
    ----------
    columns : all columns
    side : "images" or "texts"
    alone : whether the table has only this side; then a name of the other's will do
    paths : places of columns whose texts look like files
    """
    texts = [column for column in columns if column.kind == "text"]
    if columns and columns[0].name is None:
        files = [column for column in texts if column.place in set(paths)]
        rest = [column for column in texts if column not in files]
        order = files + (rest if alone else []) if side == "images" else rest + (files if alone else [])
        return order[0] if order else None
    known = {bare(column.name or ""): column for column in reversed(texts)}
    likely = [known[name] for name in names_of(side, alone) if name in known]
    likely += [c for c in texts if c.place == 0 and (c.name or "").strip().lower() in _INDEX]
    likely += [c for c in texts if (c.name or "").startswith("__index_level_")]
    return likely[0] if likely else None


def id_columns(columns: Sequence[Column]) -> list[Column]:
    """The columns that may say which image or class a row is about, the likeliest first; those without a name last."""
    usable = [column for column in columns if column.kind in ("text", "number")]
    if columns and columns[0].name is None:
        return [column for column in usable if column.kind == "text"]
    known = {bare(column.name or ""): column for column in usable}
    named = [known[name] for name in ID_NAMES if name in known]
    index = [c for c in usable if c.place == 0 and (c.name or "").strip().lower() in _INDEX]
    levels = [c for c in usable if (c.name or "").startswith("__index_level_") and c not in index]
    return [*named, *index, *levels]


def tokens(name: str) -> set[str]:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return {word.lower() for word in re.split(r"[^A-Za-z]+", words) if word}


def bare(name: str) -> str:
    return re.sub(r"[\s\-]+", "_", name.strip().lower()).rstrip("_")


def names_of(side: str, alone: bool) -> list[str]:
    """What the columns are called that say what the rows of a side are; a file that is ``alone`` may use the other's."""
    return WORDS["names"][side] + (WORDS["names"][OTHER[side]] if alone else [])


def is_title(cell: str) -> bool:
    """Whether a cell is what columns are usually called."""
    return bool(tokens(cell) & (COORDINATES | NO_COORDINATES)) or bare(cell) in names_of("images", True)


def names_images(name: str) -> bool:
    """Whether a column's name says that its rows are about images."""
    return bool(tokens(name) & set(WORDS["about_images"]))


def could_be_names(cells: Sequence[str]) -> bool:
    """Whether cells can be the names of columns, and no bad cells of a row: they differ, and begin with a letter."""
    return len(set(cells)) == len(cells) and all(_could_be_name(cell, len(cells) == 1) for cell in cells)


def _could_be_name(cell: str, only: bool) -> bool:
    lettered = re.match(r"[\W_]*[^\W\d_]", cell) or (NUMBERED.fullmatch(cell.strip()) and not only)
    several = re.search(r"\d[\s,;]+[-+.\d]", cell)
    words = set(re.split(r"[\s,;\[\](){}]+", cell.lower())) - {""}
    return bool(lettered and not several) and not words <= MISSING and cell.lower() not in MISSING


def pick(names: Sequence[str], side: str, key: str | None, path, *, alone: bool) -> str:
    """The one of ``names`` that is meant by ``key``, or is called like the side, or is the only one.

    Parameters
    ----------
    names : what the matrices of a file are called
    side : "images" or "texts"
    key : what the caller calls it
    alone : whether the file has only this side

    Raises
    ------
    InputError
        If none or several fit; the message names the option.
    """
    option = f"--{side[:-1]}-key"
    if key is not None:
        for alike in (str, str.lower, bare):
            matches = [name for name in names if alike(name) == alike(key)]
            if len(matches) == 1:
                return matches[0]
        raise InputError(f"{path} has no {key!r}; it has {listed(names)}")
    by_name = [name for name in names if bare(name) in WORDS["matrices"][side]]
    if len(by_name) != 1:
        this, other = (set(WORDS["sides"][which]) for which in (side, OTHER[side]))
        foreign = other | set(WORDS["weights"])
        by_token = [n for n in by_name or names if tokens(n) & this and not tokens(n) & foreign]
        by_name = by_token if len(by_token) == 1 else by_name
        others = [name for name in names if tokens(name) & other and len(name) > 1]
        if alone and not by_name and len(names) == 1 and others:
            what = f"{path} has only {names[0]!r}, and {side} are wanted (is the order IMAGES TEXTS?)"
            raise InputError(f"{what}; if that is meant: {option} {names[0]}")
        if alone and not by_name:
            likely = [name for name in names if tokens(name) & COORDINATES and name not in others]
            by_name = likely if len(names) > 1 else names
    if len(by_name) == 1:
        return by_name[0]
    raise InputError(f"which matrix of {path} is meant? It has {listed(names)}; use {option} NAME")


def listed(names: Iterable[str]) -> str:
    """Names as messages show them: on one line of limited length."""
    text = " ".join(", ".join(str(name) or "(no name)" for name in names).split())
    return text if len(text) <= MOST_LISTED else f"{text[: MOST_LISTED - 2]} …"
