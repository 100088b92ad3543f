"""Grades one submission, in a process of its own that `teaching.grade` starts.

Whatever goes wrong in here concerns this submission only; whoever asked for it reads ``result.json``,
``feedback.html`` and ``ran.ipynb``, or finds that there is none.
"""

import json
import os
import resource
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from gapkit import InputError
from teaching.faults import Fault, costly
from teaching.feedback import page
from teaching.judge import Check, Judge
from teaching.notebooks import grade_id, is_written, marks
from teaching.restore import read, restore
from teaching.shortcuts import shortcuts
from teaching.student import Limits, StudentKernel

MAX_JUDGE = 6 * 2**30
"""Bytes that judging one submission may take."""
WAITING = "waits for a person"


@dataclass(frozen=True)
class Order:
    """What to grade, and where to put what comes out."""

    course: str
    assignment: str
    notebook: str
    work: str
    seed: int
    limits: dict = field(default_factory=dict)
    forgiven: tuple[str, ...] = ()
    deducted: float = 0.0  # the share of the points that being late costs
    rubric: dict[str, tuple[float, str]] = field(default_factory=dict)  # task: points, comment
    data: tuple[str, ...] = ()  # files beside the notebook
    hidden: tuple[str, ...] = ()  # folders that it must not see
    readable: tuple[str, ...] = ()  # files that it needs besides the shipped ones
    confined: bool = True


@dataclass
class Result:
    """What grading one submission came to; ``tasks`` has a dictionary for each graded cell."""

    points: float = 0.0
    most: float = 0.0
    earned: float = 0.0
    waiting: list[str] = field(default_factory=list)
    faults: list[dict] = field(default_factory=list)
    tasks: list[dict] = field(default_factory=list)
    confined: bool = False
    seconds: float = 0.0


def grade_one(order: Order) -> tuple[Result, NotebookNode | None]:
    """Grade a submission; returns the result and the notebook as it ran, None if it could not."""
    begun = time.monotonic()
    release, source = (
        notebook_of(Path(order.course), part, order.assignment) for part in ("release", "source")
    )
    try:
        notebook, faults = restore(read(Path(order.notebook)), release, source)
    except InputError as fault:
        return ungraded(source, Fault("unreadable", detail=str(fault))), None
    os.environ["GAPKIT_CHECK_SEED"] = str(order.seed)
    with StudentKernel(
        limits=Limits(**order.limits), data=map(Path, order.data), hidden=map(Path, order.hidden),
        readable=map(Path, order.readable), confined=order.confined,
    ) as student:  # fmt: skip
        checks = Judge(student).run(notebook)
    faults += student.faults + shortcuts(notebook, source)
    tasks = []
    for cell in source.cells:
        name = grade_id(cell)
        if name in checks:
            tasks.append(_tested(name, checks[name]))
        elif is_written(cell):
            tasks.append(_written(cell, release, notebook, order.rubric.get(name), faults))
    result = _result(tasks, faults, order)
    result.seconds = round(time.monotonic() - begun, 2)
    return result, notebook


def notebook_of(course: Path, part: str, assignment: str) -> NotebookNode:
    """The course's notebook of an assignment; ``part`` is "release" or "source"."""
    return nbformat.read(course / part / assignment / f"{assignment}.ipynb", as_version=4)


def ungraded(source: NotebookNode, fault: Fault) -> Result:
    """The result where there is nothing to run."""
    tasks = [
        _task(grade_id(cell), 0.0, float(marks(cell)["points"]), "not run")
        for cell in source.cells
        if marks(cell).get("grade")
    ]
    return Result(most=sum(task["most"] for task in tasks), faults=[asdict(fault)], tasks=tasks)


def _task(name: str, earned: float, most: float, message: str, *, checks=(), waiting: bool = False) -> dict:
    return {
        "task": name, "points": earned, "most": most, "earned": earned, "message": message,
        "checks": list(checks), "waiting": waiting,
    }  # fmt: skip


def _tested(name: str, checks: list[Check]) -> dict:
    earned = sum(check.points for check in checks if check.passed)
    failed = [
        f"{check.title}: {check.message}" if check.title else check.message
        for check in checks
        if not check.passed
    ]
    rows = [(check.title, check.points, check.passed, check.message) for check in checks]
    return _task(
        name, earned, sum(check.points for check in checks), "; ".join(dict.fromkeys(failed)), checks=rows
    )


def _written(
    cell: NotebookNode,
    release: NotebookNode,
    notebook: NotebookNode,
    rubric: tuple[float, str] | None,
    faults: list[Fault],
) -> dict:
    """A written answer: a person's points, those of the model answer, none for the stub; else it waits."""
    name, most = grade_id(cell), float(marks(cell)["points"])
    answer, stub = (
        next(other for other in found.cells if grade_id(other) == name) for found in (notebook, release)
    )
    text = answer.source.strip()
    if rubric is not None:
        return _task(name, min(max(rubric[0], 0.0), most), most, rubric[1])
    if text == cell.source.strip():
        faults.append(Fault("model-answer", name))
        return _task(name, most, most, "")
    if text in ("", stub.source.strip()) and not answer.get("attachments"):
        return _task(name, 0.0, most, "no answer")
    return _task(name, 0.0, most, WAITING, waiting=True)


def _result(tasks: list[dict], faults: list[Fault], order: Order) -> Result:
    spoilt = bool(costly(faults, order.forgiven))
    earned = sum(task["earned"] for task in tasks)
    for task in tasks:
        task["points"] = 0.0 if spoilt else task["earned"]
    return Result(
        points=0.0 if spoilt else round(earned * (1 - order.deducted), 2),
        most=sum(task["most"] for task in tasks),
        earned=earned,
        waiting=[task["task"] for task in tasks if task["waiting"]],
        faults=[asdict(fault) for fault in faults],
        tasks=tasks,
        confined=order.confined,
    )


def carry_out(order: Order) -> None:
    """Grade, and leave what came out in ``order.work``; what is printed on the way goes into a file there."""
    work = Path(order.work)
    with open(work / "log.txt", "ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_JUDGE, MAX_JUDGE))  # whatever a submission may return
    result, notebook = grade_one(order)
    (work / "feedback.html").write_text(page(order.assignment, asdict(result), notebook), encoding="utf-8")
    if notebook is not None:
        nbformat.write(notebook, work / "ran.ipynb")
    (work / "part").write_text(json.dumps(asdict(result)), encoding="utf-8")
    (work / "part").replace(work / "result.json")
