"""Checks for lessons 04 to 07: which answers survive noise, and moving a modality without changing its answers."""

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.stats import norm

from gapkit.check.diagnosis import split
from gapkit.check.engine import Check, CheckFailed, Passed, call_each, must_be_function
from gapkit.check.inputs import cloud, components, fresh_rng, gallery_and_queries, unit
from gapkit.closing import AffineProjection, GapCloser, LinearProjection
from gapkit.geometry import gap_vector
from gapkit.geometry import nearest as nearest_reference
from gapkit.perturbations import UniformQuantization
from gapkit.robustness import robustness


def _distances(queries, gallery):
    return np.linalg.norm(queries[:, None] - gallery[None], axis=2)


def _with_ties(rng):
    queries, gallery = gallery_and_queries(rng)
    lengths = rng.uniform(0.5, 2.0, size=(len(gallery), 1)).round(1)
    gallery[4], lengths[4] = gallery[1], lengths[1]  # a tie wherever one of them wins
    # steps of 1/64, whose squares and products are exact: no way to compute breaks the tie by rounding
    return tuple(np.round(64 * z) / 64 for z in (queries + 0.3 * gallery[1], gallery * lengths))


nearest = Check("nearest", nearest_reference, _with_ties, mistakes=(
    ("gives the farthest row", lambda q, g: _distances(q, g).argmax(1)),
    ("gives the largest dot product, but the rows have many lengths", lambda q, g: (q @ g.T).argmax(1)),
    ("answers for the gallery's rows: each query asks for one", lambda q, g: _distances(q, g).argmin(0)),
    ("gives the highest index where two rows are equally near: the lowest is asked for",
     lambda q, g: len(g) - 1 - _distances(q, g)[:, ::-1].argmin(1)),
    ("gives distances: indices are asked for", lambda q, g: _distances(q, g).min(1)),
))  # fmt: skip


def _pair(rng):
    query, first, second = rng.normal(size=(3, 5)) + 0.5
    return query, *sorted((first, second), key=lambda z: -(query @ z)), float(rng.uniform(0.1, 0.6))


def _pair_by_distance(rng):
    """The same, but the first of the two is the *nearer* one."""
    query, first, second, sigma = _pair(rng)
    return query, *sorted((first, second), key=lambda z: np.linalg.norm(z - query)), sigma


def _phi(factor: Callable) -> Callable:
    return lambda y, a, b, s: norm.cdf(y @ (a - b) / factor(y, s))


pair_robustness = Check("pair_robustness", _phi(lambda y, s: s * np.linalg.norm(y) * np.sqrt(2)), _pair,
    mistakes=(
    ("counts the noise of one candidate only: both are perturbed", _phi(lambda y, s: s * np.linalg.norm(y))),
    ("leaves out the query's length: y·ε has the standard deviation σ‖y‖", _phi(lambda y, s: s * np.sqrt(2))),
    ("adds standard deviations: variances add", _phi(lambda y, s: 2 * s * np.linalg.norm(y))),
))  # fmt: skip


def _by_distances(query, first, second, sigma, *, power=2, noise=len, spread=2.0):
    """The normal approximation with its usual mistakes built in; the defaults make none."""
    near, far = (np.linalg.norm(candidate - query) for candidate in (first, second))
    width = spread * sigma * np.sqrt(near**2 + far**2 + noise(query) * sigma**2)
    return norm.cdf((far**power - near**power) / width)


pair_approximation = Check("pair_approximation", _by_distances, _pair_by_distance, mistakes=(
    ("takes distances: squared ones have a nearly normal difference", partial(_by_distances, power=1)),
    ("leaves out dσ²: noise lengthens both differences", partial(_by_distances, noise=lambda y: 0)),
    ("adds σ² once: each of the d coordinates is noisy", partial(_by_distances, noise=lambda y: 1)),
    ("takes the variance of one squared length: both are noisy", partial(_by_distances, spread=np.sqrt(2))),
))  # fmt: skip


def _query_and_gallery(rng):
    queries, gallery = gallery_and_queries(rng)
    return queries[0], gallery, float(rng.uniform(0.1, 0.4))


def _exact(query, gallery, sigma):
    return float(robustness(query[None], gallery, sigma=sigma, metric="euclidean", noise_on="gallery")[0])


exact_robustness = Check("exact_robustness", _exact, _query_and_gallery, rtol=1e-3)

