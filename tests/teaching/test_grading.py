"""Grading from end to end: perfect, empty, broken and hostile submissions, side by side."""

import contextlib
import copy
import csv
import html
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch

from gapkit import InputError
from teaching import beside, codec
from teaching.faults import Fault
from teaching.grade import _why_nothing, grade_folder
from teaching.judge import Judge
from teaching.notebooks import is_written
from teaching.run import LATE
from teaching.sandbox import landlock
from teaching.student import Limits, StudentGone, StudentProcess
from teaching.submissions import find_submissions
from tests.teaching.hostile import DRIBBLE, FRAMES, HOSTILE, MARK, ORPHAN, REFUSED, TARGET, refused
from tests.teaching.local import NAMES, LocalStudent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
QUICK = Limits(cell=4.0, total=60.0, patience=8.0, memory=512 * 2**20)


@contextlib.contextmanager
def _process(folder, **limits):
    """A submission's process alone, without a notebook."""
    with StudentProcess(folder, limits=Limits(**{**vars(QUICK), **limits})) as student:
        student.cell = "cell"
        yield student


def _said(outputs):
    return "".join(one.get("text", one.get("evalue", "")) for one in outputs)


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
    for name in REFUSED:
        refused(name, perfect["A1"], place / "in" / name / "A1.ipynb")
    _write(place / "in", "zoe", "A1", perfect["A1"])
    done = grade_folder(place / "in", course=built, out=place / "out", limits=QUICK)
    return place / "out", {one.student: one for one in done}


@pytest.mark.parametrize("name", NAMES)
def test_solution_gets_every_point_and_the_stub_none(name, graded):
    _, done = graded
    assert [str(fault) for fault in done["ada", name].faults if fault.kind != "model-answer"] == []
    assert done["ada", name].result.points == done["ada", name].result.most == 100
    assert all(task["points"] == task["most"] for task in done["ada", name].result.tasks)
    assert all(task["points"] == 0 for task in done["bob", name].result.tasks)
    assert done["bob", name].faults == []


