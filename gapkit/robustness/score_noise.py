"""The variance of one candidate's score under noise on the candidate; derived at the head of `gapkit.robustness.law`."""

import math

from jaxtyping import Float
from torch import Tensor

from gapkit.errors import InputError
from gapkit.perturbations import GaussianNoise


def traces(noise: GaussianNoise, d: int) -> tuple[float, float]:
    """Tr Σ and tr Σ², in d dimensions."""
    if noise.isotropic is not None:
        return d * noise.isotropic**2, d * noise.isotropic**4
    covariance = noise.covariance_matrix(d)
    return float(covariance.trace()), float(covariance.square().sum())


def _quadratic(rows: Float[Tensor, "*g n d"], noise: GaussianNoise) -> Float[Tensor, "*g n"]:
    """AᵀΣA for every row a."""
    if noise.isotropic is not None:
        return noise.isotropic**2 * rows.square().sum(-1)
    return ((rows @ noise.covariance_matrix(rows.shape[-1]).to(rows)) * rows).sum(-1)


def score_variance(
    y: Float[Tensor, "*g n d"], x: Float[Tensor, "*g n d"], noise: GaussianNoise, metric: str
) -> Float[Tensor, "*g n"]:
    """s² of each pair; the cosine's in units of the dot product, so that it can be set against margins of that."""
    trace, trace_of_square = traces(noise, x.shape[-1])
    if metric == "euclidean":
        return _quadratic(x - y, noise) + trace_of_square / 2
    if metric == "dot":
        return _quadratic(y, noise)
    squares = x.square().sum(-1)  # (n,)
    if not (squares.all() and y.square().sum(-1).all()):
        raise InputError("rows must not be zero under the cosine; remove zero rows or use another metric")
    growth = 1 + trace / squares
    share = (y * x).sum(-1) / (squares * growth)
    return _quadratic(y - share[..., None] * x, noise) + share.square() * trace_of_square / 2


def equal_sigma(sigma: float, before: float, after: float, own: float) -> float:
    r"""σ* of :math:`\sigma^{*2} b + \sigma^{*4} o = \sigma^2 a + \sigma^4 o`, where that is how s² depends on σ.

    Parameters
    ----------
    sigma : noise on the closed embeddings
    before, after : b and a, means of aᵀΣa (or yᵀΣy) over the queries, for noise of σ = 1
    own : o, half of tr Σ²; for isotropic noise d/2; 0 for the dot product

    Examples
    --------
    >>> round(equal_sigma(0.1, 2.0, 1.0, 0.0), 4)
    0.0707
    """
    target = sigma**2 * after + sigma**4 * own
    return math.sqrt(2 * target / (before + math.sqrt(before**2 + 4 * own * target)))
