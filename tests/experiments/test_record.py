"""An experiment is found where it lies, and kept results are void when, and only when, what measured them changed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gapkit
import gapkit.experiments
import gapkit.report.sections
from gapkit.claims import decide
from gapkit.claims.registry import Claim
from gapkit.claims.rules import Within
from gapkit.experiments import Job, experiments, replicate
from gapkit.experiments.record import MEASURING, code_hash
from gapkit.report import make_record, write_report
from gapkit.report.sections import sections
from gapkit.report.write import Workspace

MODULE = '''"""Do images answer at all?"""

from gapkit.experiments.data import zero_shot_task
from gapkit.experiments.protocol import check_row
from gapkit.experiments.record import Experiment


def measure_answers(job):
    task = zero_shot_task(*job.source)
    return {"answering": [task.head | check_row("answers", float(len(task.queries)), seed=job.seed)]}


EXPERIMENT = Experiment(
    title="Do images answer?",
    order=15,
    measure=measure_answers,
    kinds=("zero-shot",),
    paper="Every image has a nearest text.",
    question="How many do.",
)
'''
SECTION = '''"""Pictures of what the tests add."""

from gapkit.report.sections import PLACE, Section

SECTIONS = (Section("answering", "Answers.", PLACE | {"answers": "value"}, lambda tables: iter(())),)
'''
CLAIM = Claim(
    id="images-answer",
    statement="Every image answers.",
    source="derived here",
    table="answering",
    measured="number of answers",
    where={"check": "answers"},
    rule=Within(36.0),
)


@pytest.fixture
def added(tmp_path, monkeypatch):
    """The three files of a new experiment, where those of gapkit are looked for."""
    for package, name, text in (
        (gapkit.experiments, "answering", MODULE),
        (gapkit.report.sections, "tests_own", SECTION),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    monkeypatch.setattr("gapkit.report.view.CLAIMS", (CLAIM,))
    experiments.cache_clear()
    sections.cache_clear()
    yield
    experiments.cache_clear()
    sections.cache_clear()
    for name in ("gapkit.experiments.answering", "gapkit.report.sections.tests_own"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("added")
def test_a_new_experiment_needs_a_fourth_file(tmp_path, toy):
    assert [record.name for record in experiments()][1] == "answering"
    replication = replicate([Job("answering", "toy", toy["classes"])])
    findings = decide(replication.tables, [CLAIM])
    record = make_record(replication, findings, command="gapkit replicate", mode="chosen", seed=0)
    with Workspace(tmp_path / "results") as space:
        space.publish(lambda folder: write_report(folder, record, replication.tables, formats=("md",)))
    text = (tmp_path / "results" / "report.md").read_text(encoding="utf-8")
    assert "### Every image answers. — holds" in text
    assert "| toy |" in text
    assert "| 36 |" in text


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package's source that may be edited."""
    copy = tmp_path / "gapkit"
    shutil.copytree(Path(gapkit.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__", "data"))
    monkeypatch.setattr(gapkit, "__file__", str(copy / "__init__.py"))
    code_hash.cache_clear()
    yield copy
    code_hash.cache_clear()


def hash_after_an_edit(file: Path) -> str:
    with file.open("a", encoding="utf-8") as source:
        source.write("# edited\n")
    code_hash.cache_clear()
    return code_hash()


@pytest.mark.parametrize(
    "part", ["plots/style.py", "report/view.py", "cli/main.py", "engine.py", "claims/rules.py"]
)
def test_an_edit_of_what_measures_nothing_voids_kept_results(package, part):
    before = code_hash()
    assert hash_after_an_edit(package / part) == before


@pytest.mark.parametrize(
    "part", ["geometry/gap.py", "experiments/noise.py", "_arrays.py", "closing/shifts.py"]
)
def test_an_edit_of_what_measures_leaves_kept_results(package, part):
    before = code_hash()
    assert hash_after_an_edit(package / part) != before


NO_NUMBERS = {
    "_files", "_format", "_openclip", "_paths", "_renamed", "engine", "errors",  # no arithmetic
    "datasets", "encoders",  # they make embeddings, whose bytes count
}  # fmt: skip


def test_a_measurement_depends_on_source_that_does_not_count():
    code = (
        "import sys\n"
        "from gapkit.experiments import experiments\n"
        "experiments()\n"
        "print(*{name.split('.')[1] for name in sys.modules if name.startswith('gapkit.')})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    used = set(done.stdout.split())
    assert {"geometry", "robustness", "closing"} <= used
    assert used - set(MEASURING) <= NO_NUMBERS
    root = Path(gapkit.__file__).parent
    assert all((root / part).is_dir() or (root / f"{part}.py").is_file() for part in MEASURING)
