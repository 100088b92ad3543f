r"""Exact robustness of largest cosines under isotropic noise on the gallery.

Seen from the unit query y, a perturbed candidate has the height :math:`n = y \cdot (x_k + \varepsilon_k)/\sigma \sim N(a_k, 1)` and, independent of it,
the distance :math:`R` from y's axis, a noncentral χ with d − 1 degrees of freedom and noncentrality :math:`b_k`; here
:math:`a_k = y \cdot x_k/\sigma` and :math:`b_k = \|x_k - (y \cdot x_k) y\|/\sigma`. Cosines are ordered as the elevations
:math:`\phi = \arctan(n/R)`. In polar coordinates :math:`n = \rho\sin\phi,\ R = \rho\cos\phi` the density of φ is one smooth integral,

.. math:: f(\phi; a, b) = \int_0^\infty \rho\, \varphi(\rho\sin\phi - a)\, f_R(\rho\cos\phi; b)\, d\rho,

close to Gaussian in ρ with a width between 0.7 and 1 whatever φ is. Integrating it from above gives the chance that a candidate
stays below φ, and then robustness is the integral of `gapkit.robustness.quadrature` over φ.

*Which candidates count.* :math:`R\tan\phi - n` is a Lipschitz function of a standard Gaussian vector with constant :math:`1/\cos\phi`. So, with
:math:`\zeta(\phi) = \mathbb{E}[R] \sin\phi - a\cos\phi = M \sin(\phi - \phi_0)`, the elevation exceeds φ with probability at most
:math:`e^{-\zeta^2/2}` above its middle :math:`\phi_0`, and likewise below. This gives the window of the integral (ζ = ±7), and since
:math:`\sin\alpha + \sin\beta \ge \sin(\alpha+\beta)`, cutting the way between two middles into steps of half a unit gives
:math:`P(\text{j overtakes i}) \le 22\, e^{-(\Delta - 1/2)^2/4}` for :math:`\Delta = \min(M_i, M_j)\sin(\phi_{0i} - \phi_{0j})`.
Candidates with Δ > 10.75 are dropped, each for less than 1e-10.
"""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from gapkit.robustness.elevation import (
    RIGHT,
    density_at,
    elevation_density,
    log_below,
    middle_and_spread,
    panel_edges,
    tail_edge,
)
from gapkit.robustness.quadrature import ORDER, Panels, deposit, falling_edges, grid_points, probability

BIN = 3.0
_REACH = 10.75
_MESH_FROM = 250
_ARRAYS = 26
"""About as many arrays of its shape does `elevation_density` hold at once."""
_MOST_LENGTHS = 40


def cosine(
    angles: Float[Tensor, "m k"],
    lengths: Float[Tensor, " k"],
    answers: Int[Tensor, " m"],
    sigma: float,
    d: int,
    *,
    memory: int,
) -> Float[Tensor, " m"]:
    """Robustness of each query, K > 1 candidates in d > 1 dimensions.

    Parameters
    ----------
    angles : (m, K) angles between query and candidates
    lengths : (K,) lengths of the gallery rows
    answers : (m,) the candidates of least angle
    sigma : standard deviation of the noise per coordinate, > 0
    d : dimension
    memory : bytes that pairs may take which are integrated one by one
    """
    lengths = lengths / sigma
    mean, spread = middle_and_spread(lengths * angles.cos(), lengths * angles.sin(), d)
    own = answers[:, None]
    low = tail_edge(mean.gather(1, own), spread.gather(1, own), -1)
    behind = (mean.gather(1, own) - mean).clamp(0, RIGHT).sin_()
    near = torch.minimum(spread, spread.gather(1, own)) * behind < _REACH
    top = torch.where(near, tail_edge(mean, spread, 1), -RIGHT).max(1).values
    fine = torch.where(near, spread, 0).max(1).values
    window = torch.stack([low[:, 0], top, fine], 1)
    near.scatter_(1, own, False)
    rows, columns = near.nonzero(as_tuple=True)
    pairs = torch.stack([angles[rows, columns], lengths[columns]], 1)
    mine = torch.stack([angles.gather(1, own)[:, 0], lengths[answers]], 1)

    place = mean.gather(1, own)[:, 0] * float(spread.gather(1, own).median()) / BIN
    bins = (place - place.min()).long().unique(return_inverse=True)[1]
    counts = torch.bincount(bins[rows], minlength=int(bins.max()) + 1)
    result, single = torch.ones_like(top), torch.zeros_like(bins, dtype=torch.bool)
    for one in range(len(counts)):
        members, chosen = bins == one, bins[rows] == one
        levels = _levels(pairs[chosen], d) if counts[one] >= _MESH_FROM else None
        if levels is None or counts[one] < _MESH_FROM * len(levels):
            single |= members
            continue
        index = members.cumsum(0) - 1
        result[members] = _by_mesh(
            mine[members], pairs[chosen], index[rows[chosen]], window[members], levels, d
        )
    single &= torch.bincount(rows, minlength=len(single)) > 0  # nobody near: certainly kept
    if single.any():
        chosen, index = single[rows], single.cumsum(0) - 1
        result[single] = _one_by_one(
            mine[single], pairs[chosen], index[rows[chosen]], window[single, :2], d, memory
        )
    return result


