"""The exact robustness against sampling, against scipy, and as the problem grows.

Sampling to the same error would take hours: its time is extrapolated from a few measured draws, and the rows
say so.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from scipy import stats

from benchmarks.clock import best, once
from benchmarks.memory import growth, in_a_fresh_process
from benchmarks.rows import Row
from gapkit.closing import advise
from gapkit.geometry import galleries
from gapkit.robustness import robustness

DIMENSION = 512
ERROR = 1e-4
LEVELS = (0.02, 0.07, 0.2)


def problem(queries: int, candidates: int, dimension: int = DIMENSION, seed: int = 0) -> list[np.ndarray]:
    """Unit queries, each near one of the unit candidates, with a gap between the two sides."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((candidates, dimension)) / np.sqrt(dimension)
    gap = rng.standard_normal(dimension) / np.sqrt(dimension)
    y = 0.3 * x[rng.integers(candidates, size=queries)] + rng.standard_normal((queries, dimension)) / np.sqrt(
        dimension
    )
    return [z / np.linalg.norm(z, axis=1, keepdims=True) for z in (y + 0.8 * gap, x - 0.8 * gap)]


def _growth_of(queries: int, candidates: int, sigma: float) -> float:
    y, x = problem(queries, candidates)
    robustness(y[:50], x, sigma)  # libraries and threads are not what is asked for
    return growth(lambda: robustness(y, x, sigma))


def on_cuda(y: np.ndarray, x: np.ndarray, sigma: float, repeats: int) -> Iterator[Row]:
    """The same problem on a graphics card against the processor's cores; no row where there is no card."""
    if not torch.cuda.is_available():
        return
    there = [torch.from_numpy(z).cuda() for z in (y, x)]

    def run() -> None:
        robustness(*there, sigma)
        torch.cuda.synchronize()

    run()
    found = best({"card": run, "processor": lambda: robustness(y, x, sigma)}, repeats)
    what = f"on {torch.cuda.get_device_name()}, {len(y):,} × {len(x)} × {DIMENSION}, σ = {sigma:g}"
    against = f"the processor, {torch.get_num_threads()} threads"
    yield Row(what, found["card"], against=against, other=found["processor"], least_speedup=20)


def loop(y: np.ndarray, x: np.ndarray, sigma: float, draws: int) -> np.ndarray:
    """What one would write first: a loop over draws and queries."""
    rng = np.random.default_rng(0)
    clean = [np.linalg.norm(x - query, axis=1).argmin() for query in y]
    kept = np.zeros(len(y))
    for _ in range(draws):
        noisy = x + sigma * rng.standard_normal(x.shape)
        for i, query in enumerate(y):
            kept[i] += np.linalg.norm(noisy - query, axis=1).argmin() == clean[i]
    return kept / draws


def by_scipy(y: np.ndarray, x: np.ndarray, sigma: float, nodes: int = 136) -> np.ndarray:
    """The same integral, every tail from scipy's noncentral χ², on as many nodes as gapkit's panels have."""
    values = []
    for query in y:
        lam = ((x - query) ** 2).sum(1) / sigma**2
        best = lam.argmin()
        middle = np.sqrt(lam[best] + x.shape[1])
        r, width = np.linspace(middle - 7, middle + 7, nodes, retstep=True)
        tails = 1 - stats.ncx2.cdf(r**2, x.shape[1], np.delete(lam, best)[:, None])
        values.append((2 * r * stats.ncx2.pdf(r**2, x.shape[1], lam[best]) * tails.prod(0)).sum() * width)
    return np.array(values)


def rows(*, quick: bool = False, repeats: int = 3) -> Iterator[Row]:
    """All rows."""
    queries, candidates = (1_000, 100) if quick else (10_000, 100)
    y, x = problem(queries, candidates)
    robustness(y[:50], x, 0.07)
    size = f"{queries:,} × {candidates} × {DIMENSION}"
    for sigma in LEVELS:
        yield _alone(f"euclidean, {size}, σ = {sigma:g}", y, x, sigma, repeats, 2.5)
    wide = problem(100 if quick else 1_000, 10_000)
    yield _alone(f"euclidean, {len(wide[0]):,} × 10,000 × {DIMENSION}, σ = 0.07", *wide, 0.07, 1, 10.0)
    few = problem(500, 100)
    for metric in ("euclidean", "dot", "cosine"):
        yield _alone(f"{metric}, 500 × 100 × {DIMENSION}, σ = 0.07", *few, 0.07, repeats, None, metric)
    for sigma in LEVELS:
        megabytes = in_a_fresh_process(_growth_of, queries, candidates, sigma)
        yield Row(f"memory, {size}, σ = {sigma:g}", megabytes, "MB", most=500)
    yield from _large(100 if quick else 1_000, 20_000 if quick else 100_000, repeats)
    megabytes = in_a_fresh_process(_growth_of_a_map, 100 if quick else 1_000, 50_000 if quick else 1_000_000)
    yield Row(
        "memory, euclidean, 1,000 × 1,000,000 × 512 in a memory map (quick: less)", megabytes, "MB", most=1500
    )
    yield from _advice(300 if quick else 1_000)
    yield from on_cuda(y, x, 0.07, repeats)
    yield from _against_others(*few, repeats)
    yield from _growth(repeats, quick)


