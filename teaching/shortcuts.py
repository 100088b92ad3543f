"""Finds where a submission calls gapkit's own function although the task is to write it: a remark, no proof."""

import ast
import re
from collections.abc import Iterable, Iterator

from nbformat import NotebookNode

import gapkit.check
from teaching.faults import Fault
from teaching.notebooks import grade_id, is_answer, is_setup, is_test

DATA = ("datasets", "embeddings", "encoders", "errors", "miniclip")
"""Parts of gapkit where data comes from; the others hold what assignments ask to write, the references too."""
ANSWERS = ("GapCloser", "ProjectedShift", "close_model", "gap_vector", "measure", "nearest", "certified_radius",
           "calibrate_sigma", "robustness", "close_set", "answer")  # fmt: skip
"""What gapkit itself and these parts offer of that."""


def shortcuts(submitted: NotebookNode, source: NotebookNode) -> list[Fault]:
    """One remark for each function of gapkit that answers a task and that the student's cells use or import.

    Free to use are the functions that set-up cells and model answers use, and those that the assignment's
    text names. Who wants to hide a call can: this finds what was not meant to be hidden.

    Parameters
    ----------
    submitted : the submission, with the course's cells as released
    source : the assignment with its model answers

    Returns
    -------
    faults of the kind "shortcut", each with the function and the first cell that uses it, if possible an answer
    """
    course = [cell for cell in source.cells if is_setup(cell) or is_answer(cell)]
    free = {path.rpartition(".")[2] for _, paths in _uses(course) for path in paths}
    for cell in source.cells:
        if cell.cell_type == "markdown":
            free.update(re.findall(r"`gapkit\.(?:\w+\.)*(\w+)", cell.source))
    mine = [cell for cell in submitted.cells if cell.cell_type == "code" and not is_test(cell)]
    where: dict[str, str] = {}
    for cell, paths in _uses(mine):
        for path in paths:
            if _answers(path) and path.rpartition(".")[2] not in free and not is_setup(cell):
                where[path] = where.get(path) or grade_id(cell)
    return [Fault("shortcut", cell, path) for path, cell in sorted(where.items())]


def _answers(path: str) -> bool:
    first, _, rest = path.removeprefix("gapkit.").partition(".")
    if not rest or first in DATA:
        return path.rpartition(".")[2] in ANSWERS
    if first == "check":  # a check by name, as in check.rmg(rmg), is none; its reference is one
        named = isinstance(getattr(gapkit.check, rest, None), gapkit.check.Check)
        return not named and rest not in (*gapkit.check.__all__, "monte_carlo")
    return True


def _uses(cells: Iterable[NotebookNode]) -> Iterator[tuple[NotebookNode, set[str]]]:
    """Each cell that can be parsed, and the dotted names of gapkit's that its code uses."""
    trees, bound = [], {}
    for cell in cells:
        try:
            trees.append((cell, list(ast.walk(_parsed(cell.source)))))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in trees[-1][1]:
            bound.update(_imported(node))
            if isinstance(node, ast.Assign) and (path := _path(node.value, bound)):
                bound.update((target.id, path) for target in node.targets if isinstance(target, ast.Name))
    for cell, nodes in trees:
        paths = {path for node in nodes for path in (_path(node, bound), *_imported(node).values()) if path}
        # "gapkit.geometry.rmg" is a use, its beginning "gapkit.geometry" is not
        yield cell, {path for path in paths if not any(other.startswith(path + ".") for other in paths)}


def _parsed(source: str) -> ast.Module:
    """The tree of a cell, of its Python alone where it holds magics or commands too."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.parse(re.sub(r"(?m)^([ \t]*)([%!].*|.*\?)$", r"\1pass", source))


def _imported(node: ast.AST) -> dict[str, str]:
    """What an import binds: name -> dotted name, of gapkit's only."""
    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "gapkit":
        return {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    if isinstance(node, ast.Import):
        ours = [alias for alias in node.names if alias.name.split(".")[0] == "gapkit"]
        return {alias.asname or "gapkit": alias.name if alias.asname else "gapkit" for alias in ours}
    return {}


def _path(node: ast.AST, bound: dict[str, str]) -> str | None:
    """The dotted name of gapkit's that an expression stands for, if it is one."""
    owner = None
    match node:
        case ast.Name(id=name):
            return bound.get(name)
        case ast.Attribute(value=owner, attr=name):
            pass
        case ast.Call(func=ast.Name(id="getattr"), args=[owner, ast.Constant(value=str(name)), *_]):
            pass
        case ast.Call(
            func=ast.Name(id=how) | ast.Attribute(attr=how), args=[ast.Constant(value=str(name)), *_]
        ):
            return name if how in ("import_module", "__import__") and name.startswith("gapkit") else None
    before = _path(owner, bound) if owner else None
    return f"{before}.{name}" if before else None
