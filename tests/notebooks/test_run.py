"""Every lesson runs, prints the results it was committed with, and fits into Binder's memory."""

import re

import nbformat
import pytest

from tests.notebooks.lessons import EXECUTED, PATIENCE, STRICT, code_cells, cuda_megabytes, read, run_nbval

MEGABYTES = 850 + cuda_megabytes()
"""What a kernel may hold: Binder gives 1,000 for it and the server. Each lesson's own is a row of `make bench`."""
pytestmark = [pytest.mark.notebooks, pytest.mark.timeout(PATIENCE + 100)]


@pytest.mark.parametrize("path", EXECUTED, ids=lambda path: path.stem)
def test_the_lesson_prints_what_it_was_committed_with_in_little_memory(path):
    run = run_nbval(path)
    assert run.status == 0, run.output[-6000:]
    print(f"{path.stem}: kernel {run.kernel_megabytes:.0f} MB")
    assert 0 < run.kernel_megabytes <= MEGABYTES


@pytest.fixture
def excerpt():
    """The first lesson up to its first strictly checked cell that prints a number, and that cell's place."""
    path = EXECUTED[0]
    notebook = read(path)
    for place, cell in enumerate(notebook.cells):
        if STRICT in cell.metadata.get("tags", []) and any(
            re.search(r"\d", o.get("text", "")) for o in cell.outputs
        ):
            notebook.cells = notebook.cells[: place + 1]
            return notebook, len(code_cells(notebook)) - 1
    pytest.fail(f"{path.stem} prints no number in a strictly checked cell")


def run_copy(notebook, folder):
    """Run ``notebook`` from beside the lessons it was taken from, without leaving a file there."""
    path = folder / "planted.ipynb"
    nbformat.write(notebook, path)
    return run_nbval(path)


def test_the_excerpt_used_below_passes_as_it_is(excerpt, tmp_path):
    notebook, _ = excerpt
    run = run_copy(notebook, tmp_path)
    assert run.status == 0, run.output[-6000:]


def test_a_planted_wrong_number_makes_the_run_fail(excerpt, tmp_path):
    notebook, number = excerpt
    for output in notebook.cells[-1].outputs:
        if "text" in output:
            output.text = re.sub(
                r"\d(?=\D*$)", lambda digit: str((int(digit[0]) + 1) % 10), output.text, count=1
            )
    run = run_copy(notebook, tmp_path)
    assert run.status == 1, run.output[-6000:]
    assert run.failed_cells() == [number]


def test_code_that_prints_another_number_makes_the_run_fail(excerpt, tmp_path):
    notebook, number = excerpt
    notebook.cells[-1].source = (
        "_print = print\nprint = lambda *words, **options: _print(*words, 0.125, **options)\n"
        + (notebook.cells[-1].source)
    )
    run = run_copy(notebook, tmp_path)
    assert run.status == 1, run.output[-6000:]
    assert run.failed_cells() == [number]


def test_a_cell_that_fails_makes_the_run_fail(tmp_path):
    cells = [
        nbformat.v4.new_code_cell("assert 1 == 2", execution_count=1),
        nbformat.v4.new_code_cell("1 + 1"),
    ]
    run = run_copy(nbformat.v4.new_notebook(cells=cells), tmp_path)
    assert run.status == 1, run.output[-6000:]
    assert run.failed_cells() == [0]


def test_an_endless_cell_is_stopped(tmp_path):
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("while True: pass", execution_count=1)]
    )
    path = tmp_path / "endless.ipynb"
    nbformat.write(notebook, path)
    assert run_nbval(path, seconds=8).status == 124


def test_memory_is_really_measured(tmp_path):
    hungry = "block = bytearray(300 * 2**20); block[::4096] = b'1' * len(block[::4096]); import time; time.sleep(2)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(hungry, execution_count=1)])
    path = tmp_path / "hungry.ipynb"
    nbformat.write(notebook, path)
    assert 300 < run_nbval(path).kernel_megabytes < 600
