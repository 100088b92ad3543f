"""What was handed in, as platforms deliver it: whose each file is, which assignment it answers, which attempt counts."""

import contextlib
import json
import os
import re
import shutil
import time
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from gapkit import InputError
from teaching.faults import Fault
from teaching.roster import Roster, key

CANVAS = re.compile(r"(?P<name>.+?)(?P<late>_LATE)?_(?P<user>\d+)_(?P<number>\d+)_(?P<file>.+)")
MOODLE = re.compile(r"(?P<name>[^_]+)_(?P<user>\d+)_assignsubmission_[a-z]+_?(?P<file>.*)")
JUNK = re.compile(r"\..*|__MACOSX|Thumbs\.db|desktop\.ini|~.*", re.IGNORECASE)
DATA = (".safetensors", ".npy", ".csv")
"""Endings of files that go along with a notebook."""
MAX_UNPACKED, MAX_FILES, MAX_DEPTH = 500 * 2**20, 5000, 3


@dataclass
class Submission:
    """What one student handed in for one assignment, and what became of it.

    ``file`` is the notebook, or what came in its place, None for nothing at all; ``place`` is the name under
    which the platform takes feedback back.
    """

    student: str
    assignment: str
    file: Path | None
    id: str = ""
    place: str = ""
    own_folder: bool = False
    notes: list[Fault] = field(default_factory=list)
    late_days: float = 0.0
    forgiven: tuple[str, ...] = ()
    result: object = None
    page: str = ""
    ran: Path | None = None

    @property
    def faults(self) -> list[Fault]:
        """Everything that was remarked."""
        return self.notes + [Fault(**fault) for fault in (self.result.faults if self.result else [])]


@dataclass
class _Leaf:
    """A file (None: an empty folder), its place below the collected folder, and what the place says."""

    parts: tuple[str, ...]
    path: Path | None
    student: str = ""
    id: str = ""
    user: str = ""
    place: str = ""
    late: bool = False
    own_folder: bool = False
    listed: bool = True
    assignment: str = ""
    attempt: int = 0

    @property
    def stem(self) -> str:
        return PurePosixPath(self.parts[-1]).stem if self.path else self.parts[-1]

    @property
    def is_notebook(self) -> bool:
        return self.path is not None and self.path.suffix.lower() == ".ipynb"


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
    leaves = list(_leaves(folder, (), unpacked, 0))
    if not leaves:
        raise InputError(f"nothing was handed in: {folder} holds no files")
    leaves = _unwrap(leaves, known)
    for leaf in leaves:
        _whose(leaf, known, roster)
        leaf.assignment = _which(leaf, known) or assignment
        leaf.attempt = _attempt(leaf, known)
    people: dict[str, list[_Leaf]] = {}
    for leaf in leaves:
        people.setdefault(leaf.id or key(leaf.student) + leaf.user, []).append(leaf)
    names = [theirs[0].student for theirs in people.values()]
    for theirs in people.values():
        if names.count(theirs[0].student) > 1:  # two people of one name, whom a number tells apart
            for leaf in theirs:
                leaf.student = f"{leaf.student} ({leaf.id or leaf.user})"
    found = [submission for theirs in people.values() for submission in _of_student(theirs)]
    return sorted(found, key=lambda one: (key(one.student), one.assignment))


def _leaves(folder: Path, parts: tuple[str, ...], unpacked: Path, depth: int) -> Iterator[_Leaf]:
    """Every file below ``folder``, those in zip files too, and every folder with nothing in it."""
    inside = sorted(path for path in folder.iterdir() if not JUNK.fullmatch(path.name))
    if not inside and parts:
        yield _Leaf(parts, None)
    for path in inside:
        if path.is_dir() and not path.is_symlink():
            yield from _leaves(path, (*parts, path.name), unpacked, depth)
        elif path.suffix.lower() == ".zip" and depth < MAX_DEPTH and (where := _unzip(path, unpacked)):
            yield from _leaves(where, (*parts, path.stem), unpacked, depth + 1)
        else:
            yield _Leaf((*parts, path.name), path)


