# ruff: noqa
# Answers to assignment 2, one a cell: what is wrong must lose the task's points, what is right must earn them.

# %% wrong a2-q-matrices: the two exchanged
def q_matrices(x, y, tau):
    s = -((x[:, None] - y[None]) ** 2).sum(-1) / tau
    return softmax(s, axis=0), softmax(s, axis=1)


# %% wrong a2-q-matrices: without τ
def q_matrices(x, y, tau):
    s = -((x[:, None] - y[None]) ** 2).sum(-1)
    return softmax(s, axis=1), softmax(s, axis=0)


# %% wrong a2-q-matrices: without the minus sign
def q_matrices(x, y, tau):
    s = ((x[:, None] - y[None]) ** 2).sum(-1) / tau
    return softmax(s, axis=1), softmax(s, axis=0)


# %% wrong a2-q-matrices: distances not squared
def q_matrices(x, y, tau):
    s = -np.linalg.norm(x[:, None] - y[None], axis=-1) / tau
    return softmax(s, axis=1), softmax(s, axis=0)


# %% wrong a2-q-matrices: indexed [image, text]
def q_matrices(x, y, tau):
    s = -((y[:, None] - x[None]) ** 2).sum(-1) / tau
    return softmax(s, axis=0), softmax(s, axis=1)


# %% wrong a2-q-matrices: underflows for small τ
def q_matrices(x, y, tau):
    e = np.exp(-((x[:, None] - y[None]) ** 2).sum(-1) / tau)
    return e / e.sum(1, keepdims=True), e / e.sum(0, keepdims=True)


# %% wrong a2-q-matrices: dot products of rows that are no unit vectors
def q_matrices(x, y, tau):
    s = 2 * x @ y.T / tau
    return softmax(s, axis=1), softmax(s, axis=0)


# %% wrong a2-q-matrices: one softmax over all pairs
def q_matrices(x, y, tau):
    s = -((x[:, None] - y[None]) ** 2).sum(-1) / tau
    return softmax(s), softmax(s)


# %% right a2-q-matrices: torch
def q_matrices(x, y, tau):
    import torch

    s = (
        -(
            torch.cdist(torch.as_tensor(x), torch.as_tensor(y), compute_mode="donot_use_mm_for_euclid_dist")
            ** 2
        )
        / tau
    )
    return torch.softmax(s, dim=1), torch.softmax(s, dim=0)


# %% right a2-q-matrices: loops
def q_matrices(x, y, tau):
    n = len(x)
    q_x, q_y = np.zeros((n, n)), np.zeros((n, n))
    for i in range(n):
        s = np.array([-np.sum((x[i] - y[j]) ** 2) / tau for j in range(n)])
        q_x[i] = np.exp(s - s.max()) / np.exp(s - s.max()).sum()
        s = np.array([-np.sum((x[k] - y[i]) ** 2) / tau for k in range(n)])
        q_y[:, i] = np.exp(s - s.max()) / np.exp(s - s.max()).sum()
    return q_x, q_y


# %% wrong a2-loss: averaged directions
def contrastive_loss(x, y, tau):
    from scipy.special import log_softmax

    s = -((x[:, None] - y[None]) ** 2).sum(-1) / tau
    return -(np.diag(log_softmax(s, 1)) + np.diag(log_softmax(s, 0))).mean() / 2


# %% wrong a2-loss: one direction twice, by transposing twice
def contrastive_loss(x, y, tau):
    from scipy.special import log_softmax

    s = -((x[:, None] - y[None]) ** 2).sum(-1) / tau
    return -(np.diag(log_softmax(s, 1)) + np.diag(log_softmax(s.T, 0).T)).mean()


# %% wrong a2-loss: the wrong sign
def contrastive_loss(x, y, tau):
    from scipy.special import log_softmax

    s = -((x[:, None] - y[None]) ** 2).sum(-1) / tau
    return (np.diag(log_softmax(s, 1)) + np.diag(log_softmax(s, 0))).mean()


# %% wrong a2-loss: a sum over the pairs
def contrastive_loss(x, y, tau):
    from scipy.special import log_softmax

    s = -((x[:, None] - y[None]) ** 2).sum(-1) / tau
    return -(np.diag(log_softmax(s, 1)) + np.diag(log_softmax(s, 0))).sum()


