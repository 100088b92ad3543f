"""A class of 33 in five layouts: every student is found, no honest submission loses a point to form."""

import csv
import os
import zipfile

import nbformat
import pytest

from gapkit import InputError
from teaching import course, grade
from teaching.notebooks import grade_id
from tests.teaching import tiny

pytestmark = pytest.mark.slow
FORMS = ["student", "student/assignment", "assignment/student", "moodle", "canvas"]


@pytest.mark.parametrize(
    ("form", "zipped"), [*((form, False) for form in FORMS), ("student", True), ("moodle", True)]
)
def test_a_student_is_lost_or_an_honest_slip_costs_a_point(
    form, zipped, small, handed, here, tmp_path, monkeypatch
):
    monkeypatch.setattr(grade, "fill", lambda *_: None)  # nbgrader takes half a minute for 33
    tiny.lay_out(form, tmp_path / "in", handed)
    (tmp_path / "roster.csv").write_text(tiny.roster(), encoding="utf-8")
    submitted = tmp_path / "in"
    if zipped:
        submitted = tmp_path / "zipped"
        submitted.mkdir()
        with zipfile.ZipFile(submitted / "download.zip", "w") as file:
            for path in sorted((tmp_path / "in").rglob("*")):
                file.write(path, path.relative_to(tmp_path / "in"))
    given = {"roster": tmp_path / "roster.csv", "export": "canvas"}
    grade.grade_folder(submitted, course=small, out=tmp_path / "out", **given)
    with open(tmp_path / "out" / "points.csv", newline="", encoding="utf-8-sig") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert len(rows) == 33
    for number, hand in enumerate(handed):
        row = rows[f"s{number}"]
        first, _, last = tiny.NAMES[number].partition(" ")
        assert row["student"] == f"{last}, {first}"
        assert row["assignment"] == "A1"
        said = row["faults"] + row["notes"]
        assert float(row["points"]) == hand.points, (number, said)
        expected = [grade.Fault(kind) for kind in hand.faults]
        for fault in expected:
            assert str(fault).removeprefix("it ") in said, number
        if not hand.faults:
            assert said.replace("it was handed in late", "").strip("; ") == "", number
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert report.endswith("33 of the 33 on the roster handed in.\n")
    exported = (tmp_path / "out" / "canvas.csv").read_text(encoding="utf-8").splitlines()
    assert exported[0] == "Student,ID,SIS User ID,SIS Login ID,Section,A1 (777)"
    assert exported[2] == '"Lee, Ann",1000,s0,login0,1,20'


def test_who_did_not_hand_in_is_named(small, handed, here, tmp_path):
    tiny.lay_out("student", tmp_path / "in", handed)
    for name in ("login3", "login4"):
        for path in (tmp_path / "in" / name).iterdir():
            path.unlink()
    (tmp_path / "in" / "login4").rmdir()
    (tmp_path / "in" / "stranger").mkdir()
    (tmp_path / "in" / "stranger" / "A1.ipynb").write_bytes(handed[0].files["A1.ipynb"])
    (tmp_path / "roster.csv").write_text(tiny.roster(), encoding="utf-8")
    roster = tmp_path / "roster.csv"
    done = grade.grade_folder(tmp_path / "in", course=small, out=tmp_path / "out", roster=roster)
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "Nothing from: Ørsted, Søren.\n" in report
    assert report.endswith("32 of the 33 on the roster handed in.\n")
    kinds = {one.student: [fault.kind for fault in one.faults] for one in done}
    assert kinds["Núñez, José"] == ["empty"]
    assert kinds["stranger"] == ["unlisted"]


