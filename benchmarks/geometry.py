"""The geometry measures against their limits: memory bandwidth, bare matrix products, plain numpy.

A million pairs need 4 GB of scratch files, from a warm cache. Memory is what a process of its own needs beyond the mapped files.
"""

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.clock import best
from benchmarks.memory import growth, in_a_fresh_process
from benchmarks.rows import Row
from gapkit.embeddings.streaming import measure_files
from gapkit.geometry import cone_statistics, measure, rmg
from gapkit.geometry.streaming import measure_stream

DIMENSION = 512
BLOCK = 8192


def write_pairs(
    folder: Path, pairs: int, dimension: int = DIMENSION, dtype: str = "float32", files: int = 1
) -> list[Path]:
    """Numbered .npy files of unit rows, of each side so many, with a gap between the sides; written block by block."""
    rng = np.random.default_rng(0)
    paths = []
    for side, offset in {"gallery": 0.03, "queries": -0.03}.items():
        (folder / side).mkdir(parents=True)
        for number, rows in enumerate(np.diff(np.linspace(0, pairs, files + 1).astype(int)).tolist()):
            paths.append(folder / side / f"{side}_{number}.npy")
            matrix = np.lib.format.open_memmap(paths[-1], mode="w+", dtype=dtype, shape=(rows, dimension))
            for start in range(0, rows, BLOCK):
                block = rng.standard_normal((min(BLOCK, rows - start), dimension), dtype=np.float32)
                block = block / dimension**0.5 + np.float32(offset)
                matrix[start : start + len(block)] = block / np.linalg.norm(block, axis=1, keepdims=True)
            matrix.flush()
    return paths


def mapped(paths: list[Path]) -> list[np.ndarray]:
    """The files as fresh memory maps."""
    return [np.load(path, mmap_mode="r") for path in paths]


def bare_sum(*matrices: np.ndarray) -> None:
    """One `torch.sum` over each: the least that reading the data costs."""
    for z in matrices:
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


def measure_folder(folder: Path) -> dict:
    """`gapkit measure --images … --texts …`."""
    return measure_files([str(folder / "queries" / "*.npy")], [str(folder / "gallery" / "*.npy")]).values


def _folder_growth(folder: Path) -> float:
    measure_folder(folder)  # libraries and threads are not what is asked for
    return growth(lambda: measure_folder(folder))


def _streaming_growth(paths: list[Path], covariance: bool) -> float:
    x, y = mapped(paths)
    # libraries and threads are not what is asked for
    measure_stream(x[:1000], y[:1000], covariance=covariance)
    return growth(lambda: measure_stream(x, y, covariance=covariance))


def rows(*, quick: bool = False, repeats: int = 3) -> Iterator[Row]:
    """All rows."""
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    pairs = 50_000 if quick else 1_000_000

    def compare(what: str, ours: Callable, against: str, theirs: Callable, bar: float | None = None) -> Row:
        found = best({"ours": ours, "theirs": theirs}, repeats)
        return Row(what, found["ours"], against=against, other=found["theirs"], most_ratio=bar)

    with tempfile.TemporaryDirectory() as scratch:
        size = f"{pairs:,} pairs, d={DIMENSION}, memory-mapped float32"
        threads = torch.get_num_threads()
        torch.set_num_threads(2)
        for dtype, bar in (("float32", 2.2), ("float16", None)):
            folder = Path(scratch) / dtype
            numbered = write_pairs(folder, pairs, dtype=dtype, files=10)
            yield compare(
                f"measure over 2 × 10 files, {pairs:,} pairs, d={DIMENSION}, {dtype}, two threads",
                partial(measure_folder, folder),
                "one torch.sum of the same data",
                lambda numbered=numbered: bare_sum(*mapped(numbered)),
                bar,
            )
            yield Row(
                f"memory of that beyond the files, {dtype}", in_a_fresh_process(_folder_growth, folder), "MB"
            )
            shutil.rmtree(folder)
        torch.set_num_threads(threads)
        paths = write_pairs(Path(scratch), pairs)
        yield compare(
            f"streamed measures with covariances, {size}",
            lambda: measure_stream(*mapped(paths), covariance=True),
            "the bare matrix products",
            lambda: bare_products(*mapped(paths)),
            1.5,
        )
        for covariance in (False, True):
            name = "with covariances" if covariance else "without covariances"
            megabytes = in_a_fresh_process(_streaming_growth, paths, covariance)
            yield Row(f"memory beyond the files, {name}", megabytes, "MB")
        few = [np.array(z[: min(pairs, 50_000)]) for z in mapped(paths)]
        small = [np.array(z[: min(pairs, 5_000)]) for z in mapped(paths)]
    yield compare(
        f"streamed measures, {len(few[0]):,} pairs in memory",
        lambda: measure_stream(*few),
        "plain numpy in float32, whole matrices",
        lambda: plain_measures(*few),
    )
    yield compare(
        f"measure, {len(few[0]):,} pairs, all in float64 and with both spectra",
        lambda: measure(*few),
        "plain numpy in float32, without the spectra",
        lambda: plain_measures(*few),
    )
    yield compare(
        f"rmg, {len(small[0]):,} pairs, from sums",
        lambda: rmg(*small),
        "all cosines by matrix products",
        lambda: all_cosines(*small),
    )
    yield compare(
        f"cone_statistics with spread, {len(small[0]):,} rows",
        lambda: [cone_statistics(z) for z in small],
        "all cosines by matrix products",
        lambda: all_cosines(*small),
    )