def test_tables_pages_and_report_are_written(graded):
    out, done = graded
    with open(out / "points.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {(row["student"], row["assignment"]): float(row["points"]) for row in rows} == {
        key: one.result.points for key, one in done.items()
    }
    for row in rows:
        page = (out / row["feedback"]).read_text(encoding="utf-8")
        assert f"of {float(row['max_points']):g} points" in page
        assert "HIDDEN TESTS" not in page
        assert "_rmg_by_loops" not in page
    assert "10 submissions, 0 with faults" in (out / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_submission_loses_its_points_and_is_named(name, spoilt):
    out, done = spoilt
    one = done[name]
    assert HOSTILE[name].fault in [fault.kind for fault in one.faults]
    assert one.result.points == 0
    assert f"- {name} A1: 0 of 100" in (out / "report.md").read_text(encoding="utf-8")


def test_hostile_submissions_do_not_touch_the_others_or_the_machine(spoilt):
    _, done = spoilt
    assert done["zoe"].result.points == 100
    assert done["zoe"].result.confined == bool(landlock.version())
    assert not os.path.exists(TARGET)
    assert _orphans() == []
    assert len(done) == len(HOSTILE) + len(REFUSED) + 1


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_without_harm_is_only_noted(name, spoilt):
    one = spoilt[1][name]
    assert REFUSED[name][0] in [fault.kind for fault in one.faults]
    assert one.result.points == 100


def test_points_without_the_fault_are_told_to_the_teacher(spoilt):
    _, done = spoilt
    assert done["test edited"].result.without_faults == 100
    assert done["syntax error"].result.without_faults == 85  # that task and the numbers made from it are lost


def test_forgiven_faults_cost_only_what_they_touch(built, perfect, tmp_path):
    HOSTILE["syntax error"].write(perfect["A1"], tmp_path / "in/eve/A1.ipynb")
    (one,) = grade_folder(
        tmp_path / "in", course=built, out=tmp_path / "out", limits=QUICK, forgiven=("syntax",)
    )
    assert one.result.points == 85


def test_written_answers_wait_for_a_person_and_take_points_from_a_rubric(built, perfect, tmp_path):
    notebook = copy.deepcopy(perfect["A1"])
    for cell in filter(is_written, notebook.cells):
        cell.source = "Because <script>alert(1)</script> of the gap."
    _write(tmp_path / "in", "eve", "A1", notebook)
    _write(tmp_path / "in", "fay", "A1", notebook)
    rubric = {("fay", "A1", "a1-orthogonal"): 7.0, ("fay", "A1", "a1-cosine"): 99.0}
    eve, fay = grade_folder(tmp_path / "in", course=built, out=tmp_path / "out", rubric=rubric)
    assert (eve.result.points, len(eve.result.waiting)) == (80, 2)
    assert (fay.result.points, fay.result.waiting) == (97, [])  # 99 of 10 are 10
    assert "<script>alert" not in eve.page


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


def test_command_line_names_bad_input_in_one_line(built, tmp_path):
    def run(*arguments):
        command = [sys.executable, "-m", "teaching", "grade", *arguments]
        return subprocess.run(command, capture_output=True, text=True)

    for arguments, said in (
        ((str(tmp_path / "none"), "--course", str(built)), "no folder"),
        ((str(tmp_path), "--course", str(built)), "no notebooks"),
        ((str(tmp_path), "--course", str(tmp_path)), "build it with: make assignments"),
        ((str(tmp_path), "--course", str(built), "--rubric", str(tmp_path / "no.csv")), "cannot read"),
    ):
        done = run(*arguments)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_submissions_are_found_however_they_are_named(perfect, tmp_path):
    for path in ("ann/A1.ipynb", "bea/A2/A2.ipynb", "cat_A3.ipynb", "dot/my work.ipynb", "eve/holiday.ipynb"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        text = nbformat.writes(perfect["A4"]) if path == "dot/my work.ipynb" else "{}"
        (tmp_path / path).write_text(text, encoding="utf-8")
    found = {(one.student, one.assignment) for one in find_submissions(tmp_path, NAMES)}
    assert found == {("ann", "A1"), ("bea", "A2"), ("cat", "A3"), ("dot", "A4"), ("eve", "")}


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        find_submissions(tmp_path / "no", NAMES)


@pytest.mark.parametrize(("source", "fault"), [(FRAMES, "protocol"), (DRIBBLE, "time")])
def test_a_flood_of_the_pipe_ends_in_time(source, fault, tmp_path):
    with _process(tmp_path, cell=2.0, patience=2.0) as student:
        with pytest.raises(StudentGone):
            student.run_cell(source)
        assert fault in [one.kind for one in student.faults]


def test_telling_the_same_a_thousand_times_is_no_flood(tmp_path):
    with _process(tmp_path) as student:
        student.run_cell(
            "import os\nfor _ in range(1000):\n    try: os.system('true')\n    except PermissionError: pass"
        )
        assert [one.kind for one in student.faults] == ["process"]


def test_a_judge_that_hangs_is_stopped_and_the_fault_is_time(tmp_path):
    (tmp_path / LATE).write_text("over 5 s in all", encoding="utf-8")
    (tmp_path / "log.txt").write_text("UserWarning: something harmless", encoding="utf-8")
    assert _why_nothing(tmp_path) == Fault("time", detail="over 5 s in all")
    (tmp_path / LATE).unlink()
    assert _why_nothing(tmp_path) == Fault("grader", detail="UserWarning: something harmless")


@pytest.mark.skipif(not landlock.version(), reason="only the kernel can refuse this")
def test_the_environment_of_other_processes_cannot_be_read(tmp_path):
    source = "import os\nprint(open(f'/proc/{os.getppid()}/environ').read())"
    with _process(tmp_path) as student:
        assert "Permission denied" in _said(student.run_cell(source))
        own = student.run_cell("import os\nprint(len(open('/proc/self/status').read()))")
        assert int(_said(own)) > 100


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not adopt orphans")
def test_processes_left_in_sessions_of_their_own_end_with_the_submission(tmp_path):
    """The judge adopts orphans, so none is left when it has ended its children; nor is a living parent's child."""
    judge = (
        "import json, sys, time\nfrom pathlib import Path\n"
        "from teaching.sandbox import family\nfrom teaching.student import StudentProcess\n"
        "adopted = family.adopt_orphans()\n"
        f"with StudentProcess(Path({str(tmp_path)!r})) as student:\n"
        f"    student.run_cell({ORPHAN!r})\n"
        f"    student.run_cell({ORPHAN.replace('os._exit(0)', 'time.sleep(300)')!r})\n"
        "    before = [Path(f'/proc/{p}/comm').read_text().strip() for p in family.descendants(1)]\n"
        "family.end_children()\n"
        f"print(adopted, before.count({MARK!r}))"
    )
    done = subprocess.run([sys.executable, "-c", judge], capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["True", "2"], done.stderr
    assert _orphans() == []


def test_sleeping_is_bounded_in_all(tmp_path):
    """Naps that are each within a cell's limits use the total up, a part of the clock at a time."""
    with _process(tmp_path, cell=4.0, total=1.0, patience=2.0) as student:
        with pytest.raises(StudentGone):
            for _ in range(60):
                student.run_cell("import time\ntime.sleep(0.5)")
        assert [one.kind for one in student.faults] == ["time"]


def test_one_late_cell_leaves_the_others_and_the_second_ends_the_process(tmp_path):
    with _process(tmp_path, cell=1.0, patience=1.0) as student:
        for _ in range(2):
            student.run_cell("import time\ntime.sleep(60)")
        assert _said(student.run_cell("print('here')")) == "here\n"
        student.cell = "another"
        with pytest.raises(StudentGone):
            student.run_cell("time.sleep(60)")


def test_data_files_beside_the_notebook_go_along_and_nothing_else(tmp_path, monkeypatch):
    mine, to, secret = tmp_path / "mine", tmp_path / "to", tmp_path / "secret.csv"
    mine.mkdir()
    secret.write_text("1")
    (mine / "folder.csv").mkdir()
    (mine / "link.csv").symlink_to(secret)
    os.mkfifo(mine / "pipe.npy")
    for name, size in (("a.npy", 60), ("b.safetensors", 50), ("c.CSV", 40), ("d.py", 1), ("A5.ipynb", 1)):
        (mine / name).write_bytes(b"x" * size)
    monkeypatch.setattr(beside, "MAX_BYTES", 100)
    assert beside.copy_beside(mine, to) == ["b.safetensors"]
    assert {path.name: path.stat().st_size for path in to.iterdir()} == {"a.npy": 60, "c.CSV": 40}


def test_notebook_finds_its_own_data_and_no_one_elses(built, perfect, tmp_path):
    notebook = copy.deepcopy(perfect["A1"])
    notebook.cells.insert(1, nbformat.v4.new_code_cell("import os\nprint('FILES', sorted(os.listdir('.')))"))
    _write(tmp_path / "in", "ann", "A1", notebook)
    nbformat.write(notebook, tmp_path / "in" / "bea_A1.ipynb")
    (tmp_path / "in/ann/mine.csv").write_text("1,2")
    (tmp_path / "in/other.csv").write_text("1,2")
    ann, bea = grade_folder(tmp_path / "in", course=built, out=tmp_path / "out")
    assert (ann.result.points, bea.result.points) == (100, 100)
    pages = [html.unescape(one.page) for one in (ann, bea)]
    assert "FILES ['mine.csv', 'tmp']" in pages[0]
    assert "FILES ['tmp']" in pages[1]


def test_a_submission_cannot_change_what_the_next_test_sees():
    texts = np.ones(3)
    student = LocalStudent({"spoil": lambda array: array.__setitem__(..., 0)})
    judge = Judge(student, space={"texts": texts, "alias": texts, "holder": {"images": torch.ones(2)}})
    source = "assert texts.sum() == 3 and alias is texts and holder['images'].sum() == 2\n"
    source += "spoil(texts), spoil(holder['images'])\nassert texts.sum() == 0 and holder['images'].sum() == 0"
    assert judge.test(source, "first") is None
    assert judge.test(source, "second") is None


@pytest.mark.parametrize(
    "sent",
    [
        pd.Series([1.5, 2.0, -3.0]),
        np.array([1.5, 2.0, -3.0], dtype=np.longdouble),
        np.array([1.5, 2.0, -3.0], dtype=object),
        np.array([1.5, 2.0, -3.0], dtype=">f8"),
        np.array([1.5, 2.0, -3.0], dtype=">f4"),
    ],
    ids=["Series", "longdouble", "objects", "big-endian", "big-endian float32"],
)
def test_numbers_in_any_dress_travel(sent):
    come = codec.unpack(codec.pack(sent))
    assert isinstance(come, np.ndarray)
    assert come.dtype.isnative
    assert come.tolist() == [1.5, 2.0, -3.0]


def test_text_travels_and_what_does_not_is_named_by_its_type():
    assert codec.unpack(codec.pack(np.array(["cat"])[0])) == "cat"
    assert type(codec.unpack(codec.pack(np.str_("cat")))) is str
    assert codec.unpack(codec.pack(np.longdouble(1.5))) == 1.5
    for sent, said in (
        (Path("x"), type(Path("x")).__name__),
        (np.array(["a", 1.0], object), "ndarray of object"),
    ):
        come = codec.unpack(codec.pack(sent))
        assert isinstance(come, codec.Opaque)
        assert type(come).__name__ == come.kind == said
