r"""The one integral behind every exact answer, and how it is computed for many queries at once.

Candidates are perturbed independently. If the answer i scores t (density :math:`f_i`), it stays the answer with probability
:math:`\prod_{j \ne i} S_j(t)`, :math:`S_j` being the chance that candidate j stays behind t. So

.. math:: \mathrm{Rob} = \int f_i(t) \prod_{j \ne i} S_j(t)\, dt = \int f_i(t) \exp\Bigl(\sum_{j \ne i} \ln S_j(t)\Bigr) dt.

Two ideas make it fast. *Gauss–Legendre panels*: all integrands are smooth, and panels need nothing of their ends.
*A mesh*: :math:`\ln S_j(t)` depends on j only through one number :math:`u_j`, smoothly, so it is tabulated on a
grid of u and interpolated by polynomials of degree 5. Interpolation is linear in the table: instead of
interpolating for each candidate and node, the weights of all candidates of a query are
added up on the grid once, and the sum over candidates becomes a matrix product.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy import special
from torch import Tensor

STEP = 0.08
"""Distance of grid points, in units of the narrowest standard deviation (about 0.7): error below 1e-8."""
REACH = 10.5
"""Candidates farther behind the answer than this are dropped."""
TAIL = 6.5
"""The integral covers this much to either side of the answer's mean."""
PANEL, ORDER = 1.25, 10
_FALL = 4.0
"""Widest panel in units of the distance over which the product of the tails falls."""
_STENCIL = 6
FINE = 2.0**-8
"""Distance of the points on which many candidates are counted; float32 holds them as they are."""


