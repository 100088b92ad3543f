"""Checks for lessons 04 to 07: which answers survive noise, and moving a modality without changing its answers."""

from collections.abc import Callable

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
    return queries + 0.3 * gallery[1], gallery * lengths


nearest = Check("nearest", nearest_reference, _with_ties, mistakes=(
    ("gives the farthest row", lambda q, g: _distances(q, g).argmax(1)),
    ("gives the largest dot product: the rows have many lengths, so that is not a nearest neighbour",
     lambda q, g: (q @ g.T).argmax(1)),
    ("answers for the gallery's rows: one answer for each query is asked for", lambda q, g: _distances(q, g).argmin(0)),
    ("gives the highest index where two rows are equally near: the lowest is asked for",
     lambda q, g: len(g) - 1 - _distances(q, g)[:, ::-1].argmin(1)),
    ("gives distances: indices are asked for", lambda q, g: _distances(q, g).min(1)),
))  # fmt: skip


def _pair(rng):
    query, first, second = rng.normal(size=(3, 5)) + 0.5
    if query @ first < query @ second:
        first, second = second, first
    return query, first, second, float(rng.uniform(0.1, 0.6))


def _pair_by_distance(rng):
    """The same, but the first of the two is the *nearer* one."""
    query, first, second, sigma = _pair(rng)
    near, far = sorted((first, second), key=lambda candidate: np.linalg.norm(candidate - query))
    return query, near, far, sigma


def _phi(factor: Callable) -> Callable:
    return lambda y, a, b, s: norm.cdf(y @ (a - b) / factor(y, s))


pair_robustness = Check("pair_robustness", _phi(lambda y, s: s * np.linalg.norm(y) * np.sqrt(2)), _pair,
    mistakes=(
    ("counts the noise of one candidate only: both are perturbed", _phi(lambda y, s: s * np.linalg.norm(y))),
    ("leaves out the length of the query: y·ε has the standard deviation σ‖y‖", _phi(lambda y, s: s * np.sqrt(2))),
    ("adds standard deviations: variances add", _phi(lambda y, s: 2 * s * np.linalg.norm(y))),
))  # fmt: skip


def _by_distances(query, first, second, sigma, *, power=2, noise=1.0, spread=2.0):
    """The normal approximation with its usual mistakes built in; the defaults make none."""
    near, far = (np.linalg.norm(candidate - query) for candidate in (first, second))
    width = spread * sigma * np.sqrt(near**2 + far**2 + noise * len(query) * sigma**2)
    return norm.cdf((far**power - near**power) / width)


pair_approximation = Check("pair_approximation", _by_distances, _pair_by_distance, mistakes=(
    ("takes distances: it is the squared ones whose difference is nearly normal",
     lambda *given: _by_distances(*given, power=1)),
    ("leaves out dσ²: what the noise adds to both squared lengths adds to the variance too",
     lambda *given: _by_distances(*given, noise=0.0)),
    ("adds σ² once: each of the d coordinates is noisy",
     lambda y, a, b, s: _by_distances(y, a, b, s, noise=1 / len(y))),
    ("takes the variance of one squared length: both candidates are noisy, and the root is 2σ√(…)",
     lambda *given: _by_distances(*given, spread=np.sqrt(2))),
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
     lambda z, bins, limit: np.clip(np.round((z + limit) / (2 * limit) * bins) / bins * 2 * limit - limit, -limit, limit)),
    ("leaves what lies outside the range where it is",
     lambda z, bins, limit: (np.floor((z + limit) / (2 * limit) * bins) + 0.5) / bins * 2 * limit - limit),
))  # fmt: skip

_DRAWS = 1000


def _sample(noise: Callable) -> Callable:
    """A Monte Carlo estimate in which ``noise(rng, queries, gallery, sigma)`` gives what is compared."""

    def estimate(queries, gallery, sigma, draws, rng):
        clean = _distances(queries, gallery).argmin(1)
        kept = [_distances(*noise(rng, queries, gallery, sigma)).argmin(1) == clean for _ in range(draws)]
        return np.mean(kept, axis=0)

    return estimate


