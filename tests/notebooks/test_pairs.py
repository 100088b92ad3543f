"""The two files of a lesson hold the same cells, and the executed one really was executed."""

import copy
import re
import shutil

import nbformat
import pytest

from tests.notebooks.lessons import EXECUTED, NOTEBOOKS, SOURCES, STRICT, code_cells, read
from tools import notebooks as tool

LARGEST_FILE = 3 * 2**20


def test_every_source_has_its_executed_file_and_the_other_way_round():
    assert SOURCES
    assert [path.stem for path in SOURCES] == [path.stem for path in EXECUTED]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_both_files_hold_the_same_cells(source):
    assert tool.differences(source) == []


@pytest.fixture
def lesson(tmp_path):
    """A copy of the first lesson that a test may change."""
    for path in (SOURCES[0], SOURCES[0].with_suffix(".ipynb")):
        shutil.copy(path, tmp_path)
    return tmp_path / SOURCES[0].name


def test_a_changed_cell_is_noticed(lesson):
    lesson.write_text(lesson.read_text(encoding="utf-8") + "\n# %%\nplanted = 1\n", encoding="utf-8")
    assert tool.differences(lesson)
    tool.sync(lesson)
    assert tool.differences(lesson) == []


def test_syncing_what_is_in_step_changes_nothing(lesson):
    before = lesson.with_suffix(".ipynb").read_bytes()
    assert not tool.sync(lesson)
    assert not tool.sync_back(lesson)
    assert lesson.with_suffix(".ipynb").read_bytes() == before


def test_a_new_cell_leaves_the_ids_and_outputs_of_the_others_alone(lesson):
    executed = lesson.with_suffix(".ipynb")
    before = read(executed)
    text = lesson.read_text(encoding="utf-8")
    place = text.index("# %%", len(text) // 2)
    lesson.write_text(f"{text[:place]}# %%\nplanted = 1\n\n{text[place:]}", encoding="utf-8")
    tool.sync(lesson)
    after = read(executed)
    planted = [cell for cell in after.cells if cell.source == "planted = 1"]
    assert len(planted) == 1
    assert [cell for cell in after.cells if cell.id != planted[0].id] == before.cells


def test_a_new_cell_gets_the_same_id_every_time(lesson):
    executed = lesson.with_suffix(".ipynb")
    lesson.write_text(lesson.read_text(encoding="utf-8") + "\n# %%\nplanted = 1\n", encoding="utf-8")
    original = executed.read_bytes()
    tool.sync(lesson)
    first = read(executed).cells[-1].id
    executed.write_bytes(original)
    tool.sync(lesson)
    assert read(executed).cells[-1].id == first


def test_a_cell_that_changed_loses_its_outputs(lesson):
    executed = lesson.with_suffix(".ipynb")
    source = next(cell.source for cell in code_cells(read(executed)) if cell.outputs)
    text = lesson.read_text(encoding="utf-8")
    assert source in text
    lesson.write_text(text.replace(source, f"{source}\nplanted = 1"), encoding="utf-8")
    tool.sync(lesson)
    changed = [cell for cell in read(executed).cells if cell.source.endswith("planted = 1")]
    assert len(changed) == 1
    assert (changed[0].outputs, changed[0].execution_count) == ([], None)


def test_editing_the_notebook_reaches_the_source(lesson):
    executed = lesson.with_suffix(".ipynb")
    notebook = read(executed)
    notebook.cells.append(nbformat.v4.new_code_cell("planted = 1"))
    nbformat.write(notebook, executed)
    assert tool.sync_back(lesson)
    assert "planted = 1" in lesson.read_text(encoding="utf-8")
    assert tool.differences(lesson) == []


def test_cleaning_takes_out_timings_and_nothing_else(lesson):
    executed = lesson.with_suffix(".ipynb")
    clean = executed.read_bytes()
    notebook = read(executed)
    notebook.metadata.language_info["version"] = "3.12.1"
    for cell in code_cells(notebook):
        cell.metadata["execution"] = {"iopub.execute_input": "2026-01-01T00:00:00Z"}
    nbformat.write(notebook, executed)
    assert tool.clean(lesson)
    assert executed.read_bytes() == clean


@pytest.mark.parametrize("path", EXECUTED, ids=lambda path: path.stem)
class TestExecuted:
    def test_every_code_cell_ran_once_from_top_to_bottom(self, path):
        counts = [cell.execution_count for cell in code_cells(read(path))]
        assert counts == list(range(1, len(counts) + 1))

    def test_no_cell_failed_or_wrote_to_stderr(self, path):
        for cell in code_cells(read(path)):
            for output in cell.outputs:
                expected = "raises-exception" in cell.metadata.get("tags", [])
                assert expected or output.output_type != "error", cell.source
                assert output.get("name") != "stderr", output.text

    def test_something_is_checked_strictly(self, path):
        strict = [cell for cell in code_cells(read(path)) if STRICT in cell.metadata.get("tags", [])]
        assert strict, f"tag the cells that print results with {STRICT!r}"
        for cell in strict:
            shown = "".join(str(output.get("text", output.get("data", ""))) for output in cell.outputs)
            assert re.search(r"\d", shown), f"a strict cell must print a result:\n{cell.source}"

    def test_ids_are_unique_and_of_the_stable_kind(self, path):
        notebook = read(path)
        ids = [cell.id for cell in notebook.cells]
        assert len(set(ids)) == len(ids)
        settled = copy.deepcopy(notebook.cells)
        tool.settle_ids(settled, set(ids))
        assert [cell.id for cell in settled] == ids

    def test_nothing_of_the_machine_is_left_in_it(self, path):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"/(home|root|tmp|Users|work)/\w|[A-Z]:\\\\|site-packages|ipykernel_\d", text)
        notebook = read(path)
        assert set(notebook.metadata) == {"jupytext", "kernelspec", "language_info"}
        assert not any(set(cell.metadata) & set(tool.UNSTABLE) for cell in notebook.cells)
        assert len(text) < LARGEST_FILE

    def test_every_picture_has_an_alternative_text(self, path):
        for cell in code_cells(read(path)):
            for output in cell.outputs:
                for kind in output.get("data", {}):
                    if kind.startswith("image/"):
                        alt = output.metadata.get(kind, {}).get("alt", "")
                        assert len(alt) > 20, f"a picture without alt text, made by:\n{cell.source}"


def test_no_notebook_lies_outside_the_known_places():
    strays = [path for path in NOTEBOOKS.glob("*.ipynb") if path not in EXECUTED]
    assert strays == []
