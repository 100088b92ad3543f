"""The kernel of a submission: ``python -m teaching.inside KEY BYTES PROCESSES`` (0: any number).

An ordinary ipykernel, with limits on memory and processes, the imports that notebooks need done before any
clock runs, and a few habits of notebooks made harmless.
"""

import contextlib
import importlib
import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.utils.text import SList

from teaching.inside import connection_info

MODULES = (
    "matplotlib.pyplot", "scipy.integrate", "scipy.special", "scipy.stats", "gapkit.closing", "gapkit.embeddings",
    "gapkit.geometry", "gapkit.robustness", "gapkit.tasks", "teaching.inside.calls",
)  # fmt: skip
INSTALLERS = re.compile(r"(sudo )?(python3? -m )?(pip3?|conda|mamba|uv|apt(-get)?)\b")
SHELL_SECONDS = 10.0
FILE_BYTES, OPEN_FILES = 64 * 2**20, 256


class Shell(ZMQInteractiveShell):
    """IPython as in a notebook, where nothing waits for a window, a terminal or the network."""

    def ask_exit(self) -> None:
        """``exit()`` and ``quit()``: the rest of the notebook is graded all the same."""
        print("(exit() does nothing while a notebook is graded)")

    def enable_gui(self, gui=None) -> None:
        """No windows here."""

    def enable_matplotlib(self, gui=None):
        """Pictures appear below the cell, whichever window or widget was asked for."""
        return super().enable_matplotlib("inline")

    def system(self, cmd: str) -> None:
        """``!command``: never an error."""
        print(self._output_of(cmd), end="")

    def getoutput(self, cmd: str, split=True, depth=0):
        """``lines = !command``: likewise."""
        text = self._output_of(cmd)
        return SList(text.splitlines()) if split else text

    def _output_of(self, cmd: str) -> str:
        cmd = self.var_expand(cmd, depth=2).strip()
        if INSTALLERS.match(cmd):
            return "(not installed: a graded notebook has the course's packages)\n"
        try:
            return subprocess.run(
                cmd, shell=True, text=True, errors="replace", timeout=SHELL_SECONDS,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            ).stdout  # fmt: skip
        except (OSError, subprocess.SubprocessError) as fault:
            return f"({fault})\n"


def harmless(shell: Shell) -> None:
    """Let magics that start programs or install packages do nothing that can fail."""
    for name in ("pip", "conda", "mamba", "micromamba", "uv"):
        shell.register_magic_function(lambda line: shell.system("pip"), "line", name)
    for name in ("bash", "sh", "script"):
        shell.register_magic_function(lambda line, cell: shell.system(cell), "cell", name)


def set_limits(memory: int, processes: int) -> None:
    """Allow ``memory`` bytes beyond what the process uses now, no core dumps, no huge files."""
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: FILE_BYTES, resource.RLIMIT_NOFILE: OPEN_FILES}
    limits |= {resource.RLIMIT_NPROC: processes} if processes else {}
    with contextlib.suppress(OSError), open("/proc/self/statm", encoding="ascii") as file:
        limits[resource.RLIMIT_AS] = int(file.read().split()[0]) * resource.getpagesize() + memory
    for what, most in limits.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def main() -> None:
    """Import, start the kernel's sockets, say so, give up what is not needed, and serve."""
    key, memory, processes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    connection = Path.home() / ".cache" / "kernel.json"
    connection.parent.mkdir(exist_ok=True)
    connection.write_text(json.dumps(connection_info(str(Path.home()), key)), encoding="utf-8")
    for name in MODULES:
        importlib.import_module(name)
    sys.modules["torch"].set_num_threads(1)
    app = IPKernelApp.instance()
    app.kernel_class.shell_class, app.capture_fd_output = Shell, False
    settings = ["--HistoryManager.enabled=False", "--InteractiveShell.colors=nocolor"]
    app.initialize(["-f", str(connection), *settings])
    shell = app.kernel.shell
    harmless(shell)
    with contextlib.suppress(Exception):  # pictures are a courtesy
        shell.enable_matplotlib("inline")
    set_limits(memory, processes)
    os.write(1, b"ready\n")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for end in (0, 1, 2):
        os.dup2(nowhere, end)
    app.start()


if __name__ == "__main__":
    main()
