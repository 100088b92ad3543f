# ruff: noqa
# Answers to assignment 3, one a cell: what is wrong must lose the task's points, what is right must earn them.

# %% wrong a3-nearest: the largest dot product
def nearest(queries, gallery):
    return (queries @ gallery.T).argmax(1)


# %% wrong a3-nearest: the farthest
def nearest(queries, gallery):
    return ((queries[:, None] - gallery[None]) ** 2).sum(-1).argmax(1)


# %% wrong a3-nearest: for each gallery row
def nearest(queries, gallery):
    return ((queries[:, None] - gallery[None]) ** 2).sum(-1).argmin(0)


# %% wrong a3-nearest: ties to the highest index
def nearest(queries, gallery):
    distances = ((queries[:, None] - gallery[None]) ** 2).sum(-1)
    return len(gallery) - 1 - distances[:, ::-1].argmin(1)


# %% wrong a3-nearest: the distance
def nearest(queries, gallery):
    return ((queries[:, None] - gallery[None]) ** 2).sum(-1).min(1)


# %% wrong a3-nearest: counted from 1
def nearest(queries, gallery):
    return ((queries[:, None] - gallery[None]) ** 2).sum(-1).argmin(1) + 1


# %% wrong a3-nearest: cosine
def nearest(queries, gallery):
    return (queries @ (gallery / np.linalg.norm(gallery, axis=1, keepdims=True)).T).argmax(1)


# %% right a3-nearest: loops
def nearest(queries, gallery):
    answers = []
    for y in queries:
        best, least = 0, float("inf")
        for k, x in enumerate(gallery):
            distance = float(((x - y) ** 2).sum())
            if distance < least:
                best, least = k, distance
        answers.append(best)
    return answers


# %% right a3-nearest: torch
def nearest(queries, gallery):
    import torch

    queries, gallery = torch.as_tensor(queries), torch.as_tensor(gallery)
    return ((queries[:, None] - gallery[None]) ** 2).sum(-1).min(dim=1).indices


# %% wrong a3-monte-carlo: noise on the queries
def monte_carlo(queries, gallery, sigma, draws, seed):
    rng = np.random.default_rng(seed)
    clean = nearest(queries, gallery)
    p = np.mean(
        [nearest(queries + sigma * rng.normal(size=queries.shape), gallery) == clean for _ in range(draws)],
        axis=0,
    )
    return p, np.sqrt(p * (1 - p) / draws)


# %% wrong a3-monte-carlo: one noise for all rows
def monte_carlo(queries, gallery, sigma, draws, seed):
    rng = np.random.default_rng(seed)
    clean = nearest(queries, gallery)
    p = np.mean(
        [
            nearest(queries, gallery + sigma * rng.normal(size=gallery.shape[1])) == clean
            for _ in range(draws)
        ],
        axis=0,
    )
    return p, np.sqrt(p * (1 - p) / draws)


# %% wrong a3-monte-carlo: σ² for σ
def monte_carlo(queries, gallery, sigma, draws, seed):
    rng = np.random.default_rng(seed)
    clean = nearest(queries, gallery)
    p = np.mean(
        [
            nearest(queries, gallery + sigma**2 * rng.normal(size=gallery.shape)) == clean
            for _ in range(draws)
        ],
        axis=0,
    )
    return p, np.sqrt(p * (1 - p) / draws)


# %% wrong a3-monte-carlo: noise piles up
def monte_carlo(queries, gallery, sigma, draws, seed):
    rng = np.random.default_rng(seed)
    clean, noisy, kept = nearest(queries, gallery), gallery.copy(), []
    for _ in range(draws):
        noisy = noisy + sigma * rng.normal(size=gallery.shape)
        kept.append(nearest(queries, noisy) == clean)
    p = np.mean(kept, axis=0)
    return p, np.sqrt(p * (1 - p) / draws)


