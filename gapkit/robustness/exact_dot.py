r"""Exact robustness of largest dot products under Gaussian noise on the gallery.

:math:`y \cdot (x_k + \varepsilon_k) \sim N(y \cdot x_k, \tau^2)` with one :math:`\tau^2 = y^\top \Sigma y` for all candidates
(:math:`\sigma^2\|y\|^2` for isotropic noise), independent over k. With the margins :math:`\Delta_j = y \cdot (x_i - x_j) \ge 0`

.. math:: \mathrm{Rob}(y) = \int \varphi(z) \prod_{j \ne i} \Phi(z + \Delta_j/\tau)\, dz .

A common translation of the gallery leaves every margin as it is, and τ too: it changes nothing at all.
Candidates more than 10.5 τ behind are dropped, each for less than :math:`\Phi(-10.5/\sqrt2) < 10^{-13}`.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gapkit.robustness.quadrature import REACH, TAIL, Panels, falling_edges, mesh_sum, probability

_NORMAL = 1000
"""Degrees of freedom from which a χ falls like a normal variable: there is no origin to be fine at."""


def dot(
    margins: Float[Tensor, "m k"], answers: Int[Tensor, " m"], spread: Float[Tensor, " m"]
) -> Float[Tensor, " m"]:
    """Robustness of each query, K > 1 candidates.

    Parameters
    ----------
    margins : (m, K) score of the answer minus that of each candidate
    answers : (m,) the answers
    spread : (m,) standard deviation τ of every score; where it is 0 nothing changes
    """
    moved = spread > 0
    u = (margins / torch.where(moved, spread, 1)[:, None]).clamp_min_(0)  # (m, K): Δ_j / τ
    near = (u < REACH) & moved[:, None]
    near.scatter_(1, answers[:, None], False)
    rival_of, columns = near.nonzero(as_tuple=True)
    values = by_margins(u[rival_of, columns], rival_of, len(u), u.shape[1])
    return torch.where(moved, values, 1)


def by_margins(
    u: Float[Tensor, " p"],
    rival_of: Int[Tensor, " p"],
    count: int,
    candidates: int,
    shares: Float[Tensor, " p"] | None = None,
) -> Float[Tensor, "{count}"]:  # noqa: F821
    """Robustness of ``count`` queries from their rivals' margins in units of τ."""
    rule = Panels(falling_edges(2 * TAIL + 2, _NORMAL, candidates).to(u.device))
    nodes = rule.nodes - (TAIL + 1)

    def table(points: Tensor) -> Tensor:
        return torch.special.log_ndtr(nodes + points[:, None])  # (g, t)

    # (m, t): Σ_j ln Φ
    logs = mesh_sum(table, u, rival_of, count=count, origin=0.0, length=REACH, scale=shares)
    density = torch.exp(-0.5 * nodes.square()) / math.sqrt(2 * math.pi)
    return probability(logs.exp_() @ (density * rule.weights))
