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
from teaching.notebooks import grade_id, is_answer, is_setup, marks, notebook_of

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
            text = re.sub(r"(?m)^SEED = .*$", f"SEED = {int(self.seed)}", text)
        if self.dataset is not None:
            dataset = f"DATASET = {json.dumps(self.dataset)}"
            text = re.sub(r"(?m)^DATASET = .*$", lambda _: dataset, text)  # a path of Windows has backslashes
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
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    facts = {"kernelspec": kernel, "language_info": {"name": "python"}, "gapkit": {"assignment": path.stem}}
    notebook.metadata = nbformat.from_dict(facts)
    for number, cell in enumerate(notebook.cells):
        cell.id = grade_id(cell) or f"{path.stem.lower()}-cell-{number:02d}"
        if cell.metadata.get("nbgrader"):
            cell.metadata["nbgrader"] = {**marks(cell), "cell_type": cell.cell_type}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def must_be_ours(folder: Path, mark: str) -> list[Path]:
    """What is in a folder that will be replaced.

    Raises
    ------
    InputError
        If it holds something, and not the file ``mark``, which an earlier call would have written.
    """
    others = [path for path in folder.iterdir() if path.name != ".git"] if folder.is_dir() else []
    if others and not (folder / mark).is_file():
        raise InputError(f"{folder} holds {others[0].name!r} already; name a new folder")
    return others


def facts_of(course: Path) -> dict:
    """What ``course.json`` says, such as this year's variant."""
    if not (course / "course.json").is_file():
        raise InputError(f"no course in {course}; build it with: make assignments")
    return json.loads((course / "course.json").read_text(encoding="utf-8"))


def released(course: Path) -> dict[str, Path]:
    """The students' notebook of each assignment.

    Raises
    ------
    InputError
        If one holds what students must not see: the last line of defence.
    """
    found = {path.stem: path for path in sorted((course / "release").glob("*/A*.ipynb"))}
    for path in found.values():
        for secret in ("BEGIN SOLUTION", "BEGIN HIDDEN TESTS"):
            if secret in path.read_text(encoding="utf-8"):
                raise InputError(f"{path} holds {secret!r}; build the course again with: make assignments")
    return found


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
    must_be_ours(course, "course.json")
    course.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{course.name}.", dir=course.parent) as place:
        beside = Path(place).resolve() / "course"
        for name, path in found.items() if only is None else [(only, found[only])]:
            notebook = read_source(path, variant)
            _draw_targets(notebook, name)
            (beside / "source" / name).mkdir(parents=True)
            nbformat.write(notebook, beside / "source" / name / f"{name}.ipynb")
            generate(beside, name)
        released(beside)
        facts = {"variant": asdict(variant), "gapkit": gapkit.__version__, "assignments": sorted(found)}
        (beside / "course.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        shutil.rmtree(course, ignore_errors=True)
        beside.rename(course)
    return released(course)


def solution(course: Path, name: str) -> NotebookNode:
    """The source notebook as a perfect submission: without hidden tests, as a student would hand it in."""
    from nbgrader.preprocessors import ClearHiddenTests

    return ClearHiddenTests().preprocess(notebook_of(course, "source", name), {})[0]


def _draw_targets(notebook: NotebookNode, name: str) -> None:
    """Replace ``(target:cell-id)`` in the text by the picture that the solution in that cell draws.

    For this the source's own code is run; it is the course's.
    """
    wanted = {found for cell in notebook.cells for found in TARGET.findall(cell.source)}
    if not wanted:
        return
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    space, pictures = {}, {}
    for cell in filter(lambda cell: is_setup(cell) or is_answer(cell), notebook.cells):
        exec(compile(cell.source, f"<{name} {cell.id}>", "exec"), space)
        if cell.id in wanted:
            buffer = io.BytesIO()
            plt.gcf().savefig(buffer, format="png", dpi=80, bbox_inches="tight", metadata={"Software": None})
            pictures[cell.id] = {"image/png": base64.b64encode(buffer.getvalue()).decode()}
        plt.close("all")
    if wanted - pictures.keys():
        raise InputError(f"{name}: no cell draws {', '.join(sorted(wanted - pictures.keys()))}")
    for cell in notebook.cells:
        shown = TARGET.findall(cell.source)
        cell.source = TARGET.sub(r"(attachment:\1.png)", cell.source)
        if shown:
            cell.attachments = {f"{found}.png": pictures[found] for found in shown}
