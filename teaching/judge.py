"""Runs a notebook: the submission's cells in the submission's process, the tests here, with the judge.

A test cell is the course's own code. The names in it that the course does not define belong to the
submission: functions become `Remote`, which ask the submission's process; other values are fetched.
So a submission never meets a hidden test and cannot change how it is judged.
"""

import ast
import builtins
import contextlib
import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

from nbformat import NotebookNode
from nbformat.v4 import new_output

from teaching.faults import Fault
from teaching.notebooks import grade_id, is_base64, is_setup, is_test
from teaching.student import StudentGone


@runtime_checkable
class Student(Protocol):
    """What the judge asks of a submission (`StudentKernel`, or a stand-in inside one process)."""

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

    @property
    def __name__(self) -> str:  # by which a self-check knows its exercise
        return self.name

    def __call__(self, *arguments, **options) -> Any:
        return self.student.call(self.name, arguments, options)


@dataclass(frozen=True)
class Check:
    """One check of a test cell: what it is worth, what it found, and a message where it failed."""

    title: str
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

    def run(self, notebook: NotebookNode) -> dict[str, list[Check]]:
        """Run every cell in order, put the outputs into ``notebook``, and return what each test cell found."""
        found = {}
        for number, cell in enumerate(notebook.cells, start=1):
            if cell.cell_type != "code":
                continue
            self.student.cell = grade_id(cell) or f"cell {number}"
            cell.outputs, cell.execution_count = [], number
            if is_test(cell):
                found[grade_id(cell)] = self.checks(cell.source, float(cell.metadata.nbgrader.points))
                continue
            if is_setup(cell):
                exec(compile(cell.source, f"<{grade_id(cell)}>", "exec"), self.space)
            with contextlib.suppress(StudentGone):
                cell.outputs = [
                    made for made in map(_output, self.student.run_cell(cell.source)) if made is not None
                ]
        return found

    def checks(self, source: str, points: float) -> list[Check]:
        """Run the checks of a test cell one after another, each also where another has failed.

        A comment ``# check 5: what it looks at`` begins one that is worth 5 points; a cell without such
        comments is one check.
        """
        parts = re.split(r"^# check (\d+): (.+)\n", source, flags=re.MULTILINE)
        parts = list(zip(*[iter(parts[1:])] * 3, strict=True)) or [(points, "", source)]
        try:
            space = {**_own_copies(self.space), **self._theirs(source)}
        except Exception as fault:
            return [Check(title, float(worth), False, _said(fault)) for worth, title, _ in parts]
        found = []
        for worth, title, part in parts:
            try:
                exec(compile(part, "<test>", "exec"), space)
            except Exception as fault:
                found.append(Check(title, float(worth), False, _said(fault)))
            else:
                found.append(Check(title, float(worth), True))
        return found

    def test(self, source: str) -> str | None:
        """Run the source of a test cell; None if every check passes, else what they say."""
        failed = [check.message for check in self.checks(source, 1.0) if not check.passed]
        return "; ".join(dict.fromkeys(failed)) or None

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


def _said(fault: Exception) -> str:
    """What a failed check tells the student."""
    match fault:
        case StudentGone():
            return "not run: the program had ended before"
        case NameError():
            return f"{fault}: was its cell deleted, or did it fail?"
        case AssertionError():
            return str(fault) or "an assertion does not hold"
    return f"{type(fault).__name__}: {fault}"


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


def _output(shown: Mapping) -> NotebookNode:
    """A notebook output from what a submission has shown, as far as a page may hold it."""
    match shown["output_type"]:
        case "stream":
            name = "stderr" if shown.get("name") == "stderr" else "stdout"
            return new_output("stream", name=name, text=str(shown.get("text", "")))
        case "error":
            lines = shown.get("traceback") if isinstance(shown.get("traceback"), list) else []
            texts = {name: str(shown.get(name, "")) for name in ("ename", "evalue")}
            return new_output("error", **texts, traceback=list(map(str, lines)))
        case kind:
            data = shown.get("data") if isinstance(shown.get("data"), dict) else {}
            kept = {name: text for name, text in data.items() if name in _SHOWN and isinstance(text, str)}
            kept = {name: text for name, text in kept.items() if name == "text/plain" or is_base64(text)}
            return new_output(kind, data=kept)


_SHOWN = ("text/plain", "image/png", "image/jpeg")
"""What a feedback page shows of a submission's outputs: no HTML, no scripts."""