def large_problem(queries: int, candidates: int, noise: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    """Unit queries near rows of a large gallery of unit rows, in float32, across a gap."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((candidates, DIMENSION), dtype=np.float32)
    x /= np.linalg.norm(x, axis=1)[:, None]
    y = x[:queries] + noise * rng.standard_normal((queries, DIMENSION), dtype=np.float32) / DIMENSION**0.5
    y[:, 0] += 0.8
    return y / np.linalg.norm(y, axis=1)[:, None], x


def _large(queries: int, candidates: int, repeats: int) -> Iterator[Row]:
    """Large galleries against their float64 product, side by side; what differs from the dense road stands beside."""
    y, x = large_problem(queries, candidates)
    wide_y, wide_x = (torch.from_numpy(side).double() for side in (y, x))

    def product() -> None:
        for part in wide_y.split(100):
            part @ wide_x.T

    for metric, sigma, most in (
        ("euclidean", 0.08, 2.0),
        ("euclidean", 0.06, 1.5),
        ("dot", 0.115, 2.0),
        ("cosine", 0.09, 10.0),
    ):
        values = robustness(y, x, sigma, metric=metric)
        some = slice(0, 50 if metric != "cosine" else 3)  # the dense road takes seconds for a cosine
        with mock.patch.object(galleries, "LARGE", candidates + 1):
            apart = np.abs(robustness(y[some], x, sigma, metric=metric) - values[some]).max()
        found = best(
            {"": lambda s=sigma, m=metric: robustness(y, x, s, metric=m), "product": product}, repeats
        )
        what = (
            f"{metric}, {queries:,} × {candidates:,} × {DIMENSION}, σ = {sigma:g}, mean {values.mean():.4f}, "
            f"at most {apart:.1g} from the dense road"
        )
        against = (
            "the float64 product" if apart <= 2e-5 else "the float64 product; TOO FAR FROM THE DENSE ROAD"
        )
        yield Row(
            what,
            found[""],
            against=against,
            other=found["product"],
            most_ratio=most if apart <= 2e-5 else 0.0,
        )


def _growth_of_a_map(queries: int, candidates: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gallery.npy"
        out = np.lib.format.open_memmap(path, "w+", np.float32, (candidates, DIMENSION))
        rng = np.random.default_rng(0)
        for first in range(0, candidates, 10_000):
            part = rng.standard_normal((min(10_000, candidates - first), DIMENSION), dtype=np.float32)
            out[first : first + len(part)] = part / DIMENSION**0.5
        out.flush()
        del out
        mapped = np.load(path, mmap_mode="r")
        y = np.asarray(mapped[:queries]) + np.float32(0.01)
        robustness(y[:5], mapped[:2_000], 0.115)
        return growth(lambda: robustness(y, mapped, 0.115))


def _advice(size: int) -> Iterator[Row]:
    """Everything that ``gapkit advise`` compares: three metrics and their closers, σ calibrated first."""
    what = f"advise, {size:,} × {size:,} × {DIMENSION}"
    seconds, megabytes = in_a_fresh_process(_advised, size)
    yield Row(what, seconds, most=20)
    yield Row(f"memory, {what}", megabytes, "MB", most=1000)


def _advised(size: int) -> tuple[float, float]:
    y, x = problem(size, size)
    advise(y[:20], x[:20])
    seconds = []
    megabytes = growth(lambda: seconds.append(once(lambda: advise(y, x))))
    return seconds[0], megabytes


def _alone(what: str, y, x, sigma: float, repeats: int, most: float | None, metric="euclidean") -> Row:
    (seconds,) = best({"": lambda: robustness(y, x, sigma, metric=metric)}, repeats).values()
    return Row(what, seconds, most=most)


def _against_others(y: np.ndarray, x: np.ndarray, repeats: int) -> Iterator[Row]:
    """Sampling to a root-mean-square error of ``ERROR`` a query, and scipy, on one problem."""
    sigma, what = 0.07, "exact, 500 × 100 × 512"
    (ours,) = best({"": lambda: robustness(y, x, sigma)}, repeats).values()
    values = robustness(y, x, sigma)
    needed = float((values * (1 - values)).mean()) / ERROR**2
    measured = {
        "Monte Carlo": (lambda n: robustness(y, x, sigma, method="monte-carlo", draws=n), 20, 10_000),
        "a loop over draws and queries": (lambda n: loop(y, x, sigma, n), 1, None),
    }
    for name, (run, draws, bar) in measured.items():
        theirs = once(lambda run=run, draws=draws: run(draws)) / draws * needed
        against = f"{name} to an error of {ERROR:g}: {needed:.2g} draws, extrapolated from {draws}"
        yield Row(what, ours, against=against, other=theirs, least_speedup=bar)
    part = 20
    theirs = once(lambda: by_scipy(y[:part], x, sigma)) * len(y) / part
    yield Row(what, ours, against=f"scipy's noncentral χ², extrapolated from {part} queries", other=theirs)


def _growth(repeats: int, quick: bool) -> Iterator[Row]:
    """How the time grows when one size doubles twice."""
    base = {"queries": 1_000, "candidates": 100, "dimension": 256}
    for name in base:
        sizes = {factor: base | {name: base[name] * factor} for factor in (1, 4)}
        sets = {factor: problem(*size.values()) for factor, size in sizes.items()}
        runs = {factor: lambda s=s: robustness(*s, 0.07) for factor, s in sets.items()}
        found = best(runs, 1 if quick else repeats)
        what = f"growth: {name} × 4, from {base[name]:,} to {4 * base[name]:,}"
        yield Row(what, found[4], against="the smaller one", other=found[1])