def _unzip(path: Path, unpacked: Path) -> Path | None:
    """A new folder with what the zip file holds; None if it cannot be opened or holds too much."""
    unpacked.mkdir(parents=True, exist_ok=True)
    where = unpacked / f"{len(list(unpacked.iterdir())):05d}"
    try:
        with zipfile.ZipFile(path) as file:
            entries = [entry for entry in file.infolist() if not entry.is_dir()]
            if sum(entry.file_size for entry in entries) > MAX_UNPACKED or len(entries) > MAX_FILES:
                return None
            where.mkdir()
            for entry in entries:
                name = entry.filename
                if not entry.flag_bits & 0x800:  # macOS writes UTF-8 and does not say so
                    with contextlib.suppress(UnicodeError):
                        name = name.encode("cp437").decode("utf-8")
                inner = PurePosixPath(name.replace("\\", "/"))
                if inner.is_absolute() or ".." in inner.parts or any(map(JUNK.fullmatch, inner.parts)):
                    continue
                target = where / inner
                target.parent.mkdir(parents=True, exist_ok=True)
                with file.open(entry) as source, open(target, "wb") as sink:
                    shutil.copyfileobj(source, sink)
                with contextlib.suppress(ValueError, OverflowError):
                    stamp = time.mktime((*entry.date_time, 0, 0, -1))
                    os.utime(target, (stamp, stamp))
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        shutil.rmtree(where, ignore_errors=True)
        return None
    return where


def _unwrap(leaves: list[_Leaf], known: list[str]) -> list[_Leaf]:
    """Take folders off that hold the whole class, such as Moodle's around its download."""
    while len({leaf.parts[0] for leaf in leaves}) == 1 and all(len(leaf.parts) > 1 for leaf in leaves):
        first = leaves[0].parts[0]
        below = {
            leaf.parts[1] if len(leaf.parts) > 2 else leaf.stem: leaf
            for leaf in leaves
            if leaf.is_notebook or not leaf.path or len(leaf.parts) > 2
        }
        marked = any(MOODLE.fullmatch(name) or CANVAS.fullmatch(name) for name in below)
        people = {
            _label(name, known) for name in below if len(below[name].parts) > 2 or _mentioned(name, known)
        } - {""}
        if MOODLE.fullmatch(first) or CANVAS.fullmatch(first) or (not marked and len(people) < 2):
            break
        wrapped = _mentioned(first, known)
        for leaf in leaves:
            leaf.parts, leaf.assignment = leaf.parts[1:], leaf.assignment or wrapped
    return leaves


def _whose(leaf: _Leaf, known: list[str], roster: Roster | None) -> None:
    """Say whose a file is, by the platform's name for it, the roster, or the first folder that names no assignment."""
    names = [*leaf.parts[:-1], leaf.stem]
    labels = [label for label in (_label(name, known) for name in names[:-1]) if label]
    leaf.own_folder = bool(labels)
    if leaf.path is None:
        labels = [_label(name, known) or name for name in names]
    for name in names:
        match = MOODLE.fullmatch(name) or CANVAS.fullmatch(name)
        if match:
            leaf.user, leaf.late = match["user"], bool(match.groupdict().get("late"))
            leaf.place, leaf.own_folder = name, name != leaf.stem or not leaf.path
            labels = [match["name"]]
            break
    labels = labels or [_label(leaf.stem, known) or leaf.stem]
    leaf.student = labels[0]
    if roster:
        student = roster.find(leaf.user, *labels, *(_label(name, known) for name in names))
        leaf.listed = student is not None
        if student:
            leaf.student, leaf.id = student.name, student.id


