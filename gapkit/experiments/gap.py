"""Is there a gap, and is it orthogonal to what varies inside the modalities?

Intervals say how far a number would move with other images. Where the texts are classes or options they
are given, not sampled, and stay as they are; where they are captions they are resampled with their
images. Lengths and variances get the basic bootstrap, which takes off the bias that resampling adds.
"""

import numpy as np
import torch
from torch import Tensor

from gapkit.embeddings import EmbeddingSet
from gapkit.experiments.intervals import Estimate, Resamples, columns
from gapkit.experiments.subject import load_subject
from gapkit.experiments.sweep import Job, Rows
from gapkit.geometry import (
    bootstrap_interval,
    gap_vector,
    linear_separability,
    measure,
    relative_variance,
    relative_variance_band,
    subspace_share,
    subspace_share_chance,
)

COMPONENTS = (1, 3, 10, 30, 100, 300)
DRAWS = 200


def _sides(entries: EmbeddingSet) -> tuple[np.ndarray, np.ndarray]:
    return entries.texts.astype(np.float64), entries.images.astype(np.float64)


def _intervals(entries: EmbeddingSet, statistic, seed: int) -> list[Estimate]:
    """Intervals of ``statistic(texts, images)``, a list of numbers none of which can be negative."""
    texts, images = _sides(entries)
    options = {"resamples": DRAWS, "method": "basic", "seed": seed}
    if entries.task == "pairs":
        found = bootstrap_interval(texts, images, statistic=statistic, **options)
    else:
        fixed = torch.from_numpy(texts)
        found = bootstrap_interval(images, statistic=lambda sample: statistic(fixed, sample), **options)
    return [Estimate(v, max(low, 0.0), high) for v, low, high in zip(*map(np.ravel, found), strict=True)]


def measure_gap(job: Job) -> dict[str, Rows]:
    """Length of the gap, separability and the usual metrics on one set.

    ‖g‖ is that of the set's own texts and images; each image with its right text gives the metrics of
    pairs.
    """
    entries = load_subject(job.model, job.dataset)
    texts, images = _sides(entries)
    (norm,) = _intervals(entries, lambda x, y: [float(gap_vector(x, y).norm())], job.seed)
    pairs = measure(*(z.astype(np.float64) for z in entries.matched()), paired=True)
    folds = min(5, len(texts), len(images))  # a folder of three classes has three texts
    accuracy, correct = linear_separability(texts, images, folds=folds, seed=job.seed, return_correct=True)
    row = {"model": job.model, "dataset": job.dataset, "seed": job.seed}
    row |= {"images": len(images), "texts": len(texts), "dimension": texts.shape[1]}
    row |= columns("gap_norm", norm)
    row |= columns("separability", _balanced(np.asarray(correct, float), len(texts), accuracy, job.seed))
    row |= {name: pairs[name] for name in ("matched_cosine", "l2i", "rmg")}
    row |= {f"mean_cosine_{side}": pairs[f"mean_cosine_{side}"] for side in ("gallery", "queries")}
    return {"gap": [row]}


def _balanced(correct: np.ndarray, texts: int, accuracy: float, seed: int) -> Estimate:
    """Interval of the balanced accuracy: rows of either side resampled on their own."""
    sides = correct[:texts], correct[texts:]
    draws = sum(Resamples(len(side), seed=seed + i).means(side) for i, side in enumerate(sides)) / 2
    return Resamples.summarise(accuracy, draws)


def measure_orthogonality(job: Job) -> dict[str, Rows]:
    """Relative variance along g and the share of ‖g‖ in the texts' top-k components, with chance bands.

    The share's interval keeps the texts' components and varies the images alone, because repeated texts
    would lower the rank. Components that half precision cannot tell from rounding are not asked about.
    """
    entries = load_subject(job.model, job.dataset)
    texts, images = _sides(entries)
    head = {"model": job.model, "dataset": job.dataset, "seed": job.seed}
    variances = _intervals(entries, _variances, job.seed)
    rows = []
    for side, matrix, variance in zip(("texts", "images"), (texts, images), variances, strict=True):
        band = relative_variance_band(matrix, seed=job.seed)
        rows.append(
            head
            | {"quantity": "relative variance", "side": side, "k": None}
            | columns("value", variance)
            | {"chance": band.centre, "band_low": band.low, "band_high": band.high}
        )
    most = min(len(texts) - 1, texts.shape[1] - 1, resolved_components(texts))
    components = [k for k in COMPONENTS if k < most] + [most]
    rng = np.random.default_rng(job.seed)
    gaps = [images.mean(0) - texts.mean(0)]
    gaps += [
        images[rng.integers(len(images), size=len(images))].mean(0) - texts.mean(0) for _ in range(DRAWS)
    ]
    shares = subspace_share(texts, np.stack(gaps), components)
    for i, k in enumerate(components):
        band = subspace_share_chance(k, texts.shape[1])
        rows.append(
            head
            | {"quantity": "subspace share", "side": "texts", "k": k}
            | columns("value", Resamples.summarise(shares[0, i], shares[1:, i]))
            | {"chance": band.centre, "band_low": band.low, "band_high": band.high}
        )
    return {"orthogonality": rows}


def resolved_components(matrix: np.ndarray) -> int:
    """How many principal components half precision, in which embeddings are shipped, can tell from rounding.

    A coordinate rounded to steps of h gets errors of variance h²/12; components past which less variance is left
    than all those errors together have may be nothing but rounding.
    """
    half = np.abs(matrix).astype(np.float16)
    rounding = (np.spacing(half).astype(np.float64) ** 2 / 12).sum()
    wide = matrix.astype(np.float64)
    variances = np.linalg.svd(wide - wide.mean(0), compute_uv=False) ** 2
    left = variances.sum() - variances.cumsum()
    return int((left > rounding).sum()) + 1


def _variances(texts: Tensor, images: Tensor) -> list[float]:
    gap = gap_vector(texts, images)
    return [relative_variance(texts, gap), relative_variance(images, gap)]
