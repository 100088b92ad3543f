r"""Robustness on one page: scipy's distributions, one query at a time, and plain Monte Carlo. Read this first.

Candidates x_k + ε_k, ε_k ~ N(0, σ² I), are independent. If the answer i scores t (density f_i), it stays the answer when
all others stay behind t. So Eq. 10, for one query, is one integral,

.. math:: \mathrm{Rob}(y) = \int f_i(t) \prod_{j \ne i} P(\text{candidate } j \text{ stays behind } t)\, dt .

`gapkit.robustness` computes the same for thousands of queries and candidates, and is tested against this page. All functions
take a query (d,), a gallery (K, d) and σ per coordinate as numpy arrays.
"""

import numpy as np
from scipy.integrate import simpson
from scipy.stats import ncx2, norm


def euclidean(query: np.ndarray, gallery: np.ndarray, sigma: float, *, points: int = 1201) -> float:
    r"""Least distance: :math:`\|x_k + \varepsilon_k - y\|^2/\sigma^2 \sim \chi'^2_d(\|x_k - y\|^2/\sigma^2)`."""
    d, noncentrality = gallery.shape[1], ((gallery - query) ** 2).sum(1) / sigma**2  # (K,)
    answer, rivals = noncentrality.argmin(), np.delete(noncentrality, noncentrality.argmin())
    middle = np.sqrt(noncentrality[answer] + d)
    r = np.linspace(max(middle - 8, 1e-9), middle + 8, points)  # distances over σ deviate by less than 1
    density = 2 * r * ncx2.pdf(r**2, d, noncentrality[answer])
    farther = 1 - ncx2.cdf(r[:, None] ** 2, d, rivals)  # (points, K − 1); scipy's sf may overflow
    return float(simpson(density * farther.prod(1), x=r))


def dot(query: np.ndarray, gallery: np.ndarray, sigma: float, *, points: int = 1201) -> float:
    r"""Largest product: :math:`y \cdot (x_k + \varepsilon_k) \sim N(y \cdot x_k, \sigma^2 \|y\|^2)`."""
    scores = gallery @ query / (sigma * np.linalg.norm(query))  # (K,), in standard deviations
    best = scores.max()
    t = np.linspace(best - 9, best + 9, points)
    behind = norm.cdf(t[:, None] - np.delete(scores, scores.argmax()))  # (points, K − 1)
    return float(simpson(norm.pdf(t - best) * behind.prod(1), x=t))


def cosine(query: np.ndarray, gallery: np.ndarray, sigma: float, *, points: int = 1001) -> float:
    r"""Largest cosine, that is, largest elevation :math:`\arctan(n/R)` over the plane across the query; d ≥ 3.

    The height :math:`n \sim N(a, 1)` and :math:`R^2 \sim \chi'^2_{d-1}(b^2)`, in units of σ, are independent, so
    :math:`P(\text{elevation} < t) = \int f_R(r)\, \Phi(r \tan t - a)\, dr`; its derivative by t is the density.
    """
    d, a = gallery.shape[1], gallery @ query / (sigma * np.linalg.norm(query))  # (K,)
    b2 = np.maximum((gallery**2).sum(1) / sigma**2 - a**2, 0)
    across, answer = np.sqrt(b2 + d - 1), (a / np.linalg.norm(gallery, axis=1)).argmax()
    middle, length = np.arctan2(a[answer], across[answer]), np.hypot(a[answer], across[answer])
    wide = 9 / length if length > 18 else np.pi  # the elevation deviates by about 1/length
    t = np.linspace(max(middle - wide, 1e-3 - np.pi / 2), min(middle + wide, np.pi / 2 - 1e-3), points)
    integrand = np.ones(points)
    for k in range(len(gallery)):
        r = np.linspace(max(across[k] - 8, 1e-9), across[k] + 8, points)
        f_r, height = 2 * r * ncx2.pdf(r**2, d - 1, b2[k]), np.tan(t)[:, None] * r - a[k]  # (points, points)
        steep = r / np.cos(t)[:, None] ** 2  # d(r tan t)/dt
        integrand *= simpson(f_r * (steep * norm.pdf(height) if k == answer else norm.cdf(height)), x=r)
    return float(simpson(integrand, x=t))


def monte_carlo(query, gallery, sigma, metric: str, *, draws: int, seed: int = 0) -> tuple[float, float]:
    """Share of perturbed galleries that keep the answer, and its standard error (with a hit and a miss added)."""
    rng, clean, kept = np.random.default_rng(seed), _answers(query, gallery[None], metric), 0
    batch = 2_000_000 // gallery.size + 1  # galleries drawn at once, for the memory's sake
    for first in range(0, draws, batch):
        noise = sigma * rng.standard_normal((min(batch, draws - first), *gallery.shape))
        kept += int((_answers(query, gallery + noise, metric) == clean).sum())
    share = (kept + 1) / (draws + 2)
    return kept / draws, float(np.sqrt(share * (1 - share) / draws))


def _answers(query: np.ndarray, galleries: np.ndarray, metric: str) -> np.ndarray:
    if metric == "dot":
        return (galleries @ query).argmax(1)
    if metric == "cosine":  # the nearest of unit rows: small angles keep their digits
        query = query / np.linalg.norm(query)
        galleries = galleries / np.linalg.norm(galleries, axis=2, keepdims=True)
    return ((galleries - query) ** 2).sum(2).argmin(1)
