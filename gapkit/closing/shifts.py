"""Closers that translate: the paper's projected shift, the raw shift, and the half-way shift of both sides."""

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from gapkit._arrays import ArrayInput, as_matrix, as_vector, check_same_width
from gapkit._options import Number, check_choice, check_number
from gapkit.closing.base import Closer, to_numpy
from gapkit.errors import GapkitWarning, InputError
from gapkit.geometry.galleries import METRICS
from gapkit.geometry.shape import FEW_ROUNDINGS, principal_directions

LIANG = "Liang et al. 2022, Mind the Gap, NeurIPS (arXiv 2203.02053)"
CHOWERS = "Chowers et al. 2026, Is the Modality Gap a Bug or a Feature?, CVPR (arXiv 2603.29080), Eq. 11"


class _Shift(Closer):
    """A translation by ``shift_``: of the gallery by α, of the queries by −α, or of both by half of it."""

    def fit(self, X: ArrayInput, Y: ArrayInput | None = None, *, gap: ArrayInput | None = None) -> "Closer":
        """Learn the shift from an untouched gallery and untouched queries.

        Parameters
        ----------
        X : (K, d) array-like, the gallery
        Y : (m, d) array-like, the queries; may be left out when ``gap`` is given
        gap : (d,) array-like, optional
            Use this gap vector instead of mean(Y) − mean(X): for multiple-choice questions the gap comes from
            the whole set, while the gallery is one question's options.

        Returns
        -------
        self

        Raises
        ------
        InputError
            If the sets do not fit together or do not fit the hyperparameters.
        """
        if gap is None:
            x, y = self._matrices(X, Y)
            g = y.mean(0) - x.mean(0)
        else:
            x = as_matrix(X, "X (the gallery)", shape="(K, d)")
            if Y is not None:
                self._matrices(X, Y)
            g = as_vector(gap, "gap").to(x.device)
            check_same_width(x, "X (the gallery)", g, "gap")
        self._start(x)
        self._fit_gap(x, g)
        return self

    def _fit_gap(self, x: Float[Tensor, "k d"], g: Float[Tensor, " d"]) -> None:
        check_choice(self.moves, "moves", ("gallery", "queries", "both"))
        alpha = check_number(self.alpha, "alpha")
        shift = self._shift(x, g)
        # What is left of a gap inside the gallery's span, or between equal means, is rounding.
        if torch.linalg.vector_norm(shift) <= FEW_ROUNDINGS * (torch.linalg.vector_norm(g) + x.abs().max()):
            shift = torch.zeros_like(g)
            warnings.warn(self._nothing_to_move(x), GapkitWarning, stacklevel=4)
        self.gap_, self.shift_ = to_numpy(g), to_numpy(shift)
        half = alpha / 2 if self.moves == "both" else alpha
        if self.moves != "queries":
            self._set_map("gallery", offset=half * shift)
        if self.moves != "gallery":
            self._set_map("queries", offset=-half * shift)

    def _shift(self, x: Float[Tensor, "k d"], g: Float[Tensor, " d"]) -> Float[Tensor, " d"]:
        return g

    def _keeps(self) -> tuple[str, ...]:
        return ("dot",) if self.moves == "gallery" else ()

    def _nothing_to_move(self, x: Tensor) -> str:
        return f"{type(self).__name__}: the two means coincide, there is no gap to close; nothing is moved"


class ProjectedShift(_Shift):
    r"""The paper's projected shift: move one modality by the part of the gap orthogonal to the gallery.

    .. math:: x_i \leftarrow x_i + \alpha g', \qquad g' = g - V V^\top g

    with V the principal components of the gallery (Eq. 11 of Chowers et al. 2026). With all of them, g' is
    orthogonal to every difference of two candidates, and every query keeps its nearest neighbour for *every* α
    (their Theorem 3.5). Nothing is renormalised afterwards. `GapCloser` is the short name of the same class.

    Parameters
    ----------
    alpha : float
        0 leaves all as it is, 1 closes the gap as far as V allows. (The paper's Fig. 8 counts the other way.)
    n_components : None, int or float
        How many components V holds: all (None; K − 1 for K classes), that many, or as many as explain this share of
        the gallery's variance. Fewer move farther and promise nothing; 0 is the raw shift.
    moves : "gallery", "queries" or "both"
        Which side is moved. Euclidean distances come out the same, dot products and cosines do not.

    Attributes
    ----------
    gap_ : (d,) array, g
    shift_ : (d,) array, g'
    components_ : (k, d) array, the rows of Vᵀ
    n_components_ : int, k
    rank_ : int, the dimension of the affine span of the gallery
    guarantee : tuple of str
        With V of full rank, all metrics (the cosine if the gallery's rows have one length); with fewer
        components, the dot product only, and only while the gallery moves.

    Examples
    --------
    >>> import numpy as np
    >>> texts = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> images = np.array([[0.9, 0.1, 1.0], [0.2, 0.8, 1.0]])
    >>> ProjectedShift().fit(texts, images).transform(texts).round(6)
    array([[1., 0., 1.],
           [0., 1., 1.]])
    """

    name: ClassVar[str] = "projected shift"
    reference: ClassVar[str] = CHOWERS

    def __init__(
        self, alpha: Number = 1.0, n_components: Number | None = None, moves: str = "gallery"
    ) -> None:
        self.alpha = alpha
        self.n_components = n_components
        self.moves = moves

    def _shift(self, x: Float[Tensor, "k d"], g: Float[Tensor, " d"]) -> Float[Tensor, " d"]:
        directions = keep_span(self, x)
        if len(directions) == x.shape[1]:  # what the projection leaves would be rounding
            return torch.zeros_like(g)
        shift = g - directions.T @ (directions @ g)
        return shift - directions.T @ (directions @ shift)  # once more: orthogonal to rounding

    def _keeps(self) -> tuple[str, ...]:
        return METRICS if keeps_full_span(self) else super()._keeps()

    def _nothing_to_move(self, x: Tensor) -> str:
        span = f"the gallery's {self.n_components_} components ({len(x)} rows in {x.shape[1]} dimensions)"
        return f"ProjectedShift: the gap lies inside the span of {span}: g' = 0, nothing is moved"


