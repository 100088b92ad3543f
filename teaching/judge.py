"""Runs a notebook: the submission's cells in the submission's process, the tests here, with the judge.

A test cell is the course's own code. The names in it that the course does not define belong to the
submission: functions become `Remote`, which ask the submission's process; other values are fetched.
So a submission never meets a hidden test and cannot change how it is judged.
"""

import ast
import builtins
import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

from nbformat import NotebookNode
from nbformat.v4 import new_output

from teaching.faults import Fault
from teaching.notebooks import grade_id, is_setup, is_test
from teaching.student import StudentGone


@runtime_checkable
class Student(Protocol):
    """What the judge asks of a submission (`StudentProcess`, or a stand-in inside one process)."""

    faults: list[Fault]
    cell: str

    def run_cell(self, source: str) -> list[dict]:
        """Run a cell."""

    def kinds(self, names) -> dict[str, str]:
        """What each name is."""

    def value(self, name: str) -> Any:
        """The value of a variable."""

    def call(self, name: str, arguments: tuple, options: dict) -> Any:
        """The result of a function."""


@dataclass(frozen=True)
class Remote:
    """A function of the submission, called in its process."""

    student: Student
    name: str

    def __call__(self, *arguments, **options) -> Any:
        return self.student.call(self.name, arguments, options)


@dataclass
class TestResult:
    """What one test cell found."""

    __test__ = False  # not a test of pytest's

    task: str
    points: float
    passed: bool
    message: str = ""


@dataclass
class Judge:
    """Runs notebooks for one submission.

    Parameters
    ----------
    student : where the submission's cells run
    space : names the tests know from the start
    """

    student: Student
    space: dict[str, Any] = field(default_factory=dict)
    results: list[TestResult] = field(default_factory=list)

    def run(self, notebook: NotebookNode) -> list[TestResult]:
        """Run every cell in order, put the outputs into ``notebook``, and return what the tests found."""
        for number, cell in enumerate(notebook.cells, start=1):
            if cell.cell_type != "code":
                continue
            self.student.cell = grade_id(cell) or f"cell {number}"
            cell.outputs, cell.execution_count = [], number
            if is_test(cell):
                cell.outputs = self._test(cell)
                continue
            if is_setup(cell):
                exec(compile(cell.source, f"<{grade_id(cell)}>", "exec"), self.space)
            try:
                shown = self.student.run_cell(cell.source)
            except StudentGone:
                continue
            cell.outputs = [made for made in map(_output, shown) if made is not None]
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = number
        return self.results

    def test(self, source: str, name: str) -> str | None:
        """Run the source of a test cell; None if it passes, else what it says."""
        try:
            space = {**_own_copies(self.space), **self._theirs(source)}
            exec(compile(source, f"<{name}>", "exec"), space)
        except StudentGone:
            return "not run: the submission's process has ended"
        except NameError as fault:
            return f"{fault}: was its cell deleted, or did it fail?"
        except AssertionError as fault:
            return str(fault) or "an assertion does not hold"
        except Exception as fault:
            return f"{type(fault).__name__}: {fault}"
        return None

    def _test(self, cell: NotebookNode) -> list[NotebookNode]:
        name = grade_id(cell)
        failed = self.test(cell.source, name)
        points = float(cell.metadata.nbgrader.points)
        self.results.append(TestResult(name, points, failed is None, failed or ""))
        if failed is None:
            return [new_output("stream", name="stdout", text="passed\n")]
        return [failure(failed)]

    def _theirs(self, source: str) -> dict[str, Any]:
        """The names in ``source`` that belong to the submission, and what they stand for."""
        found = {}
        wanted = {n for n in free_names(source) if n not in self.space and not hasattr(builtins, n)}
        for name, kind in self.student.kinds(wanted).items() if wanted else ():
            if kind == "function":
                found[name] = Remote(self.student, name)
            elif kind == "value":
                found[name] = self.student.value(name)
        return found


def _own_copies(space: dict[str, Any]) -> dict[str, Any]:
    """``space`` with copies of its values, which a submission's functions may change without the next test's seeing it."""
    copies, memo = {}, {}
    for name, value in space.items():
        if name == "__builtins__" or isinstance(value, ModuleType):
            copies[name] = value
            continue
        try:
            copies[name] = copy.deepcopy(value, memo)
        except Exception:  # what cannot be copied, such as an open file, is no input of a task
            copies[name] = value
    return copies


def free_names(source: str) -> set[str]:
    """The names that ``source`` uses and does not define itself."""
    nodes = list(ast.walk(ast.parse(source)))
    used = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    own = {n.id for n in nodes if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    own |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    own |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            own |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
    return used - own


def failure(message: str, kind: str = "AssertionError") -> NotebookNode:
    """An error output that says ``message`` and shows nothing of the test."""
    return new_output("error", ename=kind, evalue=message, traceback=[f"{kind}: {message}"])


def _output(shown: Mapping) -> NotebookNode | None:
    """A notebook output from what a submission sent; None if it is no output."""
    try:
        match shown["output_type"]:
            case "stream":
                return new_output("stream", name="stdout", text=str(shown["text"]))
            case "error":
                return new_output(
                    "error",
                    ename=str(shown["ename"]),
                    evalue=str(shown["evalue"]),
                    traceback=[str(line) for line in shown["traceback"]],
                )
            case "display_data" | "execute_result" as kind:
                data = {str(k): v for k, v in shown["data"].items() if isinstance(v, str)}
                data = {k: v for k, v in data.items() if k in _SHOWN}
                return new_output(kind, data=data)
    except (KeyError, TypeError, AttributeError):
        return None
    return None


_SHOWN = ("text/plain", "image/png", "image/jpeg")
"""What a feedback page shows of a submission's outputs: no HTML, no scripts."""
