r"""Robustness of Euclidean neighbours under Gaussian noise of any covariance, by a saddlepoint of the quadratic form.

In axes in which the noise is independent, :math:`\varepsilon_l \sim N(0, \lambda_l)`, and with a = x − y, the squared distance
:math:`Q = \sum_l (a_l + \varepsilon_l)^2` has the mean :math:`\|a\|^2 + \sum_l \lambda_l` and, about it, the cumulant function

.. math:: K(u) = \sum_l \frac{2 a_l^2 \lambda_l u^2}{1 - 2\lambda_l u}
    - \tfrac12 \sum_l \bigl[\ln(1 - 2\lambda_l u) + 2\lambda_l u\bigr], \qquad u < 1/(2\lambda_{\max}) .

Lugannani and Rice's tail, in Barndorff-Nielsen's form, is :math:`P(Q > \mathrm{mean} + K'(u)) \approx \Phi(-r)` with
:math:`r = w + \ln(v/w)/w`, :math:`w = \pm\sqrt{2(uK' - K)}`, :math:`v = u\sqrt{K''}`. One grid of u serves all pairs: K and
its derivatives are then products of the :math:`a_l^2` with a table. r is nearly linear in the distance, and interpolated.
Then Rob = ∫ φ(z) Π_j Φ(−r_j(t(z))) dz, t(z) being where the answer's own r is z.

An approximation without a bound: see `gapkit.robustness` for what was measured.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gapkit.geometry.neighbours import blocks, nearest, squares_and_answers
from gapkit.perturbations import GaussianNoise

_LEFT, _RIGHT, _POINTS = -13.0, 9.0, 56
_ENDS, _STEP = 7.0, 0.25
_PAIRS = 1024
"""Pairs whose coordinates are looked at together."""
_NONE = 1e-13
"""Of the largest variance: what rounding leaves of none."""
_REACH = 6.5
"""Standard deviations behind the answer from which on a candidate is left out, for less than 1e-10 each."""


def saddlepoint(
    y: Float[Tensor, "m d"], x: Float[Tensor, "k d"], noise: GaussianNoise
) -> tuple[Float[Tensor, " m"], Int[Tensor, " m"]]:
    """Robustness of each query, and the clean answers.

    Parameters
    ----------
    y, x : queries and gallery
    noise : on the gallery
    """
    if noise.covariance is None:
        sigma = torch.as_tensor(noise.sigma, dtype=x.dtype, device=x.device)
        variances = sigma.square().expand(x.shape[1])
    else:
        variances, axes = torch.linalg.eigh(noise.covariance_matrix(x.shape[1]).to(x.device))
        variances = torch.where(variances > _NONE * variances[-1], variances, 0)
        y, x = y @ axes, x @ axes
    if len(x) == 1 or not variances.any():
        return torch.ones_like(y[:, 0]), nearest(y, x)
    parts = [_block(y[part], x, variances) for part in blocks(len(y), len(x) * _POINTS * 8 * 8)]
    values, answers = zip(*parts, strict=True)
    return torch.cat(values), torch.cat(answers)


def _block(y, x, variances):
    squares, answers = squares_and_answers(y, x, "euclidean")  # (m, K)
    noisy = variances > 0
    own, a, b = variances[noisy], y[:, noisy], x[:, noisy]
    half = (b.square() @ own + (a.square() @ own)[:, None] - 2 * (a * own) @ b.T).clamp_min_(0)  # aᵀΣa
    deviation = (4 * half + 2 * own.square().sum()).sqrt()
    first = answers[:, None]
    behind = squares - squares.gather(1, first)
    near = behind < _REACH * torch.hypot(deviation, deviation.gather(1, first))
    near.scatter_(1, first, True)
    rows, columns = near.nonzero(as_tuple=True)
    # Even in standard deviations about the mean, and below the pole on its right; 0, where r is 0/0, is no point of it.
    even = torch.linspace(_LEFT, _RIGHT, _POINTS, dtype=y.dtype, device=y.device)
    u = even / (float(deviation[rows, columns].median()) + 2 * float(own.max()) * even.clamp_min(0))
    pairs = list(zip(rows.split(_PAIRS), columns.split(_PAIRS), strict=True))
    parts = (_tails((b[candidates] - a[queries]).square(), own, u) for queries, candidates in pairs)
    t, r = map(torch.cat, zip(*parts, strict=True))  # (pairs, J)
    t = t + squares[rows, columns, None]
    z = torch.arange(-_ENDS, _ENDS + _STEP / 2, _STEP, dtype=y.dtype, device=y.device)
    owner = (columns == answers[rows]).nonzero()[:, 0]  # the pair of each query with its answer
    nodes = _interpolate(r[owner], t[owner], z.expand(len(y), -1))  # (m, n): t(z)
    logs = torch.special.log_ndtr(-_interpolate(t, r, nodes[rows]))
    logs[owner] = 0  # the answer is integrated over
    total = torch.zeros_like(nodes).index_add_(0, rows, logs)
    density = torch.exp(-z.square() / 2) * (_STEP / math.sqrt(2 * math.pi))
    return (total.exp() @ density).clamp(0, 1), answers


def _tails(
    squares: Float[Tensor, "p r"], variances: Float[Tensor, " r"], u: Float[Tensor, " j"]
) -> tuple[Float[Tensor, "p j"], Float[Tensor, "p j"]]:
    """K'(u) and r at every u, from the pairs' squared coordinates."""
    l = variances[:, None]
    rest = 1 - 2 * l * u  # (r, J)
    k = squares @ (2 * l * u**2 / rest) - (rest.log() + 2 * l * u).sum(0) / 2
    slope = squares @ (4 * l * u * (1 - l * u) / rest**2) + (2 * l**2 * u / rest).sum(0)
    bend = squares @ (4 * l / rest**3) + (2 * l**2 / rest**2).sum(0)
    w = u.sign() * (2 * (u * slope - k)).clamp_min(1e-300).sqrt()
    return slope, w + (u * bend.sqrt() / w).log() / w


def _interpolate(
    x: Float[Tensor, "p j"], y: Float[Tensor, "p j"], at: Float[Tensor, "p n"]
) -> Float[Tensor, "p n"]:
    """Through three neighbouring points; ``x`` ascending in each row."""
    middle = torch.searchsorted(x.contiguous(), at.contiguous()).clamp_(1, x.shape[1] - 2)
    a, b, c = (x.gather(1, middle + i) for i in (-1, 0, 1))
    fa, fb, fc = (y.gather(1, middle + i) for i in (-1, 0, 1))
    first = (fb - fa) / (b - a)
    second = ((fc - fb) / (c - b) - first) / (c - a)
    return fa + (at - a) * (first + (at - b) * second)
