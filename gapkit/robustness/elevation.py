r"""The elevation of a perturbed candidate: its density, where it lies, and panels fine enough for it.

In units of σ a candidate at the angle θ from the query and of length N has the height :math:`a = N\cos\theta` along the query
and the distance :math:`b = N\sin\theta` from its axis. Perturbed, its elevation is :math:`\phi = \arctan(n/R)` with
:math:`n \sim N(a, 1)` and R a noncentral χ with d − 1 degrees of freedom and noncentrality b, independent of each other. It lies about
:math:`\phi_0 = \arctan(a/M_R)`, :math:`M_R = \sqrt{b^2 + d - 1.5} \approx \mathbb{E}[R]`, with a standard deviation of about
1/M, :math:`M = \sqrt{a^2 + M_R^2}`. `gapkit.robustness.exact_cosine` derives the density and the tail bound used here.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from gapkit.robustness.quadrature import Panels, falling_edges, log_complement
from gapkit.robustness.tails import log_density

RIGHT = math.pi / 2
TAIL = 7.0
"""Deviations from its middle beyond which an elevation is left out."""
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


def density_at(phi: Float[Tensor, "*s"], candidates: Float[Tensor, "m 2"], d: int) -> Float[Tensor, "m t"]:
    """`elevation_density` of candidates given as (angle, length in units of σ)."""
    angle, length = candidates[:, :1], candidates[:, 1:]
    return elevation_density(phi, length * angle.cos(), length * angle.sin(), d)


def log_below(
    density: Float[Tensor, "*s t"], rule: Panels, spread: Float[Tensor, "*#s 1"]
) -> Float[Tensor, "*s t"]:
    """Ln P(elevation < φ) at every node: one minus the integral of the density from the top down.

    ``spread`` is the M of `middle_and_spread`: `log_complement` takes the density per standard deviation, not per radian.
    """
    below, above = rule.running(density)
    return log_complement(above, below, density / spread)


def middle_and_spread(a: Tensor, b: Tensor, d: int) -> tuple[Tensor, Tensor]:
    """About where the elevation is, φ₀, and M, the inverse of its standard deviation."""
    across = (b.square() + (d - 1.5)).sqrt()
    return torch.atan2(a, across), torch.hypot(a, across)


def tail_edge(mean: Float[Tensor, "..."], spread: Float[Tensor, "..."], side: int) -> Float[Tensor, "..."]:
    """Elevation beyond which, below (−1) or above (+1), at most 1e-12 lies; a right angle if there is none."""
    wide = spread > TAIL
    edge = mean + side * (TAIL / torch.where(wide, spread, TAIL)).asin()
    return torch.where(wide, edge, side * RIGHT).clamp(-RIGHT, RIGHT)


def panel_edges(
    mine: Float[Tensor, "m 2"],
    pairs: Float[Tensor, "p 2"],
    rows: Int[Tensor, " p"],
    window: Float[Tensor, "m 2"],
    d: int,
) -> list[np.ndarray]:
    """Each query's panels: fine only where the elevation of a long, and therefore narrow, candidate lies."""
    everyone = torch.cat([mine, pairs])
    owner = torch.cat([torch.arange(len(mine), device=rows.device), rows])
    mean, spread = middle_and_spread(
        everyone[:, 1] * everyone[:, 0].cos(), everyone[:, 1] * everyone[:, 0].sin(), d
    )
    reach = [tail_edge(mean, spread, side)[owner.argsort(stable=True)].cpu().numpy() for side in (-1, 1)]
    spread = spread[owner.argsort(stable=True)].cpu().numpy()
    ends = torch.bincount(owner).cumsum(0).tolist()
    found, begin = [], 0
    for end, (low, top) in zip(ends, window.tolist(), strict=True):
        part = slice(begin, end)
        begin = end
        turn, units = _units(low, top, reach[0][part], reach[1][part], spread[part])
        edges = falling_edges(float(units[0]), d - 1, len(spread[part])).numpy()
        found.append(np.interp(edges, units[::-1], turn[::-1])[::-1].copy())
        found[-1][[0, -1]] = low, top
    return found


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
