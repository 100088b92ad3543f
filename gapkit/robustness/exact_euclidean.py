r"""Exact robustness of Euclidean nearest neighbours under noise on the gallery.

:math:`\|x_k + \varepsilon_k - y\| = \sigma R_k` with :math:`R_k^2 \sim \chi'^2_d(\lambda_k)`, :math:`\lambda_k = \|x_k - y\|^2/\sigma^2`,
independent over k, so

.. math:: \mathrm{Rob}(y) = \int_0^\infty f_i(r) \prod_{j \ne i} P(R_j > r)\, dr .

*Which candidates count.* :math:`R_j - R_i` is a function of a standard Gaussian vector with Lipschitz constant √2, so it falls
Δ below its mean with probability at most :math:`e^{-\Delta^2/4}` (Gaussian concentration). And
:math:`\lambda + d - 1 \le (\mathbb{E}R)^2 \le \lambda + d`, since Var R ≤ 1. Candidates whose :math:`\sqrt{\lambda_j + d}` is 10.5 more than
the answer's are dropped, each for less than 1.1e-12 (d > 1; 1e-10 for d = 1).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gapkit.robustness.quadrature import (
    REACH,
    TAIL,
    Panels,
    deposit,
    falling_edges,
    grid_points,
    log_complement,
    probability,
)
from gapkit.robustness.tails import CLOSED_FORM_FROM, closed_form_log_survival, log_density

BIN = 3.0
"""Queries whose answers lie this close (in √(λ + d)) share one table."""
_MESH_FROM = 250
_BLOCK = 2**13


def log_survival(
    rule: Panels, start: Float[Tensor, "*#rows 1"], rho: Float[Tensor, "*#rows 1"], d: int
) -> Float[Tensor, "*out t"]:
    """Ln P(R > r) at the nodes ``start`` + rule: closed form, or (d < 128) one minus the integral of the density.

    The integral starts at the first node's panel. What lies before it is below 1e-9, because the
    panels begin 6.5 standard deviations before the mean of the answer, the nearest of all.
    """
    nodes = start + rule.nodes
    if d >= CLOSED_FORM_FROM:
        return closed_form_log_survival(nodes, rho, d)
    density = log_density(nodes, rho, d).exp()
    return log_complement(*rule.running(density), density)


def euclidean(
    squares: Float[Tensor, "m k"], answers: Int[Tensor, " m"], sigma: float, d: int
) -> Float[Tensor, " m"]:
    """Robustness of each query, K > 1 candidates.

    Parameters
    ----------
    squares : (m, K) squared distances
    answers : (m,) the nearest candidates
    sigma : standard deviation of the noise per coordinate, > 0
    d : dimension of the noise
    """
    u = squares.div(sigma * sigma).add_(d).sqrt_()
    own = u.gather(1, answers[:, None])[:, 0]
    near = u < (own + REACH)[:, None]
    near.scatter_(1, answers[:, None], False)
    rows, columns = near.nonzero(as_tuple=True)
    theirs = u[rows, columns]

    # Queries are binned by their answer's distance. A bin with many pairs pays for a table; the others are
    # few pairs altogether and are integrated one by one.
    bins = ((own - own.min()) / BIN).long().unique(return_inverse=True)[1]
    pairs = torch.bincount(bins[rows], minlength=int(bins.max()) + 1)
    result = torch.ones_like(own)
    for one in (pairs >= _MESH_FROM).nonzero()[:, 0].tolist():
        members, chosen = bins == one, bins[rows] == one
        place = members.cumsum(0) - 1
        result[members] = _by_mesh(own[members], theirs[chosen], place[rows[chosen]], d)
    # Nobody near: certainly kept.
    single = (pairs[bins] < _MESH_FROM) & (torch.bincount(rows, minlength=len(own)) > 0)
    if single.any():
        chosen = single[rows]
        place = single.cumsum(0) - 1
        result[single] = _one_by_one(own[single], theirs[chosen], place[rows[chosen]], d)
    return result


def _by_mesh(
    own: Float[Tensor, " m"], theirs: Float[Tensor, " p"], rows: Int[Tensor, " p"], d: int
) -> Float[Tensor, " m"]:
    """Queries of one bin. ``theirs[p]`` is the √(λ + d) of a candidate of query ``rows[p]``."""
    lowest, highest = float(own.min()), float(own.max())
    start = _start(own.min()).view(1, 1)
    rule = _rule(highest + TAIL - float(start), rows, d)
    points = grid_points(lowest, highest - lowest + REACH, own.device)
    table = log_survival(rule, start, _rho(points, d)[:, None], d)
    logs = deposit(theirs, rows, count=len(own), origin=lowest, size=len(points)) @ table
    density = log_density(rule.nodes + start, _rho(own, d)[:, None], d)
    return probability(logs.add_(density).exp_() @ rule.weights)


def _one_by_one(
    own: Float[Tensor, " m"], theirs: Float[Tensor, " p"], rows: Int[Tensor, " p"], d: int
) -> Float[Tensor, " m"]:
    """Queries each on nodes of its own, every tail computed as it is."""
    rule = _rule(2 * TAIL + 1, rows, d)
    start = _start(own)[:, None]
    logs = log_density(start + rule.nodes, _rho(own, d)[:, None], d)
    for first in range(0, len(theirs), _BLOCK):
        part = slice(first, first + _BLOCK)
        logs.index_add_(
            0, rows[part], log_survival(rule, start[rows[part]], _rho(theirs[part], d)[:, None], d)
        )
    return probability(logs.exp_() @ rule.weights)


def _rule(length: float, rows: Int[Tensor, " p"], d: int) -> Panels:
    """Panels on [0, length], as fine as the largest number of candidates near one query asks for."""
    # Below d = 128 beyond the answer's reach too: from there the deep tails are integrated.
    beyond = 0.0 if d >= CLOSED_FORM_FROM else 3.0
    candidates = int(torch.bincount(rows).max()) + 1
    return Panels(falling_edges(length + beyond, d, candidates).to(rows.device))


def _start(u: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    return ((u.square() - 1).clamp_min(0).sqrt() - TAIL).clamp_min(0)


def _rho(u: Float[Tensor, "..."], d: int) -> Float[Tensor, "..."]:
    return (u.square() - d).clamp_min(0).sqrt()
