r"""Exact robustness of Euclidean nearest neighbours under noise on the gallery.

:math:`\|x_k + \varepsilon_k - y\| = \sigma R_k` with :math:`R_k^2 \sim \chi'^2_d(\lambda_k)`, :math:`\lambda_k = \|x_k - y\|^2/\sigma^2`,
independent over k, so

.. math:: \mathrm{Rob}(y) = \int_0^\infty f_i(r) \prod_{j \ne i} P(R_j > r)\, dr .

*Which candidates count.* :math:`R_j - R_i` is a function of a standard Gaussian vector with Lipschitz constant √2, so it falls
Δ below its mean with probability at most :math:`e^{-\Delta^2/4}` (Gaussian concentration). And
:math:`\lambda + d - 1 \le (\mathbb{E}R)^2 \le \lambda + d`, since Var R ≤ 1. Candidates whose :math:`\sqrt{\lambda_j + d}` is 10.5 more than
the answer's are dropped, each for less than 1.1e-12 (d > 1; 1e-10 for d = 1).

*Densities and tails.* The textbook writes them for R², whose mean and deviation grow with λ and d. Here they are written for
R itself, whose standard deviation lies between about 0.7 and 1 whatever d and λ are, and in ρ = √λ, so that nothing cancels
at small noise (λ up to 1e14). scipy's noncentral χ² is one function call per pair of candidate and node, loses its tail at
some arguments, and stops at λ of about 1e9: `gapkit.robustness.reference` is the page that uses it.
"""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import special
from torch import Tensor

from gapkit.robustness.quadrature import REACH, TAIL, Panels, falling_edges, mesh_sum, pick, probability

BIN = 3.0
"""Queries whose answers lie this close (in √(λ + d)) share one table."""
CLOSED_FORM_FROM = 128
"""Dimension from which `closed_form_log_survival` stands in for the exact function."""
_MESH_FROM = 250
_BLOCK = 2**9
"""Pairs whose tails are computed at once, so that the twenty arrays this takes fit into a cache."""
_TINY = 1e-300


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
    u = squares.div(sigma * sigma).add_(d).sqrt_()  # (m, K): √(λ + d), about E[R]
    winners = u.gather(1, answers[:, None])[:, 0]  # (m,): that of each query's clean answer
    near = u < (winners + REACH)[:, None]
    near.scatter_(1, answers[:, None], False)
    rival_of, columns = near.nonzero(as_tuple=True)  # (p,): all pairs of a query and a rival that counts
    return integrate(winners, u[rival_of, columns], rival_of, d)


def integrate(
    winners: Float[Tensor, " m"],
    rivals: Float[Tensor, " p"],
    rival_of: Int[Tensor, " p"],
    d: int,
    shares: Float[Tensor, " p"] | None = None,
) -> Float[Tensor, " m"]:
    """Robustness from √(λ + d) of the answers and of the rivals that count, ``shares`` of them each (1 unless given)."""
    if shares is None:
        shares = torch.ones_like(rivals)
    # Queries are binned by their answer's distance. A bin with many pairs pays for a table; the others are
    # few pairs altogether and are integrated one by one.
    bins = ((winners - winners.min()) / BIN).long().unique(return_inverse=True)[1]  # (m,)
    counts = torch.bincount(bins[rival_of], minlength=int(bins.max()) + 1)
    result = torch.ones_like(winners)
    for number in (counts >= _MESH_FROM).nonzero()[:, 0].tolist():
        chosen, index = pick(members := bins == number, rival_of)
        result[members] = _by_mesh(winners[members], rivals[chosen], index, shares[chosen], d)
    # Nobody near: certainly kept.
    single = (counts[bins] < _MESH_FROM) & (torch.bincount(rival_of, minlength=len(winners)) > 0)
    if single.any():
        chosen, index = pick(single, rival_of)
        result[single] = _one_by_one(winners[single], rivals[chosen], index, shares[chosen], d)
    return result


def _by_mesh(
    winners: Float[Tensor, " m"],
    rivals: Float[Tensor, " p"],
    rival_of: Int[Tensor, " p"],
    shares: Float[Tensor, " p"],
    d: int,
) -> Float[Tensor, " m"]:
    """Queries of one bin; ``rivals[p]`` is the √(λ + d) of a candidate of query ``rival_of[p]``."""
    lowest, highest = float(winners.min()), float(winners.max())
    start = _start(winners.min()).view(1, 1)
    rule = _rule(highest + TAIL - float(start), rival_of, shares, d)

    def table(points: Tensor) -> Tensor:
        return log_survival(rule, start, _rho(points, d)[:, None], d)  # (g, t)

    reach = {"origin": lowest, "length": highest - lowest + REACH}
    logs = mesh_sum(table, rivals, rival_of, count=len(winners), scale=shares, **reach)  # (m, t): Σ_j ln S_j
    for part, of in zip(logs.split(_BLOCK), _rho(winners, d)[:, None].split(_BLOCK), strict=True):
        part += log_density(rule.nodes + start, of, d)
    return probability(logs.exp_() @ rule.weights)


