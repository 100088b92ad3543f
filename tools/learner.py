"""Write the learner's lessons: ``python tools/learner.py [FOLDER]``; ``make student`` writes them to ``my_notebooks/``.

Made from the executed lessons in ``notebooks/``: no outputs, a stub with a hint where a self-check asks for a function,
and a box below each prediction. A lesson that is there is never written over: delete it to begin it afresh.
"""

import ast
import re
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
LESSONS = ROOT / "notebooks"
COPIES = ROOT / "my_notebooks"
CHECKED = re.compile(r"^check\(([\w, ]+)\)$", flags=re.MULTILINE)
PREDICTION = re.compile(r"((?:^|\n)(?:> )?\*\*Predict\.\*\*.*?)(?:\n\n|\Z)", flags=re.DOTALL)
BOX = "> **My prediction:** *double-click here and type it before you go on*"
HINTS = {
    "gap_vector": "one mean for each modality, over its points; which axis counts the points?",
    "l2i": "one distance for each pair of partners, then their mean",
    "column_sums": "first s, a table of negative squared distances over τ; softmax along its rows, sum down its columns",
    "doubly_stochastic_defect": "column_sums knows the images; for the texts exchange x and y, which transposes s",
    "relative_spectrum": "a variance is the square of a singular value; divide by what an average of all d directions has",
    "pair_approximation": "D₁ and D₂ are distances from the query; then it is the formula above",
    "best_alpha": "how far does each query lie from the queries' mean, along g' and in multiples of it?",
    "projected_gap": "numpy's svd returns Vᵀ, so components are its rows; subtract from g its part along the first k",
    "close_gap": "n points span n − 1 directions at most, and all of them count here",
    "quantise": "which bin is it, counted from −L? Mind the last one, then go back to the bin's middle",
    "affine_projection": "centre on the gallery's mean, project, and go back",
    "linear_projection": "as before, but through the origin: nothing is centred but the rows whose span it is",
}
"""One for each function that a lesson asks for."""


def stubbed(source: str) -> str:
    """A code cell with the functions that it checks reduced to stubs."""
    names = {name for found in CHECKED.findall(source) for name in found.split(", ")}
    lines = source.splitlines()
    for node in reversed(ast.parse(source).body if names else []):
        if isinstance(node, ast.FunctionDef) and node.name in names:
            stub = [f"    # Hint: {HINTS[node.name]}.", "    raise NotImplementedError"]
            lines[node.body[0].end_lineno : node.end_lineno] = [part.replace("?.", "?") for part in stub]
    return "\n".join(lines)


def with_boxes(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """A cell of text, cut after each prediction, with a box there."""
    parts = [part for part in PREDICTION.split(cell.source) if part.strip()]
    made = []
    for number, part in enumerate(parts):
        made.append(nbformat.v4.new_markdown_cell(part.strip("\n"), id=f"{cell.id}-{number}"))
        if "**Predict.**" in part:
            made.append(nbformat.v4.new_markdown_cell(BOX, id=f"{cell.id}-{number}-box"))
    return made if len(made) > 1 else [cell]


def learners(lesson: Path) -> nbformat.NotebookNode:
    """The learner's edition of an executed lesson; the pairing with a .py file stays behind."""
    notebook = nbformat.read(lesson, as_version=4)
    notebook.metadata.pop("jupytext", None)
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source, cell.outputs, cell.execution_count = stubbed(cell.source), [], None
        cells += with_boxes(cell) if cell.cell_type == "markdown" else [cell]
    notebook.cells = cells
    return notebook


def write_lessons(folder: Path = COPIES, *, above: str = "../", anew: bool = False) -> list[Path]:
    """Write the lessons that are not in ``folder`` yet, or all of them ``anew``; returns all, in order.

    ``above`` is where links out of the lessons' folder lead: the repository's address where its files lie elsewhere.
    """
    folder.mkdir(exist_ok=True, parents=True)
    made = []
    for lesson in sorted(LESSONS.glob("[0-9][0-9]_*.ipynb")):
        made.append(folder / lesson.name)
        if anew or not made[-1].exists():
            text = nbformat.writes(learners(lesson)).replace("](../", f"]({above}")
            beside = made[-1].with_suffix(".part")
            beside.write_text(text + "\n", encoding="utf-8")
            beside.replace(made[-1])
    return made


if __name__ == "__main__":
    print(*write_lessons(*map(Path, sys.argv[1:2])), sep="\n")
