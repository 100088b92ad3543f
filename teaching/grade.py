"""Grades a folder of submissions: one process each, then a table of points, a feedback page each, a report."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import nbformat

from gapkit import InputError
from teaching.course import COURSE, points
from teaching.faults import FAULTS, Fault
from teaching.one import Order, Result, plain_page
from teaching.results import line, write_results
from teaching.run import LATE
from teaching.sandbox.start import THREADS, import_paths
from teaching.student import Limits
from teaching.submissions import Submission, find_submissions

_OVERHEAD = 180.0  # seconds around the notebook's own: imports on a busy machine, nbgrader, the page


def grade_folder(
    submitted: Path,
    *,
    course: Path = COURSE,
    out: Path,
    limits: Limits | None = None,
    jobs: int = 2,
    seed: int = 0,
    forgiven: tuple[str, ...] = (),
    rubric: dict[tuple[str, str, str], float] | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> list[Submission]:
    """Grade every submission below ``submitted`` and write the tables, the pages and the report to ``out``.

    Parameters
    ----------
    submitted : folder of notebooks, see `find_submissions`
    course : what `teaching.course.build` made
    out : folder for the results; one that is there is replaced, once all is graded
    limits : what each submission may use; `Limits` has the usual values
    jobs : submissions graded at a time
    seed : of the tests' random inputs, together with the student's name; the same gives the same points
    forgiven : kinds of faults that cost only the tasks they touch
    rubric : points for written answers, by (student, assignment, task)
    progress : called with a line for each submission that is done

    Returns
    -------
    the submissions, graded
    """
    if not (course / "course.json").is_file():
        raise InputError(f"no course in {course}; build it with: make assignments")
    unknown = set(forgiven) - set(FAULTS)
    if unknown:
        raise InputError(f"unknown faults {sorted(unknown)}; known are {', '.join(FAULTS)}")
    limits = limits or Limits()
    known = sorted(path.name for path in (course / "source").iterdir())
    submissions = find_submissions(submitted, known)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".grading-", dir=out.parent) as work:
        base = Path(work).resolve()
        waiting = []
        for number, one in enumerate(submissions):
            if not one.assignment:
                one.notes.append(Fault("unknown", detail=one.notebook.name))
                one.result, one.page = (
                    Result(),
                    plain_page(one.notebook.name, Result(faults=[asdict(one.notes[-1])])),
                )
                continue
            mine = {task: value for (who, what, task), value in (rubric or {}).items() if (who, what) == (one.student, one.assignment)}  # fmt: skip
            order = Order(
                str(course.resolve()), one.assignment, str(one.notebook.absolute()), str(base / f"{number:04d}"),
                _seed(seed, one), asdict(limits), tuple(forgiven), mine,
                _own_folder(one, submitted),
            )  # fmt: skip
            waiting.append((one, order))

        def done(number: int) -> None:
            _collect(*waiting[number])
            progress(line(waiting[number][0], forgiven))

        _run_all(waiting, jobs=jobs, limits=limits, fonts=base / "fonts", done=done)
        write_results(submissions, base / "out", forgiven)
        shutil.rmtree(out, ignore_errors=True)
        (base / "out").rename(out)
    return submissions


def _run_all(
    waiting: list[tuple[Submission, Order]],
    *,
    jobs: int,
    limits: Limits,
    fonts: Path,
    done: Callable[[int], None],
) -> None:
    """Let `teaching.run` carry out the orders; ``done`` hears the number of each that has ended."""
    for _, order in waiting:
        Path(order.work).mkdir(parents=True)
        (Path(order.work) / "order.json").write_text(json.dumps(asdict(order)), encoding="utf-8")
    task = {
        "works": [order.work for _, order in waiting], "jobs": max(1, jobs),
        "seconds": limits.total * limits.patience + _OVERHEAD,
    }  # fmt: skip
    environment = {
        **os.environ, **dict.fromkeys(THREADS, "1"), "MPLCONFIGDIR": str(fonts), "MPLBACKEND": "Agg",
        "PYTHONPATH": os.pathsep.join(import_paths()),
    }  # fmt: skip
    runner = subprocess.Popen(
        [sys.executable, "-P", "-m", "teaching.run"], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    ended = set()
    with runner:
        runner.stdin.write(json.dumps(task))
        runner.stdin.close()
        for line in runner.stdout:
            ended.add(int(line))
            done(int(line))
    for number in set(range(len(waiting))) - ended:
        done(number)  # the runner itself has failed: nothing was left behind, and that is said


def _collect(one: Submission, order: Order) -> None:
    """Read what the submission's grading left behind; if it left nothing, that is its fault."""
    work = Path(order.work)
    try:
        one.result = Result(**json.loads((work / "result.json").read_text(encoding="utf-8")))
        one.page = (work / "feedback.html").read_text(encoding="utf-8")
    except (OSError, ValueError, TypeError):
        fault = _why_nothing(work)
        source = nbformat.read(
            Path(order.course) / "source" / one.assignment / f"{one.assignment}.ipynb", as_version=4
        )
        one.result = Result(most=sum(points(source).values()), faults=[asdict(fault)])
        one.page = plain_page(one.assignment, one.result)


def _own_folder(one: Submission, submitted: Path) -> str:
    """The folder of the notebook; empty if it is everybody's."""
    folder = one.notebook.parent
    return "" if folder == submitted else str(folder.absolute())


def _why_nothing(work: Path) -> Fault:
    """What ended the grading of an order that has left no result."""
    late, log = work / LATE, work / "log.txt"
    if late.is_file():  # whatever the log's last line, which need not have to do with it
        return Fault("time", detail=late.read_text(encoding="utf-8"))
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.is_file() else []
    return Fault("grader", detail=said[-1][:300] if said else "it ended without a word")


def _seed(seed: int, one: Submission) -> int:
    text = f"{seed}/{one.assignment}/{one.student}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
