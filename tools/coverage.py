"""How often intervals cover the truth, and how often the rules are right, in simulations where the truth is known.

``python tools/coverage.py`` prints the tables of docs/verdicts.md: 1,000 data sets for each kind of interval, and 2,000
cells whose true gain is the smallest that counts, or twice that. ``--runs`` and ``--cells`` take fewer.
"""

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.optimize import brentq

from gapkit.claims.rules import Cell, Rises, why_not_asked
from gapkit.embeddings import EmbeddingSet
from gapkit.experiments import protocol
from gapkit.experiments.data import Task
from gapkit.experiments.gains import UnderNoise, law
from gapkit.experiments.galleries import gallery_task
from gapkit.experiments.quantisation import over_rotations
from gapkit.geometry import Interval, Resamples, nearest, share_intervals, variance_intervals
from gapkit.geometry.resampled import gap_interval
from gapkit.perturbations import UniformQuantization

CLASSES, DIMENSION = 10, 128
SMALLEST = 0.01
POOL = 1000
"""Queries of a population."""
SIZES = (20, 50, 100, 200)
"""Queries of a simulated cell."""


class Population:
    """Classes with texts of their own, and images about them on the other side of a gap of a given width."""

    def __init__(self, seed: int, gap: float = 0.6, spread: float = 0.05) -> None:
        rng = np.random.default_rng([seed, 0])
        self.texts = 0.35 * np.linalg.qr(rng.standard_normal((DIMENSION, CLASSES)))[0].T
        direction = rng.standard_normal(DIMENSION)
        self.gap, self.spread = gap * direction / np.linalg.norm(direction), spread

    def images(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """As many of each class as of any other, and their classes."""
        labels = np.arange(count) % CLASSES
        noise = self.spread * rng.standard_normal((count, DIMENSION))
        return self.texts[labels] + self.gap + noise, labels

    def task(self, count: int, rng: np.random.Generator) -> Task:
        images, labels = self.images(count, rng)
        return Task("simulated", "population", "classes", images, self.texts, labels)


def gain_of(task: Task) -> dict:
    """The columns of the gain at an untouched robustness of 0.7, with what is expected of it."""
    level = protocol.calibrated_levels(task)[1]
    closer = protocol.fit_closer(protocol.PROJECTED, task)
    moved = task.queries, protocol.shift_gallery(task.gallery, closer, 1.0)
    noise = UnderNoise(task, level, seed=0)
    return noise.gain(moved, noise.survival(moved))


def interval_of(row: dict, name: str = "gain") -> Interval:
    return Interval(row[name], row[f"{name}_low"], row[f"{name}_high"])


# ---- kinds of intervals: each gives the truth, and an interval for the data set of a seed ----


def calibrated_gain() -> tuple[float, Callable]:
    population = Population(1)
    truth = gain_of(population.task(20_000, np.random.default_rng(0)))["gain"]
    return truth, lambda seed: interval_of(gain_of(population.task(100, np.random.default_rng([seed, 1]))))


def mean_within_classes() -> tuple[float, Callable]:
    """Five queries of each of twenty classes, whose means differ much."""
    means = np.linspace(0, 3, 20)

    def one(seed: int) -> Interval:
        labels = np.repeat(np.arange(20), 5)
        values = means[labels] + np.random.default_rng([seed, 2]).standard_normal(100)
        return Resamples(100, strata=labels, seed=seed).mean(values)

    return float(means.mean()), one


def mean_by_image() -> tuple[float, Callable]:
    def one(seed: int) -> Interval:
        rng = np.random.default_rng([seed, 3])
        images = np.repeat(np.arange(60), 3)
        values = rng.standard_normal(60)[images] + rng.standard_normal(180)
        return Resamples(180, groups=images, seed=seed).mean(values)

    return 0.0, one


def gain_of_galleries() -> tuple[float, Callable]:
    def pairs(count: int, seed: int) -> EmbeddingSet:
        rng = np.random.default_rng([seed, 4])
        texts = 0.08 * rng.standard_normal((count, DIMENSION))
        images = texts + 0.06 * rng.standard_normal((count, DIMENSION))
        images[:, 0] += 0.8
        return EmbeddingSet(images=images, texts=texts, task="pairs")

    def one(seed: int, count: int = 100, partitions: int = 2) -> Interval:
        return interval_of(
            gain_of(gallery_task(pairs(count, seed), "m", "d", 10, partitions=partitions, seed=seed))
        )

    return one(10**6, 5000, 1).value, one


def quantised_share() -> tuple[float, Callable]:
    population = Population(5)
    d = DIMENSION

    def kept(count: int, rotations: int, rng: np.random.Generator) -> np.ndarray:
        images, _ = population.images(count, rng)
        clean = nearest(images, population.texts)
        found = []
        for _ in range(rotations):
            turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
            stored = UniformQuantization(8, range="fixed", limit=1.0).apply(population.texts @ turn)
            found.append(nearest(images @ turn, stored) == clean)
        return np.array(found, float)

    truth = float(kept(500, 3000, np.random.default_rng(0)).mean())

    def one(seed: int) -> Interval:
        values = kept(100, 8, np.random.default_rng([seed, 6]))
        return over_rotations(values, Resamples(100, strata=np.arange(100) % CLASSES, seed=seed))

    return truth, one


def _geometry(measure: Callable, truth: float, count: int = 200) -> tuple[float, Callable]:
    """Pairs of 16 dimensions, correlated, with a gap along the axis of the largest variance."""
    scale = np.linspace(1.5, 0.5, 16)

    def one(seed: int) -> Interval:
        rng = np.random.default_rng([seed, 7])
        x = scale * rng.standard_normal((count, 16))
        y = 0.7 * x + 0.5 * scale * rng.standard_normal((count, 16))
        y[:, 0] += 3
        return measure(x, y, seed)

    return truth, one


def gap_length(count: int = 200) -> tuple[float, Callable]:
    return _geometry(lambda x, y, seed: gap_interval(x, y, paired=True, seed=seed), 3.0, count)


def variance_along_gap(count: int = 200) -> tuple[float, Callable]:
    scale = np.linspace(1.5, 0.5, 16) ** 2
    truth = float(scale[0] / scale.mean())
    return _geometry(lambda x, y, seed: variance_intervals(x, y, paired=True, seed=seed)[0], truth, count)


def share_of_gap() -> tuple[float, Callable]:
    """The gap half in a class gallery's span: the classes are fixed, the images drawn."""
    texts = np.eye(16)[:5]
    gap = np.concatenate([np.full(5, 0.0), np.full(11, 0.3)]) + np.array([0.8, -0.8] + [0.0] * 14)
    inside = np.linalg.norm(gap[:5] - gap[:5].mean()) / np.linalg.norm(gap)

    def one(seed: int) -> Interval:
        rng = np.random.default_rng([seed, 8])
        labels = np.arange(100) % 5
        images = texts[labels] + gap + 0.5 * rng.standard_normal((100, 16))
        return share_intervals(texts, images, [4], groups=labels, seed=seed)[0]

    return float(inside), one


def rare_share() -> tuple[float, Callable]:
    """Two answers in a hundred change: often none of the fifty that were asked does."""

    def one(seed: int) -> Interval:
        return Resamples(50, seed=seed).share(np.random.default_rng([seed, 9]).random(50) < 0.1)

    return 0.1, one


KINDS: dict[str, Callable] = {
    "calibrated gain, queries within classes": calibrated_gain,
    "mean within classes of five": mean_within_classes,
    "mean over questions, by image": mean_by_image,
    "calibrated gain, t over blocks of pairs": gain_of_galleries,
    "share that survives a code, rotations": quantised_share,
    "length of the gap, pairs": gap_length,
    "variance along the gap, pairs": variance_along_gap,
    "length of the gap, thirty pairs": partial(gap_length, 30),
    "variance along the gap, thirty pairs": partial(variance_along_gap, 30),
    "share of the gap in the classes' span": share_of_gap,
    "share of answers changed": rare_share,
}


def coverage(kind: str, runs: int) -> float:
    """In which share of so many data sets the 95 % interval holds the truth."""
    truth, one = KINDS[kind]()
    return float(np.mean([found.low <= truth <= found.high for found in map(one, range(runs))]))


def decided(true_gain: float, cells: int, *, populations: int = 5) -> dict[str, float]:
    """What the rule says in simulated cells of one true gain.

    The gap of each population is chosen so that its queries gain just that. A cell draws some of them, within classes, and
    is asked by the power check or not, from what the law expects of those very queries.

    Returns
    -------
    dict: share of cells that are asked; share of all cells that say yes; and of those that are asked
    """
    rule, asked, yes, asked_yes = Rises(SMALLEST), 0, 0, 0
    for number in range(populations):
        after, before, expected, labels = _pool(number, true_gain)
        members = [np.flatnonzero(labels == kind) for kind in range(CLASSES)]
        for cell in range(cells // populations):
            rng, each = np.random.default_rng([number, cell, 11]), SIZES[cell % len(SIZES)] // CLASSES
            rows = np.concatenate([rng.choice(some, each) for some in members])
            resamples = Resamples(len(rows), strata=labels[rows], seed=cell)
            says = rule.answer(Cell("", *resamples.difference(after[rows], before[rows]))) == "yes"
            admitted = not why_not_asked(rule, resamples.difference(expected[rows], before[rows]))
            yes, asked, asked_yes = yes + says, asked + admitted, asked_yes + (says and admitted)
    count = populations * (cells // populations)
    return {"asked": asked / count, "yes of all": yes / count, "yes of asked": asked_yes / max(asked, 1)}


def _pool(number: int, true_gain: float) -> tuple[np.ndarray, ...]:
    """Robustness of every query of a population, closed, untouched and as the law expects it, and their classes."""
    spread = 0.03 + 0.01 * number

    def at(width: float):
        task = Population(number, width, spread).task(POOL, np.random.default_rng([number, 10]))
        sigma = protocol.calibrated_levels(task)[1].sigma
        moved = (
            task.queries,
            protocol.shift_gallery(task.gallery, protocol.fit_closer(protocol.PROJECTED, task), 1.0),
        )
        untouched = protocol.survival_of(task.queries, task.gallery, sigma)
        return protocol.survival_of(*moved, sigma), untouched, task, moved, sigma

    def missing(width: float) -> float:
        after, before, *_ = at(width)
        return float(after.mean() - before.mean()) - true_gain

    after, before, task, moved, sigma = at(brentq(missing, 0.02, 0.8, xtol=1e-5))
    return after, before, law(task, moved, sigma), task.labels


def main(arguments: list[str]) -> None:
    options = dict(zip(arguments[::2], map(int, arguments[1::2]), strict=True))
    runs, cells = options.pop("--runs", 1000), options.pop("--cells", 2000)
    if options:
        sys.exit(f"unknown option {next(iter(options))}; known are --runs and --cells")
    print(f"| interval (nominal 95 %) | covers, of {runs:,} |\n|---|---|")
    for kind in KINDS:
        print(f"| {kind} | {coverage(kind, runs):.3f} |", flush=True)
    print("\n| true gain | cells | asked | holds, of all | holds, of those asked |\n|---|---|---|---|---|")
    for times in (1, 2):
        found = decided(times * SMALLEST, cells)
        print(
            f"| {times * SMALLEST:g} | {cells:,} | " + " | ".join(f"{x:.3f}" for x in found.values()) + " |",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
