"""Grades a folder of submissions: one process each, then a table of points, a feedback page each, a report."""

import hashlib
import json
import multiprocessing.connection
import multiprocessing.forkserver
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from gapkit import InputError
from teaching import confine
from teaching.collect import DATA, Submission, find_submissions
from teaching.confine import THREADS
from teaching.course import COURSE, SOURCES
from teaching.faults import Fault, costly
from teaching.feedback import page
from teaching.gradebook import fill
from teaching.one import Order, Result, carry_out, notebook_of, ungraded
from teaching.results import line, safe, write_results
from teaching.roster import Roster
from teaching.student import Limits

MAX_DATA = 50 * 2**20
"""Bytes of data files that go along with a notebook."""
LATE = "late.txt"
"""In an order's folder: says that it was stopped because its time was up."""
_OVERHEAD = 180.0  # seconds around the notebook's own: imports on a busy machine, the page


@dataclass(frozen=True)
class Given:
    """What an instructor gives to a class besides the notebooks.

    Attributes
    ----------
    roster : who is in it
    assignment : what a hand-in is where nothing says so
    rubric : reads points for written answers once it is known who has handed in: (student, assignment, task) to
        points and comment
    exceptions : likewise: (student, assignment) to forgiven kinds of faults and days late
    late_percent : of the points, for each day late
    export : "canvas", "moodle" or "csv", if the points are wanted so
    """

    roster: Roster | None = None
    assignment: str = ""
    rubric: Callable[[list[Submission], dict[str, list[str]]], dict] | None = None
    exceptions: Callable[[list[Submission]], dict] | None = None
    late_percent: float = 0.0
    export: str = ""


