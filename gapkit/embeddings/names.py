"""What people call matrices, columns and what rows are about (``words.toml``); which of them is meant, or an error that asks."""

import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

from gapkit.errors import InputError

WORDS = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
OTHER = {"images": "texts", "texts": "images"}
MISSING, COORDINATES, NO_COORDINATES = (
    frozenset(WORDS[kind]) for kind in ("missing", "coordinates", "no_coordinates")
)
NUMBERED = re.compile(r"(?P<stem>.*?)[\s_.:\-\[(]*(?P<number>\d{1,7})[\])]?")
MOST_LISTED = 200


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
            raise InputError(
                f"{path} has only {names[0]!r}, and {side} are wanted (is the order IMAGES TEXTS?); if that is meant: "
                f"{option} {names[0]}"
            )
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