def _one_by_one(
    winners: Float[Tensor, " m"],
    rivals: Float[Tensor, " p"],
    rival_of: Int[Tensor, " p"],
    shares: Float[Tensor, " p"],
    d: int,
) -> Float[Tensor, " m"]:
    """Queries each on nodes of its own, every tail computed as it is."""
    rule = _rule(2 * TAIL + 1, rival_of, shares, d)
    start = _start(winners)[:, None]
    logs = log_density(start + rule.nodes, _rho(winners, d)[:, None], d)  # (m, t)
    for first in range(0, len(rivals), _BLOCK):
        part = slice(first, first + _BLOCK)
        query = rival_of[part]
        tails = log_survival(rule, start[query], _rho(rivals[part], d)[:, None], d)
        logs.index_add_(0, query, tails * shares[part, None])
    return probability(logs.exp_() @ rule.weights)


def _rule(length: float, rival_of: Int[Tensor, " p"], shares: Float[Tensor, " p"], d: int) -> Panels:
    """Panels on [0, length], as fine as the largest number of candidates near one query asks for."""
    # Below d = 128 beyond the answer's reach too: from there the deep tails are integrated.
    beyond = 0.0 if d >= CLOSED_FORM_FROM else 3.0
    candidates = round(float(torch.bincount(rival_of, shares).max())) + 1
    return Panels(falling_edges(length + beyond, d, candidates).to(rival_of.device))