def grade_folder(
    submitted: Path,
    *,
    course: Path = COURSE,
    out: Path,
    limits: Limits | None = None,
    jobs: int = 2,
    seed: int = 0,
    given: Given = Given(),
    confined: bool = True,
    progress: Callable[[str], None] = lambda line: None,
) -> list[Submission]:
    """Grade every submission below ``submitted`` and write the tables, the pages and the report to ``out``.

    Parameters
    ----------
    submitted : what was handed in, see `teaching.collect.find_submissions`
    course : what `teaching.course.build` made
    out : folder for the results; one that is there is replaced, once all is graded
    limits : what each submission may use; `Limits` has the usual values
    jobs : submissions graded at a time
    seed : of the tests' random inputs, together with the student's name; the same gives the same points
    given : roster, points for written answers, exceptions
    confined : whether submissions run in the sandbox (`teaching.confine`)
    progress : called with a line for each submission that is done

    Returns
    -------
    the submissions, graded
    """
    if not (course / "course.json").is_file():
        raise InputError(f"no course in {course}; build it with: make assignments")
    if confined and confine.why_not():
        raise InputError(
            f"submissions cannot be confined: {confine.why_not()}. Grade in a container or a virtual machine that "
            "holds nothing else, or say --unconfined if you trust every submission"
        )
    limits = limits or Limits()
    sources = {
        path.name: notebook_of(course, "source", path.name) for path in sorted((course / "source").iterdir())
    }
    if given.assignment and given.assignment not in sources:
        raise InputError(f"no assignment {given.assignment!r}; known are {', '.join(sources)}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".grading-", dir=out.parent) as work:
        base = Path(work).resolve()
        submissions = find_submissions(
            submitted, sources, unpacked=base / "unpacked", roster=given.roster, assignment=given.assignment
        )
        tasks = {
            name: [task["task"] for task in ungraded(source, Fault("empty")).tasks]
            for name, source in sources.items()
        }
        rubric = given.rubric(submissions, tasks) if given.rubric else {}
        for (student, assignment), (forgiven, days) in (
            given.exceptions(submissions) if given.exceptions else {}
        ).items():
            for one in submissions:
                if one.student == student and assignment in ("", one.assignment):
                    one.forgiven, one.late_days = forgiven, days
        waiting = []
        for number, one in enumerate(submissions):
            if costly(one.notes):
                one.result = (
                    ungraded(sources[one.assignment], one.notes[0])
                    if one.assignment
                    else Result(faults=[asdict(one.notes[0])])
                )
                one.page, one.notes = (
                    page(one.assignment or "Your hand-in", asdict(one.result), None),
                    one.notes[1:],
                )
                continue
            order = Order(
                course=str(course.resolve()), assignment=one.assignment, notebook=str(one.file.absolute()),
                work=str(base / f"{number:04d}"), seed=_seed(seed, one), limits=asdict(limits), forgiven=one.forgiven,
                deducted=min(1.0, one.late_days * given.late_percent / 100),
                rubric={task: value for (who, what, task), value in rubric.items() if (who, what) == (one.student, one.assignment)},
                data=_data_beside(one),
                hidden=tuple(str(path.absolute()) for path in (course, submitted, out, SOURCES, base)),
                readable=_data_of(course), confined=confined,
            )  # fmt: skip
            Path(order.work).mkdir(parents=True)
            waiting.append((one, order))

        def done(number: int) -> None:
            _collect(*waiting[number])
            progress(line(waiting[number][0]))

        seconds = limits.total * limits.patience + _OVERHEAD
        _run_all([order for _, order in waiting], jobs=max(1, jobs), seconds=seconds, done=done)
        write_results(submissions, base / "out", roster=given.roster, form=given.export)
        graded = [
            (safe(one.student), one.assignment, one.ran, one.result.tasks) for one in submissions if one.ran
        ]
        fill(course, base / "out" / "nbgrader", graded)
        shutil.rmtree(out, ignore_errors=True)
        (base / "out").rename(out)
    return submissions


def _run_all(orders: list[Order], *, jobs: int, seconds: float, done: Callable[[int], None]) -> None:
    """Grade each order in a process of its own, ``jobs`` at a time; ``done`` hears the number of each that has ended.

    The processes are forked from one that has done the imports and has seen no submission.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["teaching.one"])
    settings = {**dict.fromkeys(THREADS, "1"), "MPLBACKEND": "Agg"}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    multiprocessing.forkserver.ensure_running()
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})
    waiting = list(enumerate(orders))[::-1]
    running: dict[int, tuple] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            number, order = waiting.pop()
            process = context.Process(target=carry_out, args=(order,))
            process.start()
            running[number] = process, time.monotonic() + seconds
        multiprocessing.connection.wait([process.sentinel for process, _ in running.values()], timeout=0.5)
        for number, (process, deadline) in list(running.items()):
            if process.is_alive() and time.monotonic() < deadline:
                continue
            if process.is_alive():
                (Path(orders[number].work) / LATE).write_text(f"over {seconds:g} s in all", encoding="utf-8")
                process.kill()
            process.join()
            del running[number]
            done(number)


def _collect(one: Submission, order: Order) -> None:
    """Read what the submission's grading left behind; if it left nothing, that is its fault."""
    work = Path(order.work)
    try:
        one.result = Result(**json.loads((work / "result.json").read_text(encoding="utf-8")))
        one.page = (work / "feedback.html").read_text(encoding="utf-8")
        one.ran = work / "ran.ipynb" if (work / "ran.ipynb").is_file() else None
    except (OSError, ValueError, TypeError):
        one.result = ungraded(notebook_of(Path(order.course), "source", one.assignment), _why_nothing(work))
        one.page = page(one.assignment, asdict(one.result), None)


def _data_beside(one: Submission) -> tuple[str, ...]:
    """Data files in the notebook's folder, if it is the student's own, as long as there is room.

    Links, folders and files of other kinds stay behind: a link may show what is not the student's.
    """
    found, room = [], MAX_DATA
    for path in sorted(one.file.parent.iterdir()) if one.own_folder else ():
        about = path.lstat()
        if path.suffix.lower() not in DATA or not stat.S_ISREG(about.st_mode):
            continue
        if about.st_size > room:
            one.notes.append(Fault("large", detail=path.name))
            continue
        room -= about.st_size
        found.append(str(path.absolute()))
    return tuple(found)


def _data_of(course: Path) -> tuple[str, ...]:
    """The file of embeddings that this year's variant names, if it is one of the instructor's own."""
    dataset = json.loads((course / "course.json").read_text(encoding="utf-8"))["variant"]["dataset"]
    return (str(Path(dataset).absolute()),) if dataset and Path(dataset).is_file() else ()


def _why_nothing(work: Path) -> Fault:
    """What ended the grading of an order that has left no result."""
    late, log = work / LATE, work / "log.txt"
    if late.is_file():  # whatever the log's last line, which need not have to do with it
        return Fault("grader", detail=late.read_text(encoding="utf-8"))
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.is_file() else []
    return Fault("grader", detail=said[-1][:300] if said else "it ended without a word")


def _seed(seed: int, one: Submission) -> int:
    text = f"{seed}/{one.assignment}/{one.student}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
