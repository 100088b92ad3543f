"""Runs a notebook: the submission's cells in the submission's process, the tests here, with the judge.

A test cell is the course's own code. The names in it that the course does not define belong to the
submission: functions become calls that ask the submission's process; other values are fetched.
So a submission never meets a hidden test and cannot change how it is judged.
"""

import builtins
import contextlib
import copy
import functools
import re
import symtable
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from nbformat import NotebookNode

from teaching.notebooks import grade_id, is_setup, is_test
from teaching.student import StudentGone


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
    student : where the submission's cells run (`StudentKernel`, or what stands for it within one process)
    space : names the tests know from the start
    """

    student: Any
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
                cell.outputs = self.student.run_cell(cell.source)
        return found

    def checks(self, source: str, points: float) -> list[Check]:
        """Run the checks of a test cell one after another, each also where another has failed.

        A comment ``# check 5: what it looks at`` begins one that is worth 5 points; a cell without such
        comments is one check.
        """
        parts = re.split(r"(?m)^# check (\d+): (.+)\n", source)
        parts = list(zip(*[iter(parts[1:])] * 3, strict=True)) or [(points, "", source)]
        space, found = {}, []
        for worth, title, part in parts:
            try:
                space = space or {**_own_copies(self.space), **self._theirs(source)}
                exec(compile(part, "<test>", "exec"), space)
            except Exception as fault:
                found.append(Check(title, float(worth), False, _said(fault, part)))
            else:
                found.append(Check(title, float(worth), True))
        return found

    def _function(self, name: str) -> Callable:
        def function(*arguments, **options):
            return self.student.call(name, arguments, options)

        known = functools.partial(function)  # without code of its own, a line of which messages would quote
        known.__name__ = name  # by which a self-check knows its exercise
        return known

    def _theirs(self, source: str) -> dict[str, Any]:
        """The names in ``source`` that belong to the submission, and what they stand for."""
        found = {}
        wanted = free_names(source) - self.space.keys() - vars(builtins).keys()
        kinds = self.student.kinds(wanted) if wanted else {}
        for name, kind in ((name, kinds.get(name)) for name in sorted(wanted)):
            if kind == "function":
                found[name] = self._function(name)
            elif kind == "value":
                found[name] = self.student.value(name)
        return found


def _said(fault: Exception, source: str) -> str:
    """What a failed check tells the student."""
    match fault:
        case StudentGone():
            return "not run: the program had ended before"
        case NameError(name=name) if name in free_names(source):  # no mistake inside a function
            return f"{fault}: was its cell deleted, or did it fail?"
        case AssertionError():
            return str(fault) or "an assertion does not hold"
    return f"{type(fault).__name__}: {fault}"


def _own_copies(space: dict[str, Any]) -> dict[str, Any]:
    """``space`` with copies of its values, which a submission's functions may change without the next test's seeing it."""
    copies, memo = dict(space), {}
    for name, value in space.items():
        if name != "__builtins__" and not isinstance(value, ModuleType):
            with contextlib.suppress(Exception):  # such as an open file, which is no task's input
                copies[name] = copy.deepcopy(value, memo)
    return copies


def free_names(source: str) -> set[str]:
    """The names that ``source`` uses and does not define itself."""
    tables = [symtable.symtable(source, "<test>", "exec")]
    for table in tables:
        tables += table.get_children()
    symbols = [symbol for table in tables for symbol in table.get_symbols()]
    own = [s for s in symbols if s.is_assigned() or s.is_imported() or s.is_parameter() or s.is_namespace()]
    return {s.get_name() for s in symbols if s.is_referenced()} - {s.get_name() for s in own}
