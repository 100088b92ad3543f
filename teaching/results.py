"""What an instructor gets: tables of points, pages of feedback (also zipped for the platform), a report."""

import hashlib
import re
import zipfile
from pathlib import Path, PurePosixPath

from teaching.collect import MOODLE, Submission
from teaching.faults import costly
from teaching.feedback import messages
from teaching.roster import Roster, export, table

POINTS = (
    "student", "id", "assignment", "points", "max_points", "written_answers_waiting", "faults",
    "points_without_faults", "days_late", "notes", "confined", "seconds", "file", "feedback",
)  # fmt: skip


def line(one: Submission) -> str:
    """A submission, its points and what they were lost for, in one line."""
    found = costly(one.faults, one.forgiven)
    said = f" — {messages(found)}" if found else ""
    waits = f" ({len(one.result.waiting)} written answers wait)" if one.result.waiting else ""
    return f"{one.student} {one.assignment or '?'}: {one.result.points:g} of {one.result.most:g}{waits}{said}"


def write_results(
    submissions: list[Submission], out: Path, *, roster: Roster | None = None, form: str = ""
) -> None:
    """Write the tables, the report, the pages and their zip files, and the export, into a new folder."""
    (out / "feedback").mkdir(parents=True)
    rows, tasks, rubric = [], [], []
    for one in submissions:
        name = f"{safe(one.student)}-{one.assignment or 'unknown'}.html"
        (out / "feedback" / name).write_text(one.page, encoding="utf-8")
        result, lost = one.result, costly(one.faults, one.forgiven)
        rest = messages(fault for fault in one.faults if fault not in lost)
        rows.append(
            [one.student, one.id, one.assignment, result.points, result.most, " ".join(result.waiting), messages(lost),
             result.earned, one.late_days, rest, "yes" if result.confined else "no", result.seconds,
             one.file.name if one.file else "", f"feedback/{name}"]
        )  # fmt: skip
        for task in result.tasks:
            who = [one.student, one.assignment, task["task"]]
            tasks.append([*who, task["points"], task["most"], task["earned"], task["message"]])
            if task["waiting"]:
                rubric.append([*who, "", task["most"], ""])
    columns = ("student", "assignment", "task")
    _write(out / "points.csv", POINTS, rows)
    _write(out / "tasks.csv", (*columns, "points", "most", "earned", "message"), tasks)
    _write(out / "rubric.csv", (*columns, "points", "max_points", "comment"), rubric)
    (out / "report.md").write_text(_report(submissions, roster), encoding="utf-8")
    _zip_feedback(submissions, out)
    if roster and form:
        points = {
            (one.id, one.assignment): one.result.points for one in submissions if one.id and one.assignment
        }
        most = {one.assignment: one.result.most for one in submissions if one.assignment}
        for name, text in export(roster, form, points, most).items():
            (out / name).write_text(text, encoding="utf-8")


def _write(path: Path, columns: tuple[str, ...], rows: list[list]) -> None:
    path.write_text(
        table(columns, [[_harmless(value) for value in row] for row in rows]), encoding="utf-8-sig"
    )


def _harmless(value):
    """Keep a spreadsheet from taking a student's text for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _zip_feedback(submissions: list[Submission], out: Path) -> None:
    """One zip file of pages for each assignment, under the names by which Canvas or Moodle gives them back."""
    for assignment in sorted({one.assignment for one in submissions if one.assignment}):
        with zipfile.ZipFile(out / f"feedback-{assignment}.zip", "w", zipfile.ZIP_DEFLATED) as file:
            for one in (one for one in submissions if one.assignment == assignment):
                name = f"{safe(one.student)}-{assignment}.html"
                if MOODLE.fullmatch(one.place):
                    name = f"{one.place}/{assignment}-feedback.html"
                elif one.place:
                    name = f"{PurePosixPath(one.place)}.html"
                file.writestr(name, one.page)


def _report(submissions: list[Submission], roster: Roster | None) -> str:
    spoilt = [one for one in submissions if costly(one.faults, one.forgiven)]
    lines = [
        "# Grading report",
        "",
        f"{len(submissions)} submissions, {len(spoilt)} without points for a fault.",
        "",
    ]
    if spoilt:
        lines += ["## Faults", "", "Each of these got no points. Look at it yourself before you decide.", ""]
        lines += [f"- {line(one)}; its tasks would earn {one.result.earned:g}" for one in spoilt] + [""]
    waits = [one for one in submissions if one.result.waiting]
    if waits:
        lines += ["## Written answers that wait for a person", ""]
        lines += [f"- {one.student} {one.assignment}: {', '.join(one.result.waiting)}" for one in waits]
        lines += ["", "Fill in `rubric.csv` and grade again with `--rubric`.", ""]
    noted = [one for one in submissions if set(one.faults) - set(costly(one.faults, one.forgiven))]
    if noted:
        lines += ["## Remarks", ""]
        for one in noted:
            rest = messages(fault for fault in one.faults if fault not in costly(one.faults, one.forgiven))
            lines.append(f"- {one.student} {one.assignment}: {rest}")
        lines.append("")
    lines += ["## All", ""] + [f"- {line(one)}" for one in submissions] + [""]
    if roster:
        came = {one.id for one in submissions}
        missing = [student.name for student in roster.students if student.id not in came]
        if missing:
            lines += [f"Nothing from: {', '.join(missing)}.", ""]
        lines.append(
            f"{len(roster.students) - len(missing)} of the {len(roster.students)} on the roster handed in."
        )
    return "\n".join(lines) + "\n"


def safe(name: str) -> str:
    """``name`` as the name of a file; different names stay different."""
    kept = re.sub(r"[^\w.-]", "_", name)[:60].lstrip(".")
    return kept if kept == name else f"{kept}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
