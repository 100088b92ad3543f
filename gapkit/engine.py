"""Where independent work is done: in this process, in several on this machine, or by the workers of a Dask cluster.

All three give the same numbers: each worker calculates on one thread, and one whose versions differ is refused.
"""

import contextlib
import ctypes
import functools
import gc
import hashlib
import logging
import math
import multiprocessing
import os
import pickle
import platform
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from importlib.metadata import version
from multiprocessing import connection
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

import gapkit
from gapkit._files import known_sha256, write_atomically
from gapkit.errors import GapkitWarning, InputError, short_reason

MOST_SENT = 2**30
"""Bytes of a file that travels to a worker; larger ones it must see under their path."""
_ALLOWED_FAILURES = 2  # the third worker that a task kills is its last
_ONE_TASK, _THREADS, _COPIES = threading.Lock(), threading.local(), {}


def run(
    function: Callable[[Any], Any],
    tasks: Sequence,
    *,
    processes: int = 1,
    cluster: Any = None,
    pack: Callable[[Any], tuple[Any, Iterable[tuple[str, str]]]] = lambda task: (task, ()),
) -> Iterator[tuple[int, Any]]:
    """Call a function on each task, and yield the results as they come.

    In this process the tasks are done in their order, each when its result is asked for. Several processes work on one
    thread each and end with this one; on Linux they are forked from it and share its memory, most of which is libraries.

    Parameters
    ----------
    function : of one task; like the tasks and results it must be picklable
    tasks : any number
    processes : how many are done at once on this machine
    cluster : address of a Dask scheduler, ``tcp://HOST:PORT``; ``local:N`` for N workers here; or what `connect` gives
    pack : called for a cluster just before a worker is free: what is sent in place of a task, and path and sha256 of each
        file that it reads through `local_file`

    Yields
    ------
    Position of the task, and what the function gave for it.

    Raises
    ------
    InputError
        If a process is killed, as the system does where memory runs out; on a cluster if a task has killed three
        workers, the scheduler is gone, or a worker has other versions than this process.
    """
    if cluster is not None:
        with connect(cluster) as client:
            yield from _on_cluster(function, tasks, client, pack)
    elif min(processes, len(tasks)) > 1:
        yield from _in_processes(function, tasks, min(processes, len(tasks)))
    else:
        yield from enumerate(map(function, tasks))


def _in_processes(function: Callable, tasks: Sequence, processes: int) -> Iterator[tuple[int, Any]]:
    context = multiprocessing.get_context("fork" if _may_fork() else "spawn")
    _give_back()  # each process would begin with what this one holds on to
    gc.freeze()  # what all share is looked at, and so copied, no more: neither here nor there
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin)
    finished = False
    try:
        positions = {pool.submit(_do, function, task): position for position, task in enumerate(tasks)}
        for future in as_completed(positions):
            yield positions.pop(future), future.result()
        finished = True
    except BrokenProcessPool as fault:
        say = "too little memory? Use fewer processes; what is finished is not measured again"
        raise InputError(f"a process was killed while it measured; {say}") from fault
    finally:
        gc.unfreeze()
        pool.shutdown(wait=finished, cancel_futures=True)
        if not finished:  # whoever interrupts does not want to wait for tasks that are half done
            for process in set(multiprocessing.active_children()) - others:
                process.kill()


