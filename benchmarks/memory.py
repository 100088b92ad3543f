"""How much memory a call needs, looked at in a process of its own: a used one would reuse what it had freed."""

import multiprocessing
import resource
import threading
from collections.abc import Callable
from pathlib import Path


def anonymous_megabytes() -> float:
    """Resident megabytes, without file-backed pages where the system tells them apart (else the peak with them)."""
    status = Path("/proc/self/status")
    if status.is_file():
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(fields["RssAnon"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def growth(function: Callable[[], object]) -> float:
    """The most megabytes this process grows by while ``function`` runs, looked at every 5 ms."""
    before, seen, done = anonymous_megabytes(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            seen.append(anonymous_megabytes() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    function()
    done.set()
    watcher.join()
    return max(seen)


def in_a_fresh_process(measure: Callable[..., float], *arguments) -> float:
    """What ``measure(*arguments)``, a function of a module, returns in a new process."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_answer, args=(queue, measure, arguments))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{measure.__name__} failed in its process")
    return queue.get()


def _answer(queue, measure: Callable[..., float], arguments: tuple) -> None:
    queue.put(measure(*arguments))
