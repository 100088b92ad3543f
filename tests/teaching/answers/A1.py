# ruff: noqa
# Answers to assignment 1, one a cell: what is wrong must lose the task's points, what is right must earn them.

# %% wrong a1-gap-vector: the wrong sign
def gap_vector(x, y):
    return x.mean(0) - y.mean(0)


# %% wrong a1-gap-vector: the wrong axis
def gap_vector(x, y):
    return y.mean(1) - x.mean(1)[: len(y)]


# %% wrong a1-gap-vector: sums for means
def gap_vector(x, y):
    return y.sum(0) - x.sum(0)


# %% wrong a1-gap-vector: medians
def gap_vector(x, y):
    return np.median(y, axis=0) - np.median(x, axis=0)


# %% wrong a1-gap-vector: the distance instead of the vector
def gap_vector(x, y):
    return np.linalg.norm(y.mean(0) - x.mean(0))


# %% wrong a1-gap-vector: a unit vector
def gap_vector(x, y):
    g = y.mean(0) - x.mean(0)
    return g / np.linalg.norm(g)


# %% wrong a1-gap-vector: the notebook's data instead of the arguments
def gap_vector(x, y):
    return images.mean(0) - texts.mean(0)


# %% wrong a1-gap-vector: one number for all dimensions
def gap_vector(x, y):
    return np.full(x.shape[1], y.mean() - x.mean())


# %% wrong a1-gap-vector: changes its input
def gap_vector(x, y):
    x -= y.mean(0)
    return -x.mean(0)


# %% wrong a1-gap-vector: only as many rows as both have
def gap_vector(x, y):
    n = min(len(x), len(y))
    return (y[:n] - x[:n]).mean(0)


# %% wrong a1-gap-vector: returns nothing
def gap_vector(x, y):
    print(y.mean(0) - x.mean(0))


# %% right a1-gap-vector: loops
def gap_vector(x, y):
    result = []
    for j in range(x.shape[1]):
        result.append(sum(float(row[j]) for row in y) / len(y) - sum(float(row[j]) for row in x) / len(x))
    return result


# %% right a1-gap-vector: torch
def gap_vector(x, y):
    import torch

    return torch.as_tensor(y).mean(dim=0) - torch.as_tensor(x).mean(dim=0)


# %% right a1-gap-vector: takes tensors only
def gap_vector(x, y):
    return y.mean(dim=0) - x.mean(dim=0)


# %% wrong a1-rmg: cosines without normalising
def rmg(x, y):
    n, off = len(x), ~np.eye(len(x), dtype=bool)
    m = ((1 - (x * y).sum(1)) / 2).mean()
    within = [((1 - z @ z.T) / 2)[off].mean() for z in (x, y)]
    return m / (m + sum(within) / 2)


# %% wrong a1-rmg: a point is its own neighbour
def rmg(x, y):
    x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
    m = ((1 - (x * y).sum(1)) / 2).mean()
    return m / (m + (((1 - x @ x.T) / 2).mean() + ((1 - y @ y.T) / 2).mean()) / 2)


# %% wrong a1-rmg: halves only the denominator
def rmg(x, y):
    x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
    off = ~np.eye(len(x), dtype=bool)
    m = (1 - (x * y).sum(1)).mean()
    return m / (m + (((1 - x @ x.T) / 2)[off].mean() + ((1 - y @ y.T) / 2)[off].mean()) / 2)


# %% wrong a1-rmg: adds the two modalities
def rmg(x, y):
    x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
    off = ~np.eye(len(x), dtype=bool)
    m = ((1 - (x * y).sum(1)) / 2).mean()
    return m / (m + ((1 - x @ x.T) / 2)[off].mean() + ((1 - y @ y.T) / 2)[off].mean())


# %% wrong a1-rmg: all pairs for matched pairs
def rmg(x, y):
    x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
    off = ~np.eye(len(x), dtype=bool)
    m = ((1 - x @ y.T) / 2).mean()
    return m / (m + (((1 - x @ x.T) / 2)[off].mean() + ((1 - y @ y.T) / 2)[off].mean()) / 2)


