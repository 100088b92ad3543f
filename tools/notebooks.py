"""Keep the two files of each lesson together: ``NN_name.py`` (edited) and ``NN_name.ipynb`` (executed).

``python tools/notebooks.py check [NN ...]``    say where the two hold different cells (exit code 1)
``python tools/notebooks.py sync [NN ...]``     bring the .ipynb up to date; ``--from-ipynb`` the .py
``python tools/notebooks.py execute [NN ...]``  the same, then run the lesson and keep its outputs
``python tools/notebooks.py clean [NN ...]``    take timings and other unstable metadata out of the .ipynb

Cells are compared by what they contain, never by file times. A cell keeps its id for as long as it
can be recognised; a new one gets an id made from its text, so that two people who run this get the
same file. Outputs of a changed cell are dropped rather than shown beside code that did not make them.
"""

import argparse
import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat
from jupytext.combine import combine_inputs_with_outputs
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"
FORMATS = "ipynb,py:percent"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
WIDGET = "application/vnd.jupyter.widget-view+json"
UNSTABLE = ("execution", "trusted", "collapsed", "lines_to_next_cell")
CELL_TIMEOUT = 600


def lessons(numbers: list[str] | None = None) -> list[Path]:
    """The .py files of the lessons, all or those whose names start with one of ``numbers``."""
    found = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
    if not numbers:
        return found
    chosen = [path for path in found if path.stem.startswith(tuple(numbers))]
    if not chosen:
        raise SystemExit(f"no lesson starts with {' or '.join(numbers)}; there are {[p.stem for p in found]}")
    return chosen


def meaning(cell) -> tuple:
    """What the two files must agree on: the kind of cell, its text, and its metadata."""
    metadata = {key: value for key, value in cell.metadata.items() if key not in UNSTABLE}
    return cell.cell_type, cell.source, metadata


def differences(source: Path) -> list[str]:
    """Where ``source`` and its .ipynb differ, one line each; empty if they hold the same cells."""
    executed = source.with_suffix(".ipynb")
    if not executed.exists():
        return [f"{executed.name} does not exist"]
    left, right = jupytext.read(source).cells, nbformat.read(executed, as_version=4).cells
    found = (
        [f"{len(left)} cells in {source.name}, {len(right)} in {executed.name}"]
        if len(left) != len(right)
        else []
    )
    for number, (one, other) in enumerate(zip(left, right, strict=False)):
        if meaning(one) != meaning(other):
            found.append(f"cell {number} differs: {one.source[:60]!r} and {other.source[:60]!r}")
            break
    return [f"{source.stem}: {line}" for line in found]


def settle_ids(cells: list, kept: set[str]) -> None:
    """Give every cell whose id is not in ``kept`` one made from its text."""
    taken = {cell.id for cell in cells if cell.id in kept}
    for cell in cells:
        if cell.id in kept:
            continue
        text, turn = f"{cell.cell_type}\n{cell.source}", 0
        while (made := hashlib.sha256(f"{turn}\n{text}".encode()).hexdigest()[:8]) in taken:
            turn += 1
        cell.id = made
        taken.add(made)


def merged(source: Path) -> nbformat.NotebookNode:
    """The cells of ``source`` with the ids and outputs of the .ipynb beside it."""
    notebook, kept, texts = jupytext.read(source), set(), {}
    executed = source.with_suffix(".ipynb")
    if executed.exists():
        old = nbformat.read(executed, as_version=4)
        kept = {cell.id for cell in old.cells}
        texts = {cell.id: cell.source for cell in old.cells}
        metadata = {id(cell): cell.metadata for cell in notebook.cells}
        fresh = list(notebook.cells)
        notebook = combine_inputs_with_outputs(notebook, old, "py:percent")
        for cell, origin in zip(notebook.cells, fresh, strict=True):
            cell.metadata = metadata[id(origin)]
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for cell in notebook.cells:
        if cell.cell_type == "code" and texts.get(cell.id) != cell.source:
            cell.outputs, cell.execution_count = [], None
    settle_ids(notebook.cells, kept)
    return tidy(notebook)


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Leave out what differs from run to run: timings, versions, and views of widgets that no kernel backs."""
    notebook.metadata = nbformat.from_dict(
        {"jupytext": {"formats": FORMATS}, "kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    for cell in notebook.cells:
        for key in UNSTABLE:
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
    return notebook


def write(notebook: nbformat.NotebookNode, path: Path) -> bool:
    """Write ``notebook`` if that changes the file; says whether it did."""
    text = nbformat.writes(notebook, version=4).rstrip("\n") + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True


def sync(source: Path) -> bool:
    """Bring the .ipynb up to date with ``source``; says whether it changed."""
    return write(merged(source), source.with_suffix(".ipynb"))


def sync_back(source: Path) -> bool:
    """Bring ``source`` up to date with its .ipynb, for those who edited that; says whether it changed."""
    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    tidy(notebook)
    rule = "# ---\n"
    body = jupytext.writes(notebook, fmt="py:percent").split(rule, 2)[2]
    before = source.read_text(encoding="utf-8")
    text = rule.join([*before.split(rule, 2)[:2], body])
    changed = text != before
    if changed:
        source.write_text(text, encoding="utf-8")
    return changed


def clean(source: Path) -> bool:
    """Take what differs from run to run out of the .ipynb; says whether it changed."""
    executed = source.with_suffix(".ipynb")
    return write(tidy(nbformat.read(executed, as_version=4)), executed)


def execute(source: Path) -> float:
    """Run the lesson from top to bottom, keep its outputs; returns the seconds it took."""
    notebook, began = merged(source), time.perf_counter()
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name=KERNEL["name"],
        resources={"metadata": {"path": str(source.parent)}},
        record_timing=False,
    )
    with (
        tempfile.TemporaryDirectory() as empty
    ):  # what a reader has downloaded changes what some lessons print
        client.execute(env={**os.environ, "GAPKIT_CACHE": empty})
    write(tidy(notebook), source.with_suffix(".ipynb"))
    return time.perf_counter() - began


def main() -> int:
    """Read the command line, act, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("check", "sync", "execute", "clean"))
    parser.add_argument("numbers", nargs="*", help="lessons, as 00 05; all by default")
    parser.add_argument("--from-ipynb", action="store_true", help="sync: take the .ipynb as the edited file")
    options = parser.parse_args()
    found = []
    for source in lessons(options.numbers):
        if options.action == "check":
            found += differences(source)
        elif options.action == "execute":
            print(f"{source.stem}: {execute(source):.0f} s", flush=True)
        else:
            act = {"clean": clean, "sync": sync_back if options.from_ipynb else sync}[options.action]
            if act(source):
                print(f"{source.stem}: updated")
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
