"""What can happen to stored embeddings: noise, coarser numbers, lost dimensions.

Each perturbation is a small frozen object with one method, ``apply(embeddings, generator=...)``, that returns a
perturbed copy. `gapkit.robustness` takes any of them, and anything else with that method.

Two facts about each decide how it may be sampled: ``deterministic`` (applying it twice gives the same) and
``per_row`` (each row is perturbed for itself, so that several galleries can be perturbed in one stack).
"""

import functools
import operator
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from gapkit._arrays import (
    ArrayLike,
    as_matrix,
    as_tensor,
    check_choice,
    check_finite,
    check_number,
    check_scale,
    like,
    one_line,
)
from gapkit.errors import InputError

_LEAST_SEED, _LARGEST_SEED = -(2**63), 2**64 - 1


def as_generator(generator) -> torch.Generator:
    """A torch generator from a generator, a seed, or None (seed 0: the same call gives the same numbers).

    Raises
    ------
    InputError
        If it is neither, or a seed beyond the 64 bits that torch takes.

    Examples
    --------
    >>> torch.randn(1, generator=as_generator(3)) == torch.randn(1, generator=as_generator(3))
    tensor([True])
    """
    if isinstance(generator, torch.Generator):
        return generator
    if generator is None:
        generator = 0
    if isinstance(generator, bool) or not hasattr(generator, "__index__"):
        raise InputError(
            f"generator must be a torch.Generator, a whole number or None; got {one_line(generator)}; "
            "pass a seed such as 0"
        )
    seed = operator.index(generator)
    if not _LEAST_SEED <= seed <= _LARGEST_SEED:
        raise InputError(
            f"generator must be a seed between -2**63 and 2**64 - 1; got one of {seed.bit_length()} bits; "
            "pass a smaller one, such as 0"
        )
    return torch.Generator().manual_seed(seed)


