"""The closers against each other: each under the metric it is made for, and all under one protocol.

Noise enters the untouched gallery and passes through the closer with it, so a closer that rescales wins nothing
by that. `noise_after_the_closer` is the mistake this avoids.
"""

import numpy as np

from gapkit.closing import CLOSERS
from gapkit.closing.base import Closer
from gapkit.closing.published import Procrustes
from gapkit.experiments import protocol
from gapkit.experiments.data import Task
from gapkit.experiments.gains import UnderNoise, law
from gapkit.experiments.galleries import task_of
from gapkit.experiments.limits import MEMORY
from gapkit.experiments.record import Experiment, Job, Rows
from gapkit.geometry import nearest
from gapkit.robustness import robustness

BEST = {"euclidean": protocol.AFFINE, "dot": protocol.LINEAR}
"""The closer that is provably the best margin-preserving translation under each metric."""


def measure_closers(job: Job) -> dict[str, Rows]:
    """Robustness to noise on the gallery of untouched, shifted and projected queries, two metrics.

    All move the queries, which for Euclidean neighbours is the same as moving the gallery, and for dot
    products is what has an effect at all.
    """
    task = task_of(job)
    moved = protocol.moved_queries(task, (protocol.RAW, protocol.PROJECTED, protocol.AFFINE, protocol.LINEAR))
    rows, checks = [], []
    for metric, best in BEST.items():
        for level in protocol.calibrated_levels(task, metric=metric):
            noise = UnderNoise(task, level, seed=job.seed, metric=metric)
            values = {name: noise.survival(sides) for name, sides in moved.items()}
            shift = moved[protocol.PROJECTED], values[protocol.PROJECTED]
            for name, value in values.items():
                about = {"closer": name, "moves": "queries", "alpha": float(name != "untouched")}
                over = {"over": shift, "name": "gain_over_shift", "expect": name == best}
                if name == protocol.RAW:
                    row = noise.row(about, moved[name], value, expect="the raw shift changes margins")
                else:
                    expected = law(task, moved[name], level.sigma, metric)
                    row = noise.row(about, moved[name], value, expect=False)
                    row["predicted_gain"] = float(np.mean(expected - noise.untouched))
                rows.append(row | noise.gain(moved[name], value, **over))
            worse = float(np.mean(values[protocol.PROJECTED] > values[best] + protocol.QUADRATURE))
            setting = {"metric": metric, "level": level.name, "seed": job.seed}
            checks.append(task.head | protocol.check_row(f"shift beats {best}", worse, **setting))
    return {"closers": rows, "closers.checks": checks}


def fit_on_half(name: str, task: Task) -> tuple[Closer, np.ndarray]:
    """A closer fitted on the gallery and every second query, and the rows of the other queries.

    Procrustes needs pairs: it alone is told the right answers of the queries it is fitted on.
    """
    used = np.arange(0, len(task.queries), 2)
    gallery = task.gallery[task.labels[used]] if CLOSERS[name] is Procrustes else task.gallery
    closer = CLOSERS[name]().fit(gallery, task.queries[used])
    return closer, np.arange(1, len(task.queries), 2)


def survival(
    closer: Closer, queries: np.ndarray, gallery: np.ndarray, sigma: float, *, draws: int, seed: int
) -> tuple[np.ndarray, str]:
    """(m,) probabilities that an answer survives noise on the gallery *before* the closer, and the method.

    A translation leaves isotropic noise alone and a rotation turns it into itself: exact. Whatever else the closer
    does to the gallery it does to the noise as well: A Σ Aᵀ, drawn.
    Noisy rows that are made unit rows again are drawn and moved one by one.
    """
    moved, asked = closer.transform_pair(gallery, queries)
    how = {"draws": draws, "generator": seed, "memory_limit": MEMORY, "return_info": True}
    if not closer.affine:  # what divides rows by their lengths does so to each noisy row
        moved, noise = gallery, {"sigma": sigma, "transform": lambda noisy: closer.move(noisy, "gallery")}
    else:
        linear = closer.linear_part("gallery")
        turned = linear is None or np.allclose(linear @ linear.T, np.eye(len(linear)), atol=1e-9)
        noise = {"sigma": sigma} if turned else {"covariance": sigma**2 * linear @ linear.T}
    values, info = robustness(asked, moved, **noise, **how)
    return values, info.method


def compare_closers(task: Task, sigma: float, *, draws: int = 200, seed: int = 0) -> Rows:
    """Accuracy, agreement with the untouched answers and robustness of every closer, on queries it has not seen.

    ``kept`` is the share of queries that keep their untouched answer through the closer *and* the noise (a lower bound:
    it does not count answers that the closer changes and the noise changes back).
    """
    rest = np.arange(1, len(task.queries), 2)
    queries, labels = task.queries[rest], task.labels[rest]
    resamples = Task(task.model, task.dataset, task.name, queries, task.gallery, labels).resamples(seed)
    untouched = nearest(queries, task.gallery)
    before = robustness(queries, task.gallery, sigma)

    def row(name: str, answers: np.ndarray, values: np.ndarray, **about) -> dict:
        same = answers == untouched
        of_each = {"clean_accuracy": answers == labels, "agreement": same, "robustness": values}
        of_each |= {"gain": values - before, "kept": values * same}
        row = task.head | {"closer": name, **about} | protocol.means(resamples, **of_each)
        return row | {"sigma_per_coordinate": sigma, "queries": len(rest), "seed": seed}

    rows = [row("untouched", untouched, before, moves="nothing", method="exact", guarantee=True)]
    for name in CLOSERS:
        closer, _ = fit_on_half(name, task)
        values, method = survival(closer, queries, task.gallery, sigma, draws=draws, seed=seed)
        moved, asked = closer.transform_pair(task.gallery, queries)
        about = {"moves": closer.moves, "method": method, "guarantee": "euclidean" in closer.guarantee}
        rows.append(row(name, nearest(asked, moved), values, **about))
    return rows


def noise_after_the_closer(name: str, task: Task, sigma: float) -> float:
    """The mistake: mean robustness with the same σ added to what the closer has already rescaled."""
    closer, rest = fit_on_half(name, task)
    moved, asked = closer.transform_pair(task.gallery, task.queries[rest])
    return float(robustness(asked, moved, sigma).mean())


EXPERIMENT = Experiment(
    title="The best way to close the gap",
    order=60,
    measure=measure_closers,
    kinds=("zero-shot",),
    paper="The paper shifts the gallery. Derived here: queries projected onto its span are most robust.",
    question="Robustness to noise on the gallery after each closer, for Euclidean and dot product.",
    on_request=("pairs",),
    galleries={},
)
