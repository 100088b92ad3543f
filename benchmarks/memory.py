"""How much memory a call needs, looked at in a process of its own: a used one would reuse what it had freed."""

import contextlib
import multiprocessing
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil

STATUS = Path("/proc/self/status")


def anonymous_megabytes() -> float:
    """Resident megabytes now, without file-backed pages where the system tells them apart."""
    if STATUS.is_file():
        return _kept("RssAnon")
    return psutil.Process().memory_info().rss / 2**20


def growth(function: Callable[[], object]) -> float:
    """The most anonymous megabytes this process grows by while ``function`` runs, looked at every 5 ms and after."""
    before, seen, done = anonymous_megabytes(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            seen.append(anonymous_megabytes() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        result = function()
        seen.append(anonymous_megabytes() - before)
        del result
    finally:
        done.set()
        watcher.join()
    return max(seen)


def peak_growth(function: Callable[[], object]) -> float:
    """By how many megabytes the most that this process ever held is more after ``function`` than before.

    The system keeps that number, so no moment is missed. Linux is told to forget earlier peaks first; elsewhere
    what lies below an earlier one is not seen.
    """
    with contextlib.suppress(OSError):  # no Linux, or not allowed here
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _peak_megabytes()
    result = function()
    grown = _peak_megabytes() - before
    del result
    return grown


def _peak_megabytes() -> float:
    if STATUS.is_file():  # getrusage would count what the parent held when this process began
        return _kept("VmHWM")
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / 2**20
    import resource

    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def _kept(name: str) -> float:
    fields = dict(
        line.split(":", 1) for line in STATUS.read_text(encoding="ascii").splitlines() if ":" in line
    )
    return int(fields[name].split()[0]) / 1024


def in_a_fresh_process(measure: Callable[..., float], *arguments) -> float:
    """What ``measure(*arguments)``, a function of a module, returns in a new process."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sending, measure, arguments))
    process.start()
    sending.close()
    try:
        return receiving.recv()
    except EOFError:
        raise RuntimeError(f"{measure.__name__} failed in its process") from None
    finally:
        process.join()


def _answer(sending, measure: Callable[..., float], arguments: tuple) -> None:
    sending.send(measure(*arguments))
