"""Grades a folder of submissions: one process each, then a table of points, a feedback page each, a report."""

import contextlib
import multiprocessing.forkserver
import os
import pickle
import shutil
import stat
import sys
import tempfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

from gapkit import InputError
from teaching import confine
from teaching.collect import DATA, Submission, find_submissions
from teaching.confine import THREADS
from teaching.course import COURSE, SOURCES, facts_of, must_be_ours
from teaching.faults import Fault, costly
from teaching.gradebook import fill
from teaching.notebooks import grade_id, is_written, notebook_of
from teaching.one import Order, Result, carry_out, ungraded
from teaching.results import safe, write_results
from teaching.roster import export as exported
from teaching.roster import read_exceptions, read_roster, read_rubric
from teaching.student import Limits

MAX_DATA = 50 * 2**20
"""Bytes of data files that go along with a notebook."""
_OVERHEAD = 180.0  # seconds around the notebook's own: imports on a busy machine, the page


def grade_folder(
    submitted: Path,
    *,
    course: Path = COURSE,
    out: Path,
    limits: Limits | None = None,
    jobs: int = 2,
    seed: int = 0,
    roster: Path | None = None,
    assignment: str = "",
    rubric: Path | None = None,
    exceptions: Path | None = None,
    late_percent: float = 0.0,
    export: str | None = None,
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
    roster : who is in the class, see `teaching.roster.read_roster`
    assignment : what a hand-in is where nothing says so
    rubric : table of points for written answers
    exceptions : table of forgiven kinds of faults and days late
    late_percent : of the points, for each day late
    export : "canvas", "moodle" or "csv", if the points are wanted so
    confined : whether submissions run in the sandbox (`teaching.confine`)
    progress : called with a line for each submission that is done

    Returns
    -------
    the submissions, graded
    """
    if sys.platform == "win32":
        raise InputError("grading needs Linux or macOS; on Windows do it in WSL")
    variant, limits = facts_of(course)["variant"], limits or Limits()
    if confined and confine.why_not():
        raise InputError(
            f"submissions cannot be confined: {confine.why_not()}. Grade in a container or a virtual machine that "
            "holds nothing else, or say --unconfined if you trust every submission"
        )
    if export and not roster:
        raise InputError("--export needs --roster: whose points are whose is in it")
    must_be_ours(out, "points.csv")
    for inside, around in ((submitted, out), (out, submitted)):
        if inside.resolve().is_relative_to(around.resolve()):  # it would be deleted, or graded as a hand-in
            raise InputError(
                f"{inside} lies in {around}; the results need a folder apart from the hand-ins: --out"
            )
    people = read_roster(roster) if roster else None
    names = [path.name for path in sorted((course / "source").iterdir())]
    if export:  # a roster of another platform is refused now, not after an hour
        exported(people, export, {}, dict.fromkeys([assignment] if assignment else names, 0.0))
    sources = {name: notebook_of(course, "source", name) for name in names}
    if assignment and assignment not in sources:
        raise InputError(f"no assignment {assignment!r}; known are {', '.join(sources)}")
    # the file of embeddings that this year's variant names, if it is one of the instructor's own
    readable = tuple(path.absolute() for path in [Path(variant["dataset"] or "")] if path.is_file())
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".grading-", dir=out.parent) as work:
        base = Path(work).resolve()
        hidden = tuple(path.absolute() for path in (course, submitted, out, SOURCES, base))
        given = {"unpacked": base / "unpacked", "roster": people, "assignment": assignment}
        found = find_submissions(submitted, sources, **given)
        written = {name: [grade_id(c) for c in s.cells if is_written(c)] for name, s in sources.items()}
        by_hand = read_rubric(rubric, found, written)
        for (who, what), (forgiven, days) in read_exceptions(exceptions, found, names).items():
            for one in found:
                if one.student == who and what in ("", one.assignment):
                    one.forgiven, one.late_days = forgiven, days
        waiting = []
        for number, one in enumerate(found):
            for fault in costly(one.notes)[:1]:
                one.notes.remove(fault)
                one.result = ungraded(sources.get(one.assignment), fault)
            if one.result:
                continue
            own_seed = zlib.crc32(f"{seed}/{one.assignment}/{one.student}".encode())
            order = Order(
                course.resolve(), one.assignment, one.file.absolute(), base / f"{number:04d}", own_seed, limits,
                one.forgiven, min(1.0, one.late_days * late_percent / 100),
                by_hand.get((one.student, one.assignment), {}), _data_beside(one), hidden, readable, confined,
            )  # fmt: skip
            order.work.mkdir()
            waiting.append((one, order))

        def done(number: int, came: tuple[Result, str] | Fault) -> None:
            one, order = waiting[number]
            failed = isinstance(came, Fault)
            one.result, one.page = (ungraded(sources[one.assignment], came), "") if failed else came
            one.ran = order.work / "ran.ipynb" if (order.work / "ran.ipynb").is_file() else None
            progress(str(one))

        seconds = limits.total * limits.patience + _OVERHEAD
        _run_all([order for _, order in waiting], jobs=jobs, seconds=seconds, done=done)
        write_results(found, base / "out", roster=people, form=export, by_hand=by_hand)
        ran = [(safe(one.student), one.assignment, one.ran, one.result.tasks) for one in found if one.ran]
        fill(course, base / "out" / "nbgrader", ran)
        shutil.rmtree(out, ignore_errors=True)
        (base / "out").rename(out)
    return found


def _run_all(
    orders: list[Order], *, jobs: int, seconds: float, done: Callable[[int, tuple[Result, str] | Fault], None]
) -> None:
    """Grade each order in a process of its own, ``jobs`` at a time; ``done`` gets what comes out, or why nothing did.

    The processes are forked from one that has done the imports and has seen no submission.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["teaching.one"])
    with mock.patch.dict(os.environ, {**dict.fromkeys(THREADS, "1"), "MPLBACKEND": "Agg"}):
        multiprocessing.forkserver.ensure_running()

    def carried_out(order: Order) -> tuple[Result, str] | Fault:
        process = context.Process(target=carry_out, args=(order,))
        process.start()
        process.join(seconds)
        late = f"over {seconds:g} s in all" if process.is_alive() else ""
        process.kill()
        process.join()
        return _outcome(order.work, late)

    pool = ThreadPoolExecutor(jobs)
    try:
        for number, came in enumerate(pool.map(carried_out, orders)):
            done(number, came)
    finally:
        pool.shutdown(cancel_futures=True)


def _outcome(work: Path, late: str = "") -> tuple[Result, str] | Fault:
    """What the grading of an order has left; if it has left nothing, what ended it."""
    with contextlib.suppress(FileNotFoundError):
        return pickle.loads((work / "result.pickle").read_bytes())
    log = work / "log.txt"
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.is_file() else []
    # if it was late, the log's last line need not have to do with it
    return Fault("grader", detail=late or (said[-1][:300] if said else "it ended without a word"))


def _data_beside(one: Submission) -> tuple[Path, ...]:
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
        found.append(path.absolute())
    return tuple(found)