GapCloser = ProjectedShift
"""The short name of `ProjectedShift`, the closer of the paper."""


class MeanShift(_Shift):
    r"""The raw shift, :math:`x_i \leftarrow x_i + \alpha g`: it makes the means meet but may change answers.

    Liang et al. (2022) moved embeddings along the gap and found accuracy to change either way.

    Parameters
    ----------
    alpha : float, 0 untouched, 1 means coincide
    moves : "gallery", "queries" or "both"

    Attributes
    ----------
    gap_, shift_ : (d,) arrays, both g
    guarantee : tuple of str
        Nothing, but for the dot product while the gallery moves: every score then changes by the same α g·y.

    Examples
    --------
    >>> moved = MeanShift().fit([[0.0, 0.0]], [[3.0, 4.0]]).transform([[1.0, 1.0]])
    >>> moved.tolist()
    [[4.0, 5.0]]
    """

    name: ClassVar[str] = "raw shift"
    reference: ClassVar[str] = LIANG

    def __init__(self, alpha: Number = 1.0, moves: str = "gallery") -> None:
        self.alpha = alpha
        self.moves = moves


class HalfwayShift(_Shift):
    r"""Both modalities meet half-way: :math:`x_i \leftarrow x_i + \tfrac{\alpha}{2} g`, :math:`y_j \leftarrow y_j - \tfrac{\alpha}{2} g`.

    Parameters
    ----------
    alpha : float, 0 untouched, 1 means coincide

    Attributes
    ----------
    gap_, shift_ : (d,) arrays, both g
    guarantee : tuple of str, empty

    Examples
    --------
    >>> x, y = HalfwayShift().fit([[0.0, 0.0]], [[4.0, 0.0]]).transform_pair([[0.0, 0.0]], [[4.0, 0.0]])
    >>> x.tolist(), y.tolist()
    ([[2.0, 0.0]], [[2.0, 0.0]])
    """

    name: ClassVar[str] = "halfway shift"
    moves = "both"
    reference: ClassVar[str] = LIANG

    def __init__(self, alpha: Number = 1.0) -> None:
        self.alpha = alpha


def keep_span(closer: Any, x: Float[Tensor, "k d"]) -> Float[Tensor, "r d"]:
    """The gallery's leading components, as many as the closer's ``n_components`` says, kept in the closer as well."""
    directions, values = principal_directions(x)
    kept = directions[: count_components(closer.n_components, values, len(x), x.shape[1])]
    closer.rank_, closer.n_components_, closer.components_ = len(values), len(kept), to_numpy(kept)
    closer.span_origin_ = to_numpy(x.mean(0))
    return kept


def keeps_full_span(closer: Any) -> bool:
    """Whether all components of the gallery are kept, or will be."""
    return closer.n_components is None or vars(closer).get("n_components_", -1) == vars(closer).get("rank_")


def count_components(wanted, values: Float[Tensor, " r"], rows: int, dimension: int) -> int:
    """How many of the ``len(values)`` principal components ``n_components=wanted`` stands for."""
    rank = len(values)
    if wanted is None:
        return rank
    if isinstance(wanted, Integral) and not isinstance(wanted, bool):
        if wanted < 0:
            raise InputError(f"n_components must be at least 0; got {wanted}")
        if wanted > rank:
            span = f"{rows} gallery rows in {dimension} dimensions span only {rank} directions"
            raise InputError(f"n_components={wanted}, but the {span} (None takes all there are)")
        return int(wanted)
    if isinstance(wanted, Real) and not isinstance(wanted, bool) and 0 < wanted <= 1:
        if wanted == 1 or rank == 0:
            return rank
        explained = values.square().cumsum(0) / values.square().sum()
        return min(int((explained < float(wanted) - 1e-12).sum()) + 1, rank)
    kinds = "None (all), a whole number, or a share of variance in (0, 1]"
    raise InputError(f"n_components must be {kinds}; got {wanted!r}")
