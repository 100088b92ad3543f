"""How a command ends when nobody reads its output, or when it is interrupted."""

import io
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gapkit.__main__ import _print_anything
from gapkit.cli import main
from gapkit.errors import GapkitWarning
from gapkit.report.write import Workspace

DATA = Path(__file__).resolve().parents[2] / "data"
GAPKIT = [sys.executable, "-m", "gapkit"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["models"],
        ["info"],
        ["fetch"],
        ["measure", "miniclip-wide/digits10"],
        ["replicate", "--only", "gap", "--model", "miniclip-wide", "--dataset", "digits10"],
        ["replicate", "--only", "gap", "--model", "miniclip-wide", "--dataset", "digits10", "--json"],
    ],
    ids=" ".join,
)
def test_when_nobody_reads_on_a_command_ends_well_and_says_nothing(tmp_path, arguments):
    reading, writing = os.pipe()
    os.close(reading)  # as `head` does once it has its lines; here before the first one
    environment = {**os.environ, "GAPKIT_DATA": str(DATA), "GAPKIT_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [*GAPKIT, *arguments],
        cwd=tmp_path,
        stdout=writing,
        stderr=subprocess.PIPE,
        env=environment,
        check=False,
    )
    os.close(writing)
    assert done.stderr.decode() == ""
    assert done.returncode == 0


