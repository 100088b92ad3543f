"""What an instructor gets: tables of points, pages of feedback, a report of faults and of what waits for a person."""

import csv
import hashlib
import io
import re
from collections.abc import Iterable
from pathlib import Path

from teaching.faults import costly
from teaching.submissions import Submission


def line(one: Submission, forgiven: Iterable[str]) -> str:
    """A submission, its points and what they were lost for, in one line."""
    found = costly(one.faults, forgiven)
    said = f" — {'; '.join(map(str, found))}" if found else ""
    waits = f" ({len(one.result.waiting)} written answers wait)" if one.result.waiting else ""
    return f"{one.student} {one.assignment or '?'}: {one.result.points:g} of {one.result.most:g}{waits}{said}"


def write_results(submissions: list[Submission], out: Path, forgiven: Iterable[str]) -> None:
    """Write ``points.csv``, ``tasks.csv``, ``report.md`` and a page of feedback each into a new folder."""
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
    (out / "points.csv").write_text(_csv(rows), encoding="utf-8")
    columns = ("student", "assignment", "task", "points", "most", "earned", "message")
    (out / "tasks.csv").write_text(_csv(tasks, columns), encoding="utf-8")
    (out / "report.md").write_text(_report(submissions, forgiven), encoding="utf-8")


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
        lines += [f"- {line(one, forgiven)}; without that {one.result.without_faults:g}" for one in spoilt]
        lines.append("")
    waits = [one for one in submissions if one.result.waiting]
    if waits:
        lines += ["## Written answers that wait for a person", ""]
        lines += [f"- {one.student} {one.assignment}: {', '.join(one.result.waiting)}" for one in waits]
        lines.append("")
    lines += ["## All", ""] + [f"- {line(one, forgiven)}" for one in submissions]
    return "\n".join(lines) + "\n"


def _safe(name: str) -> str:
    kept = re.sub(r"[^\w.-]", "_", name)[:60]
    return kept if kept == name else f"{kept}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
