"""Cells of a table of text: which hold a number or a vector, and their values, strictly.

Nothing is repaired: what Python would read as a number and people would not (``1_000``, ``infinity``) is none.
"""

import re
from collections.abc import Sequence
from math import isfinite

MISSING = frozenset([
    "nan", "na", "n/a", "#n/a", "null", "none", "nil", "inf", "-inf", "+inf", "infinity", "-", "?",
    "#value!", "#ref!", "#div/0!", "#num!", "#name?", "#null!", "n.a.", "n.d.", "missing", "undefined",
    "void", "(null)", "<na>", "--", "error",
])  # fmt: skip
_MOST = 2_000_000  # characters of a vector: those of 65,536 long numbers
_NUMBER = {
    ".": re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII),
    ",": re.compile(r"\s*[+-]?(\d+(,\d*)?|,\d+)([eE][+-]?\d+)?\s*", re.ASCII),
}
_WRAPPED = re.compile(r"(?:np\.|numpy\.|torch\.|jnp\.)?(?:tensor|array|Array)\((.*)\)", re.DOTALL)
_DETAILS = re.compile(r",\s*(?:dtype|device|requires_grad|grad_fn|shape)\s*=.*", re.DOTALL)
_SINGLE = re.compile(r"(?:(?:np|numpy|torch)\.)?(?:float(?:16|32|64)|bfloat16|tensor)\(([^()\[\]]*)\)")
_PAIRS = {"[": "]", "(": ")", "{": "}"}


def is_number(cell: str, decimal: str = ".") -> bool:
    """Whether a cell is a finite number, written with this decimal mark."""
    return _NUMBER[decimal].fullmatch(cell) is not None


def is_whole(cell: str) -> bool:
    """Whether a cell is a plain whole number without a sign, as in a header that counts."""
    return cell.strip().isdecimal() and cell.isascii()


def numbers(cells: Sequence[str], decimal: str = ".") -> list[float]:
    """The numbers in cells; ValueError if one is none."""
    text = "\t".join(cells)
    if decimal == ",":
        if "." in text:
            raise ValueError("a point beside decimal commas")
        cells = text.replace(",", ".").split("\t")
    if "_" in text or not text.isascii():
        raise ValueError("no number")
    values = list(map(float, cells))
    if not all(map(isfinite, values)):
        raise ValueError("not finite")
    return values


def looks_like_vector(cell: str) -> bool:
    """Whether a cell is several numbers: in brackets, or at least three with one separator."""
    try:
        return bool(vector(cell))
    except ValueError as fault:
        return str(fault) in (SHORTENED, MATRIX)  # such a one, but of no use


SHORTENED = "was shortened by numpy (…) and its numbers are lost; write it again with all numbers"
MATRIX = "holds several vectors, and one is wanted in a row"


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
    depth = 0
    while depth < 8 and _is_wrapped(text):  # each look goes over all of it
        text, depth = text[1:-1].strip().rstrip(",").rstrip(), depth + 1
    if "..." in text or "…" in text:
        raise ValueError(SHORTENED if depth and re.search(r"\d", text) else "no vector")
    if depth and re.fullmatch(r"[\[({].*[\])}]", text, re.DOTALL) and re.search(r"\d", text):
        raise ValueError(MATRIX)
    values = _split(text)
    if not depth and len(values) < 3:
        raise ValueError("no vector")
    return values


def _is_wrapped(text: str) -> bool:
    """Whether one pair of brackets holds all of a text."""
    if not text or _PAIRS.get(text[0]) != text[-1]:
        return False
    inside = re.sub(r"[^\[({\])}]", "", text[1:-1])
    depth = 0
    for sign in inside:
        depth += 1 if sign in _PAIRS else -1
        if depth < 0:
            return False
    return depth == 0


def _split(text: str) -> list[float]:
    if ";" in text:
        return numbers(text.split(";"), "," if "," in text else ".")
    if "|" in text:
        return numbers(text.split("|"))
    if "," not in text:
        return numbers(text.split()) if text else _none()
    if not re.search(r"[.eE]", text) and len({bool(gap) for gap in re.findall(r",(\s*)", text)}) > 1:
        raise ValueError("commas that may be decimal marks")  # [0,1, 0,2]
    return numbers(text.split(","))


def _none() -> list[float]:
    raise ValueError("no vector")
