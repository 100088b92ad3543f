"""The sandbox around a submission's kernel: bubblewrap, which shows it Python, the packages and the data, read-only.

It has namespaces of its own for processes, network, users and the rest, no capabilities, an empty environment,
and writes only into small file systems in memory that vanish with it. Without confinement the same kernel runs as
an ordinary process.
"""

import contextlib
import functools
import json
import os
import select
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import gapkit

HOME = "/home/student"
HOME_BYTES, SHARED_BYTES, TMP_BYTES = 256 * 2**20, 64 * 2**20, 64 * 2**20
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
PROCESSES = 128
"""Processes and threads a submission may have at a time."""
_SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime",
)  # fmt: skip
_DEVICES = ("--proc", "/proc", "--dev", "/dev")
_ISOLATED = (
    "--unshare-all", "--unshare-user", "--uid", "1000", "--gid", "1000", "--hostname", "grading", "--die-with-parent",
    "--new-session", "--cap-drop", "ALL", "--clearenv",
)  # fmt: skip


@functools.cache
def why_not() -> str:
    """Why a submission cannot be confined on this machine; empty if it can."""
    if not sys.platform.startswith("linux") or not shutil.which("bwrap"):
        return "bubblewrap, which is for Linux only, is not installed (apt-get install -y bubblewrap)"
    tried = subprocess.run(
        [shutil.which("bwrap"), *_ISOLATED, *_system(), *_DEVICES, "/usr/bin/env", "true"],
        env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    said = " ".join(tried.stderr.split())[:200]
    return "" if tried.returncode == 0 else f"bubblewrap may not make namespaces here ({said})"


@dataclass
class Sandbox:
    """A started process, what it prints, and its home folder as seen from outside."""

    process: subprocess.Popen
    pid: int
    home: Path
    handle: int = -1

    def end(self) -> None:
        """End everything that runs in it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)  # and with it the namespace
        self.process.wait()
        if self.handle >= 0:
            select.select([self.handle], [], [], 10.0)  # until process 1 has gone
            os.close(self.handle)
        else:
            shutil.rmtree(self.home, ignore_errors=True)
        self.process.stdout.close()


def start(
    arguments: list[str],
    *,
    files: Mapping[str, Path],
    hidden: list[Path],
    readable: list[Path],
    confined: bool,
) -> Sandbox:
    """Start ``python arguments`` in a new home folder.

    Parameters
    ----------
    arguments : of Python
    files : what is copied into the home folder: name there, and the file
    hidden : folders that must not be seen, wherever they lie
    readable : files and folders to see besides Python, the packages, gapkit and its data
    confined : whether to use bubblewrap
    """
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    options["start_new_session"] = True
    if not confined:
        home = Path(tempfile.mkdtemp(prefix="grading-"))
        for name, path in files.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, home / name)
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
        kept["JPY_PARENT_PID"] = str(os.getpid())  # the kernel ends when its judge has
        kept |= environment(str(home))
        process = subprocess.Popen([sys.executable, "-P", *arguments], env=kept, cwd=home, **options)
        return Sandbox(process, process.pid, home)
    told, tell = os.pipe()
    opened = {name: os.open(path, os.O_RDONLY) for name, path in files.items()}
    try:
        command = [*_command(tell, opened, hidden, readable), sys.executable, "-P", *arguments]
        process = subprocess.Popen(command, env={}, pass_fds=[tell, *opened.values()], **options)
    finally:
        for end in (tell, *opened.values()):
            os.close(end)
    with open(told, encoding="utf-8") as file:
        info = file.read()
    if not info:
        raise RuntimeError(f"bubblewrap: {process.communicate()[0].decode(errors='replace')[-300:]}")
    pid = json.loads(info)["child-pid"]
    # The home folder exists in the sandbox alone; from outside it is reached through the root of its process 1.
    return Sandbox(process, pid, Path(f"/proc/{pid}/root{HOME}"), handle=os.pidfd_open(pid))


def _command(tell: int, files: dict[str, int], hidden: list[Path], readable: list[Path]) -> list[str]:
    """What starts bubblewrap; the command to run in it is to be added."""
    needed = _needed(readable)
    command = [shutil.which("bwrap"), *_ISOLATED, "--info-fd", str(tell), *_system(), *_DEVICES]
    for size, path in ((SHARED_BYTES, "/dev/shm"), (TMP_BYTES, "/tmp"), (HOME_BYTES, HOME)):
        command += ["--size", str(size), "--tmpfs", path]
    for path in needed:  # later than the folders in memory, since a clone may lie below /tmp
        command += ["--ro-bind", path, path]
    command += _links((*_SYSTEM, *needed))
    for path in sorted({str(folder.resolve()) for folder in hidden}):
        if any(Path(path).is_relative_to(seen) for seen in (*_SYSTEM, *needed)):
            command += ["--tmpfs", path, "--remount-ro", path]
    for name, file in files.items():
        command += ["--file", str(file), f"{HOME}/{name}"]
    for name, value in environment(HOME).items():
        command += ["--setenv", name, value]
    command += ["--setenv", "PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin"]
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", HOME]


def environment(home: str) -> dict[str, str]:
    """The environment variables a submission sees: no secrets, one thread, every cache in its own folder."""
    variables = {
        "HOME": home, "USER": "student", "LANG": "C.UTF-8", "IPYTHONDIR": f"{home}/.cache/ipython",
        "JUPYTER_RUNTIME_DIR": f"{home}/.cache/jupyter", "MPLCONFIGDIR": f"{home}/.cache/matplotlib",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline", "GAPKIT_CACHE": f"{home}/.cache/gapkit",
        "PYTHONPATH": os.pathsep.join(import_paths()), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1", "TQDM_DISABLE": "1", "GAPKIT_PROGRESS": "0",
    }  # fmt: skip
    return {**variables, **dict.fromkeys(THREADS, "1"), "GAPKIT_DATA": str(data_folder())}


def data_folder() -> Path:
    """The shipped data."""
    return Path(os.environ.get("GAPKIT_DATA") or Path(gapkit.__file__).parent.parent / "data").resolve()


def import_paths() -> list[str]:
    """The folders that hold gapkit and this package."""
    return list(dict.fromkeys(str(Path(file).resolve().parents[1]) for file in (gapkit.__file__, __file__)))


def _system() -> list[str]:
    words = []
    for path in filter(os.path.exists, _SYSTEM):
        words += ["--symlink", os.readlink(path), path] if os.path.islink(path) else ["--ro-bind", path, path]
    return words


def _links(seen: Iterable[str]) -> list[str]:
    """The links that lead to this Python and lie where nothing is seen, such as a folder of somebody's own."""
    words, path = [], Path(sys.executable)
    while path.is_symlink():
        target = os.path.normpath(path.parent.resolve() / os.readlink(path))
        if not any(path.is_relative_to(folder) for folder in seen):
            words += ["--symlink", target, str(path)]
        path = Path(target)
    return words


def _needed(readable: Iterable[Path]) -> list[str]:
    """What a submission reads: Python, packages, gapkit, its data, and of this package what runs inside."""
    here = Path(__file__).resolve().parent
    paths = {sys.prefix, sys.base_prefix, sys.exec_prefix, *site.getsitepackages()}
    paths |= set(sysconfig.get_paths().values())
    ours = (Path(gapkit.__file__).parent, data_folder(), here / "__init__.py", here / "inside", *readable)
    paths |= {str(path.resolve()) for path in ours}
    return sorted(path for path in paths if os.path.exists(path) and not path.startswith("/usr/lib"))
