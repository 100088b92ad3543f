"""The engine: what a task costs beside its work, what a second worker brings, and how it fares with many workers."""

import contextlib
import functools
import os
import tempfile
import time
from collections.abc import Iterator
from unittest import mock

from benchmarks.clock import once
from benchmarks.embedding import noise
from benchmarks.rows import Row
from gapkit import engine
from gapkit.encoders import load_model
from gapkit.encoders.embedding import embed_to_file
from gapkit.experiments import plan
from gapkit.experiments.sweep import replicate

WORKERS = (2, 4, 8, 16, 32, 64)
_SHORTENED = 10
"""Waiting so many times shorter than the work took makes a task's overhead weigh so many times more."""


def every(function, tasks, **where) -> None:
    """All results, of which none is wanted."""
    for _ in engine.run(function, tasks, **where):
        pass


def with_joblib(function, tasks, processes: int) -> None:
    """What the local processes would be with joblib's: interpreters of their own, which import everything anew."""
    from joblib import Parallel, delayed

    list(Parallel(n_jobs=processes, return_as="generator_unordered")(map(delayed(function), tasks)))


def overhead(tasks: int) -> Row:
    """Of a task that does nothing, on two workers."""
    with engine.connect("local:2") as client:
        every(abs, range(8), cluster=client)  # the workers import what they need
        seconds = once(lambda: every(abs, range(tasks), cluster=client))
    return Row("a task that does nothing, on a cluster of two workers", seconds / tasks, most=0.02)


def pool() -> Row:
    """Two local processes, from their start to their end, against joblib's."""
    tasks = [0.05] * 40
    ours, theirs = (
        once(lambda: every(time.sleep, tasks, processes=2)),
        once(lambda: with_joblib(time.sleep, tasks, 2)),
    )
    return Row(
        "40 tasks of 50 ms in two processes", ours, against="joblib's loky", other=theirs, most_ratio=1.1
    )


def second_worker(count: int) -> Row:
    """Embedding with one worker and with two, of one thread each."""
    model, seconds = load_model("ViT-B-32/random"), {}
    for workers in (1, 2):
        with engine.connect(f"local:{workers}") as client:
            embed = functools.partial(embed_to_file, model, batch_size=4, cluster=client)
            embed(noise(64 * workers, 64, seed=9 - workers))  # each worker has loaded the model
            data = noise(count, 224, seed=workers)
            seconds[workers] = once(lambda embed=embed, data=data: embed(data))
    what = f"embedding {count:,} images, ViT-B-32/random, two workers"
    return Row(what, seconds[2], against="one worker", other=seconds[1], least_speedup=1.7)


def many_workers(lengths: list[float], workers: int) -> Row:
    """The real scheduler, and workers in this process that only wait as long as each measurement took."""
    from distributed import Client, LocalCluster

    options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None, "memory_limit": 0}
    with (
        mock.patch.object(engine, "_ONE_TASK", contextlib.nullcontext()),  # here all workers are one process
        LocalCluster(processes=False, **options) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        every(time.sleep, [0.01] * 2 * workers, cluster=client)
        seconds = once(lambda: every(time.sleep, lengths, cluster=client))
    ideal = max(sum(lengths) / workers, max(lengths))
    what = f"{len(lengths)} measurements, {_SHORTENED} times shorter, {workers} workers that wait"
    return Row(what, seconds, against="shared out evenly, no shorter than the longest", other=ideal)


def rows(*, quick: bool = False, repeats: int = 3) -> Iterator[Row]:
    """All rows."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["GAPKIT_CACHE"] = cache
        yield overhead(100 if quick else 400)
        yield pool()
        yield second_worker(256 if quick else 1024)
        only = ("gap", "orthogonality", "retrieval") if quick else ()
        results = replicate(plan(only=only), processes=2).results
        lengths = sorted((result.seconds / _SHORTENED for result in results), reverse=True)
        for workers in WORKERS:
            yield many_workers(lengths, workers)
