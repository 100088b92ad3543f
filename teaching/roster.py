"""Tables from and for an instructor: who is in the class, points by hand, exceptions, and the points for a platform."""

import contextlib
import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gapkit import InputError
from teaching.faults import FAULTS

COLUMNS = {
    "id": ("student_id", "sis user id", "id number", "identifier", "id", "student id"),
    "name": ("name", "full name", "student", "student name"),
    "first": ("first name", "firstname"),
    "last": ("last name", "surname", "lastname"),
}
ALSO = (*COLUMNS["id"][1:], "sis login id", "login", "username", "email", "email address")
"""Columns by which a student is known besides."""


@dataclass(frozen=True)
class Student:
    """One row of the roster, and by what the student is known."""

    id: str
    name: str
    keys: frozenset[str]
    row: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Roster:
    """A class, and the columns of the file that it was read from."""

    students: list[Student]
    columns: list[str]

    def find(self, *names: str) -> Student | None:
        """The only student whom one of the names fits, tried in their order; None if there is none."""
        for name in filter(None, map(key, names)):
            found = [student for student in self.students if name in student.keys]
            if len(found) == 1:
                return found[0]
        return None


def key(text: str) -> str:
    """What is compared of a name: its letters and digits, without accents and capitals."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(sign for sign in plain if sign.isalnum())


def decoded(content: bytes) -> str:
    """Text in UTF-8 or UTF-16 as their first bytes say, or in what Excel in the west writes for plain CSV."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    with contextlib.suppress(UnicodeDecodeError):
        return content.decode(encoding)
    return content.decode("cp1252")


