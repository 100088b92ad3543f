"""Who is in the class: a roster from Canvas, Moodle or a list of one's own, and the points in the same form back."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gapkit import InputError

COLUMNS = {
    "id": ("student_id", "sis user id", "id number", "identifier", "id", "student id"),
    "name": ("name", "full name", "student", "student name"),
    "first": ("first name", "firstname"),
    "last": ("last name", "surname", "lastname"),
    "also": ("id", "sis login id", "login", "username", "email", "email address", "sis user id", "id number", "identifier"),
}  # fmt: skip


@dataclass(frozen=True)
class Student:
    """One row of the roster, and by what the student is known."""

    id: str
    name: str
    keys: frozenset[str]
    row: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Roster:
    """A class, and the file that it was read from."""

    students: list[Student]
    columns: list[str]
    lead: list[list[str]] = field(default_factory=list)  # rows of Canvas's export that are of no student

    def find(self, *names: str) -> Student | None:
        """The only student whom one of the names fits, tried in their order; None if there is none."""
        for name in names:
            found = [student for student in self.students if key(name) in student.keys] if key(name) else []
            if len(found) == 1:
                return found[0]
        return None


def key(text: str) -> str:
    """What is compared of a name: its letters and digits, without accents and capitals."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(sign for sign in plain if sign.isalnum())


def read_table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header and the rows (with their line) of a CSV file as Excel and the platforms write it.

    Raises
    ------
    InputError
        If there is no such file, or it holds no table.
    """
    try:
        content = path.read_bytes()
        encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            text = content.decode("cp1252")  # what Excel in the west writes when asked for plain CSV
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(f"cannot read {path}: {fault}") from fault
    first = text.split("\n", 1)[0]
    if first.lower().startswith("sep="):
        text, first = text.split("\n", 1)[1], text.split("\n", 2)[1]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows = [
        (reader.line_num, [value.strip() for value in row])
        for row in reader
        if any(value.strip() for value in row)
    ]
    if not rows:
        raise InputError(f"{path} is empty; a table with a header is expected")
    return rows[0][1], rows[1:]


def read_roster(path: Path) -> Roster:
    """A roster: Canvas's gradebook export, Moodle's grading worksheet or participants, or a CSV with id and name.

    Raises
    ------
    InputError
        If no column says who the students are, or two students have the same id.
    """
    columns, rows = read_table(path)
    lower = [name.lower() for name in columns]

    def value(row: list[str], names: Iterable[str]) -> str:
        places = [lower.index(name) for name in names if name in lower]
        return next((row[place] for place in places if place < len(row) and row[place]), "")

    if not set(lower) & {*COLUMNS["name"], *COLUMNS["first"], *COLUMNS["id"]}:
        raise InputError(
            f"{path} says of nobody who it is; columns such as id and name are expected, not {', '.join(columns)}"
        )
    students, lead = [], []
    canvas = lower[:2] == ["student", "id"]
    for number, row in rows:
        name = (
            value(row, COLUMNS["name"])
            or f"{value(row, COLUMNS['first'])} {value(row, COLUMNS['last'])}".strip()
        )
        if canvas and (re.match(r"\s*points possible", row[0], re.IGNORECASE) or not value(row, ("id",))):
            lead.append(row)
            continue
        identity = value(row, COLUMNS["id"]) or name
        words = [part.strip() for part in name.split(",")] if "," in name else name.split()
        swapped = " ".join([*words[1:], words[0]]), " ".join([words[-1], *words[:-1]])
        known = [name, *swapped, identity, *(value(row, (column,)) for column in COLUMNS["also"])]
        known += [f"{value(row, COLUMNS['last'])} {value(row, COLUMNS['first'])}"]
        known += [text.split("@")[0] for text in known if "@" in text]
        known += [text.removeprefix("Participant ") for text in known]
        if any(student.id == identity for student in students):
            raise InputError(f"{path}, line {number}: {identity!r} is there twice")
        filled = row + [""] * (len(columns) - len(row))
        keys = frozenset(filter(None, map(key, known)))
        students.append(Student(identity, name, keys, dict(zip(columns, filled, strict=False))))
    if not students:
        raise InputError(f"{path} lists no students")
    return Roster(students, columns, lead)


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
    names = sorted(most)
    if form == "csv":
        rows = [
            [s.id, s.name, *(_number(points.get((s.id, name))) for name in names)] for s in roster.students
        ]
        return {"points-export.csv": table(["id", "name", *names], rows)}
    if form == "canvas":
        if [name.lower() for name in roster.columns[:2]] != [
            "student",
            "id",
        ] or "Section" not in roster.columns:
            raise InputError(
                "for Canvas the roster must be its gradebook export (columns Student, ID, …, Section)"
            )
        identity = [
            name
            for name in ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
            if name in roster.columns
        ]
        headers = [
            next((c for c in roster.columns if re.match(rf"{re.escape(name)}\b", c)), name) for name in names
        ]
        worth = ["    Points Possible", *[""] * (len(identity) - 1), *(_number(most[name]) for name in names)]
        rows = [
            [*(s.row[c] for c in identity), *(_number(points.get((s.id, name))) for name in names)]
            for s in roster.students
        ]
        return {"canvas.csv": table([*identity, *headers], [worth, *rows])}
    needed = {"Identifier", "Grade", "Last modified (grade)"}
    if not needed <= set(roster.columns):
        raise InputError(
            "for Moodle the roster must be the assignment's grading worksheet "
            f"(columns {', '.join(sorted(needed))}); it lacks {', '.join(sorted(needed - set(roster.columns)))}"
        )
    files = {}
    for name in names:
        rows = []
        for student in roster.students:
            row = dict(student.row)
            if (student.id, name) in points:
                row["Grade"] = _number(points[student.id, name])
            rows.append([row[column] for column in roster.columns])
        files[f"moodle-{name}.csv"] = table(roster.columns, rows)
    return files


def table(columns: Iterable[str], rows: Iterable[Iterable]) -> str:
    """CSV text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
