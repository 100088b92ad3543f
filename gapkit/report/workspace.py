"""The folder of results: written beside, then swapped in whole; locked while a replication runs.

While it runs, finished jobs lie in ``<results>.part/jobs``. When all are done the report is written to
``<results>.part/report`` and takes the place of ``<results>`` in one step, so that whoever looks sees the
old results or the new ones. A run that was killed leaves ``<results>.part`` behind, and the next one goes
on from it.
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from gapkit.errors import InputError
from gapkit.experiments import JobStore

OURS = ("claims.json", "report.html", "report.md", "figures", "tables")
"""What a folder of results holds."""
_WAIT = 3.0  # seconds for the lock: the processes of a killed run hold it until they notice


class Workspace:
    """Use as a context: ``with Workspace("results") as space: …``.

    Parameters
    ----------
    results : the folder that the report will be in
    fresh : forget the finished jobs of an interrupted run

    Raises
    ------
    InputError
        If the place cannot be written to, holds something else, or another run is writing to it.
    """

    def __init__(self, results: str | Path, *, fresh: bool = False) -> None:
        self.results = Path(results).resolve()
        self.part = self.results.with_name(self.results.name + ".part")
        self._old = self.part / "old"
        self._fresh = fresh
        self._lock = FileLock(_lock_path(self.results), timeout=_WAIT)

    def __enter__(self) -> "Workspace":
        _check_replaceable(self.results)
        try:
            self.results.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as fault:
            raise InputError(
                f"another gapkit is writing to {self.results}; wait for it or name another folder"
            ) from fault
        except OSError as fault:
            raise InputError(f"cannot write to {self.results}: {fault.strerror or fault}") from fault
        try:
            if self._fresh and self.part.exists():
                self._recover()
                shutil.rmtree(self.part)
            self.part.mkdir(exist_ok=True)
            self._recover()
            (self.part / "jobs").mkdir(exist_ok=True)
            probe = self.part / "jobs" / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as fault:
            self._lock.release()
            raise InputError(f"cannot write to {self.results}: {fault.strerror or fault}") from fault
        return self

    def __exit__(self, *_) -> None:
        try:
            self._drop_if_empty()
        finally:
            self._lock.release()

    def _drop_if_empty(self) -> None:
        """Leave no folder behind if nothing was finished: a fault at the start then leaves no trace."""
        for folder in (self.part / "jobs", self.part):
            with contextlib.suppress(OSError):  # not there, or not empty
                folder.rmdir()

    @property
    def store(self) -> JobStore:
        """Where finished jobs are kept until the report is there."""
        return JobStore(self.part / "jobs")

    def publish(self, write: Callable[[Path], object]) -> Path:
        """Let ``write`` fill a new folder and put it in the place of the results.

        Returns
        -------
        The folder of results.
        """
        new = self.part / "report"
        try:
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            write(new)
            if self.results.exists():
                shutil.rmtree(self._old, ignore_errors=True)
                os.rename(self.results, self._old)
            os.rename(new, self.results)
            shutil.rmtree(self.part)
        except OSError as fault:
            self._recover()
            raise InputError(f"cannot write to {self.results}: {fault.strerror or fault}") from fault
        return self.results

    def _recover(self) -> None:
        """Undo a swap that was cut off between its two renames."""
        if self._old.exists() and not self.results.exists():
            os.rename(self._old, self.results)


def _lock_path(results: Path) -> str:
    """A lock outside the folders that come and go: deleting a lock that someone waits for breaks it."""
    owner = os.getuid() if hasattr(os, "getuid") else 0
    name = hashlib.sha256(os.fsencode(results)).hexdigest()[:16]
    return str(Path(tempfile.gettempdir()) / f"gapkit-{owner}-{name}.lock")


def _check_replaceable(folder: Path) -> None:
    """Only an empty folder, or one that gapkit has written, may be replaced."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is a file; the results need a folder")
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as fault:
        raise InputError(f"cannot read {folder}: {fault.strerror or fault}") from fault
    others = sorted(name for name in names if name not in OURS and not name.startswith("."))
    if others:
        raise InputError(
            f"{folder} holds other files, such as {others[0]}, which the results would replace; "
            "name another folder with --out, or move them away"
        )
