r"""Closers that others have proposed, written from their formulas: means taken off, rotations, lengths made 1 again.

Most published ones end in dividing every row by its length. That last step is no affine map, and it brings back part of a gap: rows
whose mean is 0 need not have one after it. None keeps every answer.
"""

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gapkit._arrays import off_mps
from gapkit.closing.base import SIDES, Closer, to_numpy
from gapkit.errors import InputError
from gapkit.geometry.shape import alike, only_rounding


def _unit(rows: Float[Tensor, "*n d"], before: Tensor | None = None) -> Float[Tensor, "*n d"]:
    """Rows of length 1; a row of zeros, or of what rounding left of those ``before``, has no direction and is 0."""
    if before is not None:
        rounding = 64 * torch.finfo(rows.dtype).eps * torch.linalg.vector_norm(before, dim=-1, keepdim=True)
        rows = torch.where(torch.linalg.vector_norm(rows, dim=-1, keepdim=True) > rounding, rows, 0.0)
    return torch.nn.functional.normalize(rows, dim=-1, eps=torch.finfo(rows.dtype).tiny)


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
    reference = "Li et al. 2025, Closing the Modality Gap (arXiv 2507.19054); arXiv 2511.11041 (2025), R1"

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
    reference = "the z-score of each side, dimension by dimension; we know of no paper that proposes it"

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
    reference = "Schönemann 1966, A generalized solution of the orthogonal Procrustes problem, Psychometrika"

    def _fit(self, x: Float[Tensor, "k d"], y: Float[Tensor, "m d"]) -> None:
        if len(x) != len(y):
            raise InputError(f"Procrustes needs matched pairs; got {len(x)} gallery rows, {len(y)} queries")
        products = (y - y.mean(0)).T @ (x - x.mean(0))
        if alike(x, x - x.mean(0)) or alike(y, y - y.mean(0)):
            products = torch.zeros_like(products)  # of rows that do not vary: rounding
        left, values, right = torch.linalg.svd(products)
        rank = int((values > values[0] * len(products) * torch.finfo(x.dtype).eps).sum())
        rotation = left[:, :rank] @ right[:rank]
        if rank < len(products):  # the rest: of all rotations that fit, the one nearest to the identity
            free_left, free_right = left[:, rank:], right[rank:]
            inner_left, _, inner_right = torch.linalg.svd(free_left.T @ free_right.T)
            rotation = rotation + free_left @ inner_left @ inner_right @ free_right
        self._set_map("gallery", rotation, y.mean(0) - rotation @ x.mean(0))


class _Renormalising(Closer):
    """An affine map of unit rows, made unit rows again: z ↦ norm(A norm(z) + b)."""

    moves = "both"
    affine: ClassVar[bool] = False

    def linear_part(self, side: str = "gallery") -> np.ndarray | None:
        """Raise: dividing by the length is not linear, so noise does not pass as a covariance.

        Raises
        ------
        InputError
            Always; draw the noise instead (``gapkit.robustness`` with ``transform``).
        """
        remedy = "draw the noise instead: gapkit.robustness(..., transform=...)"
        raise InputError(f"{type(self).__name__} divides by lengths and has no linear part; {remedy}")

    def move(self, z: Tensor, side: str) -> Tensor:
        """The map of ``side`` on a (…, d) tensor, computed in float64, in the dtype that came in; differentiable."""
        if self.moves not in ("both", side):
            return super().move(z, side)
        unit = _unit(off_mps(z).double())
        return _unit(super().move(unit, side), unit).to(z.dtype).to(z.device)

    def _fit(self, x: Float[Tensor, "k d"], y: Float[Tensor, "m d"]) -> None:
        self._fit_unit(_unit(x), _unit(y))

    def _fit_unit(self, x: Float[Tensor, "k d"], y: Float[Tensor, "m d"]) -> None:
        raise NotImplementedError


class I0T(_Renormalising):
    r"""Each side's mean taken off its unit rows, then unit rows again (I0T's post-hoc variant).

    .. math:: z \leftarrow \mathrm{norm}(\mathrm{norm}(z) - \mu_z)

    Means only: nothing is divided by a standard deviation, whatever the method's name suggests. (So we read a
    reimplementation; the paper's own code was not seen.)

    Attributes
    ----------
    guarantee : tuple of str, empty

    Examples
    --------
    >>> x, y = I0T().fit([[1.0, 0.0], [0.0, 1.0]], [[0.6, 0.8], [-0.6, 0.8]]).transform_pair([[1.0, 0.0]], [[0.6, 0.8]])
    >>> x.round(4).tolist(), y.round(4).tolist()
    ([[0.7071, -0.7071]], [[1.0, 0.0]])
    """

    name: ClassVar[str] = "I0T"
    reference = "An et al. 2025, I0T: Embedding Standardization Method, ACL (arXiv 2412.14384), I0T_post"

    _fit_unit = Centring._fit


class GRCLIP(_Renormalising):
    r"""Each side's mean taken off, then unit rows: made for search among images and texts at once.

    .. math:: z \leftarrow \mathrm{norm}(z - \mu_z)

    On rows of length 1 it is `I0T` in other words.

    Attributes
    ----------
    guarantee : tuple of str, empty

    Examples
    --------
    >>> x, y = GRCLIP().fit([[1.0, 0.0], [3.0, 0.0]], [[0.0, 1.0], [0.0, 5.0]]).transform_pair([[3.0, 0.0]], [[0.0, 1.0]])
    >>> x.tolist(), y.tolist()
    ([[1.0, 0.0]], [[0.0, -1.0]])
    """

    name: ClassVar[str] = "GR-CLIP"
    reference = "Li et al. 2025, Closing the Modality Gap for Mixed Modality Search (arXiv 2507.19054)"

    def move(self, z: Tensor, side: str) -> Tensor:
        """The map of ``side`` on a (…, d) tensor, computed in float64, in the dtype that came in; differentiable."""
        wide = off_mps(z).double()
        return _unit(Closer.move(self, wide, side), wide).to(z.dtype).to(z.device)

    _fit = Centring._fit


