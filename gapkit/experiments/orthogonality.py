"""Is the gap orthogonal to what varies inside the modalities? Relative variance and subspace share, against chance."""

import numpy as np

from gapkit.embeddings import sampling
from gapkit.experiments.data import load_set
from gapkit.experiments.protocol import columns
from gapkit.experiments.record import Experiment, Job, Rows
from gapkit.geometry import Band, Interval, relative_variance_band, subspace_share_chance
from gapkit.geometry.resampled import share_intervals, variance_intervals

COMPONENTS = (1, 3, 10, 30, 100, 300)


def measure_orthogonality(job: Job) -> dict[str, Rows]:
    """Relative variance along g and the share of ‖g‖ in the texts' top-k components, with chance bands.

    Components that half precision cannot tell from rounding are not asked about.
    """
    entries = load_set(*job.source)
    texts, images = (z.astype(np.float64) for z in entries.modalities())
    drawn = sampling(entries)
    head = {"model": job.model, "dataset": job.dataset, "seed": job.seed}
    variances = variance_intervals(texts, images, **drawn, seed=job.seed)
    rows = []
    for side, matrix, variance in zip(("texts", "images"), (texts, images), variances, strict=True):
        about = head | {"quantity": "relative variance", "side": side, "k": None}
        rows.append(about | _against(variance, relative_variance_band(matrix, seed=job.seed)))
    most = min(len(texts) - 1, texts.shape[1] - 1, resolved_components(texts))
    components = [k for k in COMPONENTS if k < most] + [most]
    shares = share_intervals(texts, images, components, **drawn, seed=job.seed)
    for k, share in zip(components, shares, strict=True):
        about = head | {"quantity": "subspace share", "side": "texts", "k": k}
        rows.append(about | _against(share, subspace_share_chance(k, texts.shape[1])))
    return {"orthogonality": rows}


def _against(value: Interval, band: Band) -> dict[str, float]:
    return columns("value", value) | {"chance": band.centre, "band_low": band.low, "band_high": band.high}


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


EXPERIMENT = Experiment(
    title="Is the gap orthogonal to the data?",
    order=20,
    measure=measure_orthogonality,
    kinds=("zero-shot", "pairs", "multiple-choice"),
    paper="Assumption 3.3: neither modality varies along g.",
    question="Variance along g, and its share in the texts' components, against random directions.",
)
