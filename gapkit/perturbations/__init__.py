"""What can happen to stored embeddings: noise, coarser numbers, lost dimensions.

Each perturbation is a small frozen object with one method, ``apply(embeddings, generator=...)``, that returns a
perturbed copy. `gapkit.robustness` takes any of them, and any other object with that method.

Two attributes decide how each may be sampled: ``deterministic`` (applying it twice gives the same result) and
``per_row`` (each row is perturbed independently, so several galleries can be perturbed in one stack).
"""

from gapkit._renamed import renamed
from gapkit.perturbations.codes import BinaryCodes, Int8Codes, UniformQuantization
from gapkit.perturbations.gaussian import GaussianNoise

__all__ = ["BinaryCodes", "GaussianNoise", "Int8Codes", "UniformQuantization"]

__getattr__ = renamed(__name__)
