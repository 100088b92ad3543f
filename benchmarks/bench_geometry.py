"""The geometry measures against their limits: memory bandwidth, bare matrix products, plain numpy.

    python benchmarks/bench_geometry.py                  # a million pairs: 4 GB of scratch files
    python benchmarks/bench_geometry.py --pairs 100000

Times are the best of a few interleaved runs, so that a busy machine disturbs both sides of a ratio alike;
what counts are the ratios. Memory is what a process of its own needs beyond the mapped files.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from memory import growth, in_a_fresh_process

from gapkit.geometry import cone_statistics, measure, measure_stream, rmg

DIMENSION = 512
BLOCK = 8192


def write_pairs(folder: Path, pairs: int, dimension: int = DIMENSION) -> list[Path]:
    """Two .npy files of unit float32 rows with a gap between them, written block by block."""
    rng = np.random.default_rng(0)
    paths = [folder / "gallery.npy", folder / "queries.npy"]
    for path, offset in zip(paths, (0.03, -0.03), strict=True):
        matrix = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(pairs, dimension))
        for start in range(0, pairs, BLOCK):
            block = rng.standard_normal((min(BLOCK, pairs - start), dimension), dtype=np.float32)
            block = block / dimension**0.5 + np.float32(offset)
            matrix[start : start + len(block)] = block / np.linalg.norm(block, axis=1, keepdims=True)
        matrix.flush()
    return paths


def mapped(paths: list[Path]) -> list[np.ndarray]:
    """The files as fresh memory maps."""
    return [np.load(path, mmap_mode="r") for path in paths]


def bare_sum(x: np.ndarray, y: np.ndarray) -> None:
    """One `torch.sum` over either side: the least that reading the data costs."""
    for z in (x, y):
        torch.from_numpy(z).sum()


def bare_products(x: np.ndarray, y: np.ndarray) -> None:
    """ZᵀZ of either side, block by block, and nothing else."""
    for z in (x, y):
        for block in torch.from_numpy(z).split(BLOCK):
            block.T @ block


def plain_measures(x: np.ndarray, y: np.ndarray) -> None:
    """What one would write in numpy, whole matrices at a time."""
    unit = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y)]
    np.linalg.norm(x.mean(0) - y.mean(0))
    np.linalg.norm(x - y, axis=1).mean()
    (unit[0] * unit[1]).sum(1).mean()
    for u in unit:
        np.linalg.norm(u.sum(0))


def all_cosines(x: np.ndarray, y: np.ndarray) -> None:
    """RMG's cosines inside a modality the quadratic way."""
    for z in (x, y):
        u = z / np.linalg.norm(z, axis=1, keepdims=True)
        (u @ u.T).mean()


def interleaved(functions: dict[str, Callable], repeats: int) -> dict[str, float]:
    """Best wall-clock seconds of each function, run in turns."""
    best = dict.fromkeys(functions, float("inf"))
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def _streaming_growth(paths: list[Path], covariance: bool) -> float:
    x, y = mapped(paths)
    # libraries and threads are not what is asked for
    measure_stream(x[:1000], y[:1000], covariance=covariance)
    return growth(lambda: measure_stream(x, y, covariance=covariance))


def extra_memory(paths: list[Path], covariance: bool) -> float:
    """The most megabytes a fresh process needs beyond the mapped files."""
    return in_a_fresh_process(_streaming_growth, paths, covariance)


def results(*, pairs: int = 1_000_000, repeats: int = 3, folder: Path | None = None) -> list[dict]:
    """One row a measurement: what, seconds, against what, ratio, and the bar where there is one."""
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    rows = []

    def compare(what: str, against: str, functions: dict[str, Callable], bar: float | None = None) -> None:
        best = interleaved(functions, repeats)
        rows.append(
            {"what": what, "seconds": best["ours"], "against": against, "its_seconds": best["theirs"]}
            | {"ratio": best["ours"] / best["theirs"], "bar": bar}
        )

    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        paths = write_pairs(Path(scratch), pairs)
        size = f"{pairs:,} pairs, d={DIMENSION}, memory-mapped float32"
        streamed = {
            "ours": lambda: measure_stream(*mapped(paths)),
            "theirs": lambda: bare_sum(*mapped(paths)),
        }
        compare(f"streamed measures, {size}", "one torch.sum of the same data", streamed, 8.0)
        products = {
            "ours": lambda: measure_stream(*mapped(paths), covariance=True),
            "theirs": lambda: bare_products(*mapped(paths)),
        }
        compare(f"the same with covariances, {size}", "the bare matrix products", products, 1.5)
        for covariance in (False, True):
            name = "with covariances" if covariance else "without covariances"
            rows.append(
                {"what": f"memory beyond the files, {name}", "megabytes": extra_memory(paths, covariance)}
            )
        few = [np.array(z[: min(pairs, 50_000)]) for z in mapped(paths)]
        small = [np.array(z[: min(pairs, 5_000)]) for z in mapped(paths)]
    compare(
        f"streamed measures, {len(few[0]):,} pairs in memory",
        "plain numpy in float32, whole matrices",
        {"ours": lambda: measure_stream(*few), "theirs": lambda: plain_measures(*few)},
    )
    compare(
        f"measure, {len(few[0]):,} pairs, all in float64 and with both spectra",
        "plain numpy in float32, without the spectra",
        {"ours": lambda: measure(*few), "theirs": lambda: plain_measures(*few)},
    )
    compare(
        f"rmg, {len(small[0]):,} pairs, from sums",
        "all cosines by matrix products",
        {"ours": lambda: rmg(*small), "theirs": lambda: all_cosines(*small)},
    )
    compare(
        f"cone_statistics with spread, {len(small[0]):,} rows",
        "all cosines by matrix products",
        {"ours": lambda: [cone_statistics(z) for z in small], "theirs": lambda: all_cosines(*small)},
    )
    return rows


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the scratch files go")
    options = parser.parse_args(arguments)
    print(f"{torch.get_num_threads()} threads")
    for row in results(pairs=options.pairs, repeats=options.repeats, folder=options.folder):
        if "megabytes" in row:
            print(f"{row['what']}: {row['megabytes']:.0f} MB", flush=True)
            continue
        bar = "" if row["bar"] is None else f" (bar {row['bar']:g})"
        print(
            f"{row['what']}: {row['seconds']:.3f} s; {row['against']}: {row['its_seconds']:.3f} s; ratio {row['ratio']:.2f}{bar}"
        )


if __name__ == "__main__":
    main()
