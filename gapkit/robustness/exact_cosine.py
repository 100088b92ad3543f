r"""Exact robustness of largest cosines under isotropic noise on the gallery.

Seen from the unit query y, a perturbed candidate has the height :math:`n = y \cdot (x_k + \varepsilon_k)/\sigma \sim N(a_k, 1)` and, independent of it,
the distance :math:`R` from y's axis, a noncentral χ with d − 1 degrees of freedom and noncentrality :math:`b_k`; here
:math:`a_k = y \cdot x_k/\sigma` and :math:`b_k = \|x_k - (y \cdot x_k) y\|/\sigma`. Cosines are ordered as the elevations
:math:`\phi = \arctan(n/R)`. In polar coordinates :math:`n = \rho\sin\phi,\ R = \rho\cos\phi` the density of φ is one smooth integral,

.. math:: f(\phi; a, b) = \int_0^\infty \rho\, \varphi(\rho\sin\phi - a)\, f_R(\rho\cos\phi; b)\, d\rho,

close to Gaussian in ρ with a width between 0.7 and 1 whatever φ is. Integrating it from above gives the chance that a candidate
stays below φ, and then robustness is the integral of `gapkit.robustness.quadrature` over φ. An elevation lies about
:math:`\phi_0 = \arctan(a/M_R)`, :math:`M_R = \sqrt{b^2 + d - 1.5} \approx \mathbb{E}[R]`, with a standard deviation of about
1/M, :math:`M = \sqrt{a^2 + M_R^2}`, which the code calls ``mean`` and ``spread`` (the inverse of a deviation).

*Which candidates count.* :math:`R\tan\phi - n` is a Lipschitz function of a standard Gaussian vector with constant :math:`1/\cos\phi`. So, with
:math:`\zeta(\phi) = \mathbb{E}[R] \sin\phi - a\cos\phi = M \sin(\phi - \phi_0)`, the elevation exceeds φ with probability at most
:math:`e^{-\zeta^2/2}` above its middle :math:`\phi_0`, and likewise below. This gives the window of the integral (ζ = ±7), and since
:math:`\sin\alpha + \sin\beta \ge \sin(\alpha+\beta)`, cutting the way between two middles into steps of half a unit gives
:math:`P(\text{j overtakes i}) \le 22\, e^{-(\Delta - 1/2)^2/4}` for :math:`\Delta = \min(M_i, M_j)\sin(\phi_{0i} - \phi_{0j})`.
Candidates with Δ > 10.75 are dropped, each for less than 1e-10.

*Names.* A candidate is a row (angle from its query, length in units of σ). ``winners`` (m, 2) are the queries' clean answers;
``rivals`` (p, 2) are all candidates near enough to overtake one, of all queries one below the other, and ``rival_of`` (p,)
says which query each belongs to.
"""

import math
from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from gapkit._arrays import row_lengths
from gapkit.geometry.galleries import BLOCK, Gallery, cost_blocks, pairs_upto
from gapkit.robustness.elevation import (
    PANEL_BYTES,
    RIGHT,
    TAIL,
    density_at,
    elevation_density,
    height_and_distance,
    middle_and_spread,
    tail_edge,
)
from gapkit.robustness.quadrature import FINE, Counts, Panels, falling_edges, mesh_sum, pick, probability

