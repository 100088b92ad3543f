"""A replication: all its jobs done, their rows put together into tables, and the family compared."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from gapkit.experiments.family import compare_family, compare_temperatures
from gapkit.experiments.processes import limit_threads
from gapkit.experiments.registry import experiment
from gapkit.experiments.subject import data_hash, embedded_files, use_files
from gapkit.experiments.sweep import Job, JobStore, Result, Rows, run_jobs


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


def replicate(
    jobs: Sequence[Job],
    *,
    store: JobStore | None = None,
    on_done: Callable[[int, int, Result], object] | None = None,
    processes: int = 1,
) -> Replication:
    """Do all jobs, or take finished ones from the store, and put their tables together.

    Parameters
    ----------
    jobs : as `gapkit.experiments.plan` gives them
    store : where finished jobs are kept, so that an interrupted replication goes on
    on_done : called after each job with the number done, the number of all, and its result
    processes : how many jobs are done at once, each on one thread if more than one; the numbers are the same
    """
    begin = functools.partial(_begin, embedded_files())
    results = []
    for result in run_jobs(
        jobs, _measure, store=store, data_hash=data_hash, processes=processes, begin=begin
    ):
        results.append(result)
        if on_done:
            on_done(len(results), len(jobs), result)
    results.sort(key=lambda result: jobs.index(result.job))
    return Replication(tables_of(results), tuple(results))


def tables_of(results: Iterable[Result]) -> dict[str, pd.DataFrame]:
    """The rows of all jobs by table, and what only all members of the family together can say."""
    rows: dict[str, Rows] = {}
    seed = 0
    for result in results:
        seed = result.job.seed
        for name, some in result.tables.items():
            rows.setdefault(name, []).extend(some)
    tables = {name: pd.DataFrame(some) for name, some in rows.items()}
    if "family" in tables:
        tables["family.checks"] = pd.DataFrame(compare_family(tables["family"], seed))
    if "formation" in tables:
        tables["formation.checks"] = pd.DataFrame(compare_temperatures(tables["formation"], seed))
    return tables


def _begin(files: Mapping) -> None:
    """Make a worker process like the first one: the same prepared embeddings, and one thread."""
    limit_threads(1)
    use_files(files)


def _measure(job: Job) -> dict[str, Rows]:
    return experiment(job.experiment).measure(job)