# %% wrong a3-monte-carlo: noise piles up in the caller's gallery
def monte_carlo(queries, gallery, sigma, draws, seed):
    rng = np.random.default_rng(seed)
    clean, kept = nearest(queries, gallery), []
    for _ in range(draws):
        noise = sigma * rng.normal(size=gallery.shape)
        gallery += noise
        kept.append(nearest(queries, gallery) == clean)
    p = np.mean(kept, axis=0)
    return p, np.sqrt(p * (1 - p) / draws)


# %% wrong a3-monte-carlo: the answers that are lost
def monte_carlo(queries, gallery, sigma, draws, seed):
    rng = np.random.default_rng(seed)
    clean = nearest(queries, gallery)
    p = np.mean(
        [nearest(queries, gallery + sigma * rng.normal(size=gallery.shape)) != clean for _ in range(draws)],
        axis=0,
    )
    return p, np.sqrt(p * (1 - p) / draws)


# %% wrong a3-monte-carlo: the spread of one draw
def monte_carlo(queries, gallery, sigma, draws, seed):
    rng = np.random.default_rng(seed)
    clean = nearest(queries, gallery)
    p = np.mean(
        [nearest(queries, gallery + sigma * rng.normal(size=gallery.shape)) == clean for _ in range(draws)],
        axis=0,
    )
    return p, np.sqrt(p * (1 - p))


# %% wrong a3-monte-carlo: a variance for the standard error
def monte_carlo(queries, gallery, sigma, draws, seed):
    rng = np.random.default_rng(seed)
    clean = nearest(queries, gallery)
    p = np.mean(
        [nearest(queries, gallery + sigma * rng.normal(size=gallery.shape)) == clean for _ in range(draws)],
        axis=0,
    )
    return p, p * (1 - p) / draws


# %% wrong a3-monte-carlo: the seed is ignored
def monte_carlo(queries, gallery, sigma, draws, seed):
    clean = nearest(queries, gallery)
    p = np.mean(
        [
            nearest(queries, gallery + sigma * np.random.normal(size=gallery.shape)) == clean
            for _ in range(draws)
        ],
        axis=0,
    )
    return p, np.sqrt(p * (1 - p) / draws)


# %% wrong a3-monte-carlo: always the same seed
def monte_carlo(queries, gallery, sigma, draws, seed):
    rng = np.random.default_rng(0)
    clean = nearest(queries, gallery)
    p = np.mean(
        [nearest(queries, gallery + sigma * rng.normal(size=gallery.shape)) == clean for _ in range(draws)],
        axis=0,
    )
    return p, np.sqrt(p * (1 - p) / draws)


# %% wrong a3-monte-carlo: uniform noise
def monte_carlo(queries, gallery, sigma, draws, seed):
    rng = np.random.default_rng(seed)
    clean = nearest(queries, gallery)
    p = np.mean(
        [
            nearest(queries, gallery + sigma * rng.uniform(-1, 1, gallery.shape)) == clean
            for _ in range(draws)
        ],
        axis=0,
    )
    return p, np.sqrt(p * (1 - p) / draws)


# %% wrong a3-monte-carlo: the mean over the queries
def monte_carlo(queries, gallery, sigma, draws, seed):
    rng = np.random.default_rng(seed)
    clean = nearest(queries, gallery)
    p = np.mean(
        [nearest(queries, gallery + sigma * rng.normal(size=gallery.shape)) == clean for _ in range(draws)]
    )
    return p, np.sqrt(p * (1 - p) / draws)


# %% right a3-monte-carlo: all draws at once
def monte_carlo(queries, gallery, sigma, draws, seed):
    rng = np.random.default_rng(seed)
    noisy = gallery + sigma * rng.normal(size=(draws, *gallery.shape))
    costs = (noisy**2).sum(-1)[:, None] - 2 * np.einsum("md,nkd->nmk", queries, noisy)
    clean = ((gallery**2).sum(-1) - 2 * queries @ gallery.T).argmin(1)
    p = (costs.argmin(-1) == clean).mean(0)
    return p, np.sqrt(p * (1 - p) / draws)