def draw_normal(shape: tuple[int, ...], like_tensor: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal float64 numbers, drawn where the generator lives and brought to ``like_tensor``."""
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64, device=generator.device)
    return drawn.to(like_tensor.device)


class Perturbation:
    """Base of the perturbations; a subclass gives ``_perturb`` on float64 rows."""

    deterministic: ClassVar[bool] = False
    per_row = True

    def apply(self, embeddings, *, generator=None) -> ArrayLike:
        """A perturbed copy.

        Parameters
        ----------
        embeddings : (n, d) array-like
        generator : torch.Generator, int seed or None (seed 0); deterministic perturbations ignore it

        Returns
        -------
        (n, d), of the kind and floating dtype that came in
        """
        kept = as_matrix(embeddings, "embeddings", dtype=None)
        return like(self._perturb(kept.double(), as_generator(generator)), embeddings, dtype=kept.dtype)

    def _perturb(self, rows: Float[Tensor, "n d"], generator: torch.Generator) -> Float[Tensor, "n d"]:
        raise NotImplementedError


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
            sigma = check_finite(as_tensor(self.sigma, "sigma"), "sigma")
            if sigma.ndim != 1 or len(sigma) == 0:
                raise InputError(
                    f"sigma must be one number ≥ 0 or a vector (d,) of them; got shape {tuple(sigma.shape)}; "
                    "pass a full covariance as covariance"
                )
            if (sigma < 0).any():
                raise InputError(
                    f"sigma must be one number ≥ 0 or a vector (d,) of them; got {float(sigma.min()):g} at "
                    f"{int(sigma.argmin())}; pass standard deviations, not logarithms"
                )
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

    def _check_dimension(self, own: int, d: int) -> None:
        if own != d:
            raise InputError(f"the noise is given for {own} dimensions, the embeddings have {d}")

    def _perturb(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        noise = draw_normal(tuple(rows.shape), rows, generator)
        if self.covariance is None:
            if not isinstance(self.sigma, float):
                self._check_dimension(len(self.sigma), rows.shape[1])
                return rows + noise * self.sigma.to(rows.device)
            return rows + noise * self.sigma
        self._check_dimension(len(self.covariance), rows.shape[1])
        return rows + noise @ self._root.T.to(rows.device)

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
        raise InputError(
            f"covariance must be positive semidefinite; its least eigenvalue is {least:.3g} "
            "(clip the eigenvalues at 0, or estimate it from more rows)"
        )
    return matrix


@dataclass(frozen=True)
class UniformQuantization(Perturbation):
    """Each number replaced by the middle of its bin, out of ``bins`` bins of one width.

    Parameters
    ----------
    bins : number of bins, at least 2
    range : ``"fixed"`` (from −limit to limit in every dimension; what lies outside goes to the last bin) or
        ``"fitted"`` (from the least to the largest value of each dimension of the gallery at hand). A fitted
        range follows a translation of the gallery, a fixed one does not.
    limit : half the fixed range; 1 holds every coordinate of a unit vector

    Examples
    --------
    >>> UniformQuantization(4).apply([[0.1, -0.9, 2.0]])
    array([[ 0.25, -0.75,  0.75]])
    """

    bins: int | float
    range: str = "fixed"
    limit: float | int = 1.0
    deterministic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if isinstance(self.bins, bool) or not hasattr(self.bins, "__index__") or self.bins < 2:
            raise InputError(f"bins must be a whole number of at least 2; got {self.bins!r}")
        check_choice(self.range, "range", ("fixed", "fitted"))
        check_number(self.limit, "limit", above=0.0)

    def _perturb(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        if self.range == "fixed":
            low = torch.full_like(rows[0], -self.limit)
            high = -low
        else:
            low, high = rows.min(0).values, rows.max(0).values
        width = (high - low) / self.bins
        code = ((rows - low) / torch.where(width > 0, width, 1)).floor().clamp(0, self.bins - 1)
        return torch.where(width > 0, low + (code + 0.5) * width, rows)


@dataclass(frozen=True)
class Int8Codes(Perturbation):
    """Numbers rounded to one of 255 signed steps, the largest magnitude being 127 of them.

    Parameters
    ----------
    scale : ``"row"`` (each row has a step of its own, as vector databases do) or ``"gallery"`` (one for all)

    Examples
    --------
    >>> Int8Codes().apply([[1.27, 0.004, -0.006]])
    array([[ 1.27,  0.  , -0.01]])
    """

    scale: str = "row"
    deterministic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_choice(self.scale, "scale", ("row", "gallery"))

    def _perturb(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        largest = rows.abs().amax(1, keepdim=True) if self.scale == "row" else rows.abs().max()
        step = largest / 127
        return torch.where(step > 0, (rows / torch.where(step > 0, step, 1)).round() * step, rows)


@dataclass(frozen=True)
class BinaryCodes(Perturbation):
    """One bit a number: its sign, times the row's mean magnitude (the best scale in least squares).

    Parameters
    ----------
    threshold : ``"zero"``, or ``"mean"``: signs about the mean of the gallery at hand, which is put back afterwards

    Examples
    --------
    >>> BinaryCodes().apply([[0.6, -0.2, 0.1]])
    array([[ 0.3, -0.3,  0.3]])
    """

    threshold: str = "zero"
    deterministic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_choice(self.threshold, "threshold", ("zero", "mean"))

    def _perturb(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        centre = rows.mean(0) if self.threshold == "mean" else torch.zeros_like(rows[0])
        rest = rows - centre
        return centre + torch.where(rest >= 0, 1.0, -1.0) * rest.abs().mean(1, keepdim=True)


@dataclass(frozen=True)
class DimensionDropout(Perturbation):
    """Each dimension set to 0 with probability ``rate``.

    Parameters
    ----------
    rate : in [0, 1)
    shared : whether all rows lose the same dimensions in one draw (a dead column), or each row its own

    Examples
    --------
    >>> DimensionDropout(0.5).apply([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]], generator=0)
    array([[1., 2., 0., 4.],
           [5., 6., 0., 8.]])
    """

    rate: float | int
    shared: bool = True

    def __post_init__(self) -> None:
        if check_number(self.rate, "rate", least=0.0) >= 1:
            raise InputError(f"rate must be below 1; got {self.rate:g}")

    @property
    def per_row(self) -> bool:
        """Whether rows are perturbed each for itself."""
        return not self.shared

    def _perturb(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        shape = (1 if self.shared else len(rows), rows.shape[1])
        drawn = torch.rand(shape, generator=generator, dtype=torch.float64, device=generator.device)
        return rows * (drawn >= self.rate).to(rows)
