"""Nearest neighbours, the operation every downstream task here comes down to.

Scores are computed in float64, so that rounding float32 products does not flip answers. Two candidates
whose scores differ by less than the rounding error of the computation are tied, and the lowest index
wins a tie: duplicates in the gallery give one and the same answer whatever their order of evaluation.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gapkit._arrays import ArrayLike, as_matrix, check_choice, check_same_width, like
from gapkit.errors import InputError

METRICS = ("euclidean", "dot", "cosine")
BLOCK_BYTES = 2**26


def prepare(queries, gallery, metric: str) -> tuple[Tensor, Tensor]:
    """Both as float64 matrices in which ``cost_block`` can work: unit rows for the cosine, centred for Euclid."""
    check_choice(metric, "metric", METRICS)
    y = as_matrix(queries, "queries", shape="(m, d)")
    x = as_matrix(gallery, "gallery", shape="(K, d)").to(y.device)
    check_same_width(y, "queries", x, "gallery")
    if metric == "cosine":
        for matrix, name in ((y, "queries"), (x, "gallery")):
            zero = (matrix == 0).all(1)
            if zero.any():
                raise InputError(
                    f"{name} must have no zero row for the cosine; row {int(zero.nonzero()[0, 0])} is zero"
                )
        y = y / torch.linalg.vector_norm(y, dim=1, keepdim=True)
        x = x / torch.linalg.vector_norm(x, dim=1, keepdim=True)
    elif metric == "euclidean":
        # A common translation changes no distance, and the smaller the rows, the smaller the rounding.
        centre = x.mean(0)
        y, x = y - centre, x - centre
    return y, x


def cost_block(
    y: Float[Tensor, "b d"], x: Float[Tensor, "k d"], metric: str
) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b 1"]]:
    """Costs (smaller is nearer; up to a constant per query) and, per query, the difference below which they tie."""
    products = y @ x.T
    squares = x.square().sum(1)
    costs = squares - 2 * products if metric == "euclidean" else -products
    scale = (torch.linalg.vector_norm(y, dim=1, keepdim=True) + squares.max().sqrt()) * squares.max().sqrt()
    return costs, 4 * torch.finfo(torch.float64).eps * x.shape[1] ** 0.5 * scale


def blocks(length: int, row_bytes: int) -> Iterator[slice]:
    """Slices of a range whose rows take at most ``BLOCK_BYTES`` together."""
    step = max(1, BLOCK_BYTES // max(row_bytes, 1))
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))


def _nearest(y: Float[Tensor, "m d"], x: Float[Tensor, "k d"], metric: str) -> Int[Tensor, " m"]:
    answers = torch.empty(len(y), dtype=torch.int64, device=y.device)
    for block in blocks(len(y), len(x) * 8 * 3):
        costs, tie = cost_block(y[block], x, metric)
        within = costs <= costs.min(1, keepdim=True).values + tie
        answers[block] = within.to(torch.uint8).argmax(1)  # the first of the largest: the lowest index
    return answers


def nearest(queries, gallery, *, metric: str = "euclidean") -> ArrayLike:
    r"""Index of each query's nearest gallery row, :math:`\mathrm{NN}(y, X) = \arg\min_i \|x_i - y\|`.

    Parameters
    ----------
    queries : (m, d) array-like
    gallery : (K, d) array-like
    metric : ``"euclidean"`` (least distance), ``"dot"`` (largest product) or ``"cosine"`` (largest cosine)

    Returns
    -------
    (m,) int64, of the kind that came in; ties go to the lowest index

    Raises
    ------
    InputError
        If shapes do not fit, something is not finite, or a row is zero under the cosine.

    Examples
    --------
    >>> nearest([[0.9, 0.1], [0.0, 0.0]], [[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    array([1, 0])
    """
    y, x = prepare(queries, gallery, metric)
    return like(_nearest(y, x, metric), queries, gallery)
