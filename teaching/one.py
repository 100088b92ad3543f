"""Grades one submission, in a process of its own that `teaching.run` forks.

Whatever goes wrong in here concerns this submission only; whoever asked for it reads ``result.json``
and ``feedback.html``, or finds that there is none.
"""

import html
import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from gapkit import InputError
from teaching import autograde, notebooks
from teaching.beside import copy_beside
from teaching.faults import Fault, costly
from teaching.judge import Judge, TestResult, failure
from teaching.sandbox.start import Child
from teaching.shortcuts import shortcuts
from teaching.student import Limits, StudentProcess

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
    rubric: dict[str, float] = field(default_factory=dict)
    beside: str = ""  # the student's own folder, whose data files go along; empty if there is none


@dataclass
class Result:
    """What grading one submission came to."""

    points: float = 0.0
    most: float = 0.0
    tested: float = 0.0
    most_tested: float = 0.0
    without_faults: float = 0.0
    waiting: list[str] = field(default_factory=list)
    faults: list[dict] = field(default_factory=list)
    tasks: list[dict] = field(default_factory=list)
    confined: bool = False
    seconds: float = 0.0


def grade_one(order: Order, child: Child | None = None) -> tuple[Result, str]:
    """Grade a submission, in ``child`` if it is given; returns the result and the feedback page."""
    begun = time.monotonic()
    course, work, name = Path(order.course), Path(order.work), order.assignment
    release = nbformat.read(course / "release" / name / f"{name}.ipynb", as_version=4)
    source = nbformat.read(course / "source" / name / f"{name}.ipynb", as_version=4)
    try:
        submitted = notebooks.read(Path(order.notebook))
    except InputError as fault:
        result = _nothing(source, Fault("unreadable", detail=str(fault)))
        return result, plain_page(name, result)
    repaired, faults = notebooks.repair(submitted, release)
    autograde.new_gradebook(course, work)
    place = work / "submitted" / autograde.ME / name
    place.mkdir(parents=True)
    nbformat.write(repaired, place / f"{name}.ipynb")
    left = copy_beside(Path(order.beside), work / "sandbox") if order.beside else []
    if left:
        faults.append(Fault("large", detail=", ".join(left)[:300]))

    tests: list[TestResult] = []
    confined = []

    def judge(notebook: NotebookNode) -> None:
        os.environ["GAPKIT_CHECK_SEED"] = str(order.seed)
        limits = Limits(**order.limits)
        with StudentProcess(
            work / "sandbox", limits=limits, child=child, log=work / "sandbox.log"
        ) as student:
            confined.append(student.landlock)
            tests.extend(Judge(student).run(notebook))
        faults.extend(fault for fault in student.faults if fault not in faults)
        if costly(faults, order.forgiven):
            for cell in filter(notebooks.is_test, notebook.cells):
                cell.outputs = [failure("no points: " + "; ".join(map(str, costly(faults, order.forgiven))))]

    ran = autograde.autograde(work, name, judge)
    written, waiting, notes = _written(ran, source, release, order.rubric)
    faults += notes + shortcuts(ran, source)
    result = _result(tests, written, waiting, source, faults, order.forgiven)
    result.confined = bool(confined and confined[0])
    result.seconds = round(time.monotonic() - begun, 2)
    spoilt = bool(costly(faults, order.forgiven))
    autograde.set_points(work, name, dict.fromkeys(written, 0.0) if spoilt else written)
    _must_agree(result, autograde.scores(work, name))
    return result, autograde.feedback(work, name, summary(name, result))


def _written(
    ran: NotebookNode, source: NotebookNode, release: NotebookNode, rubric: dict[str, float]
) -> tuple[dict[str, float], list[str], list[Fault]]:
    """Points of the written answers, those that wait for a person, and remarks."""
    stub = {notebooks.grade_id(cell): cell.source.strip() for cell in release.cells}
    model = {notebooks.grade_id(cell): cell.source.strip() for cell in source.cells}
    points, waiting, notes = {}, [], []
    for cell in filter(notebooks.is_written, ran.cells):
        name, text = notebooks.grade_id(cell), cell.source.strip()
        most = float(notebooks.marks(cell)["points"])
        points[name] = 0.0
        if name in rubric:
            points[name] = min(max(rubric[name], 0.0), most)
        elif text == model[name]:
            points[name] = most
            notes.append(Fault("model-answer", name))
        elif text and text != stub[name]:
            waiting.append(name)
    return points, waiting, notes


