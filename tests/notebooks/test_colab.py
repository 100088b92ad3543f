"""The cell at the top of each lesson that says how it runs in Colab."""

import pytest

from tests.notebooks.lessons import EXECUTED, SOURCES, read
from tools import colab
from tools.readme import repository


@pytest.mark.parametrize("path", EXECUTED, ids=lambda path: path.stem)
def test_each_lesson_says_after_its_opening_how_it_runs_in_colab(path):
    cell = read(path).cells[1]
    assert cell.cell_type == "markdown"
    assert cell.source == colab.note(path.stem), "run: python tools/colab.py, then make sync"
    assert f"{repository()}/blob/HEAD/notebooks/{path.name}" in cell.source


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_writing_the_cell_again_changes_nothing(path):
    text = path.read_text(encoding="utf-8")
    assert colab.with_note(text, path.stem) == text


def test_torch_is_not_replaced_where_it_is_there():
    """pip replaces an installed package only if it does not satisfy what is asked for, or if told to upgrade."""
    assert "--upgrade" not in colab.note("00_start_here")
    assert "-U" not in colab.note("00_start_here")
