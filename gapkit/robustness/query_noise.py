r"""Noise on the query: one draw shared by all candidates.

Whatever the metric, j overtakes the answer i when the noise crosses a hyperplane,

.. math:: w_j \cdot \varepsilon > m_j, \qquad w_j = x_j - x_i, \quad m_j = \tfrac12\bigl(\|x_j - y\|^2 - \|x_i - y\|^2\bigr)

for Euclidean neighbours; :math:`m_j = y \cdot (x_i - x_j)` for the dot product, and the same with unit gallery rows for the cosine. So
robustness is the Gaussian measure of a polyhedron, :math:`P(w_j \cdot \varepsilon \le m_j \text{ for all } j)`. No common
translation enters: w and (under Theorem 3.5) m are differences. With :math:`z_j = m_j / \sqrt{w_j^\top \Sigma w_j}`

.. math:: 1 - \sum_j \Phi(-z_j) \;\le\; \mathrm{Rob} \;\le\; \min_j \Phi(z_j),

by the union bound and because the polyhedron lies inside each of its half-spaces.

*Quasi-Monte Carlo.* The noise enters through its products with the gallery alone, so it is drawn in the principal axes of the gallery, the
first Sobol' coordinate along the longest. Of every point only the part across the direction of the *nearest* hyperplane's normal v is used:
along v the noise stays inside an interval [a, b], whose probability :math:`\Phi(b) - \Phi(a)` is known. This removes most of the
variance, and all of it for two candidates. Independent scramblings of the points give the standard error.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gapkit._arrays import row_lengths
from gapkit.geometry.neighbours import distances_from, margins_and_answers, prepare
from gapkit.perturbations import GaussianNoise
from gapkit.robustness.monte_carlo import Sampled

SCRAMBLES = 16
_FAR = 7.5


def query_bounds(
    y: Float[Tensor, "m d"], x: Float[Tensor, "k d"], noise: GaussianNoise, metric: str, memory: int
) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
    """The union lower bound and the pairwise upper bound."""
    parts = []
    for z, _, _ in _distances(y, x, _scores(x, noise, metric), metric, memory // (120 * len(x))):
        below = torch.special.ndtr(-z)
        parts.append(((1 - below.sum(1)).clamp_min(0), 1 - below.amax(1)))
    return tuple(torch.cat(column) for column in zip(*parts, strict=True))


def quasi_monte_carlo(
    y: Float[Tensor, "m d"],
    x: Float[Tensor, "k d"],
    noise: GaussianNoise,
    *,
    metric: str,
    draws: int,
    generator: torch.Generator,
    memory: int,
) -> Sampled:
    """Robustness under Gaussian noise on the query, with standard errors over scramblings.

    ``draws`` points in all, rounded up to ``SCRAMBLES`` powers of two. The scramblings are few and independent: a 95%
    interval is the value ± 2.13 standard errors (Student's t with 15 degrees of freedom).
    """
    scores = _scores(x, noise, metric)
    each = 2 ** max(3, math.ceil(math.log2(draws / SCRAMBLES)))
    seeds = torch.randint(2**31, (SCRAMBLES,), generator=generator, device=generator.device).tolist()
    # Half of the memory is for the queries' hyperplanes, half for points and their products with the gallery.
    runs, answers = [], []
    for z, best, width in _distances(y, x, scores, metric, memory // (240 * len(x))):
        answers.append(best)
        sides = [_sides(*row, scores) for row in zip(z, best.tolist(), width, strict=True)]
        runs.append(torch.stack([_by_points(sides, scores, each, seed, memory // 2) for seed in seeds], 1))
    runs = torch.cat(runs)  # (m, SCRAMBLES)
    errors = runs.std(1) / math.sqrt(SCRAMBLES)
    mean_error = float(runs.mean(0).std()) / math.sqrt(SCRAMBLES)
    return Sampled(runs.mean(1), errors, mean_error, torch.cat(answers), SCRAMBLES * each)


def _scores(x: Float[Tensor, "k d"], noise: GaussianNoise, metric: str) -> Float[Tensor, "k r"]:
    """Rows s_k with s_j − s_i in the law of (x_j − x_i)·ε: the noise's products, in principal axes."""
    rows = prepare(x, x, metric)[1]
    rows = noise.times_root(rows - rows.mean(0))
    left, lengths, _ = torch.linalg.svd(rows, full_matrices=False)
    kept = max(1, int((lengths > 1e-13 * lengths[0]).sum()))
    return left[:, :kept] * lengths[:kept]


def _distances(
    y: Float[Tensor, "m d"], x: Float[Tensor, "k d"], scores: Float[Tensor, "k r"], metric: str, step: int
) -> Iterator[tuple[Float[Tensor, "b k"], Int[Tensor, " b"], Float[Tensor, "b k"]]]:
    """For ``step`` queries at a time each hyperplane's distance z in standard deviations, the answers, and the deviations √(wᵀΣw)."""
    raw, (y, x), step = row_lengths(y), prepare(y, x, metric), max(1, step)
    for some, lengths in zip(y.split(step), raw.split(step), strict=True):
        margins, answers = margins_and_answers(some, x, metric)
        if metric == "cosine":
            margins *= lengths[:, None]
        width = distances_from(answers, scores)
        # A hyperplane that no noise can reach is infinitely far: duplicates of the answer, but for rounding.
        z = torch.where(width > 1e-12 * width.max(), margins.clamp_min(0) / width, math.inf)
        yield z.scatter(1, answers[:, None], math.inf), answers, width


@dataclass(frozen=True)
class _Sides:
    """A query's polyhedron: the hyperplanes ``near`` it, their distances and widths, and how they lie to v."""

    best: int
    first: int
    near: Int[Tensor, " n"]
    z: Float[Tensor, " n"]
    width: Float[Tensor, " n"]
    along: Float[Tensor, " n"]


def _sides(
    z: Float[Tensor, " k"], best: int, width: Float[Tensor, " k"], scores: Float[Tensor, "k r"]
) -> _Sides | None:
    """None if no hyperplane is within reach."""
    near = (z < _FAR).nonzero()[:, 0]
    if len(near) == 0:
        return None
    first = int(near[z[near].argmin()])
    # cov(w_j·ε, w_first·ε) from products with one vector: no (n, r) copy of the normals.
    v = (scores[first] - scores[best]) / width[first]
    products = scores @ v
    along = (products[near] - products[best]) / width[near]
    return _Sides(best, first, near, z[near], width[near], along)


def _by_points(
    sides: list[_Sides | None], scores: Float[Tensor, "k r"], count: int, seed: int, memory: int
) -> Float[Tensor, " m"]:
    """Each query's robustness by one scrambling of ``count`` Sobol' points, a few points at a time."""
    k, r = scores.shape
    engine = torch.quasirandom.SobolEngine(r, scramble=True, seed=seed)
    step = max(1, memory // (8 * (4 * r + 10 * k)))
    total = torch.zeros(len(sides), dtype=scores.dtype, device=scores.device)
    for begin in range(0, count, step):
        drawn = engine.draw(min(step, count - begin), dtype=torch.float64)
        normal = torch.special.ndtri(drawn.clamp_(1e-12, 1 - 1e-12))
        noise = normal.to(scores.device) @ scores.T  # (points, r) @ (r, k): every candidate's s_k·ε
        for i, side in enumerate(sides):
            total[i] += len(noise) if side is None else _inside(side, noise)
    return total / count


def _inside(side: _Sides, noise: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    """The sum over the points of the probability of [a, b], all that varies along v."""
    along_v = (noise[:, side.first] - noise[:, side.best]) / side.width[side.near == side.first]  # (n,)
    shift = (noise[:, side.near] - noise[:, side.best, None]) / side.width  # (n, hyperplanes)
    room = side.z - (shift - along_v[:, None] * side.along)
    # Along v by t: t·along ≤ room for every hyperplane.
    across = side.along.abs() <= 1e-12
    ends = room / torch.where(across, 1, side.along)
    high = torch.where(side.along > 1e-12, ends, math.inf).amin(1)
    low = torch.where(side.along < -1e-12, ends, -math.inf).amax(1)
    inside = (~across | (room >= 0)).all(1)
    chance = (torch.special.ndtr(high) - torch.special.ndtr(low)).clamp_min(0)
    return torch.where(inside, chance, 0).sum()
