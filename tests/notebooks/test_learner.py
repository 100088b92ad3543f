"""The learner's edition: no answer in it, every check passes with the answers put back, nothing else has changed."""

import ast
import re

import matplotlib.pyplot as plt
import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.notebooks.lessons import EXECUTED, NOTEBOOKS, PATIENCE, code_cells, read
from tools import learner

EXERCISES = [
    (path, place)
    for path in EXECUTED
    for place, cell in enumerate(code_cells(read(path)))
    if learner.CHECKED.search(cell.source)
]
NAMED = [f"{path.stem[:2]}-{place}" for path, place in EXERCISES]


def solutions(source: str) -> list[str]:
    """The statements that a learner is to write, one a line."""
    wanted = {name for found in learner.CHECKED.findall(source) for name in found.split(", ")}
    functions = [node for node in ast.parse(source).body if getattr(node, "name", None) in wanted]
    return [ast.get_source_segment(source, line) for node in functions for line in node.body[1:]]


def runnable(source: str) -> str:
    """Python without IPython's own lines."""
    return "\n".join(line for line in source.splitlines() if line[:1] not in ("%", "!"))


def pasted(stub: str, source: str) -> str:
    """A cell of the learner's edition with the bodies of the lesson's functions written into its stubs."""
    holes = re.findall(r"    # Hint: .*\n    raise NotImplementedError", stub)
    wanted = {name for found in learner.CHECKED.findall(stub) for name in found.split(", ")}
    lines = source.splitlines()
    for node in ast.parse(source).body if holes else []:
        if getattr(node, "name", None) in wanted:
            stub = stub.replace(holes.pop(0), "\n".join(lines[node.body[0].end_lineno : node.end_lineno]), 1)
    return stub


@pytest.mark.parametrize("path", EXECUTED, ids=lambda path: path.stem)
def test_something_besides_stubs_and_boxes_has_changed_or_an_answer_leaks(path):
    """With the answers put in it is the lesson, cell by cell, and `test_run` runs that to its end."""
    lesson, edition = read(path), learner.learners(path)
    nbformat.validate(edition)
    assert set(edition.metadata) == {
        "kernelspec",
        "language_info",
    }  # no jupytext, which would write a .py beside
    assert all(set(cell.metadata) <= {"tags"} and "attachments" not in cell for cell in edition.cells)
    whole = "\n".join(cell.source for cell in edition.cells)
    changed = 0
    for cell, given in zip(code_cells(lesson), code_cells(edition), strict=True):
        assert not given.outputs and given.execution_count is None
        answers = solutions(cell.source)
        assert not [line for line in answers if line in whole]
        assert given.source.count("# Hint: ") == given.source.count("raise NotImplementedError")
        assert bool(answers) == (given.source != cell.source)
        assert ast.dump(ast.parse(runnable(pasted(given.source, cell.source)))) == ast.dump(
            ast.parse(runnable(cell.source))
        )
        changed += bool(answers)
    assert changed == len([one for one, _ in EXERCISES if one == path])

    def words(notebook):
        texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
        return " ".join(text for text in texts if text != learner.BOX).split()

    assert words(edition) == words(lesson)
    boxes = [place for place, cell in enumerate(edition.cells) if cell.source == learner.BOX]
    assert len(boxes) == " ".join(words(lesson)).count("> **Predict") > 0
    assert all("**Predict.**" in edition.cells[place - 1].source for place in boxes)


@pytest.mark.parametrize(("path", "place"), EXERCISES, ids=NAMED)
def test_a_stub_passes_or_the_answer_pasted_back_fails(path, place):
    cells, stubs = code_cells(read(path)), code_cells(learner.learners(path))
    space: dict = {}
    for cell in cells[:place]:  # what the answer is written with, without running the lesson
        for node in ast.parse(cell.source).body:
            name = getattr(node, "name", None)
            if isinstance(node, ast.Import | ast.ImportFrom) or name in learner.HINTS:
                exec(ast.unparse(node), space)
    exec(cells[place].source, dict(space))
    with pytest.raises(AssertionError, match="is not written yet"):
        exec(stubs[place].source, space)


def test_a_lesson_that_is_there_is_written_over_or_one_is_left_out(tmp_path):
    made = learner.write_lessons(tmp_path, above="https://example.org/")
    assert [path.name for path in made] == [path.name for path in EXECUTED]
    assert "](../" not in made[0].read_text(encoding="utf-8")
    made[0].write_text("my answers", encoding="utf-8")
    made[1].unlink()
    learner.write_lessons(tmp_path)
    assert made[0].read_text(encoding="utf-8") == "my answers"
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in EXECUTED}


@pytest.mark.notebooks
@pytest.mark.parametrize("path", sorted({path for path, _ in EXERCISES}), ids=lambda path: path.stem)
def test_an_edition_stops_before_its_first_stub_or_says_more_than_one_line_there(
    path, capsys, tmp_path, monkeypatch
):
    """In this process, because a kernel of its own for each lesson takes longer than the cells."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))  # the user's history may be locked by another shell
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell()
    shell.run_cell("import matplotlib; matplotlib.use('Agg')")
    for cell in code_cells(learner.learners(path)):
        fault = shell.run_cell(cell.source).error_in_exec
        plt.close("all")
        if fault or "raise NotImplementedError" in cell.source:
            break
    names = [name for found in learner.CHECKED.findall(cell.source) for name in found.split(", ")]
    assert fault._render_traceback_() == [f"✗ {name} is not written yet" for name in names]
    assert "Traceback" not in capsys.readouterr().out


@pytest.mark.notebooks
def test_a_learner_without_an_answer_sees_more_than_one_line_in_a_kernel(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    (path,) = NOTEBOOKS.glob("01_*.ipynb")
    edition = learner.learners(path)
    with pytest.raises(CellExecutionError):
        place, waits = (
            {"metadata": {"path": str(NOTEBOOKS)}},
            {"timeout": PATIENCE, "startup_timeout": PATIENCE},
        )
        NotebookClient(edition, resources=place, **waits).execute()
    stub = next(cell for cell in edition.cells if "NotImplementedError" in cell.source)
    (output,) = stub.outputs
    assert output.traceback == ["✗ gap_vector is not written yet"]
    ran = [cell for cell in code_cells(edition) if cell.execution_count]
    assert ran[-1] is stub