# %% right a3-monte-carlo: torch
def monte_carlo(queries, gallery, sigma, draws, seed):
    import torch

    queries, gallery = torch.as_tensor(queries), torch.as_tensor(gallery)
    generator = torch.Generator().manual_seed(int(seed))
    clean = torch.cdist(queries, gallery).argmin(1)
    kept = torch.zeros(len(queries), dtype=torch.float64)
    for _ in range(draws):
        noise = torch.randn(gallery.shape, generator=generator, dtype=gallery.dtype)
        kept += torch.cdist(queries, gallery + sigma * noise).argmin(1) == clean
    p = kept / draws
    return p, (p * (1 - p) / draws).sqrt()


# %% wrong a3-pair: the noise of one candidate
def pair_robustness(query, first, second, sigma):
    return stats.norm.cdf(query @ (first - second) / (sigma * np.linalg.norm(query)))


# %% wrong a3-pair: the query's length left out
def pair_robustness(query, first, second, sigma):
    return stats.norm.cdf(query @ (first - second) / (sigma * np.sqrt(2)))


# %% wrong a3-pair: a variance where a standard deviation belongs
def pair_robustness(query, first, second, sigma):
    return stats.norm.cdf(query @ (first - second) / (2 * sigma**2 * (query @ query)))


# %% wrong a3-pair: the answer is lost
def pair_robustness(query, first, second, sigma):
    return stats.norm.sf(query @ (first - second) / (sigma * np.linalg.norm(query) * np.sqrt(2)))


# %% wrong a3-pair: standard deviations added
def pair_robustness(query, first, second, sigma):
    return stats.norm.cdf(query @ (first - second) / (2 * sigma * np.linalg.norm(query)))


# %% wrong a3-pair: Euclidean margin
def pair_robustness(query, first, second, sigma):
    margin = np.linalg.norm(query - second) - np.linalg.norm(query - first)
    return stats.norm.cdf(margin / (sigma * np.sqrt(2)))


# %% wrong a3-pair: √d in the noise
def pair_robustness(query, first, second, sigma):
    return stats.norm.cdf(
        query @ (first - second) / (sigma * np.linalg.norm(query) * np.sqrt(2 * len(query)))
    )


# %% wrong a3-pair: too few draws
def pair_robustness(query, first, second, sigma):
    rng = np.random.default_rng(0)
    noise = sigma * rng.normal(size=(2, 1000, len(query)))
    return np.mean((first + noise[0]) @ query > (second + noise[1]) @ query)


# %% right a3-pair: the error function, in loops
def pair_robustness(query, first, second, sigma):
    import math

    margin = sum(float(q) * (float(a) - float(b)) for q, a, b in zip(query, first, second))
    length = math.sqrt(sum(float(q) ** 2 for q in query))
    return 0.5 * (1 + math.erf(margin / (2 * sigma * length)))


# %% right a3-pair: torch
def pair_robustness(query, first, second, sigma):
    import torch

    query, first, second = (torch.as_tensor(z) for z in (query, first, second))
    return torch.special.ndtr(query @ (first - second) / (2**0.5 * sigma * query.norm()))


# %% wrong a3-exact: the survival of all, the answer included
def exact_robustness(query, gallery, sigma):
    lam = ((gallery - query) ** 2).sum(1) / sigma**2
    i, d = lam.argmin(), gallery.shape[1]
    spread = np.sqrt(2 * (d + 2 * lam[i]))
    t = np.linspace(max(0, d + lam[i] - 10 * spread), d + lam[i] + 10 * spread, 800)
    return integrate.trapezoid(
        stats.ncx2.pdf(t, d, lam[i]) * np.prod([stats.ncx2.sf(t, d, l) for l in lam], axis=0), t
    )


# %% wrong a3-exact: distribution functions for survival functions
def exact_robustness(query, gallery, sigma):
    lam = ((gallery - query) ** 2).sum(1) / sigma**2
    i, d = lam.argmin(), gallery.shape[1]
    spread = np.sqrt(2 * (d + 2 * lam[i]))
    t = np.linspace(max(0, d + lam[i] - 10 * spread), d + lam[i] + 10 * spread, 800)
    others = np.prod([stats.ncx2.cdf(t, d, lam[j]) for j in range(len(lam)) if j != i] + [0 * t + 1], axis=0)
    return integrate.trapezoid(stats.ncx2.pdf(t, d, lam[i]) * others, t)


