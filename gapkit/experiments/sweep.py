"""A replication is a list of independent jobs; finished ones are kept, so an interrupted one goes on.

A job's result is kept in a file of its own, named after a key that changes with everything the result
depends on: the job, the bytes it reads, the source that measures and the libraries under it. Files are swapped in
whole, so what lies in the store is finished, whenever a run was stopped.
"""

import functools
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from gapkit import engine
from gapkit._files import write_text
from gapkit.experiments.plan import locate
from gapkit.experiments.record import Job, Rows, experiment, experiments

Tables = dict[str, Rows]


@dataclass(frozen=True)
class Result:
    """What a job measured: tables by name, each a list of rows."""

    job: Job
    tables: Tables
    seconds: float


@dataclass(frozen=True)
class Replication:
    """What came out of a list of jobs.

    Attributes
    ----------
    tables : name -> tidy table; units are in the column names, σ is per coordinate
    results : of each job, in order
    """

    tables: dict[str, pd.DataFrame]
    results: tuple[Result, ...]


class JobStore:
    """Finished jobs in a folder, one file each."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def _path(self, job: Job) -> Path:
        words = "-".join(part for part in (job.experiment, job.model, job.dataset) if part)
        safe = re.sub(r"[^\w.@-]", "_", words, flags=re.ASCII)[:80]
        return self.folder / f"{safe}-{job.key()[:16]}.json"

    def read(self, job: Job) -> Result | None:
        """The kept result, or None if there is none (a damaged file counts as none)."""
        try:
            kept = json.loads(self._path(job).read_text(encoding="utf-8"))
            return Result(job, kept["tables"], kept["seconds"]) if kept["key"] == job.key() else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, result: Result) -> None:
        """Keep a finished job, whole or not at all."""
        job = result.job
        content = {"key": job.key(), "job": job.as_dict(), "data_sha256": job.sha256}
        content |= {"seconds": result.seconds, "tables": result.tables}
        write_text(self._path(job), json.dumps(content))


def measure(job: Job) -> Result:
    """Run one job in this process."""
    return _timed(_tables_of_job, job)


def run_jobs(
    jobs: Iterable[Job],
    function: Callable[[Job], Tables],
    *,
    store: JobStore | None = None,
    processes: int = 1,
    cluster: Any = None,
) -> Iterator[Result]:
    """Run the jobs, or take them from the store, and yield each when it is there.

    Parameters
    ----------
    jobs : any number of `Job`
    function : does one job; gives tables of plain values
    store : where finished jobs are kept; None keeps nothing
    processes, cluster : where and how many are done at once, see `gapkit.engine.run`. What a job reads is sent to workers that
        do not see it; the store stays here

    Yields
    ------
    Result of each job as they are finished: kept ones first, with one process in the order of ``jobs``.
    Fresh and kept results are the same: both have gone through JSON.
    """
    left = []
    for job in jobs:
        kept = store.read(job) if store else None
        if kept is None:
            left.append(job)
        else:
            yield kept
    timed = functools.partial(_timed, function)
    for _, result in engine.run(timed, left, processes=processes, cluster=cluster, pack=_with_file):
        if store:
            store.write(result)
        yield result


def replicate(
    jobs: Sequence[Job],
    *,
    store: JobStore | None = None,
    on_done: Callable[[int, int, Result], object] | None = None,
    processes: int = 1,
    cluster: Any = None,
) -> Replication:
    """Do all jobs, or take finished ones from the store, and put their tables together.

    Parameters
    ----------
    jobs : as `gapkit.experiments.plan` gives them
    store : where finished jobs are kept, so that an interrupted replication goes on
    on_done : called after each job with the number done, the number of all, and its result
    processes : how many jobs are done at once, each on one thread if more than one; the numbers are the same
    cluster : of Dask, see `gapkit.engine.run`
    """
    jobs = [locate(job) for job in jobs]
    results = []
    for result in run_jobs(jobs, _tables_of_job, store=store, processes=processes, cluster=cluster):
        results.append(result)
        if on_done:
            on_done(len(results), len(jobs), result)
    results.sort(key=lambda result: jobs.index(result.job))
    return Replication(tables_of(results), tuple(results))


def tables_of(results: Iterable[Result]) -> dict[str, pd.DataFrame]:
    """The rows of all jobs by table, and what only all jobs of an experiment together can say."""
    rows: Tables = {}
    seed = 0
    for result in results:
        seed = result.job.seed
        for name, some in result.tables.items():
            rows.setdefault(name, []).extend(some)
    for record in experiments():
        if record.compare and record.name in rows:
            together = record.compare(pd.DataFrame(rows[record.name]), seed)
            rows.setdefault(f"{record.name}.checks", []).extend(together)
    return {name: pd.DataFrame(some) for name, some in rows.items()}


def _with_file(job: Job) -> tuple[Job, list[tuple[str, str]]]:
    return job, [(job.path, job.sha256)] if job.path else []


def _tables_of_job(job: Job) -> Tables:
    return experiment(job.experiment).measure(job)


def _timed(function: Callable[[Job], Tables], job: Job) -> Result:
    start = time.perf_counter()
    tables = json.loads(json.dumps(function(job)))
    return Result(job, tables, time.perf_counter() - start)
