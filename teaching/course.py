"""Builds a course from the assignments' sources: source notebooks, the students' release, a gradebook.

A source is a py:percent file ``A1.py`` with nbgrader's metadata in the cell headers. Its set-up cell
assigns ``SEED`` and ``DATASET``; a variant replaces them, and with them the answers.
"""

import base64
import io
import json
import re
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

import gapkit
from gapkit import InputError
from teaching.notebooks import grade_id, is_answer, is_setup, is_test, is_written, marks

SOURCES = Path("notebooks/assignments/source")
COURSE = Path("build/assignments")
TARGET = re.compile(r"\(target:([\w-]+)\)")


@dataclass(frozen=True)
class Variant:
    """What makes this year's answers differ from last year's; None keeps what the sources say."""

    seed: int | None = None
    dataset: str | None = None

    def apply(self, text: str) -> str:
        """The source of an assignment with its ``SEED`` and ``DATASET`` replaced."""
        if self.seed is not None:
            text = re.sub(r"^SEED = .*$", f"SEED = {int(self.seed)}", text, flags=re.MULTILINE)
        if self.dataset is not None:
            text = re.sub(
                r"^DATASET = .*$", f"DATASET = {json.dumps(self.dataset)}", text, flags=re.MULTILINE
            )
        return text


def assignments(sources: Path = SOURCES) -> dict[str, Path]:
    """Name and source of every assignment."""
    found = {path.stem: path for path in sorted(sources.glob("A*.py"))}
    if not found:
        raise InputError(f"no assignments (A1.py, …) in {sources}; run this in a clone of the repository")
    return found


def read_source(path: Path, variant: Variant = Variant()) -> NotebookNode:
    """The source notebook of an assignment, with stable cell ids."""
    notebook = jupytext.reads(variant.apply(path.read_text(encoding="utf-8")), fmt="py:percent")
    notebook.metadata = NotebookNode(
        kernelspec={"name": "python3", "display_name": "Python 3", "language": "python"},
        language_info={"name": "python"},
        gapkit={"assignment": path.stem},
    )
    for number, cell in enumerate(notebook.cells):
        cell.id = grade_id(cell) or f"{path.stem.lower()}-cell-{number:02d}"
        if cell.metadata.get("nbgrader"):
            cell.metadata["nbgrader"] = {**marks(cell), "cell_type": cell.cell_type}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def points(notebook: NotebookNode) -> dict[str, float]:
    """Most points of every graded cell."""
    return {
        grade_id(cell): float(marks(cell)["points"])
        for cell in notebook.cells
        if is_test(cell) or is_written(cell)
    }


def build(
    *, sources: Path = SOURCES, course: Path = COURSE, variant: Variant = Variant(), only: str | None = None
) -> dict[str, Path]:
    """Build the course anew; returns the students' notebook of each assignment.

    Parameters
    ----------
    sources : folder of the py:percent sources
    course : where to build; an older build there is replaced, when the new one is complete
    variant : seed and dataset of this year
    only : build this assignment alone
    """
    from teaching.gradebook import generate

    found = assignments(sources)
    if only is not None and only not in found:
        raise InputError(f"no assignment {only!r}; known are {', '.join(found)}")
    course.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{course.name}.", dir=course.parent)).resolve()
    try:
        for name, path in found.items():
            if only not in (None, name):
                continue
            notebook = read_source(path, variant)
            _draw_targets(notebook, name)
            (beside / "source" / name).mkdir(parents=True)
            nbformat.write(notebook, beside / "source" / name / f"{name}.ipynb")
            _check_release(generate(beside, name))
        facts = {"variant": asdict(variant), "gapkit": gapkit.__version__, "assignments": sorted(found)}
        (beside / "course.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        shutil.rmtree(course, ignore_errors=True)
        beside.rename(course)
        course.chmod(0o755)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return {path.stem: path for path in sorted((course / "release").glob("*/A*.ipynb"))}


def solution(course: Path, name: str) -> NotebookNode:
    """The source notebook as a perfect submission: without hidden tests, as a student would hand it in."""
    from nbgrader.preprocessors import ClearHiddenTests

    notebook = nbformat.read(course / "source" / name / f"{name}.ipynb", as_version=4)
    return ClearHiddenTests().preprocess(notebook, {})[0]


def _check_release(path: Path) -> None:
    """The last line of defence against handing out what students must not see."""
    text = path.read_text(encoding="utf-8")
    for secret in ("BEGIN SOLUTION", "BEGIN HIDDEN TESTS"):
        if secret in text:
            raise InputError(f"{path.name}: the students' version still holds {secret!r}")


def _draw_targets(notebook: NotebookNode, name: str) -> None:
    """Replace ``(target:cell-id)`` in the text by the picture that the solution in that cell draws."""
    wanted = {found for cell in notebook.cells for found in TARGET.findall(cell.source)}
    if not wanted:
        return
    pictures = _pictures(notebook, wanted, name)
    for cell in notebook.cells:
        for found in TARGET.findall(cell.source):
            file = f"{found}.png"
            cell.source = cell.source.replace(f"(target:{found})", f"(attachment:{file})")
            cell.setdefault("attachments", NotebookNode())[file] = {"image/png": pictures[found]}


def _pictures(notebook: NotebookNode, wanted: set[str], name: str) -> dict[str, str]:
    """Run the source's own code (it is the course's) and keep the figures of the wanted cells."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    space: dict = {}
    pictures = {}
    for cell in notebook.cells:
        if not (is_setup(cell) or is_answer(cell)):
            continue
        exec(compile(cell.source, f"<{name} {cell.id}>", "exec"), space)
        if cell.id in wanted:
            buffer = io.BytesIO()
            plt.gcf().savefig(buffer, format="png", dpi=80, bbox_inches="tight", metadata={"Software": None})
            pictures[cell.id] = base64.b64encode(buffer.getvalue()).decode()
        plt.close("all")
    missing = wanted - pictures.keys()
    if missing:
        raise InputError(f"{name}: no cell draws {', '.join(sorted(missing))}")
    return pictures
