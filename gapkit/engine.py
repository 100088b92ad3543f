"""Where independent work is done: one task after the other in this process, or several processes at once."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from gapkit.errors import InputError


def run(function: Callable[[Any], Any], tasks: Sequence, *, processes: int = 1) -> Iterator[tuple[int, Any]]:
    """Call a function on each task, and yield the results as they come.

    In this process the tasks are done in their order, each when its result is asked for. Several processes work on one
    thread each, and end with this one, however it ends. On Linux they are forked from it, as those of
    torch's ``DataLoader`` are, and share its memory, most of which is libraries.

    Parameters
    ----------
    function : of one task; like the tasks and results it must be picklable
    tasks : any number
    processes : how many are done at once

    Yields
    ------
    Position of the task, and what the function gave for it.

    Raises
    ------
    InputError
        If a process is killed, as the system does where memory runs out.
    """
    if min(processes, len(tasks)) > 1:
        yield from _in_processes(function, tasks, min(processes, len(tasks)))
    else:
        yield from enumerate(map(function, tasks))


def _in_processes(function: Callable, tasks: Sequence, processes: int) -> Iterator[tuple[int, Any]]:
    context = multiprocessing.get_context("fork" if _may_fork() else "spawn")
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin)
    finished = False
    try:
        positions = {pool.submit(function, task): position for position, task in enumerate(tasks)}
        for future in as_completed(positions):
            yield positions.pop(future), future.result()
        finished = True
    except BrokenProcessPool as fault:
        raise InputError(
            "a process was killed while it measured; too little memory? Use fewer processes, "
            "and what is finished is not measured again"
        ) from fault
    finally:
        pool.shutdown(wait=finished, cancel_futures=True)
        if not finished:  # whoever interrupts does not want to wait for tasks that are half done
            for process in set(multiprocessing.active_children()) - others:
                process.kill()


def limit_threads(count: int) -> threadpool_limits:
    """Let torch and the linear algebra under numpy and scipy use so many threads; as a context, BLAS until its end."""
    import scipy.linalg  # noqa: F401  (loads a BLAS of its own, beside numpy's: both must be there to be limited)

    torch.set_num_threads(count)
    return threadpool_limits(limits=count)


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _may_fork() -> bool:
    """Not on other systems, whose libraries cannot bear it, and not once a GPU is in use."""
    return sys.platform == "linux" and not torch.cuda.is_initialized()


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's to answer
    threading.Thread(target=_end_with_the_first_process, daemon=True).start()
    limit_threads(1)


def _end_with_the_first_process() -> None:
    with contextlib.suppress(AttributeError, OSError):
        connection.wait([multiprocessing.parent_process().sentinel])
        os._exit(1)
