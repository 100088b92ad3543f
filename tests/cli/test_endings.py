"""How a command ends when nobody reads its output, or when it is interrupted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2] / "data"
GAPKIT = [sys.executable, "-m", "gapkit"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["models"],
        ["models", "--all", "--json"],
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

from gapkit.cli import main
sys.setprofile(count)
main()
"""


def leftovers(folder: Path) -> list[str]:
    """Half files: everything that gapkit means to remove or to swap in."""
    return [str(path.relative_to(folder)) for path in folder.rglob("*.part") if path.is_file()]


@pytest.mark.slow
@pytest.mark.parametrize("calls", [20, 1_000, 4_000, 10**9])
@pytest.mark.parametrize(
    ("command", "result"),
    [
        (
            "replicate --only gap --model miniclip-wide --dataset digits10 --processes 1 --quiet",
            "results/claims.json",
        ),
        ("close miniclip-wide/digits10 --out closed.safetensors", "closed.safetensors"),
        ("embed miniclip-random digits10 --out embedded.safetensors --device cpu", "embedded.safetensors"),
    ],
    ids=["replicate", "close", "embed"],
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
