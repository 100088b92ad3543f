import json
import os
import subprocess
import sys

import pytest

from tests.waiting import MARK, left_behind, wait_until


def killed_runs(folder, **options):
    arguments = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "tests.encoders.killing", str(folder), *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", MARK: str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.timeout(1300)
@pytest.mark.parametrize(
    ("kills", "workers", "seed"),
    [(2, 2, 1), pytest.param(25, 0, 2, marks=pytest.mark.slow)],
)
def test_runs_killed_at_random_moments_end_with_the_same_bytes(tmp_path, kills, workers, seed):
    whole, *runs = killed_runs(tmp_path, kills=kills, workers=workers, seed=seed)
    assert len(runs) == kills
    for number, run in enumerate(runs):
        assert run["kind"] == "killed"
        assert run["sha256"] == whole["sha256"], f"run {number}"
        assert run["extra"] == [], f"run {number} left temporary files or shards"
        assert run["done"] == 2
    assert wait_until(
        lambda: not left_behind(tmp_path), pause=0.5
    )  # they look for their parent every few seconds
