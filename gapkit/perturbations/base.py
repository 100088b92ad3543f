"""What every perturbation is: an object whose ``apply`` returns a perturbed copy, random numbers from a generator."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from gapkit._arrays import ArrayInput, ArrayLike, as_matrix, like
from gapkit._options import Seed, check_whole


def as_generator(generator: Seed) -> torch.Generator:
    """A torch generator from a generator, a seed, or None (seed 0: the same call gives the same numbers).

    Raises
    ------
    InputError
        If it is none of these, or a seed beyond the 64 bits that torch takes.

    Examples
    --------
    >>> torch.randn(1, generator=as_generator(3)) == torch.randn(1, generator=as_generator(3))
    tensor([True])
    """
    if isinstance(generator, torch.Generator):
        return generator
    seed = 0 if generator is None else generator
    what = "generator, if it is no torch.Generator,"
    return torch.Generator().manual_seed(check_whole(seed, what, least=-(2**63), most=2**64 - 1))


def draw_normal(shape: tuple[int, ...], like_tensor: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal float64 numbers, drawn where the generator lives and brought to ``like_tensor``."""
    dtype = widest(generator.device)
    drawn = torch.randn(shape, generator=generator, dtype=dtype, device=generator.device)
    return drawn.to(like_tensor.device).double()


def widest(device: torch.device) -> torch.dtype:
    """float64, but float32 for Apple's GPU, which has nothing wider."""
    return torch.float32 if device.type == "mps" else torch.float64


class Perturbation:
    """Base of the perturbations; a subclass gives ``_perturb`` on float64 rows."""

    deterministic: ClassVar[bool] = False
    per_row = True

    def apply(self, embeddings: ArrayInput, *, generator: Seed = None) -> ArrayLike:
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
