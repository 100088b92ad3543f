"""The tables that an instructor fills in: points for written answers, and exceptions for single students."""

from pathlib import Path

from gapkit import InputError
from teaching.collect import Submission
from teaching.faults import FAULTS
from teaching.roster import key, read_table


def _rows(path: Path, needed: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    columns, rows = read_table(path)
    columns = [name.lower() for name in columns]
    missing = [name for name in needed if name not in columns]
    if missing:
        raise InputError(f"{path} lacks the column {missing[0]!r}; needed are {', '.join(needed)}")
    return [(number, dict(zip(columns, row + [""] * len(columns), strict=False))) for number, row in rows]


def _student(path: Path, number: int, name: str, submissions: list[Submission]) -> str:
    """The student a row means, however the name is written."""
    for one in submissions:
        if key(name.lstrip("'")) and key(name.lstrip("'")) in (key(one.student), key(one.id)):
            return one.student
    raise InputError(f"{path}, line {number}: nobody called {name!r} has handed in")


def _amount(path: Path, number: int, text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise InputError(f"{path}, line {number}: {text!r} is no number") from None


def read_rubric(
    path: Path, submissions: list[Submission], tasks: dict[str, list[str]]
) -> dict[tuple[str, str, str], tuple[float, str]]:
    """Points and a comment for written answers; a row without points still waits.

    Raises
    ------
    InputError
        With the line: for an unknown student, assignment or task, and where points are no number.
    """
    found = {}
    for number, row in _rows(path, ("student", "assignment", "task", "points")):
        student = _student(path, number, row["student"], submissions)
        if row["assignment"] not in tasks:
            raise InputError(
                f"{path}, line {number}: no assignment {row['assignment']!r}; known are {', '.join(tasks)}"
            )
        if row["task"] not in tasks[row["assignment"]]:
            raise InputError(f"{path}, line {number}: {row['assignment']} has no task {row['task']!r}")
        if row["points"]:
            points = _amount(path, number, row["points"])
            found[student, row["assignment"], row["task"]] = points, row.get("comment", "")
    return found


def read_exceptions(
    path: Path, submissions: list[Submission]
) -> dict[tuple[str, str], tuple[tuple[str, ...], float]]:
    """Forgiven kinds of faults and days late, for a student and an assignment (empty: every one).

    Raises
    ------
    InputError
        With the line: for an unknown student or kind, and where the days are no number.
    """
    found = {}
    for number, row in _rows(path, ("student",)):
        student = _student(path, number, row["student"], submissions)
        kinds = tuple(row.get("forgive", "").replace(",", " ").split())
        unknown = [kind for kind in kinds if kind not in FAULTS]
        if unknown:
            raise InputError(f"{path}, line {number}: no fault {unknown[0]!r}; known are {', '.join(FAULTS)}")
        days = _amount(path, number, row["days_late"]) if row.get("days_late") else 0.0
        found[student, row.get("assignment", "")] = kinds, days
    return found
