"""What nbgrader does here: it makes the students' release, and keeps a gradebook that its formgrader can open."""

import os
import shutil
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from unittest import mock

from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from sqlalchemy.exc import SAWarning
from traitlets.config import Config

CONFIGURATION = """# Opened by: jupyter lab, in this folder, with nbgrader's extensions enabled (Nbgrader > Formgrader).
c = get_config()
c.CourseDirectory.root = "."
c.CourseDirectory.db_url = "sqlite:///gradebook.db"
"""


def generate(root: Path, assignment: str) -> None:
    """From ``root/source`` make the students' version below ``root/release``."""
    course = {"root": str(root), "db_url": _database(root), "notebook_id": assignment}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    with mock.patch.dict(os.environ, {"PATH": path}):  # nbgrader starts `alembic` by name
        done = NbGraderAPI(config=Config(CourseDirectory=course)).generate_assignment(assignment)
    if not done["success"]:
        raise RuntimeError(f"nbgrader: {done.get('log', done['error']).strip()[-4000:]}")


def fill(course: Path, root: Path, graded: Iterable[tuple[str, str, Path, list]]) -> None:
    """Make ``root`` a course of nbgrader's with every submission that was graded in it.

    Parameters
    ----------
    course : what `teaching.course.build` made
    root : a new folder
    graded : student (a name for a folder), assignment, the notebook as it ran, the tasks of its result
    """
    root.mkdir(parents=True)
    shutil.copy(course / "gradebook.db", root / "gradebook.db")
    for part in ("source", "release"):
        shutil.copytree(course / part, root / part)
    (root / "nbgrader_config.py").write_text(CONFIGURATION, encoding="utf-8")
    with warnings.catch_warnings(), Gradebook(_database(root)) as book:
        warnings.simplefilter("ignore", SAWarning)  # about the order in which nbgrader adds its rows
        for student, assignment, notebook, tasks in graded:
            for part in ("submitted", "autograded"):
                place = root / part / student / assignment
                place.mkdir(parents=True)
                shutil.copy(notebook, place / f"{assignment}.ipynb")
            book.update_or_create_student(student)
            book.update_or_create_submission(assignment, student)
            found = {task.task: task for task in tasks}
            for grade in book.find_submission_notebook(assignment, assignment, student).grades:
                task, by_hand = found[grade.name], grade.cell.cell_type == "markdown"
                grade.auto_score = None if by_hand else task.points
                grade.manual_score = task.points if by_hand and not task.waiting else None
                grade.needs_manual_grade = task.waiting
        book.db.commit()


def _database(root: Path) -> str:
    return f"sqlite:///{root.resolve() / 'gradebook.db'}"
