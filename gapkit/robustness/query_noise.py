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

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gapkit.geometry.neighbours import prepare
from gapkit.perturbations import GaussianNoise, covariance_root
from gapkit.robustness.distances import margins_and_answers, squares_and_answers
from gapkit.robustness.monte_carlo import Sampled

SCRAMBLES = 16
_FAR = 7.5


def query_bounds(
    y: Float[Tensor, "m d"], x: Float[Tensor, "k d"], noise: GaussianNoise, metric: str, memory: int
) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"], Int[Tensor, " m"]]:
    """The union lower bound, the pairwise upper bound and the clean answers."""
    scores = _scores(x, noise, metric)
    prepared = prepare(y, x, metric)
    raw = torch.linalg.vector_norm(y, dim=1)
    step = max(1, memory // (120 * len(x)))
    parts = []
    for first in range(0, len(y), step):
        part = slice(first, first + step)
        z, answers = _distances(prepared[0][part], prepared[1], raw[part], scores, metric)[:2]
        below = torch.special.ndtr(-z)
        parts.append(((1 - below.sum(1)).clamp_min(0), 1 - below.amax(1), answers))
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

    ``draws`` points in all, rounded up to ``SCRAMBLES`` powers of two.
    """
    scores = _scores(x, noise, metric)
    prepared_y, prepared_x = prepare(y, x, metric)
    raw = torch.linalg.vector_norm(y, dim=1)
    each = 2 ** max(3, math.ceil(math.log2(draws / SCRAMBLES)))
    seeds = torch.randint(2**31, (SCRAMBLES,), generator=generator, device=generator.device).tolist()
    points = [_normal_points(scores.shape[1], each, seed).to(x.device) @ scores.T for seed in seeds]
    step = max(1, memory // (120 * len(x)))
    values, answers = [], []
    for first in range(0, len(y), step):
        part = slice(first, first + step)
        z, best, width = _distances(prepared_y[part], prepared_x, raw[part], scores, metric)
        answers.append(best)
        values += [_one_query(*row, scores, points) for row in zip(z, best.tolist(), width, strict=True)]
    runs = torch.stack(values)
    errors = runs.std(1) / math.sqrt(SCRAMBLES)
    mean_error = float(runs.mean(0).std()) / math.sqrt(SCRAMBLES)
    return Sampled(runs.mean(1), errors, mean_error, torch.cat(answers), SCRAMBLES * each)


def _scores(x: Float[Tensor, "k d"], noise: GaussianNoise, metric: str) -> Float[Tensor, "k r"]:
    """Rows s_k with s_j − s_i in the law of (x_j − x_i)·ε: the noise's products, in principal axes."""
    rows = prepare(x, x, metric)[1]
    rows = rows - rows.mean(0)
    if noise.isotropic is None:
        rows = rows @ covariance_root(noise.covariance_matrix(x.shape[1]).to(x.device))
    else:
        rows = rows * noise.isotropic
    left, lengths, _ = torch.linalg.svd(rows, full_matrices=False)
    kept = max(1, int((lengths > 1e-13 * lengths[0]).sum()))
    return left[:, :kept] * lengths[:kept]


def _distances(
    y: Float[Tensor, "m d"],
    x: Float[Tensor, "k d"],
    raw: Float[Tensor, " m"],
    scores: Float[Tensor, "k r"],
    metric: str,
) -> tuple[Float[Tensor, "m k"], Int[Tensor, " m"], Float[Tensor, "m k"]]:
    """Each hyperplane's distance z in standard deviations, the answers, and the deviations √(wᵀΣw)."""
    if metric == "dot":
        margins, answers = margins_and_answers(y, x)
    else:
        squares, answers = squares_and_answers(y, x, metric)
        margins = (squares - squares.gather(1, answers[:, None])) / 2
        if metric == "cosine":
            margins = margins * raw[:, None]
    used, where = answers.unique(return_inverse=True)
    width = squares_and_answers(scores[used], scores, "euclidean")[0].sqrt()[where]
    # A hyperplane that no noise can reach is infinitely far: duplicates of the answer, but for rounding.
    z = torch.where(width > 1e-12 * width.max(), margins.clamp_min(0) / width, math.inf).scatter(
        1, answers[:, None], math.inf
    )
    return z, answers, width


def _normal_points(dimension: int, count: int, seed: int) -> Float[Tensor, "{count} {dimension}"]:
    """Scrambled Sobol' points turned into standard normal ones."""
    drawn = torch.quasirandom.SobolEngine(dimension, scramble=True, seed=seed).draw(
        count, dtype=torch.float64
    )
    return torch.special.ndtri(drawn.clamp(1e-12, 1 - 1e-12))


def _one_query(
    z: Float[Tensor, " k"],
    best: int,
    width: Float[Tensor, " k"],
    scores: Float[Tensor, "k r"],
    points: list[Float[Tensor, "n k"]],
) -> Float[Tensor, " s"]:
    """One query's robustness by every scrambling."""
    near = (z < _FAR).nonzero()[:, 0]
    if len(near) == 0:
        return torch.ones(len(points), dtype=z.dtype, device=z.device)
    first = near[z[near].argmin()]
    normals = (scores[near] - scores[best]) / width[near, None]
    v = (scores[first] - scores[best]) / width[first]
    along = normals @ v
    found = []
    for noise in points:
        shift = (noise[:, near] - noise[:, best, None]) / width[near]
        own = (noise[:, first] - noise[:, best]) / width[first]
        room = z[near] - (shift - own[:, None] * along)
        # Along v by t: t·along ≤ room for every hyperplane.
        ends = room / torch.where(along.abs() > 1e-12, along, 1)
        high = torch.where(along > 1e-12, ends, math.inf).amin(1)
        low = torch.where(along < -1e-12, ends, -math.inf).amax(1)
        inside = ((along.abs() > 1e-12) | (room >= 0)).all(1)
        chance = (torch.special.ndtr(high) - torch.special.ndtr(low)).clamp_min(0)
        found.append(torch.where(inside, chance, 0).mean())
    return torch.stack(found)
