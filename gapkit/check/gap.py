"""Checks for lessons 01 to 03: the gap, whether it is orthogonal, and the loss and gradient from which it comes."""

import numpy as np
from scipy.special import softmax

from gapkit import contrastive, geometry
from gapkit.check.engine import Check
from gapkit.check.inputs import (
    cloud,
    cloud_and_direction,
    components,
    matched_clouds,
    pairs_and_tau,
    two_clouds,
    unit,
)


def _rmg_of(x, y, *, numerator=0.5, within=0.5, diagonal=False, normalise=True):
    """RMG with its usual mistakes built in; the defaults make none."""
    x, y = (unit(x), unit(y)) if normalise else (x, y)
    n = len(x)
    m = numerator * (1 - (x * y).sum(1).mean())

    def inside(z):
        deltas = within * (1 - z @ z.T)
        return deltas.mean() if diagonal else deltas[~np.eye(n, dtype=bool)].mean()

    return m / (m + (inside(x) + inside(y)) / 2)


def _share(z, g, k, *, centred=True):
    rows = components(z, centred=centred)[:k]
    return np.linalg.norm(rows @ g) / np.linalg.norm(g)


def _relative(z, g, *, centred=True, divide=True):
    inside = z - z.mean(0) if centred else z
    along = (inside @ (g / np.linalg.norm(g) if divide else g)) ** 2
    return along.mean() / ((z - z.mean(0)) ** 2).sum(1).mean() * z.shape[1]


gap_vector = Check("gap_vector", geometry.gap_vector, two_clouds, mistakes=(
    ("is the gap between medians: Eq. 4 takes means",
     lambda x, y: np.median(y, axis=0) - np.median(x, axis=0)),
    ("takes sums: Eq. 4 takes means", lambda x, y: y.sum(0) - x.sum(0)),
))  # fmt: skip

# torch's pairwise_distance adds 1e-6
l2i = Check("l2i", geometry.l2i, matched_clouds,
    also=(lambda x, y: np.linalg.norm(x - y + 1e-6, axis=1).mean(),), mistakes=(
    ("is the distance of the means: take the distance pair by pair, then the mean",
     lambda x, y: np.linalg.norm((x - y).mean(0))),
    ("takes squared distances", lambda x, y: ((x - y) ** 2).sum(1).mean()),
    ("averages over all pairs: only row i belongs to row i",
     lambda x, y: np.linalg.norm(x[:, None] - y[None], axis=2).mean()),
    ("is the root of the mean square (RMS): take the mean of the distances",
     lambda x, y: np.sqrt(((x - y) ** 2).sum(1).mean())),
    ("is a mean over all entries: one distance for each pair, then their mean",
     lambda x, y: np.abs(x - y).mean()),
))  # fmt: skip

rmg = Check("rmg", geometry.rmg, matched_clouds, mistakes=(
    ("counts each point as its own neighbour: inside a modality average over i ≠ j",
     lambda x, y: _rmg_of(x, y, diagonal=True)),
    ("takes δ = 1 − cos in one place and (1 − cos)/2 in another", lambda x, y: _rmg_of(x, y, numerator=1.0)),
    ("weighs what lies inside the modalities twice: one δ everywhere, and the mean of the two modalities",
     lambda x, y: _rmg_of(x, y, within=1.0)),
    ("takes dot products: a cosine needs rows of length 1", lambda x, y: _rmg_of(x, y, normalise=False)),
))  # fmt: skip

relative_variance = Check("relative_variance", geometry.relative_variance, cloud_and_direction, mistakes=(
    ("depends on the direction's length: divide by it first", lambda z, g: _relative(z, g, divide=False)),
    ("is not centred: a variance is about the mean", lambda z, g: _relative(z, g, centred=False)),
    ("divides by the total variance: an isotropic cloud has 1/d of that along each direction",
     lambda z, g: _relative(z, g) / z.shape[1]),
))  # fmt: skip

subspace_share = Check("subspace_share", geometry.subspace_share,
    lambda rng: (*cloud_and_direction(rng), int(rng.integers(2, 4))), mistakes=(
    ("uses singular vectors of uncentred rows: principal components are about the mean",
     lambda z, g, k: _share(z, g, k, centred=False)),
    ("depends on the direction's length: divide by it", lambda z, g, k: np.linalg.norm(components(z)[:k] @ g)),
    ("takes columns where rows are the components (numpy's svd returns Vᵀ)",
     lambda z, g, k: np.linalg.norm(components(z)[:, :k].T @ g[: len(components(z))]) / np.linalg.norm(g)),
    ("is the share outside the subspace: the question is what lies inside",
     lambda z, g, k: np.sqrt(1 - _share(z, g, k) ** 2)),
))  # fmt: skip


def _spectrum(z, *, centred=True, power=2, total=False, those_there=False):
    """Variances along the components with their usual mistakes built in; the defaults make none."""
    values = np.linalg.svd(z - z.mean(0) if centred else z, compute_uv=False) ** power
    return values / values.sum() * (1 if total else len(values) if those_there else z.shape[1])


relative_spectrum = Check("relative_spectrum", _spectrum,
    lambda rng: (cloud(rng, int(rng.integers(4, 6)), int(rng.integers(7, 10))),), mistakes=(
    ("has the smallest first: the leading component comes first", lambda z: _spectrum(z)[::-1]),
    ("takes singular values: a variance is the square of one", lambda z: _spectrum(z, power=1)),
    ("belongs to uncentred rows: a variance is about the mean", lambda z: _spectrum(z, centred=False)),
    ("is a share of the total: relative to an average direction there is a factor d", lambda z: _spectrum(z, total=True)),
    ("averages over the components that there are: an average direction is one of all d",
     lambda z: _spectrum(z, those_there=True)),
    ("is not yet relative: divide by the variance of an average direction",
     lambda z: np.linalg.svd(z - z.mean(0), compute_uv=False) ** 2 / len(z)),
    ("is not yet relative: divide by the variance of an average direction",
     lambda z: np.linalg.svd(z - z.mean(0), compute_uv=False) ** 2 / (len(z) - 1)),
))  # fmt: skip


