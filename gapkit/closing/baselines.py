"""What else was proposed: centring both sides, standardising both, rotating one onto the other. None keeps answers."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from gapkit.closing.base import Closer
from gapkit.errors import InputError


class Centring(Closer):
    r"""Take each side's mean off: :math:`x_i \leftarrow x_i - \mu_x`, :math:`y_j \leftarrow y_j - \mu_y`.

    GR-CLIP's and mean removal's first step, without the lengths made 1 again. In Euclidean distance it is the raw shift
    in other words.

    Attributes
    ----------
    guarantee : tuple of str, empty

    Examples
    --------
    >>> x, y = Centring().fit([[0.0], [2.0]], [[5.0], [7.0]]).transform_pair([[0.0], [2.0]], [[5.0], [7.0]])
    >>> x.tolist(), y.tolist()
    ([[-1.0], [1.0]], [[-1.0], [1.0]])
    """

    name: ClassVar[str] = "centring"
    moves = "both"
    reference: ClassVar[str] = (
        "Li et al. 2025, Closing the Modality Gap for Mixed Modality Search (arXiv 2507.19054); arXiv 2511.11041 (2025), R1"
    )

    def _fit(self, x: Float[Tensor, "k d"], y: Float[Tensor, "m d"]) -> None:
        self._set_map("gallery", offset=-x.mean(0))
        self._set_map("queries", offset=-y.mean(0))


class Standardisation(Closer):
    r"""Each side, each dimension to mean 0 and variance 1: :math:`z \leftarrow (z - \mu_z) / s_z`.

    It rescales: noise added *after* it is small beside the new spread, which proves nothing. Let noise enter
    the raw gallery and pass through `linear_part`.

    Attributes
    ----------
    guarantee : tuple of str, empty

    Examples
    --------
    >>> x, y = Standardisation().fit([[0.0], [4.0]], [[5.0], [6.0]]).transform_pair([[4.0]], [[6.0]])
    >>> x.tolist(), y.tolist()
    ([[1.0]], [[1.0]])
    """

    name: ClassVar[str] = "standardisation"
    moves = "both"
    reference: ClassVar[str] = (
        "the z-score of each side, dimension by dimension; no paper on the gap that we know of proposes it"
    )

    def _fit(self, x: Float[Tensor, "k d"], y: Float[Tensor, "m d"]) -> None:
        for side, z in (("gallery", x), ("queries", y)):
            mean, scale = z.mean(0), z.std(0, correction=0)
            # A dimension that does not vary cannot be scaled to vary; what is left of it is rounding.
            constant = scale <= 8 * torch.finfo(z.dtype).eps * z.abs().amax(0)
            factor = 1 / torch.where(constant, torch.ones_like(scale), scale)
            self._set_map(side, factor, -mean * factor)


class Procrustes(Closer):
    r"""Rotate the centred gallery onto the centred queries: :math:`x_i \leftarrow R (x_i - \mu_x) + \mu_y`.

    .. math:: R = \arg\min_{R^\top R = I} \sum_i \|R (x_i - \mu_x) - (y_i - \mu_y)\|^2

    ``fit`` needs matched pairs. Directions that the pairs say nothing about are turned as little as possible.

    Attributes
    ----------
    guarantee : tuple of str, empty

    Examples
    --------
    >>> x = [[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]]
    >>> y = [[5.0, 5.0], [5.0, 6.0], [3.0, 5.0]]
    >>> Procrustes().fit(x, y).transform(x).round(6) + 0.0
    array([[5., 5.],
           [5., 6.],
           [3., 5.]])
    """

    name: ClassVar[str] = "Procrustes"
    moves = "gallery"
    reference: ClassVar[str] = (
        "Schönemann 1966, A generalized solution of the orthogonal Procrustes problem, Psychometrika 31"
    )

    def _fit(self, x: Float[Tensor, "k d"], y: Float[Tensor, "m d"]) -> None:
        if len(x) != len(y):
            raise InputError(
                f"Procrustes needs matched pairs to fit on; got {len(x)} gallery rows and {len(y)} queries "
                "(give it each image with the text of its class)"
            )
        products = (y - y.mean(0)).T @ (x - x.mean(0))
        left, values, right = torch.linalg.svd(products)
        rank = int((values > values[0] * len(products) * torch.finfo(x.dtype).eps).sum())
        rotation = left[:, :rank] @ right[:rank]
        if rank < len(products):  # the rest: of all rotations that fit, the one nearest to the identity
            free_left, free_right = left[:, rank:], right[rank:]
            inner_left, _, inner_right = torch.linalg.svd(free_left.T @ free_right.T)
            rotation = rotation + free_left @ inner_left @ inner_right @ free_right
        self._set_map("gallery", rotation, y.mean(0) - rotation @ x.mean(0))
