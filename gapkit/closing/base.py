"""What all closers share: one affine map for each side, fitted once and applied to anything.

A closer is fitted on untouched embeddings and then moves clean and perturbed ones by the same map. So noise
ε that enters the gallery *before* the closer leaves it as Aε, with A the linear part of the gallery's map
(`Closer.linear_part`); for a translation A is the identity.
"""

import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from sklearn.base import BaseEstimator, TransformerMixin
from torch import Tensor

from gapkit._arrays import ArrayInput, ArrayLike, as_matrix, check_fits, check_same_width, like, off_mps
from gapkit._files import write_atomically
from gapkit._options import check_choice
from gapkit.errors import GapkitWarning, InputError
from gapkit.geometry.galleries import METRICS, blocks

SIDES = ("gallery", "queries")
NEW_ROW = 1e-3
"""Share of a gallery row outside the fitted span from which on it is said to be new: half precision leaves 1e-6."""
HASH = "gapkit_closer_sha256"
FORMAT = 1
"""Of the files that `Closer.save` writes: arrays as safetensors, hyperparameters and single numbers in the header."""


class Closer(TransformerMixin, BaseEstimator):
    """Base of the closers; a subclass gives ``_fit``, which sets the maps and whatever else it has learned.

    Attributes
    ----------
    name : str
        What tables, pictures and the command line call the method.
    moves : "gallery", "queries" or "both"
        The side that `transform` moves.
    affine : bool
        Whether both maps are z ↦ A z + b; else rows are divided by their lengths at the end.
    reference : str
        Where the method comes from.
    guarantee : tuple of str
        The metrics under which every query provably keeps its nearest neighbour, for the gallery it was
        fitted on and whatever the query. Empty: no such promise.
    gallery_linear_, queries_linear_ : (d, d) array, (d,) array (a diagonal) or None (identity)
    gallery_offset_, queries_offset_ : (d,) array or None
        The fitted maps z ↦ A z + b of either side.
    n_features_in_ : int
        The dimension d it was fitted in.
    """

    name: ClassVar[str] = ""
    moves = "gallery"
    affine: ClassVar[bool] = True
    reference: ClassVar[str] = ""

    def fit(self, X: ArrayInput, Y: ArrayInput | None = None) -> "Closer":
        """Learn the maps from an untouched gallery and untouched queries.

        Parameters
        ----------
        X : (K, d) array-like, the gallery
        Y : (m, d) array-like, the queries

        Returns
        -------
        self

        Raises
        ------
        InputError
            If the sets do not fit together or do not fit the hyperparameters.
        """
        x, y = self._matrices(X, Y)
        self._start(x)
        self._fit(x, y)
        return self

    def transform(self, Z: ArrayInput, *, perturbed: bool = False) -> ArrayLike:
        """Move one set of embeddings of the side that moves.

        Parameters
        ----------
        Z : (n, d) array-like, gallery rows or queries, whichever `moves` names
        perturbed : these are gallery rows that were fitted, but for noise; else rows outside the fitted span are new ones,
            which the guarantee does not cover, and a warning says so

        Returns
        -------
        (n, d), of the kind and floating dtype of ``Z``, which stays as it is

        Raises
        ------
        InputError
            If not fitted, of another dimension, or if the closer moves both sides.
        """
        if self.moves == "both":
            raise InputError(f"{type(self).__name__} moves both sides, not Z alone; use transform_pair(X, Y)")
        return self._apply(Z, self.moves, perturbed)

    def transform_pair(
        self, X: ArrayInput, Y: ArrayInput, *, perturbed: bool = False
    ) -> tuple[ArrayLike, ArrayLike]:
        """Both sides as they are after closing; a side that does not move comes back as a copy.

        Parameters
        ----------
        X : (K, d) array-like, gallery rows
        Y : (m, d) array-like, queries
        perturbed : as in `transform`

        Returns
        -------
        two matrices of the kinds and floating dtypes that came in
        """
        return self._apply(X, "gallery", perturbed), self._apply(Y, "queries")

    def outside_span(self, Z: ArrayInput) -> ArrayLike:
        r"""How much of each new gallery row lies outside the span that the closer was fitted on.

        .. math:: \frac{\|(I - V V^\top)(z - \mu_x)\|^2}{\|z - \mu_x\|^2} \qquad \text{(derived)}

        The guarantee is for the gallery that was fitted: a row with a share above 0 may win or lose queries by being
        moved. Fit again whenever the gallery changes.

        Parameters
        ----------
        Z : (n, d) array-like, gallery rows

        Returns
        -------
        (n,) float64 in [0, 1], of the kind that came in

        Raises
        ------
        InputError
            If the closer is not fitted, of another dimension, or keeps no span (a raw shift, centring, …).
        """
        self._check_fitted()
        if not hasattr(self, "components_") or not hasattr(self, "span_origin_"):
            name = type(self).__name__
            raise InputError(f"this {name} knows no span of its gallery; fit a closer that projects")
        rows = as_matrix(Z, "Z (gallery rows)")
        self._check_width(rows)
        return like(self._outside(rows), Z)

    def fit_transform(self, X: ArrayInput, Y: ArrayInput | None = None, **fit_options: Any) -> Any:
        """Fit, then return the side that moves, moved (for a closer of both sides: the pair)."""
        self.fit(X, Y, **fit_options)
        moving = X if self.moves == "gallery" else Y
        return self.transform_pair(X, Y) if self.moves == "both" else self.transform(moving)

    def linear_part(self, side: str = "gallery") -> np.ndarray | None:
        """The matrix A of one side's map z ↦ A z + b, (d, d) float64, or None for the identity.

        Noise with covariance Σ on raw embeddings of that side has covariance A Σ Aᵀ after the closer.
        """
        self._check_fitted()
        linear = getattr(self, f"{check_choice(side, 'side', SIDES)}_linear_")
        return np.diag(linear) if linear is not None and linear.ndim == 1 else linear

    @property
    def guarantee(self) -> tuple[str, ...]:
        """Metrics under which every answer is provably kept; see the class."""
        return self._answers_kept(self._keeps())

    def save(self, path: str | os.PathLike) -> Path:
        """Write the fitted closer to a safetensors file, whole or not at all; `load_closer` reads it back."""
        from safetensors.numpy import save_file

        self._check_fitted()
        if type(self).__module__.rpartition(".")[0] != __package__:
            raise InputError(f"only gapkit's own closers can be saved; got {type(self).__name__}")
        fitted = {name: value for name, value in vars(self).items() if name.endswith("_")}
        tensors = {name: np.ascontiguousarray(v) for name, v in fitted.items() if isinstance(v, np.ndarray)}
        facts = {
            "closer": type(self).__name__,
            "parameters": self.get_params(),
            "fitted": {name: v for name, v in fitted.items() if name not in tensors and v is not None},
            "arrays": {name: list(array.shape) for name, array in tensors.items()},
        }
        about = json.dumps(facts, default=lambda number: number.item(), sort_keys=True)
        header = {"gapkit_closer_format": str(FORMAT), "gapkit_closer": about, HASH: digest(about, tensors)}
        return write_atomically(path, lambda partial: save_file(tensors, partial, metadata=header))

    # What subclasses give.

    def _fit(self, x: Float[Tensor, "k d"], y: Float[Tensor, "m d"]) -> None:
        raise NotImplementedError

    def _keeps(self) -> tuple[str, ...]:
        """The subset of METRICS that is kept for a gallery whose rows all have one length."""
        return ()

    # What they use.

    def _matrices(self, X, Y) -> tuple[Tensor, Tensor]:
        if Y is None:
            raise InputError(f"{type(self).__name__}.fit needs the queries too: fit(X, Y), gallery first")
        x = as_matrix(X, "X (the gallery)", shape="(K, d)")
        y = as_matrix(Y, "Y (the queries)", shape="(m, d)").to(x.device)
        check_same_width(x, "X (the gallery)", y, "Y (the queries)")
        return x, y

    def _start(self, x: Tensor) -> None:
        self.n_features_in_ = x.shape[1]
        lengths = torch.linalg.vector_norm(x, dim=1)
        self.one_length_ = bool(lengths.max() - lengths.min() <= 1e-6 * lengths.max())
        for side in SIDES:
            self._set_map(side)

    def _set_map(self, side: str, linear: Tensor | None = None, offset: Tensor | None = None) -> None:
        for part, value in (("linear", linear), ("offset", offset)):
            setattr(self, f"{side}_{part}_", None if value is None else to_numpy(value))

    def _answers_kept(self, metrics: tuple[str, ...]) -> tuple[str, ...]:
        # A cosine divides by the candidate's length: equal lengths stay equal, unequal ones change their ratios.
        equal = getattr(self, "one_length_", True)
        return tuple(metric for metric in METRICS if metric in metrics and (metric != "cosine" or equal))

    def _check_width(self, rows: Tensor) -> None:
        if rows.shape[1] != (d := self.n_features_in_):
            name = type(self).__name__
            raise InputError(f"this {name} was fitted in {d} dimensions; got shape {tuple(rows.shape)}")

    def _outside(self, rows: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        basis = torch.from_numpy(self.components_).to(rows)
        centred = rows - torch.from_numpy(self.span_origin_).to(rows)
        rest = centred - (centred @ basis.T) @ basis  # (n, d)
        whole = centred.square().sum(1)
        return rest.square().sum(1) / torch.where(whole > 0, whole, 1)

    def _warn_of_new_rows(self, kept: Tensor) -> None:
        """Say so where gallery rows come that were not fitted."""
        if "euclidean" not in self.guarantee or not hasattr(self, "span_origin_"):
            return
        outside = self._outside(kept.double().to("cpu"))
        if many := int((outside > NEW_ROW).sum()):
            rows = f"{many} of {len(kept)} gallery rows lie outside the span it was fitted on, by up to"
            remedy = "fit again, or say perturbed=True if these are the fitted rows with noise on them"
            words = f"{rows} {float(outside.max()):.0%} of their length, so answers may change; {remedy}"
            warnings.warn(f"{type(self).__name__}: {words}", GapkitWarning, stacklevel=4)

    def _check_fitted(self) -> None:
        if not hasattr(self, "n_features_in_"):
            raise InputError(f"this {type(self).__name__} is not fitted yet: call fit(X, Y), gallery first")

    def _apply(self, Z, side: str, perturbed: bool = False) -> ArrayLike:
        self._check_fitted()
        kept = as_matrix(Z, "Z" if self.moves != "both" else side, dtype=None)
        self._check_width(kept)
        if side == "gallery" and not perturbed:
            self._warn_of_new_rows(kept)
        moved = torch.empty_like(kept)
        for block in blocks(len(kept), kept.shape[1] * 8 * 3):
            moved[block] = self.move(kept[block], side)
        return like(check_fits(moved), Z)

    def move(self, z: Tensor, side: str) -> Tensor:
        """The map of ``side`` on a (…, d) tensor, computed in float64, in the dtype that came in; differentiable."""
        linear, offset = getattr(self, f"{side}_linear_"), getattr(self, f"{side}_offset_")
        result = off_mps(z).double()
        if linear is not None:
            factor = torch.from_numpy(linear).to(result.device)
            result = result @ factor.T if factor.ndim == 2 else result * factor
        if offset is not None:
            result = result + torch.from_numpy(offset).to(result.device)
        return result.to(z.dtype).to(z.device)


def digest(about: str, tensors: dict[str, np.ndarray]) -> str:
    """The sha256 of all that a closer's file says."""
    whole = hashlib.sha256(about.encode())
    for name in sorted(tensors):
        whole.update(tensors[name].tobytes())
    return whole.hexdigest()


def to_numpy(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().double().numpy().copy()