# %% wrong a3-exact: λ not divided by σ²
def exact_robustness(query, gallery, sigma):
    lam = ((gallery - query) ** 2).sum(1)
    i, d = lam.argmin(), gallery.shape[1]
    spread = np.sqrt(2 * (d + 2 * lam[i]))
    t = np.linspace(max(0, d + lam[i] - 10 * spread), d + lam[i] + 10 * spread, 800)
    others = np.prod([stats.ncx2.sf(t, d, lam[j]) for j in range(len(lam)) if j != i] + [0 * t + 1], axis=0)
    return integrate.trapezoid(stats.ncx2.pdf(t, d, lam[i]) * others, t)


# %% wrong a3-exact: λ from the distance, not its square
def exact_robustness(query, gallery, sigma):
    lam = np.linalg.norm(gallery - query, axis=1) / sigma
    i, d = lam.argmin(), gallery.shape[1]
    spread = np.sqrt(2 * (d + 2 * lam[i]))
    t = np.linspace(max(0, d + lam[i] - 10 * spread), d + lam[i] + 10 * spread, 800)
    others = np.prod([stats.ncx2.sf(t, d, lam[j]) for j in range(len(lam)) if j != i] + [0 * t + 1], axis=0)
    return integrate.trapezoid(stats.ncx2.pdf(t, d, lam[i]) * others, t)


# %% wrong a3-exact: only the nearest competitor
def exact_robustness(query, gallery, sigma):
    lam = np.sort(((gallery - query) ** 2).sum(1) / sigma**2)
    if len(lam) == 1:
        return 1.0
    d = gallery.shape[1]
    spread = np.sqrt(2 * (d + 2 * lam[0]))
    t = np.linspace(max(0, d + lam[0] - 10 * spread), d + lam[0] + 10 * spread, 800)
    return integrate.trapezoid(stats.ncx2.pdf(t, d, lam[0]) * stats.ncx2.sf(t, d, lam[1]), t)


# %% wrong a3-exact: the product of the pairwise probabilities
def exact_robustness(query, gallery, sigma):
    lam = np.sort(((gallery - query) ** 2).sum(1) / sigma**2)
    d, result = gallery.shape[1], 1.0
    spread = np.sqrt(2 * (d + 2 * lam[0]))
    t = np.linspace(max(0, d + lam[0] - 10 * spread), d + lam[0] + 10 * spread, 800)
    for other in lam[1:]:
        result *= integrate.trapezoid(stats.ncx2.pdf(t, d, lam[0]) * stats.ncx2.sf(t, d, other), t)
    return result


# %% wrong a3-exact: an integral that stops at the middle
def exact_robustness(query, gallery, sigma):
    lam = ((gallery - query) ** 2).sum(1) / sigma**2
    i, d = lam.argmin(), gallery.shape[1]
    t = np.linspace(0, d + lam[i], 800)
    others = np.prod([stats.ncx2.sf(t, d, lam[j]) for j in range(len(lam)) if j != i] + [0 * t + 1], axis=0)
    return integrate.trapezoid(stats.ncx2.pdf(t, d, lam[i]) * others, t)


# %% wrong a3-exact: d − 1 degrees of freedom
def exact_robustness(query, gallery, sigma):
    lam = ((gallery - query) ** 2).sum(1) / sigma**2
    i, d = lam.argmin(), gallery.shape[1] - 1
    spread = np.sqrt(2 * (d + 2 * lam[i]))
    t = np.linspace(max(1e-9, d + lam[i] - 10 * spread), d + lam[i] + 10 * spread, 800)
    others = np.prod([stats.ncx2.sf(t, d, lam[j]) for j in range(len(lam)) if j != i] + [0 * t + 1], axis=0)
    return integrate.trapezoid(stats.ncx2.pdf(t, d, lam[i]) * others, t)


