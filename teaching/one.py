"""Grades one submission, in a process of its own that `teaching.grade` starts.

Whatever goes wrong in here concerns this submission only; whoever asked for it finds ``result.pickle`` and
``ran.ipynb`` in the order's folder, or that there is none.
"""

import os
import pickle
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from gapkit import InputError
from teaching.faults import Fault, costly
from teaching.feedback import page
from teaching.judge import Check, Judge
from teaching.notebooks import cells_by_id, grade_id, is_written, marks, notebook_of, points
from teaching.restore import read, restore
from teaching.shortcuts import shortcuts
from teaching.student import Limits, StudentKernel


@dataclass(frozen=True)
class Order:
    """What to grade, and where to put what comes out."""

    course: Path
    assignment: str
    notebook: Path
    work: Path
    seed: int
    limits: Limits = field(default_factory=Limits)
    forgiven: tuple[str, ...] = ()
    deducted: float = 0.0  # the share of the points that being late costs
    rubric: dict[str, tuple[float, str]] = field(default_factory=dict)  # task: points, comment
    data: tuple[Path, ...] = ()  # files beside the notebook
    hidden: tuple[Path, ...] = ()  # folders that it must not see
    readable: tuple[Path, ...] = ()  # files that it needs besides the shipped ones
    confined: bool = True


@dataclass
class Task:
    """What a graded cell came to; ``points`` are those that count, ``earned`` those that it would have alone."""

    task: str
    most: float
    earned: float = 0.0
    message: str = ""
    checks: list[Check] = field(default_factory=list)
    waiting: bool = False
    points: float = 0.0


@dataclass
class Result:
    """What grading one submission came to."""

    faults: list[Fault]
    tasks: list[Task] = field(default_factory=list)
    forgiven: tuple[str, ...] = ()
    deducted: float = 0.0
    confined: bool = False
    seconds: float = 0.0

    def __post_init__(self):
        self.spoilt = bool(costly(self.faults, self.forgiven))
        for task in self.tasks:
            task.points = 0.0 if self.spoilt else task.earned
        self.most, self.earned = (sum(getattr(t, name) for t in self.tasks) for name in ("most", "earned"))
        self.points = 0.0 if self.spoilt else round(self.earned * (1 - self.deducted), 2)
        self.waiting = [task.task for task in self.tasks if task.waiting]


def grade_one(order: Order) -> tuple[Result, str]:
    """Grade a submission; returns the result and its page, and writes the notebook as it ran, if it did."""
    begun = time.monotonic()
    release, source = (notebook_of(order.course, part, order.assignment) for part in ("release", "source"))
    try:
        notebook, faults = restore(read(order.notebook), release, source)
    except InputError as fault:
        result = ungraded(source, Fault("unreadable", detail=str(fault)))
        return result, page(order.assignment, result, None)
    os.environ["GAPKIT_CHECK_SEED"] = str(order.seed)
    wanted = ("limits", "data", "hidden", "readable", "confined")
    with StudentKernel(**{name: getattr(order, name) for name in wanted}) as student:
        checks = Judge(student).run(notebook)
    faults += student.faults + shortcuts(notebook, source)
    answers, stubs, tasks = cells_by_id(notebook), cells_by_id(release), []
    beside = _texts_beside_answers(notebook, release)
    for cell in source.cells:
        name = grade_id(cell)
        if name in checks:
            tasks.append(_tested(name, checks[name]))
        elif is_written(cell):
            by_hand = order.rubric.get(name)
            tasks.append(
                _written(cell, answers[name], stubs[name], by_hand, faults, elsewhere=name in beside)
            )
    seconds = round(time.monotonic() - begun, 2)
    result = Result(faults, tasks, order.forgiven, order.deducted, order.confined, seconds)
    nbformat.write(notebook, order.work / "ran.ipynb")
    return result, page(order.assignment, result, notebook)


def ungraded(source: NotebookNode | None, fault: Fault) -> Result:
    """The result where there is nothing to run."""
    most = points(source) if source else {}
    return Result([fault], [Task(name, worth, message="not run") for name, worth in most.items()])


def _tested(name: str, checks: list[Check]) -> Task:
    failed = [f"{check.title}: {check.message}".removeprefix(": ") for check in checks if not check.passed]
    earned = sum(check.points for check in checks if check.passed)
    return Task(name, sum(check.points for check in checks), earned, "; ".join(dict.fromkeys(failed)), checks)


def _written(
    cell: NotebookNode,
    answer: NotebookNode,
    stub: NotebookNode,
    rubric: tuple[float, str] | None,
    faults: list[Fault],
    elsewhere: bool,
) -> Task:
    """A written answer: a person's points, those of the model answer, none for the stub alone; else it waits."""
    name, most, text = grade_id(cell), float(marks(cell)["points"]), answer.source.strip()
    if rubric is not None:
        return Task(name, most, min(max(rubric[0], 0.0), most), rubric[1])
    if text == cell.source.strip():
        faults.append(Fault("model-answer", name))
        return Task(name, most, most)
    if text in ("", stub.source.strip()) and not answer.get("attachments") and not elsewhere:
        return Task(name, most, message="no answer")
    return Task(name, most, message="waits for a person", waiting=True)


def _texts_beside_answers(notebook: NotebookNode, release: NotebookNode) -> set[str]:
    """Written answers that have a text of the student's own in the cells before or after them."""
    given = {"".join(cell.source.split()) for cell in release.cells} | {""}
    found, last, own = set(), "", False
    for cell in notebook.cells:
        if (name := grade_id(cell)) or "".join(cell.source.split()) in given:
            found |= {last, name} if own else set()
            last, own = name, False
        else:
            own |= cell.cell_type != "code"
    return found | ({last} if own else set())


def carry_out(order: Order) -> None:
    """Grade, and leave what came out in ``order.work``; what is printed on the way goes into a file there."""
    import resource  # Windows, where assignments are built but not graded, has none

    with open(order.work / "log.txt", "ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    resource.setrlimit(resource.RLIMIT_DATA, (6 * 2**30,) * 2)  # bytes, whatever a submission may return
    (order.work / "part").write_bytes(pickle.dumps(grade_one(order)))
    (order.work / "part").replace(order.work / "result.pickle")
