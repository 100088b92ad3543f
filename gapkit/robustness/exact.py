r"""Exact robustness under Gaussian noise on the gallery: for which noise it is known, and how a problem is cut into blocks.

*Which noise.* Under the dot product any Gaussian noise on the gallery is exact: :math:`y \cdot \varepsilon \sim N(0, y^\top \Sigma y)`. For
distances and angles the derivations need noise that is alike in all directions, :math:`\Sigma = \sigma^2 I`, or alike in
all directions of a subspace, :math:`\Sigma = \sigma^2 V V^\top` with orthonormal V, and a gallery that does not differ outside of it:
what is common to all candidates then adds the same to all squared distances, and the problem is that of the
coordinates in V. (For the cosine the gallery must lie in the subspace.) This is the noise that a projecting
closer leaves of isotropic noise.

Each metric takes a module: `gapkit.robustness.exact_dot`, `gapkit.robustness.exact_euclidean` and `gapkit.robustness.exact_cosine`.
"""

from dataclasses import dataclass
from itertools import repeat

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gapkit._arrays import row_lengths
from gapkit.geometry import galleries, neighbours
from gapkit.geometry.galleries import Gallery, join, pairs_upto
from gapkit.perturbations import GaussianNoise
from gapkit.robustness import exact_cosine
from gapkit.robustness.exact_cosine import cosine
from gapkit.robustness.exact_dot import by_margins, dot
from gapkit.robustness.exact_euclidean import CLOSED_FORM_FROM, euclidean, integrate
from gapkit.robustness.quadrature import FINE, REACH, Counts

_ALIKE = 1e-9
_PAIR_BYTES, _QUERY_BYTES = 160, 40_000
_LEAST_NOISE = 1e-14
"""Noise finer than this share of the lengths is taken as this: distances and angles in float64 are no finer."""
_FEW = 64
"""So many pairs in reach a query, on average, are each computed in float64."""
_ROUNDING = 4e-5
"""Of a distance in units of σ: from here on float32 is not enough where pairs are counted."""
_COUNTED = 1e-5
"""Added to the error where pairs are counted: float32's share, of about twice _ROUNDING / 4, and less than 1e-6 of the grid's."""
_LEVELS = 12
"""Lengths for which cosines are tabulated at most, where they are counted."""
_LONGEST = 1e6
"""Length of a row in units of σ up to which its angles in float64 are fine enough for one set of panels."""


@dataclass(frozen=True)
class Solvable:
    """A problem that the exact integrals solve.

    ``scale`` is σ of noise that is alike in every direction of the space that ``y`` and ``x`` are now in (Euclidean and
    cosine), or each query's standard deviation of a score (dot).
    """

    y: Float[Tensor, "m r"]
    x: Float[Tensor, "k r"]
    scale: float | Float[Tensor, " m"]


def solvable(
    y: Float[Tensor, "m d"], x: Float[Tensor, "k d"], noise: GaussianNoise, metric: str
) -> Solvable | None:
    """The solvable problem with the same robustness, or None if there is none."""
    sigma = noise.isotropic
    if metric == "dot":
        return Solvable(y, x, row_lengths(noise.times_root(y)))
    if sigma is not None:
        return Solvable(y, x, sigma)
    x = x.double()
    values, vectors = torch.linalg.eigh(noise.covariance_matrix(x.shape[1]).to(x.device))
    largest = float(values[-1])
    if largest <= 0:
        return Solvable(y, x, 0.0)
    used = values > 16 * len(values) * galleries.EPS * largest  # the rest is rounding
    if float(values[used][0]) < (1 - _ALIKE) * largest:
        return None
    basis = vectors[:, used]
    common = torch.zeros_like(x[0]) if metric == "cosine" else x[0]
    apart = x - common
    rest = apart - apart @ basis @ basis.T
    rounding = 64 * galleries.EPS * float(x.abs().max())
    if float(rest.abs().max()) > max(_ALIKE * float(apart.abs().max()), rounding):
        return None
    inside = y @ basis
    if metric == "cosine" and (row_lengths(inside) <= _ALIKE * row_lengths(y)).any():
        return None  # a query at right angles to the subspace: all its cosines are 0 but for rounding
    return Solvable(inside, x @ basis, largest**0.5)