def test_a_sign_that_the_terminals_encoding_lacks_is_a_traceback():
    environment = {**os.environ, "PYTHONIOENCODING": "cp437"}  # of many a Windows; it has no …
    done = subprocess.run([*GAPKIT, "replicate", "--help"], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"K,K\\u2026" in done.stdout


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_what_is_printed_depends_on_the_systems_encoding(monkeypatch, terminal, encoding):
    """Windows gives files and pipes one of 250 signs; of a terminal that can show nothing else its own is kept."""
    monkeypatch.delenv("PYTHONIOENCODING", raising=False)
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
    for name, stream in zip(("stdout", "stderr"), streams, strict=True):
        monkeypatch.setattr(stream, "isatty", lambda: terminal)
        monkeypatch.setattr(sys, name, stream)
    _print_anything()
    for stream in streams:
        stream.write("‖σ‖ é \udcff")
        stream.flush()
        kept = encoding if terminal else "utf-8"
        assert stream.buffer.getvalue() == "‖σ‖ é \udcff".encode(kept, "backslashreplace")


def test_no_output_at_all_is_a_fault(monkeypatch):
    closed = io.TextIOWrapper(io.BytesIO())
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    monkeypatch.setattr(sys, "stderr", None)  # as pythonw.exe has it
    _print_anything()


INTERRUPTED = """
import os, signal, sys, threading
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started pytest may have had it ignored
left = int(os.environ["CALLS_BEFORE"])

def count(frame, event, argument):
    global left
    if event == "call" and "/gapkit/" in frame.f_code.co_filename:
        left -= 1
        if left == 0:
            sys.setprofile(None)
            os.kill(os.getpid(), signal.SIGINT)

from gapkit.__main__ import main
sys.setprofile(count)
main()
"""

EARLY = """
import atexit, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
moment = os.environ["MOMENT"]

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == moment:
            os.kill(os.getpid(), signal.SIGINT)

if moment == "exit":
    atexit.register(os.kill, os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupts())
from gapkit.__main__ import main
main()
"""


@pytest.mark.parametrize("moment", ["gapkit.cli", "click", "gapkit.cli.measure", "numpy", "torch", "exit"])
def test_ctrl_c_during_imports_or_at_the_very_end_is_a_traceback(tmp_path, moment):
    done = subprocess.run(
        [sys.executable, "-c", EARLY, "measure", "miniclip-wide/digits10"],
        cwd=tmp_path,
        env={**os.environ, "GAPKIT_DATA": str(DATA), "MOMENT": moment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130, done.stderr
    assert (
        done.stderr.strip() == "gapkit: interrupted; finished parts are kept, run the same command to go on"
    )
    assert ("share of right answers" in done.stdout) == (moment == "exit"), "what was printed gets out"


ODD_NAMES = {
    "lines": "a\nb\r\u2028c",
    "escapes": "\x1b[2J\x07\x9b31m",
    "long": "x" * 5000,
    "words": "a b " * 1500,
}


@pytest.fixture
def run(monkeypatch, capsys):
    """Call the command line in this process: the exit code, and what was said."""
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which `main` replaces

    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return end.value.code, said.out, said.err

    return call


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
@pytest.mark.parametrize(
    "command",
    [
        ["measure", "{}"], ["measure", "miniclip-wide/digits10", "--metric", "{}"], ["close", "{}", "--out", "o"], ["advise", "{}"],
        ["close", "miniclip-wide/digits10", "--out", "o", "--method", "{}"], ["import", "{}.npy", "--out", "o"],
        ["import", "{}", "--out", "o"],  ["import", "pair.npy", "--out", "o", "--labels", "{}"],
        ["import", "pair.npy", "--out", "o", "--separator", "{}"], ["import", "{}.csv", "--out", "o"], ["compare", "{}", "{}"],
        ["embed", "{}", "digits10"], ["embed", "miniclip-random", "{}"], ["embed", "local-dir:{}", "digits10"],
        ["embed", "hf-hub:{}", "digits10"], ["embed", "miniclip-random", "folder", "--root", "{}"],
        ["embed", "miniclip-random", "csv", "--root", ".", "--annotations", "{}"], ["embed", "miniclip-random", "digits10", "--device", "{}"],
        ["embed", "miniclip-random", "digits10", "--precision", "{}"], ["fetch", "{}"], ["fetch", "--from", "{}"], ["train-miniclip", "{}"],
        ["replicate", "--only", "{}"], ["replicate", "--model", "{}"], ["replicate", "--dataset", "{}"], ["{}"], ["measure", "--{}"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_messages_have_several_lines(run, tmp_path, monkeypatch, name, command):
    monkeypatch.chdir(tmp_path)
    np.save("pair.npy", np.eye(3)[None].repeat(2, axis=0))
    code, _, said = run(*(part.format(name) for part in command))
    lines = said.splitlines()
    assert code == 2, said
    assert [line for line in lines if line.startswith("gapkit: ")] == lines[-1:]
    assert all(line.isprintable() and len(line) < 2100 for line in lines), said


def test_a_warning_has_several_lines(run, tmp_path):
    folder = tmp_path / "photos"
    for name in ("a", "b", "c\n\x1b[2Jd"):
        (folder / name).mkdir(parents=True)
        if name in "ab":
            Image.new("RGB", (8, 8)).save(folder / name / "x.png")
    (folder / "a" / "note\nb.png").symlink_to(tmp_path / "elsewhere.png")
    warnings.simplefilter("default")
    code, _, said = run("embed", "miniclip-random", "folder", "--root", folder, "--quiet")
    assert code == 0, said
    assert "c\\n\\x1b[2Jd" in said
    assert all(line.isprintable() for line in said.splitlines())
    assert str(GapkitWarning("a\nb")) == "a\\nb"


@pytest.mark.parametrize("fault", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
                                   OSError(12, "Cannot allocate memory")], ids=lambda fault: type(fault).__name__)  # fmt: skip
def test_too_little_memory_is_said_to_be_a_damaged_file(run, tmp_path, monkeypatch, fault):
    import safetensors

    def fail(*_, **__):
        raise fault

    monkeypatch.setattr(safetensors, "safe_open", fail)
    monkeypatch.setattr(np, "load", fail)
    for name in ("a.safetensors", "a.npy"):
        (tmp_path / name).write_bytes(b"x")
    for command in (
        ["measure", tmp_path / "a.safetensors"],
        ["import", tmp_path / "a.npy", "--out", tmp_path / "o"],
    ):
        code, _, said = run(*command)
        assert code == 2
        assert said.startswith("gapkit: the memory does not suffice"), said
        assert "damaged" not in said


def test_a_replication_leaves_locks_in_the_temporary_folder(tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("GAPKIT_CACHE", str(tmp_path / "cache"))
    with Workspace(tmp_path / "results"):
        pass
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not (tmp_path / "results").exists()


def leftovers(folder: Path) -> list[str]:
    """Half files: everything that gapkit means to remove or to swap in."""
    return [str(path.relative_to(folder)) for path in folder.rglob("*.part") if path.is_file()]


REPLICATE = "replicate --only gap --model miniclip-wide --dataset digits10 --processes 1 --quiet"
CLOSE = "close miniclip-wide/digits10 --out closed.safetensors"
EMBED = "embed miniclip-random digits10 --out embedded.safetensors --device cpu"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "result", "calls"),
    [
        *((REPLICATE, "results/claims.json", calls) for calls in (20, 1_000, 4_000, 10**9)),
        *((CLOSE, "closed.safetensors", calls) for calls in (1_000, 10**9)),
        *((EMBED, "embedded.safetensors", calls) for calls in (1_000, 4_000, 10**9)),
    ],
)
def test_ctrl_c_at_any_moment_ends_with_130_and_leaves_no_half_file(tmp_path, command, result, calls):
    """The moment is counted in calls of gapkit's functions, so that it is the same on every machine."""
    environment = {**os.environ, "GAPKIT_DATA": str(DATA), "GAPKIT_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *command.split()],
        cwd=tmp_path,
        env={**environment, "CALLS_BEFORE": str(calls), "GAPKIT_PROGRESS": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if calls == 10**9:  # never: what is whole looks like this
        assert done.returncode == 0, done.stderr
        assert (tmp_path / result).is_file()
    if done.returncode == 0:  # it was done before
        assert (tmp_path / result).is_file()
    else:
        assert done.returncode == 130, done.stderr
        assert done.stderr.splitlines()[-1].startswith("gapkit: interrupted")
        assert "Traceback" not in done.stderr
        assert not (tmp_path / result).is_file()
    assert leftovers(tmp_path) == []