# %% wrong a1-rmg: Euclidean distances
def rmg(x, y):
    x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
    off = ~np.eye(len(x), dtype=bool)
    m = np.linalg.norm(x - y, axis=1).mean()
    within = [np.linalg.norm(z[:, None] - z[None], axis=2)[off].mean() for z in (x, y)]
    return m / (m + sum(within) / 2)


# %% wrong a1-rmg: divides by n² off the diagonal
def rmg(x, y):
    x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
    n = len(x)
    m = ((1 - (x * y).sum(1)) / 2).mean()
    within = [((1 - z @ z.T) / 2).sum() / n**2 for z in (x, y)]
    return m / (m + sum(within) / 2)


# %% wrong a1-rmg: only one modality in the denominator
def rmg(x, y):
    x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
    off = ~np.eye(len(x), dtype=bool)
    m = ((1 - (x * y).sum(1)) / 2).mean()
    return m / (m + ((1 - x @ x.T) / 2)[off].mean())


# %% wrong a1-rmg: normalises the input in place
def rmg(x, y):
    for z in (x, y):
        z /= np.linalg.norm(z, axis=1, keepdims=True)
    off = ~np.eye(len(x), dtype=bool)
    m = ((1 - (x * y).sum(1)) / 2).mean()
    return m / (m + (((1 - x @ x.T) / 2)[off].mean() + ((1 - y @ y.T) / 2)[off].mean()) / 2)


