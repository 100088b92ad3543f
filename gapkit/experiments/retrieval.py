"""Retrieval in both directions: recall, and the robustness of the first hit."""

import numpy as np

from gapkit.closing import GapCloser
from gapkit.errors import InputError
from gapkit.experiments import protocol
from gapkit.experiments.data import Task, load_set
from gapkit.experiments.gains import PARTLY, UnderNoise
from gapkit.experiments.galleries import DIRECTIONS, PARTITIONS, GalleryTask, gallery_task
from gapkit.experiments.record import Experiment, Job, Rows
from gapkit.geometry import Resamples
from gapkit.tasks.retrieval import retrieval_ranks

RANKS = ("full", "99.9 % of variance", "half")
"""How many components V keeps: all there are, almost all of the variance, or half of all there are."""
ALPHAS = {"full": (-0.5, 0.0, 0.5, 1.0, 1.5)}
"""α for each choice of V; 0, 0.5 and 1 where nothing is said."""
QUICK_ALPHAS = {"full": (0.0, 0.5, 1.0), "99.9 % of variance": (0.0, 1.0), "half": (0.0, 1.0)}
CUTS = (1, 5, 10)


def measure_retrieval(job: Job) -> dict[str, Rows]:
    """R@1, R@5, R@10 and the robustness of the first hit, image to text and text to image.

    The clean accuracy is R@1; the noisy accuracy is R@1 under the noise. Any of an image's captions is right.

    In either direction the retrieved modality is the gallery, and it is the gallery that is perturbed and
    moved. With nearly as many rows as dimensions a V of full rank leaves little to move; fewer components
    move farther and may change answers.

    Options
    -------
    quick : fewer values of α
    """
    entries = load_set(*job.source)
    if entries.task != "pairs":
        raise InputError(f"{job.model}/{job.dataset} holds no pairs to retrieve")
    texts, images = entries.texts.astype(np.float64), entries.images.astype(np.float64)
    owner, ids = entries.image_of_text, np.arange(len(images))
    both = (images, texts, ids, owner), (texts, images, ids if owner is None else owner, None)
    alphas = QUICK_ALPHAS if job.options.get("quick") else ALPHAS
    rows = []
    for direction, (queries, gallery, labels, names) in zip(DIRECTIONS, both, strict=True):
        if size := job.options.get("galleries"):
            cut = {"partitions": int(job.options.get("partitions", PARTITIONS)), "seed": job.seed}
            task = gallery_task(entries, job.model, job.dataset, size, direction=direction, **cut)
            some = _small(task, job.seed)
        else:
            task = Task(job.model, job.dataset, direction, queries, gallery, labels, ids=names)
            some = _direction(task, job.seed, alphas)
        rows += [row | {"direction": direction} for row in some]
    return {"retrieval": rows}


def _small(task: GalleryTask, seed: int) -> Rows:
    """Small galleries, full rank: recall of the first hit alone."""
    resamples, closer = task.resamples(seed), protocol.fit_closer(protocol.PROJECTED, task)
    length = float(np.linalg.norm(closer.shift_, axis=-1).mean())
    setting = {"closer": protocol.PROJECTED, "rank": "full", "components": task.gallery.shape[1] - 1}
    rows = []
    for level in protocol.calibrated_levels(task):
        noise = UnderNoise(task, level, seed=seed)
        hit = protocol.right(noise.before, task)
        for alpha in (0.0, 0.5, 1.0):
            moved = task.queries, protocol.shift_gallery(task.gallery, closer, alpha)
            survives, hits = noise.survival(moved), protocol.right(noise.answers(moved), task)
            about = setting | {"alpha": alpha, "shift_norm": length}
            row = noise.row(about, moved, survives, expect=alpha == 1.0 or PARTLY)
            row |= protocol.columns("recall_at_1", resamples.mean(hits))
            rows.append(row | protocol.columns("recall_change", resamples.difference(hits, hit)))
    return rows


def _direction(task: Task, seed: int, alphas: dict) -> Rows:
    # Captions are drawn with their image.
    resamples = Resamples(len(task.queries), groups=task.labels, seed=seed)
    targets = task.labels, np.arange(len(task.gallery)) if task.ids is None else task.ids
    hit = retrieval_ranks(task.queries, task.gallery, targets=targets) < 1
    moved = [_moved(task, name, alpha) for name in RANKS for alpha in alphas.get(name, (0.0, 0.5, 1.0))]
    for setting, gallery in moved:
        ranks = retrieval_ranks(task.queries, gallery, targets=targets)
        setting |= protocol.columns("recall_change", resamples.difference(ranks < 1, hit))
        for cut in CUTS:
            setting |= protocol.columns(f"recall_at_{cut}", resamples.mean(ranks < cut))
    rows = []
    for level in protocol.calibrated_levels(task):
        noise = UnderNoise(task, level, seed=seed, resamples=resamples)
        for setting, gallery in moved:
            sides = task.queries, gallery
            survives = noise.untouched if np.array_equal(gallery, task.gallery) else noise.survival(sides)
            whole = setting["alpha"] == 1.0 or PARTLY
            expect = whole if setting["rank"] == "full" else "with fewer components margins change"
            rows.append(noise.row(setting, sides, survives, expect=expect))
    return rows


def _moved(task: Task, name: str, alpha: float) -> tuple[dict, np.ndarray]:
    """The columns that say how far which rank is shifted, and the gallery after it."""
    half = min(len(task.gallery) - 1, task.gallery.shape[1]) // 2
    components = {"full": None, "half": half}.get(name, 0.999)
    closer = GapCloser(n_components=components).fit(task.gallery, task.queries)
    setting = {"closer": protocol.PROJECTED, "rank": name, "components": int(closer.n_components_)}
    setting |= {"alpha": alpha, "shift_norm": float(np.linalg.norm(closer.shift_))}
    return setting, protocol.shift_gallery(task.gallery, closer, alpha)


EXPERIMENT = Experiment(
    title="Retrieval, both ways",
    order=120,
    measure=measure_retrieval,
    kinds=("pairs",),
    paper="Theorem 3.5 and Fig. 8 carry over to any nearest-neighbour task.",
    question="Captions among captions and images among images: recall, and the robustness of the first hit.",
    quick={"quick": True},
    galleries={},
)
