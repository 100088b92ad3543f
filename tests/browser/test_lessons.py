"""Each lesson in a real JupyterLab: it runs, nothing complains, every control moves what it should move."""

import nbformat
import pytest

from tests.notebooks.lessons import EXECUTED, code_cells, read

pytestmark = [pytest.mark.browser, pytest.mark.network, pytest.mark.timeout(600)]


@pytest.mark.parametrize("path", EXECUTED, ids=lambda path: path.stem)
def test_the_lesson_runs_and_every_control_answers_the_keyboard(path, open_lesson):
    lesson = open_lesson(path)
    cells = lesson.run_all()
    assert len([cell for cell in cells if cell["source"].strip()]) == len(code_cells(read(path)))
    assert [cell["source"][:80] for cell in cells if cell["complaints"]] == []
    assert lesson.panels().count() == expected_panels(path)
    for control in lesson.controls():
        assert control.changes() == (True, True), f"{control.name}: sentence, picture changed?"


def expected_panels(path) -> int:
    """How many widgets the lesson presents."""
    return sum(cell.source.count("present(") for cell in code_cells(read(path)))


PANEL = """
from gapkit.widgets.panel import View, panel, present, slider
from gapkit.plots import canvas, png

def view(height):
    ax = canvas()
    ax.bar([0], [height])
    ax.set_ylim(0, 10)
    return View(png(ax), "one bar", f"The bar is {height:g} high.")

box = panel(view, height=slider("height", 1.0, 0.0, 9.0, 1.0))
"""


def written(lab, name: str, source: str):
    """A notebook of one cell beside the lessons."""
    path = lab.folder / "notebooks" / name
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
    return path


def test_a_control_that_is_connected_passes(lab, open_lesson):
    lesson = open_lesson(written(lab, "connected.ipynb", PANEL + "present(box, 'Nothing.')"))
    lesson.run_all()
    (control,) = lesson.controls()
    assert control.changes() == (True, True)


def test_a_control_whose_callback_is_disconnected_is_caught(lab, open_lesson, monkeypatch):
    monkeypatch.setattr("tests.browser.page.CHANGE_SECONDS", 4)
    cut = "box.children[0].children[0].unobserve_all()\npresent(box, 'Nothing.')"
    lesson = open_lesson(written(lab, "disconnected.ipynb", PANEL + cut))
    lesson.run_all()
    (control,) = lesson.controls()
    assert control.changes() == (False, False)


def test_an_error_in_a_cell_is_seen(lab, open_lesson):
    lesson = open_lesson(written(lab, "broken.ipynb", "raise ValueError('planted')"))
    assert lesson.run_all()[0]["complaints"] == 1
