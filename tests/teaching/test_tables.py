"""What goes in and out as tables: rosters, points for the platforms, rubrics, exceptions."""

import csv
import io
from pathlib import Path

import pytest

from gapkit import InputError
from teaching.collect import Submission
from teaching.roster import export, read_exceptions, read_roster, read_rubric

CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,A1 (777),Final Score\n"
    "    Points Possible,,,,,100,(read only)\n"
    '"Müller, Zoë",41,s1,zoe,One,,\n"Lee, Ann",42,s2,ann,One,5,\n"Student, Test",,,,One,,\n'
)
MOODLE = (
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,Last modified (grade)\n"
    "Participant 9001,Zoë Müller,zoe@example.org,Submitted,,100.00,Yes,-\n"
    'Participant 9002,Ann Lee,ann@example.org,Submitted,,100.00,Yes,"Friday, 1 May 2026, 10:00 AM"\n'
)
TASKS = {"A1": ["a1-why", "a1-how"], "A2": ["a2-why"]}
HANDED = [Submission("Müller, Zoë", "A1", Path("x"), id="s1"), Submission("ann", "A1", Path("y"))]


def written(folder, text, encoding="utf-8"):
    path = folder / "table.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("name", ["Zoë Müller", "Müller Zoë", "müllerzoë", "MÜLLER zoë", "zoe", "41", "s1"])
def test_a_student_goes_by_another_name_in_canvas(name, tmp_path):
    roster = read_roster(written(tmp_path, CANVAS))
    assert [student.id for student in roster.students] == ["s1", "s2"]
    assert roster.find(name).id == "s1"


@pytest.mark.parametrize(
    "name", ["Zoë Müller", "Müller Zoë", "zoe@example.org", "zoe", "9001", "Participant 9001"]
)
def test_a_student_goes_by_another_name_in_moodle(name, tmp_path):
    assert read_roster(written(tmp_path, MOODLE)).find(name).name == "Zoë Müller"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("id;name\n1;Zoë\n", "utf-8-sig"),
        ("sep=;\nid;name\n1;Zoë\n", "utf-8"),
        ("id\tname\n1\tZoë\n", "utf-16"),
        ("ID,Name\r\n1,Zoë\r\n,\r\n", "cp1252"),
        ("First name,Surname,ID number\nZoë,Müller,1\n", "utf-8"),
    ],
)
def test_a_roster_is_spoilt_by_excel(text, encoding, tmp_path):
    roster = read_roster(written(tmp_path, text, encoding))
    assert [student.id for student in roster.students] == ["1"]
    assert roster.find("zoë müller" if "Surname" in text else "zoë").id == "1"


def test_two_of_one_name_are_one(tmp_path):
    roster = read_roster(written(tmp_path, "id,name\n1,Wei Ng\n2,Wei Ng\n3,Ann Lee\n"))
    assert roster.find("Wei Ng") is None
    assert roster.find("Wei Ng", "2").id == "2"
    with pytest.raises(InputError, match="line 3: '1' is there twice"):
        read_roster(written(tmp_path, "id,name\n1,a\n1,b\n"))
    for text in ("", "colour\nred\n", "id,name\n"):
        with pytest.raises(InputError):
            read_roster(written(tmp_path, text))


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_canvas_cannot_import_its_points(tmp_path):
    roster = read_roster(written(tmp_path, CANVAS))
    (text,) = export(roster, "canvas", {("s2", "A1"): 87.5, ("s1", "A2"): 3}, {"A1": 100, "A2": 20}).values()
    lines = text.splitlines()
    assert lines[0] == "Student,ID,SIS User ID,SIS Login ID,Section,A1 (777),A2"
    assert lines[1] == "    Points Possible,,,,,100,20"
    assert lines[2:] == ['"Müller, Zoë",41,s1,zoe,One,,3', '"Lee, Ann",42,s2,ann,One,87.5,']
    with pytest.raises(InputError, match="gradebook export"):
        export(read_roster(written(tmp_path, MOODLE)), "canvas", {}, {"A1": 1})


def test_moodle_cannot_import_its_points(tmp_path):
    roster = read_roster(written(tmp_path, MOODLE))
    files = export(roster, "moodle", {("Participant 9002", "A1"): 87.5}, {"A1": 100})
    assert list(files) == ["moodle-A1.csv"]
    first, second = rows(files["moodle-A1.csv"])
    assert (first["Grade"], second["Grade"]) == ("", "87.5")
    assert second["Identifier"] == "Participant 9002"
    assert second["Last modified (grade)"] == "Friday, 1 May 2026, 10:00 AM"
    with pytest.raises(InputError, match="lacks Grade, Identifier"):
        export(read_roster(written(tmp_path, CANVAS)), "moodle", {}, {"A1": 1})


