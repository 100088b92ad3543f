"""What an instructor gets: tables of points, pages of feedback (also zipped for the platform), a report."""

import hashlib
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from teaching.collect import MOODLE, Submission
from teaching.feedback import TEMPLATES, page
from teaching.roster import Roster, export, table

POINTS = (
    "student", "id", "assignment", "points", "max_points", "written_answers_waiting", "faults",
    "points_without_faults", "days_late", "notes", "confined", "seconds", "file", "feedback",
)  # fmt: skip


def write_results(
    submissions: list[Submission],
    out: Path,
    *,
    roster: Roster | None = None,
    form: str = "",
    by_hand: Mapping[tuple[str, str], Mapping[str, tuple[float, str]]],
) -> None:
    """Write the tables, the report, the pages and their zip files, and the export, into a new folder.

    ``rubric.csv`` keeps the points ``by_hand``, since the folder may be the one that they were read from.
    """
    (out / "feedback").mkdir(parents=True)
    rows, tasks, rubric, points, most = [], [], [], {}, {}
    for one in submissions:
        name, result = f"{safe(one.student)}-{one.assignment or 'unknown'}.html", one.result
        one.page = one.page or page(one.assignment or "Your hand-in", result, None)
        (out / "feedback" / name).write_text(one.page, encoding="utf-8")
        if one.assignment:
            most[one.assignment], points[one.id, one.assignment] = result.most, result.points
            # under the name by which Canvas or Moodle gives it back
            back = f"{one.place}/{one.assignment}-feedback" if MOODLE.fullmatch(one.place) else one.place
            with zipfile.ZipFile(out / f"feedback-{one.assignment}.zip", "a", zipfile.ZIP_DEFLATED) as file:
                file.writestr(f"{back}.html" if back else name, one.page)
        lost, rest = ("; ".join(map(str, faults)) for faults in (one.lost, one.remarks))
        rows.append(
            [one.student, one.id, one.assignment, result.points, result.most, " ".join(result.waiting), lost,
             result.earned, one.late_days, rest, "yes" if result.confined else "no", result.seconds,
             one.file.name if one.file else "", f"feedback/{name}"]
        )  # fmt: skip
        given = by_hand.get((one.student, one.assignment), {})
        for task in result.tasks:
            who = [one.student, one.assignment, task.task]
            tasks.append([*who, task.points, task.most, task.earned, task.message])
            if task.waiting or task.task in given:
                by_person, comment = given.get(task.task, ("", ""))
                rubric.append([*who, by_person, task.most, comment])
    columns = ("student", "assignment", "task")
    _write(out / "points.csv", POINTS, rows)
    _write(out / "tasks.csv", (*columns, "points", "most", "earned", "message"), tasks)
    _write(out / "rubric.csv", (*columns, "points", "max_points", "comment"), rubric)
    students, came = roster.students if roster else [], {one.id for one in submissions}
    missing = [student.name for student in students if student.id not in came]
    facts = {"submissions": submissions, "class": students, "missing": missing}
    (out / "report.md").write_text(TEMPLATES.get_template("report.md").render(facts), encoding="utf-8")
    for name, text in export(roster, form, points, most).items() if form else ():
        (out / name).write_text(text, encoding="utf-8")


def _write(path: Path, columns: tuple[str, ...], rows: list[list]) -> None:
    path.write_text(table(columns, [map(_harmless, row) for row in rows]), encoding="utf-8-sig")


def _harmless(value):
    """Keep a spreadsheet from taking a student's text for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def safe(name: str) -> str:
    """``name`` as the name of a file; different names stay different."""
    kept = re.sub(r"[^\w.-]", "_", name)[:60].lstrip(".")
    return kept if kept == name else f"{kept}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
