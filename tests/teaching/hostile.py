"""Submissions that are broken or mean harm: what is done to a perfect solution of A1, what the report says, what is left."""

import copy
import os
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
    """How a submission is spoilt, the fault that grading must name, and the points that are left."""

    fault: str
    points: float
    spoil: Callable[[NotebookNode], NotebookNode | str]

    def write(self, perfect: NotebookNode, path: Path) -> None:
        """Write the spoilt submission."""
        path.parent.mkdir(parents=True, exist_ok=True)
        spoilt = self.spoil(copy.deepcopy(perfect))
        if isinstance(spoilt, str):
            path.write_text(spoilt, encoding="utf-8")
        else:
            nbformat.write(spoilt, path)


def _answer(source: str, name: str = "a1-gap-vector"):
    """Put ``source`` in the place of an answer."""

    def spoil(notebook: NotebookNode) -> NotebookNode:
        next(cell for cell in notebook.cells if grade_id(cell) == name).source = source
        return notebook

    return spoil


def _extra(*sources: str):
    """Add cells of one's own behind the set-up."""

    def spoil(notebook: NotebookNode) -> NotebookNode:
        at = next(i for i, cell in enumerate(notebook.cells) if grade_id(cell) == "a1-setup")
        notebook.cells[at + 1 : at + 1] = [new_code_cell(source) for source in sources]
        return notebook

    return spoil


MARK = f"orphan-{os.getpid()}"  # its own for each run of the tests: several may grade at once
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
FORKS = "import os, time\nwhile True:\n    if os.fork() == 0:\n        time.sleep(100)"
STUBBORN = (
    "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass"
)
INSIDE = "def gap_vector(x, y):\n    {}\n    return y.mean(0) - x.mean(0)\n"
TARGET = str(Path(tempfile.gettempdir()) / f"gapkit-was-here-{os.getpid()}")

HOSTILE = {
    "endless loops": Hostile("time", 85, lambda nb: _answer(INSIDE.format("while True: pass"))(_extra(STUBBORN)(nb))),
    "too much memory": Hostile("memory", 85, _answer(INSIDE.format("import numpy; numpy.ones((10**6, 10**5))"))),
    "no Python": Hostile("syntax", 85, _answer("def gap_vector(x, y)\n    return y.mean(0) - x.mean(0)")),
    "ends its process": Hostile("exit", 100, _extra("import os\nos._exit(0)", "exit()")),
    "crashes": Hostile("crash", 100, _extra("import ctypes\nctypes.string_at(0)")),
    "reaches out": Hostile(
        "", 100,
        _extra(
            f"open({TARGET!r}, 'w').write('x')",
            "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
            f"os.symlink({tempfile.gettempdir()!r}, 'out')\nopen('out/{Path(TARGET).name}', 'w')",
            "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9')",
            ORPHAN,
        ),
    ),
    "uses the shell": Hostile(
        "", 100, _extra(f"!touch {TARGET}\nx = !false\n%pip install nothing\n!pip install nothing", "%matplotlib qt\n%%bash\nfalse")
    ),
    "starts processes for ever": Hostile("swarm", 0, _extra(FORKS)),
    "is not a notebook": Hostile("unreadable", 0, lambda nb: "this is not a notebook"),
}  # fmt: skip
