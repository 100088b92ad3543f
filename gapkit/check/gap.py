"""Checks for lessons 01 to 03: the gap, whether it is orthogonal, and the loss and gradient from which it comes."""

from functools import partial

import numpy as np
from scipy.special import softmax

from gapkit import contrastive, geometry
from gapkit.check.engine import Check
from gapkit.check.inputs import cloud, clouds, components, directed_cloud, pairs, pairs_and_tau, unit


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


def _relative(z, g, *, centred=True, divide=True, total=False):
    inside = z - z.mean(0) if centred else z
    along = (inside @ (g / np.linalg.norm(g) if divide else g)) ** 2
    return along.mean() / ((z - z.mean(0)) ** 2).sum(1).mean() * (1 if total else z.shape[1])


gap_vector = Check("gap_vector", geometry.gap_vector, clouds, mistakes=(
    ("takes medians: Eq. 4 takes means", lambda x, y: np.median(y, axis=0) - np.median(x, axis=0)),
    ("takes sums: Eq. 4 takes means", lambda x, y: y.sum(0) - x.sum(0)),
))  # fmt: skip

# torch's pairwise_distance adds 1e-6
l2i = Check("l2i", geometry.l2i, pairs,
    also=(lambda x, y: np.linalg.norm(x - y + 1e-6, axis=1).mean(),), mistakes=(
    ("is the distance of the means: take the mean last", lambda x, y: np.linalg.norm((x - y).mean(0))),
    ("takes squared distances", lambda x, y: ((x - y) ** 2).sum(1).mean()),
    ("averages over all pairs: row i belongs to row i alone", lambda x, y: np.sqrt(_distances(x, y)).mean()),
    ("is a root mean square (RMS): average distances", lambda x, y: np.sqrt(((x - y) ** 2).sum(1).mean())),
    ("is a mean over all entries: each pair has one distance", lambda x, y: np.abs(x - y).mean()),
))  # fmt: skip

rmg = Check("rmg", geometry.rmg, pairs, mistakes=(
    ("counts each point as its own neighbour: inside a modality, i ≠ j", partial(_rmg_of, diagonal=True)),
    ("takes δ = 1 − cos in one place and (1 − cos)/2 in another", partial(_rmg_of, numerator=1.0)),
    ("weighs the modalities' insides twice: one δ everywhere, and their mean", partial(_rmg_of, within=1.0)),
    ("takes dot products: a cosine needs rows of length 1", partial(_rmg_of, normalise=False)),
))  # fmt: skip

relative_variance = Check("relative_variance", geometry.relative_variance, directed_cloud, mistakes=(
    ("depends on the direction's length: divide by it first", partial(_relative, divide=False)),
    ("is not centred: a variance is about the mean", partial(_relative, centred=False)),
    ("divides by the total: an isotropic cloud has 1/d of it on each axis", partial(_relative, total=True)),
))  # fmt: skip

subspace_share = Check("subspace_share", geometry.subspace_share,
    lambda rng: (*directed_cloud(rng), int(rng.integers(2, 4))), mistakes=(
    ("uses uncentred rows: principal components are about the mean", partial(_share, centred=False)),
    ("depends on the direction's length: divide by it", lambda z, g, k: _share(z, g, k) * np.linalg.norm(g)),
    ("takes columns where rows are the components (numpy's svd returns Vᵀ)",
     lambda z, g, k: np.linalg.norm(components(z)[:, :k].T @ g[: len(components(z))]) / np.linalg.norm(g)),
    ("is the share outside: the one inside is asked for", lambda z, g, k: np.sqrt(1 - _share(z, g, k) ** 2)),
))  # fmt: skip


def _spectrum(z, *, centred=True, power=2, whole=None):
    """Variances along the components with their usual mistakes built in; the defaults make none."""
    values = np.linalg.svd(z - z.mean(0) if centred else z, compute_uv=False) ** power
    return values / (values.sum() / z.shape[1] if whole is None else whole(values))


relative_spectrum = Check("relative_spectrum", _spectrum,
    lambda rng: (cloud(rng, int(rng.integers(4, 6)), int(rng.integers(7, 10))),), mistakes=(
    ("has the smallest first: the leading component comes first", lambda z: _spectrum(z)[::-1]),
    ("takes singular values: a variance is the square of one", partial(_spectrum, power=1)),
    ("belongs to uncentred rows: a variance is about the mean", partial(_spectrum, centred=False)),
    ("is a share of the total: an average direction has 1/d of that", partial(_spectrum, whole=np.sum)),
    ("averages over the components there are: there are d directions", partial(_spectrum, whole=np.mean)),
    ("is not yet relative: divide by the average variance", partial(_spectrum, whole=len)),
    ("is not yet relative: divide by the average variance", partial(_spectrum, whole=lambda v: len(v) - 1)),
))  # fmt: skip


