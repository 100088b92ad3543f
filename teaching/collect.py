"""What was handed in, as platforms deliver it: whose each file is, which assignment it answers, which attempt counts."""

import contextlib
import json
import os
import re
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from gapkit import InputError
from teaching.faults import Fault, costly
from teaching.roster import Roster, key

CANVAS = re.compile(r"(?P<name>.+?)(?P<late>_LATE)?_(?P<user>\d+)_(?P<number>\d+)_(?P<file>.+)")
MOODLE = re.compile(r"(?P<name>[^_]+)_(?P<user>\d+)_assignsubmission_[a-z]+_?(?P<file>.*)")
NOTEBOOK = re.compile(r"\.ipynb(\.txt|\.json)?$", re.IGNORECASE)  # which some systems add
JUNK = re.compile(r"\..*|__MACOSX|Thumbs\.db|desktop\.ini|~.*", re.IGNORECASE)
DATA = (".safetensors", ".npy", ".csv")
"""Endings of files that go along with a notebook."""
MAX_UNPACKED, MAX_FILES, MAX_DEPTH = 500 * 2**20, 5000, 3


@dataclass
class Submission:
    """What one student handed in for one assignment, and what became of it.

    ``file`` is the notebook, or what came in its place, None for an empty folder; ``parts`` is where it lay below the
    collected folder; ``place`` is the name under which the platform takes feedback back, ``user`` its number for
    the student.
    """

    student: str
    assignment: str
    file: Path | None
    id: str = ""
    parts: tuple[str, ...] = ()
    user: str = ""
    place: str = ""
    attempt: tuple[int, ...] = ()
    own_folder: bool = False
    notes: list[Fault] = field(default_factory=list)
    late_days: float = 0.0
    forgiven: tuple[str, ...] = ()
    result: Any = None
    page: str = ""
    ran: Path | None = None

    @property
    def faults(self) -> list[Fault]:
        """Everything that was remarked."""
        return self.notes + (self.result.faults if self.result else [])

    @property
    def lost(self) -> list[Fault]:
        """The faults that cost all points."""
        return costly(self.faults, self.forgiven)

    @property
    def remarks(self) -> list[Fault]:
        """The other faults."""
        return [fault for fault in self.faults if fault not in self.lost]

    @property
    def stem(self) -> str:
        """The file's name without its ending."""
        return PurePosixPath(self.parts[-1]).stem if self.file else self.parts[-1]

    @property
    def is_notebook(self) -> bool:
        """Whether the file calls itself a notebook."""
        return self.file is not None and NOTEBOOK.search(self.file.name) is not None

    def __str__(self) -> str:
        """The points and what they were lost for, in one line."""
        waits = f" (to be read: {', '.join(self.result.waiting)})" if self.result.waiting else ""
        said = f" — {'; '.join(map(str, self.lost))}" if self.lost else ""
        points = f"{self.result.points:g} of {self.result.most:g}"
        return f"{self.student} {self.assignment or '?'}: {points}{waits}{said}"


def find_submissions(
    folder: Path, known: Iterable[str], *, unpacked: Path, roster: Roster | None = None, assignment: str = ""
) -> list[Submission]:
    """What lies below ``folder``, one submission for each student and assignment.

    Folders named after students, assignments or both, files like ``ann_A1.ipynb``, Canvas's and Moodle's
    downloads, and zip files of any of these. Nothing is dropped but hidden files.

    Parameters
    ----------
    folder : what was collected
    known : names of the assignments
    unpacked : a new folder for what zip files hold
    roster : the class
    assignment : what it is where neither the notebook nor a name says so
    """
    if not folder.is_dir():
        raise InputError(f"no folder {folder}")
    known = sorted(known)
    files = list(_files(folder, (), unpacked, 0))
    if not files:
        raise InputError(f"nothing was handed in: {folder} holds no files")
    _unwrap(files, known)
    people: dict[str, list[Submission]] = {}
    for one in files:
        _whose(one, known, roster)
        one.assignment = _which(one, known) or assignment
        # the numbers behind the assignment's name, as in A1-2, A1 (1), A1-2026-11-03 or A1_s123 (1)
        behind = re.split(_word(one.assignment) if one.assignment else "^", one.stem, flags=re.IGNORECASE)[-1]
        numbers = re.findall(r"\d+", behind) if behind != one.stem or behind.endswith(")") else ()
        one.attempt = (
            not one.stem.casefold().endswith("-checkpoint"),
            *map(int, numbers),
        )  # Jupyter's own copy is none
        people.setdefault(one.id or key(one.student) + one.user, []).append(one)
    names = [theirs[0].student for theirs in people.values()]
    for one in files:
        if names.count(one.student) > 1:  # two people of one name, whom a number tells apart
            one.student = f"{one.student} ({one.id or one.user})"
    found = [one for theirs in people.values() for one in _of_student(theirs)]
    return sorted(found, key=lambda one: (key(one.student), one.assignment))


def _files(folder: Path, parts: tuple[str, ...], unpacked: Path, depth: int) -> Iterator[Submission]:
    """Every file below ``folder``, those in zip files too, and every folder with nothing in it."""
    inside = sorted(path for path in folder.iterdir() if not JUNK.fullmatch(path.name))
    if not inside and parts:
        yield Submission("", "", None, parts=parts)
    for path in inside:
        if path.is_dir() and not path.is_symlink():
            yield from _files(path, (*parts, path.name), unpacked, depth)
        elif path.suffix.lower() == ".zip" and depth < MAX_DEPTH and (where := _unzip(path, unpacked)):
            yield from _files(where, (*parts, path.stem), unpacked, depth + 1)
        else:
            yield Submission("", "", path, parts=(*parts, path.name))