@contextlib.contextmanager
def connect(cluster: Any, tell: Callable[[str], object] = lambda line: None) -> Iterator[Any]:
    """A client of a Dask cluster, for as many calls of `run` as there are.

    Parameters
    ----------
    cluster : an address as in `run`; None, or a client, is handed through
    tell : called with a line that says where the dashboard is

    Raises
    ------
    InputError
        If Dask is not installed, nobody answers, or no worker comes.
    """
    if not isinstance(cluster, str):
        yield cluster
        return
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as fault:
        raise InputError("a cluster takes Dask; install it with: pip install 'gapkit[cluster]'") from fault
    kind, _, rest = cluster.partition(":")
    count = int(rest) if kind == "local" and rest.isdecimal() else 0
    if count < 1 and "://" not in cluster:
        raise InputError(f"a cluster is tcp://HOST:PORT or local:N, such as local:2; got {cluster!r}")
    settings = {
        "distributed.scheduler.allowed-failures": _ALLOWED_FAILURES,
        "distributed.scheduler.worker-saturation": 1.0,
        "distributed.comm.timeouts.connect": "15s",
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(settings))
        for name in ("distributed", "distributed.client"):  # what matters we say ourselves, in one line
            logger = logging.getLogger(name)
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL)
        try:
            where = cluster
            if count:
                options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "silence_logs": 50}
                options["memory_limit"] = 0  # a share of a small machine's would be less than torch takes
                where = stack.enter_context(LocalCluster(n_workers=count, **options))
            client = stack.enter_context(Client(where, set_as_default=False))
            tell(f"dashboard: {client.dashboard_link}")
            if not client.nthreads():
                tell("waiting for workers")
                client.wait_for_workers(1)
        except (OSError, ValueError) as fault:
            raise InputError(f"no Dask scheduler answers at {cluster} ({short_reason(fault)})") from fault
        yield client


def _on_cluster(function, tasks, client, pack) -> Iterator[tuple[int, Any]]:
    import cloudpickle
    from distributed import as_completed as completed
    from distributed.scheduler import KilledWorker

    name, here = f"gapkit-{os.urandom(6).hex()}", about()
    waiting, positions, sent, results = iter(range(len(tasks))), {}, {}, completed(loop=client.loop)
    looked, room = -math.inf, 0

    def fill() -> None:
        """Keep a little more to do at the scheduler than the workers can: what a task reads may be large."""
        nonlocal looked, room
        if time.monotonic() > looked + 1:  # workers come and go
            looked, room = time.monotonic(), 2 * sum(client.nthreads().values()) + 2
        while len(positions) < room and (position := next(waiting, None)) is not None:
            task, files = pack(tasks[position])
            for file in files:
                if file not in sent:
                    sent[file] = _send(client, *file)
            contents = {file: sent[file] for file in files if sent[file] is not None}
            # The scheduler unpacks what it is given; for bytes it needs no torch.
            given = cloudpickle.dumps((function, task)), list(contents), list(contents.values()), here
            future = client.submit(_call, *given, key=f"{name}-{position}", priority=-position)
            positions[future] = position
            results.add(future)

    finished = False
    try:
        _check_workers(client)
        fill()
        for future in results:
            value = future.result()
            position = positions.pop(future)
            del future
            fill()
            yield position, value
        finished = True
    except KilledWorker as fault:
        keys = {fault.task, *(future.key for future in positions if future.status == "error")}
        named = " or ".join(str(tasks[int(key.rpartition("-")[2])]) for key in sorted(keys))
        killed = f"{fault.allowed_failures + 1} workers were killed one after the other"
        say = "too little memory? What is finished is kept"
        raise InputError(f"{killed} while they did {named}; {say}") from fault
    except Exception as fault:
        if client.status == "running" and not isinstance(fault, CancelledError):
            raise
        say = "finished parts are kept, run the same again"
        raise InputError(f"the scheduler is gone ({short_reason(fault, 120)}); {say}") from fault
    finally:
        if not finished and client.status == "running":
            _stop(client, list(positions))


def _stop(client, futures: list) -> None:
    """Cancel what is left; a worker in the middle of it begins anew, as nothing else ends a calculation."""
    with contextlib.suppress(Exception):
        keys = {future.key for future in futures}
        busy = [worker for worker, those in client.processing().items() if keys & set(those)]
        client.cancel(futures, force=True)
        client.restart_workers(busy, timeout=30, raise_for_error=False)