def test_a_rubric_is_read_wrongly(tmp_path):
    text = "student;assignment;task;points;max_points;comment\nMüller, Zoë;A1;a1-why;3,5;5;no limit named\nANN;A1;a1-how;;5;\n"
    assert read_rubric(written(tmp_path, text, "utf-8-sig"), HANDED, TASKS) == {
        ("Müller, Zoë", "A1"): {"a1-why": (3.5, "no limit named")}
    }


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("bob,A1,a1-why,1", "line 3: nobody called 'bob'"),
        ("ann,A7,a1-why,1", "line 3: no assignment 'A7'"),
        ("ann,A1,a1-what,1", "line 3: A1 has no task 'a1-what'"),
        ("ann,A1,a1-why,five", "line 3: 'five' is not a number"),
        ("ann,A1,a1-why,nan", "line 3: 'nan' is not a number"),
        ("ann,A1,a1-why,-2", "line 3: '-2' is not a number of 0 or more"),
        (
            "ann,A1,a1-test,1",
            "line 3: A1 has no task 'a1-test'",
        ),  # which a person's points do not change
        ("ann,A2,a2-why,1", "line 3: 'ann' has not handed in A2"),
        ("ann,A1,a1-how,2", "line 3: a1-how of 'ann' has other points further up"),
        ("ann,A1,a1-why,7,5", "line 3: more cells than the header has"),  # a decimal comma: 7.5, not 7
    ],
)
def test_a_wrong_row_of_a_rubric_is_passed_over(row, said, tmp_path):
    path = written(tmp_path, f"student,assignment,task,points\nann,A1,a1-how,1\n{row}\n")
    with pytest.raises(InputError, match=said):
        read_rubric(path, HANDED, TASKS)


def test_exceptions_are_for_everybody(tmp_path):
    path = written(tmp_path, "student,assignment,forgive,days_late\ns1,A1,swarm protocol,2\nann,,,1.5\n")
    assert read_exceptions(path, HANDED, ["A1"]) == {
        ("Müller, Zoë", "A1"): (("swarm", "protocol"), 2.0),
        ("ann", ""): ((), 1.5),
    }
    for rows, said in (
        ("ann,,laziness,", "line 2: no fault 'laziness'"),
        ("ann,A01,swarm,", "line 2: no assignment 'A01'; known are A1"),
        ("ann,A1,,-3", "line 2: '-3' is not a number of 0 or more"),  # points for being early
        ("ann,A1,,nan", "line 2: 'nan' is not a number"),
        ("ann,A1,swarm,\nann,A1,,2", "line 3: 'ann' has a row for A1 further up"),
    ):
        with pytest.raises(InputError, match=said):
            text = f"student,assignment,forgive,days_late\n{rows}\n"
            read_exceptions(written(tmp_path, text), HANDED, ["A1"])


def test_a_row_for_all_assignments_overrules_that_for_one(tmp_path):
    path = written(tmp_path, "student,assignment,forgive,days_late\nann,A1,swarm,\nann,,,2\n")
    assert list(read_exceptions(path, HANDED, ["A1"])) == [("ann", ""), ("ann", "A1")]  # the last one counts


def test_points_go_into_another_column_of_canvas(tmp_path):
    for columns, wanted in (
        ("A1 bonus (7),A1 (8)", "A1 (8)"), ("A1 - Measure a gap (7)", "A1 - Measure a gap (7)"),
        ("A10 (7)", "A1"), ("A1 bonus (7),A1 (8)", "A1 (8)"),
    ):  # fmt: skip
        roster = read_roster(written(tmp_path, f"Student,ID,Section,{columns}\nann,1,One,,\n"))
        (text,) = export(roster, "canvas", {("1", "A1"): 5}, {"A1": 100}).values()
        assert text.splitlines()[0] == f"Student,ID,Section,{wanted}"
    for columns in ("A1 bonus (7),A1 quiz (8)", "A1 (7),A1 (8)"):  # a new one would be a new assignment
        roster = read_roster(written(tmp_path, f"Student,ID,Section,{columns}\nann,1,One,,\n"))
        with pytest.raises(InputError, match="several columns of the roster could be A1"):
            export(roster, "canvas", {}, {"A1": 0})
