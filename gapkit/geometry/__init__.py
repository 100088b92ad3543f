"""The geometry of two modalities, with intervals: the gap, its orthogonality, and the shape of each modality.

Pure functions of a gallery ``x`` (texts) and queries ``y`` (images); both numpy arrays and torch tensors work.
"""

from gapkit._renamed import renamed
from gapkit.geometry.bootstrap import Interval, Resamples
from gapkit.geometry.gap import gap_axes, gap_vector, l2i, l2m, linear_separability, matched_cosine, rmg
from gapkit.geometry.neighbours import nearest
from gapkit.geometry.orthogonality import (
    Band,
    place_in_band,
    relative_spectrum,
    relative_variance,
    relative_variance_band,
    subspace_share,
    subspace_share_chance,
)
from gapkit.geometry.resampled import share_intervals, variance_intervals
from gapkit.geometry.shape import cone_statistics
from gapkit.geometry.summary import measure

__all__ = [
    "Band", "Interval", "Resamples", "cone_statistics", "gap_axes", "gap_vector", "l2i", "l2m",
    "linear_separability", "matched_cosine", "measure", "nearest", "place_in_band", "relative_spectrum",
    "relative_variance", "relative_variance_band", "rmg", "share_intervals", "subspace_share",
    "subspace_share_chance", "variance_intervals",
]  # fmt: skip

__getattr__ = renamed(__name__)