# %% wrong a2-loss: the logarithm of an underflow
def contrastive_loss(x, y, tau):
    q_x, q_y = q_matrices(x, y, tau)
    return -(np.log(np.diag(q_x)) + np.log(np.diag(q_y))).mean()


# %% wrong a2-loss: base 2
def contrastive_loss(x, y, tau):
    from scipy.special import log_softmax

    s = -((x[:, None] - y[None]) ** 2).sum(-1) / tau
    return -(np.diag(log_softmax(s, 1)) + np.diag(log_softmax(s, 0))).mean() / np.log(2)


# %% wrong a2-loss: the mean over the whole matrix
def contrastive_loss(x, y, tau):
    from scipy.special import log_softmax

    s = -((x[:, None] - y[None]) ** 2).sum(-1) / tau
    return -(log_softmax(s, 1) + log_softmax(s, 0)).mean()


# %% right a2-loss: cross entropy of torch
def contrastive_loss(x, y, tau):
    import torch

    x, y = torch.as_tensor(x), torch.as_tensor(y)
    s = -((x[:, None] - y[None]) ** 2).sum(-1) / tau
    target = torch.arange(len(x))
    return torch.nn.functional.cross_entropy(s, target) + torch.nn.functional.cross_entropy(s.T, target)


# %% right a2-loss: loops
def contrastive_loss(x, y, tau):
    total = 0.0
    for i in range(len(x)):
        row = np.array([-np.sum((x[i] - b) ** 2) / tau for b in y])
        column = np.array([-np.sum((a - y[i]) ** 2) / tau for a in x])
        for s in (row, column):
            total -= s[i] - s.max() - np.log(np.exp(s - s.max()).sum())
    return total / len(x)


# %% wrong a2-gradient: the direction of descent
def image_gradient(x, y, tau):
    w = sum(q_matrices(x, y, tau))
    return -2 / (len(x) * tau) * (2 * (y - x) - (w.sum(0)[:, None] * y - w.T @ x))


# %% wrong a2-gradient: of the texts
def image_gradient(x, y, tau):
    w = sum(q_matrices(x, y, tau))
    return 2 / (len(x) * tau) * (2 * (x - y) - (w.sum(1)[:, None] * x - w @ y))


# %% wrong a2-gradient: the attraction halved
def image_gradient(x, y, tau):
    w = sum(q_matrices(x, y, tau))
    return 2 / (len(x) * tau) * ((y - x) - (w.sum(0)[:, None] * y - w.T @ x))


# %% wrong a2-gradient: one softmax only
def image_gradient(x, y, tau):
    w = 2 * q_matrices(x, y, tau)[1]
    return 2 / (len(x) * tau) * (2 * (y - x) - (w.sum(0)[:, None] * y - w.T @ x))


# %% wrong a2-gradient: column sums taken for 1
def image_gradient(x, y, tau):
    w = sum(q_matrices(x, y, tau))
    return 2 / (len(x) * tau) * (2 * (y - x) - (2 * y - w.T @ x))


# %% wrong a2-gradient: not transposed
def image_gradient(x, y, tau):
    w = sum(q_matrices(x, y, tau))
    return 2 / (len(x) * tau) * (2 * (y - x) - (w.sum(1)[:, None] * y - w @ x))


# %% wrong a2-gradient: the factor 2/τ missing
def image_gradient(x, y, tau):
    w = sum(q_matrices(x, y, tau))
    return (2 * (y - x) - (w.sum(0)[:, None] * y - w.T @ x)) / len(x)


# %% wrong a2-gradient: 1/N missing
def image_gradient(x, y, tau):
    w = sum(q_matrices(x, y, tau))
    return 2 / tau * (2 * (y - x) - (w.sum(0)[:, None] * y - w.T @ x))


# %% wrong a2-gradient: finite differences too coarse
def image_gradient(x, y, tau):
    g = np.zeros_like(y)
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            e = np.zeros_like(y)
            e[i, j] = 1e-2
            g[i, j] = (contrastive_loss(x, y + e, tau) - contrastive_loss(x, y, tau)) / 1e-2
    return g


