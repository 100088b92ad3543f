"""A course of one small assignment, and a class that hands it in with every honest slip there is."""

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell

from teaching.notebooks import grade_id, marks

SOURCE = '''# %% [markdown]
# # A1
# A small one.

# %% nbgrader={"grade": false, "grade_id": "a1-setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import numpy as np

SEED = 1
DATASET = "miniclip-wide/scenes100"
numbers = np.array([1.0, 2.0, 4.0])

# %% [markdown]
# ## 1 The mean

# %% nbgrader={"grade": false, "grade_id": "a1-mean", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mean(x):
    """The mean of x."""
    ### BEGIN SOLUTION
    return sum(x) / len(x)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "a1-mean-test", "locked": true, "points": 12, "schema_version": 3, "solution": false, "task": false}
# check 8: ordinary numbers
assert mean(numbers) == 7 / 3, "not the mean"
### BEGIN HIDDEN TESTS
# check 4: one number
assert mean(numbers[:1]) == 1, "one number is its own mean"
### END HIDDEN TESTS

# %% [markdown]
# ## 2 The largest

# %% nbgrader={"grade": false, "grade_id": "a1-top", "locked": false, "schema_version": 3, "solution": true, "task": false}
def top(x):
    """The largest of x."""
    ### BEGIN SOLUTION
    return max(x)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "a1-top-test", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
assert top(numbers) == 4, "not the largest"
### BEGIN HIDDEN TESTS
assert top(-numbers) == -1, "not the largest of negative numbers"
### END HIDDEN TESTS

# %% [markdown]
# ## 3 Why?

# %% [markdown] nbgrader={"grade": true, "grade_id": "a1-why", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# Because of $x^2$.
'''
WRITTEN = "My own words, with $a_b$ in them."


@dataclass
class Hand:
    """What one student hands in: notebook text by file name, and what must be said of it."""

    files: dict[str, bytes]
    points: float
    faults: tuple[str, ...] = ()


def _text(notebook) -> bytes:
    return nbformat.writes(notebook).encode()


def _cell(notebook, name):
    return next(cell for cell in notebook.cells if grade_id(cell) == name)


