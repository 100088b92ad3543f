"""Checks for lessons 04, 05 and 07: moving a modality without changing its answers."""

import numpy as np

from gapkit.check import draws
from gapkit.check.engine import Check
from gapkit.closing import AffineProjection, GapCloser, LinearProjection
from gapkit.tasks import agreement as agreement_reference


def _sides(rng):
    """A gallery that does not span the space, and queries a gap away."""
    queries, gallery = draws.gallery_and_queries(rng)
    return gallery + rng.normal(size=gallery.shape[1]), queries


def _components(x, *, centred=True):
    return np.linalg.svd(x - x.mean(0) if centred else x, full_matrices=False)[2]


def _without(g, rows):
    return g - rows.T @ (rows @ g)


def _gap(x, y):
    return y.mean(0) - x.mean(0)


projected_gap = Check(
    "projected_gap",
    lambda x, y, k: GapCloser(n_components=k).fit(x, y).shift_,
    lambda rng: (*_sides(rng), int(rng.integers(2, 5))),
    mistakes=(
        ("is the part inside the components: the part orthogonal to them is asked for",
         lambda x, y, k: _components(x)[:k].T @ (_components(x)[:k] @ _gap(x, y))),
        ("uses the queries' components: V belongs to the modality that is retrieved",
         lambda x, y, k: _without(_gap(x, y), _components(y)[:k])),
        ("uses singular vectors of uncentred rows: principal components are about the mean",
         lambda x, y, k: _without(_gap(x, y), _components(x, centred=False)[:k])),
        ("uses one component too few", lambda x, y, k: _without(_gap(x, y), _components(x)[: k - 1])),
        ("uses one component too many", lambda x, y, k: _without(_gap(x, y), _components(x)[: k + 1])),
        ("is the whole gap: nothing was projected out", lambda x, y, k: _gap(x, y)),
        ("removes the components of least variance: the leading ones are asked for",
         lambda x, y, k: _without(_gap(x, y), _components(x)[-k:])),
    ),
)  # fmt: skip

close_gap = Check(
    "close_gap",
    lambda x, y, alpha: GapCloser(alpha=alpha).fit(x, y).transform(x),
    lambda rng: (*_sides(rng), float(rng.uniform(0.2, 1.4))),
    mistakes=(
        ("moves away from the queries: the sign of α or of the gap is wrong",
         lambda x, y, alpha: GapCloser(alpha=-alpha).fit(x, y).transform(x)),
        ("shifts by the whole gap: first take out what lies in the gallery's components", lambda x, y, alpha: x + alpha * _gap(x, y)),
        ("removes one component too many: K rows span K − 1 directions, svd returns K",
         lambda x, y, alpha: x + alpha * _without(_gap(x, y), _components(x))),
        ("closes the gap wholly: move by α times it", lambda x, y, alpha: GapCloser().fit(x, y).transform(x)),
        ("moves the queries: the gallery is to be moved",
         lambda x, y, alpha: GapCloser(alpha=alpha, moves="queries").fit(x, y).transform(y)),
        ("normalises the rows afterwards: the guarantee is for Euclidean distances of the rows as they are",
         lambda x, y, alpha: _unit(GapCloser(alpha=alpha).fit(x, y).transform(x))),
        ("centres the gallery", lambda x, y, alpha: GapCloser(alpha=alpha).fit(x, y).transform(x) - x.mean(0)),
    ),
)  # fmt: skip


def _unit(z):
    return z / np.linalg.norm(z, axis=1, keepdims=True)


agreement = Check(
    "agreement",
    agreement_reference,
    lambda rng: tuple(rng.integers(4, size=(2, 40))),
    rtol=1e-6,  # the inputs are whole numbers, of which torch makes a share in single precision
    mistakes=(
        ("counts the answers that changed", lambda a, b: np.mean(a != b)),
        ("is a number of answers: a share is asked for", lambda a, b: np.sum(a == b)),
    ),
)  # fmt: skip


def _best(queries, shift, *, centred=True, power=2, sign=1, start=1.0):
    """α* with its usual mistakes built in; the defaults make none."""
    along = (queries - queries.mean(0) if centred else queries) @ shift
    return start + sign * along / np.linalg.norm(shift) ** power


best_alpha = Check(
    "best_alpha",
    _best,
    lambda rng: (draws.cloud(rng, int(rng.integers(6, 9)), 5), rng.normal(size=5)),
    mistakes=(
        ("has the wrong sign in front of the second term: a query farther out along g' wants a longer way",
         lambda y, shift: _best(y, shift, sign=-1)),
        ("divides by ‖g'‖: α counts in multiples of g', so it is ‖g'‖²", lambda y, shift: _best(y, shift, power=1)),
        ("takes the queries as they are: it is their place relative to their mean that counts",
         lambda y, shift: _best(y, shift, centred=False)),
        ("forgets the 1: the average query is best off at full closure", lambda y, shift: _best(y, shift, start=0.0)),
    ),
)  # fmt: skip


def _fitted(kind, x, y):
    return kind().fit(x, y).transform(y)


affine_projection = Check(
    "affine_projection",
    lambda x, y: _fitted(AffineProjection, x, y),
    _sides,
    mistakes=(
        ("projects onto the span through the origin: the gallery's affine span goes through its mean",
         lambda x, y: _fitted(LinearProjection, x, y)),
        ("removes what lies in the span: the part outside it is to be removed", lambda x, y: y - _fitted(LinearProjection, x, y)),
        ("shifts all queries alike: each one is projected for itself", lambda x, y: y - GapCloser().fit(x, y).shift_),
        ("uses singular vectors of uncentred rows", lambda x, y: x.mean(0) + (y - x.mean(0)) @ _components(x, centred=False).T @ _components(x, centred=False)),
    ),
)  # fmt: skip

linear_projection = Check(
    "linear_projection",
    lambda x, y: _fitted(LinearProjection, x, y),
    _sides,
    mistakes=(
        ("adds the gallery's mean: that is best for Euclidean distances, not for dot products",
         lambda x, y: _fitted(AffineProjection, x, y)),
        ("uses singular vectors of uncentred rows: the span is that of the differences",
         lambda x, y: y @ _components(x, centred=False).T @ _components(x, centred=False)),
    ),
)  # fmt: skip
