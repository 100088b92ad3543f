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
        leaf.attempt = _attempt(leaf)
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
        inner = [leaf for leaf in leaves if len(leaf.parts) > 2 or leaf.is_notebook]
        below = {leaf.parts[1] if len(leaf.parts) > 2 else leaf.stem: leaf for leaf in inner}
        marked = any(MOODLE.fullmatch(name) or CANVAS.fullmatch(name) for name in below)
        named = [name for name, leaf in below.items() if len(leaf.parts) > 2 or _mentioned(name, known)]
        people = {_label(name, known) for name in named} - {""}
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
    if leaf.is_notebook and leaf.path.is_file():
        with contextlib.suppress(Exception):  # whatever the file may hold
            said = json.loads(leaf.path.read_text(encoding="utf-8-sig"))["metadata"]["gapkit"]["assignment"]
            if said in known:
                return said
    names = [leaf.stem, *leaf.parts[-2::-1]]
    return next(filter(None, (_mentioned(name, known) for name in names)), leaf.assignment)


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


def _attempt(leaf: _Leaf) -> int:
    """The number behind the assignment's name, as in ``A1-2`` or ``A1 (1)``; 0 without one."""
    word = _word(leaf.assignment) if leaf.assignment else r"^"
    behind = re.split(word, leaf.stem, flags=re.IGNORECASE)[-1]
    numbers = re.findall(r"\d+", behind)
    return int(numbers[-1]) if numbers and (behind != leaf.stem or behind.endswith(")")) else 0


def _of_student(leaves: list[_Leaf]) -> list[Submission]:
    """One student's submissions: of the attempts the last, with what else came."""
    found: dict[str, Submission] = {}
    attempts: dict[str, list[_Leaf]] = {}
    for leaf in filter(lambda leaf: leaf.is_notebook, leaves):
        attempts.setdefault(leaf.assignment, []).append(leaf)
    for name, tried in sorted(attempts.items()):
        last = max(tried, key=lambda leaf: (leaf.attempt, leaf.path.lstat().st_mtime))
        found[name] = _submission(last)
        if len(tried) > 1:
            said = f"{'/'.join(last.parts)} was graded, of {len(tried)}"
            found[name].notes.append(Fault("several", detail=said))
    for leaf in leaves:
        if leaf.is_notebook or (leaf.path and leaf.path.suffix.lower() in DATA) or (not leaf.path and found):
            continue
        if found and (leaf.assignment in attempts or not leaf.assignment):
            found[min(found) if leaf.assignment not in found else leaf.assignment].notes.append(
                Fault("also", detail=leaf.parts[-1])
            )
        elif leaf.assignment not in found:
            found[leaf.assignment] = _submission(leaf)
            nothing = leaf.path is None or not leaf.path.lstat().st_size
            found[leaf.assignment].notes.append(Fault("empty" if nothing else "other", detail=leaf.parts[-1]))
    return list(found.values())


def _submission(leaf: _Leaf) -> Submission:
    one = Submission(leaf.student, leaf.assignment, leaf.path, leaf.id, leaf.place, leaf.own_folder)
    if leaf.is_notebook and not leaf.path.lstat().st_size:
        one.notes.append(Fault("empty"))
    elif leaf.is_notebook and not leaf.assignment:
        one.notes.append(Fault("unknown", detail=leaf.parts[-1]))
    one.notes += [Fault("late")] * leaf.late + [Fault("unlisted")] * (not leaf.listed)
    return one