def hands(perfect) -> list[Hand]:
    """33 hands: 28 honest slips that cost nothing, and five that cost what they must (20 points are for tests)."""
    import copy

    found = []

    def add(change=None, *, points=20.0, faults=(), encode=_text, name="A1.ipynb", more=None):
        notebook = copy.deepcopy(perfect)
        _cell(notebook, "a1-why").source = WRITTEN
        if change:
            change(notebook)
        found.append(Hand({name: encode(notebook), **(more or {})}, points, faults))

    def source(name, text):
        return lambda nb: setattr(_cell(nb, name), "source", text)

    def put(name, text):
        return lambda nb: setattr(_cell(nb, name), "source", text(_cell(nb, name).source))

    add()
    add(put("a1-mean", lambda s: "\n\n" + s))
    add(put("a1-setup", lambda s: "\n" + s + "\n\n"))
    add(encode=lambda nb: _text(nb).replace(rb"\n", rb"\r\n"))
    add(encode=lambda nb: b"\xef\xbb\xbf" + _text(nb))
    add(encode=lambda nb: nbformat.writes(nb).encode("utf-16"))
    add(put("a1-setup", lambda s: s.replace(" = ", "   =   ").replace('"', "'")))
    add(source("a1-mean-test", "assert True"), faults=("edited",))
    add(lambda nb: nb.cells.insert(2, new_code_cell("notes: this is what I tried, and it did not work")))
    add(lambda nb: nb.cells.insert(2, new_code_cell("1 / 0")))
    add(lambda nb: nb.cells.append(new_code_cell("exit()")))
    add(lambda nb: [cell.metadata.pop("nbgrader", None) for cell in nb.cells])  # ids are left

    def bare(nb):
        for number, cell in enumerate(nb.cells):
            cell.metadata.pop("nbgrader", None)
            cell.id = f"x{number}"

    add(bare)

    def colab(nb):
        for cell in nb.cells:
            cell.metadata = {"id": cell.id}

    add(colab)

    def old(nb):
        for cell in nb.cells:
            cell.pop("id")
        nb.nbformat_minor = 2

    add(old, encode=lambda nb: json.dumps(nb).encode())

    def third(nb):
        cells = []
        for cell in nb.cells:
            new = {"cell_type": cell.cell_type, "metadata": cell.metadata}
            new["input" if cell.cell_type == "code" else "source"] = cell.source.splitlines(True)
            cells.append({**new, "language": "python", "outputs": []})
        return json.dumps(
            {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}
        ).encode()

    add(encode=third)

    def split(nb):
        cell = _cell(nb, "a1-top")
        twin = copy.deepcopy(cell)
        twin.id, twin.source = "twin", "def helper(x):\n    return max(x)\n"
        cell.source = "def top(x):\n    return helper(x)\n"
        nb.cells.insert(nb.cells.index(cell), twin)

    add(split)

    def twice(nb):
        test = copy.deepcopy(_cell(nb, "a1-top-test"))
        test.id = "again"
        nb.cells.append(test)

    add(twice)

    def without(*names):
        return lambda nb: setattr(nb, "cells", [cell for cell in nb.cells if grade_id(cell) not in names])

    add(without("a1-setup", "a1-mean-test"))
    add(
        lambda nb: _cell(nb, "a1-mean-test").metadata.nbgrader.update(
            points=1000, locked=False, solution=True
        )
    )
    add(lambda nb: marks(_cell(nb, "a1-top")).clear())

    def loud(nb):
        nb.cells[0].metadata["note"] = "x"
        _cell(nb, "a1-top")["outputs"] = [nbformat.v4.new_output("stream", text="x" * 3_000_000)]

    add(loud)
    add(lambda nb: nb.metadata.clear())
    add(encode=lambda nb: json.dumps(json.loads(_text(nb)), indent=8, ensure_ascii=False).encode())
    add(more={"._A1.ipynb": b"\0\5\x16\7", ".DS_Store": b"x"})
    add(more={"A1.py": b"print(1)"}, faults=("also",))
    add(name="A1 (1).ipynb", more={"A1.ipynb": b"{}"}, faults=("several",))
    add(name="a1.IPYNB.txt")
    # what costs something
    add(source("a1-mean", "def mean(x):\n    return np.mean(x) if len(x) > 1 else None"), points=16)
    add(source("a1-top", "def top(x)\n    return 1"), points=12, faults=("syntax",))
    add(without("a1-top"), points=12, faults=("deleted",))
    found.append(Hand({"A1.py": b"print(1)"}, 0, ("other",)))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("work/A1.ipynb", found[0].files["A1.ipynb"])
        file.writestr("__MACOSX/work/._A1.ipynb", b"\0\5\x16\7")
    found.append(Hand({"A1.zip": archive.getvalue()}, 20))
    return found


NAMES = [
    "Ann Lee", "Zoë Müller", "Đặng Văn An", "José Núñez", "Søren Ørsted", "李 明", "Анна Петрова", "O'Brien Pat", "Ng Wei",
    *(f"First{chr(97 + i)} Last{chr(97 + i)}" for i in range(24)),
]  # fmt: skip


def roster() -> str:
    """The class as a Canvas gradebook export."""
    lines = ["Student,ID,SIS User ID,SIS Login ID,Section,A1 (777)", "    Points Possible,,,,,25"]
    for number, name in enumerate(NAMES):
        first, _, last = name.partition(" ")
        lines.append(f'"{last}, {first}",{1000 + number},s{number},login{number},1,')
    return "\n".join(lines) + "\n"


def lay_out(form: str, folder: Path, handed: list[Hand]) -> None:
    """Write the class as a platform delivers it."""
    for number, (name, hand) in enumerate(zip(NAMES, handed, strict=True)):
        first, _, last = name.partition(" ")
        for file, content in hand.files.items():
            stem, _, suffix = file.rpartition(".")
            if form == "student":
                path = folder / f"login{number}" / file
            elif form == "student/assignment":
                path = folder / name / "A1" / file
            elif form == "assignment/student":
                path = folder / "A1" / f"s{number}" / file
            elif form == "moodle":
                path = folder / "ML-A1-4711" / f"{last} {first}_{9000 + number}_assignsubmission_file_" / file
            else:
                short = "".join(sign for sign in f"{last}{first}".lower() if sign.isalnum())
                late = "_LATE" if number % 5 == 0 else ""
                stem = stem.replace(" (1)", "-1")
                whole = f"{short}{late}_{1000 + number}_{5000 + number}_{stem}.{suffix}"
                path = folder / (f"._{whole}" if file.startswith(".") else whole)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
