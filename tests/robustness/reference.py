"""Independent references: scipy's distributions on dense grids, and plain numpy draws."""

import numpy as np
from scipy import integrate, stats


def euclidean(y, x, sigma, points=1201):
    """One query, by Simpson's rule over the distance, density and tails from scipy's noncentral χ²."""
    d = x.shape[1]
    lam = ((x - y) ** 2).sum(1) / sigma**2
    best = lam.argmin()
    middle = np.sqrt(lam[best] + d)
    r = np.linspace(max(middle - 8, 1e-9), middle + 8, points)
    tails = [survival(r**2, d, one) for one in np.delete(lam, best)]
    density = stats.ncx2.pdf(r**2, d, lam[best]) if lam[best] > 0 else stats.chi2.pdf(r**2, d)
    return integrate.simpson(2 * r * density * np.prod(tails, axis=0), x=r)


def survival(t, d, lam):
    """scipy's noncentral χ² tail (one minus the distribution function: its own tail overflows at some arguments)."""
    return 1 - stats.ncx2.cdf(t, d, lam) if lam > 0 else stats.chi2.sf(t, d)


def dot(y, x, sigma):
    """One query, scipy's adaptive quadrature over the answer's score."""
    scores = x @ y
    tau = sigma * np.linalg.norm(y)
    best = scores.argmax()
    others = np.delete(scores, best)

    def integrand(z):
        return stats.norm.pdf(z) * np.prod(stats.norm.cdf(z + (scores[best] - others) / tau))

    return integrate.quad(integrand, -9, 9, limit=200, epsabs=1e-9)[0]


def cosine(y, x, sigma, points=1001):
    """One query, over elevations arctan(n/R), R integrated out by Simpson on scipy's noncentral χ²; for d ≥ 8."""
    d = x.shape[1]
    y = y / np.linalg.norm(y)
    a = x @ y / sigma
    b2 = np.maximum((x**2).sum(1) / sigma**2 - a**2, 1e-12)
    best = (x @ y / np.linalg.norm(x, axis=1)).argmax()
    middle, wide = (
        np.arctan2(a[best], np.sqrt(b2[best] + d - 1)),
        9 / np.sqrt(a[best] ** 2 + b2[best] + d - 1),
    )
    turn = np.linspace(max(middle - wide, -np.pi / 2 + 1e-3), min(middle + wide, np.pi / 2 - 1e-3), 401)[
        :, None
    ]
    others = 1.0
    for k in range(len(x)):
        across = np.sqrt(b2[k] + d - 1)
        r = np.linspace(max(across - 8, 1e-9), across + 8, points)
        spread = 2 * r * stats.ncx2.pdf(r**2, d - 1, b2[k])
        if k == best:
            height = stats.norm.pdf(np.tan(turn) * r - a[k]) * r / np.cos(turn) ** 2
            density = integrate.simpson(spread * height, x=r)
        else:
            others = others * integrate.simpson(spread * stats.norm.cdf(np.tan(turn) * r - a[k]), x=r)
    return integrate.simpson(density * others, x=turn[:, 0])


def cosine_in_the_plane(y, x, sigma):
    """One query for d = 2, from the closed density of a projected normal direction (Mardia and Jupp, 3.5.6)."""
    y = y / np.linalg.norm(y)
    length = np.linalg.norm(x, axis=1) / sigma
    angle = np.arccos(np.clip(x @ y * (1 / sigma) / length, -1, 1))
    turn = np.linspace(0, np.pi, 20001)

    def density(k):
        total = 0
        for side in (1, -1):
            c = length[k] * np.cos(turn - side * angle[k])
            bump = np.sqrt(2 * np.pi) * c * stats.norm.cdf(c) * np.exp((c**2 - length[k] ** 2) / 2)
            total = total + (np.exp(-(length[k] ** 2) / 2) + bump) / (2 * np.pi)
        return total

    best, farther = angle.argmin(), 1
    for k in range(len(x)):
        if k != best:
            farther = farther * (1 - integrate.cumulative_simpson(density(k), x=turn, initial=0))
    return integrate.simpson(density(best) * farther, x=turn)


def draw(y, x, sigma, metric, rng, draws):
    """One query's kept answers counted over independent draws of the gallery: share and standard error."""
    kept = done = 0
    clean = _answer(y, x[None], metric)[0]
    while done < draws:
        count = min(draws - done, 2_000_000 // x.size + 1)
        kept += (_answer(y, x + sigma * rng.standard_normal((count, *x.shape)), metric) == clean).sum()
        done += count
    share = (kept + 1) / (draws + 2)
    return kept / draws, np.sqrt(share * (1 - share) / draws)


def _answer(y, x, metric):
    if metric == "euclidean":
        return ((x - y) ** 2).sum(2).argmin(1)
    if metric == "dot":
        return (x @ y).argmax(1)
    # Chords between unit vectors keep small angles that cosines near 1 have rounded away.
    chords = x / np.linalg.norm(x, axis=2, keepdims=True) - y / np.linalg.norm(y)
    return (chords**2).sum(2).argmin(1)


def problem(rng, d, candidates):
    """A query, a gallery near enough for noise to matter, and a σ: from hardly any noise to a lot."""
    x = rng.standard_normal((candidates, d)) / np.sqrt(d)
    x += rng.uniform(0, 2) * rng.standard_normal(d) / np.sqrt(d)
    y = x[0] * rng.uniform(0, 1) + rng.uniform(0, 1.5) * rng.standard_normal(d) / np.sqrt(d)
    return y, x, float(10 ** rng.uniform(-2, 0.5) / d**0.25)
