"""What the tests of the lessons share: where the lessons are, and how one is run and measured."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import torch

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
NOTEBOOKS = ROOT / "notebooks"
EXECUTED = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
SOURCES = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.py"))
STRICT = "nbval-check-output"
PATIENCE = 1200
"""Seconds after which a run is taken for hanging: a lesson takes 10 to 30 on an idle core."""


def cuda_megabytes(build: str | None = torch.version.cuda) -> int:
    """What a bar on memory leaves to the libraries of torch's CUDA builds, 300 MB; Binder has its CPU build."""
    return 400 if build else 0


def read(path: Path) -> nbformat.NotebookNode:
    """The notebook at ``path``."""
    return nbformat.read(path, as_version=4)


def code_cells(notebook) -> list:
    """The code cells that hold code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def prose(notebook) -> str:
    """All markdown of the notebook."""
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


@dataclass
class Run:
    """How one run ended: exit status, the kernel's largest memory, what was printed."""

    status: int
    kernel_megabytes: float
    output: str

    def failed_cells(self) -> list[int]:
        """Numbers (among the code cells) of those that failed."""
        return [
            int(number) for number in re.findall(r"^FAILED .*::Cell (\d+)", self.output, flags=re.MULTILINE)
        ]


def peak_megabytes(process: psutil.Process) -> float:
    """The most memory ``process`` has held so far, where the system keeps count; else what it holds now."""
    try:
        kept = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
        return int(kept[1]) / 1024 if kept else 0.0
    except FileNotFoundError:
        return process.memory_info().rss / 2**20


def watch_kernels(parent: psutil.Process, done: threading.Event, peaks: list[float]) -> None:
    """Note the memory of every kernel under ``parent`` until ``done``."""
    while not done.wait(0.1):
        try:
            for child in parent.children(recursive=True):
                if any("ipykernel" in word for word in child.cmdline()):
                    peaks.append(peak_megabytes(child))
        except (psutil.Error, ProcessLookupError):
            continue


def run_measured(command: list, *, cwd: Path, seconds: float, variables: dict[str, str]) -> Run:
    """Run a command that starts a kernel; killed with all its children after ``seconds``.

    One thread, fixed hash seed, no progress bars.
    """
    quiet = {
        "PYTHONHASHSEED": "0",
        "GAPKIT_PROGRESS": "0",
        "TQDM_DISABLE": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = {**variables, **quiet, **threads}
    environment.pop("MPLBACKEND", None)  # the kernel chooses the inline one
    environment.pop("PYTEST_ADDOPTS", None)
    peaks, done = [0.0], threading.Event()
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    parent = psutil.Process(process.pid)
    watcher = threading.Thread(target=watch_kernels, args=(parent, done, peaks), daemon=True)
    watcher.start()
    try:
        output, _ = process.communicate(timeout=seconds)
        status = process.returncode
    except subprocess.TimeoutExpired:
        children = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGKILL)
        for child in children:  # kernels have sessions of their own
            if child.is_running():
                child.kill()
        output, status = process.communicate()[0] + f"\nstopped after {seconds} s", 124
    finally:
        done.set()
        watcher.join()
    return Run(status, max(peaks), output)


def run_nbval(path: Path, *, seconds: float = PATIENCE, cache: Path | None = None) -> Run:
    """Run ``path`` under nbval in a process of its own: outputs compared where tagged, errors everywhere.

    With an empty cache unless told: what a reader has downloaded changes what some lessons print.
    """
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        str(HERE / "nbval.ini"),
        "--noconftest",
        "-p",
        "no:xdist",
    ]
    waits = [f"--nbval-{what}-timeout={PATIENCE}" for what in ("cell", "kernel-startup")]
    command += ["--nbval-lax", "--nbval-current-env", *waits, str(path)]
    with tempfile.TemporaryDirectory() as empty:
        mine = {"GAPKIT_CACHE": str(cache or empty), "IPYTHONDIR": empty, "JUPYTER_CONFIG_DIR": empty}
        variables = {**os.environ, **mine}  # nor what a reader has set up for every kernel
        return run_measured(command, cwd=ROOT, seconds=seconds, variables=variables)
