r"""Which noise the derivations hold for.

Under the dot product any Gaussian noise on the gallery is exact: :math:`y \cdot \varepsilon \sim N(0, y^\top \Sigma y)`. For
distances and angles the derivations need noise that is alike in all directions, :math:`\Sigma = \sigma^2 I`, or alike in
all directions of a subspace, :math:`\Sigma = \sigma^2 V V^\top` with orthonormal V, and a gallery that does not differ outside of it:
what is common to all candidates then adds the same to all squared distances, and the problem is that of the
coordinates in V. (For the cosine the gallery must lie in the subspace.) This is the noise that a projecting
closer leaves of isotropic noise.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gapkit._arrays import row_lengths
from gapkit.errors import InputError
from gapkit.perturbations import GaussianNoise, covariance_root

_ALIKE = 1e-9


def as_noise(sigma, covariance, perturbation):
    """The one perturbation that the caller described."""
    given = [
        name
        for name, value in (("sigma", sigma), ("covariance", covariance), ("perturbation", perturbation))
        if value is not None
    ]
    if len(given) != 1:
        raise InputError(
            "say how the embeddings are perturbed by exactly one of sigma, covariance and perturbation; "
            f"got {' and '.join(given) or 'none'}"
        )
    if perturbation is None:
        return GaussianNoise(sigma, covariance)
    if not callable(getattr(perturbation, "apply", None)):
        raise InputError(
            f"a perturbation needs a method apply(embeddings, generator=...); got {perturbation!r}"
        )
    return perturbation


@dataclass(frozen=True)
class Solvable:
    """A problem that the exact integrals solve.

    ``scale`` is σ of noise that is alike in every direction of the space that ``y`` and ``x`` are now in (Euclidean and
    cosine), or each query's standard deviation of a score (dot).
    """

    y: Float[Tensor, "m r"]
    x: Float[Tensor, "k r"]
    scale: float | Float[Tensor, " m"]


def solvable(
    y: Float[Tensor, "m d"], x: Float[Tensor, "k d"], noise: GaussianNoise, metric: str
) -> Solvable | None:
    """The solvable problem with the same robustness, or None if there is none."""
    sigma = noise.isotropic
    if metric == "dot":
        if sigma is not None:
            return Solvable(y, x, sigma * row_lengths(y))
        spread = row_lengths(y @ covariance_root(noise.covariance_matrix(x.shape[1]).to(x.device)))
        return Solvable(y, x, spread)
    if sigma is not None:
        return Solvable(y, x, sigma)
    values, vectors = torch.linalg.eigh(noise.covariance_matrix(x.shape[1]).to(x.device))
    largest = float(values[-1])
    if largest <= 0:
        return Solvable(y, x, 0.0)
    used = values > _ALIKE * largest
    if float(values[used][0]) < (1 - _ALIKE) * largest:
        return None
    basis = vectors[:, used]
    common = torch.zeros_like(x[0]) if metric == "cosine" else x[0]
    rest = (x - common) - (x - common) @ basis @ basis.T
    if float(rest.abs().max()) > _ALIKE * float(x.abs().max()):
        return None
    inside = y @ basis
    if (
        metric == "cosine"
        and (torch.linalg.vector_norm(inside, dim=1) <= _ALIKE * torch.linalg.vector_norm(y, dim=1)).any()
    ):
        return None  # a query at right angles to the subspace: all its cosines are 0 but for rounding
    return Solvable(inside, x @ basis, largest**0.5)