# %% wrong a3-exact: counted, with few draws
def exact_robustness(query, gallery, sigma):
    return monte_carlo(query[None], gallery, sigma, 300, 1)[0][0]


# %% right a3-exact: adaptive quadrature
def exact_robustness(query, gallery, sigma):
    lam = sorted(float(((x - query) ** 2).sum()) / sigma**2 for x in gallery)
    d = len(query)
    width = 12 * (2 * (d + 2 * lam[0])) ** 0.5

    def integrand(t):
        value = stats.ncx2.pdf(t, d, lam[0])
        for other in lam[1:]:
            value *= stats.ncx2.sf(t, d, other)
        return value

    middle = d + lam[0]
    return sum(
        integrate.quad(integrand, a, b, limit=200)[0]
        for a, b in ((max(0, middle - width), middle), (middle, middle + width))
    )


# %% right a3-exact: quantiles of the answer's own distribution
def exact_robustness(query, gallery, sigma):
    lam = np.sort(((gallery - query) ** 2).sum(1)) / sigma**2
    d = len(query)
    u, w = np.polynomial.legendre.leggauss(60)
    t = stats.ncx2.ppf((u + 1) / 2, d, lam[0])
    return float(
        (w / 2) @ np.prod([stats.ncx2.sf(t, d, other) for other in lam[1:]] + [np.ones_like(t)], axis=0)
    )


# %% wrong a3-plot: bars of one standard error
def plot_robustness(sigmas, exact, estimates, errors):
    _, ax = plt.subplots()
    ax.plot(sigmas, exact, label="exact")
    ax.errorbar(sigmas, estimates, yerr=errors, fmt="o", label="Monte Carlo")
    ax.set_xlabel("σ"), ax.set_ylabel("robustness"), ax.legend()
    return ax


# %% wrong a3-plot: no bars
def plot_robustness(sigmas, exact, estimates, errors):
    _, ax = plt.subplots()
    ax.plot(sigmas, exact, label="exact")
    ax.plot(sigmas, estimates, "o", label="Monte Carlo")
    ax.set_xlabel("σ"), ax.set_ylabel("robustness"), ax.legend()
    return ax


# %% wrong a3-plot: no labels
def plot_robustness(sigmas, exact, estimates, errors):
    _, ax = plt.subplots()
    ax.plot(sigmas, exact, label="exact")
    ax.errorbar(sigmas, estimates, yerr=2 * errors, fmt="o", label="Monte Carlo")
    ax.legend()
    return ax


# %% wrong a3-plot: over the variance
def plot_robustness(sigmas, exact, estimates, errors):
    _, ax = plt.subplots()
    ax.plot(sigmas**2, exact, label="exact")
    ax.errorbar(sigmas**2, estimates, yerr=2 * errors, fmt="o", label="Monte Carlo")
    ax.set_xlabel("σ²"), ax.set_ylabel("robustness"), ax.legend()
    return ax


# %% wrong a3-plot: the bars around the exact values
def plot_robustness(sigmas, exact, estimates, errors):
    _, ax = plt.subplots()
    ax.errorbar(sigmas, exact, yerr=2 * errors, label="exact")
    ax.plot(sigmas, estimates, "o", label="Monte Carlo")
    ax.set_xlabel("σ"), ax.set_ylabel("robustness"), ax.legend()
    return ax


# %% wrong a3-plot: the exact curve is missing
def plot_robustness(sigmas, exact, estimates, errors):
    _, ax = plt.subplots()
    ax.errorbar(sigmas, estimates, yerr=2 * errors, fmt="o")
    ax.set_xlabel("σ"), ax.set_ylabel("robustness"), ax.legend(["exact", "Monte Carlo"])
    ax.plot([], label="exact"), ax.plot([], label="Monte Carlo"), ax.legend()
    return ax