BIN = 3.0
_REACH = 10.75
_MESH_FROM = 250
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
    mean, spread = middle_and_spread(lengths * angles.cos(), lengths * angles.sin(), d)  # (m, K) each
    answer = answers[:, None]  # (m, 1)
    low = tail_edge(mean.gather(1, answer), spread.gather(1, answer), -1)
    behind = (mean.gather(1, answer) - mean).clamp(0, RIGHT).sin_()
    near = torch.minimum(spread, spread.gather(1, answer)) * behind < _REACH
    top = torch.where(near, tail_edge(mean, spread, 1), -RIGHT).max(1).values
    finest = torch.where(near, spread, 0).max(1).values
    window = torch.stack([low[:, 0], top, finest], 1)  # (m, 3)
    near.scatter_(1, answer, False)
    rival_of, columns = near.nonzero(as_tuple=True)
    rivals = torch.stack([angles[rival_of, columns], lengths[columns]], 1)  # (p, 2)
    winners = torch.stack([angles.gather(1, answer)[:, 0], lengths[answers]], 1)  # (m, 2)

    # Queries are binned by the elevation of their answer. A bin with many rivals pays for tables; the others are few
    # altogether and are integrated one by one.
    place = mean.gather(1, answer)[:, 0] * float(spread.gather(1, answer).median()) / BIN
    bins = (place - place.min()).long().unique(return_inverse=True)[1]  # (m,)
    counts = torch.bincount(bins[rival_of], minlength=int(bins.max()) + 1)
    result, single = torch.ones_like(top), torch.zeros_like(bins, dtype=torch.bool)
    for number in range(len(counts)):
        chosen, index = pick(members := bins == number, rival_of)
        levels = levels_of(rivals[chosen], d) if counts[number] >= _MESH_FROM else None
        if levels is None or counts[number] < _MESH_FROM * len(levels):
            single |= members
            continue
        at, long = rivals[chosen].T
        points = ((at, index, length_shares(long, levels, q)) for q in range(len(levels)))
        most = int(torch.bincount(index).max())
        result[members] = _by_mesh(winners[members], window[members], points, most, levels, d)
    single &= torch.bincount(rival_of, minlength=len(single)) > 0  # nobody near: certainly kept
    if single.any():
        chosen, index = pick(single, rival_of)
        result[single] = _one_by_one(winners[single], rivals[chosen], index, window[single, :2], d, memory)
    return result


def levels_of(rivals: Float[Tensor, "p 2"], d: int) -> Float[Tensor, " q"] | None:
    """Chebyshev points over the lengths of the rivals, as many as interpolation to 1e-7 takes; None if too many.

    ln P is analytic in ζ up to about 3 from the real line, and ζ changes by at most ``swing`` over the lengths.
    """
    shortest, longest = float(rivals[:, 1].min()), float(rivals[:, 1].max())
    half = (longest - shortest) / 2
    swing = half * (float(rivals[:, 0].cos().abs().max()) + 10 / math.hypot(shortest, math.sqrt(d)))
    count = 1 if swing < 1e-9 else math.ceil(18 / math.asinh(3 / swing)) + 1
    if count > _MOST_LENGTHS:
        return None
    turns = torch.arange(count, dtype=torch.float64, device=rivals.device)
    return (longest + shortest) / 2 + half * torch.cos((turns + 0.5) * math.pi / count)


def length_shares(
    lengths: Float[Tensor, " p"], levels: Float[Tensor, " q"], level: int
) -> Float[Tensor, " p"]:
    """Lagrange's weights of one level."""
    others = torch.cat([levels[:level], levels[level + 1 :]])
    return ((lengths[:, None] - others) / (levels[level] - others)).prod(1)


def _by_mesh(
    winners: Float[Tensor, "m 2"],
    window: Float[Tensor, "m 3"],
    points: Iterable[tuple[Tensor, Tensor, Tensor]],
    candidates: int,
    levels: Float[Tensor, " q"],
    d: int,
) -> Float[Tensor, " m"]:
    """Queries of one bin: a table over elevation for each of a few lengths, and interpolation in both.

    ``points`` are, level by level, the angles of rivals, the queries that they belong to, and their weights.
    """
    low, top, finest = float(window[:, 0].min()), float(window[:, 1].max()), float(window[:, 2].max())
    # Three of the widest deviations below the answers' reach: from there the deep tails are integrated.
    low = max(-RIGHT, low - 3 / math.hypot(float(levels.min()), math.sqrt(d - 1.5)))
    edges = falling_edges((top - low) * finest, d - 1, candidates + 1) / finest
    rule = Panels((top - edges.flip(0)).to(winners.device))
    nodes = rule.nodes  # (t,)
    scale = max(1.0, float(levels.max()))
    logs = torch.zeros(len(winners), len(nodes), dtype=nodes.dtype, device=nodes.device)  # (m, t): Σ_j ln S_j
    for level, (angles, rival_of, shares) in zip(levels, points, strict=True):
        if len(angles) == 0:
            continue
        u = (RIGHT - angles) * scale  # (p,)

        def table(points: Tensor, level: Tensor = level) -> Tensor:
            elevations = (points / scale)[:, None]  # (g, 1)
            a, b = level * elevations.sin(), level * elevations.cos().abs()
            spread = middle_and_spread(a, b, d)[1]
            return rule.log_complement(elevation_density(nodes, a, b, d), down=True, spread=spread)  # (g, t)

        reach = {"origin": float(u.min()), "length": float(u.max() - u.min())}
        logs += mesh_sum(table, u, rival_of, count=len(winners), scale=shares, **reach)
    return probability((density_at(nodes, winners, d) * logs.exp_()) @ rule.weights)


