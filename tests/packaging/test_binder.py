"""The Binder recipe: what Binder would read, and the same steps taken by hand.

Not verified here: that conda-forge has each of these versions; no Binder service is asked.
"""

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from tests.lab import jupyter_lab
from tests.notebooks.lessons import PATIENCE, cuda_megabytes, run_measured
from tests.packaging.recipe import ROOT, conda, conda_pins, lock, pip_equivalents, project, requirements
from tools.lab import SETTINGS

BINDER = ROOT / "binder"
MEGABYTES = 1000  # what Binder guarantees, for the server and one kernel together


def test_the_two_environment_files_are_one():
    assert (ROOT / "environment.yml").read_bytes() == (BINDER / "environment.yml").read_bytes()


def test_python_is_written_as_binder_reads_it_and_is_one_the_package_allows():
    (python,) = [line for line in conda()["dependencies"] if re.match(r"python\b", line)]
    version = re.fullmatch(r"python=(\d+\.\d+)", python)
    assert version, f"Binder does not understand {python!r}"
    assert SpecifierSet(project()["requires-python"]).contains(f"{version[1]}.0")


def test_every_version_is_the_one_of_the_lock():
    assert pip_equivalents() == {name: lock()[name] for name in pip_equivalents()}


def test_everything_the_package_and_the_lessons_need_is_named():
    needed = {requirement.name.lower().replace("_", "-") for requirement in requirements("lab")}
    assert needed == set(pip_equivalents())


def test_torch_is_named_so_that_conda_takes_the_cpu_build():
    assert "pytorch-cpu" in conda_pins()
    assert not {"pytorch", "torch", "pytorch-gpu"} & set(conda_pins())
    assert conda()["channels"][0] == "conda-forge"


def test_nothing_spoils_binders_image_cache():
    listed = [line for entry in conda()["dependencies"] if isinstance(entry, dict) for line in entry["pip"]]
    assert not [line for line in listed if line.startswith(("-e", "-r", "-c"))]


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_the_scripts_can_be_run(name):
    assert os.access(BINDER / name, os.X_OK)
    assert (BINDER / name).read_text().startswith("#!/bin/bash\n")


def test_postbuild_stops_at_the_first_fault_and_installs_the_package_alone():
    text = (BINDER / "postBuild").read_text()
    assert re.search(r"^set -e", text, flags=re.MULTILINE)
    assert "--no-deps" in text


def test_start_caps_threads_and_hands_over():
    done = subprocess.run([BINDER / "start", "env"], capture_output=True, text=True, check=True)
    assert {"OMP_NUM_THREADS=1", "MKL_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1"} <= set(
        done.stdout.split("\n")
    )
    settings = [f"{name}={value}" for name, value in SETTINGS.items()]
    assert set(settings) <= set(done.stdout.split("\n"))
    assert subprocess.run([BINDER / "start", "false"], check=False).returncode == 1


def test_repo2docker_would_read_the_intended_files(monkeypatch):
    from repo2docker.app import Repo2Docker

    monkeypatch.chdir(ROOT)
    application = Repo2Docker()
    chosen = next(pack for pack in (kind("scratch") for kind in application.buildpacks) if pack.detect())
    assert type(chosen).__name__ == "CondaBuildPack"
    assert Path(chosen.binder_path("environment.yml")) == Path("binder/environment.yml")
    assert chosen.python_version == "3.11"
    assert [Path(script) for script in chosen.get_post_build_scripts()] == [Path("binder/postBuild")]
    assert chosen.get_start_script() == "${REPO_DIR}/binder/start"
    assert not chosen.uses_r
    assert any("binder/environment.yml" in script for _, script in chosen.get_env_scripts())


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A clone of this commit's files and a clean environment in which Binder's steps were taken."""
    folder = tmp_path_factory.mktemp("binder")
    clone = folder / "clone"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, tracked.stdout.split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    pins = [f"{name}=={version}" for name, version in pip_equivalents().items()]
    install = [python, "-m", "pip", "install", "-qq", "-c", ROOT / "requirements.lock", *pins]
    if subprocess.run(install, check=False).returncode:
        pytest.skip("no package index answers here")
    path = f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GAPKIT_")}
    variables = {**kept, "PATH": path, "VIRTUAL_ENV": str(environment), "HOME": str(folder)}
    subprocess.run([clone / "binder" / "postBuild"], cwd=clone, env=variables, check=True)
    return clone, variables


@pytest.mark.slow
@pytest.mark.notebooks
@pytest.mark.network
@pytest.mark.timeout(3 * PATIENCE)
def test_by_hand_the_lab_answers_and_the_first_lesson_runs_in_binders_memory(built):
    clone, variables = built
    start = str(clone / "binder" / "start")
    first = "my_notebooks/00_start_here.ipynb"
    with jupyter_lab(clone, variables=variables, prefix=[start]) as lab:
        with urllib.request.urlopen(lab.address(f"lab/tree/{first}"), timeout=PATIENCE) as answer:
            assert b"jupyter-config-data" in answer.read()
        execute = [
            start,
            "jupyter",
            "execute",
            "--inplace",
            f"--timeout={PATIENCE}",
            f"--startup_timeout={PATIENCE}",
            first,
        ]
        run = run_measured(execute, cwd=clone, seconds=PATIENCE, variables=variables)
        serving = lab.megabytes()
    assert run.status == 0, run.output[-4000:]
    assert run.kernel_megabytes > 0
    print(f"server {serving:.0f} MB, kernel {run.kernel_megabytes:.0f} MB")
    build = subprocess.run(
        ["python", "-c", "import torch; print(torch.version.cuda or '')"],
        env=variables, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    assert serving + run.kernel_megabytes < MEGABYTES + cuda_megabytes(build)