@lru_cache
def _legendre(order: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1], and the matrix that integrates the interpolating polynomial from 0 to each node."""
    x, w = np.polynomial.legendre.leggauss(order)
    basis = np.polynomial.legendre.legvander(x, order - 1)
    integrals = np.polynomial.legendre.legval(x, np.polynomial.legendre.legint(np.eye(order), lbnd=-1)).T
    return (x + 1) / 2, w / 2, integrals @ np.linalg.inv(basis) / 2


@dataclass(frozen=True)
class Panels:
    """Composite Gauss–Legendre rule between ``edges`` (..., P + 1), of one set of panels or of one for each row.

    Examples
    --------
    >>> rule = Panels(torch.tensor([0.0, 0.5, 3.0]).double())
    >>> round(float(rule.nodes.cos() @ rule.weights), 9) == round(math.sin(3), 9)
    True
    """

    edges: Float[Tensor, "*rows edges"]

    @property
    def nodes(self) -> Float[Tensor, "*rows t"]:
        """(..., t) nodes, ascending."""
        x = torch.as_tensor(_legendre(ORDER)[0], device=self.edges.device)
        return (self.edges[..., :-1, None] + self._widths * x).flatten(-2)

    @property
    def weights(self) -> Float[Tensor, "*rows t"]:
        """(..., t) weights of the nodes."""
        w = torch.as_tensor(_legendre(ORDER)[1], device=self.edges.device)
        return (self._widths * w).flatten(-2)

    @property
    def _widths(self) -> Float[Tensor, "*rows panels 1"]:
        return self.edges.diff()[..., None]

    def running(self, f: Float[Tensor, "*out t"]) -> tuple[Float[Tensor, "*out t"], Float[Tensor, "*out t"]]:
        """∫ f from the first edge to each node, and from each node to the last edge, in O(t) memory.

        Within a panel the polynomial through its values is integrated; whole panels are added up.
        """
        _, w, inner = (torch.as_tensor(part, device=f.device) for part in _legendre(ORDER))
        f = f.unflatten(-1, (-1, ORDER))
        sums = (f @ w)[..., None] * self._widths
        within = (f @ inner.T) * self._widths
        before = sums.cumsum(-2) - sums
        after = sums.flip(-2).cumsum(-2).flip(-2) - sums
        return (before + within).flatten(-2), (after + (sums - within)).flatten(-2)

    def log_complement(
        self, density: Float[Tensor, "*out t"], *, down: bool = False, spread: float | Tensor = 1.0
    ) -> Float[Tensor, "*out t"]:
        """Ln(1 − mass) at each node, the mass being ∫ of the density from the first edge, or ``down`` from the last.

        It is taken from the rest, the complement as integrated from the other side, where it is below 1e-6. So the logarithm
        stays smooth where 1 − mass has only rounding left. Where the rest has none of its digits either, a small part of the
        density per standard deviation (1/``spread``) stands in: a constant would put a kink into a table. Where the other
        side's panels began too late to hold all of the complement, 1 − mass is kept as long as it has digits.
        """
        mass, rest = self.running(density)[:: -1 if down else 1]
        direct = 1 - mass
        deep = torch.maximum(rest, 0.01 * (density / spread)).clamp_min_(1e-300)
        whole = (direct > 1e-6) | ((direct > 1e-12) & (direct > 2 * deep))
        return torch.where(whole, (-mass).clamp_min(1e-12 - 1).log1p(), deep.log())


def falling_edges(length: float, d: int, candidates: int) -> Float[Tensor, " p"]:
    r"""Edges on [0, length] fine enough for the product of many tails.

    With g = Σ (1 − S_j) the product is about :math:`e^{-g}`, and falls from 1 to 0 where g passes 1: over a
    distance of g/g', however smooth g is. Where each of K candidates has a share of 1/K, this g/g' is least for
    candidates around the query itself. For them it is F/f of the central χ with d degrees of freedom: near the
    origin r/d, from its quantile :math:`r_1 = F^{-1}(1/K)` on. So panels grow geometrically from there, up to what
    the normal tail that is left of candidates far away asks for.
    """
    # Lengths and counts are rounded up, so that rules are shared and cached.
    whole = max(1, math.ceil(4 * length)) / 4
    edges = _falling_edges(whole, d, 2 ** max(1, math.ceil(math.log2(candidates))))
    return torch.from_numpy(edges * (length / whole))


@lru_cache(maxsize=256)
def _falling_edges(length: float, d: int, candidates: int) -> np.ndarray:
    quantile = special.ndtri(1 / candidates)
    # 1.42: deviations from 0.7
    steepest = 1.42 * candidates * math.exp(-(quantile**2) / 2) / math.sqrt(2 * math.pi)
    least = min(PANEL, _FALL / steepest)
    first = math.sqrt(2 * special.gammaincinv(d / 2, 1 / candidates))
    edges = [0.0]
    while edges[-1] < length:
        r = max(edges[-1], first)
        log_density = (d - 1) * math.log(r) - r * r / 2 - (d / 2 - 1) * math.log(2) - math.lgamma(d / 2)
        steepness = math.exp(log_density) / special.gammainc(d / 2, r * r / 2)
        edges.append(edges[-1] + _FALL / max(steepness, _FALL / least))
    return np.array(edges) * (length / edges[-1])


def probability(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Integrated probabilities, rounding taken off; a value that rounding does not explain is an error.

    Raises
    ------
    ArithmeticError
        If a value is above 1 by more than 1e-6, below 0 by as much, or not a number.
    """
    wrong = ~((values <= 1 + 1e-6) & (values >= -1e-6))
    if wrong.any():
        value = float(values[wrong][0])
        raise ArithmeticError(f"internal error of gapkit: a probability of {value!r}; please report it")
    return values.clamp(0, 1)


def pick(
    some: Bool[Tensor, " m"], rival_of: Int[Tensor, " p"]
) -> tuple[Bool[Tensor, " p"], Int[Tensor, " q"]]:
    """Which pairs belong to ``some`` of the queries, and of each of these pairs the query's row among those."""
    chosen = some[rival_of]
    return chosen, (some.cumsum(0) - 1)[rival_of[chosen]]


