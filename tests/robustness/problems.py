"""Random problems, and an answer for the plane that shares nothing with the package's own reference."""

import numpy as np
from scipy import integrate, stats


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


def problem(rng, d, candidates):
    """A query, a gallery near enough for noise to matter, and a σ: from hardly any noise to a lot."""
    x = rng.standard_normal((candidates, d)) / np.sqrt(d)
    x += rng.uniform(0, 2) * rng.standard_normal(d) / np.sqrt(d)
    y = x[0] * rng.uniform(0, 1) + rng.uniform(0, 1.5) * rng.standard_normal(d) / np.sqrt(d)
    return y, x, float(10 ** rng.uniform(-2, 0.5) / d**0.25)
