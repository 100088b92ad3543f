"""Where the theory stops: what closing cannot change, and what happens when its conditions are left.

Each function takes a `Task` and returns tidy rows; all follow the one perturbation protocol (fit on untouched
data, perturb, then move), and all robustness is that of Euclidean neighbours under noise on the gallery.
"""

import warnings
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.stats import skew

from gapkit._arrays import normalise_rows
from gapkit.closing import AffineProjection, GapCloser, MeanShift
from gapkit.errors import GapkitWarning
from gapkit.experiments.data import Task
from gapkit.experiments.record import Rows
from gapkit.geometry import l2m, nearest
from gapkit.robustness import calibrate_sigma, expected_shift, robustness
from gapkit.tasks import accuracy, agreement, k_occurrence

MEMORY = 2**25
"""Bytes the draws may take: little enough for a notebook on a small machine."""
COMMON_NOISE = "noise on the query is common to all candidates"
COMMON_SCORE = "every score of a query changes by the same number"


def no_effect(metric: str, noise_on: str, moves: str) -> str:
    """Why the projected shift of full rank provably changes no survival here; empty where it may.

    For the cosine it takes gallery rows of one length, as encoders give them.

    >>> no_effect("dot", "gallery", "gallery")
    'every score of a query changes by the same number'
    >>> no_effect("euclidean", "gallery", "gallery")
    ''
    """
    if moves == "nothing":
        return ""
    if noise_on == "queries":
        return COMMON_NOISE
    return COMMON_SCORE if (metric, moves) == ("dot", "gallery") else ""


def measure_noise_directions(task: Task, sigma: float, *, draws: int = 200, seed: int = 0) -> Rows:
    r"""Gains of the shift and of the affine projection when the noise has only some directions.

    .. math:: \|x_k + \varepsilon_k + \alpha g' - y\|^2 = \|x_k + \varepsilon_k - y\|^2 + 2\alpha\, g' \cdot \varepsilon_k + \text{const}
        \qquad \text{(derived)}

    Noise at right angles to g' cannot tell whether the gallery was moved. Noise of standard deviation ``sigma`` in
    every allowed direction; drawn only where it lies along g' alone, else exact.
    """
    closer = GapCloser().fit(task.gallery, task.queries)
    how = {"draws": draws, "generator": seed, "memory_limit": MEMORY, "return_info": True}
    shift, components = closer.shift_, closer.components_
    along = np.outer(shift, shift) / (shift @ shift)
    everything = np.eye(len(shift))
    kinds = {"every direction": (everything, len(shift)), "all but g'": (everything - along, len(shift) - 1)}
    kinds |= {"the texts' span": (components.T @ components, len(components)), "g' alone": (along, 1)}
    projection = AffineProjection().fit(task.gallery, task.queries)
    moved = {"untouched": (task.queries, task.gallery), "shift": (task.queries, task.gallery + shift)}
    moved["affine"] = projection.transform(task.queries), task.gallery
    rows = []
    for name, (projection, directions) in kinds.items():
        noise = {"sigma": sigma} if name == "every direction" else {"covariance": sigma**2 * projection}
        values = {}
        for side, (queries, gallery) in moved.items():
            values[side], info = robustness(queries, gallery, **noise, **how)
        row = task.head | {"noise": name, "directions": directions, "sigma_per_direction": sigma}
        row |= {side: float(value.mean()) for side, value in values.items()}
        row |= {"largest_change": float(np.abs(values["shift"] - values["untouched"]).max())}
        rows.append(row | {"method": info.method, "seed": seed})
    return rows


def measure_renormalised(task: Task, sigma: float, components: Sequence[int | None]) -> Rows:
    """The moved gallery as it is, and with its rows brought back to length 1, for several numbers of components.

    Queries must have length 1: then the nearest renormalised row is the one of largest cosine, noise or not,
    and robustness is exact both ways. ``None`` stands for all components.
    """
    untouched = nearest(task.queries, task.gallery)
    rows = []
    closers = [GapCloser(n_components=k).fit(task.gallery, task.queries) for k in components]
    moved = {f"k = {closer.n_components_}": closer.transform(task.gallery) for closer in closers}
    for name, gallery in ({"untouched": task.gallery} | moved).items():
        lengths = np.linalg.norm(gallery, axis=1)
        for after, metric in (("as moved", "euclidean"), ("renormalised", "cosine")):
            stored = normalise_rows(gallery) if after == "renormalised" else gallery
            row = {"shift": name, "after": after, "gap_left": l2m(stored, task.queries)}
            row |= {"shortest": float(lengths.min()), "longest": float(lengths.max())}
            kept = float(robustness(task.queries, gallery, sigma, metric=metric).mean())
            row |= _outcome(task, stored, untouched) | {"robustness": kept, "sigma_per_coordinate": sigma}
            rows.append(row)
    return rows


