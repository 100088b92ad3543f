# ruff: noqa
# Answers to assignment 4, one a cell: what is wrong must lose the task's points, what is right must earn them.

# %% wrong a4-projected-gap: the wrong sign
def projected_gap(x, y, k):
    g = x.mean(0) - y.mean(0)
    rows = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:k]
    return g - rows.T @ (rows @ g)


# %% wrong a4-projected-gap: not centred
def projected_gap(x, y, k):
    g = y.mean(0) - x.mean(0)
    rows = np.linalg.svd(x, full_matrices=False)[2][:k]
    return g - rows.T @ (rows @ g)


# %% wrong a4-projected-gap: the queries' components
def projected_gap(x, y, k):
    g = y.mean(0) - x.mean(0)
    rows = np.linalg.svd(y - y.mean(0), full_matrices=False)[2][:k]
    return g - rows.T @ (rows @ g)


# %% wrong a4-projected-gap: the part inside
def projected_gap(x, y, k):
    g = y.mean(0) - x.mean(0)
    rows = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:k]
    return rows.T @ (rows @ g)


# %% wrong a4-projected-gap: one component too few
def projected_gap(x, y, k):
    g = y.mean(0) - x.mean(0)
    rows = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][: max(k - 1, 0)]
    return g - rows.T @ (rows @ g)


# %% wrong a4-projected-gap: one component too many
def projected_gap(x, y, k):
    g = y.mean(0) - x.mean(0)
    rows = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][: k + 1]
    return g - rows.T @ (rows @ g)


# %% wrong a4-projected-gap: the components of least variance
def projected_gap(x, y, k):
    g = y.mean(0) - x.mean(0)
    columns = np.linalg.eigh(np.cov(x.T))[1][:, :k]
    return g - columns @ (columns.T @ g)


# %% wrong a4-projected-gap: columns of Vᵀ
def projected_gap(x, y, k):
    g = y.mean(0) - x.mean(0)
    columns = np.linalg.svd(x - x.mean(0))[2][:, :k]
    return g - columns @ (columns.T @ g)


# %% wrong a4-projected-gap: the whole gap
def projected_gap(x, y, k):
    return y.mean(0) - x.mean(0)


# %% right a4-projected-gap: eigenvectors, one after the other
def projected_gap(x, y, k):
    g = y.mean(0) - x.mean(0)
    values, vectors = np.linalg.eigh((x - x.mean(0)).T @ (x - x.mean(0)))
    for j in np.argsort(-values)[:k]:
        g = g - (g @ vectors[:, j]) * vectors[:, j]
    return g


# %% right a4-projected-gap: torch
def projected_gap(x, y, k):
    import torch

    x, y = torch.as_tensor(x), torch.as_tensor(y)
    v = torch.linalg.svd(x - x.mean(0), full_matrices=False).Vh[:k].T
    return (torch.eye(x.shape[1], dtype=x.dtype) - v @ v.T) @ (y.mean(0) - x.mean(0))


# %% wrong a4-close-gap: the raw shift
def close_gap(x, y, alpha):
    return x + alpha * (y.mean(0) - x.mean(0))


# %% wrong a4-close-gap: away from the queries
def close_gap(x, y, alpha):
    s = np.linalg.svd(x - x.mean(0), compute_uv=False)
    return x - alpha * projected_gap(x, y, int((s > s[0] * 1e-10).sum()))


# %% wrong a4-close-gap: alpha ignored
def close_gap(x, y, alpha):
    s = np.linalg.svd(x - x.mean(0), compute_uv=False)
    return x + projected_gap(x, y, int((s > s[0] * 1e-10).sum()))


# %% wrong a4-close-gap: normalised afterwards
def close_gap(x, y, alpha):
    s = np.linalg.svd(x - x.mean(0), compute_uv=False)
    moved = x + alpha * projected_gap(x, y, int((s > s[0] * 1e-10).sum()))
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)


# %% wrong a4-close-gap: the queries moved
def close_gap(x, y, alpha):
    s = np.linalg.svd(x - x.mean(0), compute_uv=False)
    return y - alpha * projected_gap(x, y, int((s > s[0] * 1e-10).sum()))


