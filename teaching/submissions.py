"""What was handed in: whose each notebook is, and which assignment it answers."""

import contextlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from gapkit import InputError
from teaching.faults import Fault
from teaching.one import Result


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
