"""Notebooks as nbgrader marks them: what each cell is."""

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode


def notebook_of(course: Path, part: str, assignment: str) -> NotebookNode:
    """The course's notebook of an assignment; ``part`` is "release" or "source"."""
    return nbformat.read(course / part / assignment / f"{assignment}.ipynb", as_version=4)


def marks(cell: NotebookNode) -> dict:
    """Nbgrader's metadata of a cell; empty if it has none."""
    found = cell.get("metadata", {}).get("nbgrader", {})
    return found if isinstance(found, dict) else {}


def grade_id(cell: NotebookNode) -> str:
    """The id of a cell of the course; empty for a cell of the student's own."""
    return str(marks(cell).get("grade_id") or "")


def cells_by_id(notebook: NotebookNode) -> dict[str, NotebookNode]:
    """The cells of the course, by their id."""
    return {grade_id(cell): cell for cell in notebook.cells if grade_id(cell)}


def points(notebook: NotebookNode) -> dict[str, float]:
    """Most points of every graded cell."""
    graded = [marks(cell) for cell in notebook.cells if marks(cell).get("grade")]
    return {found["grade_id"]: float(found["points"]) for found in graded}


def is_test(cell: NotebookNode) -> bool:
    """Whether the cell tests an answer and earns points."""
    return cell.cell_type == "code" and bool(marks(cell).get("grade")) and not marks(cell).get("solution")


def is_setup(cell: NotebookNode) -> bool:
    """Whether the cell is locked code that tests build on."""
    return cell.cell_type == "code" and bool(marks(cell).get("locked")) and not marks(cell).get("grade")


def is_answer(cell: NotebookNode) -> bool:
    """Whether a student writes code here."""
    return cell.cell_type == "code" and bool(marks(cell).get("solution"))


def is_written(cell: NotebookNode) -> bool:
    """Whether a student writes text here, for points that a person gives."""
    return cell.cell_type == "markdown" and bool(marks(cell).get("solution") and marks(cell).get("grade"))


def is_locked(cell: NotebookNode) -> bool:
    """Whether a student must leave the cell as it is."""
    return bool(grade_id(cell)) and not marks(cell).get("solution")


def is_base64(text: object) -> bool:
    """Whether ``text`` is what a picture is written as, and no markup."""
    return isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9+/=\s]*", text) is not None