quantise = Check("quantise", lambda z, bins, limit: UniformQuantization(bins, limit=limit).apply(z),
    lambda rng: (rng.uniform(-1.3, 1.3, size=(9, 5)), int(rng.integers(3, 9)), float(rng.uniform(0.7, 1.0))),
    mistakes=(
    ("gives the number of the bin: its middle is asked for",
     lambda z, bins, limit: np.clip(np.floor((z + limit) / (2 * limit) * bins), 0, bins - 1)),
    ("gives the lower end of the bin: its middle is asked for",
     lambda z, bins, limit: UniformQuantization(bins, limit=limit).apply(z) - limit / bins),
    ("rounds to the ends of the bins: there would be one value more than bins",
     lambda z, bins, limit: limit * np.clip(np.round((z / limit + 1) / 2 * bins) / bins * 2 - 1, -1, 1)),
    ("leaves what lies outside the range where it is",
     lambda z, bins, limit: (np.floor((z + limit) / (2 * limit) * bins) + 0.5) / bins * 2 * limit - limit),
))  # fmt: skip

_DRAWS = (900, 1100)


def _sample(queries, gallery, sigma, noise, rng):
    """A Monte Carlo estimate in which ``noise(σ, ε)`` is added to the gallery."""
    clean = _distances(queries, gallery).argmin(1)
    noisy = (gallery + noise(sigma, rng.normal(size=gallery.shape)) for _ in range(2000))
    return np.mean([_distances(queries, rows).argmin(1) == clean for rows in noisy], axis=0)


_SAMPLING_MISTAKES = (
    ("perturbs the queries, or all candidates alike (which is the same): each gallery row has its own noise",
     lambda s, e: s * e[0]),
    ("takes σ² for the standard deviation", lambda s, e: s**2 * e),
    ("takes √σ for the standard deviation", lambda s, e: s**0.5 * e),
    ("divides σ by √d: it is given for one coordinate", lambda s, e: s / e.shape[1] ** 0.5 * e),
    ("uses uniform noise: it is Gaussian", lambda s, e: s * (2 * norm.cdf(e) - 1)),
)  # fmt: skip


def monte_carlo(function: object, *, seed: int | None = None) -> Passed:
    """Check ``monte_carlo(queries, gallery, sigma, draws, seed) -> (p, standard_error)``.

    ``p`` must agree with the exact robustness within what its own chance allows (5.5 standard errors at
    each query), the standard error must be √(p(1−p)/draws), and one seed must give one result.

    Raises
    ------
    CheckFailed
        If it does not; the message says in what way.
    """
    name = "monte_carlo"
    must_be_function(function, name)
    rng = fresh_rng(seed)
    for _ in range(2):
        queries, gallery = gallery_and_queries(rng)
        sigma, chosen = float(rng.uniform(0.15, 0.3)), int(rng.integers(2**31))
        count = int(rng.integers(*_DRAWS)) | 1  # odd, so that half of them is no whole number either
        given = (queries, gallery, sigma, count, chosen)
        got = split(call_each(function, [given], name)[0], 2)
        if not isinstance(got, tuple) or len(got) != 2:
            raise CheckFailed(f"{name} must return two results: the estimates and their standard errors")
        for numbers, what in zip(got, ("estimates", "standard errors"), strict=True):
            if numbers.shape != (len(queries),):
                raise CheckFailed(f"{name}: the {what} must be one for each query, not {numbers.shape}")
        _compare(got, given, rng, name)
        if not np.allclose(got[0] * count, np.round(got[0] * count), rtol=0, atol=0.06):  # four digits do
            raise CheckFailed(f"{name}: an estimate is a count of kept answers by `draws`: draw that often")
        again = split(call_each(function, [given], name)[0], 2)
        if not all(np.array_equal(a, b) for a, b in zip(got, again, strict=True)):
            raise CheckFailed(f"{name} gives two results for one seed: use a generator made from `seed`")
        other = split(call_each(function, [(*given[:-1], chosen + 1)], name)[0], 2)
        if np.array_equal(got[0], other[0]):
            raise CheckFailed(f"{name} gives the same result for every seed: it must depend on `seed`")
    return Passed(f"{name}: right (agrees with the exact robustness on fresh inputs, within its own chance)")


def _compare(got, given, rng, name) -> None:
    queries, gallery, sigma, count, _ = given
    p, error = got
    if not ((p >= 0) & (p <= 1)).all():
        raise CheckFailed(f"{name}: an estimate of a probability lies in 0 … 1")
    exact = np.array([_exact(query, gallery, sigma) for query in queries])
    slack = 5.5 * np.sqrt(exact * (1 - exact) / count) + 5 / count
    if (np.abs(p - exact) > slack).any():
        if (np.abs(1 - p - exact) <= slack).all():
            raise CheckFailed(f"{name} counts the answers that are lost, not those that are kept")
        for sentence, noise in _SAMPLING_MISTAKES:
            if (np.abs(p - _sample(queries, gallery, sigma, noise, rng)) <= 1.3 * slack + 0.02).all():
                raise CheckFailed(f"{name} {sentence}")
        raise CheckFailed(f"{name} does not agree with the exact robustness, by more than chance explains")
    usual = np.sqrt(p * (1 - p) / count)
    if not np.allclose(error, usual, rtol=0.01, atol=1e-6):
        fault = "is not √(p(1−p)/draws)"
        if np.allclose(error, usual * np.sqrt(count), rtol=0.01):
            fault = "is the spread of one draw: that of the mean is smaller by √draws"
        elif np.allclose(error, usual**2, rtol=0.01):
            fault = "is a variance: take the root"
        raise CheckFailed(f"{name}: the standard error {fault}")


