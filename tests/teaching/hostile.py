"""Submissions that are broken or mean harm: what is done to a perfect solution of A1, and what the report must say."""

import copy
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from teaching.notebooks import grade_id


@dataclass(frozen=True)
class Hostile:
    """How a submission is spoilt, and the fault that grading must name."""

    fault: str
    spoil: Callable[[NotebookNode], NotebookNode | str]

    def write(self, perfect: NotebookNode, path: Path) -> None:
        """Write the spoilt submission."""
        path.parent.mkdir(parents=True, exist_ok=True)
        spoilt = self.spoil(copy.deepcopy(perfect))
        if isinstance(spoilt, str):
            path.write_text(spoilt, encoding="utf-8")
        else:
            nbformat.write(spoilt, path)


def _cell(notebook: NotebookNode, name: str) -> NotebookNode:
    return next(cell for cell in notebook.cells if grade_id(cell) == name)


def _answer(source: str, name: str = "a1-gap-vector"):
    """Put ``source`` in the place of an answer."""

    def spoil(notebook: NotebookNode) -> NotebookNode:
        _cell(notebook, name).source = source
        return notebook

    return spoil


def _extra(source: str):
    """Add a cell of one's own behind the set-up."""

    def spoil(notebook: NotebookNode) -> NotebookNode:
        at = next(i for i, cell in enumerate(notebook.cells) if grade_id(cell) == "a1-setup")
        notebook.cells.insert(at + 1, new_code_cell(source))
        return notebook

    return spoil


def _without(*names: str):
    def spoil(notebook: NotebookNode) -> NotebookNode:
        notebook.cells = [cell for cell in notebook.cells if grade_id(cell) not in names]
        return notebook

    return spoil


def _twice(name: str):
    def spoil(notebook: NotebookNode) -> NotebookNode:
        double = copy.deepcopy(_cell(notebook, name))
        double.id = "again"
        notebook.cells.append(double)
        return notebook

    return spoil


def _edited(name: str, source: str):
    def spoil(notebook: NotebookNode) -> NotebookNode:
        _cell(notebook, name).source = source
        return notebook

    return spoil


def _emptied(notebook: NotebookNode) -> NotebookNode:
    notebook.cells = []
    return notebook


def _cheaper(notebook: NotebookNode) -> NotebookNode:
    """Changes what the marks say: another kind of cell, more points, and a test that always passes."""
    test = _cell(notebook, "a1-rmg-test")
    test.metadata.nbgrader.update({"points": 1000, "locked": False, "solution": True})
    test.source = "pass"
    return notebook


FLOOD = """
import os, struct
from teaching import codec

def write(part):
    for fd in range(3, 30):
        try:
            os.write(fd, part)
        except OSError:
            pass

message = codec.pack({"tell": "process", "what": "x"})
frame = struct.pack("<I", len(message)) + message
"""
FRAMES = FLOOD + "while True: write(frame)"
"""Tells the judge the same for ever."""
DRIBBLE = FLOOD + "write(struct.pack('<I', 60 << 20))\nwhile True: write(b'x')"
"""Announces a large message and sends it byte by byte: there is always more to read, and never an end."""

MARK = "gapkit-orphan"
ORPHAN = f"""
import ctypes, os, time
c = ctypes.CDLL(None)
if c.fork() == 0:
    c.setsid()
    if c.fork() == 0:
        c.prctl(15, b"{MARK}")
        time.sleep(300)
    os._exit(0)
time.sleep(0.2)
"""
"""Leaves a process in a session of its own whose parent is dead, and which is called `MARK`."""

RIGHT = "def gap_vector(x, y):\n    return y.mean(0) - x.mean(0)\n"
INSIDE = "def gap_vector(x, y):\n    {}\n    return y.mean(0) - x.mean(0)\n"
TARGET = str(Path(tempfile.gettempdir()) / "gapkit-was-here")