# %% wrong a4-close-gap: K components, one of them rounding
def close_gap(x, y, alpha):
    return x + alpha * projected_gap(x, y, len(x))


# %% wrong a4-close-gap: a few components only
def close_gap(x, y, alpha):
    return x + alpha * projected_gap(x, y, 2)


# %% wrong a4-close-gap: moves its input
def close_gap(x, y, alpha):
    s = np.linalg.svd(x - x.mean(0), compute_uv=False)
    x += alpha * projected_gap(x, y, int((s > s[0] * 1e-10).sum()))
    return x


# %% wrong a4-close-gap: K − 1 components although rows may be equal
def close_gap(x, y, alpha):
    return x + alpha * projected_gap(x, y, len(x) - 1)


# %% right a4-close-gap: least squares on the differences
def close_gap(x, y, alpha):
    differences = x[1:] - x[0]
    g = y.mean(0) - x.mean(0)
    weights, *_ = np.linalg.lstsq(differences.T, g, rcond=1e-10)
    return x + alpha * (g - weights @ differences)


# %% right a4-close-gap: pseudoinverse, in torch
def close_gap(x, y, alpha):
    import torch

    x, y = torch.as_tensor(x), torch.as_tensor(y)
    c = x - x.mean(0)
    g = y.mean(0) - x.mean(0)
    return x + alpha * (g - torch.linalg.pinv(c, rtol=1e-10) @ (c @ g))


# %% wrong a4-projection: the linear projection
def affine_projection(x, y):
    _, s, rows = np.linalg.svd(x - x.mean(0), full_matrices=False)
    rows = rows[s > s[0] * 1e-10]
    return y @ rows.T @ rows


# %% wrong a4-projection: the mean is not added again
def affine_projection(x, y):
    _, s, rows = np.linalg.svd(x - x.mean(0), full_matrices=False)
    rows = rows[s > s[0] * 1e-10]
    return (y - x.mean(0)) @ rows.T @ rows


# %% wrong a4-projection: about the queries' mean
def affine_projection(x, y):
    _, s, rows = np.linalg.svd(x - x.mean(0), full_matrices=False)
    rows = rows[s > s[0] * 1e-10]
    return y.mean(0) + (y - y.mean(0)) @ rows.T @ rows


# %% wrong a4-projection: the same shift for all
def affine_projection(x, y):
    return y - (close_gap(x, y, 1.0) - x)[0]


# %% wrong a4-projection: the part outside
def affine_projection(x, y):
    _, s, rows = np.linalg.svd(x - x.mean(0), full_matrices=False)
    rows = rows[s > s[0] * 1e-10]
    return y - (y - x.mean(0)) @ rows.T @ rows


# %% wrong a4-projection: one direction too many
def affine_projection(x, y):
    rows = np.linalg.svd(x - x.mean(0), full_matrices=False)[2]
    return x.mean(0) + (y - x.mean(0)) @ rows.T @ rows


# %% wrong a4-projection: the gallery onto the queries
def affine_projection(x, y):
    _, s, rows = np.linalg.svd(y - y.mean(0), full_matrices=False)
    rows = rows[s > s[0] * 1e-10]
    return y.mean(0) + (x - y.mean(0)) @ rows.T @ rows


# %% wrong a4-projection: the nearest row
def affine_projection(x, y):
    return x[nearest(y, x)]


# %% right a4-projection: row by row, least squares
def affine_projection(x, y):
    projected = []
    for row in y:
        weights = np.linalg.lstsq((x[1:] - x[0]).T, row - x[0], rcond=1e-10)[0]
        projected.append(x[0] + weights @ (x[1:] - x[0]))
    return np.array(projected)


# %% right a4-projection: QR, in torch
def affine_projection(x, y):
    import torch

    x, y = torch.as_tensor(x), torch.as_tensor(y)
    u, s, vh = torch.linalg.svd((x - x[0]), full_matrices=False)
    basis = torch.linalg.qr(vh[s > 1e-10 * s[0]].T)[0]
    return x[0] + ((y - x[0]) @ basis) @ basis.T


# %% wrong a4-protocol: fitted again on the noisy gallery
def noisy_agreement(x, y, noise, alpha):
    clean = nearest(y, close_gap(x, y, alpha))
    return np.mean([nearest(y, close_gap(x + one, y, alpha)) == clean for one in noise])


