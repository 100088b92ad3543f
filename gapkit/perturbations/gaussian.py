"""Gaussian noise on stored embeddings: alike in all directions, or with any covariance."""

import functools
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gapkit._arrays import as_matrix, as_tensor, check_finite, check_scale
from gapkit._options import check_number
from gapkit.errors import InputError
from gapkit.perturbations.base import Perturbation, draw_normal


@dataclass(frozen=True, eq=False)
class GaussianNoise(Perturbation):
    r"""Independent noise :math:`\varepsilon_k \sim N(0, \Sigma)` on every row.

    Parameters
    ----------
    sigma : float or (d,) array-like
        Standard deviation *per coordinate*: one for all (:math:`\Sigma = \sigma^2 I`, noise of length about
        :math:`\sigma\sqrt d`), or one for each.
    covariance : (d, d) array-like
        The full covariance instead of ``sigma``; symmetric, eigenvalues ≥ 0 (0 is allowed: noise in a subspace).

    Examples
    --------
    >>> GaussianNoise(0.1).apply([[0.0, 0.0]], generator=0)
    array([[ 0.154..., -0.029...]])
    """

    sigma: object = None
    covariance: object = None

    def __post_init__(self) -> None:
        if (self.sigma is None) == (self.covariance is None):
            raise InputError("GaussianNoise takes either sigma or covariance")
        if self.covariance is not None:
            object.__setattr__(self, "covariance", _check_covariance(self.covariance))
        elif _is_vector(self.sigma):
            sigma = as_tensor(self.sigma, "sigma")
            expected = "sigma must be one number ≥ 0 or a vector (d,) of them"
            if sigma.ndim != 1 or len(sigma) == 0:
                shape = tuple(sigma.shape)
                raise InputError(f"{expected}; got shape {shape}; pass a full covariance as covariance")
            if (sigma < 0).any():
                got = f"{float(sigma.min()):g} at {int(sigma.argmin())}"
                raise InputError(f"{expected}; got {got}; pass standard deviations, not logarithms")
            object.__setattr__(self, "sigma", check_scale(sigma, "sigma"))
        else:
            sigma = check_number(self.sigma, "sigma", least=0.0)
            check_scale(torch.tensor(sigma, dtype=torch.float64), "sigma")
            object.__setattr__(self, "sigma", sigma)

    @property
    def isotropic(self) -> float | None:
        """σ if one number was given: noise alike in all directions; else None."""
        return self.sigma if isinstance(self.sigma, float) else None

    def covariance_matrix(self, d: int) -> Float[Tensor, "{d} {d}"]:
        """Σ in d dimensions; raises if it was given for another number of them."""
        if self.covariance is not None:
            self._check_dimension(len(self.covariance), d)
            return self.covariance
        if isinstance(self.sigma, float):
            return self.sigma**2 * torch.eye(d, dtype=torch.float64)
        self._check_dimension(len(self.sigma), d)
        return self.sigma.square().diag()

    def _check_dimension(self, given: int, d: int) -> None:
        if given != d:
            raise InputError(f"the noise is given for {given} dimensions, the embeddings have {d}")

    def _perturb(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        drawn = draw_normal(tuple(rows.shape), rows, generator)
        return rows + self._times(drawn, None if self.covariance is None else self._root.T)

    def times_root(self, rows: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        r"""Rows times a root L of Σ, :math:`L L^\top = \Sigma`: their products have the covariances of the rows' with ε."""
        return self._times(rows, None if self.covariance is None else self._root)

    def _times(self, rows: Float[Tensor, "n d"], root: Float[Tensor, "r r"] | None) -> Float[Tensor, "n d"]:
        if isinstance(self.sigma, float):
            return rows * self.sigma
        self._check_dimension(len(self.sigma if root is None else root), rows.shape[1])
        return rows * self.sigma.to(rows.device) if root is None else rows @ root.to(rows.device)

    @functools.cached_property
    def _root(self) -> Tensor:
        """`covariance_root`, found once for all draws."""
        return covariance_root(self.covariance)


def covariance_root(covariance: Float[Tensor, "d d"]) -> Float[Tensor, "d d"]:
    r"""A matrix L with :math:`L L^\top = \Sigma`, for any positive semidefinite Σ, whatever its rank.

    .. math:: L = V \operatorname{diag}(\sqrt{\lambda_1}, \dots, \sqrt{\lambda_d}), \qquad \Sigma = V \operatorname{diag}(\lambda) V^\top

    Eigenvalues of at most d ε times the largest (ε = 2.2e-16) are what rounding leaves of zeros, and are set to zero:
    their roots, about 1e-8, would be noise in directions that have none. A diagonal Σ has no such rounding, and
    keeps its variances however small they are.

    Parameters
    ----------
    covariance : (d, d) float64, symmetric

    Returns
    -------
    (d, d) float64

    Examples
    --------
    >>> line = torch.tensor([[1.0, 2.0], [2.0, 4.0]]).double()
    >>> (torch.tensor([2.0, -1.0]).double() @ covariance_root(line)).abs().max() < 1e-15   # across the line: nothing
    tensor(True)
    """
    values, vectors = torch.linalg.eigh(covariance)
    if not torch.equal(covariance, covariance.diagonal().diag()):
        noise_floor = len(values) * torch.finfo(values.dtype).eps * values[-1]
        values = torch.where(values > noise_floor, values, 0.0)
    return vectors * values.clamp_min(0).sqrt()


def _is_vector(value) -> bool:
    # Arrays of no dimension have a __len__, too, which raises.
    return not isinstance(value, str) and getattr(value, "ndim", int(hasattr(value, "__len__"))) > 0


def _check_covariance(value) -> Float[Tensor, "d d"]:
    matrix = as_matrix(value, "covariance", shape="(d, d)", finite=False)
    check_scale(check_finite(matrix, "covariance").abs().sqrt(), "the square root of covariance")
    if matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"covariance must have shape (d, d); got {tuple(matrix.shape)}")
    scale = float(matrix.abs().max())
    if float((matrix - matrix.T).abs().max()) > 1e-9 * scale:
        raise InputError("covariance must be symmetric")
    matrix = (matrix + matrix.T) / 2
    least = float(torch.linalg.eigvalsh(matrix)[0])
    if least < -1e-10 * scale:
        raise InputError(f"covariance must be positive semidefinite; got eigenvalue {least:.3g}; clip at 0")
    return matrix
