"""tools/install.py: the CPU build of torch where it helps, and no fuss where it does not."""

import http.server
import socket
import threading
import time

import pytest

from tests.packaging.recipe import ROOT, lock
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


def test_an_index_offers_only_what_it_lists(index):
    assert tool.offers(index, "torch", "2.13.0")
    assert not tool.offers(index, "torch", "2.14.0")
    assert not tool.offers(index, "torchvision", "0.28.0")


def test_an_index_that_does_not_answer_costs_a_few_seconds_and_raises_nothing(monkeypatch):
    monkeypatch.setattr(tool, "SECONDS_TO_ANSWER", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.perf_counter()
        assert not tool.offers(f"http://127.0.0.1:{silent.getsockname()[1]}", "torch", "2.13.0")
        assert time.perf_counter() - began < 5
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


def test_a_wrong_python_is_named(monkeypatch, pip_calls):
    monkeypatch.setattr(tool.sys, "version_info", (3, 9, 1))
    with pytest.raises(SystemExit, match=r"3\.11 or 3\.12"):
        tool.main([])
    assert pip_calls == []
