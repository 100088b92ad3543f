"""A submission inside the test's own process, and the answers that are tried on the graders."""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from teaching import course
from teaching.faults import Fault
from teaching.inside import values
from teaching.inside.calls import answer
from teaching.judge import Judge
from teaching.notebooks import grade_id, is_answer, is_setup, is_test

SOURCES = Path(__file__).parents[2] / "notebooks" / "assignments" / "source"
ANSWERS = Path(__file__).parent / "answers"
THIS_YEAR = course.Variant()
NAMES = sorted(path.stem for path in SOURCES.glob("A*.py"))


@dataclass
class LocalStudent:
    """What `StudentProcess` is to the judge, with the same messages, but without a process or limits."""

    space: dict
    faults: list[Fault] = field(default_factory=list)
    cell: str = ""

    def run_cell(self, source):
        exec(compile(source, "<cell>", "exec"), self.space)
        return []

    def kinds(self, names):
        return self._ask(do="kinds", names=sorted(names))

    def value(self, name):
        return self._ask(do="value", name=name)

    def call(self, name, arguments, options):
        reply = self._ask(do="call", name=name, arguments=list(arguments), options=options)
        for position, new in reply["changed"].items():
            arguments[int(position)][...] = new
        return reply["value"]

    def _ask(self, **request):
        request = values.unpack(values.pack(request))
        return values.unpack(values.pack(answer(self.space, request)))


@dataclass(frozen=True)
class Answer:
    """One answer to one task, and whether it must be accepted."""

    assignment: str
    right: bool
    task: str
    title: str
    source: str

    def __str__(self) -> str:
        return f"{self.task}: {'right' if self.right else 'wrong'}: {self.title}"


def answers() -> list[Answer]:
    """Every answer that is kept for the tests."""
    found = []
    for name in NAMES:
        text = (ANSWERS / f"{name}.py").read_text(encoding="utf-8")
        cells = re.split(r"^# %% (right|wrong) ([\w-]+): (.*)$", text, flags=re.MULTILINE)[1:]
        for kind, task, title, source in zip(*[iter(cells)] * 4, strict=True):
            found.append(Answer(name, kind == "right", task, title, source))
    return found


@cache
def notebook(name: str, variant: course.Variant = THIS_YEAR):
    """The source notebook of an assignment, in this year's or another variant."""
    return course.read_source(SOURCES / f"{name}.py", variant)


@cache
def judge_space(name: str, variant: course.Variant = THIS_YEAR) -> dict:
    """What the set-up cells of an assignment define."""
    space: dict = {}
    for cell in filter(is_setup, notebook(name, variant).cells):
        exec(compile(cell.source, name, "exec"), space)
    return space


@cache
def _solved(name: str, variant: course.Variant) -> dict:
    import matplotlib.pyplot as plt

    space = dict(judge_space(name, variant))
    for cell in filter(is_answer, notebook(name, variant).cells):
        exec(compile(cell.source, name, "exec"), space)
    plt.close("all")
    return space


def tasks(name: str) -> list[str]:
    """The answer cells of an assignment that a test cell grades."""
    return [grade_id(cell).removesuffix("-test") for cell in notebook(name).cells if is_test(cell)]


def verdict(judge: Judge, source: str) -> str | None:
    """What a test cell finds wrong; None if every check passes."""
    failed = [check.message for check in judge.checks(source, 1.0) if not check.passed]
    return "; ".join(dict.fromkeys(failed)) or None


def grade(name: str, task: str, source: str, variant: course.Variant = THIS_YEAR) -> str | None:
    """Grade one answer with all other tasks solved; None if it gets the task's points, else what is said."""
    import matplotlib.pyplot as plt

    space = dict(_solved(name, variant))
    try:
        exec(compile(source, f"<{task}>", "exec"), space)
    except Exception as fault:  # as in a notebook: the cell fails, the old definition is not there either
        return f"the cell fails: {fault}"
    test = next(cell.source for cell in notebook(name, variant).cells if grade_id(cell) == f"{task}-test")
    try:
        return verdict(Judge(LocalStudent(space), space=dict(judge_space(name, variant))), test)
    finally:
        plt.close("all")