def _unzip(path: Path, unpacked: Path) -> Path | None:
    """A new folder with what the zip file holds; None if it cannot be opened or holds too much."""
    where = unpacked / f"{len(list(unpacked.glob('*'))):05d}"
    where.mkdir(parents=True)
    try:
        try:
            archive = zipfile.ZipFile(path, metadata_encoding="utf-8")  # macOS writes it and does not say so
        except UnicodeDecodeError:
            archive = zipfile.ZipFile(path)
        with archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if sum(entry.file_size for entry in entries) > MAX_UNPACKED or len(entries) > MAX_FILES:
                return None
            for entry in entries:
                entry.filename = entry.filename.replace("\\", "/")
                if not any(map(JUNK.fullmatch, entry.filename.split("/"))):  # ".." begins with a dot too
                    target = archive.extract(entry, where)
                    with contextlib.suppress(ValueError, OverflowError):
                        os.utime(target, (time.mktime((*entry.date_time, 0, 0, -1)),) * 2)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, zlib.error):
        return None
    return where


def _unwrap(files: list[Submission], known: list[str]) -> None:
    """Take folders off that hold the whole class, such as Moodle's around its download."""
    while len({one.parts[0] for one in files}) == 1 and all(len(one.parts) > 1 for one in files):
        first = files[0].parts[0]
        deep = {one.parts[1] for one in files if len(one.parts) > 2}
        flat = {one.stem for one in files if len(one.parts) == 2 and one.is_notebook}
        marked = any(MOODLE.fullmatch(name) or CANVAS.fullmatch(name) for name in deep | flat)
        people = {_label(name, known) for name in deep | {name for name in flat if _mentioned(name, known)}}
        if MOODLE.fullmatch(first) or CANVAS.fullmatch(first) or (not marked and len(people - {""}) < 2):
            break
        for one in files:
            one.parts, one.assignment = one.parts[1:], one.assignment or _mentioned(first, known)


def _whose(one: Submission, known: list[str], roster: Roster | None) -> None:
    """Say whose a file is, by the platform's name for it, the roster, or the first folder that names no assignment."""
    names = [*one.parts[:-1], one.stem]
    labels = [label for label in (_label(name, known) for name in names[:-1]) if label]
    one.own_folder = bool(labels)
    if one.file is None:
        labels = [_label(name, known) or name for name in names]
    for name in names:
        match = MOODLE.fullmatch(name) or CANVAS.fullmatch(name)
        if match:
            one.user, labels, one.place = match["user"], [match["name"]], name
            one.own_folder = name != one.stem or not one.file
            one.notes += [Fault("late")] * bool(match.groupdict().get("late"))
            break
    labels = labels or [_label(one.stem, known) or one.stem]
    one.student = labels[0]
    # the name first: the platform's number may be another student's id in a roster from elsewhere
    student = roster.find(*labels, one.user, *(_label(name, known) for name in names)) if roster else None
    if student:
        one.student, one.id = student.name, student.id
    elif roster:
        one.notes.append(Fault("unlisted"))


def _which(one: Submission, known: list[str]) -> str:
    """The assignment of a file: by the notebook itself, its name, its folders."""
    if one.is_notebook and one.file.is_file():
        with contextlib.suppress(Exception):  # whatever the file may hold
            said = json.loads(one.file.read_text(encoding="utf-8-sig"))["metadata"]["gapkit"]["assignment"]
            if said in known:
                return said
    names = [one.stem, *one.parts[-2::-1]]
    return next(filter(None, (_mentioned(name, known) for name in names)), one.assignment)


def _mentioned(text: str, known: list[str]) -> str:
    """The assignment that a name mentions, as a word of its own."""
    return next((name for name in known if re.search(_word(name), text, re.IGNORECASE)), "")


def _label(text: str, known: list[str]) -> str:
    """A name without the assignment and the number of the attempt."""
    for name in known:
        text = re.sub(_word(name) + r"([-_ ()\d]*$)?", "", text, flags=re.IGNORECASE)
    return re.sub(r"\s*\(\d+\)$", "", text).strip(" -_.")


def _word(name: str) -> str:
    return rf"(?<![^\W_]){re.escape(name)}(?![^\W_])"


def _of_student(files: list[Submission]) -> list[Submission]:
    """One student's submissions: of the attempts the last, with what else came."""
    found: dict[str, Submission] = {}
    notebooks = [one for one in files if one.is_notebook]
    for one in sorted(notebooks, key=lambda one: (one.attempt, one.file.lstat().st_mtime)):
        found[one.assignment] = one
    for name, last in found.items():
        count = sum(one.assignment == name for one in notebooks)
        if not last.file.lstat().st_size:
            last.notes.append(Fault("empty"))
        elif not name:
            last.notes.append(Fault("unknown", detail=last.parts[-1]))
        if count > 1:
            last.notes.append(Fault("several", detail=f"{'/'.join(last.parts)} was graded, of {count}"))
    answered = set(found)
    for one in files:
        goes_along = one.file is None or one.file.suffix.lower() in DATA
        of_nobody = one.file and not (one.own_folder or one.place or one.id)  # a table of the instructor's
        if one.is_notebook or (goes_along and (found or of_nobody)):
            continue
        if found and (one.assignment in answered or not one.assignment):
            beside = found.get(one.assignment) or found[min(found)]
            beside.notes.append(Fault("also", detail=one.parts[-1]))
        elif one.assignment not in found:
            found[one.assignment] = one
            nothing = one.file is None or not one.file.lstat().st_size
            one.notes.append(Fault("empty" if nothing else "other", detail=one.parts[-1]))
    return list(found.values())
