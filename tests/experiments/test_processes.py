import os
import signal
import subprocess
import sys

import pytest

from tests.waiting import PATIENCE, wait_until

COMMAND = [sys.executable, "-m", "tests.experiments.crew"]


def crew(what, place):
    return subprocess.run(
        [*COMMAND, what, str(place)], capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pids):
    return wait_until(lambda: not any(map(alive, pids)))


@pytest.mark.parametrize("what", ["tables", "threads"])
def test_several_processes_give_what_one_gives(what, tmp_path):
    done = crew(what, tmp_path)
    assert done.returncode == 0, done.stderr


def test_an_error_in_one_process_is_the_same_error_here(tmp_path):
    done = crew("error", tmp_path)
    assert done.stderr == "one line: images must have shape (n, d); got (512,)\n"


@pytest.mark.skipif(sys.platform == "win32", reason="kills itself by a signal")
def test_a_killed_process_is_an_error_that_says_so_and_what_is_finished_is_kept(tmp_path):
    done = crew("killed", tmp_path)
    assert "one line: a process was killed" in done.stderr
    assert len(list(tmp_path.glob("*.json"))) >= 3


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
def test_no_process_is_left_behind_however_the_first_one_ends(tmp_path, how):
    with subprocess.Popen([*COMMAND, "endless", str(tmp_path)], stderr=subprocess.DEVNULL) as first:
        try:
            wait_until(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
            pids = [int(path.stem) for path in tmp_path.glob("*.pid")]
            assert len(pids) == 2
            assert all(map(alive, pids))
            os.kill(first.pid, getattr(signal, how))
            first.wait(timeout=PATIENCE)
        finally:
            first.kill()
    assert gone(pids)
