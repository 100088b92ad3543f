"""Carries out grading orders, each in a process of its own: ``python -m teaching.run``.

Imports everything once, then forks for each submission two processes: the one its cells run in, before
anything of the course was read, and the judge. Reads the task as JSON on its input and prints the number of each order that has ended.
"""

import contextlib
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

from teaching.sandbox.family import adopt_orphans, end_children
from teaching.sandbox.serve import import_what_notebooks_use, serve
from teaching.sandbox.start import become_quiet, start_by_fork

LATE = "late.txt"
"""In an order's folder: says that it was stopped because its time was up."""


def run(works: list[str], jobs: int, seconds: float) -> None:
    """Carry out the orders in the folders ``works``, ``jobs`` at a time, each within ``seconds``."""
    adopt_orphans()
    waiting = list(enumerate(works))[::-1]
    running: dict[int, tuple[int, float]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            number, work = waiting.pop()
            running[_fork(Path(work))] = number, time.monotonic() + seconds
        for pid, (number, deadline) in list(running.items()):
            ended, _ = os.waitpid(pid, os.WNOHANG)
            if not ended and time.monotonic() < deadline:
                continue
            if not ended:
                (Path(works[number]) / LATE).write_text(f"over {seconds:g} s in all", encoding="utf-8")
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            _end_sandbox(Path(works[number]))
            del running[pid]
            end_children(spared=running)
            print(number, flush=True)
        time.sleep(0.02)


def _fork(work: Path) -> int:
    """Fork the judge of one order; returns its process id once it leads a group of its own."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.close(tell)
        os.read(ready, 1)
        os.close(ready)
        return pid
    code = 1
    try:
        os.setsid()
        os.write(tell, b".")
        os.close(tell)
        os.close(ready)
        become_quiet(work / "log.txt")
        adopt_orphans()
        child = start_by_fork(work / "sandbox", serve, work / "sandbox.log")
        (work / "sandbox.pid").write_text(str(child.pid), encoding="ascii")
        from teaching.one import carry_out

        carry_out(work, child)
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        with contextlib.suppress(Exception):
            end_children()
        os._exit(code)


def _end_sandbox(work: Path) -> None:
    """The submission's process ends with its judge, whatever it does."""
    with contextlib.suppress(OSError, ValueError):
        os.killpg(int((work / "sandbox.pid").read_text(encoding="ascii")), signal.SIGKILL)


def main() -> None:
    """Read the task, import, run."""
    task = json.loads(sys.stdin.read())
    import_what_notebooks_use()
    importlib.import_module("teaching.one")
    if threading.active_count() > 1:
        raise RuntimeError("a thread is running, so forking is not safe")
    run(**task)


if __name__ == "__main__":
    main()
