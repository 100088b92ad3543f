"""Notebooks as nbgrader marks them: what each cell is."""

import re

from nbformat import NotebookNode


def marks(cell: NotebookNode) -> dict:
    """Nbgrader's metadata of a cell; empty if it has none."""
    found = cell.get("metadata", {}).get("nbgrader", {})
    return found if isinstance(found, dict) else {}


def grade_id(cell: NotebookNode) -> str:
    """The id of a cell of the course; empty for a cell of the student's own."""
    return str(marks(cell).get("grade_id") or "")


def is_test(cell: NotebookNode) -> bool:
    """Whether the cell tests an answer and earns points."""
    return cell.cell_type == "code" and bool(marks(cell).get("grade")) and not marks(cell).get("solution")


def is_setup(cell: NotebookNode) -> bool:
    """Whether the cell is locked code that tests build on."""
    found = marks(cell)
    return cell.cell_type == "code" and bool(found.get("locked")) and not found.get("grade")


def is_answer(cell: NotebookNode) -> bool:
    """Whether a student writes code here."""
    return cell.cell_type == "code" and bool(marks(cell).get("solution"))


def is_written(cell: NotebookNode) -> bool:
    """Whether a student writes text here, for points that a person gives."""
    found = marks(cell)
    return cell.cell_type == "markdown" and bool(found.get("solution")) and bool(found.get("grade"))


def is_locked(cell: NotebookNode) -> bool:
    """Whether a student must leave the cell as it is."""
    found = marks(cell)
    return bool(found.get("grade_id")) and not found.get("solution")


def is_base64(text: object) -> bool:
    """Whether ``text`` is what a picture is written as, and no markup."""
    return isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9+/=\s]*", text) is not None