def _distances(x, y):
    return ((x[:, None] - y[None]) ** 2).sum(2)


def _free_sums(x, y, tau):
    """The sums that need not be 1: of Qʸ over the images, then of Qˣ over the texts."""
    q_x, q_y = contrastive.q_matrices(x, y, tau)
    return np.concatenate([q_y.sum(1), q_x.sum(0)])


def _q(x, y, tau, *, sign=-1, power=2):
    """The two softmaxes with their usual mistakes built in; the defaults make none."""
    s = sign * _distances(x, y) ** (power / 2) / tau
    return softmax(s, 1), softmax(s, 0)


def _loss(x, y, tau, *, directions=(0, 1)):
    return -sum(np.log(_q(x, y, tau)[i].diagonal()) for i in directions).mean()


def _image_gradient(x, y, tau, *, attraction=2.0, both=True):
    q_x, q_y = _q(x, y, tau)
    weights = q_x + (q_y if both else 0)
    pull = attraction * (y - x) - (weights.sum(0)[:, None] * y - weights.T @ x)
    return 2 / (len(x) * tau) * pull


q_matrices = Check("q_matrices", contrastive.q_matrices, pairs_and_tau,
    parts=("Qˣ (the first result)", "Qʸ (the second result)"), mistakes=(
    ("returns the matrices the wrong way round: rows of the first sum to 1", lambda *given: _q(*given)[::-1]),
    ("uses distances that are not squared", partial(_q, power=1)),
    ("gives the far candidates the high probabilities: s has a minus sign", partial(_q, sign=1)),
    ("is indexed [image, text]: rows belong to texts", lambda *given: tuple(q.T for q in _q(*given))),
))  # fmt: skip

column_sums = Check("column_sums", lambda x, y, tau: contrastive.q_matrices(x, y, tau)[0].sum(0),
    pairs_and_tau, mistakes=(
    ("is 1 for everybody: that is the sum that the softmax ran along", lambda x, y, tau: np.ones(len(x))),
    ("says how popular each text is: each image's number is asked for", lambda *given: _q(*given)[1].sum(1)),
    ("makes far images popular: s has a minus sign", lambda *given: _q(*given, sign=1)[0].sum(0)),
    ("uses distances that are not squared", lambda *given: _q(*given, power=1)[0].sum(0)),
))  # fmt: skip

contrastive_loss = Check("contrastive_loss", contrastive.contrastive_loss, pairs_and_tau, mistakes=(
    ("is half of Eq. 6: it adds the two directions, and averages nothing", lambda *given: _loss(*given) / 2),
    ("counts one direction twice", partial(_loss, directions=(0, 0))),
    ("counts one direction twice", partial(_loss, directions=(1, 1))),
    ("multiplies by τ where Eq. 6 divides", lambda x, y, tau: _loss(x, y, 1 / tau)),
))  # fmt: skip

image_gradient = Check("image_gradient", lambda x, y, tau: contrastive.contrastive_gradient(x, y, tau)[1],
    pairs_and_tau, mistakes=(
    ("is the gradient for the texts", lambda *given: contrastive.contrastive_gradient(*given)[0]),
    ("attracts with half the strength: both softmaxes attract", partial(_image_gradient, attraction=1.0)),
    ("leaves out one of the two softmaxes", partial(_image_gradient, both=False)),
    ("leaves out the repulsion", lambda x, y, tau: 4 / (len(x) * tau) * (y - x)),
    ("forgets the τ inside the softmax", lambda x, y, tau: _image_gradient(x, y, 1.0) / tau),
))  # fmt: skip


def _theorem(x, y, tau, *, centred=True, unit_gap=False):
    """The approximation for the images, with its usual mistakes built in; the defaults make none."""
    g, rows = geometry.gap_vector(x, y), y - y.mean(0) if centred else y
    return 4 / (len(x) * tau**2) * np.outer(rows @ g, g) / (g @ g if unit_gap else 1)


gradient_along_gap = Check("gradient_along_gap",
    lambda x, y, tau: contrastive.gradient_along_gap(x, y, tau)[1], pairs_and_tau, mistakes=(
    ("projects onto g made a unit vector: both factors are g itself", partial(_theorem, unit_gap=True)),
    ("does not subtract the images' mean", partial(_theorem, centred=False)),
))  # fmt: skip

doubly_stochastic_defect = Check("doubly_stochastic_defect", contrastive.doubly_stochastic_defect,
    pairs_and_tau, mistakes=(
    ("adds the two sides: average over all", lambda *given: 2 * np.abs(_free_sums(*given) - 1).mean()),
    ("squares the deviations: take absolute values", lambda *given: ((_free_sums(*given) - 1) ** 2).mean()),
    ("looks at the images only: the texts' sums of Qʸ are free as well",
     lambda x, y, tau: np.abs(_free_sums(x, y, tau)[len(x):] - 1).mean()),
))  # fmt: skip
