"""The elevation of a perturbed candidate over the plane across its query: its density, its tail, and where it lies.

The derivation stands in `gapkit.robustness.exact_cosine`, which integrates them.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gapkit.robustness.exact_euclidean import log_density
from gapkit.robustness.quadrature import ORDER

RIGHT = math.pi / 2
TAIL = 7.0
"""Deviations from its middle beyond which an elevation is left out."""
PANEL_BYTES = 26 * 8 * ORDER
"""`elevation_density` takes so much for a panel: it holds about 26 arrays at once."""
_HERMITE_FROM = 32


def _radial_rule(peak: Tensor, width: Tensor, d: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Nodes ρ and weights around the peak: Gauss–Hermite, or in few dimensions Gauss–Legendre from ρ = 0 on."""
    if d >= _HERMITE_FROM:
        t, w = np.polynomial.hermite_e.hermegauss(14)
        for node, weight in zip(t, w * np.exp(t * t / 2), strict=True):
            yield peak + width * float(node), width * float(weight)
    else:
        low, high = (peak - 6).clamp_min(0), peak + 6
        for node, weight in zip(*np.polynomial.legendre.leggauss(30), strict=True):
            yield low + (high - low) * float(1 + node) / 2, (high - low) * float(weight) / 2


def elevation_density(
    phi: Float[Tensor, "*#s t"], a: Float[Tensor, "*#s 1"], b: Float[Tensor, "*#s 1"], d: int
) -> Float[Tensor, "*out t"]:
    r"""The density of a candidate's elevation, d ≥ 2.

    .. math:: f(\phi; a, b) = \int_0^\infty \rho\, \varphi(\rho\sin\phi - a)\, f_R(\rho\cos\phi; b)\, d\rho

    Parameters
    ----------
    phi : (..., t) elevations in [−π/2, π/2]
    a, b : (..., 1) height and distance from the axis, in units of σ
    d : dimension

    Examples
    --------
    >>> middle, nothing = torch.zeros(1, 1).double(), torch.zeros(1, 1).double()
    >>> elevation_density(middle, nothing, nothing, 2) * math.pi        # pure noise in the plane: uniform
    tensor([[1.0000]], dtype=torch.float64)
    """
    sin, cos = phi.sin(), phi.cos().clamp_min(0)
    nu = (d - 3) / 2
    phi, up, out = torch.broadcast_tensors(phi, a * sin, b * cos)
    # The peak over ρ, by Newton's rule from the right on ρ² − aρ sin φ − (ν + 2) − √(ν² + (ρ b cos φ)²) = 0.
    peak = (up + out).clamp_min(0) + math.sqrt(d + 1)
    for _ in range(6):
        root = torch.sqrt(nu * nu + (peak * out).square() + 1e-30)
        slope = 2 * peak - up - peak * out.square() / root
        peak = peak - (peak * (peak - up) - (nu + 2) - root) / slope
    root = torch.sqrt(nu * nu + (peak * out).square() + 1e-30)
    width = (peak / (2 * peak - up - peak * out.square() / root)).clamp(1e-3, 1).sqrt()
    total = torch.zeros_like(peak)
    for rho, weight in _radial_rule(peak, width, d):
        log = log_density(rho * cos, b, d - 1) - 0.5 * (rho * sin - a).square()
        total += rho * weight * log.exp()
    return total / math.sqrt(2 * math.pi)


def height_and_distance(
    candidates: Float[Tensor, "p 2"],
) -> tuple[Float[Tensor, "p 1"], Float[Tensor, "p 1"]]:
    """A and b, along the query and from its axis."""
    angle, length = candidates[:, :1], candidates[:, 1:]
    return length * angle.cos(), length * angle.sin()


def density_at(phi: Float[Tensor, "*s"], candidates: Float[Tensor, "m 2"], d: int) -> Float[Tensor, "m t"]:
    """`elevation_density` of candidates given as (angle, length in units of σ)."""
    return elevation_density(phi, *height_and_distance(candidates), d)


def middle_and_spread(a: Tensor, b: Tensor, d: int) -> tuple[Tensor, Tensor]:
    """About where the elevation is, φ₀, and M, the inverse of its standard deviation."""
    across = (b.square() + (d - 1.5)).sqrt()
    return torch.atan2(a, across), torch.hypot(a, across)


def tail_edge(mean: Float[Tensor, "..."], spread: Float[Tensor, "..."], side: int) -> Float[Tensor, "..."]:
    """Elevation beyond which, below (−1) or above (+1), at most 1e-12 lies; a right angle if there is none."""
    wide = spread > TAIL
    edge = mean + side * (TAIL / torch.where(wide, spread, TAIL)).asin()
    return torch.where(wide, edge, side * RIGHT).clamp(-RIGHT, RIGHT)
