r"""Closers that project each query: the best margin-preserving translations.

Consider translations of a query, y + v, that leave every difference of squared distances (or of scores) to two
candidates as it was: v orthogonal to all x_i − x_j. With P the projection onto the affine span of the
gallery,

.. math:: \|x_k - (y + v)\|^2 = \|x_k - P y\|^2 + \|(I - V V^\top)(y - \mu_x) + v\|^2,

so these translations differ by one offset common to all candidates. Robustness to noise on the gallery
falls with that offset under Euclidean distance, hence y + v = P y is the best of them. Under the dot product the noise
in a score is y·ε, so the best is the shortest y + v, the projection onto the span of the *differences*.
The paper's projected shift is the part of P that all queries share.
"""

import warnings
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gapkit._options import Number, check_number
from gapkit.closing.base import Closer, to_numpy
from gapkit.closing.shifts import keep_span, keeps_full_span
from gapkit.errors import GapkitWarning
from gapkit.geometry.galleries import METRICS
from gapkit.geometry.shape import principal_directions

DERIVED = "derived in this project (notebook 04); extends Chowers et al. 2026, arXiv 2603.29080, Theorem 3.5"


class _Projection(Closer):
    """Queries move by α towards their projection; ``components_`` span the differences of gallery rows."""

    moves = "queries"
    reference: ClassVar[str] = DERIVED
    through_mean: ClassVar[bool]
    """Whether the projection is onto the span as it lies, through the gallery's mean, or through the origin."""

    def __init__(self, alpha: Number = 1.0, n_components: Number | None = None):
        self.alpha = alpha
        self.n_components = n_components

    def _fit(self, x: Float[Tensor, "k d"], y: Float[Tensor, "m d"]) -> None:
        alpha = check_number(self.alpha, "alpha")
        directions = keep_span(self, x)
        if len(directions) == x.shape[1]:
            full = f"the gallery's {len(x)} rows span all {x.shape[1]} dimensions, so nothing is moved"
            return warnings.warn(f"{type(self).__name__}: {full}", GapkitWarning, stacklevel=3)
        outside = torch.eye(x.shape[1], dtype=x.dtype, device=x.device) - directions.T @ directions
        linear = torch.eye(x.shape[1], dtype=x.dtype, device=x.device) - alpha * outside
        self._set_map("queries", linear, alpha * outside @ x.mean(0) if self.through_mean else None)

    def _keeps(self) -> tuple[str, ...]:
        return METRICS if keeps_full_span(self) else ()


class AffineProjection(_Projection):
    r"""Project every query onto the affine span of the gallery: the best of its class for Euclidean neighbours.

    .. math:: y \leftarrow y - \alpha (I - V V^\top)(y - \mu_x)

    Parameters
    ----------
    alpha : float, 0 untouched, 1 projected
    n_components : None, int or float, as in `ProjectedShift`; the optimality and the guarantee need all (None)

    Attributes
    ----------
    components_ : (k, d) array, the rows of Vᵀ
    n_components_, rank_ : int
    guarantee : tuple of str
        With all components: all metrics (the cosine if the gallery's rows have one length).

    Examples
    --------
    >>> texts, images = [[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]], [[0.9, 0.1, 3.0], [0.6, 0.6, 2.0]]
    >>> AffineProjection().fit(texts, images).transform(images).round(6)
    array([[0.9, 0.1, 0.5],
           [0.5, 0.5, 0.5]])
    """

    name: ClassVar[str] = "affine projection"
    through_mean: ClassVar[bool] = True


class LinearProjection(_Projection):
    r"""Project every query onto the span of the gallery's differences: the best of its class for dot products.

    .. math:: y \leftarrow y - \alpha (I - V V^\top)\, y

    For Euclidean neighbours it can do harm: it brings all queries near the origin, not near the gallery. COLA (Zhu et al.
    2025) projected onto the span of the rows themselves before, against adversarial images: `SpanProjection`.

    Parameters and attributes are those of `AffineProjection`.

    Examples
    --------
    >>> texts, images = [[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]], [[0.9, 0.1, 3.0]]
    >>> LinearProjection().fit(texts, images).transform(images).round(6)
    array([[ 0.4, -0.4,  0. ]])
    """

    name: ClassVar[str] = "linear projection"
    through_mean: ClassVar[bool] = False


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
    reference = "Zhu et al. 2025, Cross-Modality Alignment (COLA), NeurIPS (arXiv 2510.24038), its projection"

    def _fit(self, x: Float[Tensor, "k d"], y: Float[Tensor, "m d"]) -> None:
        # Directions of rows that come with their mirror images, whose mean is 0, span what the rows span.
        directions, _ = principal_directions(torch.cat([x, -x]))
        self.rank_, self.components_ = len(directions), to_numpy(directions)
        self.span_origin_ = np.zeros(x.shape[1])
        self._set_map("queries", directions.T @ directions)

    def _keeps(self) -> tuple[str, ...]:
        return METRICS

    def _answers_kept(self, metrics: tuple[str, ...]) -> tuple[str, ...]:
        return metrics  # the cosine too: the gallery's own lengths stay, and so does every product
