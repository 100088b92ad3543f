import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(20260427)


@pytest.fixture
def two_sides(rng):
    """Ten unit texts and 300 unit images in 24 dimensions, a gap between them, neither side centred or isotropic."""
    return make_sides(rng)


def make_sides(rng, k=10, m=300, d=24, gap=0.8, noise=0.6):
    centres = rng.standard_normal((k, d)) * np.linspace(0.3, 1.5, d)
    offset = rng.standard_normal(d)
    offset *= gap * np.sqrt(d) / np.linalg.norm(offset)
    x = centres + offset / 2
    y = centres[rng.integers(k, size=m)] + noise * rng.standard_normal((m, d)) - offset / 2
    return tuple(z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