def read_table(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """The header and the rows (with their line) of a CSV file as Excel and the platforms write it.

    Raises
    ------
    InputError
        If there is no such file, or it holds no table.
    """
    try:
        text = decoded(path.read_bytes())
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(f"cannot read {path}: {fault}") from fault
    skipped = text.lower().startswith("sep=") and "\n" in text  # Excel's own first line
    text = text.split("\n", 1)[1] if skipped else text
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows = [(reader.line_num + skipped, [value.strip() for value in row]) for row in reader]
    rows = [(number, row) for number, row in rows if any(row)]
    if not rows:
        raise InputError(f"{path} is empty; a table with a header is expected")
    columns = rows.pop(0)[1]
    for number, row in rows:
        if any(row[len(columns) :]):  # such as a decimal comma where commas separate
            raise InputError(
                f"{path}, line {number}: more cells than the header has; quote what holds a {delimiter!r}"
            )
    return columns, [(n, dict(zip(columns, row + [""] * len(columns), strict=False))) for n, row in rows]


def read_roster(path: Path) -> Roster:
    """A roster: Canvas's gradebook export, Moodle's grading worksheet or participants, or a CSV with id and name.

    Raises
    ------
    InputError
        If no column says who the students are, or two students have the same id.
    """
    columns, rows = read_table(path)
    lower = [name.lower() for name in columns]
    if not set(lower) & {*COLUMNS["name"], *COLUMNS["first"], *COLUMNS["id"]}:
        raise InputError(f"{path}: columns such as id and name are expected, not {', '.join(columns)}")
    students: dict[str, Student] = {}
    for number, row in rows:
        values = {name.lower(): value for name, value in row.items()}
        known = {what: next(filter(None, map(values.get, names)), "") for what, names in COLUMNS.items()}
        name = known["name"] or f"{known['first']} {known['last']}".strip()
        if lower[:2] == ["student", "id"] and not values["id"]:
            continue  # Canvas's points possible, and its test student
        identity = known["id"] or name
        if not identity:
            raise InputError(f"{path}, line {number}: neither an id nor a name")
        words = [part.strip() for part in name.split(",")] if "," in name else name.split() or [identity]
        swapped = " ".join([*words[1:], words[0]]), " ".join([words[-1], *words[:-1]])
        also = [name, *swapped, identity, f"{known['last']} {known['first']}"]
        also += [values.get(column, "") for column in ALSO]
        also += [text.split("@")[0] for text in also if "@" in text]
        also += [text.removeprefix("Participant ") for text in also]
        if identity in students:
            raise InputError(f"{path}, line {number}: {identity!r} is there twice")
        students[identity] = Student(identity, name, frozenset(filter(None, map(key, also))), row)
    if not students:
        raise InputError(f"{path} lists no students")
    return Roster(list(students.values()), columns)


def export(
    roster: Roster, form: str, points: Mapping[tuple[str, str], float], most: Mapping[str, float]
) -> dict[str, str]:
    """The points as a platform imports them: file name to text.

    Parameters
    ----------
    roster : the class; for Canvas and Moodle an export of theirs, whose columns are kept
    form : "canvas" (one gradebook), "moodle" (a grading worksheet for each assignment) or "csv"
    points : by student's id and assignment
    most : points that an assignment is worth

    Raises
    ------
    InputError
        If the roster is not of this platform.
    """
    names, columns = sorted(most), roster.columns

    def earned(student: Student) -> list[str]:
        return [f"{points[student.id, name]:.10g}" if (student.id, name) in points else "" for name in names]

    if form == "csv":
        rows = [[student.id, student.name, *earned(student)] for student in roster.students]
        return {"points-export.csv": table(["id", "name", *names], rows)}
    if form == "canvas":
        if [name.lower() for name in columns[:2]] != ["student", "id"] or "Section" not in columns:
            raise InputError("for Canvas the roster must be its gradebook export (Student, ID, …, Section)")
        identity = [c for c in ("Student", "ID", "SIS User ID", "SIS Login ID", "Section") if c in columns]
        headers = [_column(name, columns) for name in names]
        worth = ["    Points Possible", *[""] * (len(identity) - 1), *(f"{most[n]:.10g}" for n in names)]
        rows = [[*(student.row[c] for c in identity), *earned(student)] for student in roster.students]
        return {"canvas.csv": table([*identity, *headers], [worth, *rows])}
    lacking = sorted({"Identifier", "Grade", "Last modified (grade)"} - set(columns))
    if lacking:
        raise InputError(
            f"for Moodle the roster must be its grading worksheet; it lacks {', '.join(lacking)}"
        )
    files = {}
    for place, name in enumerate(names):
        graded = [{**s.row, "Grade": earned(s)[place] or s.row["Grade"]} for s in roster.students]
        files[f"moodle-{name}.csv"] = table(columns, [[row[c] for c in columns] for row in graded])
    return files


def _column(name: str, columns: list[str]) -> str:
    """Canvas's column of an assignment: "A1 (777)", or the only one that begins like it; a new one if none does."""
    begin = [column for column in columns if re.match(rf"{re.escape(name)}\b", column)]
    exact = [column for column in begin if re.fullmatch(r"( \(\d+\))?", column.removeprefix(name))]
    if len(found := exact or begin) > 1:
        raise InputError(f"several columns of the roster could be {name}: {', '.join(found)}; keep one")
    return found[0] if found else name


def table(columns: Iterable[str], rows: Iterable[Iterable]) -> str:
    """CSV text."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    return text.getvalue()


def read_rubric(
    path: Path | None, submissions: list, tasks: dict[str, list[str]]
) -> dict[tuple[str, str], dict[str, tuple[float, str]]]:
    """For a student and an assignment: points and a comment for written answers; a row without points still waits.

    Raises
    ------
    InputError
        With the line: for an unknown student, assignment or task, and where points are no number.
    """
    found: dict = {}
    handed_in = {(one.student, one.assignment) for one in submissions}
    for where, student, row in _rows(path, submissions, "student", "assignment", "task", "points"):
        name, task = row["assignment"], row["task"]
        if name not in tasks:
            raise InputError(f"{where}: no assignment {name!r}; known are {', '.join(tasks)}")
        if task not in tasks[name]:
            raise InputError(
                f"{where}: {name} has no task {task!r} for a person; there are {', '.join(tasks[name])}"
            )
        if row["points"]:
            if (student, name) not in handed_in:
                raise InputError(f"{where}: {student!r} has not handed in {name}")
            comment = re.sub(r"^'(?=[-=+@])", "", row.get("comment", ""))  # of the table that grading wrote
            given, before = (_amount(where, row["points"]), comment), found.setdefault((student, name), {})
            if before.setdefault(task, given)[0] != given[0]:
                raise InputError(f"{where}: {task} of {student!r} has other points further up")
    return found


def read_exceptions(
    path: Path | None, submissions: list, known: Iterable[str]
) -> dict[tuple[str, str], tuple[tuple[str, ...], float]]:
    """Forgiven kinds of faults and days late, for a student and an assignment; those for all of them (empty) first.

    Raises
    ------
    InputError
        With the line: for an unknown student, assignment or kind, a second row, and where the days are no number.
    """
    found: dict = {}
    for where, student, row in _rows(path, submissions, "student"):
        kinds = tuple(row.get("forgive", "").replace(",", " ").split())
        for kind in set(kinds) - set(FAULTS):
            raise InputError(f"{where}: no fault {kind!r}; known are {', '.join(FAULTS)}")
        name = row.get("assignment", "")
        if name and name not in known:
            raise InputError(f"{where}: no assignment {name!r}; known are {', '.join(known)}")
        if (student, name) in found:
            raise InputError(f"{where}: {student!r} has a row for {name or 'all assignments'} further up")
        found[student, name] = kinds, _amount(where, row.get("days_late") or "0")
    return dict(sorted(found.items(), key=lambda item: item[0][1] != ""))


def _rows(path: Path | None, submissions: list, *needed: str):
    """For each row its place, the student it means (however the name is written), and what it says."""
    columns, rows = read_table(path) if path else (list(needed), [])
    missing = [name for name in needed if name not in map(str.lower, columns)]
    if missing:
        raise InputError(f"{path} lacks the column {missing[0]!r}; needed are {', '.join(needed)}")
    known = {key(name): one.student for one in submissions for name in (one.id, one.student)}
    for number, row in rows:
        row, where = {name.lower(): value for name, value in row.items()}, f"{path}, line {number}"
        if not key(row["student"]) or key(row["student"]) not in known:
            raise InputError(f"{where}: nobody called {row['student']!r} has handed in")
        yield where, known[key(row["student"])], row


def _amount(where: str, text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= (amount := float(text.replace(",", "."))) < float("inf"):
            return amount
    raise InputError(f"{where}: {text!r} is not a number of 0 or more")