def _result(
    tests: list[TestResult],
    written: dict[str, float],
    waiting: list[str],
    source: NotebookNode,
    faults: list[Fault],
    forgiven: tuple[str, ...],
) -> Result:
    most = {notebooks.grade_id(c): float(notebooks.marks(c)["points"]) for c in source.cells if notebooks.marks(c).get("grade")}  # fmt: skip
    spoilt = bool(costly(faults, forgiven))
    found = {test.task: test for test in tests}
    tasks = []
    for name, worth in most.items():
        if name in written:
            earned, said = written[name], WAITING if name in waiting else ""
        else:
            test = found.get(name)
            earned = worth if test and test.passed else 0.0
            said = test.message if test else "not run"
        tasks.append(
            {
                "task": name,
                "points": 0.0 if spoilt else earned,
                "most": worth,
                "earned": earned,
                "message": said,
            }
        )
    return Result(
        points=sum(task["points"] for task in tasks),
        most=sum(most.values()),
        tested=sum(task["points"] for task in tasks if task["task"] not in written),
        most_tested=sum(worth for name, worth in most.items() if name not in written),
        without_faults=sum(task["earned"] for task in tasks),
        waiting=waiting,
        faults=[asdict(fault) for fault in faults],
        tasks=tasks,
    )


def _must_agree(result: Result, book: dict[str, tuple[float, float]]) -> None:
    """Nbgrader's gradebook and our result must say the same."""
    ours = {task["task"]: (task["points"], task["most"]) for task in result.tasks}
    if ours != book:
        raise RuntimeError(f"nbgrader's gradebook differs: {book} and {ours}")


def _nothing(source: NotebookNode, fault: Fault) -> Result:
    return _result([], {}, [], source, [fault], ())


def summary(name: str, result: Result) -> str:
    """The text on top of a feedback page (Markdown)."""
    lines = [f"# {name}: {result.points:g} of {result.most:g} points", ""]
    for fault in result.faults:
        lines.append(f"- **This submission {_plain(str(Fault(**fault)))}.**")
    if any(task["points"] != task["earned"] for task in result.tasks):
        lines.append(f"- Therefore it gets no points; without that it would have {result.without_faults:g}.")
    if result.waiting:
        lines.append(
            f"- {len(result.waiting)} written answer(s) still wait for a person; they count 0 so far."
        )
    lines += ["", "| task | points | remark |", "|---|---|---|"]
    for task in result.tasks:
        said = _plain(task["message"]) or ("right" if task["earned"] == task["most"] else "")
        lines.append(f"| {task['task']} | {task['points']:g} of {task['most']:g} | {said} |")
    return "\n".join(lines)


def plain_page(name: str, result: Result) -> str:
    """A feedback page where there is no notebook to show."""
    said = "".join(f"<li>{html.escape(str(Fault(**fault)))}</li>" for fault in result.faults)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(name)}</title></head>'
        f"<body><h1>{html.escape(name)}: 0 of {result.most:g} points</h1>"
        f"<p>This submission could not be run:</p><ul>{said}</ul></body></html>"
    )


def _plain(text: str) -> str:
    """``text`` such that it can neither break a table nor become markup."""
    text = html.escape(" ".join(text.split()))[:600]
    return text.replace("|", "&#124;").replace("`", "&#96;").replace("[", "&#91;").replace("$", "&#36;").replace("*", "&#42;").replace("_", "&#95;")  # fmt: skip


def carry_out(work: Path, child: Child | None = None) -> None:
    """Read the order in ``work``, grade, and leave the result there."""
    order = Order(**json.loads((work / "order.json").read_text(encoding="utf-8")))
    result, page = grade_one(order, child)
    (work / "feedback.html").write_text(page, encoding="utf-8")
    (work / "part").write_text(json.dumps(asdict(result)), encoding="utf-8")
    (work / "part").replace(work / "result.json")