def in_blocks(
    y: Float[Tensor, "m d"],
    gallery: Gallery,
    answers: Int[Tensor, " m"],
    sigma: float,
    levels: Float[Tensor, " q"],
    memory: int,
) -> Float[Tensor, " m"]:
    """Robustness of unit queries among a large gallery: its rivals are counted by their angles on every level."""
    lengths, d = gallery.lengths / sigma, y.shape[1]
    shares = torch.stack([length_shares(lengths, levels, q) for q in range(len(levels))])  # (q, K)
    ends = torch.stack([lengths.min(), lengths.max()])
    spreads = (ends.square() + (d - 1.5)).sqrt()  # M of the shortest and the longest
    scale = max(1.0, float(levels.max()))
    result = torch.ones_like(y[:, 0])
    x = gallery.take(answers)
    angle = 2 * torch.atan2(row_lengths(y - x), row_lengths(y + x))
    winners = torch.stack([angle, lengths[answers]], 1)
    mean, spread = (part[:, 0] for part in middle_and_spread(*height_and_distance(winners), d))
    # A rival within reach: sin φ₀ = L cos θ / M, and its M is no less than that of the shortest.
    floor = mean - (_REACH / torch.minimum(spread, spreads[0])).clamp_max(1).asin()
    floor = torch.where(torch.minimum(spread, spreads[0]) > _REACH, floor.clamp_min(-RIGHT), -RIGHT)
    least = (floor.sin()[:, None] * spreads / ends).amin(1).clamp(-1, 1)  # cosines from which on rivals count
    highest = middle_and_spread(*height_and_distance(torch.cartesian_prod(angle, ends)), d)[0]
    top = (highest.view(-1, 2).amax(1) + (TAIL / spreads[0]).clamp_max(1).asin()).clamp_max(RIGHT)
    window = torch.stack([tail_edge(mean, spread, -1), top, spreads[1].expand_as(top)], 1)
    place = mean * float(spread.median()) / BIN
    bins = (place - place.min()).long().unique(return_inverse=True)[1]
    reach = float(((least.acos() - angle) * scale).max()) + 1
    step = max(1, int(memory // (100 * BLOCK + 80 * reach / FINE * len(levels))))
    for part in torch.arange(len(y), device=y.device).split(step):
        small = scale * torch.finfo(torch.float32).eps / angle[part].sin().clamp_min(1e-9) < 4e-5
        dtype = torch.float32 if small.all() else torch.float64
        counts = Counts(angle[part] * scale, reach, len(levels))
        everyone = torch.arange(len(part), device=y.device)[:, None]
        bound = 1e-6 - least[part]
        for start, costs, _ in cost_blocks(-y[part], gallery, dtype):
            own = answers[part] - start
            inside = ((own >= 0) & (own < costs.shape[1])).nonzero()[:, 0]
            costs[inside, own[inside]] = torch.inf
            rows, columns, found = pairs_upto(bound, costs, start)
            if len(rows) > costs.numel() // 4:
                u = (-costs).clamp(-1, 1).acos_().mul_(scale)
                u.masked_fill_(costs > bound.to(dtype)[:, None], torch.inf)
                counts.add(u, everyone, shares[:, None, start : start + costs.shape[1]])
            else:
                counts.add((-found).clamp(-1, 1).acos_().mul_(scale), rows, shares[:, columns])
        counted = [counts.points(level) for level in range(len(levels))]
        some = torch.zeros_like(part, dtype=torch.bool)
        some[torch.cat([rows for _, rows, _ in counted])] = True  # nobody near: certainly kept
        for number in bins[part][some].unique().tolist():
            members = some & (bins[part] == number)
            index, of = members.cumsum(0) - 1, part[members]
            chosen = ((u, rows, weights, members[rows]) for u, rows, weights in counted)
            points = ((u[c] / scale, index[rows[c]], weights[c]) for u, rows, weights, c in chosen)
            result[of] = _by_mesh(winners[of], window[of], points, len(lengths), levels, d)
    return result


def _one_by_one(
    winners: Float[Tensor, "m 2"],
    rivals: Float[Tensor, "p 2"],
    rival_of: Int[Tensor, " p"],
    window: Float[Tensor, "m 2"],
    d: int,
    memory: int,
) -> Float[Tensor, " m"]:
    """Queries each on panels of its own; ``rival_of`` ascends. Queries with about as many panels go together."""
    edges = panel_edges(winners, rivals, rival_of, window, d)
    order = sorted(range(len(winners)), key=lambda i: len(edges[i]))
    begins = torch.bincount(rival_of, minlength=len(winners)).cumsum(0).cpu()
    begins = [0, *begins.tolist()]  # query i has the rivals begins[i] … begins[i + 1]
    result = torch.empty_like(winners[:, 0])
    while order:
        # From the most panels down. Shorter ones are filled up with panels of no width.
        longest = len(edges[order[-1]])
        count = max(1, memory // (PANEL_BYTES * (longest - 1)))
        together = [i for i in order[-count:] if 2 * len(edges[i]) >= longest]
        del order[-len(together) :]
        filled = [np.pad(edges[i], (0, longest - len(edges[i])), mode="edge") for i in together]
        rule = Panels(torch.from_numpy(np.stack(filled)).to(winners.device))
        nodes = rule.nodes  # (b, t)
        logs = torch.zeros_like(nodes)
        owners = [row for row, i in enumerate(together) for _ in range(begins[i], begins[i + 1])]
        members = [rival for i in together for rival in range(begins[i], begins[i + 1])]
        for first in range(0, len(members), count):
            row = torch.tensor(owners[first : first + count], device=winners.device)
            rival = torch.tensor(members[first : first + count], device=winners.device)
            density = density_at(nodes[row], rivals[rival], d)  # (c, t)
            spread = middle_and_spread(*height_and_distance(rivals[rival]), d)[1]  # (c, 1)
            below = Panels(rule.edges[row]).log_complement(density, down=True, spread=spread)
            logs.index_add_(0, row, below)
        density = density_at(nodes, winners[together], d)
        result[together] = probability((density * logs.exp_() * rule.weights).sum(1))
    return result


def panel_edges(
    winners: Float[Tensor, "m 2"],
    rivals: Float[Tensor, "p 2"],
    rival_of: Int[Tensor, " p"],
    window: Float[Tensor, "m 2"],
    d: int,
) -> list[np.ndarray]:
    """Each query's panels: fine only where the elevation of a long, and therefore narrow, candidate lies."""
    query = torch.cat([torch.arange(len(winners), device=rival_of.device), rival_of])  # (m + p,)
    by_query = query.argsort(stable=True)
    candidates = torch.cat([winners, rivals])[by_query]  # (m + p, 2): a query's winner and rivals together
    mean, spread = middle_and_spread(*(part[:, 0] for part in height_and_distance(candidates)), d)
    begins, ends = (tail_edge(mean, spread, side).cpu().numpy() for side in (-1, 1))
    spread = spread.cpu().numpy()
    lasts = torch.bincount(query).cumsum(0).tolist()
    panels, first = [], 0
    for last, (low, top) in zip(lasts, window.tolist(), strict=True):
        part = slice(first, last)
        first = last
        turn, units = _units(low, top, begins[part], ends[part], spread[part])
        edges = falling_edges(float(units[0]), d - 1, len(spread[part])).numpy()
        panels.append(np.interp(edges, units[::-1], turn[::-1])[::-1].copy())
        panels[-1][[0, -1]] = low, top
    return panels


def _units(
    low: float, top: float, begins: np.ndarray, ends: np.ndarray, spread: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Elevations, and how many of the least deviations reaching there lie between each and the top.

    Deviations are taken in octaves, so that this takes a few passes, however many candidates there are.
    """
    octaves = np.ceil(np.log2(spread / spread.max()))
    if octaves.min() == 0:
        return np.array([low, top]), np.array([(top - low) * spread.max(), 0.0])
    turn = np.unique(np.clip(np.concatenate([[low, top], begins, ends]), low, top))
    scale = np.full(len(turn) - 1, spread.min())
    for octave in np.unique(octaves):
        of = octaves == octave
        change = np.bincount(np.searchsorted(turn, begins[of].clip(low, top)), minlength=len(turn))
        change = change - np.bincount(np.searchsorted(turn, ends[of].clip(low, top)), minlength=len(turn))
        covered = change.cumsum()[:-1] > 0
        scale[covered] = np.maximum(scale[covered], min(1.0, 2.0**octave) * spread.max())
    below = np.concatenate([[0.0], np.cumsum(scale * np.diff(turn))])
    return turn, below[-1] - below