def _sides(rng):
    """A gallery that does not span the space, and queries a gap away."""
    queries, gallery = gallery_and_queries(rng)
    return gallery + rng.normal(size=gallery.shape[1]), queries


def _outside(x, y, rows):
    """The gap without what lies in the span of orthonormal rows."""
    g = gap_vector(x, y)
    return g - rows.T @ (rows @ g)


projected_gap = Check("projected_gap", lambda x, y, k: GapCloser(n_components=k).fit(x, y).shift_,
    lambda rng: (*_sides(rng), int(rng.integers(2, 5))), mistakes=(
    ("is the part inside the components: the part orthogonal to them is asked for",
     lambda x, y, k: gap_vector(x, y) - _outside(x, y, components(x)[:k])),
    ("uses the queries' components: V is the gallery's", lambda x, y, k: _outside(x, y, components(y)[:k])),
    ("uses singular vectors of uncentred rows: principal components are about the mean",
     lambda x, y, k: _outside(x, y, components(x, centred=False)[:k])),
    ("is the whole gap: nothing was projected out", lambda x, y, k: gap_vector(x, y)),
    ("removes the last components, not the leading ones", lambda x, y, k: _outside(x, y, components(x)[-k:])),
))  # fmt: skip


def _closed(x, y, alpha):
    return GapCloser(alpha=alpha).fit(x, y).transform(x)


close_gap = Check("close_gap", _closed, lambda rng: (*_sides(rng), float(rng.uniform(0.2, 1.4))), mistakes=(
    ("moves away from the queries: a sign is wrong", lambda x, y, alpha: _closed(x, y, -alpha)),
    ("shifts by the whole gap: project it first", lambda x, y, alpha: x + alpha * gap_vector(x, y)),
    ("removes one component too many: K rows span K − 1 directions, svd returns K",
     lambda x, y, alpha: x + alpha * _outside(x, y, components(x))),
    ("moves the queries: move the gallery", lambda x, y, alpha: y - alpha * GapCloser().fit(x, y).shift_),
    ("normalises the rows: the guarantee is for rows as they are", lambda *given: unit(_closed(*given))),
    ("centres the gallery", lambda x, y, alpha: _closed(x, y, alpha) - x.mean(0)),
))  # fmt: skip


def _best(queries, shift, *, centred=True, power=2, sign=1, start=1.0):
    """α* with its usual mistakes built in; the defaults make none."""
    along = (queries - queries.mean(0) if centred else queries) @ shift
    return start + sign * along / np.linalg.norm(shift) ** power


best_alpha = Check("best_alpha", _best,
    lambda rng: (cloud(rng, int(rng.integers(6, 9)), 5), rng.normal(size=5)), mistakes=(
    ("has the wrong sign in its second term: queries farther out want a longer way", partial(_best, sign=-1)),
    ("divides by ‖g'‖: α counts in multiples of g', so it is ‖g'‖²", partial(_best, power=1)),
    ("takes the queries as they are: their place relative to the mean counts", partial(_best, centred=False)),
    ("forgets the 1: the average query is best off at full closure", partial(_best, start=0.0)),
))  # fmt: skip


def _fitted(kind, x, y):
    return kind().fit(x, y).transform(y)


def _onto_rows(z, x):
    rows = components(x, centred=False)
    return z @ rows.T @ rows


affine_projection = Check("affine_projection", partial(_fitted, AffineProjection), _sides, mistakes=(
    ("projects onto the span through the origin, not through the mean", partial(_fitted, LinearProjection)),
    ("removes what lies in the span, not the rest", lambda x, y: y - _fitted(LinearProjection, x, y)),
    ("shifts all queries alike: each is projected for itself", lambda x, y: y - GapCloser().fit(x, y).shift_),
    ("uses singular vectors of uncentred rows", lambda x, y: x.mean(0) + _onto_rows(y - x.mean(0), x)),
))  # fmt: skip

linear_projection = Check("linear_projection", partial(_fitted, LinearProjection), _sides, mistakes=(
    ("adds the gallery's mean: for dot products that is not the best", partial(_fitted, AffineProjection)),
    ("uses uncentred rows: the span is that of the differences", lambda x, y: _onto_rows(y, x)),
))  # fmt: skip