class ReAlign(_Renormalising):
    r"""The gallery gets the queries' mean and spread, twice made unit rows; the queries stay.

    .. math:: e' = \mathrm{norm}\bigl(\mu_y + s\,(e - \mu_x)\bigr), \quad
        s = \sqrt{\operatorname{tr} \Sigma_y / \operatorname{tr} \Sigma_x}, \qquad
        e'' = \mathrm{norm}\bigl(e' - \overline{e'} + \mu_y\bigr)

    with means and covariances of unit rows. Their gallery are texts, which then stand in for images.

    Attributes
    ----------
    scale_ : float, s
    second_offset_ : (d,) array, :math:`\mu_y - \overline{e'}`
    guarantee : tuple of str, empty

    Examples
    --------
    >>> closer = ReAlign().fit([[1.0, 0.0], [0.8, 0.6]], [[0.0, 1.0], [0.6, 0.8]])
    >>> closer.transform([[1.0, 0.0]]).round(3)
    array([[0.516, 0.857]])
    """

    moves = "gallery"
    name: ClassVar[str] = "ReAlign"
    reference = "Yu et al. 2026, Modality Gap-Driven Subspace Alignment (arXiv 2602.07026), ReAlign"

    def _fit_unit(self, x: Float[Tensor, "k d"], y: Float[Tensor, "m d"]) -> None:
        spread_x, spread_y = ((z - z.mean(0)).square().sum(1).mean() for z in (x, y))
        if alike(x, x - x.mean(0)):
            raise InputError("ReAlign needs a gallery that varies; all its rows have one direction")
        scale = (spread_y / spread_x).sqrt()
        self.scale_ = float(scale)
        self._set_map("gallery", scale.expand(x.shape[1]), y.mean(0) - scale * x.mean(0))
        self.second_offset_ = to_numpy(y.mean(0) - super().move(x, "gallery").mean(0))

    def move(self, z: Tensor, side: str) -> Tensor:
        """The map of ``side`` on a (…, d) tensor, computed in float64, in the dtype that came in; differentiable."""
        if side != "gallery":
            return super().move(z, side)
        first = super().move(off_mps(z).double(), side)
        moved = _unit(first + torch.from_numpy(self.second_offset_).to(first.device), first)
        return moved.to(z.dtype).to(z.device)


class RenormalisedShift(_Renormalising):
    r"""Both sides meet half-way, then unit rows again: Amumo's view "without the gap".

    .. math:: x_i \leftarrow \mathrm{norm}(x_i + g/2), \qquad y_j \leftarrow \mathrm{norm}(y_j - g/2)

    with :math:`g = \mu_y - \mu_x` of unit rows. Its authors note that making the rows unit rows brings some gap back.

    Attributes
    ----------
    gap_ : (d,) array, g
    guarantee : tuple of str, empty

    Examples
    --------
    >>> x, y = RenormalisedShift().fit([[1.0, 0.0]], [[0.0, 1.0]]).transform_pair([[1.0, 0.0]], [[0.0, 1.0]])
    >>> x.round(4).tolist(), y.round(4).tolist()
    ([[0.7071, 0.7071]], [[0.7071, 0.7071]])
    """

    name: ClassVar[str] = "renormalised shift"
    reference = "Humer et al. 2023, Amumo (github.com/ginihumer/Amumo); the shift: Liang et al. 2022"

    def _fit_unit(self, x: Float[Tensor, "k d"], y: Float[Tensor, "m d"]) -> None:
        gap = y.mean(0) - x.mean(0)
        self.gap_ = to_numpy(gap)
        self._set_map("gallery", offset=gap / 2)
        self._set_map("queries", offset=-gap / 2)


class MeanDirectionRemoval(Closer):
    r"""On each side, the component along its own mean taken off.

    .. math:: z \leftarrow z - (z \cdot \hat\mu_z)\, \hat\mu_z, \qquad \hat\mu_z = \mu_z / \|\mu_z\|

    (Taking off the mean itself is `Centring`.) A side whose mean is 0 but for rounding stays as it is.

    Attributes
    ----------
    guarantee : tuple of str, empty

    Examples
    --------
    >>> x, y = MeanDirectionRemoval().fit([[2.0, 1.0], [2.0, -1.0]], [[0.0, 3.0]]).transform_pair([[2.0, 1.0]], [[1.0, 4.0]])
    >>> x.tolist(), y.tolist()
    ([[0.0, 1.0]], [[1.0, 0.0]])
    """

    moves = "both"
    name: ClassVar[str] = "mean-direction removal"
    reference: ClassVar[str] = "arXiv 2511.11041 (2025), removal of the mean direction, variant R2"

    def _fit(self, x: Float[Tensor, "k d"], y: Float[Tensor, "m d"]) -> None:
        for side, z in zip(SIDES, (x, y), strict=True):
            direction = _unit(torch.zeros_like(z[0]) if only_rounding(z.mean(0), z) else z.mean(0))
            identity = torch.eye(len(direction), dtype=z.dtype, device=z.device)
            self._set_map(side, identity - torch.outer(direction, direction))
