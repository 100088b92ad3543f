"""GitHub's workflows: well formed by its schema, and about the versions and commands that the project has.

actionlint would see more, but its package downloads a program from GitHub when it is installed.
"""

import ast
import importlib.metadata
import re
import subprocess
import sys

import pytest
import yaml
from packaging.utils import canonicalize_name

from tests.packaging.recipe import ROOT, requirements
from tests.packaging.test_versions import PYTHONS, closure, environment

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
SCHEMA = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]


def read(name: str) -> dict:
    return yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))


def check(*paths) -> subprocess.CompletedProcess:
    return subprocess.run([*SCHEMA, *paths], capture_output=True, text=True, check=False)


def test_every_workflow_follows_the_schema_and_a_broken_one_does_not(tmp_path):
    assert len(WORKFLOWS) == 3
    done = check(*WORKFLOWS)
    assert done.returncode == 0, done.stdout
    broken = tmp_path / "broken.yml"
    broken.write_text(
        WORKFLOWS[0].read_text(encoding="utf-8").replace("runs-on:", "run-on:"), encoding="utf-8"
    )
    assert check(broken).returncode != 0


def test_the_two_commands_run_on_three_systems_with_every_python():
    matrix = read("tests")["jobs"]["two-commands"]["strategy"]["matrix"]
    assert [system.split("-")[0] for system in matrix["os"]] == ["ubuntu", "macos", "windows"]
    assert matrix["python"] == list(PYTHONS)
    steps = "\n".join(step.get("run", "") for step in read("tests")["jobs"]["two-commands"]["steps"])
    assert "make replicate" in steps and "make test" in steps
    assert "gapkit replicate" in steps and "-m pytest" in steps


def test_on_windows_tests_import_what_is_not_installed_there():
    """pytest imports every module of its folders, for their doctests."""
    steps = read("tests")["jobs"]["two-commands"]["steps"]
    (install,) = (step["run"] for step in steps if "tools/install.py" in step.get("run", ""))
    there = closure(requirements(*install.partition(".venv ")[2].split()), environment("win32", "3.14"))
    homes, asked = importlib.metadata.packages_distributions(), set()
    for path in [path for folder in ("tests", "teaching") for path in (ROOT / folder).rglob("*.py")]:
        if (ROOT / "tests" / "teaching") not in path.parents:
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) else []
                asked |= {name.partition(".")[0] for name in names}
    foreign = {name: {canonicalize_name(home) for home in homes[name]} for name in asked & homes.keys()}
    foreign = {name: homes for name, homes in foreign.items() if "gapkit" not in homes}
    assert {"numpy", "nbgrader", "psutil"} <= foreign.keys()
    assert {name for name, homes in foreign.items() if not homes & there.keys()} == set()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_a_workflow_runs_exists_and_it_may_do_no_more_than_it_must(path):
    text = path.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([a-z-]+)", text):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    for tool in re.findall(r"tools/\w+\.py", text):
        assert (ROOT / tool).is_file()
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    assert "secrets." not in text


def test_the_wheel_is_published_without_a_token_and_only_from_the_tag_of_its_version():
    jobs = read("publish")["jobs"]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert any('test "$TAG" = "v' in step.get("run", "") for step in jobs["build"]["steps"])
