"""Grading from end to end: perfect, empty, broken and hostile submissions, side by side."""

import contextlib
import copy
import csv
import html
import os
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from gapkit import check
from teaching import confine, course
from teaching.__main__ import main
from teaching.faults import Fault
from teaching.grade import _outcome, grade_folder
from teaching.judge import Judge
from teaching.notebooks import is_written
from teaching.student import Limits
from tests.teaching.hostile import HOSTILE, MARK, TARGET
from tests.teaching.local import NAMES, LocalStudent, verdict
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(confine.why_not()), reason=confine.why_not()),
]
QUICK = Limits(cell=3.0, total=60.0, patience=6.0, memory=512 * 2**20)


def _orphans():
    """Processes that `ORPHAN` has left, wherever they hang in the tree."""
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if path.read_text(encoding="utf-8").strip() == MARK:
                found.append(int(path.parent.name))
    return found


def _write(folder, student, name, notebook):
    path = folder / student / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


@pytest.fixture(scope="session")
def graded(built, perfect, stubs, tmp_path_factory):
    """Solutions and stubs of every assignment, graded together."""
    place = tmp_path_factory.mktemp("graded")
    for name in NAMES:
        _write(place / "in", "ada", name, perfect[name])
        _write(place / "in", "bob", name, stubs[name])
    done = grade_folder(place / "in", course=built, out=place / "out")
    return place / "out", {(one.student, one.assignment): one for one in done}


@pytest.fixture(scope="session")
def spoilt(built, perfect, tmp_path_factory):
    """Every hostile submission of A1, graded together with a perfect one."""
    Path(TARGET).unlink(missing_ok=True)
    place = tmp_path_factory.mktemp("spoilt")
    for name, hostile in HOSTILE.items():
        hostile.write(perfect["A1"], place / "in" / name / "A1.ipynb")
    _write(place / "in", "zoe", "A1", perfect["A1"])
    done = grade_folder(place / "in", course=built, out=place / "out", limits=QUICK)
    return place / "out", {one.student: one for one in done}


@pytest.mark.parametrize("name", NAMES)
def test_solution_gets_every_point_and_the_stub_none(name, graded):
    _, done = graded
    assert [str(fault) for fault in done["ada", name].faults if fault.kind != "model-answer"] == []
    assert done["ada", name].result.points == done["ada", name].result.most == 100
    assert all(task.points == task.most for task in done["ada", name].result.tasks)
    assert all(task.points == 0 for task in done["bob", name].result.tasks)
    assert done["bob", name].faults == []


