"""Grades a folder of submissions: one process each, a table of points, a feedback page each, a report."""

import contextlib
import csv
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import nbformat

import gapkit
from gapkit._files import write_text
from gapkit.errors import InputError
from gapkit.grading.course import COURSE, points
from gapkit.grading.faults import FAULTS, Fault, costly
from gapkit.grading.one import Order, Result, plain_page
from gapkit.grading.run import LATE
from gapkit.grading.sandbox.start import THREADS
from gapkit.grading.student import Limits

_OVERHEAD = 180.0  # seconds around the notebook's own: imports on a busy machine, nbgrader, the page


@dataclass
class Submission:
    """One notebook that was handed in, and what became of it."""

    student: str
    assignment: str
    notebook: Path
    notes: list[Fault] = field(default_factory=list)
    result: Result | None = None
    page: str = ""

    @property
    def faults(self) -> list[Fault]:
        """Everything that was remarked."""
        return self.notes + [Fault(**fault) for fault in (self.result.faults if self.result else [])]


def find_submissions(folder: Path, known: Iterable[str]) -> list[Submission]:
    """The notebooks below ``folder``.

    ``ann/A1.ipynb``, ``ann/A1/A1.ipynb`` (as nbgrader collects them) and ``ann_A1.ipynb`` are all the
    submission of ann. The assignment is read from the notebook, and from the file's name if that fails.
    """
    if not folder.is_dir():
        raise InputError(f"no folder {folder}")
    known = list(known)
    newest: dict[tuple[str, str], Submission] = {}
    for path in sorted(folder.rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:
            continue
        inside = path.relative_to(folder)
        assignment = _assignment(path, known)
        student = (
            inside.parts[0]
            if len(inside.parts) > 1
            else re.sub(rf"[-_ ]*{assignment or '$^'}$", "", path.stem)
        )
        found = Submission(student or path.stem, assignment, path)
        other = newest.get((found.student, assignment))
        if other is not None:
            found = max(found, other, key=lambda one: one.notebook.lstat().st_mtime)
            found.notes.append(Fault("several"))
        newest[found.student, assignment] = found
    if not newest:
        raise InputError(f"no notebooks (*.ipynb) in {folder}")
    return [newest[key] for key in sorted(newest)]


def _assignment(path: Path, known: list[str]) -> str:
    """The name of the assignment a notebook belongs to, empty if it cannot be told."""
    with contextlib.suppress(Exception):  # whatever the file may hold
        if not path.is_symlink() and path.stat().st_size < 20 * 2**20:
            said = json.loads(path.read_text(encoding="utf-8"))["metadata"]["gapkit"]["assignment"]
            if said in known:
                return said
    return next(
        (name for name in known if path.stem == name or re.search(rf"(^|[-_ ]){name}$", path.stem)), ""
    )


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
    course : what `gapkit.grading.course.build` made
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
            progress(_line(waiting[number][0], forgiven))

        _run_all(waiting, jobs=jobs, limits=limits, fonts=base / "fonts", done=done)
        _write(submissions, base / "out", forgiven)
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
    """Let `gapkit.grading.run` carry out the orders; ``done`` hears the number of each that has ended."""
    for _, order in waiting:
        Path(order.work).mkdir(parents=True)
        (Path(order.work) / "order.json").write_text(json.dumps(asdict(order)), encoding="utf-8")
    task = {
        "works": [order.work for _, order in waiting], "jobs": max(1, jobs),
        "seconds": limits.total * limits.patience + _OVERHEAD,
    }  # fmt: skip
    environment = {
        **os.environ, **dict.fromkeys(THREADS, "1"), "MPLCONFIGDIR": str(fonts), "MPLBACKEND": "Agg",
        "PYTHONPATH": str(Path(gapkit.__file__).parent.parent),
    }  # fmt: skip
    runner = subprocess.Popen(
        [sys.executable, "-P", "-m", "gapkit.grading.run"], env=environment, text=True,
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


def _line(one: Submission, forgiven: Iterable[str]) -> str:
    found = costly(one.faults, forgiven)
    said = f" — {'; '.join(map(str, found))}" if found else ""
    waits = f" ({len(one.result.waiting)} written answers wait)" if one.result.waiting else ""
    return f"{one.student} {one.assignment or '?'}: {one.result.points:g} of {one.result.most:g}{waits}{said}"


def _write(submissions: list[Submission], out: Path, forgiven: Iterable[str]) -> None:
    (out / "feedback").mkdir(parents=True)
    rows, tasks = [], []
    for one in submissions:
        page = out / "feedback" / f"{_safe(one.student)}-{one.assignment or 'unknown'}.html"
        page.write_text(one.page, encoding="utf-8")
        result = one.result
        rows.append(
            {
                "student": one.student,
                "assignment": one.assignment,
                "points": result.points,
                "max_points": result.most,
                "tested_points": result.tested,
                "max_tested_points": result.most_tested,
                "written_answers_waiting": " ".join(result.waiting),
                "faults": "; ".join(map(str, costly(one.faults, forgiven))),
                "points_without_faults": result.without_faults,
                "notes": "; ".join(
                    str(fault) for fault in one.faults if fault not in costly(one.faults, forgiven)
                ),
                "confined": "kernel and Python" if result.confined else "Python only",
                "seconds": result.seconds,
                "feedback": f"feedback/{page.name}",
            }
        )
        tasks += [{"student": one.student, "assignment": one.assignment, **task} for task in result.tasks]
    write_text(out / "points.csv", _csv(rows))
    columns = ("student", "assignment", "task", "points", "most", "earned", "message")
    write_text(out / "tasks.csv", _csv(tasks, columns))
    write_text(out / "report.md", _report(submissions, forgiven))


def _csv(rows: list[dict], columns: Iterable[str] = ()) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(columns) or list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _harmless(value) for key, value in row.items()})
    return text.getvalue()


def _harmless(value):
    """Keep a spreadsheet from taking a student's text for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _report(submissions: list[Submission], forgiven: Iterable[str]) -> str:
    spoilt = [one for one in submissions if costly(one.faults, forgiven)]
    lines = [
        "# Grading report",
        "",
        f"{len(submissions)} submissions, {len(spoilt)} with faults that cost their points.",
        "",
    ]
    if spoilt:
        lines += ["## Faults", "", "Each of these got no points. Look at it yourself before you decide.", ""]
        lines += [f"- {_line(one, forgiven)}; without that {one.result.without_faults:g}" for one in spoilt]
        lines.append("")
    waits = [one for one in submissions if one.result.waiting]
    if waits:
        lines += ["## Written answers that wait for a person", ""]
        lines += [f"- {one.student} {one.assignment}: {', '.join(one.result.waiting)}" for one in waits]
        lines.append("")
    lines += ["## All", ""] + [f"- {_line(one, forgiven)}" for one in submissions]
    return "\n".join(lines) + "\n"


def _safe(name: str) -> str:
    kept = re.sub(r"[^\w.-]", "_", name)[:60]
    return kept if kept == name else f"{kept}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
