"""Retrieval in both directions: recall, and the robustness of the first hit."""

import numpy as np

from gapkit.closing import GapCloser
from gapkit.errors import InputError
from gapkit.experiments.calibration import calibrated_levels
from gapkit.experiments.intervals import columns
from gapkit.experiments.protocol import same, shift_gallery
from gapkit.experiments.subject import Task, load_subject
from gapkit.experiments.sweep import Job, Rows
from gapkit.geometry import nearest
from gapkit.robustness import robustness
from gapkit.tasks import retrieval_ranks

RANKS = ("full", "99.9 % of variance", "half")
"""How many components V keeps: all there are, almost all of the variance, or half of all there are."""
CUTS = (1, 5, 10)


def measure_retrieval(job: Job) -> dict[str, Rows]:
    """R@1, R@5, R@10 and the robustness of the first hit, image to text and text to image.

    In either direction the retrieved modality is the gallery, and it is the gallery that is perturbed and
    moved. With nearly as many rows as dimensions a V of full rank leaves little to move; fewer components
    move farther and may change answers.
    """
    entries = load_subject(job.model, job.dataset)
    if entries.task != "pairs":
        raise InputError(f"{job.model}/{job.dataset} holds no pairs to retrieve")
    texts, images = entries.texts.astype(np.float64), entries.images.astype(np.float64)
    rows = []
    for direction, queries, gallery in (("image to text", images, texts), ("text to image", texts, images)):
        task = Task(job.model, job.dataset, direction, queries, gallery, entries.labels)
        rows += [row | {"direction": direction, "seed": job.seed} for row in _direction(task, job.seed)]
    return {"retrieval": rows}


def _direction(task: Task, seed: int) -> Rows:
    resamples = task.resamples(seed)
    answers = nearest(task.queries, task.gallery)
    hit = retrieval_ranks(task.queries, task.gallery) < 1
    moved = [_moved(task, name, alpha) for name in RANKS for alpha in (0.0, 1.0)]
    for entry in moved:
        ranks = retrieval_ranks(task.queries, entry["gallery"])
        kept = same(nearest(task.queries, entry["gallery"]), answers)
        entry["clean"] = (
            {f"recall_at_{cut}": float((ranks < cut).mean()) for cut in CUTS}
            | columns("recall_change", resamples.difference(ranks < 1, hit))
            | columns("agreement", resamples.mean(kept))
        )
    rows = []
    for level in calibrated_levels(task):
        untouched = robustness(task.queries, task.gallery, sigma=level.sigma)
        for entry in moved:
            still = np.array_equal(entry["gallery"], task.gallery)
            values = untouched if still else robustness(task.queries, entry["gallery"], sigma=level.sigma)
            rows.append(
                entry["head"]
                | {"metric": "euclidean", "noise_on": "gallery", "level": level.name}
                | {"sigma_per_coordinate": level.sigma}
                | entry["clean"]
                | columns("robustness", resamples.mean(values))
                | columns("gain", resamples.difference(values, untouched))
                | {"method": "exact", "queries": len(task.queries)}
            )
    return rows


def _moved(task: Task, name: str, alpha: float) -> dict:
    """The gallery after the projected shift of one rank, and the columns that say which."""
    components = {"full": None, "half": (len(task.gallery) - 1) // 2}.get(name, 0.999)
    closer = GapCloser(n_components=components).fit(task.gallery, task.queries)
    head = task.head | {"closer": "projected shift", "rank": name, "components": int(closer.n_components_)}
    head |= {"alpha": alpha, "shift_norm": float(np.linalg.norm(closer.shift_))}
    return {"head": head, "gallery": shift_gallery(task.gallery, closer, alpha)}