# %% right a1-rmg: loops
def rmg(x, y):
    def delta(a, b):
        return (1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)) / 2

    n = len(x)
    m = sum(delta(x[i], y[i]) for i in range(n)) / n
    xx = sum(delta(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(delta(y[i], y[j]) for i in range(n) for j in range(i)) / (n * (n - 1) / 2)
    return m / (m + (xx + yy) / 2)


# %% right a1-rmg: torch, from sums of vectors
def rmg(x, y):
    import torch

    x, y = (torch.nn.functional.normalize(torch.as_tensor(z), dim=1) for z in (x, y))
    n = len(x)
    inside = [(1 - (z.sum(0) @ z.sum(0) - n) / (n * (n - 1))) / 2 for z in (x, y)]
    m = (1 - (x * y).sum(1).mean()) / 2
    return m / (m + sum(inside) / 2)


# %% wrong a1-relative-variance: the direction's length counts
def relative_variance(z, v):
    return (z @ v).var() / (z.var(axis=0).sum() / z.shape[1])


# %% wrong a1-relative-variance: not centred
def relative_variance(z, v):
    return ((z @ v / np.linalg.norm(v)) ** 2).mean() / (z.var(axis=0).sum() / z.shape[1])


# %% wrong a1-relative-variance: relative to the total variance
def relative_variance(z, v):
    return (z @ v / np.linalg.norm(v)).var() / z.var(axis=0).sum()


# %% wrong a1-relative-variance: standard deviations
def relative_variance(z, v):
    return (z @ v / np.linalg.norm(v)).std() / np.sqrt(z.var(axis=0).sum() / z.shape[1])


# %% wrong a1-relative-variance: n above and n − 1 below
def relative_variance(z, v):
    return (z @ v / np.linalg.norm(v)).var() / z.var(axis=0, ddof=1).mean()


# %% wrong a1-relative-variance: the variance of all numbers in one heap
def relative_variance(z, v):
    return (z @ v / np.linalg.norm(v)).var() / z.var()


# %% wrong a1-relative-variance: relative to the largest variance
def relative_variance(z, v):
    return (z @ v / np.linalg.norm(v)).var() / np.linalg.eigvalsh(np.cov(z.T, ddof=0))[-1]


# %% wrong a1-relative-variance: the wrong axis
def relative_variance(z, v):
    return (z @ v / np.linalg.norm(v)).var() / z.var(axis=1).mean()


# %% wrong a1-relative-variance: centres the input in place
def relative_variance(z, v):
    z -= z.mean(0)
    return ((z @ v) ** 2).mean() / (v @ v) / (z**2).mean()


# %% right a1-relative-variance: by the covariance, unbiased above and below
def relative_variance(z, v):
    c = np.cov(z.T)
    return v @ c @ v / (v @ v) / (np.trace(c) / len(c))


# %% right a1-relative-variance: torch
def relative_variance(z, v):
    import torch

    z, v = torch.as_tensor(z), torch.as_tensor(v)
    return ((z @ v) / v.norm()).var() / z.var(dim=0).mean()


# %% right a1-relative-variance: loops
def relative_variance(z, v):
    n, d = z.shape
    unit = v / sum(a * a for a in v) ** 0.5
    centre = sum(row for row in z) / n
    along = sum(float((row - centre) @ unit) ** 2 for row in z) / n
    total = sum(float((row - centre) @ (row - centre)) for row in z) / n
    return along / total * d


# %% wrong a1-subspace-share: not centred
def subspace_share(z, g, k):
    rows = np.linalg.svd(z, full_matrices=False)[2][:k]
    return np.linalg.norm(rows @ g) / np.linalg.norm(g)


# %% wrong a1-subspace-share: one component too few
def subspace_share(z, g, k):
    rows = np.linalg.svd(z - z.mean(0), full_matrices=False)[2][: k - 1]
    return np.linalg.norm(rows @ g) / np.linalg.norm(g)


# %% wrong a1-subspace-share: one component too many
def subspace_share(z, g, k):
    rows = np.linalg.svd(z - z.mean(0), full_matrices=False)[2][: k + 1]
    return np.linalg.norm(rows @ g) / np.linalg.norm(g)


# %% wrong a1-subspace-share: the squared share
def subspace_share(z, g, k):
    rows = np.linalg.svd(z - z.mean(0), full_matrices=False)[2][:k]
    return ((rows @ g) ** 2).sum() / (g @ g)


# %% wrong a1-subspace-share: columns for components
def subspace_share(z, g, k):
    columns = np.linalg.svd(z - z.mean(0))[2][:, :k]
    return np.linalg.norm(columns.T @ g) / np.linalg.norm(g)


# %% wrong a1-subspace-share: the components of least variance
def subspace_share(z, g, k):
    vectors = np.linalg.eigh(np.cov(z.T))[1][:, :k]
    return np.linalg.norm(vectors.T @ g) / np.linalg.norm(g)


# %% wrong a1-subspace-share: the gap's length is not divided out
def subspace_share(z, g, k):
    rows = np.linalg.svd(z - z.mean(0), full_matrices=False)[2][:k]
    return np.linalg.norm(rows @ g)


# %% wrong a1-subspace-share: what lies outside
def subspace_share(z, g, k):
    rows = np.linalg.svd(z - z.mean(0), full_matrices=False)[2][:k]
    return np.linalg.norm(g - rows.T @ (rows @ g)) / np.linalg.norm(g)


# %% wrong a1-subspace-share: what chance would give
def subspace_share(z, g, k):
    return np.sqrt(k / z.shape[1])


# %% right a1-subspace-share: eigenvectors of the covariance
def subspace_share(z, g, k):
    values, vectors = np.linalg.eigh(np.cov(z, rowvar=False))
    v = vectors[:, ::-1][:, :k]
    return np.linalg.norm(v @ (v.T @ g)) / np.linalg.norm(g)


# %% right a1-subspace-share: torch, one component after the other
def subspace_share(z, g, k):
    import torch

    z, g = torch.as_tensor(z), torch.as_tensor(g)
    _, _, rows = torch.linalg.svd(z - z.mean(0), full_matrices=False)
    squares = 0.0
    for row in rows[:k]:
        squares += float(row @ g) ** 2
    return (squares / float(g @ g)) ** 0.5


# %% right a1-subspace-share: scikit-learn
def subspace_share(z, g, k):
    from sklearn.decomposition import PCA

    rows = PCA(n_components=k, svd_solver="full").fit(z).components_
    return np.linalg.norm(rows @ g) / np.linalg.norm(g)


# %% wrong a1-chance-band: the square is not undone
def chance_band(k, d, confidence):
    from scipy.stats import beta

    tail = (1 - confidence) / 2
    return beta.ppf(tail, k / 2, (d - k) / 2), beta.ppf(1 - tail, k / 2, (d - k) / 2)


# %% wrong a1-chance-band: parameters not halved
def chance_band(k, d, confidence):
    from scipy.stats import beta

    tail = (1 - confidence) / 2
    return np.sqrt(beta.ppf(tail, k, d - k)), np.sqrt(beta.ppf(1 - tail, k, d - k))


# %% wrong a1-chance-band: parameters exchanged
def chance_band(k, d, confidence):
    from scipy.stats import beta

    tail = (1 - confidence) / 2
    return np.sqrt(beta.ppf(tail, (d - k) / 2, k / 2)), np.sqrt(beta.ppf(1 - tail, (d - k) / 2, k / 2))


# %% wrong a1-chance-band: each tail gets all that is left
def chance_band(k, d, confidence):
    from scipy.stats import beta

    tail = 1 - confidence
    return np.sqrt(beta.ppf(tail, k / 2, (d - k) / 2)), np.sqrt(beta.ppf(1 - tail, k / 2, (d - k) / 2))


# %% wrong a1-chance-band: high before low
def chance_band(k, d, confidence):
    from scipy.stats import beta

    tail = (1 - confidence) / 2
    return np.sqrt(beta.ppf(1 - tail, k / 2, (d - k) / 2)), np.sqrt(beta.ppf(tail, k / 2, (d - k) / 2))


# %% wrong a1-chance-band: d for d − k
def chance_band(k, d, confidence):
    from scipy.stats import beta

    tail = (1 - confidence) / 2
    return np.sqrt(beta.ppf(tail, k / 2, d / 2)), np.sqrt(beta.ppf(1 - tail, k / 2, d / 2))


# %% wrong a1-chance-band: the line √(k/d) ± 10 %
def chance_band(k, d, confidence):
    return 0.9 * np.sqrt(k / d), 1.1 * np.sqrt(k / d)


# %% wrong a1-chance-band: always 95 %
def chance_band(k, d, confidence):
    from scipy.stats import beta

    return np.sqrt(beta.ppf(0.025, k / 2, (d - k) / 2)), np.sqrt(beta.ppf(0.975, k / 2, (d - k) / 2))


# %% wrong a1-chance-band: mean and standard deviation of the share, as if it were normal
def chance_band(k, d, confidence):
    from scipy.stats import norm

    rows = np.random.default_rng(0).normal(size=(40_000, d))
    share = np.linalg.norm(rows[:, :k], axis=1) / np.linalg.norm(rows, axis=1)
    z = norm.ppf((1 + confidence) / 2)
    return share.mean() - z * share.std(), share.mean() + z * share.std()


# %% right a1-chance-band: drawn at random
def chance_band(k, d, confidence):
    z = np.random.default_rng(5).normal(size=(60_000, d))
    share = np.linalg.norm(z[:, :k], axis=1) / np.linalg.norm(z, axis=1)
    return tuple(np.quantile(share, [(1 - confidence) / 2, (1 + confidence) / 2]))


# %% right a1-chance-band: the interval of the distribution
def chance_band(k, d, confidence):
    import scipy.stats

    return tuple(e**0.5 for e in scipy.stats.beta(k / 2, (d - k) / 2).interval(confidence))


# %% wrong a1-plot-gap: the leading components, clusters and no gap
def plot_gap(x, y):
    both = np.vstack([x, y])
    rows = np.linalg.svd(both - both.mean(0), full_matrices=False)[2][:2]
    _, ax = plt.subplots()
    ax.scatter(*(x @ rows.T).T, marker="x", label="texts")
    ax.scatter(*(y @ rows.T).T, marker="o", label="images")
    ax.set_xlabel("first component"), ax.set_ylabel("second component"), ax.legend()
    return ax


# %% wrong a1-plot-gap: no labels
def plot_gap(x, y):
    g = y.mean(0) - x.mean(0)
    v = np.linalg.svd(np.vstack([x - x.mean(0), y - y.mean(0)]), full_matrices=False)[2][0]
    _, ax = plt.subplots()
    for z, name in ((x, "texts"), (y, "images")):
        ax.scatter(z @ g / np.linalg.norm(g), z @ v, label=name)
    ax.legend()
    return ax


# %% wrong a1-plot-gap: no legend
def plot_gap(x, y):
    g = y.mean(0) - x.mean(0)
    v = np.linalg.svd(np.vstack([x - x.mean(0), y - y.mean(0)]), full_matrices=False)[2][0]
    _, ax = plt.subplots()
    for z, marker in ((x, "x"), (y, "o")):
        ax.scatter(z @ g / np.linalg.norm(g), z @ v, marker=marker)
    ax.set_xlabel("gap"), ax.set_ylabel("component")
    return ax


# %% wrong a1-plot-gap: returns nothing
def plot_gap(x, y):
    g = y.mean(0) - x.mean(0)
    v = np.linalg.svd(np.vstack([x - x.mean(0), y - y.mean(0)]), full_matrices=False)[2][0]
    for z, name in ((x, "texts"), (y, "images")):
        plt.scatter(z @ g / np.linalg.norm(g), z @ v, label=name)
    plt.xlabel("gap"), plt.ylabel("component"), plt.legend()


# %% wrong a1-plot-gap: the gap's length is not divided out
def plot_gap(x, y):
    g = y.mean(0) - x.mean(0)
    v = np.linalg.svd(np.vstack([x - x.mean(0), y - y.mean(0)]), full_matrices=False)[2][0]
    _, ax = plt.subplots()
    for z, name in ((x, "texts"), (y, "images")):
        ax.scatter(z @ g, z @ v, label=name)
    ax.set_xlabel("gap"), ax.set_ylabel("component"), ax.legend()
    return ax


# %% wrong a1-plot-gap: the axes exchanged
def plot_gap(x, y):
    g = y.mean(0) - x.mean(0)
    v = np.linalg.svd(np.vstack([x - x.mean(0), y - y.mean(0)]), full_matrices=False)[2][0]
    _, ax = plt.subplots()
    for z, name in ((x, "texts"), (y, "images")):
        ax.scatter(z @ v, z @ g / np.linalg.norm(g), label=name)
    ax.set_ylabel("gap"), ax.set_xlabel("component"), ax.legend()
    return ax


# %% wrong a1-plot-gap: each modality centred, so that the gap is gone
def plot_gap(x, y):
    g = y.mean(0) - x.mean(0)
    v = np.linalg.svd(np.vstack([x - x.mean(0), y - y.mean(0)]), full_matrices=False)[2][0]
    _, ax = plt.subplots()
    for z, name in ((x, "texts"), (y, "images")):
        z = z - z.mean(0)
        ax.scatter(z @ g / np.linalg.norm(g), z @ v, label=name)
    ax.set_xlabel("gap"), ax.set_ylabel("component"), ax.legend()
    return ax


# %% wrong a1-plot-gap: always the notebook's data
def plot_gap(x, y):
    x, y = texts, images
    g = y.mean(0) - x.mean(0)
    v = np.linalg.svd(np.vstack([x - x.mean(0), y - y.mean(0)]), full_matrices=False)[2][0]
    _, ax = plt.subplots()
    for z, name in ((x, "texts"), (y, "images")):
        ax.scatter(z @ g / np.linalg.norm(g), z @ v, label=name)
    ax.set_xlabel("gap"), ax.set_ylabel("component"), ax.legend()
    return ax


# %% right a1-plot-gap: pyplot, images first, the component's sign turned, its origin moved
def plot_gap(x, y):
    import torch

    a, b = torch.as_tensor(x), torch.as_tensor(y)
    g = torch.nn.functional.normalize(b.mean(0) - a.mean(0), dim=0)
    centred = torch.cat([a - a.mean(0), b - b.mean(0)])
    v = -torch.linalg.eigh(centred.T @ centred)[1][:, -1]
    middle = (a.mean(0) + b.mean(0)) / 2
    figure = plt.figure()
    plt.scatter((b - middle) @ g, (b - middle) @ v, marker="o", label="images")
    plt.scatter((a - middle) @ g, (a - middle) @ v, marker="+", label="texts")
    plt.xlabel("along the gap")
    plt.ylabel("along the component")
    plt.legend()
    return figure.axes[0]


# %% wrong a1-numbers: the squared length of the gap
g = gap_vector(texts, images)
answers = {
    "gap": g @ g,
    "rmg": rmg(texts, images),
    "along_images": relative_variance(images, g),
    "along_texts": relative_variance(texts, g),
    "share": subspace_share(texts, g, COMPONENTS),
}

# %% wrong a1-numbers: images and texts exchanged
g = gap_vector(texts, images)
answers = {
    "gap": np.linalg.norm(g),
    "rmg": rmg(texts, images),
    "along_images": relative_variance(texts, g),
    "along_texts": relative_variance(images, g),
    "share": subspace_share(texts, g, COMPONENTS),
}

# %% wrong a1-numbers: another number of components
g = gap_vector(texts, images)
answers = {
    "gap": np.linalg.norm(g),
    "rmg": rmg(texts, images),
    "along_images": relative_variance(images, g),
    "along_texts": relative_variance(texts, g),
    "share": subspace_share(texts, g, COMPONENTS // 2),
}

# %% wrong a1-numbers: the share in the images' components
g = gap_vector(texts, images)
answers = {
    "gap": np.linalg.norm(g),
    "rmg": rmg(texts, images),
    "along_images": relative_variance(images, g),
    "along_texts": relative_variance(texts, g),
    "share": subspace_share(images, g, COMPONENTS),
}

# %% wrong a1-numbers: last year's numbers
answers = {"gap": 0.66, "rmg": 0.57, "along_images": 0.05, "along_texts": 0.05, "share": 0.21}

# %% wrong a1-numbers: one is missing
g = gap_vector(texts, images)
answers = {
    "gap": np.linalg.norm(g),
    "rmg": rmg(texts, images),
    "along_images": relative_variance(images, g),
    "along_texts": relative_variance(texts, g),
}

# %% right a1-numbers: rounded to three digits
g = images.mean(0) - texts.mean(0)
answers = {"gap": round(float(np.sqrt(g @ g)), 4), "rmg": round(float(rmg(texts, images)), 4)}
answers["along_images"] = float(f"{relative_variance(images, g):.4g}")
answers["along_texts"] = float(f"{relative_variance(texts, g):.4g}")
answers["share"] = float(f"{subspace_share(texts, g, COMPONENTS):.4g}")


# %% wrong a1-gap-vector: single precision
def gap_vector(x, y):
    x, y = x.astype(np.float32), y.astype(np.float32)
    return y.mean(0) - x.mean(0)


# %% wrong a1-rmg: single precision
def rmg(x, y):
    x, y = ((z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32) for z in (x, y))
    off = ~np.eye(len(x), dtype=bool)
    m = ((1 - (x * y).sum(1)) / 2).mean()
    return m / (m + (((1 - x @ x.T) / 2)[off].mean() + ((1 - y @ y.T) / 2)[off].mean()) / 2)


# %% wrong a1-relative-variance: single precision
def relative_variance(z, v):
    z, v = z.astype(np.float32), v.astype(np.float32)
    return (z @ v / np.linalg.norm(v)).var() / z.var(axis=0).mean()


# %% wrong a1-relative-variance: single precision inside, a Python number outside
def relative_variance(z, v):
    import torch

    z, v = torch.as_tensor(z).float(), torch.as_tensor(v).float()
    return float((z @ v / v.norm()).var() / z.var(dim=0).mean())


# %% wrong a1-subspace-share: single precision
def subspace_share(z, g, k):
    rows = np.linalg.svd((z - z.mean(0)).astype(np.float32), full_matrices=False)[2][:k]
    return float(np.linalg.norm(rows @ g.astype(np.float32)) / np.linalg.norm(g))


# %% right a1-chance-band: an array
def chance_band(k, d, confidence):
    from scipy.stats import beta

    return np.sqrt(beta.interval(confidence, k / 2, (d - k) / 2))


# %% right a1-chance-band: a list
def chance_band(k, d, confidence):
    from scipy.stats import beta

    return [beta.ppf(p, k / 2, (d - k) / 2) ** 0.5 for p in ((1 - confidence) / 2, (1 + confidence) / 2)]


# %% right a1-chance-band: a tensor, 20,000 draws
def chance_band(k, d, confidence):
    import torch

    z = torch.randn(20_000, d, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    share = z[:, :k].norm(dim=1) / z.norm(dim=1)
    return torch.quantile(
        share, torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2], dtype=torch.float64)
    )


# %% wrong a1-plot-gap: the legend exchanged
def plot_gap(x, y):
    g = y.mean(0) - x.mean(0)
    v = np.linalg.svd(np.vstack([x - x.mean(0), y - y.mean(0)]), full_matrices=False)[2][0]
    _, ax = plt.subplots()
    for z, name, marker in ((x, "images", "x"), (y, "texts", "o")):
        ax.scatter(z @ g / np.linalg.norm(g), z @ v, marker=marker, label=name)
    ax.set_xlabel("gap"), ax.set_ylabel("component"), ax.legend()
    return ax


# %% wrong a1-plot-gap: one marker for both, told apart by colour alone
def plot_gap(x, y):
    g = y.mean(0) - x.mean(0)
    v = np.linalg.svd(np.vstack([x - x.mean(0), y - y.mean(0)]), full_matrices=False)[2][0]
    _, ax = plt.subplots()
    for z, name in ((x, "texts"), (y, "images")):
        ax.scatter(z @ g / np.linalg.norm(g), z @ v, label=name)
    ax.set_xlabel("gap"), ax.set_ylabel("component"), ax.legend()
    return ax


# %% right a1-plot-gap: the legend on the figure
def plot_gap(x, y):
    g = y.mean(0) - x.mean(0)
    v = np.linalg.svd(np.vstack([x - x.mean(0), y - y.mean(0)]), full_matrices=False)[2][0]
    fig, ax = plt.subplots()
    for z, name, marker in ((x, "captions", "^"), (y, "pictures", "o")):
        ax.scatter(z @ g / np.linalg.norm(g), z @ v, marker=marker, label=name)
    ax.set_xlabel("gap"), ax.set_ylabel("component")
    fig.legend()
    return ax


# %% wrong a1-plot-gap: the legend exchanged, in other words
def plot_gap(x, y):
    g = y.mean(0) - x.mean(0)
    v = np.linalg.svd(np.vstack([x - x.mean(0), y - y.mean(0)]), full_matrices=False)[2][0]
    _, ax = plt.subplots()
    ax.scatter(x @ g / np.linalg.norm(g), x @ v, marker="x", label="pictures")
    ax.scatter(y @ g / np.linalg.norm(g), y @ v, marker="o", label="texts")
    ax.set_xlabel("a")
    ax.set_ylabel("b")
    ax.legend()
    return ax


# %% wrong a1-plot-gap: both called images
def plot_gap(x, y):
    g = y.mean(0) - x.mean(0)
    v = np.linalg.svd(np.vstack([x - x.mean(0), y - y.mean(0)]), full_matrices=False)[2][0]
    _, ax = plt.subplots()
    ax.scatter(x @ g / np.linalg.norm(g), x @ v, marker="x", label="images")
    ax.scatter(y @ g / np.linalg.norm(g), y @ v, marker="o", label="images")
    ax.set_xlabel("a")
    ax.set_ylabel("b")
    ax.legend()
    return ax


# %% right a1-numbers: a tensor, an array of one number, an entry more
import torch

g = gap_vector(texts, images)
answers = {
    "gap": torch.tensor(np.linalg.norm(g)),
    "rmg": np.float32(rmg(texts, images)),
    "along_images": np.array(relative_variance(images, g)),
    "along_texts": float(relative_variance(texts, g)),
    "share": np.array([subspace_share(texts, g, COMPONENTS)]),
    "extra": "note",
    3: 4,
}


# %% right a1-numbers: a decimal and a fraction
from decimal import Decimal
from fractions import Fraction

g = gap_vector(texts, images)
answers = {
    "gap": Decimal(float(np.linalg.norm(g))),
    "rmg": Fraction(float(rmg(texts, images))),
    "along_images": relative_variance(images, g),
    "along_texts": relative_variance(texts, g),
    "share": subspace_share(texts, g, COMPONENTS),
}
