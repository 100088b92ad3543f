"""The geometry of two modalities: the gap, its orthogonality, the shape of each side, with intervals.

Pure functions of a gallery ``x`` (texts) and queries ``y`` (images); numpy arrays and torch tensors alike.
"""

from gapkit._renamed import renamed
from gapkit.geometry.bootstrap import Interval, Resamples, bootstrap_interval, draw_weights
from gapkit.geometry.gap import gap_vector, l2i, l2m, linear_separability, matched_cosine, rmg
from gapkit.geometry.gram import points_from_gram
from gapkit.geometry.neighbours import METRICS, nearest
from gapkit.geometry.orthogonality import (
    Band,
    gap_axes,
    place_in_band,
    relative_spectrum,
    relative_variance,
    relative_variance_band,
    subspace_share,
    subspace_share_chance,
)
from gapkit.geometry.resampled import (
    gap_interval,
    resampled_shares,
    resampled_variances,
    share_intervals,
    variance_intervals,
)
from gapkit.geometry.shape import alignment, cone_statistics, effective_rank, uniformity
from gapkit.geometry.summary import measure, measure_stream

__all__ = [
    "METRICS",
    "Band",
    "Interval",
    "Resamples",
    "alignment",
    "bootstrap_interval",
    "cone_statistics",
    "draw_weights",
    "effective_rank",
    "gap_axes",
    "gap_interval",
    "gap_vector",
    "l2i",
    "l2m",
    "linear_separability",
    "matched_cosine",
    "measure",
    "measure_stream",
    "nearest",
    "place_in_band",
    "points_from_gram",
    "relative_spectrum",
    "relative_variance",
    "relative_variance_band",
    "resampled_shares",
    "resampled_variances",
    "rmg",
    "share_intervals",
    "subspace_share",
    "subspace_share_chance",
    "uniformity",
    "variance_intervals",
]

__getattr__ = renamed(__name__)
