"""What stores and indexes do to embeddings: coarser numbers, rows that were not made anew."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gapkit._arrays import LARGEST, as_matrix
from gapkit._options import check_choice, check_number, check_whole
from gapkit.errors import InputError
from gapkit.perturbations.base import Perturbation, draw_normal, widest


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
        object.__setattr__(self, "bins", check_whole(self.bins, "bins", least=2))
        check_choice(self.range, "range", ("fixed", "fitted"))
        object.__setattr__(self, "limit", check_number(self.limit, "limit", above=0.0, most=LARGEST))

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
class RandomAxes(Perturbation):
    r"""Another perturbation in axes that are drawn at random, one rotation Q for all rows: :math:`x \mapsto Q\, p(Q^\top x)`.

    Codes depend on the axes that embeddings happen to be written in; distances do not. Rotations show which of a code's
    effects are an accident of the axes.

    Parameters
    ----------
    perturbation : with ``apply(embeddings, generator=...)``, such as a code

    Examples
    --------
    >>> RandomAxes(UniformQuantization(512)).apply([[0.6, 0.8]], generator=0).round(2)
    array([[0.6, 0.8]])
    """

    perturbation: object
    per_row: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not callable(getattr(self.perturbation, "apply", None)):
            raise InputError(f"RandomAxes takes a perturbation with apply(...); got {self.perturbation!r}")

    def _perturb(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        d = rows.shape[1]
        q, r = torch.linalg.qr(draw_normal((d, d), rows, generator))
        q = q * r.diagonal().sign()  # else not every rotation is as likely
        return self.perturbation.apply(rows @ q, generator=generator) @ q.T


@dataclass(frozen=True, eq=False)
class StaleRows(Perturbation):
    """Each row replaced, with probability ``share``, by what another version of the gallery has in its place.

    An index of which only a part was embedded anew holds such rows.

    Parameters
    ----------
    other : (n, d) array-like, the other version, of the shape of the gallery
    share : in [0, 1]

    Examples
    --------
    >>> StaleRows([[5.0], [6.0], [7.0]], 0.5).apply([[1.0], [2.0], [3.0]], generator=0)
    array([[1.],
           [2.],
           [7.]])
    """

    other: object
    share: float | int
    per_row: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "other", as_matrix(self.other, "other"))
        object.__setattr__(self, "share", check_number(self.share, "share", least=0.0, most=1.0))

    def _perturb(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        if self.other.shape != rows.shape:
            shapes = f"{tuple(rows.shape)}; got {tuple(self.other.shape)}"
            raise InputError(f"other must have the gallery's shape {shapes}")
        device = generator.device
        drawn = torch.rand((len(rows), 1), generator=generator, dtype=widest(device), device=device)
        return torch.where(drawn.to(rows.device) < self.share, self.other.to(rows), rows)
