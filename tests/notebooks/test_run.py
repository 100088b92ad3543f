"""Every lesson runs, prints the results it was committed with, and keeps to its budget."""

import re
import statistics

import nbformat
import pytest

from tests.notebooks.lessons import EXECUTED, STRICT, budgets, code_cells, read, run_nbval
from tests.widgets.timing import QUIET_SECONDS, fixed_work

PATIENCE = 280
"""Seconds by the clock after which a run is killed, however busy the machine."""
pytestmark = [pytest.mark.notebooks, pytest.mark.timeout(PATIENCE + 20)]
taken: dict[str, tuple[float, float]] = {}
"""Processor seconds of each lesson, as they were and as a quiet machine's."""


def slowness() -> float:
    """How many times the processor time of a quiet machine this one needs now: its cores may be shared."""
    return max(1.0, statistics.median(fixed_work() for _ in range(7)) / QUIET_SECONDS)


@pytest.mark.parametrize("path", EXECUTED, ids=lambda path: path.stem)
def test_the_lesson_prints_what_it_was_committed_with_within_its_budget(path):
    most, own = budgets()["most"], budgets()["own"][path.stem]
    before = slowness()
    run = run_nbval(path, seconds=PATIENCE)
    slower = (before + slowness()) / 2
    assert run.status == 0, run.output[-6000:]
    taken[path.stem] = run.kernel_seconds, run.kernel_seconds / slower
    used = f"{run.seconds:.1f} s, kernel {run.kernel_seconds:.1f} s (slowed {slower:.2f} times) and {run.kernel_megabytes:.0f} MB"
    print(f"{path.stem}: {used}")
    assert 0 < run.kernel_seconds <= most["seconds"], used
    assert run.kernel_seconds / slower <= own["seconds"], used
    assert 0 < run.kernel_megabytes <= min(most["kernel_megabytes"], own["kernel_megabytes"]), used


def test_the_lessons_are_quick_on_average():
    if len(taken) < len(EXECUTED):
        pytest.skip("only where all lessons ran")
    # the budget is a quiet machine's: on one whose cores are shared the same work takes more processor time
    assert statistics.mean(quiet for _, quiet in taken.values()) <= budgets()["average"]["seconds"], taken


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
    return run_nbval(path, seconds=PATIENCE)


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
    run = run_nbval(path, seconds=8)
    assert run.status == 124
    assert run.seconds < 60


def test_memory_is_really_measured(tmp_path):
    hungry = "block = bytearray(300 * 2**20); block[::4096] = b'1' * len(block[::4096]); import time; time.sleep(1)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(hungry, execution_count=1)])
    path = tmp_path / "hungry.ipynb"
    nbformat.write(notebook, path)
    assert 300 < run_nbval(path, seconds=PATIENCE).kernel_megabytes < 600
