"""The affine subspace a modality lives in: its principal directions, and how many of them count."""

import torch
from jaxtyping import Float
from torch import Tensor


def principal_directions(z: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "r d"], Float[Tensor, " r"]]:
    """Orthonormal principal directions of the centred rows, with their singular values, largest first.

    The rank is decided in float64 with float64's tolerance: float32's default would drop true components
    of a trained gallery. One row, or rows all alike, span no direction: r = 0.
    """
    centred = z.double() - z.double().mean(0)
    _, values, directions = torch.linalg.svd(centred, full_matrices=False)
    # Centring itself leaves errors of eps·|mean|, which must not count as a direction.
    scale = torch.maximum(values[0], torch.linalg.vector_norm(z.double().mean(0)) * len(z) ** 0.5)
    rank = int((values > scale * max(z.shape) * torch.finfo(torch.float64).eps).sum())
    rank = min(rank, len(z) - 1)
    return directions[:rank], values[:rank]
