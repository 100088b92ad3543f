"""tools/install.py: the CPU build of torch where it helps, and no fuss where it does not."""

import http.server
import shutil
import socket
import subprocess
import sys
import threading

import pytest

from tests.packaging.recipe import ROOT, lock
from tests.waiting import PATIENCE
from tools import install as tool


@pytest.fixture
def index():
    """A package index on loopback that has torch 2.13.0 and nothing else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            page = b'<a href="x">torch-2.13.0%2Bcpu-cp311-cp311-linux_x86_64.whl</a>'
            found = self.path == "/whl/cpu/torch/"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(page if found else b"")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/whl/cpu"
    server.shutdown()
    server.server_close()


@pytest.fixture
def pip_calls(monkeypatch):
    """Records what would be installed, on a Linux machine without a card or torch."""
    calls = []
    monkeypatch.setattr(tool, "pip", lambda *arguments, quiet=False: calls.append(arguments) or 0)
    monkeypatch.setattr(tool, "installed", lambda *_: False)
    monkeypatch.setattr(tool.sys, "platform", "linux")
    monkeypatch.setattr(tool.shutil, "which", lambda _: None)
    return calls


def test_pins_are_read_from_the_lock():
    assert tool.pinned("torch") == lock()["torch"]
    with pytest.raises(SystemExit, match="no-such-package"):
        tool.pinned("no-such-package")


def test_an_index_offers_only_what_it_lists(index, monkeypatch):
    monkeypatch.setattr(tool, "SECONDS_TO_ANSWER", PATIENCE)
    assert tool.offers(index, "torch", "2.13.0")
    assert not tool.offers(index, "torch", "2.14.0")
    assert not tool.offers(index, "torchvision", "0.28.0")


def test_an_index_that_does_not_answer_is_waited_for_or_raises(monkeypatch):
    assert tool.SECONDS_TO_ANSWER <= 10
    monkeypatch.setattr(tool, "SECONDS_TO_ANSWER", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not tool.offers(f"http://127.0.0.1:{silent.getsockname()[1]}", "torch", "2.13.0")
    assert not tool.offers("http://127.0.0.1:1/nothing-listens", "torch", "2.13.0")
    assert not tool.offers("no url at all", "torch", "2.13.0")


def test_the_cpu_index_is_used_when_it_has_both(monkeypatch, pip_calls):
    monkeypatch.setattr(tool, "offers", lambda *_: True)
    monkeypatch.setenv("TORCH_INDEX", "https://example.invalid/cpu")
    tool.install_cpu_torch()
    (call,) = pip_calls
    assert call[call.index("--index-url") + 1] == "https://example.invalid/cpu"
    assert {f"torch=={lock()['torch']}", f"torchvision=={lock()['torchvision']}"} <= set(call)
    assert "--no-deps" in call


def test_the_configured_index_is_used_when_the_cpu_index_lacks_one(monkeypatch, pip_calls, index, capfd):
    monkeypatch.setenv("TORCH_INDEX", index)
    tool.install_cpu_torch()
    assert pip_calls == []
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize(
    ("platform", "card"), [("linux", "/usr/bin/nvidia-smi"), ("darwin", None), ("win32", None)]
)
def test_a_card_or_another_system_takes_the_usual_build(monkeypatch, pip_calls, platform, card):
    monkeypatch.setattr(tool, "offers", lambda *_: pytest.fail("the CPU index must not be asked"))
    monkeypatch.setattr(tool.sys, "platform", platform)
    monkeypatch.setattr(tool.shutil, "which", lambda _: card)
    tool.install_cpu_torch()
    assert pip_calls == []


def test_nothing_is_asked_when_torch_is_there(monkeypatch, pip_calls):
    monkeypatch.setattr(tool, "installed", lambda *_: True)
    monkeypatch.setattr(tool, "offers", lambda *_: pytest.fail("the CPU index must not be asked"))
    tool.install_cpu_torch()
    assert pip_calls == []


def test_the_package_itself_is_installed_under_the_pins_with_the_extras_asked_for(monkeypatch, pip_calls):
    monkeypatch.setattr(tool, "offers", lambda *_: False)
    assert tool.main(["lab", "test"]) == 0
    (call,) = pip_calls
    assert call[-2:] == ("--editable", ".[lab,test]")
    assert call[call.index("--constraint") + 1] == str(ROOT / "requirements.lock")
    assert not {"--index-url", "--no-index", "--isolated", "--extra-index-url"} & set(call)


@pytest.mark.parametrize("version", [(3, 10, 13), (3, 15, 0)])
def test_a_python_too_old_or_too_new_is_named_before_anything_is_made(
    monkeypatch, pip_calls, tmp_path, version
):
    monkeypatch.setattr(tool.sys, "version_info", version)
    with pytest.raises(SystemExit, match=r"^[^\n]*3\.11 to 3\.14 is needed[^\n]*$"):
        tool.main(["--venv", str(tmp_path / "venv")])
    assert pip_calls == []
    assert not (tmp_path / "venv").exists()


@pytest.mark.slow
def test_half_a_virtual_environment_is_made_again_and_a_whole_one_is_left(tmp_path):
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)  # as if it broke off
    (venv / "left behind").touch()
    tool.make_venv(venv)
    assert tool.works(venv)
    assert not (venv / "left behind").exists()
    (venv / "left behind").touch()
    tool.make_venv(venv)
    assert (venv / "left behind").exists()


def test_an_attempt_that_breaks_off_leaves_nothing(monkeypatch, tmp_path):
    def breaks_off(command, **_):
        if "venv" in command:
            (tmp_path / "venv" / "bin").mkdir(parents=True)
            raise KeyboardInterrupt
        raise FileNotFoundError

    monkeypatch.setattr(tool.subprocess, "run", breaks_off)
    with pytest.raises(KeyboardInterrupt):
        tool.make_venv(tmp_path / "venv")
    assert not (tmp_path / "venv").exists()


def test_a_folder_that_is_no_virtual_environment_is_never_emptied(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(SystemExit, match="holds something else"):
        tool.make_venv(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_a_python_that_cannot_make_one_is_one_line(monkeypatch, tmp_path):
    failed = subprocess.CompletedProcess([], 1)
    monkeypatch.setattr(tool.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(SystemExit, match=r"^[^\n]*cannot make a virtual environment[^\n]*$"):
        tool.make_venv(tmp_path / "venv")
    assert not (tmp_path / "venv").exists()


MAKE = shutil.which("make")


@pytest.mark.skipif(MAKE is None, reason="no make here")
@pytest.mark.parametrize("python", ["", "{folder}/old", "{folder}/new", "{folder}/nowhere"])
def test_make_refuses_a_python_in_one_line_before_it_makes_an_environment(tmp_path, python):
    for name, version in (("old", "3, 10, 13"), ("new", "3, 15, 0")):
        script = tmp_path / name
        script.write_text(f"""#!/bin/sh
exec {sys.executable} -c "import sys; sys.version_info = ({version}); exec(sys.argv[1])" "$2"
""")
        script.chmod(0o755)
    asked = f"PYTHON={python.format(folder=tmp_path)}"
    command = [MAKE, "--no-print-directory", "-C", str(ROOT), f"VENV={tmp_path / 'venv'}", asked, "install"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stdout.splitlines()) == 1
    assert "gapkit needs Python 3.11 to 3.14" in done.stdout
    assert not (tmp_path / "venv").exists()


@pytest.mark.skipif(MAKE is None, reason="no make here")
def test_make_mends_half_an_environment_even_if_it_is_marked_as_installed(tmp_path):
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").touch()
    (venv / ".installed").touch()
    command = [MAKE, "-n", "-C", str(ROOT), f"VENV={venv}", f"PYTHON={sys.executable}", "install"]
    planned = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"tools/install.py --venv {venv}" in planned