def exact_values(
    problem: Solvable, metric: str, *, memory: int
) -> tuple[Float[Tensor, " m"], Int[Tensor, " m"]]:
    """Robustness and clean answers, in blocks that take about ``memory`` bytes."""
    if len(problem.x) >= galleries.LARGE and (metric == "dot" or problem.scale > 0):
        found = (_cosine_in_blocks if metric == "cosine" else _in_blocks)(problem, metric, memory)
        if found is not None:
            return found
    y, x = neighbours.prepare(problem.y, problem.x, metric)
    lengths = torch.linalg.vector_norm(problem.x, dim=1, dtype=torch.float64)
    sigma = problem.scale
    if metric != "dot" and sigma > 0:
        size = lengths.max() if metric == "cosine" else row_lengths(x).max() + row_lengths(y).max()
        sigma = max(sigma, _LEAST_NOISE * float(size))
    step = max(1, memory // (_PAIR_BYTES * len(x) + _QUERY_BYTES))
    scales = repeat(sigma) if isinstance(sigma, float) else sigma.split(step)
    each = zip(y.split(step), scales, strict=False)
    parts = [_block(some, x, lengths, scale, metric, memory) for some, scale in each]
    values, answers = zip(*parts, strict=True)
    return torch.cat(values), torch.cat(answers)


def error_bound(problem: Solvable, metric: str) -> float:
    """Absolute error of each value: of the tail's closed form, of what is dropped, of quadrature and of rounding.

    The closed form's share was measured against the exact tail, for up to a million candidates at one distance: at
    most 8.1e-6 at d = 128; for up to 100,000, 2.6e-6 at 256 and 9.3e-7 at 512. That of quadrature and interpolation, up to
    10,000 candidates: below 1e-7.
    """
    candidates, d = problem.x.shape
    closed = metric == "euclidean" and d >= CLOSED_FORM_FROM
    tail = 8.2e-6 * (CLOSED_FORM_FROM / d) ** 1.5 if closed else 0.0
    # Candidates out of reach (see each module's head). Integrated distances: what lies before the panels, as
    # far from its mean as 6.5 deviations of a normal variable, has less than that too.
    each = {"euclidean": 1.1e-12 if closed else 1e-10, "cosine": 1e-10, "dot": 1e-13}[metric]
    dropped = each * (candidates - 1)
    large, side = candidates >= galleries.LARGE, Gallery.of(problem.x, problem.y, metric)
    counted = _COUNTED if large else 0.0
    if metric == "dot":  # only where they are large are galleries centred for it
        longest = (side.lengths if large else row_lengths(problem.x)).max()
        noisy = problem.scale > 0
        share = row_lengths(problem.y)[noisy] / problem.scale[noisy]
        size = float(longest * share.max()) if noisy.any() else 0.0
    elif problem.scale == 0:
        size = 0.0
    else:
        longest_query = row_lengths(problem.y - side.centre).max() if metric == "euclidean" else 0.0
        size = float(side.lengths.max() + longest_query) / problem.scale
    return tail + dropped + counted + 2e-7 + 2 * torch.finfo(torch.float64).eps * size


def _block(
    y: Float[Tensor, "m d"],
    x: Float[Tensor, "k d"],
    lengths: Float[Tensor, " k"],
    scale: float | Float[Tensor, " m"],
    metric: str,
    memory: int,
) -> tuple[Float[Tensor, " m"], Int[Tensor, " m"]]:
    if len(x) == 1 or (isinstance(scale, float) and scale == 0):
        return torch.ones_like(y[:, 0]), neighbours.clean_answers(y, x, metric)
    if metric == "dot":
        margins, answers = neighbours.margins_and_answers(y, x, metric)
        return dot(margins, answers, scale), answers
    if metric == "cosine" and x.shape[1] == 1:
        answers = neighbours.clean_answers(y, x, metric)
        return cosine_on_a_line(y * x.T * lengths, answers, scale), answers
    squares, answers = neighbours.squares_and_answers(y, x, metric)
    if metric == "euclidean":
        return euclidean(squares, answers, scale, x.shape[1]), answers
    angles = neighbours.angles_from(squares, y, x)
    return cosine(angles, lengths, answers, scale, x.shape[1], memory=memory), answers


def _in_blocks(problem: Solvable, metric: str, memory: int) -> tuple[Float[Tensor, " m"], Int[Tensor, " m"]]:
    """The same for a large gallery, read block by block."""
    gallery = Gallery.of(problem.x, problem.y, metric)
    y, d = gallery.queries(problem.y), problem.x.shape[1]
    if metric == "euclidean":
        sigma = max(problem.scale / gallery.size, _LEAST_NOISE * (1 + float(row_lengths(y).max())))
        scale = torch.full_like(y[:, 0], sigma**2)
        factors, rounding = gallery.factors(y, sigma**-2, float(d))
    else:
        lengths = row_lengths(problem.y)
        scale = problem.scale / torch.where(lengths > 0, lengths, 1) / gallery.size
        scale = torch.where(problem.scale > 0, scale, 1).clamp_min(_LEAST_NOISE)
        factors, rounding = gallery.factors(y, 1 / scale)
    values, answers = torch.empty_like(scale), torch.empty_like(scale, dtype=torch.int64)
    step = max(1, memory // (100 * galleries.BLOCK + 160 * round(REACH / FINE)))

    def solve(part: Tensor, dtype: torch.dtype) -> Tensor:
        found = _counted(factors[part], rounding[part], y[part], scale[part], gallery, dtype)
        if found is None:
            return part
        values[part], answers[part], sure = found
        return part[~sure]

    galleries.in_parts(solve, torch.arange(len(y), device=y.device).split(step))
    return (values if metric == "euclidean" else torch.where(problem.scale > 0, values, 1)), answers


def _cosine_in_blocks(
    problem: Solvable, metric: str, memory: int
) -> tuple[Float[Tensor, " m"], Int[Tensor, " m"]] | None:
    """The same for cosines; None where lengths differ too much for a few levels, or noise is tiny, or there is but a line."""
    gallery = Gallery.of(problem.x, problem.y, metric)
    sigma = max(problem.scale, _LEAST_NOISE * float(gallery.lengths.max()))
    ends = torch.stack([gallery.lengths.min(), gallery.lengths.max()]) / sigma
    levels = exact_cosine.levels_of(torch.stack([torch.zeros_like(ends), ends], 1), problem.x.shape[1])
    if levels is None or len(levels) > _LEVELS or ends[1] > _LONGEST or problem.x.shape[1] == 1:
        return None
    y, answers = gallery.queries(problem.y), gallery.nearest(problem.y)
    return exact_cosine.in_blocks(y, gallery, answers, sigma, levels, memory), answers


def _counted(
    factors: Float[Tensor, "m r"],
    rounding: Float[Tensor, " m"],
    y: Float[Tensor, "m d"],
    scale: Float[Tensor, " m"],
    gallery: Gallery,
    dtype: torch.dtype,
) -> tuple[Float[Tensor, " m"], Int[Tensor, " m"], Bool[Tensor, " m"]] | None:
    """Robustness and answers of a block of queries, and which values ``dtype`` is wide enough for; None if too many tie.

    All pairs in reach are counted. Where they are few, each is also computed again in float64, and integrated as it
    is. Else only those that may be the answer are computed again.
    """
    euclidean, d = gallery.metric == "euclidean", y.shape[1]
    slack = galleries.slack_of(rounding, y, dtype)

    def place(costs: Tensor) -> Tensor:
        """√(λ + d), or a score in units of its noise."""
        return costs.clamp_min(0).sqrt_() if euclidean else costs

    few, kept, counts = True, None, None
    everyone = torch.arange(len(y), device=y.device)[:, None]
    for start, costs, best in galleries.cost_blocks(factors, gallery, dtype):
        reach = place(best + slack) + REACH
        reach = reach.square() + slack if euclidean else reach + slack
        counts = counts or Counts(place(best), REACH)
        counts.lower(place(best))
        many = int((costs <= reach.to(dtype)[:, None]).sum()) > costs.numel() // 4
        found = None if many else pairs_upto(reach, costs, start)
        counts.add(*((place(costs), everyone) if many else (place(found[2]), found[0])))
        if many or not few:
            found = pairs_upto(best + slack, costs, start)
        few = few and not many and len(kept[0] if kept else ()) <= _FEW * len(y)
        kept = join(kept, found, reach if few else best + slack)
        unsure = rounding * torch.finfo(dtype).eps > _ROUNDING * (2 * place(best) if euclidean else 1)
        vain = dtype == torch.float32 and not few and unsure.all()
        if vain or (len(kept[0]) > galleries.MOST_PAIRS and len(y) > 1):
            return None
    rows, columns, counted = kept
    answers, costs = galleries.decide(rows, columns, y, gallery)
    u = place(costs / scale[rows] + (d if euclidean else 0.0))
    own = columns == answers[rows]
    winners = torch.empty_like(scale).index_put_((rows[own],), u[own])
    sure = torch.full_like(own[: len(y)], few or dtype == torch.float64)
    if few:
        rivals, rival_of, shares = u[~own], rows[~own], None
    else:
        counts.add(place(counted[own]), rows[own], sign=-1)
        rivals, rival_of, shares = counts.points()
        sure |= ~unsure
    values = _from_places(winners, rivals, rival_of, shares, d if euclidean else None, len(gallery.rows))
    return values, answers, sure


def _from_places(
    winners: Float[Tensor, " m"],
    rivals: Float[Tensor, " p"],
    rival_of: Int[Tensor, " p"],
    shares: Float[Tensor, " p"] | None,
    d: int | None,
    candidates: int,
) -> Float[Tensor, " m"]:
    """Robustness from the places of answers and rivals: √(λ + d), or (``d`` None) minus scores in units of their noise."""
    margins = rivals - winners[rival_of]
    near = margins < REACH if d is None else rivals < (winners + REACH)[rival_of]
    rivals, rival_of, shares = rivals[near], rival_of[near], None if shares is None else shares[near]
    if d is None:
        return by_margins(margins[near], rival_of, len(winners), candidates, shares)
    return integrate(winners, rivals, rival_of, d, shares)


def nearest_bounds(
    y: Float[Tensor, "m d"], nearest: Float[Tensor, "m k"], candidates: int, sigma: float, metric: str
) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
    """Lower and upper bounds, all candidates but the nearest being as near as the last of these, or out of reach."""
    d, unseen = y.shape[1], candidates - nearest.shape[1]
    spread = sigma * (torch.ones_like(y[:, 0]) if metric == "euclidean" else row_lengths(y))
    unit = torch.where(spread > 0, spread, 1)[:, None]
    u = (nearest / unit.square() + d).sqrt() if metric == "euclidean" else -nearest / unit
    u = u.sort(1).values
    places = torch.cat([u[:, 1:], u[:, -1:]], 1)  # (m, k): the rivals, and all that were not seen
    found = []
    for count in (unseen, 0):
        shares = torch.ones_like(places)
        shares[:, -1] = count
        rows, columns = (shares > 0).nonzero(as_tuple=True)
        rivals, shares = places[rows, columns], shares[rows, columns]
        values = _from_places(u[:, 0], rivals, rows, shares, d if metric == "euclidean" else None, candidates)
        found.append(torch.where(spread > 0, values, 1))
    return found[0], found[1]


def cosine_on_a_line(
    scores: Float[Tensor, "m k"], answers: Int[Tensor, " m"], sigma: float
) -> Float[Tensor, " m"]:
    """Robustness in one dimension, where a cosine is a sign and the lowest index wins among those alike.

    Parameters
    ----------
    scores : (m, K) products of each query's sign with the candidates
    answers : (m,) the first candidate on the query's side; 0 if none is
    sigma : standard deviation of the noise, > 0
    """
    same = torch.special.ndtr(scores / sigma)
    none_before = torch.cat([torch.ones_like(same[:, :1]), (1 - same).cumprod(1)], 1)  # (m, K + 1)
    kept = (same * none_before[:, :-1]).gather(1, answers[:, None])[:, 0]
    return torch.where(answers == 0, kept + none_before[:, -1], kept)
