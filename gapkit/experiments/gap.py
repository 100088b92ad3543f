"""Is there a gap? Its length, and whether a classifier sees it.

Intervals say how far a number would move with other images. Where the texts are classes or options they
are given, not sampled, and stay as they are, and images are drawn within classes; captions are drawn with their images.
"""

import numpy as np

from gapkit.embeddings import sampling
from gapkit.experiments.data import load_set
from gapkit.experiments.protocol import columns
from gapkit.experiments.record import Experiment, Job, Rows
from gapkit.geometry import Interval, Resamples, linear_separability, measure
from gapkit.geometry.bootstrap import percentile_interval
from gapkit.geometry.resampled import gap_interval


def measure_gap(job: Job) -> dict[str, Rows]:
    """Length of the gap, separability and the usual metrics on one set.

    ‖g‖ is that of the set's own texts and images; each image with its right text gives the metrics of
    pairs.
    """
    entries = load_set(*job.source)
    texts, images = (z.astype(np.float64) for z in entries.modalities())
    pairs = measure(*(z.astype(np.float64) for z in entries.matched()), paired=True)
    folds = min(5, len(texts), len(entries.images))  # a folder of three classes has three texts
    sides = (z.astype(np.float64) for z in (entries.texts, entries.images))
    # Each image once: it must not be learnt and asked for.
    accuracy, correct = linear_separability(*sides, folds=folds, seed=job.seed, return_correct=True)
    row = {"model": job.model, "dataset": job.dataset, "seed": job.seed}
    row |= {"images": len(entries.images), "texts": len(texts), "dimension": texts.shape[1]}
    row |= columns("gap_norm", gap_interval(texts, images, **sampling(entries), seed=job.seed))
    row |= columns("separability", _balanced(np.asarray(correct, float), len(texts), accuracy, job.seed))
    row |= {name: pairs[name] for name in ("matched_cosine", "l2i", "rmg")}
    row |= {f"mean_cosine_{side}": pairs[f"mean_cosine_{side}"] for side in ("gallery", "queries")}
    return {"gap": [row]}


def _balanced(correct: np.ndarray, texts: int, accuracy: float, seed: int) -> Interval:
    """Interval of the balanced accuracy: rows of either side resampled on their own."""
    sides = correct[:texts], correct[texts:]
    drawn = sum(Resamples(len(side), seed=seed + i).means(side) for i, side in enumerate(sides)) / 2
    return percentile_interval(accuracy, drawn)


EXPERIMENT = Experiment(
    title="Is there a gap?",
    order=10,
    measure=measure_gap,
    kinds=("zero-shot", "pairs", "multiple-choice"),
    paper="A CLIP model's images and texts lie apart (Liang et al. 2022); Eq. 4 defines g = μ_y − μ_x.",
    question="Length of g, and how well a linear classifier tells the modalities apart, on held-out data.",
)
