"""Retrieval in both directions: recall, and the robustness of the first hit."""

import numpy as np

from gapkit.closing import GapCloser
from gapkit.errors import InputError
from gapkit.experiments.calibration import calibrated_levels
from gapkit.experiments.draws import right_after_noise
from gapkit.experiments.intervals import columns
from gapkit.experiments.protocol import PROJECTED, same, shift_gallery
from gapkit.experiments.rows import GAUSSIAN, level_columns, tidy_row
from gapkit.experiments.subject import Task, load_subject
from gapkit.experiments.sweep import Job, Rows
from gapkit.geometry import nearest
from gapkit.robustness import robustness
from gapkit.tasks import retrieval_ranks

RANKS = ("full", "99.9 % of variance", "half")
"""How many components V keeps: all there are, almost all of the variance, or half of all there are."""
ALPHAS = {"full": (-0.5, 0.0, 0.5, 1.0, 1.5)}
"""α for each choice of V; 0, 0.5 and 1 where nothing is said."""
QUICK_ALPHAS = {"full": (0.0, 0.5, 1.0), "99.9 % of variance": (0.0, 1.0), "half": (0.0, 1.0)}
CUTS = (1, 5, 10)


def measure_retrieval(job: Job) -> dict[str, Rows]:
    """R@1, R@5, R@10 and the robustness of the first hit, image to text and text to image.

    The clean accuracy is R@1; the noisy accuracy is R@1 under the noise.

    In either direction the retrieved modality is the gallery, and it is the gallery that is perturbed and
    moved. With nearly as many rows as dimensions a V of full rank leaves little to move; fewer components
    move farther and may change answers.

    Options
    -------
    quick : fewer values of α
    """
    entries = load_subject(job.model, job.dataset)
    if entries.task != "pairs":
        raise InputError(f"{job.model}/{job.dataset} holds no pairs to retrieve")
    texts, images = entries.texts.astype(np.float64), entries.images.astype(np.float64)
    rows = []
    for direction, queries, gallery in (("image to text", images, texts), ("text to image", texts, images)):
        task = Task(job.model, job.dataset, direction, queries, gallery, entries.labels)
        alphas = QUICK_ALPHAS if job.options.get("quick") else ALPHAS
        rows += [row | {"direction": direction} for row in _direction(task, job.seed, alphas)]
    return {"retrieval": rows}


def _direction(task: Task, seed: int, alphas: dict) -> Rows:
    resamples = task.resamples(seed)
    answers = nearest(task.queries, task.gallery)
    hit = retrieval_ranks(task.queries, task.gallery) < 1
    moved = [_moved(task, name, alpha) for name in RANKS for alpha in alphas.get(name, (0.0, 0.5, 1.0))]
    for entry in moved:
        ranks = retrieval_ranks(task.queries, entry["gallery"])
        entry["clean"] = {
            "clean": ranks < 1,
            "agrees": same(nearest(task.queries, entry["gallery"]), answers),
        }
        entry["recall"] = columns("recall_change", resamples.difference(ranks < 1, hit))
        for cut in CUTS:
            entry["recall"] |= columns(f"recall_at_{cut}", resamples.mean(ranks < cut))
    rows = []
    for level in calibrated_levels(task):
        untouched = robustness(task.queries, task.gallery, sigma=level.sigma)
        plain = _hits(task, task.gallery, untouched, level.sigma, seed)
        for entry in moved:
            still = np.array_equal(entry["gallery"], task.gallery)
            values = untouched if still else robustness(task.queries, entry["gallery"], sigma=level.sigma)
            found = plain if still else _hits(task, entry["gallery"], values, level.sigma, seed)
            row = tidy_row(
                entry["head"]
                | {"noise": GAUSSIAN, "noise_on": "gallery", "metric": "euclidean", "method": "exact"}
                | level_columns(level, task.gallery),
                resamples,
                **entry["clean"],
                noisy=found,
                survives=values,
                untouched=untouched,
                seed=seed,
            )
            rows.append(row | entry["recall"])
    return rows


def _hits(task: Task, gallery: np.ndarray, survives: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """(m,) probability that the first hit under the noise is the right one."""
    return right_after_noise(task.queries, gallery, task.labels, survives, sigma, seed=seed)


def _moved(task: Task, name: str, alpha: float) -> dict:
    """The gallery after the projected shift of one rank, and the columns that say which."""
    components = {"full": None, "half": (len(task.gallery) - 1) // 2}.get(name, 0.999)
    closer = GapCloser(n_components=components).fit(task.gallery, task.queries)
    head = task.head | {"closer": PROJECTED, "rank": name, "components": int(closer.n_components_)}
    head |= {"alpha": alpha, "shift_norm": float(np.linalg.norm(closer.shift_))}
    return {"head": head, "gallery": shift_gallery(task.gallery, closer, alpha)}