def test_tables_pages_and_report_are_written(graded):
    out, done = graded
    with open(out / "points.csv", newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert {(row["student"], row["assignment"]): float(row["points"]) for row in rows} == {
        key: one.result.points for key, one in done.items()
    }
    for row in rows:
        page = (out / row["feedback"]).read_text(encoding="utf-8")
        assert f"of {float(row['max_points']):g} points" in page
        assert "HIDDEN TESTS" not in page
        assert "_rmg_by_loops" not in page
    assert "10 submissions, 0 without points" in (out / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_spoilt_submission_loses_what_it_touches_and_nothing_else(name, spoilt):
    _, done = spoilt
    hostile, graded = HOSTILE[name], done[name]
    kinds = {fault.kind for fault in graded.faults} - {"model-answer"}
    assert kinds == ({hostile.fault} if hostile.fault else set())
    assert graded.result.points == hostile.points


def test_hostile_submissions_do_not_touch_the_others_or_the_machine(spoilt):
    out, done = spoilt
    assert done["zoe"].result.points == 100
    assert done["zoe"].result.confined
    assert not os.path.exists(TARGET)
    assert wait_until(lambda: not _orphans())
    assert len(done) == len(HOSTILE) + 1
    page = done["starts processes for ever"].page
    assert "started more processes" in page
    assert "<td>right</td>" not in page
    report = (out / "report.md").read_text(encoding="utf-8")
    for name, hostile in HOSTILE.items():
        assert f"- {name} A1: {hostile.points} of 100" in report


def test_written_answers_wait_for_a_person_and_take_points_from_a_rubric(built, perfect, tmp_path):
    notebook = copy.deepcopy(perfect["A1"])
    for cell in filter(is_written, notebook.cells):
        cell.source = "Because <script>alert(1)</script> of the gap."
    _write(tmp_path / "in", "eve", "A1", notebook)
    _write(tmp_path / "in", "fay", "A1", notebook)
    rubric = tmp_path / "rubric.csv"
    rows = [
        "student,assignment,task,points,comment",
        "fay,A1,a1-orthogonal,7,no limit named",
        "fay,A1,a1-cosine,99,",
    ]
    rubric.write_text("\n".join(rows), encoding="utf-8")
    eve, fay = grade_folder(tmp_path / "in", course=built, out=tmp_path / "out", rubric=rubric)
    assert (eve.result.points, len(eve.result.waiting)) == (80, 2)
    assert (fay.result.points, fay.result.waiting) == (97, [])  # 99 of 10 are 10
    assert "<script>alert" not in eve.page
    assert "no limit named" in fay.page


def test_same_seed_gives_the_same_messages(built, perfect, tmp_path):
    notebook = copy.deepcopy(perfect["A1"])
    for cell in notebook.cells:
        if cell.id == "a1-rmg":
            cell.source = "def rmg(x, y):\n    return float(abs(x).sum())\n"
    _write(tmp_path / "in", "eve", "A1", notebook)
    runs = [
        grade_folder(tmp_path / "in", course=built, out=tmp_path / "out", seed=3)[0].result.tasks
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


def test_command_line_names_bad_input_in_one_line(built, tmp_path, monkeypatch, capsys):
    for arguments, said in (
        ((tmp_path / "none", "--course", built), "no folder"),
        ((tmp_path, "--course", built), "nothing was handed in"),
        ((tmp_path, "--course", tmp_path), "build it with: make assignments"),
        ((tmp_path, "--course", built, "--roster", tmp_path / "no.csv"), "cannot read"),
    ):
        monkeypatch.setattr(sys, "argv", ["teaching", "grade", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        words = capsys.readouterr().err
        assert end.value.code == 2
        assert said in words
        assert len(words.splitlines()) == 1


def test_a_judge_that_hangs_is_stopped_and_the_fault_is_time(tmp_path):
    (tmp_path / "log.txt").write_text("UserWarning: something harmless", encoding="utf-8")
    assert _outcome(tmp_path, "over 5 s in all") == Fault("grader", detail="over 5 s in all")
    assert _outcome(tmp_path) == Fault("grader", detail="UserWarning: something harmless")


def test_notebook_finds_its_own_data_and_no_one_elses(small, tmp_path):
    notebook = course.solution(small, "A1")
    notebook.cells.insert(1, nbformat.v4.new_code_cell("import os\nprint('FILES', sorted(os.listdir('.')))"))
    _write(tmp_path / "in", "ann", "A1", notebook)
    nbformat.write(notebook, tmp_path / "in" / "bea_A1.ipynb")
    (tmp_path / "in/ann/mine.csv").write_text("1,2")
    (tmp_path / "in/other.csv").write_text("1,2")
    ann, bea = grade_folder(tmp_path / "in", course=small, out=tmp_path / "out")
    assert ann.result.points == bea.result.points == ann.result.most
    pages = [html.unescape(one.page) for one in (ann, bea)]
    assert "FILES ['.cache', 'mine.csv']" in pages[0]
    assert "FILES ['.cache']" in pages[1]


def test_a_submission_cannot_change_what_the_next_test_sees():
    texts = np.ones(3)
    student = LocalStudent({"spoil": lambda array: array.__setitem__(..., 0)})
    judge = Judge(student, space={"texts": texts, "alias": texts, "holder": {"images": torch.ones(2)}})
    source = "assert texts.sum() == 3 and alias is texts and holder['images'].sum() == 2\n"
    source += "spoil(texts), spoil(holder['images'])\nassert texts.sum() == 0 and holder['images'].sum() == 0"
    assert verdict(judge, source) is None
    assert verdict(judge, source) is None


def test_a_message_quotes_the_judge_for_the_students_line():
    def gap_vector(x, y):
        return y.mean(0) - three  # noqa: F821

    said = verdict(Judge(LocalStudent({"gap_vector": gap_vector}), {"check": check}), "check(gap_vector)")
    assert (
        said
        == "gap_vector stops with NameError: name 'three' is not defined: run the cell that imports or defines it first"
    )