def test_a_folder_of_others_is_replaced_or_an_export_refused_only_after_the_grading(small, here, tmp_path):
    (tmp_path / "in" / "ann").mkdir(parents=True)
    (tmp_path / "in" / "ann" / "numbers.csv").write_text("1,2")  # all that was handed in
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match=r"holds 'thesis\.tex' already; name a new folder"):
        grade.grade_folder(tmp_path / "in", course=small, out=tmp_path / "mine")
    with pytest.raises(InputError, match=r"holds 'thesis\.tex' already; name a new folder"):
        course.build(sources=course.SOURCES, course=tmp_path / "mine")
    (tmp_path / "roster.csv").write_text("id\nann\n")
    given = {"roster": tmp_path / "roster.csv", "export": "moodle"}
    with pytest.raises(InputError, match="for Moodle"):
        grade.grade_folder(tmp_path / "in", course=small, out=tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()
    for _ in range(2):
        (one,) = grade.grade_folder(
            tmp_path / "in", course=small, out=tmp_path / "out", roster=given["roster"]
        )
    assert [str(fault) for fault in one.lost] == ["it is not a notebook: numbers.csv"]


def test_the_later_attempt_counts_by_number_then_by_time(small, handed, here, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    good, bad = handed[0].files["A1.ipynb"], b"{}"
    for name, content in (
        ("ivy_A1.ipynb", bad), ("ivy_A1 (1).ipynb", good), ("joe_A1-9.ipynb", bad), ("joe_A1-10.ipynb", good),
        ("lea_A1_2026-10-30.ipynb", bad), ("lea_A1_2026-11-03.ipynb", good),
        ("mia_A1_s77812.ipynb", bad), ("mia_A1_s77812 (1).ipynb", good),
    ):  # fmt: skip
        (folder / name).write_bytes(content)
        os.utime(folder / name, (1e9, 1e9))
    for name, content, stamp in (
        ("kim/old/A1.ipynb", bad, 1e9), ("kim/new/A1.ipynb", good, 1.1e9),
        ("noa/A1.ipynb", good, 1e9), ("noa/A1-checkpoint.ipynb", bad, 1.1e9),
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        os.utime(folder / name, (stamp, stamp))
    done = grade.grade_folder(folder, course=small, out=tmp_path / "out")
    assert {one.student: one.result.points for one in done} == dict.fromkeys(
        ["ivy", "joe", "kim", "lea", "mia__s77812", "noa"], 20
    )
    assert all("was graded, of 2" in str(one.faults) for one in done)


def test_points_by_hand_are_lost_or_hand_ins_deleted_when_the_results_are_renewed(small, here, tmp_path):
    notebook = course.solution(small, "A1")
    notebook.cells[-1].source = "My own words."
    for name in ("ann", "bea"):
        (tmp_path / "in" / name).mkdir(parents=True)
        nbformat.write(notebook, tmp_path / "in" / name / "A1.ipynb")
    out, rubric = tmp_path / "out", tmp_path / "out" / "rubric.csv"
    grade.grade_folder(tmp_path / "in", course=small, out=out)
    filled = rubric.read_text(encoding="utf-8-sig").replace(
        "ann,A1,a1-why,,5.0,", "ann,A1,a1-why,4,5.0,-1: no limit"
    )
    rubric.write_text(filled, encoding="utf-8")
    for _ in range(3):  # as the report says: with the table that lies in the results
        ann, bea = grade.grade_folder(tmp_path / "in", course=small, out=out, rubric=rubric)
        assert (ann.result.points, bea.result.points, bea.result.waiting) == (24, 20, ["a1-why"])
        assert ann.result.tasks[-1].message == "-1: no limit"
    for submitted, place in (
        (out / "nbgrader" / "submitted", out),
        (tmp_path / "in", tmp_path / "in" / "out"),
    ):
        with pytest.raises(InputError, match="a folder apart from the hand-ins"):
            grade.grade_folder(submitted, course=small, out=place)
    assert (out / "nbgrader" / "submitted" / "ann" / "A1" / "A1.ipynb").is_file()


def test_a_number_of_the_platform_is_another_students_id(small, here, tmp_path):
    notebook = course.solution(small, "A1")
    for name in ("Ben Ito_1_assignsubmission_file", "Wei Ng_4_assignsubmission_file"):
        (tmp_path / "in" / name).mkdir(parents=True)
        nbformat.write(notebook, tmp_path / "in" / name / "A1.ipynb")
    roster = tmp_path / "roster.csv"
    roster.write_text("id,name\n1,Ann Lee\n2,Ben Ito\n3,Wei Ng\n4,Wei Ng\n", encoding="utf-8")
    done = grade.grade_folder(tmp_path / "in", course=small, out=tmp_path / "out", roster=roster)
    assert [(one.student, one.id) for one in done] == [("Ben Ito", "2"), ("Wei Ng", "4")]


@pytest.mark.parametrize(
    ("change", "written"),
    [
        (lambda cells: cells.append(cells.pop(1)), str.encode),
        (lambda cells: cells.sort(key=lambda cell: not grade_id(cell).endswith("-test")), str.encode),
        (lambda cells: cells.reverse(), str.encode),
        (
            lambda cells: cells.append(
                nbformat.v4.new_code_cell("def mean(x):\n    pass", metadata=cells[3].metadata)
            ),
            str.encode,
        ),
        (
            lambda cells: cells.insert(2, nbformat.v4.new_code_cell("s = 'é'")),
            lambda text: text.encode("cp1252"),
        ),
        (
            lambda cells: cells.insert(2, nbformat.v4.new_code_cell("s = '@'")),
            lambda text: text.replace("'@'", "'\\ud83d'").encode(),
        ),
    ],
    ids=["set-up last", "tests first", "upside down", "another try below", "ANSI", "half a sign"],
)
def test_order_or_encoding_costs_points(change, written, small, here, tmp_path):
    notebook = course.solution(small, "A1")
    change(notebook.cells)
    (tmp_path / "in" / "ann").mkdir(parents=True)
    (tmp_path / "in" / "ann" / "A1.ipynb").write_bytes(written(nbformat.writes(notebook)))
    (one,) = grade.grade_folder(tmp_path / "in", course=small, out=tmp_path / "out")
    assert (one.result.points, one.lost) == (25, [])