_SAMPLING_MISTAKES = (
    ("perturbs the queries, or all candidates alike (which is the same): each gallery row has its own noise",
     _sample(lambda rng, q, g, s: (q + s * rng.normal(size=q.shape), g))),
    ("takes σ² for the standard deviation", _sample(lambda rng, q, g, s: (q, g + s**2 * rng.normal(size=g.shape)))),
    ("takes √σ for the standard deviation", _sample(lambda rng, q, g, s: (q, g + s**0.5 * rng.normal(size=g.shape)))),
    ("divides σ by √d: it is given for one coordinate",
     _sample(lambda rng, q, g, s: (q, g + s / g.shape[1] ** 0.5 * rng.normal(size=g.shape)))),
    ("uses uniform noise: it is Gaussian", _sample(lambda rng, q, g, s: (q, g + s * rng.uniform(-1, 1, size=g.shape)))),
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
        given = (queries, gallery, sigma, _DRAWS, chosen)
        got = split(call_each(function, [given], name)[0], 2)
        if not isinstance(got, tuple) or len(got) != 2:
            raise CheckFailed(f"{name} must return two results: the estimates and their standard errors")
        for numbers, what in zip(got, ("estimates", "standard errors"), strict=True):
            if numbers.shape != (len(queries),):
                raise CheckFailed(
                    f"{name}: the {what} must be one for each query; they have shape {numbers.shape}"
                )
        _compare(got, given, rng, name)
        again = split(call_each(function, [given], name)[0], 2)
        if not all(np.array_equal(a, b) for a, b in zip(got, again, strict=True)):
            raise CheckFailed(
                f"{name} gives two results for one seed: draw from a generator made from `seed`"
            )
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
        for sentence, sample in _SAMPLING_MISTAKES:
            if (np.abs(p - sample(queries, gallery, sigma, 2000, rng)) <= 1.3 * slack + 0.02).all():
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


def _without(g, rows):
    return g - rows.T @ (rows @ g)


projected_gap = Check("projected_gap", lambda x, y, k: GapCloser(n_components=k).fit(x, y).shift_,
    lambda rng: (*_sides(rng), int(rng.integers(2, 5))), mistakes=(
    ("is the part inside the components: the part orthogonal to them is asked for",
     lambda x, y, k: components(x)[:k].T @ (components(x)[:k] @ gap_vector(x, y))),
    ("uses the queries' components: V belongs to the modality that is retrieved",
     lambda x, y, k: _without(gap_vector(x, y), components(y)[:k])),
    ("uses singular vectors of uncentred rows: principal components are about the mean",
     lambda x, y, k: _without(gap_vector(x, y), components(x, centred=False)[:k])),
    ("is the whole gap: nothing was projected out", lambda x, y, k: gap_vector(x, y)),
    ("removes the components of least variance: the leading ones are asked for",
     lambda x, y, k: _without(gap_vector(x, y), components(x)[-k:])),
))  # fmt: skip

close_gap = Check("close_gap", lambda x, y, alpha: GapCloser(alpha=alpha).fit(x, y).transform(x),
    lambda rng: (*_sides(rng), float(rng.uniform(0.2, 1.4))), mistakes=(
    ("moves away from the queries: the sign of α or of the gap is wrong",
     lambda x, y, alpha: GapCloser(alpha=-alpha).fit(x, y).transform(x)),
    ("shifts by the whole gap: first take out what lies in the gallery's components", lambda x, y, alpha: x + alpha * gap_vector(x, y)),
    ("removes one component too many: K rows span K − 1 directions, svd returns K",
     lambda x, y, alpha: x + alpha * _without(gap_vector(x, y), components(x))),
    ("moves the queries: the gallery is to be moved",
     lambda x, y, alpha: GapCloser(alpha=alpha, moves="queries").fit(x, y).transform(y)),
    ("normalises the rows afterwards: the guarantee is for Euclidean distances of the rows as they are",
     lambda x, y, alpha: unit(GapCloser(alpha=alpha).fit(x, y).transform(x))),
    ("centres the gallery", lambda x, y, alpha: GapCloser(alpha=alpha).fit(x, y).transform(x) - x.mean(0)),
))  # fmt: skip


def _best(queries, shift, *, centred=True, power=2, sign=1, start=1.0):
    """α* with its usual mistakes built in; the defaults make none."""
    along = (queries - queries.mean(0) if centred else queries) @ shift
    return start + sign * along / np.linalg.norm(shift) ** power


best_alpha = Check("best_alpha", _best,
    lambda rng: (cloud(rng, int(rng.integers(6, 9)), 5), rng.normal(size=5)), mistakes=(
    ("has the wrong sign in front of the second term: a query farther out along g' wants a longer way",
     lambda y, shift: _best(y, shift, sign=-1)),
    ("divides by ‖g'‖: α counts in multiples of g', so it is ‖g'‖²", lambda y, shift: _best(y, shift, power=1)),
    ("takes the queries as they are: it is their place relative to their mean that counts",
     lambda y, shift: _best(y, shift, centred=False)),
    ("forgets the 1: the average query is best off at full closure", lambda y, shift: _best(y, shift, start=0.0)),
))  # fmt: skip


def _fitted(kind, x, y):
    return kind().fit(x, y).transform(y)


affine_projection = Check("affine_projection", lambda x, y: _fitted(AffineProjection, x, y), _sides,
    mistakes=(
    ("projects onto the span through the origin: the gallery's affine span goes through its mean",
     lambda x, y: _fitted(LinearProjection, x, y)),
    ("removes what lies in the span: the part outside it is to be removed", lambda x, y: y - _fitted(LinearProjection, x, y)),
    ("shifts all queries alike: each one is projected for itself", lambda x, y: y - GapCloser().fit(x, y).shift_),
    ("uses singular vectors of uncentred rows", lambda x, y: x.mean(0) + (y - x.mean(0)) @ components(x, centred=False).T @ components(x, centred=False)),
))  # fmt: skip

linear_projection = Check("linear_projection", lambda x, y: _fitted(LinearProjection, x, y), _sides,
    mistakes=(
    ("adds the gallery's mean: that is best for Euclidean distances, not for dot products",
     lambda x, y: _fitted(AffineProjection, x, y)),
    ("uses singular vectors of uncentred rows: the span is that of the differences",
     lambda x, y: y @ components(x, centred=False).T @ components(x, centred=False)),
))  # fmt: skip
