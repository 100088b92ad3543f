r"""Closers that others have published, written from their formulas: means taken off, lengths made 1 again.

Most end in dividing every row by its length. That last step is no affine map, and it brings back part of a gap: rows
whose mean is 0 need not have one after it. None keeps every answer but the projection onto the texts' span.
"""

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gapkit._arrays import off_mps
from gapkit.closing.base import SIDES, Closer, to_numpy
from gapkit.errors import InputError
from gapkit.geometry.shape import principal_directions


def _unit(rows: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
    """Rows of length 1; a row of zeros has no direction and stays."""
    lengths = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
    return rows / torch.where(lengths > 0, lengths, 1)


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
        raise InputError(
            f"{type(self).__name__} divides rows by their lengths, so it has no linear part; "
            "draw the noise instead: gapkit.robustness(..., transform=...)"
        )

    def move(self, z: Tensor, side: str) -> Tensor:
        """The map of ``side`` on a (…, d) tensor, computed in float64, in the dtype that came in; differentiable."""
        if self.moves not in ("both", side):
            return super().move(z, side)
        return _unit(super().move(_unit(off_mps(z).double()), side)).to(z.dtype).to(z.device)

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
    reference: ClassVar[str] = (
        "An et al. 2025, I0T: Embedding Standardization Method Towards Zero Modality Gap, ACL (arXiv 2412.14384), I0T_post"
    )

    def _fit_unit(self, x: Float[Tensor, "k d"], y: Float[Tensor, "m d"]) -> None:
        self._set_map("gallery", offset=-x.mean(0))
        self._set_map("queries", offset=-y.mean(0))


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
    reference: ClassVar[str] = (
        "Li et al. 2025, Closing the Modality Gap for Mixed Modality Search (arXiv 2507.19054), GR-CLIP"
    )

    def move(self, z: Tensor, side: str) -> Tensor:
        """The map of ``side`` on a (…, d) tensor, computed in float64, in the dtype that came in; differentiable."""
        return _unit(Closer.move(self, off_mps(z).double(), side)).to(z.dtype).to(z.device)

    def _fit(self, x: Float[Tensor, "k d"], y: Float[Tensor, "m d"]) -> None:
        self._set_map("gallery", offset=-x.mean(0))
        self._set_map("queries", offset=-y.mean(0))


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
    reference: ClassVar[str] = (
        "Yu et al. 2026, Modality Gap-Driven Subspace Alignment Training Paradigm For Multimodal Large Language Models "
        "(arXiv 2602.07026), ReAlign"
    )

    def _fit_unit(self, x: Float[Tensor, "k d"], y: Float[Tensor, "m d"]) -> None:
        spread_x, spread_y = ((z - z.mean(0)).square().sum(1).mean() for z in (x, y))
        if spread_x == 0:
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
        moved = _unit(first + torch.from_numpy(self.second_offset_).to(first.device))
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
    reference: ClassVar[str] = (
        "Humer et al. 2023, Amumo: explore and analyze CLIP models (github.com/ginihumer/Amumo); the shift: Liang et al. 2022"
    )

    def _fit_unit(self, x: Float[Tensor, "k d"], y: Float[Tensor, "m d"]) -> None:
        gap = y.mean(0) - x.mean(0)
        self.gap_ = to_numpy(gap)
        self._set_map("gallery", offset=gap / 2)
        self._set_map("queries", offset=-gap / 2)


class MeanDirectionRemoval(Closer):
    r"""On each side, the component along its own mean taken off.

    .. math:: z \leftarrow z - (z \cdot \hat\mu_z)\, \hat\mu_z, \qquad \hat\mu_z = \mu_z / \|\mu_z\|

    (Taking off the mean itself is `Centring`.)

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
            direction = _unit(z.mean(0))
            identity = torch.eye(len(direction), dtype=z.dtype, device=z.device)
            self._set_map(side, identity - torch.outer(direction, direction))


class SpanProjection(Closer):
    r"""Project every query onto the span of the gallery's rows: the class-text subspace.

    .. math:: y \leftarrow U U^\top y, \qquad U \text{ an orthonormal basis of } \operatorname{span}\{x_1, \dots, x_K\}

    Every dot product with the gallery stays as it is, so every answer stays under all three metrics. COLA projects
    so against adversarial images; `LinearProjection` goes one dimension further, onto the span of the *differences*.

    Attributes
    ----------
    components_ : (r, d) array, the rows of Uᵀ
    rank_ : int, dimension of the span
    guarantee : tuple of str, all metrics, whatever the lengths of the gallery's rows

    Examples
    --------
    >>> SpanProjection().fit([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.6, 0.5, 3.0]]).transform([[0.6, 0.5, 3.0]]).round(6)
    array([[0.6, 0.5, 0. ]])
    """

    moves = "queries"
    name: ClassVar[str] = "span projection"
    reference: ClassVar[str] = (
        "Zhu et al. 2025, Enhancing CLIP Robustness via Cross-Modality Alignment, NeurIPS (arXiv 2510.24038), COLA's projection"
    )

    def _fit(self, x: Float[Tensor, "k d"], y: Float[Tensor, "m d"]) -> None:
        # Directions of rows that come with their mirror images, whose mean is 0, span what the rows span.
        directions, _ = principal_directions(torch.cat([x, -x]))
        self.rank_, self.components_ = len(directions), to_numpy(directions)
        self.span_origin_ = np.zeros(x.shape[1])
        self._set_map("queries", directions.T @ directions)

    def _keeps(self) -> tuple[str, ...]:
        return ("euclidean", "dot", "cosine")

    def _answers_kept(self, metrics: tuple[str, ...]) -> tuple[str, ...]:
        return metrics  # the cosine too: the gallery's own lengths stay, and so does every product