# %% right a2-gradient: sums written out
def image_gradient(x, y, tau):
    q_x, q_y = q_matrices(x, y, tau)
    n = len(x)
    result = np.zeros_like(y)
    for i in range(n):
        repulsion = sum((q_x[k, i] + q_y[k, i]) * (y[i] - x[k]) for k in range(n))
        result[i] = 2 / (n * tau) * (2 * (y[i] - x[i]) - repulsion)
    return result


# %% right a2-gradient: from ∂L/∂s, in torch
def image_gradient(x, y, tau):
    import torch

    x, y = torch.as_tensor(x), torch.as_tensor(y)
    s = -((x[:, None] - y[None]) ** 2).sum(-1) / tau
    pull = (s.softmax(1) + s.softmax(0) - 2 * torch.eye(len(x), dtype=x.dtype)) / len(x)
    return (pull[:, :, None] * (-2 / tau) * (y[None] - x[:, None])).sum(0)


# %% wrong a2-along-gap: a unit vector for g
def gradient_along_gap(x, y, tau):
    g = y.mean(0) - x.mean(0)
    g = g / np.linalg.norm(g)
    return 4 / (len(x) * tau**2) * np.outer((y - y.mean(0)) @ g, g)


# %% wrong a2-along-gap: not centred
def gradient_along_gap(x, y, tau):
    g = y.mean(0) - x.mean(0)
    return 4 / (len(x) * tau**2) * np.outer(y @ g, g)


# %% wrong a2-along-gap: τ not squared
def gradient_along_gap(x, y, tau):
    g = y.mean(0) - x.mean(0)
    return 4 / (len(x) * tau) * np.outer((y - y.mean(0)) @ g, g)


# %% wrong a2-along-gap: another constant
def gradient_along_gap(x, y, tau):
    g = y.mean(0) - x.mean(0)
    return 2 / (len(x) * tau**2) * np.outer((y - y.mean(0)) @ g, g)


# %% wrong a2-along-gap: about the texts' mean
def gradient_along_gap(x, y, tau):
    g = y.mean(0) - x.mean(0)
    return 4 / (len(x) * tau**2) * np.outer((y - x.mean(0)) @ g, g)


# %% wrong a2-along-gap: the coefficients without the direction
def gradient_along_gap(x, y, tau):
    g = y.mean(0) - x.mean(0)
    return 4 / (len(x) * tau**2) * (y - y.mean(0)) @ g


# %% wrong a2-along-gap: the wrong sign
def gradient_along_gap(x, y, tau):
    g = y.mean(0) - x.mean(0)
    return -4 / (len(x) * tau**2) * np.outer((y - y.mean(0)) @ g, g)


# %% right a2-along-gap: torch and einsum
def gradient_along_gap(x, y, tau):
    import torch

    x, y = torch.as_tensor(x), torch.as_tensor(y)
    g = y.mean(0) - x.mean(0)
    return torch.einsum("i,d->id", (y - y.mean(0)) @ g, g).mul(4 / (len(x) * tau**2))


# %% wrong a2-pull: the wrong sign
def pull_along(column_sums, gap_along_v, tau):
    return 2 / (len(column_sums) * tau) * (column_sums - 1) * gap_along_v


# %% wrong a2-pull: 2 − S for 1 − S
def pull_along(column_sums, gap_along_v, tau):
    return 2 / (len(column_sums) * tau) * (2 - column_sums) * gap_along_v


# %% wrong a2-pull: without 1/N
def pull_along(column_sums, gap_along_v, tau):
    return 2 / tau * (1 - column_sums) * gap_along_v


# %% wrong a2-pull: without the gap
def pull_along(column_sums, gap_along_v, tau):
    return 2 / (len(column_sums) * tau) * (1 - column_sums)


# %% wrong a2-pull: twice as much
def pull_along(column_sums, gap_along_v, tau):
    return 4 / (len(column_sums) * tau) * (1 - column_sums) * gap_along_v


# %% wrong a2-pull: the mean over the images
def pull_along(column_sums, gap_along_v, tau):
    return 2 / (len(column_sums) * tau) * np.mean(1 - column_sums) * gap_along_v


