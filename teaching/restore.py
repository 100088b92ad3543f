"""The notebook that is graded: the course's cells, each once and as the course has them, with the student's answers.

What cannot change a result costs nothing, so cells are recognised by whatever is left of their marks, and locked
cells are put back.
"""

import ast
import copy
import itertools
import json
import re
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

from gapkit import InputError
from teaching.faults import Fault
from teaching.notebooks import cells_by_id, grade_id, is_base64, is_locked, is_setup, is_test, is_written
from teaching.roster import decoded

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
        raise InputError(f"{path.name} is not a regular file")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path.name} has over {MAX_BYTES >> 20} MiB, which is more than is read")
    content = path.read_bytes()
    try:
        notebook = json.loads(decoded(content))
        cells = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
        return [_cell(cell) for cell in cells]
    except Exception as fault:  # whatever the file may hold
        said = " ".join(str(fault).split())[:200]
        raise InputError(f"{path.name} is not a readable notebook: {said}") from None


def _cell(raw: dict) -> NotebookNode:
    source = raw.get("source", raw.get("input", ""))
    source = "".join(map(str, source)) if isinstance(source, list) else str(source)
    kind = str(raw["cell_type"])
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    source = source.encode("utf-16", "surrogatepass").decode(
        "utf-16", "replace"
    )  # half of a sign cannot be written
    if kind == "heading":  # of format 3
        source = "#" * int(raw.get("level", 1)) + " " + source
    make = {"code": new_code_cell, "raw": new_raw_cell}.get(kind, new_markdown_cell)
    cell = make(source)
    cell.metadata = NotebookNode(raw.get("metadata") or {})
    cell.id = str(raw.get("id") or cell.metadata.get("id") or cell.id)  # Colab keeps ids in the metadata
    for name, kinds in (raw.get("attachments") or {}).items():
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
    released, original = cells_by_id(release), cells_by_id(source)
    names = _names(submitted, release)
    pieces: dict[str, list[NotebookNode]] = {}
    for cell, name in zip(submitted, names, strict=True):
        pieces.setdefault(name, []).append(cell)
    faults, cells, first = [], [], {}
    for cell, name in zip(submitted, names, strict=True):
        given, parts = released.get(name), pieces[name]
        if not given or (cell is not parts[-1] and not is_locked(given) and not is_written(given)):
            cells.append(copy.deepcopy(cell))  # of the student's own, or part of an answer that was split
            cells[-1].metadata = NotebookNode()
        elif cell is not parts[-1]:
            continue
        elif is_locked(given):
            cells.append(copy.deepcopy(original[name]))
            if not any(_same(part, given) for part in parts):
                faults.append(Fault("edited", name))
        else:
            cells.append(copy.deepcopy(given))
            cells[-1].source = cell.source
            if is_written(given):
                cells[-1].source = "\n\n".join(dict.fromkeys(part.source for part in parts))
                pictures = (part.get("attachments", NotebookNode()).items() for part in parts)
                cells[-1].attachments = NotebookNode(itertools.chain(*pictures))
        first.setdefault(name, cells[-1])
    restored, order = copy.deepcopy(release), list(released)
    answers = [
        cell for cell, name in zip(submitted, names, strict=True) if name and not is_locked(released[name])
    ]
    defined = set().union(*map(_defined, answers))
    for name in (name for name in order if name not in pieces):  # each behind the course's cell before it
        given = copy.deepcopy((original if is_locked(released[name]) else released)[name])
        if not is_locked(given) and _defined(given) & defined:
            given.source = ""  # merged into another answer, which its stub must not undo
        elif not is_locked(given):
            faults.append(Fault("deleted", name))
        before = order[: order.index(name)]
        at = max((i + 1 for i, other in enumerate(cells) if grade_id(other) in before), default=0)
        cells.insert(at, given)
        first[name] = given
    for number, name in enumerate(order):  # a set-up that was moved down, a test that was moved up
        at = {known: i for known, one in first.items() for i, cell in enumerate(cells) if cell is one}
        to = place = at[name]
        if is_setup(cells[place]):
            to = min([place, *(at[later] for later in order[number + 1 :])])
        elif is_test(cells[place]):
            to = max([place, *(at[earlier] for earlier in order[:number])])
        cells.insert(to, cells.pop(place))
    restored.cells = cells
    return restored, faults


def _names(submitted: list[NotebookNode], release: NotebookNode) -> list[str]:
    """For each submitted cell the course's cell that it is, empty for one of the student's own."""
    released = cells_by_id(release)
    names = [next((n for n in (grade_id(cell), cell.id) if n in released), "") for cell in submitted]
    # an answer without any mark is known by what stands before it, or by what it defines
    before = {grade_id(cell): _bare(earlier) for earlier, cell in itertools.pairwise(release.cells)}
    for name, given in ((name, given) for name, given in released.items() if name not in names):
        for place, cell in enumerate(submitted):
            follows = place and _bare(submitted[place - 1]) == before.get(name)
            alike = _same(cell, given) if is_locked(given) else follows or _defined(given) & _defined(cell)
            if not names[place] and cell.cell_type == given.cell_type and alike:
                names[place] = name
                break
    return names


def _bare(cell: NotebookNode) -> str:
    return "".join(cell.source.split())


def _defined(cell: NotebookNode) -> set[str]:
    return set(re.findall(r"^def (\w+)", cell.source, re.MULTILINE)) if cell.cell_type == "code" else set()


def _same(cell: NotebookNode, given: NotebookNode) -> bool:
    """Whether a locked cell says what it said, however it is laid out."""
    try:
        return _bare(cell) == _bare(given) or (given.cell_type == "code" and _tree(cell) == _tree(given))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _tree(cell: NotebookNode) -> str:
    return ast.dump(ast.parse(cell.source))