# %% right a3-plot: pyplot, a scatter and vertical lines
def plot_robustness(sigmas, exact, estimates, errors):
    plt.figure()
    plt.scatter(sigmas, estimates, label="counted")
    plt.vlines(sigmas, estimates - 2 * errors, estimates + 2 * errors)
    plt.plot(sigmas, exact, "--", label="computed")
    plt.xlabel("noise"), plt.ylabel("robustness"), plt.legend()
    return plt.gca()


# %% wrong a3-numbers: twice the noise
r = np.array([exact_robustness(y, gallery, 2 * SIGMA) for y in queries])
answers = {"mean": r.mean(), "least": r.min(), "draws": int(np.ceil(r.min() * (1 - r.min()) / 1e-6))}

# %% wrong a3-numbers: the most robust query
r = np.array([exact_robustness(y, gallery, SIGMA) for y in queries])
answers = {"mean": r.mean(), "least": r.max(), "draws": int(np.ceil(r.max() * (1 - r.max()) / 1e-6))}

# %% wrong a3-numbers: the root of the number of draws
r = np.array([exact_robustness(y, gallery, SIGMA) for y in queries])
answers = {
    "mean": r.mean(),
    "least": r.min(),
    "draws": int(np.ceil(np.sqrt(r.min() * (1 - r.min())) / 0.001)),
}

# %% wrong a3-numbers: one query
r = np.array([exact_robustness(y, gallery, SIGMA) for y in queries])
answers = {"mean": r[0], "least": r.min(), "draws": int(np.ceil(r.min() * (1 - r.min()) / 1e-6))}

# %% wrong a3-numbers: the draws for the mean robustness
r = np.array([exact_robustness(y, gallery, SIGMA) for y in queries])
answers = {"mean": r.mean(), "least": r.min(), "draws": int(np.ceil(r.mean() * (1 - r.mean()) / 4e-6))}

# %% wrong a3-numbers: counted with few draws
r = monte_carlo(queries, gallery, SIGMA, 30, 3)[0]
answers = {"mean": r.mean(), "least": r.min(), "draws": int(np.ceil(r.min() * (1 - r.min()) / 1e-6))}

# %% wrong a3-numbers: one is missing
r = np.array([exact_robustness(y, gallery, SIGMA) for y in queries])
answers = {"mean": r.mean(), "least": r.min()}

# %% right a3-numbers: gapkit's own, rounded
from gapkit.robustness import robustness as reference

r = reference(queries, gallery, sigma=SIGMA, metric="euclidean", noise_on="gallery")
answers = {"mean": round(float(r.mean()), 5), "least": round(float(r.min()), 5)}
answers["draws"] = round(float(r.min()) * (1 - float(r.min())) * 1e6)


# %% right a3-monte-carlo: one array
def monte_carlo(queries, gallery, sigma, draws, seed):
    rng = np.random.default_rng(seed)
    clean = nearest(queries, gallery)
    p = np.mean(
        [nearest(queries, gallery + sigma * rng.normal(size=gallery.shape)) == clean for _ in range(draws)],
        axis=0,
    )
    return np.stack([p, np.sqrt(p * (1 - p) / draws)])


# %% right a3-monte-carlo: a list
def monte_carlo(queries, gallery, sigma, draws, seed):
    rng = np.random.default_rng(seed)
    clean = nearest(queries, gallery)
    p = sum(nearest(queries, gallery + sigma * rng.normal(size=gallery.shape)) == clean for _ in range(draws))
    p = p / draws
    return [p, np.sqrt(p * (1 - p) / draws)]


# %% wrong a3-pair: single precision
def pair_robustness(query, first, second, sigma):
    query, first, second = (z.astype(np.float32) for z in (query, first, second))
    return float(stats.norm.cdf(query @ (first - second) / (sigma * np.linalg.norm(query) * np.sqrt(2))))


# %% wrong a3-plot: the legend exchanged
def plot_robustness(sigmas, exact, estimates, errors):
    _, ax = plt.subplots()
    ax.plot(sigmas, exact, "-", label="Monte Carlo")
    ax.errorbar(sigmas, estimates, yerr=2 * errors, fmt="o", label="exact")
    ax.set_xlabel("σ"), ax.set_ylabel("robustness"), ax.legend()
    return ax