# %% wrong a4-protocol: only the clean gallery moves
def noisy_agreement(x, y, noise, alpha):
    clean = nearest(y, close_gap(x, y, alpha))
    return np.mean([nearest(y, x + one) == clean for one in noise])


# %% wrong a4-protocol: the raw shift
def noisy_agreement(x, y, noise, alpha):
    moved = x + alpha * (y.mean(0) - x.mean(0))
    return np.mean([nearest(y, moved + one) == nearest(y, moved) for one in noise])


# %% wrong a4-protocol: nothing is moved
def noisy_agreement(x, y, noise, alpha):
    return np.mean([nearest(y, x + one) == nearest(y, x) for one in noise])


# %% wrong a4-protocol: the share that is lost
def noisy_agreement(x, y, noise, alpha):
    moved = close_gap(x, y, alpha)
    return np.mean([nearest(y, moved + one) != nearest(y, moved) for one in noise])


# %% wrong a4-protocol: the first draw only
def noisy_agreement(x, y, noise, alpha):
    moved = close_gap(x, y, alpha)
    return np.mean(nearest(y, moved + noise[0]) == nearest(y, moved))


# %% wrong a4-protocol: queries that survive every draw
def noisy_agreement(x, y, noise, alpha):
    moved = close_gap(x, y, alpha)
    return np.mean(np.all([nearest(y, moved + one) == nearest(y, moved) for one in noise], axis=0))


# %% wrong a4-protocol: a number of answers
def noisy_agreement(x, y, noise, alpha):
    moved = close_gap(x, y, alpha)
    return np.sum([nearest(y, moved + one) == nearest(y, moved) for one in noise])


# %% wrong a4-protocol: alpha the other way round
def noisy_agreement(x, y, noise, alpha):
    moved = close_gap(x, y, 1 - alpha)
    return np.mean([nearest(y, moved + one) == nearest(y, moved) for one in noise])


# %% wrong a4-protocol: adds the noise to the caller's gallery
def noisy_agreement(x, y, noise, alpha):
    shift = close_gap(x, y, alpha) - x
    clean, kept = nearest(y, x + shift), []
    for one in noise:
        x += one
        kept.append(nearest(y, x + shift) == clean)
    return np.mean(kept)


# %% right a4-protocol: the queries moved instead, loops
def noisy_agreement(x, y, noise, alpha):
    shift = (close_gap(x, y, alpha) - x)[0]
    kept = total = 0
    for one in noise:
        for query in y - shift:
            a = min(range(len(x)), key=lambda k: float(((x[k] - query) ** 2).sum()))
            b = min(range(len(x)), key=lambda k: float(((x[k] + one[k] - query) ** 2).sum()))
            kept, total = kept + (a == b), total + 1
    return kept / total


# %% right a4-protocol: torch, all draws at once
def noisy_agreement(x, y, noise, alpha):
    import torch

    moved, y, noise = (torch.as_tensor(z) for z in (close_gap(np.asarray(x), np.asarray(y), alpha), y, noise))
    clean = torch.cdist(y, moved).argmin(1)
    return (torch.cdist(y.expand(len(noise), *y.shape), moved + noise).argmin(-1) == clean).double().mean()


# %% wrong a4-plot: in the other order
def plot_sweep(alphas, agreement, survived):
    _, ax = plt.subplots()
    (
        ax.plot(alphas, survived, label="survived"),
        ax.plot(alphas, agreement, "--", label="agreement"),
        ax.axvline(1),
    )
    ax.set_xlabel("α"), ax.set_ylabel("share"), ax.set_ylim(0, 1.05), ax.legend()
    return ax


# %% wrong a4-plot: no line at 1
def plot_sweep(alphas, agreement, survived):
    _, ax = plt.subplots()
    ax.plot(alphas, agreement, "--", label="agreement"), ax.plot(alphas, survived, label="survived")
    ax.set_xlabel("α"), ax.set_ylabel("share"), ax.set_ylim(0, 1.05), ax.legend()
    return ax


