"""nbgrader's pipeline for one submission, with our judge in the place of its kernel.

nbgrader restores the locked cells with their hidden tests, keeps the gradebook and renders the
feedback; `Judged` is the preprocessor that runs the notebook.
"""

import io
import logging
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbconvert.preprocessors.sanitize import ALLOWED_TAGS, SanitizeHTML
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    DeduplicateIds,
    GetGrades,
    NbGraderPreprocessor,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
)
from traitlets import Any
from traitlets.config import Config

ATTACHMENT = re.compile(r"attachment:([^)\s\"'>]*)")
ME = "student"  # each submission has a gradebook to itself, so nbgrader need not know real names


class Judged(NbGraderPreprocessor):
    """Runs the notebook through ``judge``, a function that fills in the outputs."""

    judge: Callable[[NotebookNode], None] = Any().tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Fill in the outputs of every cell."""
        self.judge(nb)
        return nb, resources


class Summary(NbGraderPreprocessor):
    """Puts a text on top of the notebook, and takes out pictures that were promised and are not there."""

    text = Any("").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Insert the text."""
        for cell in nb.cells:
            if cell.cell_type == "markdown":
                there = {
                    name for name, kinds in (cell.get("attachments") or {}).items() if "image/png" in kinds
                }
                cell.source = ATTACHMENT.sub(
                    lambda found, there=there: found[0] if found[1] in there else "(missing picture)",
                    cell.source,
                )
        nb.cells.insert(0, new_markdown_cell(self.text))
        return nb, resources


def generate(root: Path, assignment: str) -> Path:
    """From ``root/source`` make the students' version below ``root/release``; returns its path."""
    config = _config(root, assignment)
    _run(GenerateAssignment, config)
    return root / "release" / assignment / f"{assignment}.ipynb"


def autograde(root: Path, assignment: str, judge: Callable[[NotebookNode], None]) -> NotebookNode:
    """Grade ``root/submitted/student/<assignment>`` and return the notebook as it ran."""
    config = _config(root, assignment)
    config.Autograde.sanitize_preprocessors = [
        DeduplicateIds, OverwriteKernelspec, OverwriteCells, CheckCellMetadata,
    ]  # fmt: skip
    config.Autograde.autograde_preprocessors = [
        Judged, ClearMetadataPreprocessor, SaveAutoGrades, CheckCellMetadata,
    ]  # fmt: skip
    config.Judged.judge = judge
    config.ClearMetadataPreprocessor.enabled = False
    _run(Autograde, config)
    return nbformat.read(root / "autograded" / ME / assignment / f"{assignment}.ipynb", as_version=4)


def set_points(root: Path, assignment: str, points: dict[str, float]) -> None:
    """Enter points of written answers, as a teacher would in nbgrader."""
    with Gradebook(_database(root)) as book:
        for name, value in points.items():
            grade = book.find_grade(name, assignment, assignment, ME)
            grade.manual_score, grade.needs_manual_grade = value, False
        book.db.commit()


def scores(root: Path, assignment: str) -> dict[str, tuple[float, float]]:
    """Points and most points of every graded cell, from the gradebook."""
    with Gradebook(_database(root)) as book:
        notebook = book.find_submission_notebook(assignment, assignment, ME)
        return {grade.name: (grade.score, grade.max_score) for grade in notebook.grades}


def feedback(root: Path, assignment: str, summary: str) -> str:
    """The feedback page: the notebook with points and messages, without the hidden tests."""
    config = _config(root, assignment)
    config.Summary.text = summary
    config.GenerateFeedback.preprocessors = [GetGrades, ClearHiddenTests, Summary, SanitizeHTML]
    config.SanitizeHTML.enabled = True
    config.SanitizeHTML.tags = sorted({*ALLOWED_TAGS, "details", "summary", "img"})
    config.HTMLExporter.mathjax_url = ""
    _run(GenerateFeedback, config)
    page = root / "feedback" / ME / assignment / f"{assignment}.html"
    return page.read_text(encoding="utf-8")


def new_gradebook(course: Path, root: Path) -> None:
    """Give ``root`` a gradebook of its own, with the course's assignments in it."""
    root.mkdir(parents=True, exist_ok=True)
    shutil.copy(course / "gradebook.db", root / "gradebook.db")
    os.symlink(course / "source", root / "source")


def _config(root: Path, assignment: str) -> Config:
    config = Config()
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.db_url = _database(root)
    config.CourseDirectory.assignment_id = assignment
    config.CourseDirectory.notebook_id = assignment
    return config


def _run(converter: type, config: Config) -> None:
    """Run one of nbgrader's converters quietly; if it fails, say what it logged."""
    said = io.StringIO()
    log = logging.Logger("nbgrader", level=logging.ERROR)
    log.addHandler(logging.StreamHandler(said))
    directory = CourseDirectory(config=config, log=log)
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = (
        f"{Path(sys.executable).parent}{os.pathsep}{before}"  # nbgrader starts `alembic` by name
    )
    try:
        converter(coursedir=directory, config=config, log=log).start()
    except (NbGraderException, SystemExit) as fault:
        raise RuntimeError(f"nbgrader: {said.getvalue().strip()[-4000:] or fault}") from fault
    finally:
        os.environ["PATH"] = before


def _database(root: Path) -> str:
    return f"sqlite:///{root / 'gradebook.db'}"