def measure_overshoot(
    task: Task, sigma: float, components: Sequence[int | None], alphas: Iterable[float]
) -> Rows:
    """Accuracy, agreement and robustness over α, beyond closure too, for several numbers of components."""
    untouched = nearest(task.queries, task.gallery)
    rows = []
    for k in components:
        closer = GapCloser(n_components=k).fit(task.gallery, task.queries)
        for alpha in alphas:
            gallery = task.gallery + alpha * closer.shift_
            row = {"components": closer.n_components_, "alpha": float(alpha), "sigma_per_coordinate": sigma}
            row |= {"shift_norm": float(np.linalg.norm(closer.shift_))} | _outcome(task, gallery, untouched)
            rows.append(row | {"robustness": float(robustness(task.queries, gallery, sigma).mean())})
    return rows


def _outcome(task: Task, gallery: np.ndarray, untouched: np.ndarray) -> dict:
    """Accuracy of the queries' answers to a moved gallery, and agreement with the untouched ones."""
    answers = nearest(task.queries, gallery)
    kept = {"agreement": agreement(answers, untouched)}
    return task.head | {"clean_accuracy": accuracy(answers, task.labels)} | kept


def measure_gallery_sizes(
    task: Task, sizes: Sequence[int], *, choices: Sequence = (None,), target: float = 0.7, seed: int = 0
) -> Rows:
    """What is left to move as the gallery grows towards the dimension, on nested random galleries.

    Parameters
    ----------
    task : its gallery is drawn from
    sizes : numbers of gallery rows
    choices : values of `GapCloser`'s ``n_components``, each tried on every gallery
    target : σ is calibrated anew for each gallery, to this untouched robustness
    seed : of the order in which rows are drawn

    Returns
    -------
    rows with ``shift_norm``, what chance would leave of the gap, ``agreement`` and ``gain``
    """
    order = np.random.default_rng([seed, 5]).permutation(len(task.gallery))
    rows = []
    for size in sizes:
        gallery = task.gallery[order[:size]]
        sigma = calibrate_sigma(task.queries, gallery, target)
        before = robustness(task.queries, gallery, sigma)
        for choice in choices:
            # That g' = 0 is what this measures.
            with warnings.catch_warnings(action="ignore", category=GapkitWarning):
                closer = GapCloser(n_components=choice).fit(gallery, task.queries)
            moved = closer.transform(gallery)
            used, gap = closer.n_components_, float(np.linalg.norm(closer.gap_))
            kept = agreement(nearest(task.queries, moved), nearest(task.queries, gallery))
            gain = float((robustness(task.queries, moved, sigma) - before).mean())
            row = {"rows": size, "choice": "all" if choice is None else f"{choice:g} of the variance"}
            row |= {"components": used, "gap_norm": gap, "shift_norm": float(np.linalg.norm(closer.shift_))}
            row |= {"left_by_chance": expected_shift(closer.gap_, used + 1), "agreement": kept, "gain": gain}
            rows.append(task.head | row | {"sigma_per_coordinate": sigma, "seed": seed})
    return rows


def measure_hubs(task: Task, alphas: Iterable[float], *, k: int = 1) -> Rows:
    """Skewness of the k-occurrence over α, after the raw and the projected shift."""
    rows = []
    for name, kind in (("raw shift", MeanShift), ("projected shift", GapCloser)):
        shift = kind().fit(task.gallery, task.queries).shift_
        for alpha in alphas:
            counts = k_occurrence(task.queries, task.gallery + alpha * shift, k=k)
            rows.append(task.head | {"shift": name, "alpha": float(alpha), "k": k} | describe_hubs(counts))
    return rows


def describe_hubs(counts: np.ndarray) -> dict[str, float]:
    """Skewness of k-occurrence counts (Radovanović et al. 2010), its largest count, and rows nobody is near to.

    >>> describe_hubs(np.array([4, 0, 0, 0]))
    {'skewness': 1.15..., 'largest': 4, 'never': 0.75}
    """
    skewness = float(skew(counts)) if np.ptp(counts) > 0 else 0.0
    return {"skewness": skewness, "largest": int(counts.max()), "never": float(np.mean(counts == 0))}