def _distances(x, y):
    return ((x[:, None] - y[None]) ** 2).sum(2)


def _free_sums(x, y, tau):
    """The sums that need not be 1: of Qʸ over the images, then of Qˣ over the texts."""
    q_x, q_y = contrastive.q_matrices(x, y, tau)
    return np.concatenate([q_y.sum(1), q_x.sum(0)])


def _loss(s, first=1, second=0):
    n = np.arange(len(s))
    return -(np.log(softmax(s, first)[n, n]) + np.log(softmax(s, second)[n, n])).mean()


def _image_gradient(x, y, tau, *, attraction=2.0, both=True):
    s = -_distances(x, y) / tau
    weights = softmax(s, 1) + (softmax(s, 0) if both else 0)
    pull = attraction * (y - x) - (weights.sum(0)[:, None] * y - weights.T @ x)
    return 2 / (len(x) * tau) * pull


q_matrices = Check("q_matrices", contrastive.q_matrices, pairs_and_tau,
    parts=("Qˣ (the first result)", "Qʸ (the second result)"), mistakes=(
    ("returns the two matrices the wrong way round: rows of the first sum to 1",
     lambda x, y, tau: contrastive.q_matrices(x, y, tau)[::-1]),
    ("uses distances that are not squared",
     lambda x, y, tau: tuple(softmax(-np.sqrt(_distances(x, y)) / tau, axis) for axis in (1, 0))),
    ("gives the far candidates the high probabilities: s has a minus sign",
     lambda x, y, tau: tuple(softmax(_distances(x, y) / tau, axis) for axis in (1, 0))),
    ("is indexed [image, text]: rows belong to texts",
     lambda x, y, tau: tuple(q.T for q in contrastive.q_matrices(x, y, tau))),
))  # fmt: skip

column_sums = Check("column_sums", lambda x, y, tau: contrastive.q_matrices(x, y, tau)[0].sum(0),
    pairs_and_tau, mistakes=(
    ("is 1 for everybody: that is the sum along which the softmax was taken", lambda x, y, tau: np.ones(len(x))),
    ("says how popular each text is: one number for each image is asked for",
     lambda x, y, tau: contrastive.q_matrices(x, y, tau)[1].sum(1)),
    ("makes far images popular: s has a minus sign", lambda x, y, tau: softmax(_distances(x, y) / tau, 1).sum(0)),
    ("uses distances that are not squared",
     lambda x, y, tau: softmax(-np.sqrt(_distances(x, y)) / tau, 1).sum(0)),
))  # fmt: skip

contrastive_loss = Check("contrastive_loss", contrastive.contrastive_loss, pairs_and_tau, mistakes=(
    ("is half of Eq. 6: the two directions are added there, not averaged",
     lambda x, y, tau: contrastive.contrastive_loss(x, y, tau) / 2),
    ("counts one direction twice", lambda x, y, tau: _loss(-_distances(x, y) / tau, 1, 1)),
    ("counts one direction twice", lambda x, y, tau: _loss(-_distances(x, y) / tau, 0, 0)),
    ("multiplies by τ where Eq. 6 divides", lambda x, y, tau: _loss(-_distances(x, y) * tau)),
))  # fmt: skip

image_gradient = Check("image_gradient", lambda x, y, tau: contrastive.contrastive_gradient(x, y, tau)[1],
    pairs_and_tau, mistakes=(
    ("is the gradient for the texts", lambda x, y, tau: contrastive.contrastive_gradient(x, y, tau)[0]),
    ("attracts with half the strength: both softmaxes contain the pair", lambda x, y, tau: _image_gradient(x, y, tau, attraction=1.0)),
    ("leaves out one of the two softmaxes", lambda x, y, tau: _image_gradient(x, y, tau, both=False)),
    ("leaves out the repulsion", lambda x, y, tau: 4 / (len(x) * tau) * (y - x)),
    ("is the gradient for τ = 1 divided by τ: τ is inside the softmax too",
     lambda x, y, tau: _image_gradient(x, y, 1.0) / tau),
))  # fmt: skip

gradient_along_gap = Check("gradient_along_gap",
    lambda x, y, tau: contrastive.gradient_along_gap(x, y, tau)[1], pairs_and_tau, mistakes=(
    ("projects onto g made a unit vector: both factors are g itself, of length ‖g‖",
     lambda x, y, tau: contrastive.gradient_along_gap(x, y, tau)[1] / np.sum((y.mean(0) - x.mean(0)) ** 2)),
    ("does not subtract the images' mean",
     lambda x, y, tau: 4 / (len(x) * tau**2) * np.outer(y @ (y.mean(0) - x.mean(0)), y.mean(0) - x.mean(0))),
))  # fmt: skip

doubly_stochastic_defect = Check("doubly_stochastic_defect", contrastive.doubly_stochastic_defect,
    pairs_and_tau, mistakes=(
    ("adds the two sides: average over all of them", lambda x, y, tau: 2 * contrastive.doubly_stochastic_defect(x, y, tau)),
    ("squares the deviations: take their absolute values", lambda x, y, tau: np.mean((_free_sums(x, y, tau) - 1) ** 2)),
    ("looks at the images only: the texts' sums of Qʸ are free as well",
     lambda x, y, tau: np.abs(_free_sums(x, y, tau)[len(x):] - 1).mean()),
))  # fmt: skip
