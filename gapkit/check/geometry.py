"""Checks for lessons 01 and 03: the gap, and whether it is orthogonal."""

import numpy as np

from gapkit import geometry
from gapkit.check import draws
from gapkit.check.engine import Check


def _unit(z):
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def _rmg_of(x, y, *, numerator=0.5, within=0.5, diagonal=False, normalise=True):
    """RMG with its usual mistakes built in; the defaults make none."""
    x, y = (_unit(x), _unit(y)) if normalise else (x, y)
    n = len(x)
    m = numerator * (1 - (x * y).sum(1).mean())

    def inside(z):
        deltas = within * (1 - z @ z.T)
        return deltas.mean() if diagonal else deltas[~np.eye(n, dtype=bool)].mean()

    return m / (m + (inside(x) + inside(y)) / 2)


def _components(z, *, centred=True):
    return np.linalg.svd(z - z.mean(0) if centred else z, full_matrices=False)[2]


def _share(z, g, k, *, centred=True, more=0):
    rows = _components(z, centred=centred)[: k + more]
    return np.linalg.norm(rows @ g) / np.linalg.norm(g)


def _relative(z, g, *, centred=True, divide=True):
    inside = z - z.mean(0) if centred else z
    along = (inside @ (g / np.linalg.norm(g) if divide else g)) ** 2
    return along.mean() / ((z - z.mean(0)) ** 2).sum(1).mean() * z.shape[1]


gap_vector = Check(
    "gap_vector",
    geometry.gap_vector,
    draws.two_clouds,
    mistakes=(("is the gap between other centres: Eq. 4 takes means, not medians or sums",
               lambda x, y: np.median(y, axis=0) - np.median(x, axis=0)),),
)  # fmt: skip

l2i = Check(
    "l2i",
    geometry.l2i,
    draws.matched_clouds,
    mistakes=(
        ("is the distance of the means: take the distance pair by pair, then the mean",
         lambda x, y: np.linalg.norm((x - y).mean(0))),
        ("takes squared distances", lambda x, y: ((x - y) ** 2).sum(1).mean()),
        ("averages over all pairs: only row i belongs to row i",
         lambda x, y: np.linalg.norm(x[:, None] - y[None], axis=2).mean()),
    ),
)  # fmt: skip

rmg = Check(
    "rmg",
    geometry.rmg,
    draws.matched_clouds,
    mistakes=(
        ("counts each point as its own neighbour: inside a modality average over i ≠ j",
         lambda x, y: _rmg_of(x, y, diagonal=True)),
        ("takes δ = 1 − cos in one place and (1 − cos)/2 in another", lambda x, y: _rmg_of(x, y, numerator=1.0)),
        ("weighs what lies inside the modalities twice: one δ everywhere, and the mean of the two modalities",
         lambda x, y: _rmg_of(x, y, within=1.0)),
        ("takes dot products: a cosine needs rows of length 1", lambda x, y: _rmg_of(x, y, normalise=False)),
    ),
)  # fmt: skip

relative_variance = Check(
    "relative_variance",
    geometry.relative_variance,
    draws.cloud_and_direction,
    mistakes=(
        ("depends on the direction's length: divide by it first", lambda z, g: _relative(z, g, divide=False)),
        ("is not centred: a variance is about the mean", lambda z, g: _relative(z, g, centred=False)),
        ("divides by the total variance: an isotropic cloud has 1/d of that along each direction",
         lambda z, g: _relative(z, g) / z.shape[1]),
    ),
)  # fmt: skip

subspace_share = Check(
    "subspace_share",
    geometry.subspace_share,
    lambda rng: (*draws.cloud_and_direction(rng), int(rng.integers(2, 4))),
    mistakes=(
        ("uses singular vectors of uncentred rows: principal components are about the mean",
         lambda z, g, k: _share(z, g, k, centred=False)),
        ("uses one component too few", lambda z, g, k: _share(z, g, k, more=-1)),
        ("uses one component too many", lambda z, g, k: _share(z, g, k, more=1)),
        ("depends on the direction's length: divide by it", lambda z, g, k: np.linalg.norm(_components(z)[:k] @ g)),
        ("takes columns where rows are the components (numpy's svd returns Vᵀ)",
         lambda z, g, k: np.linalg.norm(_components(z)[:, :k].T @ g[: len(_components(z))]) / np.linalg.norm(g)),
        ("is the share outside the subspace: the question is what lies inside",
         lambda z, g, k: np.sqrt(1 - _share(z, g, k) ** 2)),
    ),
)  # fmt: skip


def _spectrum(z, *, centred=True, power=2, total=False, components=False):
    """Variances along the components with their usual mistakes built in; the defaults make none."""
    values = np.linalg.svd(z - z.mean(0) if centred else z, compute_uv=False) ** power
    return values / values.sum() * (1 if total else len(values) if components else z.shape[1])


relative_spectrum = Check(
    "relative_spectrum",
    _spectrum,
    lambda rng: (draws.cloud(rng, int(rng.integers(4, 6)), int(rng.integers(7, 10))),),
    mistakes=(
        ("has the smallest first: the leading component comes first", lambda z: _spectrum(z)[::-1]),
        ("takes singular values: a variance is the square of one", lambda z: _spectrum(z, power=1)),
        ("belongs to uncentred rows: a variance is about the mean", lambda z: _spectrum(z, centred=False)),
        ("is a share of the total: relative to an average direction there is a factor d", lambda z: _spectrum(z, total=True)),
        ("averages over the components that there are: an average direction is one of all d",
         lambda z: _spectrum(z, components=True)),
        ("is not yet relative: divide by the variance of an average direction",
         lambda z: np.linalg.svd(z - z.mean(0), compute_uv=False) ** 2 / len(z)),
        ("is not yet relative: divide by the variance of an average direction",
         lambda z: np.linalg.svd(z - z.mean(0), compute_uv=False) ** 2 / (len(z) - 1)),
    ),
)  # fmt: skip
