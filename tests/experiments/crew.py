"""Jobs for `test_processes`, run as a program: what a crew of processes does must not happen in pytest's own."""

import os
import signal
import sys
import time
from pathlib import Path

import torch

from gapkit import engine
from gapkit.errors import InputError
from gapkit.experiments import Job
from gapkit.experiments.sweep import JobStore, run_jobs
from tests.waiting import wait_until

PLACE = Path(sys.argv[2]) if len(sys.argv) > 2 else Path()
JOBS = [Job("gap", "m", f"d{i}") for i in range(6)]


def measure(job: Job) -> dict:
    return {"gap": [{"dataset": job.dataset, "pid": os.getpid(), "third": int(job.dataset[1]) / 3}]}


def wrong(job: Job) -> dict:
    if job.dataset == "d3":
        raise InputError("images must have shape (n, d); got (512,)")
    return measure(job)


def dies(job: Job) -> dict:
    if job.dataset == "d3":
        wait_until(lambda: len(list(PLACE.glob("*.json"))) >= 3)
        os.kill(os.getpid(), signal.SIGKILL)
    return measure(job)


def sleeps(job: Job) -> dict:
    (PLACE / f"{os.getpid()}.pid").touch()
    time.sleep(3000)  # ended with its first process, long before
    return {}


def tables() -> None:
    one = [result.tables["gap"][0] for result in run_jobs(JOBS, measure)]
    results = list(run_jobs(JOBS, measure, processes=2))
    two = sorted((result.tables["gap"][0] for result in results), key=lambda row: row["dataset"])
    assert {row.pop("pid") for row in one} == {os.getpid()}
    assert os.getpid() not in {row.pop("pid") for row in two}
    assert one == two
    assert all(result.job.dataset == result.tables["gap"][0]["dataset"] for result in results)


def threads() -> None:
    torch.set_num_threads(2)
    assert [count for _, count in engine.run(_threads, range(4), processes=2)] == [1] * 4
    assert [position for position, _ in engine.run(abs, range(4))] == [0, 1, 2, 3]


def _threads(task: int) -> int:
    return torch.get_num_threads()


def error() -> None:
    list(run_jobs(JOBS, wrong, processes=2, store=JobStore(PLACE)))


def killed() -> None:
    list(run_jobs(JOBS, dies, processes=2, store=JobStore(PLACE)))


def endless() -> None:
    list(run_jobs(JOBS, sleeps, processes=2))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started pytest may have had it ignored
    try:
        {f.__name__: f for f in (tables, threads, error, killed, endless)}[sys.argv[1]]()
    except InputError as fault:
        sys.exit(f"one line: {fault}")