# %% wrong a2-pull: always zero, as if the sums were always 1
def pull_along(column_sums, gap_along_v, tau):
    return np.zeros(len(column_sums))


# %% right a2-pull: a list
def pull_along(column_sums, gap_along_v, tau):
    n = len(column_sums)
    return [2 * gap_along_v / (n * tau) * (1 - float(s)) for s in column_sums]


# %% wrong a2-plot-phases: in the other order
def plot_phases(steps, gap, variance):
    _, ax = plt.subplots()
    ax.loglog(steps[1:], variance[1:], "--", label="variance")
    ax.loglog(steps[1:], gap[1:], label="gap")
    ax.set_xlabel("step"), ax.set_ylabel("value"), ax.legend()
    return ax


# %% wrong a2-plot-phases: linear axes
def plot_phases(steps, gap, variance):
    _, ax = plt.subplots()
    ax.plot(steps[1:], gap[1:], label="gap")
    ax.plot(steps[1:], variance[1:], "--", label="variance")
    ax.set_xlabel("step"), ax.set_ylabel("value"), ax.legend()
    return ax


# %% wrong a2-plot-phases: with step 0
def plot_phases(steps, gap, variance):
    _, ax = plt.subplots()
    ax.loglog(steps, gap, label="gap")
    ax.loglog(steps, variance, "--", label="variance")
    ax.set_xlabel("step"), ax.set_ylabel("value"), ax.legend()
    return ax


# %% wrong a2-plot-phases: no labels
def plot_phases(steps, gap, variance):
    _, ax = plt.subplots()
    ax.loglog(steps[1:], gap[1:], label="gap")
    ax.loglog(steps[1:], variance[1:], "--", label="variance")
    ax.legend()
    return ax


# %% wrong a2-plot-phases: over the index instead of the steps
def plot_phases(steps, gap, variance):
    _, ax = plt.subplots()
    ax.loglog(2 * np.arange(1, len(gap)), gap[1:], label="gap")
    ax.loglog(2 * np.arange(1, len(gap)), variance[1:], "--", label="variance")
    ax.set_xlabel("step"), ax.set_ylabel("value"), ax.legend()
    return ax


# %% wrong a2-plot-phases: only the gap
def plot_phases(steps, gap, variance):
    _, ax = plt.subplots()
    ax.loglog(steps[1:], gap[1:], label="gap")
    ax.set_xlabel("step"), ax.set_ylabel("value"), ax.legend(["gap", "variance"])
    return ax


# %% wrong a2-plot-phases: relative to the first value
def plot_phases(steps, gap, variance):
    _, ax = plt.subplots()
    ax.loglog(steps[1:], gap[1:] / gap[0], label="gap")
    ax.loglog(steps[1:], variance[1:] / variance[0], "--", label="variance")
    ax.set_xlabel("step"), ax.set_ylabel("value"), ax.legend()
    return ax


# %% right a2-plot-phases: pyplot, one call, scales set afterwards
def plot_phases(steps, gap, variance):
    plt.figure()
    lines = plt.plot(steps[1:], np.stack([gap, variance], 1)[1:])
    lines[1].set_linestyle("--")
    plt.xscale("log"), plt.yscale("log")
    plt.xlabel("steps of descent"), plt.ylabel("gap, and variance relative to isotropic")
    plt.legend(lines, ["gap", "variance along it"])
    return plt.gca()


# %% wrong a2-numbers: the position instead of the step
below = run.variance_along_gap_y < run.variance_along_gap_y[0] / 10_000
answers = {
    "collapse_step": int(below.argmax()),
    "gap_kept": run.gap[-1] / run.gap[0],
    "accuracy": run.accuracy[-1],
}

# %% wrong a2-numbers: below one tenth
below = run.variance_along_gap_y < run.variance_along_gap_y[0] / 10
answers = {
    "collapse_step": int(run.steps[below.argmax()]),
    "gap_kept": run.gap[-1] / run.gap[0],
    "accuracy": run.accuracy[-1],
}