# %% wrong a3-plot: two lines, told apart by colour alone
def plot_robustness(sigmas, exact, estimates, errors):
    _, ax = plt.subplots()
    ax.plot(sigmas, exact, label="exact")
    ax.errorbar(sigmas, estimates, yerr=2 * errors, label="Monte Carlo")
    ax.set_xlabel("σ"), ax.set_ylabel("robustness"), ax.legend()
    return ax


# %% right a3-nearest: torch, squares multiplied out
import torch


def nearest(queries, gallery):
    q, g = torch.as_tensor(queries), torch.as_tensor(gallery)
    return ((g**2).sum(1) - 2 * q @ g.T).argmin(1)


# %% right a3-nearest: torch, squares multiplied out, with the root
import torch


def nearest(queries, gallery):
    q, g = torch.as_tensor(queries), torch.as_tensor(gallery)
    return torch.clamp((q**2).sum(1, keepdim=True) + (g**2).sum(1) - 2 * q @ g.T, min=0).sqrt().argmin(1)


# %% wrong a3-monte-carlo: always 1000 draws
def monte_carlo(queries, gallery, sigma, draws, seed):
    rng = np.random.default_rng(seed)
    clean = nearest(queries, gallery)
    kept = np.zeros(len(queries))
    for _ in range(1000):
        kept += nearest(queries, gallery + sigma * rng.normal(size=gallery.shape)) == clean
    p = kept / 1000
    return p, np.sqrt(p * (1 - p) / draws)


# %% wrong a3-monte-carlo: half of the draws
def monte_carlo(queries, gallery, sigma, draws, seed):
    rng = np.random.default_rng(seed)
    clean = nearest(queries, gallery)
    kept = np.zeros(len(queries))
    for _ in range(draws // 2):
        kept += nearest(queries, gallery + sigma * rng.normal(size=gallery.shape)) == clean
    p = kept / (draws // 2)
    return p, np.sqrt(p * (1 - p) / draws)


# %% right a3-monte-carlo: takes tensors only
import torch


def monte_carlo(queries, gallery, sigma, draws, seed):
    g = torch.Generator().manual_seed(seed)
    near = lambda q, z: torch.cdist(q, z).argmin(1)
    clean = near(queries, gallery)
    k = torch.stack(
        [
            near(queries, gallery + sigma * torch.randn(gallery.shape, generator=g, dtype=torch.float64))
            == clean
            for _ in range(draws)
        ]
    ).double()
    p = k.mean(0)
    return p, (p * (1 - p) / draws).sqrt()


# %% right a3-exact: takes tensors only
import torch


def exact_robustness(query, gallery, sigma):
    lam = ((gallery - query).pow(2).sum(dim=1) / sigma**2).numpy()
    a, d = lam.argmin(), gallery.shape[1]
    m, s = d + lam[a], np.sqrt(2 * (d + 2 * lam[a]))
    t = np.linspace(max(0, m - 10 * s), m + 10 * s, 800)
    S = np.prod([stats.ncx2.sf(t, d, lam[j]) for j in range(len(lam)) if j != a], axis=0)
    return torch.tensor(integrate.trapezoid(stats.ncx2.pdf(t, d, lam[a]) * S, t))


# %% wrong a3-plot: the legend exchanged, abbreviated
def plot_robustness(sigmas, exact, estimates, errors):
    _, ax = plt.subplots()
    ax.plot(sigmas, exact, "-", label="MC")
    ax.errorbar(sigmas, estimates, yerr=2 * errors, fmt="o", label="exact")
    ax.set(xlabel="s", ylabel="v")
    ax.legend()
    return ax


# %% wrong a3-numbers: the draws for the worst probability there is
r_ = np.array([exact_robustness(y, gallery, SIGMA) for y in queries])
l = r_.min()
answers = {"mean": r_.mean(), "least": l, "draws": 250000}
