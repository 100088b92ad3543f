"""What goes out: feedback pages, nbgrader's gradebook, points less for being late, release folders, one notebook's grade."""

import copy
import json
import re
import subprocess
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
import yaml
from click.testing import CliRunner
from nbgrader.api import Gradebook

from gapkit import InputError
from teaching import confine, course
from teaching.__main__ import group
from teaching.grade import grade_folder
from teaching.notebooks import grade_id
from teaching.release import release

pytestmark = pytest.mark.slow
PNG = "iVBORw0KGgo="


class _Page(HTMLParser):
    """Every address and every tag of a page."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.tags = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [
            value for name, value in attrs if name in ("src", "href", "xlink:href") or name.startswith("on")
        ]


@pytest.fixture
def one(small, here, tmp_path):
    """Grade one notebook, changed first."""

    def grade(change=lambda notebook: None, **given):
        notebook = copy.deepcopy(course.solution(small, "A1"))
        change({grade_id(cell): cell for cell in notebook.cells})
        place = tmp_path / "in" / "ann_1_assignsubmission_file"
        place.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, place / "A1.ipynb")
        (submission,) = grade_folder(tmp_path / "in", course=small, out=tmp_path / "out", **given)
        return submission

    return grade


def test_a_page_needs_the_network_or_runs_what_a_student_wrote(one, tmp_path):
    def change(cells):
        cells["a1-why"].source = (
            "So $a_1 < b^2$ and $$\\frac{1}{n}\\sum_i x_i$$ cost 5$ or 6$; `$code$` stays.\n\n"
            "<script>alert(1)</script><img src=x onerror=alert(1)> $\\href{javascript:alert(1)}{x}$ $\\text{<script>}$\n\n"
            "![mine](attachment:a.png) ![gone](attachment:b.png) ![bad](attachment:c.png)\n\n<details><summary>More</summary>x</details>"
        )
        cells["a1-why"].attachments = {
            "a.png": {"image/png": PNG},
            "c.png": {"image/png": 'x" onerror="alert(1)'},
        }

    submission = one(change)
    page = _Page(submission.page)
    assert [address for address in page.addresses if not address.startswith("data:image/png;base64,")] == []
    assert len(page.addresses) == 1
    assert page.tags.count("math") == 2
    assert "script" not in page.tags
    assert "summary" in page.tags
    assert "cost 5$ or 6$" in submission.page
    assert submission.page.count("missing picture") == 2
    with zipfile.ZipFile(tmp_path / "out" / "feedback-A1.zip") as file:
        assert file.namelist() == ["ann_1_assignsubmission_file/A1-feedback.html"]


def test_a_page_says_nothing_of_partial_points_or_of_what_to_do(one):
    def change(cells):
        cells["a1-mean"].source = "def mean(x):\n    return sum(x) / (3 if len(x) > 1 else three)"
        cells["a1-top"].source = "def top(x)\n    return 1"
        cells["a1-why"].source = "My words."

    page = one(change).page
    assert "a1-mean-test: 8 of 12 points" in page
    assert "one number: 0 of 4 points (NameError: name &#39;three&#39; is not defined)" in page
    assert "name &#39;top&#39; is not defined: was its cell deleted, or did it fail?" in page
    assert "Your teacher has still to read a1-why; until then it counts 0." in page
    assert "The cell a1-top is not valid Python" in re.sub(r"<[^>]+>", "", page)
    assert "Run the cell; Python says where it stumbles." in page


def test_points_by_hand_are_said_not_to_count(one, tmp_path):
    rubric = tmp_path / "rubric.csv"
    rubric.write_text("student,assignment,task,points\nann,A1,a1-why,3\n", encoding="utf-8")
    submission = one(lambda cells: cells["a1-why"].update(source="My words."), rubric=rubric)
    assert submission.result.points == 23
    assert "3 of 5" in submission.page
    assert "not counted" not in submission.page


def test_no_notebook_gets_no_explanation(small, here, tmp_path):
    (tmp_path / "in" / "ann").mkdir(parents=True)
    (tmp_path / "in" / "ann" / "A1.ipynb").write_text("nonsense")
    (submission,) = grade_folder(tmp_path / "in", course=small, out=tmp_path / "out")
    assert "Open it in JupyterLab, save it, and hand it in again." in submission.page
    assert "right" not in submission.page.split("</style>")[1]


def test_a_written_answer_below_its_stub_counts_as_none(small, here, tmp_path):
    for name, place, text in (("below", 1, "My words."), ("above", 0, "My words."), ("none", 1, "1 + 1")):
        notebook = nbformat.read(small / "release/A1/A1.ipynb", as_version=4)
        kind = nbformat.v4.new_code_cell if name == "none" else nbformat.v4.new_markdown_cell
        notebook.cells.insert(len(notebook.cells) - 1 + place, kind(text))
        (tmp_path / "in" / name).mkdir(parents=True)
        nbformat.write(notebook, tmp_path / "in" / name / "A1.ipynb")
    done = grade_folder(tmp_path / "in", course=small, out=tmp_path / "out")
    waiting = {one.student: one.result.waiting for one in done}
    assert waiting == {"above": ["a1-why"], "below": ["a1-why"], "none": []}


def test_an_answer_merged_into_another_is_undone_by_its_stub(small, here, tmp_path):
    notebook = course.solution(small, "A1")
    mean, top = (next(c for c in notebook.cells if grade_id(c) == name) for name in ("a1-mean", "a1-top"))
    mean.source += "\n\n" + top.source
    notebook.cells.remove(top)
    (tmp_path / "in" / "ann").mkdir(parents=True)
    nbformat.write(notebook, tmp_path / "in" / "ann" / "A1.ipynb")
    (one,) = grade_folder(tmp_path / "in", course=small, out=tmp_path / "out")
    assert (one.result.points, [fault.kind for fault in one.faults]) == (25, ["model-answer"])


def test_the_gradebook_says_something_else(one, tmp_path):
    def change(cells):
        cells["a1-mean"].source = "def mean(x):\n    return sum(x) / 3"
        cells["a1-why"].source = "My words."

    submission = one(change)
    with Gradebook(f"sqlite:///{tmp_path / 'out' / 'nbgrader' / 'gradebook.db'}") as book:
        notebook = book.find_submission_notebook("A1", "A1", submission.student)
        found = {grade.name: (grade.score, grade.needs_manual_grade) for grade in notebook.grades}
    assert found == {"a1-mean-test": (8, False), "a1-top-test": (8, False), "a1-why": (0, True)}
    assert (tmp_path / "out" / "nbgrader" / "autograded" / submission.student / "A1" / "A1.ipynb").is_file()


def test_late_days_cost_nothing_or_more_than_all(one, tmp_path):
    def days(number):
        (tmp_path / "days.csv").write_text(f"student,days_late\nann,{number}\n", encoding="utf-8")
        return tmp_path / "days.csv"

    assert one(exceptions=days(2), late_percent=10).result.points == 20  # of 25
    assert one(exceptions=days(20), late_percent=10).result.points == 0
    assert one(exceptions=days(2)).result.points == 25


def test_a_release_folder_holds_a_solution_or_takes_a_folder_of_others(small, tmp_path):
    folder = tmp_path / "release"
    (folder / ".git").mkdir(parents=True)
    for _ in range(2):
        (notebook,) = release(small, folder)
    everything = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file())
    for secret in ("BEGIN SOLUTION", "HIDDEN", "is its own mean", "return max(x)", "Because of $x^2$"):
        assert secret not in everything
    assert "YOUR CODE HERE" in notebook.read_text(encoding="utf-8")
    assert (folder / ".git").is_dir()
    assert "{" not in re.sub(
        r"\$\{\{.*?\}\}", "", (folder / ".github" / "workflows" / "grade.yml").read_text("utf-8")
    )
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match=r"thesis\.tex"):
        release(small, tmp_path / "other")
    with pytest.raises(InputError, match="make assignments"):
        release(tmp_path, tmp_path / "third")


def test_one_notebooks_grade_is_no_exit_code(small, here, tmp_path):
    path = tmp_path / "A1 (2).ipynb"
    nbformat.write(course.solution(small, "A1"), path)
    options = [
        "autograde",
        str(path),
        "--course",
        str(small),
        "--json",
        str(tmp_path / "r.json"),
        "--minimum",
    ]
    assert CliRunner().invoke(group, [*options, "25"]).exit_code == 0
    assert CliRunner().invoke(group, [*options, "26"]).exit_code == 1
    facts = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert (facts["assignment"], facts["points"], facts["passed"]) == ("A1", 25, False)
    path.write_text("nonsense", encoding="utf-8")
    assert "it is not a readable notebook" in CliRunner().invoke(group, [*options, "0"]).output


def test_a_workflow_stops_at_the_first_notebook_below_the_minimum(tmp_path):
    template = Path(course.__file__).parent / "templates" / "autograde.yml"
    steps = yaml.safe_load(template.read_text("utf-8"))["jobs"]["grade"]["steps"]
    (run,) = [step["run"] for step in steps if "autograde" in step.get("run", "")]
    for name in ("course", "handed-in", "bin"):
        (tmp_path / name).mkdir()
    for name in ("A1", "A2"):
        (tmp_path / "handed-in" / f"{name}.ipynb").touch()
    python = tmp_path / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$4"\ncase "$4" in *A1*) exit 1;; esac\n', encoding="utf-8")
    python.chmod(0o755)
    path = {
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "POINTS": "50",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "said"),
    }
    done = subprocess.run(["bash", "-eo", "pipefail", "-c", run], env=path, cwd=tmp_path / "course")
    assert done.returncode == 1
    assert (tmp_path / "said").read_text(encoding="utf-8").split() == [
        "../handed-in/A1.ipynb",
        "../handed-in/A2.ipynb",
    ]


def test_grading_without_a_sandbox_starts_in_silence(small, here, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    nbformat.write(course.solution(small, "A1"), tmp_path / "in" / "ann_A1.ipynb")
    monkeypatch.setattr(confine, "why_not", lambda: "bubblewrap is not installed")
    with pytest.raises(InputError, match="bubblewrap is not installed.*container.*--unconfined") as fault:
        grade_folder(tmp_path / "in", course=small, out=tmp_path / "out")
    assert "\n" not in str(fault.value)
    (done,) = grade_folder(tmp_path / "in", course=small, out=tmp_path / "out", confined=False)
    assert (done.result.points, done.result.confined) == (25, False)