def _check_workers(client) -> None:
    here = about()
    for worker, there in client.run(about, on_error="return").items():
        if not isinstance(there, OSError):  # it has just gone; the next is checked with its first task
            _refuse_another(here, there, worker)
    if max(client.nthreads().values(), default=1) > 1:
        say = "a worker does one task at a time, whatever its threads; start more: dask worker --nthreads 1"
        warnings.warn(say, GapkitWarning, stacklevel=4)


def _refuse_another(here: dict[str, str], there: Any, worker: str) -> None:
    if not isinstance(there, dict):
        there = {"gapkit": f"that is none or another ({short_reason(there, 120)})"}
    for what, known in here.items():
        if (other := there.get(what)) != known:
            say = "install the same on both"
            raise InputError(f"the worker {worker} has {what} {other}, here is {known}; {say}")


@functools.cache
def about() -> dict[str, str]:
    """What must be the same everywhere for the numbers to be."""
    import torch

    digest, root = hashlib.sha256(), Path(gapkit.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes().replace(b"\r\n", b"\n"))
    return {
        "gapkit": f"{gapkit.__version__} (source {digest.hexdigest()[:8]})",
        "torch": torch.__version__,
        **{name: version(name) for name in ("numpy", "scipy")},
        "Python": ".".join(platform.python_version_tuple()[:2]),
    }


def _call(packed: bytes, files: list, contents: list[bytes], here: dict[str, str]) -> Any:
    """One task, on a worker."""
    from distributed import get_worker

    _refuse_another(here, about(), get_worker().address)
    with _ONE_TASK:
        if not getattr(_THREADS, "limited", False):
            _THREADS.limited = limit_threads(1)
        for (path, sha256), content in zip(files, contents, strict=True):
            _keep(path, sha256, content, Path(get_worker().local_directory))
        function, task = pickle.loads(packed)
        return function(task)


def _send(client, path: str, sha256: str) -> Any:
    """The bytes of a file, to be handed from worker to worker; None for one that they must see themselves."""
    if os.path.getsize(path) > MOST_SENT:
        return None
    content = Path(path).read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(f"{path} has changed meanwhile; start again")
    return client.submit(bytes, content, key=f"gapkit-file-{sha256}-{os.urandom(6).hex()}")


def _keep(path: str, sha256: str, content: bytes, scratch: Path) -> None:
    if (path, sha256) in _COPIES or (os.path.isfile(path) and known_sha256(path) == sha256):
        return
    # What lay together, lies together.
    folder = hashlib.sha256(str(Path(path).parent).encode()).hexdigest()[:16]
    copy = scratch / "gapkit" / folder / Path(path).name
    write_atomically(copy, lambda temporary: temporary.write_bytes(content))
    _COPIES[path, sha256] = copy


def local_file(path: str | os.PathLike, sha256: str = "") -> Path:
    """Where a file lies that a task reads: under its path, or on a worker that does not see that, as a copy."""
    return _COPIES.get((str(path), sha256), Path(path))


def limit_threads(count: int) -> threadpool_limits:
    """Let torch and the linear algebra under numpy and scipy use so many threads; as a context, BLAS until its end."""
    import scipy.linalg  # noqa: F401  (loads a BLAS beside numpy's: both must be there to be limited)
    import torch

    torch.set_num_threads(count)
    return threadpool_limits(limits=count)


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _may_fork() -> bool:
    """Not on other systems, whose libraries cannot bear it, and not once a GPU is in use."""
    import torch

    return sys.platform == "linux" and not torch.cuda.is_initialized()


def _do(function: Callable, task: Any) -> Any:
    """One task; what it took of memory goes back to the system, where it would stay with this process for hours."""
    result = function(task)
    _give_back()
    return result


def _give_back() -> None:
    """Return freed memory to the system; glibc alone holds on to so much, and has a function for it."""
    gc.collect()  # arrays in a cycle are not freed yet
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's to answer
    threading.Thread(target=_end_with_the_first_process, daemon=True).start()
    limit_threads(1)


def _end_with_the_first_process() -> None:
    with contextlib.suppress(AttributeError, OSError):
        connection.wait([multiprocessing.parent_process().sentinel])
        os._exit(1)
