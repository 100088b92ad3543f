"""A sweep is a list of independent jobs; finished ones are kept, so an interrupted sweep goes on.

A job's result is kept in a file of its own, named after a key that changes with everything the result
depends on: the job, the data, the package's version and the source of its numerics. Files are swapped in
whole, so what lies in the store is finished, whenever a run was stopped.
"""

import functools
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import gapkit
from gapkit._files import write_text
from gapkit.experiments.processes import as_done

Rows = list[dict]
NUMERICS = ("cli", "plots", "widgets", "report", "claims", "check")
"""Parts of the package that no measurement depends on; all others count into a job's key."""


@dataclass(frozen=True)
class Job:
    """One measurement that needs no other.

    Attributes
    ----------
    experiment : name of the experiment
    model, dataset : of the embeddings; empty where it needs none
    seed : of everything random in it
    options : what else the experiment is told, as plain values
    """

    experiment: str
    model: str = ""
    dataset: str = ""
    seed: int = 0
    options: dict = field(default_factory=dict)

    def __str__(self) -> str:
        where = "/".join(part for part in (self.model, self.dataset) if part)
        return f"{self.experiment}, {where}" if where else self.experiment

    def key(self, data_hash: str = "") -> str:
        """The sha256 of all that the result depends on.

        >>> Job("gap", "a", "b").key() == Job("gap", "a", "b").key() != Job("gap", "a", "b", seed=1).key()
        True
        """
        parts = {"job": asdict(self), "data": data_hash, "version": gapkit.__version__, "code": code_hash()}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Result:
    """What a job measured: tables by name, each a list of rows."""

    job: Job
    key: str
    tables: dict[str, Rows]
    seconds: float
    data_hash: str = ""


@functools.cache
def code_hash() -> str:
    """The sha256 of the package's source, without the parts that no measurement depends on."""
    root = Path(gapkit.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if relative.parts[0].removesuffix(".py") not in NUMERICS:
            digest.update(f"{relative.as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()


class JobStore:
    """Finished jobs in a folder, one file each."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def _path(self, job: Job, key: str) -> Path:
        words = "-".join(part for part in (job.experiment, job.model, job.dataset) if part)
        safe = "".join(c if c.isalnum() or c in "-.@" else "_" for c in words)[:80]
        return self.folder / f"{safe}-{key[:16]}.json"

    def read(self, job: Job, key: str) -> Result | None:
        """The kept result, or None if there is none (a damaged file counts as none)."""
        try:
            kept = json.loads(self._path(job, key).read_text(encoding="utf-8"))
            if kept["key"] != key:
                return None
            return Result(job, key, kept["tables"], kept["seconds"], kept["data_hash"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, result: Result) -> None:
        """Keep a finished job, whole or not at all."""
        content = {
            "key": result.key,
            "job": asdict(result.job),
            "seconds": result.seconds,
            "data_hash": result.data_hash,
            "tables": result.tables,
        }
        write_text(self._path(result.job, result.key), json.dumps(content))


def run_jobs(
    jobs: Iterable[Job],
    measure: Callable[[Job], dict[str, Rows]],
    *,
    store: JobStore | None = None,
    data_hash: Callable[[Job], str] = lambda job: "",
    processes: int = 1,
    begin: Callable[[], object] | None = None,
) -> Iterator[Result]:
    """Run the jobs, or take them from the store, and yield each when it is there.

    Parameters
    ----------
    jobs : any number of `Job`
    measure : does one job; gives tables of plain values
    store : where finished jobs are kept; None keeps nothing
    data_hash : the hash of the data a job reads
    processes : how many jobs are done at once
    begin : called once in each process, if there are several

    Yields
    ------
    Result of each job as they are finished: kept ones first, with one process in the order of ``jobs``.
    Fresh and kept results are the same: both have gone through JSON.
    """
    left = []
    for job in jobs:
        digest = data_hash(job)
        key = job.key(digest)
        kept = store.read(job, key) if store else None
        if kept is None:
            left.append((job, key, digest))
        else:
            yield kept
    work = functools.partial(_timed, measure)
    waiting = [job for job, _, _ in left]
    if processes > 1 and len(left) > 1:
        done = as_done(work, waiting, processes=min(processes, len(left)), begin=begin)
    else:
        done = enumerate(map(work, waiting))
    for position, (tables, seconds) in done:
        job, key, digest = left[position]
        result = Result(job, key, tables, seconds, digest)
        if store:
            store.write(result)
        yield result


def _timed(measure: Callable[[Job], dict[str, Rows]], job: Job) -> tuple[dict[str, Rows], float]:
    start = time.perf_counter()
    tables = json.loads(json.dumps(measure(job)))
    return tables, time.perf_counter() - start