def _which(leaf: _Leaf, known: list[str]) -> str:
    """The assignment of a file: by the notebook itself, its name, its folders."""
    said = ""
    if leaf.is_notebook:
        with contextlib.suppress(Exception):  # whatever the file may hold
            metadata = json.loads(leaf.path.read_text(encoding="utf-8-sig"))["metadata"]
            said = metadata["gapkit"]["assignment"]
    names = [leaf.stem, *leaf.parts[-2::-1]]
    return (
        said
        if said in known
        else next(filter(None, (_mentioned(name, known) for name in names)), leaf.assignment)
    )


def _mentioned(text: str, known: list[str]) -> str:
    """The assignment that a name mentions, as a word of its own."""
    found = [name for name in known if re.search(_word(name), text, re.IGNORECASE)]
    return found[0] if found else ""


def _label(text: str, known: list[str]) -> str:
    """A name without the assignment and the number of the attempt."""
    for name in known:
        text = re.sub(_word(name) + r"([-_ ]*\(?\d+\)?)*$", "", text, flags=re.IGNORECASE)
        text = re.sub(_word(name), "", text, flags=re.IGNORECASE)
    return re.sub(r"\s*\(\d+\)$", "", text).strip(" -_.")


def _word(name: str) -> str:
    return rf"(?<![^\W_]){re.escape(name)}(?![^\W_])"


def _attempt(leaf: _Leaf, known: list[str]) -> int:
    """The number behind the assignment's name, as in ``A1-2`` or ``A1 (1)``; 0 without one."""
    behind = (
        re.split(_word(leaf.assignment), leaf.stem, flags=re.IGNORECASE)[-1] if leaf.assignment else leaf.stem
    )
    numbers = re.findall(r"\d+", behind)
    return int(numbers[-1]) if (numbers and behind != leaf.stem) or re.search(r"\(\d+\)$", behind) else 0


def _of_student(leaves: list[_Leaf]) -> list[Submission]:
    """One student's submissions: of the attempts the last, with what else came."""
    notebooks = [leaf for leaf in leaves if leaf.is_notebook]
    others = [
        leaf
        for leaf in leaves
        if not leaf.is_notebook and (leaf.path is None or leaf.path.suffix.lower() not in DATA)
    ]
    found = {}
    for name in sorted({leaf.assignment for leaf in notebooks}):
        attempts = sorted(
            (leaf for leaf in notebooks if leaf.assignment == name),
            key=lambda a: (a.attempt, a.path.lstat().st_mtime),
        )
        found[name] = _submission(attempts[-1], name)
        if len(attempts) > 1:
            found[name].notes.append(
                Fault("several", detail=f"{'/'.join(attempts[-1].parts)} was graded, of {len(attempts)}")
            )
    for leaf in others:
        with_it = found.get(leaf.assignment) or (
            next(iter(found.values())) if found and not leaf.assignment else None
        )
        if leaf.path is None and found:
            continue
        if with_it and with_it.file and with_it.file.suffix.lower() == ".ipynb":
            with_it.notes.append(Fault("also", detail=leaf.parts[-1]))
        elif leaf.assignment not in found:
            found[leaf.assignment] = _submission(leaf, leaf.assignment)
            kind = "empty" if leaf.path is None or not leaf.path.lstat().st_size else "other"
            found[leaf.assignment].notes.append(Fault(kind, detail=leaf.parts[-1] if leaf.path else ""))
    return list(found.values())


def _submission(leaf: _Leaf, assignment: str) -> Submission:
    one = Submission(leaf.student, assignment, leaf.path, leaf.id, leaf.place, leaf.own_folder)
    if leaf.is_notebook and not leaf.path.lstat().st_size:
        one.notes.append(Fault("empty"))
    if leaf.late:
        one.notes.append(Fault("late"))
    if not leaf.listed:
        one.notes.append(Fault("unlisted"))
    if leaf.is_notebook and not assignment:
        one.notes.append(Fault("unknown", detail=leaf.parts[-1]))
    return one