# %% wrong a4-plot: a cut-off axis that makes the effect look large
def plot_sweep(alphas, agreement, survived):
    _, ax = plt.subplots()
    (
        ax.plot(alphas, agreement, "--", label="agreement"),
        ax.plot(alphas, survived, label="survived"),
        ax.axvline(1),
    )
    ax.set_xlabel("α"), ax.set_ylabel("share"), ax.set_ylim(0.6, 1), ax.legend()
    return ax


# %% wrong a4-plot: no labels
def plot_sweep(alphas, agreement, survived):
    _, ax = plt.subplots()
    (
        ax.plot(alphas, agreement, "--", label="agreement"),
        ax.plot(alphas, survived, label="survived"),
        ax.axvline(1),
    )
    ax.set_ylim(0, 1.05), ax.legend()
    return ax


# %% wrong a4-plot: no legend
def plot_sweep(alphas, agreement, survived):
    _, ax = plt.subplots()
    ax.plot(alphas, agreement, "--"), ax.plot(alphas, survived), ax.axvline(1)
    ax.set_xlabel("α"), ax.set_ylabel("share"), ax.set_ylim(0, 1.05)
    return ax


# %% wrong a4-plot: α the paper's way round
def plot_sweep(alphas, agreement, survived):
    _, ax = plt.subplots()
    (
        ax.plot(-alphas, agreement, "--", label="agreement"),
        ax.plot(-alphas, survived, label="survived"),
        ax.axvline(1),
    )
    ax.set_xlabel("α"), ax.set_ylabel("share"), ax.set_ylim(0, 1.05), ax.legend()
    return ax


# %% wrong a4-plot: gains instead of shares
def plot_sweep(alphas, agreement, survived):
    _, ax = plt.subplots()
    (
        ax.plot(alphas, agreement, "--", label="agreement"),
        ax.plot(alphas, survived - survived[0], label="gain"),
        ax.axvline(1),
    )
    ax.set_xlabel("α"), ax.set_ylabel("share"), ax.set_ylim(0, 1.05), ax.legend()
    return ax


# %% right a4-plot: pyplot, the line first
def plot_sweep(alphas, agreement, survived):
    plt.figure()
    plt.plot([1, 1], [0, 1], ":", color="grey")
    plt.plot(alphas, agreement, "s--", label="agreement")
    plt.plot(alphas, survived, "o-", label="survived")
    plt.xlabel("α"), plt.ylabel("share of answers"), plt.ylim(-0.02, 1.1), plt.legend(loc="lower right")
    return plt.gca()


# %% wrong a4-numbers: before and after exchanged
g, shift = images.mean(0) - texts.mean(0), (close_gap(texts, images, 1.0) - texts)[0]
answers = {
    "kept_by_raw_shift": np.mean(nearest(images, texts + g) == nearest(images, texts)),
    "survived_before": noisy_agreement(texts, images, noise, 1.0),
    "survived_after": noisy_agreement(texts, images, noise, 0.0),
    "length": np.linalg.norm(shift) / np.linalg.norm(g),
}

# %% wrong a4-numbers: the projected shift for the raw one
g, shift = images.mean(0) - texts.mean(0), (close_gap(texts, images, 1.0) - texts)[0]
answers = {
    "kept_by_raw_shift": 1 - np.mean(nearest(images, texts + g) == nearest(images, texts)),
    "survived_before": noisy_agreement(texts, images, noise, 0.0),
    "survived_after": noisy_agreement(texts, images, noise, 1.0),
    "length": np.linalg.norm(shift) / np.linalg.norm(g),
}

# %% wrong a4-numbers: the squared ratio
g, shift = images.mean(0) - texts.mean(0), (close_gap(texts, images, 1.0) - texts)[0]
answers = {
    "kept_by_raw_shift": np.mean(nearest(images, texts + g) == nearest(images, texts)),
    "survived_before": noisy_agreement(texts, images, noise, 0.0),
    "survived_after": noisy_agreement(texts, images, noise, 1.0),
    "length": (shift @ shift) / (g @ g),
}

