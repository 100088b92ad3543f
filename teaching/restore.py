"""The notebook that is graded: the course's cells, each once and as the course has them, with the student's answers.

What cannot change a result costs nothing, so cells are recognised by whatever is left of their marks, and locked
cells are put back.
"""

import ast
import copy
import json
import re
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

from gapkit import InputError
from teaching.faults import Fault
from teaching.notebooks import grade_id, is_base64, is_locked, is_written

MAX_BYTES = 200 * 2**20
MAX_PICTURE = 5 * 2**20
PICTURES = ("image/png", "image/jpeg", "image/gif")


def read(path: Path) -> list[NotebookNode]:
    """The cells of a notebook of any format from 3 to 4.5, without outputs.

    Raises
    ------
    InputError
        If it cannot be read: too large, a link, no JSON, no notebook.
    """
    if path.is_symlink() or not path.is_file():
        raise InputError(f"{path.name} is no regular file")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(
            f"{path.name} has {path.stat().st_size >> 20} MiB; at most {MAX_BYTES >> 20} are read"
        )
    content = path.read_bytes()
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        notebook = json.loads(text)
        cells = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
        return [_cell(cell) for cell in cells]
    except Exception as fault:  # whatever the file may hold
        said = " ".join(str(fault).split())[:200]
        raise InputError(f"{path.name} is no readable notebook: {said}") from None


def _cell(raw: dict) -> NotebookNode:
    source = raw.get("source", raw.get("input", ""))
    source = "".join(map(str, source)) if isinstance(source, list) else str(source)
    kind = str(raw["cell_type"])
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    if kind == "heading":  # of format 3
        source = "#" * int(raw.get("level", 1)) + " " + source
    make = {"code": new_code_cell, "raw": new_raw_cell}.get(kind, new_markdown_cell)
    cell = make(source)
    cell.metadata = NotebookNode(raw["metadata"]) if isinstance(raw.get("metadata"), dict) else NotebookNode()
    cell.id = str(raw.get("id") or cell.metadata.get("id") or cell.id)  # Colab keeps ids in the metadata
    for name, kinds in raw["attachments"].items() if isinstance(raw.get("attachments"), dict) else ():
        pictures = {kind: data for kind, data in kinds.items() if kind in PICTURES and is_base64(data)}
        if pictures and sum(map(len, pictures.values())) < MAX_PICTURE:
            cell.setdefault("attachments", NotebookNode())[name] = pictures
    return cell


def restore(
    submitted: list[NotebookNode], release: NotebookNode, source: NotebookNode
) -> tuple[NotebookNode, list[Fault]]:
    """The notebook to run, and what was wrong with the one that was handed in.

    Cells of the student's own stay where they are. Of an answer in several cells all count, in their order.

    Parameters
    ----------
    submitted : the cells that were handed in
    release : what students got
    source : the same with hidden tests, which locked cells are taken from
    """
    released = {grade_id(cell): cell for cell in release.cells if grade_id(cell)}
    original = {grade_id(cell): cell for cell in source.cells if grade_id(cell)}
    names = _names(submitted, release)
    pieces: dict[str, list[NotebookNode]] = {}
    for cell, name in zip(submitted, names, strict=True):
        pieces.setdefault(name, []).append(cell)
    faults, cells, left = [], [], {name: len(found) for name, found in pieces.items()}
    for cell, name in zip(submitted, names, strict=True):
        if not name:
            cells.append(_as_own(cell))
            continue
        left[name] -= 1
        given = released[name]
        if is_locked(given):
            if not any(_same(piece, given) for piece in pieces[name]):
                _add(faults, Fault("edited", name))
            if not left[name]:
                cells.append(copy.deepcopy(original[name]))
        elif left[name] and not is_written(given):
            cells.append(_as_own(cell))  # a part of an answer that was split; it runs before the last one
        elif not left[name]:
            kept = copy.deepcopy(given)
            kept.source = cell.source
            if is_written(given):
                kept.source = "\n\n".join(dict.fromkeys(piece.source for piece in pieces[name]))
                kept.attachments = NotebookNode(
                    {
                        file: data
                        for piece in pieces[name]
                        for file, data in (piece.get("attachments") or {}).items()
                    }
                )
            cells.append(kept)
    missing = [name for name in released if name not in pieces]
    faults += [Fault("deleted", name) for name in missing if not is_locked(released[name])]
    restored = copy.deepcopy(release)
    restored.cells = _put_back(
        cells,
        [original[name] if is_locked(released[name]) else released[name] for name in missing],
        list(released),
    )
    return restored, faults


def _names(submitted: list[NotebookNode], release: NotebookNode) -> list[str]:
    """For each submitted cell the course's cell that it is, empty for one of the student's own."""
    released = {grade_id(cell): cell for cell in release.cells if grade_id(cell)}
    names = [next((n for n in (grade_id(cell), cell.id) if n in released), "") for cell in submitted]
    before = {}  # an answer without any mark is known by what stands before it, or by what it defines
    for earlier, cell in zip([None, *release.cells], release.cells, strict=False):
        if grade_id(cell) and earlier is not None:
            before[grade_id(cell)] = "".join(earlier.source.split())
    for name, given in released.items():
        if name in names:
            continue
        for place, cell in enumerate(submitted):
            follows = place and "".join(submitted[place - 1].source.split()) == before.get(name)
            alike = _same(cell, given) if is_locked(given) else follows or _defined(given) & _defined(cell)
            if not names[place] and cell.cell_type == given.cell_type and alike:
                names[place] = name
                break
    return names


def _defined(cell: NotebookNode) -> set[str]:
    return set(re.findall(r"^def (\w+)", cell.source, re.MULTILINE)) if cell.cell_type == "code" else set()


def _same(cell: NotebookNode, given: NotebookNode) -> bool:
    """Whether a locked cell says what it said, however it is laid out."""
    if "".join(cell.source.split()) == "".join(given.source.split()):
        return True
    try:
        return given.cell_type == "code" and ast.dump(ast.parse(cell.source)) == ast.dump(
            ast.parse(given.source)
        )
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _put_back(cells: list[NotebookNode], missing: list[NotebookNode], order: list[str]) -> list[NotebookNode]:
    """Insert the missing cells, each behind the cell of the course that stood before it."""
    for cell in missing:
        before = set(order[: order.index(grade_id(cell))])
        at = max((i + 1 for i, other in enumerate(cells) if grade_id(other) in before), default=0)
        cells.insert(at, copy.deepcopy(cell))
    return cells


def _as_own(cell: NotebookNode) -> NotebookNode:
    own = copy.deepcopy(cell)
    own.metadata = NotebookNode()
    return own


def _add(faults: list[Fault], fault: Fault) -> None:
    if fault not in faults:
        faults.append(fault)
