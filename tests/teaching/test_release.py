"""What students get: no solutions, no hidden tests, and everything a notebook should have."""

import base64
import itertools
import re

import nbformat
import pytest

from gapkit import InputError
from teaching import course
from teaching.notebooks import grade_id, is_answer, is_setup, is_test, is_written, marks
from teaching.student import Limits
from tests.teaching.local import NAMES, SOURCES, notebook

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", NAMES)
def test_release_holds_neither_solutions_nor_hidden_tests(name, stubs):
    source = notebook(name)
    for cell in source.cells:
        released = next((one for one in stubs[name].cells if one.id == cell.id), None)
        if is_answer(cell):
            inside = re.search(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", cell.source, re.DOTALL)[1]
            assert inside.strip() not in released.source
            assert "raise NotImplementedError" in released.source
        if is_written(cell):
            assert released.source == "YOUR ANSWER HERE"
        if is_test(cell):
            assert "### BEGIN HIDDEN TESTS" in cell.source
            assert released.source.rstrip() == cell.source.split("### BEGIN HIDDEN TESTS")[0].rstrip()
            assert released.metadata.editable is False


@pytest.mark.parametrize("name", NAMES)
def test_each_assignment_says_what_it_teaches_and_what_it_asks(name, stubs):
    texts = [cell.source for cell in stubs[name].cells if cell.cell_type == "markdown"]
    first = texts[0]
    limits = Limits()
    assert f"{limits.cell:g} seconds" in first and f"{limits.total:g} seconds" in first
    assert f"{limits.memory / 2**30:g} GiB" in first
    for rule in ("own folder", "not valid Python", "its own task", "put back", "judged in parts", "`.ipynb`"):
        assert rule in first
    for needed in ("You will be able to", "Before you start", "Time:", "Points:"):
        assert needed in first
    assert sum(text.startswith("# ") for text in texts) == 1
    assert sum("<details>" in text for text in texts) >= 1
    written = [cell for cell in stubs[name].cells if is_written(cell)]
    assert len(written) >= 2
    assert sum("| what is looked for | points |" in text for text in texts) == len(written)


@pytest.mark.parametrize("name", NAMES)
def test_a_task_of_many_points_is_all_or_nothing(name):
    for cell in filter(is_test, notebook(name).cells):
        worth = [int(points) for points in re.findall(r"^# check (\d+): \S", cell.source, re.MULTILINE)]
        assert (len(worth) > 1) == (marks(cell)["points"] > 10), grade_id(cell)
        assert not worth or sum(worth) == marks(cell)["points"], grade_id(cell)
        before = cell.source.split("# check", 1)[0].strip() if worth else ""
        assert before == "", "what stands before the first check belongs to none"


@pytest.mark.parametrize("name", NAMES)
def test_rubric_points_add_up_to_those_of_the_written_answer(name):
    cells = notebook(name).cells
    for before, cell in itertools.pairwise(cells):
        if is_written(cell):
            rows = re.findall(r"^\| (?!what is looked for)[^|]+ \| (\d+) \|$", before.source, re.MULTILINE)
            assert sum(map(int, rows)) == marks(cell)["points"], grade_id(cell)


def test_plotting_tasks_show_the_target_picture_with_a_description(stubs):
    shown = 0
    for stub in stubs.values():
        for cell in stub.cells:
            for alt, name in re.findall(r"!\[([^\]]+)\]\(attachment:([^)]+)\)", cell.source):
                assert len(alt) > 30
                picture = base64.b64decode(cell.attachments[name]["image/png"])
                assert picture.startswith(b"\x89PNG")
                assert len(picture) > 5000  # more than empty axes
                shown += 1
    assert shown == 4


def test_release_imports_nothing_but_the_package_and_what_it_brings(stubs):
    allowed = {"gapkit", "numpy", "matplotlib", "scipy", "torch"}
    for stub in stubs.values():
        for cell in stub.cells:
            if cell.cell_type == "code":
                found = re.findall(r"^\s*(?:import|from) (\w+)", cell.source, re.MULTILINE)
                assert set(found) <= allowed


def test_variant_changes_seed_and_dataset_everywhere_and_the_answers_with_them(tmp_path):
    place = tmp_path / "variant"
    course.build(
        sources=SOURCES,
        course=place,
        only="A1",
        variant=course.Variant(seed=7, dataset="miniclip-t0.01/digits10"),
    )
    released = nbformat.read(place / "release/A1/A1.ipynb", as_version=4)
    setup = next(cell.source for cell in released.cells if is_setup(cell))
    assert "SEED = 7\n" in setup
    assert 'DATASET = "miniclip-t0.01/digits10"\n' in setup
    space, other = {}, {}
    exec(setup, space)
    exec(next(cell.source for cell in notebook("A1").cells if is_setup(cell)), other)
    gaps = [abs(s["images"].mean(0) - s["texts"].mean(0)).sum() for s in (space, other)]
    assert abs(gaps[0] - gaps[1]) > 0.05 * gaps[0]


def test_unknown_assignment_and_a_folder_without_sources_are_named(tmp_path):
    with pytest.raises(InputError, match="no assignment 'A9'; known are A1"):
        course.build(sources=SOURCES, course=tmp_path / "x", only="A9")
    with pytest.raises(InputError, match="no assignments"):
        course.build(sources=tmp_path, course=tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_path_of_windows_loses_its_backslashes():
    text = course.Variant(dataset="C:\\new\\1.safetensors").apply('DATASET = "x"\n')
    space: dict = {}
    exec(text, space)
    assert space["DATASET"] == "C:\\new\\1.safetensors"