def _start(u: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    return ((u.square() - 1).clamp_min(0).sqrt() - TAIL).clamp_min(0)


def _rho(u: Float[Tensor, "..."], d: int) -> Float[Tensor, "..."]:
    return (u.square() - d).clamp_min(0).sqrt()


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
    return rule.log_complement(log_density(nodes, rho, d).exp())


def closed_form_log_survival(
    r: Float[Tensor, "*#s"], rho: Float[Tensor, "*#s"], d: int
) -> Float[Tensor, "..."]:
    r"""Ln P(R > r), Lugannani and Rice's saddlepoint approximation of the noncentral χ² tail (1980).

    The cumulant generating function of :math:`\chi'^2_d(\lambda)` is
    :math:`K(s) = \lambda s/(1-2s) - \tfrac d2 \ln(1-2s)`, and the saddlepoint :math:`K'(s) = x` has a closed form. With
    :math:`u = 1/(1-2s) = 1 + \delta` and :math:`e = x - \lambda - d`

    .. math::
        \delta = \frac{2e}{(2\lambda+d) + \sqrt{(2\lambda+d)^2 + 4\lambda e}}, \quad
        w = \operatorname{sign}(\delta)\sqrt{\lambda\delta^2 + d(\delta - \ln(1+\delta))}, \quad
        v = \delta\sqrt{\lambda u + d/2},

    .. math:: P(\chi'^2 > x) \approx \Phi(-w) + \varphi(w)\,(1/v - 1/w).

    Written so, no digits are lost near the mean (the textbook form takes s, K and sx − K, which cancel there).
    Where w vanishes the bracket tends to :math:`-K'''(0)/(6 K''(0)^{3/2})`. The smaller of the two tails is

    .. math:: \varphi(w)\,\Bigl(\frac{\Phi(-|w|)}{\varphi(w)} + \frac1{|v|} - \frac1{|w|}\Bigr)

    on either side of the mean, and as a product it keeps its digits however small it is: its logarithm
    is smooth, which an interpolated table depends on. (A sum of Φ and a bracket that cancels it is not: once Φ
    has lost its digits, nothing is left but a negative number.)

    Parameters
    ----------
    r : (...) float64, where the tail begins, in units of σ
    rho : (...) float64, √λ, the noncentrality D/σ; broadcasts against r
    d : degrees of freedom; meant for d ≥ 128, where the error of P is below 1e-5 for every λ (1e-6 from d = 512)

    Returns
    -------
    (...) float64

    Examples
    --------
    >>> r, rho = torch.tensor([60.0, 65.0, 80.0]).double(), torch.tensor(60.0).double()
    >>> closed_form_log_survival(r, rho, 512)
    tensor([-1.0330e-05, -1.7088e+00, -1.3701e+02], dtype=torch.float64)
    """
    lam = rho.square()
    e = (r - rho) * (r + rho) - d
    half_root = 2 * lam + d
    delta = 2 * e / (half_root + (half_root.square() + 4 * lam * e).clamp_min(0).sqrt())
    series = delta.square() * (1 / 2 - delta * (1 / 3 - delta * (1 / 4 - delta * (1 / 5 - delta / 6))))
    bend = torch.where(delta.abs() < 1e-3, series, delta - torch.log1p(delta))
    size = (lam * delta.square() + d * bend).sqrt()  # |w|
    flat = -(24 * lam + 8 * d) / (6 * (4 * lam + 2 * d) ** 1.5)
    at_mean, above = size < 1e-5, delta >= 0
    v = (delta * (lam * (1 + delta) + d / 2).sqrt()).abs()
    bracket = 1 / torch.where(at_mean, 1, v) - 1 / torch.where(at_mean, 1, size)
    bracket = torch.where(at_mean, torch.where(above, flat, -flat), bracket)
    mills = math.sqrt(math.pi / 2) * torch.special.erfcx(size / math.sqrt(2))
    log_tail = (mills + bracket).log() - 0.5 * size.square() - 0.5 * math.log(2 * math.pi)
    return torch.where(above, log_tail, torch.log1p(-log_tail.exp()))


def log_density(r: Float[Tensor, "*#s"], rho: Float[Tensor, "*#s"], d: int) -> Float[Tensor, "..."]:
    r"""Logarithm of the density of R at r ≥ 0: accurate to 1e-11.

    .. math:: f(r) = r\,\left(\tfrac{r}{\rho}\right)^{\nu} e^{-(r^2+\rho^2)/2}\, I_\nu(r\rho), \qquad \nu = d/2 - 1.

    From ν = 12 the Bessel function is Debye's uniform expansion (DLMF 10.41.3) with up to nine terms; below, it
    is scipy's ``ive``, and its power series where the argument is small. All three are arranged so that
    the two exponents, of the order of λ each, never meet: only :math:`(r-\rho)^2/2` does.

    Parameters
    ----------
    r : (...) float64, ≥ 0
    rho : (...) float64, ≥ 0; broadcasts against r
    d : degrees of freedom, ≥ 1

    Examples
    --------
    >>> r = torch.tensor([0.5, 1.0]).double()
    >>> log_density(r, torch.zeros(1).double(), 2).exp()        # Rayleigh: r exp(−r²/2)
    tensor([0.4412, 0.6065], dtype=torch.float64)
    """
    nu = d / 2 - 1
    r, rho = torch.broadcast_tensors(r, rho)
    z = r * rho
    square = -0.5 * (r - rho).square()
    log_r = r.clamp_min(_TINY).log()
    if nu >= 12:
        root = torch.hypot(z, torch.full_like(z, nu))
        rest = nu * nu / (root + z)  # √(ν² + z²) − z
        power = nu * (2 * log_r - (nu + root).log()) - 0.5 * math.log(2 * math.pi) - 0.5 * root.log()
        return log_r + square + rest + power + _debye(nu / root, nu).log()
    q = (z / 2).square()
    small = q < 0.25 * (nu + 1)
    term = total = torch.ones_like(q)
    near = torch.where(small, q, 0)
    for k in range(1, 10):
        term = term * near / (k * (nu + k))
        total = total + term
    series = (2 * nu + 1) * log_r - nu * math.log(2) - math.lgamma(nu + 1) - z + total.log()
    # scipy gives up at arguments beyond 1e9; from 1e6 on Hankel's expansion (DLMF 10.40.1) has all digits.
    bessel = special.ive(nu, torch.where(small, 1, z).clamp_max(1e6).cpu().numpy())
    scaled = torch.as_tensor(np.maximum(bessel, _TINY), dtype=z.dtype, device=z.device).log()
    eighth, mu = 1 / (8 * z.clamp_min(1e6)), 4 * nu * nu
    hankel = 1 - (mu - 1) * eighth * (1 - (mu - 9) * eighth / 2 * (1 - (mu - 25) * eighth / 3))
    scaled = torch.where(z > 1e6, hankel.log() - 0.5 * (2 * math.pi * z.clamp_min(1e6)).log(), scaled)
    other = log_r + nu * (log_r - rho.clamp_min(_TINY).log()) + scaled
    return square + torch.where(small, series, other)


# Coefficients of Debye's polynomials u_k(p) = p^k Σ_j c_kj p^(2j), from the recurrence of DLMF 10.41.9.
def _debye_coefficients(terms: int) -> list[np.ndarray]:
    polynomials = [np.polynomial.Polynomial([1.0])]
    p = np.polynomial.Polynomial([0.0, 1.0])
    for _ in range(terms):
        u = polynomials[-1]
        integral = ((1 - 5 * p**2) * u).integ()
        polynomials.append(0.5 * p**2 * (1 - p**2) * u.deriv() + integral / 8)
    return [u.coef for u in polynomials]


_DEBYE = _debye_coefficients(9)


def _debye(p: Float[Tensor, "..."], nu: float) -> Float[Tensor, "..."]:
    """Σ_k u_k(p)/ν^k, by Horner's rule in p: the whole sum is one polynomial for given ν."""
    terms = [u / nu**k for k, u in enumerate(_DEBYE) if nu**k < 1e12]
    merged = np.zeros(len(terms[-1]))
    for term in terms:
        merged[: len(term)] += term
    total = torch.full_like(p, merged[-1])
    for coefficient in merged[-2::-1]:
        total.mul_(p).add_(float(coefficient))
    return total