def _levels(pairs: Float[Tensor, "p 2"], d: int) -> Float[Tensor, " q"] | None:
    """Chebyshev points over the lengths of the candidates, as many as interpolation to 1e-7 takes; None if too many.

    ln P is analytic in ζ up to about 3 from the real line, and ζ changes by at most ``swing`` over the lengths.
    """
    shortest, longest = float(pairs[:, 1].min()), float(pairs[:, 1].max())
    half = (longest - shortest) / 2
    swing = half * (float(pairs[:, 0].cos().abs().max()) + 10 / math.hypot(shortest, math.sqrt(d)))
    count = 1 if swing < 1e-9 else math.ceil(18 / math.asinh(3 / swing)) + 1
    if count > _MOST_LENGTHS:
        return None
    turns = torch.arange(count, dtype=torch.float64, device=pairs.device)
    return (longest + shortest) / 2 + half * torch.cos((turns + 0.5) * math.pi / count)


def _by_mesh(
    mine: Float[Tensor, "m 2"],
    pairs: Float[Tensor, "p 2"],
    rows: Int[Tensor, " p"],
    window: Float[Tensor, "m 3"],
    levels: Float[Tensor, " q"],
    d: int,
) -> Float[Tensor, " m"]:
    """Queries of one bin: a table over elevation for each of a few lengths, and interpolation in both."""
    low, top, fine = float(window[:, 0].min()), float(window[:, 1].max()), float(window[:, 2].max())
    # Three of the widest deviations below the answers' reach: from there the deep tails are integrated.
    low = max(-RIGHT, low - 3 / math.hypot(float(levels.min()), math.sqrt(d - 1.5)))
    edges = falling_edges((top - low) * fine, d - 1, int(torch.bincount(rows).max()) + 1) / fine
    rule = Panels((top - edges.flip(0)).to(mine.device))
    nodes = rule.nodes
    scale = max(1.0, float(levels.max()))
    u = (RIGHT - pairs[:, 0]) * scale
    points = grid_points(float(u.min()), float(u.max() - u.min()), mine.device)
    elevations = (points / scale)[:, None]
    logs = torch.zeros(len(mine), len(nodes), dtype=u.dtype, device=u.device)
    for q, level in enumerate(levels):
        others = torch.cat([levels[:q], levels[q + 1 :]])
        share = ((pairs[:, 1, None] - others) / (level - others)).prod(1)
        a, b = level * elevations.sin(), level * elevations.cos().abs()
        table = log_below(elevation_density(nodes, a, b, d), rule, middle_and_spread(a, b, d)[1])
        logs += (
            deposit(u, rows, count=len(mine), origin=float(points[0]), size=len(points), scale=share) @ table
        )
    return probability((density_at(nodes, mine, d) * logs.exp_()) @ rule.weights)


def _one_by_one(
    mine: Float[Tensor, "m 2"],
    pairs: Float[Tensor, "p 2"],
    rows: Int[Tensor, " p"],
    window: Float[Tensor, "m 2"],
    d: int,
    memory: int,
) -> Float[Tensor, " m"]:
    """Queries each on panels of its own; ``rows`` ascend. Queries with about as many panels go together."""
    edges = panel_edges(mine, pairs, rows, window, d)
    order = sorted(range(len(mine)), key=lambda i: len(edges[i]))
    begins = torch.bincount(rows, minlength=len(mine)).cumsum(0).cpu()
    begins = torch.cat([begins.new_zeros(1), begins]).tolist()
    result = torch.empty_like(mine[:, 0])
    while order:
        # From the most panels down. Shorter ones are filled up with panels of no width.
        longest = len(edges[order[-1]])
        count = max(1, memory // (8 * _ARRAYS * (longest - 1) * ORDER))
        together = [i for i in order[-count:] if 2 * len(edges[i]) >= longest]
        del order[-len(together) :]
        filled = np.stack(
            [np.concatenate([edges[i], np.full(longest - len(edges[i]), edges[i][-1])]) for i in together]
        )
        rule = Panels(torch.from_numpy(filled).to(mine.device))
        at = rule.nodes
        logs = torch.zeros_like(at)
        owner = [row for row, i in enumerate(together) for _ in range(begins[i], begins[i + 1])]
        theirs = [pair for i in together for pair in range(begins[i], begins[i + 1])]
        for first in range(0, len(theirs), count):
            row = torch.tensor(owner[first : first + count], device=mine.device)
            pair = torch.tensor(theirs[first : first + count], device=mine.device)
            density = density_at(at[row], pairs[pair], d)
            spread = _spread(pairs[pair], d)
            logs.index_add_(0, row, log_below(density, Panels(rule.edges[row]), spread))
        density = density_at(at, mine[together], d)
        result[together] = probability((density * logs.exp_() * rule.weights).sum(1))
    return result


def _spread(candidates: Float[Tensor, "p 2"], d: int) -> Float[Tensor, "p 1"]:
    angle, length = candidates[:, :1], candidates[:, 1:]
    return middle_and_spread(length * angle.cos(), length * angle.sin(), d)[1]


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
    none_before = torch.cat([torch.ones_like(same[:, :1]), (1 - same).cumprod(1)], 1)
    own = answers[:, None]
    kept = (same.gather(1, own) * none_before.gather(1, own))[:, 0]
    return torch.where(answers == 0, kept + none_before[:, -1], kept)
