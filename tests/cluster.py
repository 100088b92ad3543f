"""A Dask scheduler and workers, as processes of their own on loopback, each in a folder of its own; and tasks for them."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from gapkit.errors import InputError
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent
QUICK = {
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "2",
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION": "1.0",
    "HF_HUB_OFFLINE": "1",
    "DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON__OMP_NUM_THREADS": "1",
}


class Processes(contextlib.ExitStack):
    """Programs that end with the block."""

    def start(self, folder: Path, *arguments: str, **environment: str) -> tuple[subprocess.Popen, Path]:
        folder.mkdir(parents=True)
        log = folder / "log"
        settings = {**os.environ, "PYTHONPATH": str(ROOT), "GAPKIT_CACHE": str(folder / "cache"), **QUICK}
        with log.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=folder, env=settings | environment, stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
        self.callback(end, process)
        return process, log

    def scheduler(self, folder: Path) -> tuple[subprocess.Popen, str]:
        options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        process, log = self.start(folder, "distributed.cli.dask_scheduler", *options)
        found = wait_until(lambda: re.search(r"Scheduler at: +(tcp://\S+)", log.read_text()))
        return process, found[1]

    def worker(self, folder: Path, address: str, *options: str, **environment: str) -> subprocess.Popen:
        fixed = ("--nthreads", "1", "--no-dashboard", "--local-directory", str(folder / "scratch"))
        return self.start(folder, "distributed.cli.dask_worker", address, *fixed, *options, **environment)[0]


def end(process: subprocess.Popen) -> None:
    """A program with all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def third(task: float) -> tuple[float, int]:
    return task / 3, torch.get_num_threads()


def die_once(task: tuple[str, int]) -> int:
    """The task 1 kills the worker that does it first."""
    mark, number = Path(task[0]), task[1]
    if number == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_always(task: int) -> int:
    if task == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def refuse(task: int) -> int:
    if task == 1:
        raise InputError("images must have shape (n, d); got (512,)")
    return task


def read(task: tuple[str, str]) -> tuple[str, bytes]:
    from gapkit import engine

    path = engine.local_file(*task)
    return str(path), path.read_bytes()


def sleep(task: str) -> None:
    Path(task).write_text(str(os.getpid()))
    time.sleep(3000)


def embed_slowly(arguments: list[str]) -> None:
    """The command line, which waits after its first shard until the file ``gone`` is there."""
    from gapkit.cli.main import main
    from gapkit.encoders.shards import ShardFolder

    def write(*arguments):
        whole(*arguments)
        wait_until(Path("gone").exists)

    whole, ShardFolder.write = ShardFolder.write, write
    main(arguments)
