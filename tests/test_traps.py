"""Files that hang a reader or fill the memory are refused in one line before the work is begun."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_trap_hangs_or_fills_the_memory(tmp_path):
    command = [sys.executable, "-m", "tests.traps", str(tmp_path / "work")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1400)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr[-2000:]


def test_the_traps_would_be_noticed(tmp_path, monkeypatch):
    """Where a file is no trap, or nothing is refused in one line, the instrument says so."""
    from tests import traps

    monkeypatch.setitem(traps.TRAPS, "loud", lambda folder: ["measure", "nowhere\n", "--json", "--unknown"])
    assert traps.spring("loud", tmp_path / "loud") == ""
    monkeypatch.setattr(traps, "run", lambda arguments: print("two\ngapkit: lines"))
    assert traps.spring("loud", tmp_path / "fails").startswith("70")
    monkeypatch.setattr(traps, "run", lambda arguments: bytearray(3 * 2**30))
    assert "MemoryError" in traps.spring("loud", tmp_path / "large")
