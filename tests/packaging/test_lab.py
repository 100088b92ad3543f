"""tools/lab.py: what ``make lab`` opens, and what it leaves alone."""

import json
import subprocess

import pytest

from tests.notebooks.lessons import EXECUTED, ROOT
from tools import lab


def test_copies_are_made_once_and_never_written_over(tmp_path):
    copies = lab.copy_lessons(copies=tmp_path)
    assert [path.name for path in copies] == [path.name for path in EXECUTED]
    original, copy = (json.loads(path.read_text(encoding="utf-8")) for path in (EXECUTED[0], copies[0]))
    assert copy["cells"] == original["cells"]
    assert "jupytext" not in copy["metadata"]  # else each save would write a .py beside
    copies[0].write_text("my answers", encoding="utf-8")
    copies[1].unlink()
    lab.copy_lessons(copies=tmp_path)
    assert copies[0].read_text(encoding="utf-8") == "my answers"
    assert copies[1].exists()
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in EXECUTED}


def test_git_ignores_the_copies_and_links_to_files_above_work_from_them():
    asked = subprocess.run(["git", "check-ignore", lab.COPIES / "x.ipynb"], cwd=ROOT, capture_output=True)
    if asked.returncode == 128:
        pytest.skip("not a git checkout")
    assert asked.returncode == 0
    assert lab.COPIES.parent == lab.LESSONS.parent == ROOT


@pytest.mark.parametrize("superuser", [True, False])
def test_the_server_has_the_repository_as_root_and_opens_the_first_lesson(superuser):
    command = lab.command(lab.COPIES / "00_start_here.ipynb", superuser=superuser)
    assert f"--ServerApp.root_dir={ROOT}" in command
    assert "--LabApp.default_url=/lab/tree/my_notebooks/00_start_here.ipynb" in command
    assert ("--allow-root" in command) == superuser


def test_one_thread_for_the_numerics_unless_the_caller_says_otherwise(monkeypatch, tmp_path):
    started = []
    monkeypatch.setattr(lab, "copy_lessons", lambda: [lab.COPIES / "00_start_here.ipynb"])
    monkeypatch.setattr(lab.os, "execv", lambda *what: started.append(dict(lab.os.environ)))
    for name in lab.THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    lab.main([])
    (given,) = started
    assert [given[name] for name in lab.THREADS] == ["4", "1", "1", "1"]
