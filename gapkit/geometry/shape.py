"""The shape of one modality: cone, principal directions, effective rank."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from gapkit._arrays import ArrayInput, as_matrix, unit_rows
from gapkit.errors import InputError

FEW_ROUNDINGS = 64 * torch.finfo(torch.float64).eps
"""What float64 leaves of a difference that is zero, in units of what was subtracted."""


def alike(rows: Float[Tensor, "n d"], centred: Float[Tensor, "n d"]) -> bool:
    """Whether all rows are the same: what centring leaves of them is rounding, not a spread."""
    return bool(centred.abs().max() <= 4 * torch.finfo(rows.dtype).eps * rows.abs().max())


def only_rounding(vector: Float[Tensor, " d"], *sides: Float[Tensor, "_ d"]) -> bool:
    """Whether a mean of rows, or a difference of means, is what rounding leaves of zero, and has no direction."""
    largest = max(float(rows.abs().max()) for rows in sides)
    return float(torch.linalg.vector_norm(vector)) <= FEW_ROUNDINGS * largest


class Cone(NamedTuple):
    """How narrow the cone is that one modality lives in."""

    mean_cosine: float
    """Mean cosine of two different rows; 0 for a uniform sphere."""
    std_cosine: float
    """Standard deviation of that cosine over all pairs of different rows."""
    resultant: float
    """Length of the mean unit vector; 1 when all rows point one way."""


def cone_from_moments(n: int, total: Float[Tensor, " d"], second: Float[Tensor, "c c"] | None) -> Cone:
    """Cone statistics of n unit rows u from Σu and Σuuᵀ (or the matrix of all u_i·u_j, of the same norm).

    Σ_{i≠j} u_i·u_j = ‖Σu‖² − n and Σ_{i≠j} (u_i·u_j)² = ‖Σuuᵀ‖² − n.
    """
    nan = float("nan")
    resultant = float(torch.linalg.vector_norm(total)) / n
    if n < 2:
        return Cone(nan, nan, resultant)
    pairs = n * (n - 1)
    mean = (float(total @ total) - n) / pairs
    if second is None:
        return Cone(mean, nan, resultant)
    return Cone(mean, max((float(second.square().sum()) - n) / pairs - mean**2, 0.0) ** 0.5, resultant)


def cone_statistics(z: ArrayInput) -> Cone:
    r"""Cosines inside one modality: the cone effect (Liang et al. 2022).

    .. math:: \frac{1}{n(n-1)} \sum_{i \ne j} \cos(z_i, z_j) = \frac{\|\sum_i u_i\|^2 - n}{n(n-1)}, \quad u_i = z_i / \|z_i\|

    Parameters
    ----------
    z : (n, d) array-like, one modality, n ≥ 2

    Returns
    -------
    Cone (mean_cosine, std_cosine, resultant)

    Raises
    ------
    InputError
        If a row is zero or there is only one.

    Examples
    --------
    >>> cone_statistics([[1.0, 0.0], [0.0, 1.0], [0.0, 3.0]]).mean_cosine
    0.333...
    """
    matrix = as_matrix(z, "z")
    if len(matrix) < 2:
        raise InputError("cone_statistics needs at least two rows")
    unit = unit_rows(matrix, "z")
    # ‖UᵀU‖ = ‖UUᵀ‖: take the smaller of the two products.
    second = unit.T @ unit if len(unit) >= unit.shape[1] else unit @ unit.T
    return cone_from_moments(len(unit), unit.sum(0), second)


def principal_directions(z: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "r d"], Float[Tensor, " r"]]:
    """Orthonormal principal directions of the centred rows, with their singular values, largest first.

    The rank is decided in float64 with float64's tolerance: float32's default would drop true components
    of a trained gallery. One row, or rows all alike, span no direction: r = 0.
    """
    centred = z.double() - z.double().mean(0)
    _, values, directions = torch.linalg.svd(centred, full_matrices=False)
    # Centring itself leaves errors of eps·|mean|, which must not count as a direction.
    scale = torch.maximum(values[0], torch.linalg.vector_norm(z.double().mean(0)) * len(z) ** 0.5)
    rank = int((values > scale * max(z.shape) * torch.finfo(torch.float64).eps).sum())
    rank = min(rank, len(z) - 1)
    return directions[:rank], values[:rank]


def effective_rank(z: ArrayInput) -> float:
    r"""Effective rank, :math:`\exp(-\sum_k p_k \log p_k)` with :math:`p_k = s_k / \sum s` (Roy & Vetterli 2007).

    s are the singular values of the centred rows: 1 for a line, d for an isotropic cloud.

    Parameters
    ----------
    z : (n, d) array-like, one modality, n ≥ 2

    Returns
    -------
    float in [1, min(n − 1, d)]

    Raises
    ------
    InputError
        For fewer than two rows, or rows that are all the same: they have no spread whose rank could be taken.

    Examples
    --------
    >>> round(effective_rank([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), 6)
    2.0
    """
    return rank_entropy(torch.linalg.svdvals(spread(z, what="effective_rank")))


def spread(z: ArrayInput, *, what: str) -> Float[Tensor, "n d"]:
    """The centred rows; rows that are all alike leave rounding errors behind, not a spread, and raise."""
    matrix = as_matrix(z, "z")
    if len(matrix) < 2:
        raise InputError(f"{what} needs at least two rows; got shape {tuple(matrix.shape)}")
    centred = matrix - matrix.mean(0)
    if alike(matrix, centred):
        raise InputError(f"{what} needs rows that differ: all {len(matrix)} rows of z are the same")
    return centred


def rank_entropy(values: Float[Tensor, " r"]) -> float:
    """Effective number of non-negative values: exp of the entropy of their shares; NaN if all are zero."""
    total = float(values.sum())
    if total <= 0:
        return float("nan")
    shares = values / total
    return float(torch.exp(-torch.special.xlogy(shares, shares).sum()))
