"""Notebooks as nbgrader marks them: what each cell is, and whether a submission still has them all."""

import copy
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from gapkit import InputError
from teaching.faults import Fault

MAX_BYTES = 20 * 2**20


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


def read(path: Path) -> NotebookNode:
    """A notebook from a file.

    Raises
    ------
    InputError
        If it cannot be read: too large, a link, no JSON, no notebook.
    """
    if path.is_symlink() or not path.is_file():
        raise InputError(f"{path.name} is no regular file")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(
            f"{path.name} has {path.stat().st_size / 2**20:.0f} MiB; at most {MAX_BYTES >> 20} are read"
        )
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        for cell in notebook.cells:
            if not isinstance(cell.metadata, dict) or cell.cell_type not in ("code", "markdown", "raw"):
                raise ValueError("malformed cell")
            cell.source = "".join(cell.source) if isinstance(cell.source, list) else str(cell.source)
    except Exception as fault:  # whatever the file may hold
        said = " ".join(str(fault).split())[:200]
        raise InputError(f"{path.name} is no readable notebook: {said}") from None
    return notebook


def repair(submitted: NotebookNode, release: NotebookNode) -> tuple[NotebookNode, list[Fault]]:
    """The submission with every cell of the release once, locked ones as released; and what was wrong.

    A student's own extra cells stay where they are. Of cells that are there twice the last one counts,
    as it does when the notebook runs.
    """
    released = {grade_id(cell): cell for cell in release.cells if grade_id(cell)}
    last = {grade_id(cell): i for i, cell in enumerate(submitted.cells) if grade_id(cell) in released}
    seen: set[str] = set()
    faults: list[Fault] = []
    cells = []
    for i, cell in enumerate(submitted.cells):
        name = grade_id(cell)
        if name not in released:
            cells.append(_as_own(cell))
            continue
        if name in seen:
            _add(faults, Fault("duplicated", name))
        seen.add(name)
        if i != last[name]:
            cells.append(_as_own(cell))
            continue
        kept = copy.deepcopy(released[name])
        if is_locked(kept) and (
            cell.source.rstrip() != kept.source.rstrip() or cell.cell_type != kept.cell_type
        ):
            _add(faults, Fault("edited", name))
        if not is_locked(kept):
            kept.source = cell.source
        cells.append(kept)
    faults += [Fault("deleted", name) for name in released if name not in seen]
    cells = _put_back(cells, release, {name for name in released if name not in seen})
    repaired = copy.deepcopy(release)
    repaired.cells = cells
    return repaired, faults


def _put_back(cells: list[NotebookNode], release: NotebookNode, missing: set[str]) -> list[NotebookNode]:
    """Insert missing cells behind the cell of the course that stood before them."""
    order = [grade_id(cell) for cell in release.cells if grade_id(cell)]
    for cell in release.cells:
        name = grade_id(cell)
        if name not in missing:
            continue
        before = set(order[: order.index(name)])
        at = max((i + 1 for i, one in enumerate(cells) if grade_id(one) in before), default=0)
        cells.insert(at, copy.deepcopy(cell))
    return cells


def _as_own(cell: NotebookNode) -> NotebookNode:
    own = copy.deepcopy(cell)
    own.metadata = NotebookNode()
    if own.cell_type == "code":
        own.outputs, own.execution_count = [], None
    return own


def _add(faults: list[Fault], fault: Fault) -> None:
    if fault not in faults:
        faults.append(fault)
