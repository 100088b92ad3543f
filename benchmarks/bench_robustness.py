"""The exact robustness against sampling, against scipy, and as the problem grows.

    python benchmarks/bench_robustness.py
    python benchmarks/bench_robustness.py --quick

Sampling to the same error would take hours: its time is extrapolated from a few measured draws, and the rows
say so. Times are the best of a few runs; what counts are the ratios.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from memory import growth, in_a_fresh_process
from scipy import stats

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


def best_of(function: Callable, repeats: int) -> float:
    """Least wall-clock seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def _growth_of(queries: int, candidates: int, sigma: float) -> float:
    y, x = problem(queries, candidates)
    robustness(y[:50], x, sigma)  # libraries and threads are not what is asked for
    return growth(lambda: robustness(y, x, sigma))


def extra_memory(queries: int, candidates: int, sigma: float) -> float:
    """The most megabytes a fresh process grows by while the exact values are computed."""
    return in_a_fresh_process(_growth_of, queries, candidates, sigma)


def on_cuda(y: np.ndarray, x: np.ndarray, sigma: float, repeats: int) -> list[dict]:
    """The same problem on a graphics card against the processor's cores; no row where there is no card."""
    if not torch.cuda.is_available():
        return []
    there = [torch.from_numpy(z).cuda() for z in (y, x)]

    def run() -> None:
        robustness(*there, sigma)
        torch.cuda.synchronize()

    run()
    theirs = best_of(lambda: robustness(y, x, sigma), repeats)
    what = f"on {torch.cuda.get_device_name()}, {len(y):,} × {len(x)} × {DIMENSION}, σ = {sigma:g}"
    against = f"the processor, {torch.get_num_threads()} threads"
    return [_pair(what, best_of(run, repeats), against, theirs, 20)]


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


def results(*, quick: bool = False, repeats: int = 3) -> list[dict]:
    """One row a measurement, as `bench_geometry.results` gives them."""
    queries, candidates = (1_000, 100) if quick else (10_000, 100)
    y, x = problem(queries, candidates)
    robustness(y[:50], x, 0.07)
    rows = []
    for sigma in LEVELS:
        rows.append(
            _alone(
                f"euclidean, {queries:,} × {candidates} × {DIMENSION}, σ = {sigma:g}",
                y,
                x,
                sigma,
                repeats,
                2.5,
            )
        )
    wide = problem(100 if quick else 1_000, 10_000)
    rows.append(_alone(f"euclidean, {len(wide[0]):,} × 10,000 × {DIMENSION}, σ = 0.07", *wide, 0.07, 1, 10.0))
    few = problem(500, 100)
    for metric in ("euclidean", "dot", "cosine"):
        rows.append(
            _alone(f"{metric}, 500 × 100 × {DIMENSION}, σ = 0.07", *few, 0.07, repeats, None, metric=metric)
        )
    rows += [
        {
            "what": f"memory, {queries:,} × {candidates} × {DIMENSION}, σ = {sigma:g}",
            "megabytes": extra_memory(queries, candidates, sigma),
            "bar": 500,
        }
        for sigma in LEVELS
    ]
    rows += on_cuda(y, x, 0.07, repeats)
    return rows + _against_others(*few, repeats) + _growth(repeats, quick)


def _alone(
    what: str,
    y: np.ndarray,
    x: np.ndarray,
    sigma: float,
    repeats: int,
    bar: float | None,
    metric: str = "euclidean",
) -> dict:
    seconds = best_of(lambda: robustness(y, x, sigma, metric=metric), repeats)
    return {"what": what, "seconds": seconds, "bar_seconds": bar}


def _against_others(y: np.ndarray, x: np.ndarray, repeats: int) -> list[dict]:
    """Sampling to a root-mean-square error of ``ERROR`` a query, and scipy, on one problem."""
    sigma, rows = 0.07, []
    ours = best_of(lambda: robustness(y, x, sigma), repeats)
    values = robustness(y, x, sigma)
    needed = float((values * (1 - values)).mean()) / ERROR**2
    measured = {
        "Monte Carlo": (lambda n: robustness(y, x, sigma, method="monte-carlo", draws=n), 20, 10_000),
        "a loop over draws and queries": (lambda n: loop(y, x, sigma, n), 1, None),
    }
    for name, (run, draws, bar) in measured.items():
        theirs = best_of(lambda run=run, draws=draws: run(draws), 1) / draws * needed
        against = f"{name} to an error of {ERROR:g}: {needed:.2g} draws, extrapolated from {draws}"
        rows.append(_pair("exact, 500 × 100 × 512", ours, against, theirs, bar))
    part = 20
    theirs = best_of(lambda: by_scipy(y[:part], x, sigma), 1) * len(y) / part
    rows.append(
        _pair(
            "exact, 500 × 100 × 512",
            ours,
            f"scipy's noncentral χ², extrapolated from {part} queries",
            theirs,
            None,
        )
    )
    return rows


def _pair(what: str, ours: float, against: str, theirs: float, bar: float | None) -> dict:
    return {
        "what": what,
        "seconds": ours,
        "against": against,
        "its_seconds": theirs,
        "speedup": theirs / ours,
        "least_speedup": bar,
    }


def _growth(repeats: int, quick: bool) -> list[dict]:
    """How the time grows when one size doubles twice."""
    base = {"queries": 1_000, "candidates": 100, "dimension": 256}
    rows = []
    for name in base:
        sizes = [base | {name: base[name] * factor} for factor in (1, 4)]
        sets = [problem(*size.values()) for size in sizes]
        small, large = (best_of(lambda s=s: robustness(*s, 0.07), 1 if quick else repeats) for s in sets)
        what = f"growth: {name} × 4, from {base[name]:,} to {4 * base[name]:,}"
        rows.append(
            {
                "what": what,
                "seconds": large,
                "against": "the smaller one",
                "its_seconds": small,
                "ratio": large / small,
            }
        )
    return rows


def line(row: dict) -> str:
    """One row as a sentence."""
    if "megabytes" in row:
        return f"{row['what']}: {row['megabytes']:.0f} MB (bar {row['bar']:g})"
    text = f"{row['what']}: {row['seconds']:.3f} s"
    if row.get("bar_seconds") is not None:
        text += f" (bar {row['bar_seconds']:g} s)"
    if "against" in row:
        text += f"; {row['against']}: {row['its_seconds']:.3g} s; "
        text += f"{row['speedup']:.3g} times faster" if "speedup" in row else f"ratio {row['ratio']:.2f}"
        if row.get("least_speedup") is not None:
            text += f" (bar {row['least_speedup']:,})"
    return text


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="smaller problems")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    print(f"{torch.get_num_threads()} threads")
    for row in results(quick=options.quick, repeats=options.repeats):
        print(line(row), flush=True)


if __name__ == "__main__":
    main()