# %% wrong a2-numbers: how much the gap lost
below = run.variance_along_gap_y < run.variance_along_gap_y[0] / 10_000
answers = {
    "collapse_step": int(run.steps[below.argmax()]),
    "gap_kept": 1 - run.gap[-1] / run.gap[0],
    "accuracy": run.accuracy[-1],
}

# %% wrong a2-numbers: the accuracy at the start
below = run.variance_along_gap_y < run.variance_along_gap_y[0] / 10_000
answers = {
    "collapse_step": int(run.steps[below.argmax()]),
    "gap_kept": run.gap[-1] / run.gap[0],
    "accuracy": run.accuracy[0],
}

# %% wrong a2-numbers: one is missing
answers = {"gap_kept": run.gap[-1] / run.gap[0], "accuracy": run.accuracy[-1]}

# %% wrong a2-numbers: the numbers of the lecture
answers = {"collapse_step": 10, "gap_kept": 0.997, "accuracy": 0.885}

# %% right a2-numbers: a loop and rounded
for step, value in zip(run.steps.tolist(), run.variance_along_gap_y.tolist()):
    if value < 1e-4 * run.variance_along_gap_y[0]:
        break
answers = dict(
    collapse_step=step, gap_kept=round(float(run.gap[-1] / run.gap[0]), 4), accuracy=float(run.accuracy[-1])
)


# %% wrong a2-q-matrices: single precision
def q_matrices(x, y, tau):
    s = (-((x[:, None] - y[None]) ** 2).sum(-1) / tau).astype(np.float32)
    return softmax(s, axis=1), softmax(s, axis=0)


# %% right a2-q-matrices: one array
def q_matrices(x, y, tau):
    s = -((x[:, None] - y[None]) ** 2).sum(-1) / tau
    return np.stack([softmax(s, axis=1), softmax(s, axis=0)])


# %% right a2-q-matrices: a list of tensors
def q_matrices(x, y, tau):
    import torch

    s = -((torch.as_tensor(x)[:, None] - torch.as_tensor(y)[None]) ** 2).sum(-1) / tau
    return [s.softmax(1), s.softmax(0)]


# %% wrong a2-loss: single precision
def contrastive_loss(x, y, tau):
    from scipy.special import log_softmax

    s = (-((x[:, None] - y[None]) ** 2).sum(-1) / tau).astype(np.float32)
    return float(-(np.diag(log_softmax(s, 1)) + np.diag(log_softmax(s, 0))).mean())


# %% wrong a2-gradient: single precision
def image_gradient(x, y, tau):
    x, y = x.astype(np.float32), y.astype(np.float32)
    w = sum(q_matrices(x, y, tau))
    return (2 / (len(x) * tau) * (2 * (y - x) - (w.sum(0)[:, None] * y - w.T @ x))).astype(float)


# %% wrong a2-plot-phases: the legend exchanged
def plot_phases(steps, gap, variance):
    _, ax = plt.subplots()
    ax.loglog(steps[1:], gap[1:], "-", label="variance along g")
    ax.loglog(steps[1:], variance[1:], "--", label="gap")
    ax.set_xlabel("step"), ax.set_ylabel("value"), ax.legend()
    return ax


# %% wrong a2-plot-phases: told apart by colour alone
def plot_phases(steps, gap, variance):
    _, ax = plt.subplots()
    ax.loglog(steps[1:], gap[1:], label="gap")
    ax.loglog(steps[1:], variance[1:], label="variance along g")
    ax.set_xlabel("step"), ax.set_ylabel("value"), ax.legend()
    return ax


# %% wrong a2-plot-phases: the legend exchanged, abbreviated
def plot_phases(steps, gap, variance):
    _, ax = plt.subplots()
    m = steps > 0
    ax.loglog(steps[m], gap[m], "-", label="Var along g")
    ax.loglog(steps[m], variance[m], "--", label="gap")
    ax.set(xlabel="s", ylabel="v")
    ax.legend()
    return ax


# %% wrong a2-numbers: no recorded step
below = run.variance_along_gap_y < run.variance_along_gap_y[0] / 1e4
answers = {
    "collapse_step": run.steps[below.argmax()] + 0.9,
    "gap_kept": round(run.gap[-1] / run.gap[0], 4),
    "accuracy": 1,
}
