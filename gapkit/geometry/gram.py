"""Points from their inner products: what a published matrix of cosines still holds of the embeddings."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from gapkit._arrays import ArrayInput, ArrayLike, as_matrix, like
from gapkit._options import check_room, check_whole
from gapkit.errors import InputError

UNIT = 2e-3
"""A row's cosine with itself may be off 1 by this much, as half-precision rows are."""
SYMMETRY = 1e-4
COMPUTED = 1e-6
"""What an inner product may be off by that was computed in single precision."""


class GramPoints(NamedTuple):
    """Points with the given inner products.

    Attributes
    ----------
    points : (n, d) float64 of unit rows, right up to one rotation of the space
    rank : how many eigenvalues are more than rounding
    clipped : how many eigenvalues were negative, by rounding, and are 0 now
    least : the least eigenvalue as it was
    rounding : what rounding of the entries can do to an eigenvalue
    """

    points: ArrayLike
    rank: int
    clipped: int
    least: float
    rounding: float


def points_from_gram(gram: ArrayInput, *, dimension: int) -> GramPoints:
    r"""Unit vectors whose cosines are those of a Gram matrix, in a space of given dimension.

    .. math:: G = U \Lambda U^\top, \qquad Z = U \sqrt{\Lambda} \quad \text{(derived)}

    padded with zeros to ``dimension`` columns. Lengths, angles, and with them every measure of the gap and every
    robustness to isotropic noise, depend on the inner products alone; single coordinates are lost.

    Parameters
    ----------
    gram : (n, n) array-like of cosines
    dimension : of the space the embeddings came from, d ≥ rank; isotropic noise lives in all of it

    Raises
    ------
    InputError
        If the matrix is not square, not symmetric or has no unit diagonal; if an eigenvalue is more negative than
        rounding can make it, so that no vectors have these cosines; or if they need more than d dimensions.

    Examples
    --------
    >>> found = points_from_gram([[1.0, 0.6], [0.6, 1.0]], dimension=3)
    >>> (found.points @ found.points.T).round(6)
    array([[1. , 0.6],
           [0.6, 1. ]])
    >>> found.points.shape, found.rank
    ((2, 3), 2)
    """
    dimension = check_whole(dimension, "dimension")
    given = as_matrix(gram, "gram", shape="(n, n)")
    check_room("rows × dimension", len(given), dimension)
    if given.shape[0] != given.shape[1]:
        raise InputError(f"gram must be square, all rows against all rows; got {tuple(given.shape)}")
    step = _step(given)
    _check_entries(given, step)
    lengths = given.diagonal().sqrt()
    cosines = (given + given.T) / 2 / lengths / lengths[:, None]
    values, vectors = torch.linalg.eigh(cosines)
    # Entries with independent errors of at most `step` move eigenvalues by about 1.2 step √n; three times that is rare.
    rounding = 4 * step * len(given) ** 0.5
    least = float(values[0])
    if least < -rounding:
        raise InputError(
            f"gram has the eigenvalue {least:.3g}, rounding would explain {-rounding:.1g}: no vectors have "
            "these inner products; were entries changed, or is it no matrix of cosines?"
        )
    rank = int((values > rounding).sum())
    if rank > dimension:
        raise InputError(f"gram has rank {rank}, more than dimension={dimension}; pass the embeddings'")
    kept = min(dimension, len(given))
    roots = values[-kept:].clamp_min(0).sqrt().flip(0)
    directions = vectors[:, -kept:].flip(1)
    # Signs of eigenvectors are arbitrary: the largest entry of each is made positive, on every machine.
    largest = directions.abs().argmax(0)
    directions = directions * directions.gather(0, largest[None]).sign()
    points = torch.zeros(len(given), dimension, dtype=torch.float64, device=given.device)
    points[:, :kept] = directions * roots
    points /= torch.linalg.vector_norm(points, dim=1, keepdim=True)
    return GramPoints(like(points, gram), rank, int((values < 0).sum()), least, rounding)


def _step(gram: Float[Tensor, "n n"]) -> float:
    """The largest error of a rounded entry, read off the entries: few decimals, half precision, or computed in single."""
    if torch.equal(gram, gram.to(torch.float16).double()):
        return 2.0**-12
    for decimals in range(3, 7):  # of fewer decimals too little is left to tell rounding from a fault
        if (gram - gram.round(decimals=decimals)).abs().max() < 1e-12:
            return 0.5 * 10.0**-decimals
    return COMPUTED


def _check_entries(gram: Float[Tensor, "n n"], step: float) -> None:
    apart = (gram - gram.T).abs()
    if apart.max() > max(SYMMETRY, 4 * step):
        i, j = divmod(int(apart.argmax()), len(gram))
        entries = f"({i}, {j}) is {float(gram[i, j]):.6g}, ({j}, {i}) is {float(gram[j, i]):.6g}"
        raise InputError(f"gram must be symmetric; entry {entries}; pass texts and images against both")
    off = (gram.diagonal() - 1).abs()
    if off.max() > UNIT:
        i = int(off.argmax())
        raise InputError(
            f"gram must hold cosines, with 1 on its diagonal; entry ({i}, {i}) is {float(gram[i, i]):.6g} "
            "(divide by the logit scale, or by both lengths)"
        )