HOSTILE = {
    "endless loop in a cell": Hostile("time", _extra("while True:\n    pass")),
    "endless loop in a function": Hostile("time", _answer(INSIDE.format("while True: pass"))),
    "endless loop that will not be interrupted": Hostile(
        "time",
        _extra("while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass"),
    ),
    "sleeps": Hostile("time", _answer(INSIDE.format("import time; time.sleep(1e6)"))),
    "memory hog in a cell": Hostile("memory", _extra("hog = []\nwhile True:\n    hog.append(bytearray(10**8))")),
    "memory hog in numpy": Hostile("memory", _answer(INSIDE.format("import numpy; numpy.ones((10**6, 10**5))"))),
    "memory hog in torch": Hostile("memory", _answer(INSIDE.format("import torch; torch.ones(10**6, 10**5)"))),
    "syntax error": Hostile("syntax", _answer("def gap_vector(x, y)\n    return y.mean(0) - x.mean(0)")),
    "unclosed bracket": Hostile("syntax", _extra("print((1, 2)")),
    "test deleted": Hostile("deleted", _without("a1-rmg-test")),
    "answer deleted": Hostile("deleted", _without("a1-rmg")),
    "set-up deleted": Hostile("deleted", _without("a1-setup")),
    "everything deleted": Hostile("deleted", _emptied),
    "answer duplicated": Hostile("duplicated", _twice("a1-gap-vector")),
    "test duplicated": Hostile("duplicated", _twice("a1-gap-vector-test")),
    "test edited": Hostile("edited", _edited("a1-rmg-test", "pass")),
    "set-up edited": Hostile("edited", _edited("a1-setup", "class check:\n    gap_vector = print")),
    "marks edited": Hostile("edited", _cheaper),
    "exit()": Hostile("exit", _extra("exit()")),
    "sys.exit in a function": Hostile("exit", _answer(INSIDE.format("import sys; sys.exit(0)"))),
    "os._exit": Hostile("exit", _extra("import os\nos._exit(0)")),
    "segmentation fault": Hostile("crash", _extra("import ctypes\nctypes.string_at(0)")),
    "writes outside": Hostile("outside", _extra(f"open({TARGET!r}, 'w').write('x')")),
    "writes outside and swallows the error": Hostile(
        "outside", _answer(INSIDE.format(f"exec('try: open(\"{TARGET}\", \"w\")\\nexcept Exception: pass')"))
    ),
    "writes beside its folder": Hostile("outside", _extra("from pathlib import Path\nPath('../x.txt').write_text('x')")),
    "deletes outside": Hostile("outside", _extra("import shutil, os\nos.remove(os.path.expanduser('~/../order.json'))")),
    "a link out": Hostile("outside", _extra(f"import os\nos.symlink({tempfile.gettempdir()!r}, 'out')\nopen('out/gapkit-was-here', 'w')")),
    "kills its parent": Hostile("signal", _extra("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)")),
    "speaks to the judge": Hostile(
        "protocol",
        _extra("import os\nfor fd in range(3, 30):\n    try:\n        os.write(fd, b'\\x08\\0\\0\\0nonsense')\n    except OSError: pass"),
    ),
    "floods the judge with messages": Hostile("protocol", _extra(FRAMES)),
    "sends the judge a message that does not end": Hostile("time", _extra(DRIBBLE)),
    "is refused for ever": Hostile(
        "time", _extra(f"while True:\n    try: open({TARGET!r}, 'w')\n    except PermissionError: pass")
    ),
    "leaves a process behind": Hostile("exit", _answer(f"{ORPHAN}\nexit()")),
    "not a notebook": Hostile("unreadable", lambda notebook: "this is no notebook"),
    "half a notebook": Hostile("unreadable", lambda notebook: json.dumps(notebook)[:500]),
    "a list": Hostile("unreadable", lambda notebook: "[1, 2, 3]"),
}  # fmt: skip


REFUSED = {
    "starts a program": (
        "process",
        _extra(f"import subprocess\nsubprocess.run(['touch', '{TARGET}'])"),
    ),
    "shell escape": ("process", _extra(f"!touch {TARGET}")),
    "forks": ("process", _extra("import os\nos.fork()")),
    "goes to the network": (
        "network",
        _extra("import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9')"),
    ),
}
"""Refused and remarked, but without cost: what a student may do in good faith."""


def refused(name: str, perfect: NotebookNode, path: Path) -> str:
    """Write the submission of `REFUSED` and return the note that must appear."""
    kind, spoil = REFUSED[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(spoil(copy.deepcopy(perfect)), path)
    return kind