# %% wrong a4-numbers: new noise of one draw
g, shift = images.mean(0) - texts.mean(0), (close_gap(texts, images, 1.0) - texts)[0]
answers = {
    "kept_by_raw_shift": np.mean(nearest(images, texts + g) == nearest(images, texts)),
    "survived_before": noisy_agreement(texts, images, noise[:1], 0.0),
    "survived_after": noisy_agreement(texts, images, noise[:1], 1.0),
    "length": np.linalg.norm(shift) / np.linalg.norm(g),
}

# %% wrong a4-numbers: fitted again on the noisy gallery
g, shift = images.mean(0) - texts.mean(0), (close_gap(texts, images, 1.0) - texts)[0]
refitted = np.mean(
    [nearest(images, close_gap(texts + e, images, 1.0)) == nearest(images, texts) for e in noise]
)
answers = {
    "kept_by_raw_shift": np.mean(nearest(images, texts + g) == nearest(images, texts)),
    "survived_before": noisy_agreement(texts, images, noise, 0.0),
    "survived_after": refitted,
    "length": np.linalg.norm(shift) / np.linalg.norm(g),
}

# %% wrong a4-numbers: one is missing
answers = {
    "survived_before": noisy_agreement(texts, images, noise, 0.0),
    "survived_after": noisy_agreement(texts, images, noise, 1.0),
}

# %% wrong a4-numbers: last year's numbers
answers = {"kept_by_raw_shift": 0.875, "survived_before": 0.61, "survived_after": 0.83, "length": 0.95}

# %% right a4-numbers: rounded
g, shift = images.mean(0) - texts.mean(0), (close_gap(texts, images, 1.0) - texts)[0]
answers = {
    "kept_by_raw_shift": round(float((nearest(images, texts + g) == nearest(images, texts)).mean()), 4)
}
answers["survived_before"] = round(float(noisy_agreement(texts, images, noise, 0.0)), 4)
answers["survived_after"] = round(float(noisy_agreement(texts, images, noise, 1.0)), 4)
answers["length"] = round(float(np.sqrt(shift @ shift / (g @ g))), 4)


# %% wrong a4-projected-gap: single precision
def projected_gap(x, y, k):
    x, y = x.astype(np.float32), y.astype(np.float32)
    g = y.mean(0) - x.mean(0)
    rows = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:k]
    return (g - rows.T @ (rows @ g)).astype(float)


# %% wrong a4-projection: single precision
def affine_projection(x, y):
    _, s, rows = np.linalg.svd(x - x.mean(0), full_matrices=False)
    rows = rows[s > s[0] * 1e-10].astype(np.float32)
    return x.mean(0) + (y - x.mean(0)) @ rows.T @ rows


# %% wrong a4-plot: the legend exchanged
def plot_sweep(alphas, agreement, survived):
    _, ax = plt.subplots()
    ax.plot(alphas, agreement, "--", label="survived"), ax.plot(alphas, survived, label="agreement")
    ax.axvline(1)
    ax.set_xlabel("α"), ax.set_ylabel("share"), ax.set_ylim(0, 1.05), ax.legend()
    return ax


# %% wrong a4-plot: two solid lines, told apart by colour alone
def plot_sweep(alphas, agreement, survived):
    _, ax = plt.subplots()
    ax.plot(alphas, agreement, label="agreement"), ax.plot(alphas, survived, label="survived")
    ax.axvline(1)
    ax.set_xlabel("α"), ax.set_ylabel("share"), ax.set_ylim(0, 1.05), ax.legend()
    return ax


# %% right a4-plot: vlines for the line at 1
def plot_sweep(alphas, agreement, survived):
    _, ax = plt.subplots()
    ax.plot(alphas, agreement, "--", label="agreement"), ax.plot(alphas, survived, label="survived")
    ax.vlines(1, 0, 1)
    ax.set_xlabel("α"), ax.set_ylabel("share"), ax.set_ylim(0, 1.05), ax.legend()
    return ax


# %% wrong a4-plot: an axis that ends below the curves
def plot_sweep(alphas, agreement, survived):
    _, ax = plt.subplots()
    ax.plot(alphas, agreement, "--", label="agreement")
    ax.plot(alphas, survived, "-", label="survived")
    ax.axvline(1)
    ax.set(xlabel="a", ylabel="b", ylim=(0, 0.3))
    ax.legend()
    return ax
