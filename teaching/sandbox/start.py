"""Two ways to start a submission's process: anew, or by forking one that has done its imports.

A process that is to be forked must not have read anything that a submission may not know.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gapkit
from teaching.sandbox.family import descendants

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_KEPT = (
    "PATH",
    "LANG",
    "LC_ALL",
    "SYSTEMROOT",
    "LD_LIBRARY_PATH",
    "GAPKIT_DATA",
    "GAPKIT_CACHE",
    "MPLCONFIGDIR",
)


@dataclass
class Child:
    """A process, and the ends of the two pipes to it."""

    pid: int
    source: int
    sink: int
    code: int | None = None

    def wait(self, seconds: float) -> int | None:
        """The exit code (negative: the signal), None if it still runs after ``seconds``."""
        until = time.monotonic() + seconds
        while self.code is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                self.code = 0
            else:
                if pid:
                    self.code = os.waitstatus_to_exitcode(status)
                elif time.monotonic() >= until:
                    return None
                else:
                    time.sleep(0.01)
        return self.code

    def kill(self) -> None:
        """End the process and everything it started."""
        for end in (self.source, self.sink):
            with contextlib.suppress(OSError):
                os.close(end)
        self.source = self.sink = -1
        if self.code is None:  # else the number may be another process's by now
            for pid in descendants(self.pid):  # whatever group or session they are in
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait(10.0)


def start_by_exec(folder: Path, log: Path | None = None) -> Child:
    """A new Python process for a submission."""
    _prepare(folder)
    source, their_sink, their_source, sink = *os.pipe(), *os.pipe()
    with open(log or os.devnull, "ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "teaching.sandbox", json.dumps([their_source, their_sink])],
            env=environment(folder), pass_fds=(their_source, their_sink), cwd=folder,
            stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True,
        )  # fmt: skip
    os.close(their_source)
    os.close(their_sink)
    process.returncode = 0  # the child is waited for here, not by subprocess
    return Child(process.pid, source, sink)


def start_by_fork(folder: Path, serve: Callable[[int, int], None], log: Path) -> Child:
    """Fork this process; the child is a session of its own and runs ``serve(source, sink)``."""
    _prepare(folder)
    source, their_sink, their_source, sink = *os.pipe(), *os.pipe()
    pid = os.fork()
    if pid:
        os.close(their_source)
        os.close(their_sink)
        return Child(pid, source, sink)
    try:
        os.setsid()
        for end in (source, sink):
            os.close(end)
        become_quiet(log)
        variables = environment(folder)
        os.environ.clear()
        os.environ.update(variables)
        os.chdir(folder)
        serve(their_source, their_sink)
    finally:
        os._exit(0)


def become_quiet(log: Path) -> None:
    """Read from nowhere and print to ``log`` from now on."""
    nowhere, errors = (
        os.open(os.devnull, os.O_RDONLY),
        os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
    )
    for old, new in ((nowhere, 0), (errors, 1), (errors, 2)):
        os.dup2(old, new)
    os.close(nowhere)
    os.close(errors)


def environment(folder: Path) -> dict[str, str]:
    """The environment variables a submission sees: no secrets, and every cache in its own folder."""
    folder = folder.resolve()
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    here = {
        name: str(folder / "tmp") for name in ("TMPDIR", "IPYTHONDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    }
    kept.setdefault("MPLCONFIGDIR", str(folder / "tmp"))
    return {
        **kept, **here, **dict.fromkeys(THREADS, "1"), "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join(import_paths()), "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1", "TQDM_DISABLE": "1",
    }  # fmt: skip


def import_paths() -> list[str]:
    """The folders that hold gapkit and this package."""
    return list(dict.fromkeys([str(Path(gapkit.__file__).parent.parent), str(Path(__file__).parents[2])]))


def readable_paths() -> list[str]:
    """What a submission needs to read: Python, installed packages, gapkit and its data; no sources of tasks."""
    package = Path(gapkit.__file__).parent
    paths = {sys.prefix, sys.base_prefix, sys.exec_prefix, str(package), str(package.parent / "data")}
    paths |= {path for path in sys.path if path.endswith(("site-packages", "dist-packages", "lib-dynload"))}
    paths |= {
        os.environ[name] for name in ("GAPKIT_DATA", "GAPKIT_CACHE", "MPLCONFIGDIR") if os.environ.get(name)
    }
    paths |= {"/usr", "/lib", "/lib64", "/sys", "/dev", "/System", "/Library", "/etc/fonts"}
    # of /proc nothing of other processes: their environments may hold secrets (self is looked up by the child)
    paths |= {"/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat"}
    paths |= {"/etc/localtime", "/etc/ld.so.cache", "/etc/passwd", "/etc/nsswitch.conf", "/etc/mime.types"}
    return sorted(path for path in paths if os.path.exists(path))


def _prepare(folder: Path) -> None:
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