def mesh_sum(
    table: Callable[[Tensor], Tensor],
    u: Float[Tensor, " p"],
    rows: Int[Tensor, " p"],
    *,
    count: int,
    origin: float,
    length: float,
    scale: Float[Tensor, " p"] | None = None,
) -> Float[Tensor, "{count} t"]:
    """Row by row the sum over its pairs of ``table(u)``, interpolated on a grid from ``origin`` that covers ``length``.

    Each pair's six Lagrange weights (times ``scale``) are added up on the grid first.
    """
    size = math.ceil(length / STEP) + _STENCIL
    points = origin + STEP * torch.arange(size, dtype=torch.float64, device=u.device)
    x = (u - origin) / STEP
    first = (x.floor().long() - (_STENCIL // 2 - 1)).clamp(0, size - _STENCIL)
    x -= first
    target = rows * size + first
    grid = torch.zeros(count * size, dtype=u.dtype, device=u.device)
    for k in range(_STENCIL):
        weight = torch.ones_like(x) if scale is None else scale.clone()
        for other in range(_STENCIL):
            if other != k:
                weight *= (x - other) / (k - other)
        grid.index_add_(0, target + k, weight)
    return grid.view(count, size) @ table(points)  # (count, g) @ (g, t)


class Counts:
    """Candidates of each of m queries, counted on a fine grid: what `mesh_sum` takes in place of a million of them.

    A candidate is shared linearly between the two points around it. That widens it by t(1 − t) FINE² and, as many lie
    anywhere between points, by FINE²/6 on average: half of which times a table's curvature would be added to their sum.
    `points` takes it off again by a second difference. What is left is below 1e-6 of a probability, and FINE²/12 times
    the curvature where few count.
    """

    def __init__(self, origin: Float[Tensor, " m"], length: float, levels: int = 1):
        self.size = math.ceil(length / FINE) + 6  # two points before the first, and two for what lies beyond
        self.origin = (origin.double() / FINE).floor().sub_(2) * FINE
        self.grid = torch.zeros(levels, len(origin) * self.size, dtype=torch.float64, device=origin.device)

    def lower(self, origin: Float[Tensor, " m"]) -> None:
        """Let grids begin so low that ``origin`` lies on them; what no longer lies on them is out of reach."""
        down = ((self.origin - origin) / FINE + 2).ceil().clamp_min_(0).long()
        rows = down.nonzero()[:, 0]
        if len(rows):
            source = torch.arange(self.size, device=rows.device) - down[rows, None]
            grid = self.grid.view(len(self.grid), -1, self.size)
            moved = grid[:, rows].gather(2, source.clamp_min(0).expand(len(grid), -1, -1))
            grid[:, rows] = torch.where(source >= 0, moved, 0)
            self.origin = self.origin - down * FINE

    def add(
        self,
        u: Float[Tensor, "*s"],
        rows: Int[Tensor, "*#s"],
        shares: Float[Tensor, "q *#s"] | None = None,
        sign: int = 1,
    ) -> None:
        """Count candidates at ``u`` of the queries ``rows``: on each level ``shares`` of one."""
        x = (u - self.origin[rows].to(u)).mul_(1 / FINE).clamp_(0, self.size - 2)
        first = x.long()
        x -= first
        first = (first + rows * self.size).view(-1)
        for level, grid in enumerate(self.grid):
            share = sign if shares is None else sign * shares[level]
            above = (x * share).double()
            grid.index_add_(0, first, (share - above).view(-1))
            grid[1:].index_add_(0, first, above.view(-1))

    def points(self, level: int = 0) -> tuple[Float[Tensor, " p"], Int[Tensor, " p"], Float[Tensor, " p"]]:
        """Places u, queries and weights: as if so many candidates were there."""
        grid = self.grid[level].view(-1, self.size)[:, : self.size - 2]
        weights = grid * (7 / 6)
        weights[:, 1:] -= grid[:, :-1] / 12
        weights[:, :-1] -= grid[:, 1:] / 12
        rows, columns = weights.nonzero(as_tuple=True)
        return self.origin[rows] + FINE * columns, rows, weights[rows, columns]
