"""tools/lab.py and tools/jupyter: what ``make lab`` opens, how it is set up, and what it leaves alone."""

import json
import runpy
import subprocess
import types

import nbformat
import pytest

from tests.notebooks.lessons import ROOT
from tools import lab, learner

FIRST = learner.COPIES / "00_start_here.ipynb"
JUPYTER = ROOT / "tools" / "jupyter"


def test_git_ignores_the_copies_and_links_to_files_above_work_from_them():
    asked = subprocess.run(["git", "check-ignore", learner.COPIES / "x.ipynb"], cwd=ROOT, capture_output=True)
    if asked.returncode == 128:
        pytest.skip("not a git checkout")
    assert asked.returncode == 0
    assert learner.COPIES.parent == learner.LESSONS.parent == ROOT


@pytest.mark.parametrize("superuser", [True, False])
def test_the_server_has_the_repository_as_root_and_opens_the_first_lesson(superuser):
    command = lab.command(FIRST, superuser=superuser)
    assert f"--ServerApp.root_dir={ROOT}" in command
    assert "--LabApp.default_url=/lab/tree/my_notebooks/00_start_here.ipynb" in command
    assert ("--allow-root" in command) == superuser


def test_one_thread_for_the_numerics_unless_the_caller_says_otherwise(monkeypatch):
    started = []
    monkeypatch.setattr(lab, "write_lessons", lambda: [FIRST])
    monkeypatch.setattr(lab.os, "execv", lambda *what: started.append(dict(lab.os.environ)))
    for name in (*lab.THREADS, *lab.SETTINGS):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    lab.main([])
    (given,) = started
    assert [given[name] for name in lab.THREADS] == ["4", "1", "1", "1"]
    assert lab.SETTINGS.items() <= given.items()


def test_jupyter_does_not_read_the_settings_or_shows_an_instructors_menus(monkeypatch):
    config = pytest.importorskip("jupyterlab_server.config")
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", lab.SETTINGS["JUPYTER_CONFIG_PATH"])
    assert "@jupyter/nbgrader" in config.get_page_config([])["disabledExtensions"]
    monkeypatch.delenv("JUPYTER_CONFIG_PATH")
    assert "@jupyter/nbgrader" not in config.get_page_config([]).get("disabledExtensions", [])


def test_a_view_of_a_widget_is_saved():
    contents = types.SimpleNamespace(ContentsManager=types.SimpleNamespace())
    file = JUPYTER / "jupyter_server_config.py"
    runpy.run_path(str(file), {"get_config": lambda: contents})
    output = nbformat.v4.new_output
    cell = nbformat.v4.new_code_cell("present(box, 'Nothing.')")
    sentence = output("display_data", {"text/markdown": "*Run this cell to use the sliders.*"})
    view = output(
        "display_data",
        {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "VBox()"},
    )
    cell.outputs = [sentence, view]
    model = {"type": "notebook", "content": nbformat.v4.new_notebook(cells=[cell])}
    contents.ContentsManager.pre_save_hook(model, path="x.ipynb", contents_manager=None)
    assert model["content"].cells[0].outputs == [sentence]
    contents.ContentsManager.pre_save_hook({"type": "file", "content": "text"}, path="x")


def test_after_a_restart_a_missing_name_leads_nowhere(tmp_path, monkeypatch, capsys):
    cells = [
        nbformat.v4.new_code_cell(text)
        for text in ("%matplotlib inline\nimport numpy as np", "def l2i(x):\n    0")
    ]
    path = tmp_path / "lesson.ipynb"
    path.write_text(json.dumps(nbformat.v4.new_notebook(cells=cells)), encoding="utf-8")
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell()
    runpy.run_path(str(JUPYTER / "startup.py"), {"get_ipython": lambda: shell})
    for source, said in (
        ("np.ones(3)", "    %matplotlib inline\n"),
        ("l2i", "    def l2i(x):\n"),
        ("unheard_of", "Run the cell that defines it\n"),
    ):
        assert isinstance(shell.run_cell(source).error_in_exec, NameError)
        assert said in capsys.readouterr().out
    checked = "try:\n    l2i\nexcept NameError as fault:\n    raise AssertionError('l2i stops') from fault"
    shell.run_cell(checked)  # a self-check says what a function raised in this way
    assert "    def l2i(x):\n" in capsys.readouterr().out
    shell.run_cell("1 + 1")
    shell.run_cell("1 / 0")
    assert "not there yet" not in capsys.readouterr().out
