"""Fresh random inputs for the self-checks."""

import os

import numpy as np


def fresh_rng(seed: int | None = None) -> np.random.Generator:
    """A generator from ``seed``, from ``$GAPKIT_CHECK_SEED`` (which repeats them), or from fresh entropy."""
    if seed is None and (repeated := os.environ.get("GAPKIT_CHECK_SEED")):
        seed = int(repeated)
    return np.random.default_rng(seed)


def unit(z: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def components(z: np.ndarray, *, centred: bool = True) -> np.ndarray:
    """Principal components as rows; of uncentred rows they are a usual mistake."""
    return np.linalg.svd(z - z.mean(0) if centred else z, full_matrices=False)[2]


# Fresh inputs. Sizes differ from each other, so that a wrong axis shows.


def cloud(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """(n, d) points around a centre that is not zero, wider along some axes than along others."""
    return rng.normal(size=d) + rng.normal(size=(n, d)) * rng.uniform(0.3, 1.5, size=d)


def clouds(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A gallery and queries, in different numbers."""
    d = int(rng.integers(3, 6))
    return cloud(rng, int(rng.integers(6, 9)), d), cloud(rng, int(rng.integers(9, 13)), d)


def pairs(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Texts and images, row by row partners; the rows have many lengths."""
    n, d = int(rng.integers(7, 11)), int(rng.integers(3, 6))
    x = cloud(rng, n, d)
    return x, x + rng.normal(size=d) + 0.3 * rng.normal(size=(n, d))


def directed_cloud(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One modality, and a direction that is no unit vector."""
    d = int(rng.integers(4, 7))
    return cloud(rng, int(rng.integers(8, 12)), d), 3 * rng.normal(size=d)


def pairs_and_tau(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """Texts, images and τ, such that no probability is close to 0 or 1."""
    x, y = pairs(rng)
    return x, y, float(rng.uniform(2.0, 6.0))


def gallery_and_queries(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Queries near a gallery of unit rows, a gap away: the setting of robustness."""
    d = int(rng.integers(8, 12))
    gallery = unit(rng.normal(size=(6, d)))
    near = gallery[rng.integers(6, size=8)] + 0.25 * rng.normal(size=(8, d))
    return near + 0.5 * rng.normal(size=d) / d**0.5, gallery
