# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A2 · Derive and check the gradient
#
# **You will be able to** write the contrastive loss and its gradient from the formula, and check a derivation by
# machine; say what dominates the gradient early in training (Theorem 3.1) and why the gap then stops moving
# (Theorem 3.2); tell the regime in which an approximation holds from the one in which it does not.
#
# **Before you start:** lesson 02; chain rule, softmax, matrix products. **Time:** three hours.
# **Points:** 100, of which 80 are given by tests and 20 by a person.
#
# | task | points | | task | points |
# |---|---|---|---|---|
# | 1 the two softmax matrices | 15 | | 6 picture of the two phases | 10 |
# | 2 the loss | 10 | | 7 your numbers | 5 |
# | 3 the gradient | 20 | | 8 derive it (written) | 10 |
# | 4 Theorem 3.1 | 10 | | 9 frozen or drifting (written) | 10 |
# | 5 Theorem 3.2 | 10 | | | |
#
# **How it works.** Write where it says `YOUR CODE HERE`: loops or matrix products, numpy or torch, in float64, without
# changing the inputs. Automatic differentiation is a good check of task 3 and not an answer to it. Test cells say at once what
# differs; the grading adds inputs you have not seen. Leave locked cells as they are and keep every cell.
#
# **What the grading allows.** 30 seconds of computing for a cell or a call of one of your functions, 240 seconds for the notebook, 1.5 GiB of memory beyond
# the imports; files are written in the notebook's own folder only. A cell that is not valid Python, that is missing or that passes a limit costs its own task,
# and so does a task that needs it; locked cells are put back as they were; tasks of more than 10 points are judged in parts. Run the notebook from top to bottom before
# you hand it in, and hand in the `.ipynb` file.

# %% nbgrader={"grade": false, "grade_id": "a2-setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import softmax

import gapkit
from gapkit import check

SEED = 2026

_rng = np.random.default_rng(SEED)
TAU = round(float(_rng.uniform(0.045, 0.06)), 3)
_n, _d = int(_rng.integers(70, 91)), int(_rng.integers(7, 10))
run = gapkit.contrastive.simulate("cones", n=_n, d=_d, tau=TAU, steps=300, seed=SEED)  # free embeddings

# %% [markdown]
# ## 1 The two softmax matrices (15 points)
#
# Texts `x` and images `y`, row by row partners, both `(N, d)`. With $s_{ij} = -\|x_i - y_j\|^2/\tau$ (Eq. 6 of Chowers et al. 2026)
#
# $$ Q^x(i, j) = \frac{e^{s_{ij}}}{\sum_{j'} e^{s_{ij'}}}, \qquad Q^y(i, j) = \frac{e^{s_{ij}}}{\sum_{i'} e^{s_{i'j}}} . $$
#
# The first index is always the text. $Q^x$ asks a text for its image, so its *rows* sum to 1; $Q^y$ asks an image for
# its text. Write `q_matrices(x, y, tau)`, which returns `(q_x, q_y)`. It must survive small τ, where $e^{s}$
# underflows.
#
# <details><summary>Hint 1</summary>Distances of all pairs: <code>((x[:, None] - y[None]) ** 2).sum(-1)</code>.</details>
# <details><summary>Hint 2</summary>A softmax does not change if you subtract the largest entry first.</details>


# %% nbgrader={"grade": false, "grade_id": "a2-q-matrices", "locked": false, "schema_version": 3, "solution": true, "task": false}
def q_matrices(x, y, tau):
    """The matrices (Q^x, Q^y), both (N, N) and indexed [text, image]."""
    ### BEGIN SOLUTION
    s = -((x[:, None] - y[None]) ** 2).sum(-1) / tau
    return softmax(s, axis=1), softmax(s, axis=0)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "a2-q-matrices-test", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
# check 8: ordinary inputs
check(q_matrices)


### BEGIN HIDDEN TESTS
# check 5: a small temperature
def _q_by_loops(x, y, tau):
    n = len(x)
    s = np.array([[-sum((x[i] - y[j]) ** 2) / tau for j in range(n)] for i in range(n)])
    rows = np.array([np.exp(r - r.max()) / np.exp(r - r.max()).sum() for r in s])
    columns = np.array([np.exp(c - c.max()) / np.exp(c - c.max()).sum() for c in s.T]).T
    return rows, columns


check.Check(
    "q_matrices",
    _q_by_loops,
    lambda rng: (*rng.normal(size=(2, 5, 11)), float(rng.uniform(1e-4, 1e-3))),
    rtol=1e-7,  # logits of 10⁵ carry the rounding of their distances, however these are computed
    parts=("Qˣ", "Qʸ"),
)(q_matrices)
# check 2: one pair
check.Check(
    "q_matrices", _q_by_loops, lambda rng: (*rng.normal(size=(2, 1, 3)), 1.0), parts=("Qˣ", "Qʸ"), rounds=1
)(q_matrices)
### END HIDDEN TESTS

# %% [markdown]
# ## 2 The loss (10 points)
#
# $$ L = -\frac1N \sum_i \big[\log Q^x(i,i) + \log Q^y(i,i)\big] . $$
#
# Write `contrastive_loss(x, y, tau)`. (OpenCLIP averages the two directions where Eq. 6 adds them: its value is half
# of this one. A public notebook transposes twice and so counts one direction twice; you will not.)
#
# <details><summary>Hint</summary>The logarithm of a probability that underflowed is −∞. Take it before the
# exponential: <code>scipy.special.log_softmax</code> or <code>logsumexp</code>.</details>


# %% nbgrader={"grade": false, "grade_id": "a2-loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def contrastive_loss(x, y, tau):
    """The symmetric contrastive loss of Eq. 6, a number."""
    ### BEGIN SOLUTION
    from scipy.special import logsumexp

    s = -((x[:, None] - y[None]) ** 2).sum(-1) / tau
    return (logsumexp(s, axis=1) + logsumexp(s, axis=0) - 2 * np.diag(s)).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "a2-loss-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
check(contrastive_loss)
### BEGIN HIDDEN TESTS
check.Check(
    "contrastive_loss",
    gapkit.contrastive.contrastive_loss,
    lambda rng: (*rng.normal(size=(2, 6, 4)), float(rng.uniform(1e-4, 1e-3))),
)(contrastive_loss)
check.Check(
    "contrastive_loss",
    gapkit.contrastive.contrastive_loss,
    lambda rng: (*rng.normal(size=(2, int(rng.integers(2, 30)), 4)), float(rng.uniform(0.5, 50))),
)(contrastive_loss)
### END HIDDEN TESTS

# %% [markdown]
# ## 3 The gradient (20 points)
#
# Derive $\partial L/\partial y_i$ (you will hand in the derivation in task 8) and write `image_gradient(x, y, tau)`:
# all of them, shape `(N, d)`. Every image is pulled towards its own text and pushed away from all texts, in proportion to
# how much the two take each other for partners.
#
# <details><summary>Hint 1</summary>L depends on y_i only through column i of s. What is ∂s_{ki}/∂y_i?</details>
# <details><summary>Hint 2</summary>∂L/∂s_{ki} = (Q^x(k,i) + Q^y(k,i) − 2·[k = i])/N. Check this first, with finite differences.</details>
# <details><summary>Hint 3</summary>Compare with torch: <code>loss.backward()</code> on your own loss, in float64.</details>


# %% nbgrader={"grade": false, "grade_id": "a2-gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def image_gradient(x, y, tau):
    """The gradient of Eq. 6 with respect to every image, (N, d)."""
    ### BEGIN SOLUTION
    q_x, q_y = q_matrices(x, y, tau)
    weights = q_x + q_y  # [text k, image i]
    repulsion = weights.sum(0)[:, None] * y - weights.T @ x
    return 2 / (len(x) * tau) * (2 * (y - x) - repulsion)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "a2-gradient-test", "locked": true, "points": 20, "schema_version": 3, "solution": false, "task": false}
# check 10: ordinary inputs
check(image_gradient)


### BEGIN HIDDEN TESTS
# check 10: temperatures from 0.3 to 30
def _by_autograd(x, y, tau):
    import torch

    x, y = torch.from_numpy(x), torch.from_numpy(y).requires_grad_()
    s = -(torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist") ** 2) / tau
    loss = -(s.log_softmax(1).diagonal() + s.log_softmax(0).diagonal()).mean()
    return torch.autograd.grad(loss, y)[0].numpy()


for _tau in (0.3, 3.0, 30.0):
    check.Check("image_gradient", _by_autograd, lambda rng: (*rng.normal(size=(2, 9, 4)), _tau), rounds=3)(
        image_gradient
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 4 Theorem 3.1: what dominates the gradient (10 points)
#
# For two tight clusters far apart, $S_i = \sum_k Q^x(k, i) \approx 1 - \tfrac2\tau\, g\cdot(y_i - \mu_y)$, and
#
# $$ \frac{\partial L}{\partial y_i} \approx \frac{4}{N\tau^2}\, \big[g\cdot(y_i - \mu_y)\big]\, g . $$
#
# Write the right-hand side, `gradient_along_gap(x, y, tau)`, shape `(N, d)`. Then look, in a cell of your own, at how
# it compares with `image_gradient` for clusters of radius 0.005 at distance 1: at τ = 0.5 and at τ = 0.01 with radius
# 0.0001. You will need it in task 8.


# %% nbgrader={"grade": false, "grade_id": "a2-along-gap", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gradient_along_gap(x, y, tau):
    """Theorem 3.1's approximation of the images' gradient, (N, d)."""
    ### BEGIN SOLUTION
    g = y.mean(0) - x.mean(0)
    return 4 / (len(x) * tau**2) * np.outer((y - y.mean(0)) @ g, g)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "a2-along-gap-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
check(gradient_along_gap)


### BEGIN HIDDEN TESTS
def _theorem(x, y, tau):
    g = y.mean(0) - x.mean(0)
    return np.array([4 / (len(x) * tau * tau) * (g @ (row - y.mean(0))) * g for row in y])


check.Check(
    "gradient_along_gap",
    _theorem,
    lambda rng: (rng.normal(size=(13, 5)) - 3, 4 + rng.normal(size=(13, 5)), float(rng.uniform(0.01, 20))),
)(gradient_along_gap)
### END HIDDEN TESTS

# %% [markdown]
# ## 5 Theorem 3.2: why the gap freezes (10 points)
#
# Suppose each modality is constant along a unit direction $v$: $x_k\cdot v = a$ and $y_i\cdot v = b$ for all $k, i$.
# Put this into your gradient. The component along $v$ of the gradient of $y_i$ then depends on the data only through the
# column sums $S_i = \sum_k Q^x(k, i)$, through $g \cdot v = b - a$, N and τ. Find the formula and write
# `pull_along(column_sums, gap_along_v, tau)`, which returns these components for all images, shape `(N,)`. When is it zero?
#
# <details><summary>Hint</summary>Columns of Q^y sum to 1, always. (y_i − x_k)·v is the same number for all i and k.</details>


# %% nbgrader={"grade": false, "grade_id": "a2-pull", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pull_along(column_sums, gap_along_v, tau):
    """Components of the images' gradients along v, (N,), from S_i, (N,), and g·v, a number."""
    ### BEGIN SOLUTION
    return 2 / (len(column_sums) * tau) * (1 - column_sums) * gap_along_v
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "a2-pull-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
_zero = np.asarray(pull_along(np.ones(5), 0.7, 0.05))
assert _zero.shape == (5,), f"one number for each image is asked for: shape (5,), not {_zero.shape}"
assert np.abs(_zero).max() < 1e-12, "with doubly stochastic matrices (all S_i = 1) there is no pull along v"


### BEGIN HIDDEN TESTS
def _measured_pull(rng):
    n, d, tau, gap = int(rng.integers(5, 12)), 4, float(rng.uniform(0.5, 4)), float(rng.normal())
    x, y = rng.normal(size=(2, n, d))
    x[:, 2], y[:, 2] = 1.5, 1.5 + gap
    gradient = gapkit.contrastive.contrastive_gradient(x, y, tau)[1]
    sums = gapkit.contrastive.q_matrices(x, y, tau)[0].sum(0)
    return (sums, gap, tau), gradient[:, 2]


_cases = {}


def _draw_pull(rng):
    arguments, right = _measured_pull(rng)
    _cases[arguments[1]] = right
    return arguments


check.Check("pull_along", lambda sums, gap, tau: _cases[gap], _draw_pull)(pull_along)
### END HIDDEN TESTS

# %% [markdown]
# ## 6 See the two phases (10 points)
#
# `run` holds a descent of the loss on free embeddings: `run.steps`, `run.gap` (the length of the gap) and
# `run.variance_along_gap_y` (relative to isotropic). Write `plot_phases(steps, gap, variance)`: two lines over the steps, the gap
# solid and the variance dashed, in this order, both axes labelled, a legend with two entries. Leave out step 0 so
# that the horizontal axis can be logarithmic, and make both axes logarithmic. Return the `Axes`.
#
# The target: the variance along the gap (dashed) falls by orders of magnitude within ten steps, while the gap
# (solid) stays where it was.
#
# ![Target: log-log plot; the solid gap line is flat at one, the dashed variance line falls steeply in the first ten steps and goes on falling](target:a2-plot-phases)


# %% nbgrader={"grade": false, "grade_id": "a2-plot-phases", "locked": false, "schema_version": 3, "solution": true, "task": false}
def plot_phases(steps, gap, variance):
    """Gap and variance along it over the steps from 1 on; returns the Axes."""
    ### BEGIN SOLUTION
    _, ax = plt.subplots(figsize=(6, 4))
    later = steps > 0
    ax.loglog(steps[later], gap[later], "-", label="gap ‖g‖")
    ax.loglog(steps[later], variance[later], "--", label="variance along g, relative")
    ax.set_xlabel("step")
    ax.set_ylabel("value")
    ax.legend()
    return ax
    ### END SOLUTION


plot_phases(run.steps, run.gap, run.variance_along_gap_y)

# %% nbgrader={"grade": true, "grade_id": "a2-plot-phases-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
_axes = check.describe(plot_phases(run.steps, run.gap, run.variance_along_gap_y))
_axes.must_be_labelled(legend=2)
assert len(_axes.lines) == 2, f"two lines are asked for; there are {len(_axes.lines)}"


### BEGIN HIDDEN TESTS
def _compare_phases():
    rng = check.fresh_rng()
    steps = np.arange(int(rng.integers(20, 40)))
    gap, variance = (
        1 + 0.1 * rng.uniform(size=len(steps)),
        np.exp(-steps / 3) * rng.uniform(0.5, 1, len(steps)),
    )
    axes = check.describe(plot_phases(steps, gap, variance))
    axes.must_be_labelled(legend=2)
    assert len(axes.lines) == 2, "two lines are asked for"
    for line, values, name in zip(axes.lines, (gap, variance), ("gap", "variance"), strict=True):
        assert line.shape == (len(steps) - 1, 2), f"the line of the {name} must have every step but step 0"
        assert np.allclose(line[:, 0], steps[1:]), f"the {name} is not drawn at its steps"
        assert np.allclose(line[:, 1], values[1:]), (
            f"the {name} is not drawn as it is (the order is gap, variance)"
        )
    assert axes.scales == ["log", "log"], "both axes must be logarithmic"
    look = axes.lines_drawn
    axes.must_not_be_swapped(look[0], look[1], "var")
    assert [one["linestyle"] for one in look] == ["-", "--"], (
        "the gap is a solid line, the variance a dashed one"
    )


_compare_phases()
### END HIDDEN TESTS

# %% [markdown]
# ## 7 Your numbers (5 points)
#
# From `run`, put into the dictionary `answers`: `"collapse_step"`, the first recorded step at which the images'
# relative variance along the gap is below one ten-thousandth of what it was at step 0 (not every step was recorded); `"gap_kept"`, the final gap divided by the first; `"accuracy"`, the accuracy at the end.

# %% nbgrader={"grade": false, "grade_id": "a2-numbers", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
below = run.variance_along_gap_y < run.variance_along_gap_y[0] / 10_000
answers = {
    "collapse_step": int(run.steps[below.argmax()]),
    "gap_kept": run.gap[-1] / run.gap[0],
    "accuracy": run.accuracy[-1],
}
answers
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "a2-numbers-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
_missing = {"collapse_step", "gap_kept", "accuracy"} - set(answers)
assert not _missing, f"answers lacks {sorted(_missing)}"
### BEGIN HIDDEN TESTS
_collapsed = [
    s
    for s, v in zip(run.steps, run.variance_along_gap_y, strict=True)
    if v < run.variance_along_gap_y[0] / 10_000
]
assert abs(np.asarray(answers["collapse_step"], dtype=float).item() - _collapsed[0]) < 1e-9, (
    "answers['collapse_step'] is not right"
)
assert abs(np.asarray(answers["gap_kept"], dtype=float).item() - run.gap[-1] / run.gap[0]) < 1e-4, (
    "answers['gap_kept'] is not right"
)
assert abs(np.asarray(answers["accuracy"], dtype=float).item() - run.accuracy[-1]) < 1e-9, (
    "answers['accuracy'] is not right"
)
### END HIDDEN TESTS

# %% [markdown]
# ## 8 The derivation (10 points, written)
#
# Derive ∂L/∂y_i step by step, and from it Theorem 3.1's approximation. Say for which τ and cluster radius the approximation
# holds, with a number from your own comparison in task 4.
#
# | what is looked for | points |
# |---|---|
# | ∂L/∂s_{ki}, with both softmaxes and the pair's own term | 3 |
# | ∂s_{ki}/∂y_i and the chain rule, down to attraction and repulsion | 3 |
# | the column sums S_i as what is left along the gap, and their first-order expansion | 2 |
# | the regime, ‖g‖²/τ large and radius·‖g‖/τ small, with a measured example inside and one outside | 2 |

# %% [markdown] nbgrader={"grade": true, "grade_id": "a2-derivation", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# *Model answer.* L = −(1/N) Σ_i [2 s_ii − log Σ_j e^{s_ij} − log Σ_j e^{s_ji}], so
# ∂L/∂s_ki = (Q^x(k,i) + Q^y(k,i) − 2·1[k=i])/N. Since s_ki = −‖x_k − y_i‖²/τ, ∂s_ki/∂y_i = −2(y_i − x_k)/τ, and only
# column i of s contains y_i. Hence ∂L/∂y_i = (2/(Nτ)) [2(y_i − x_i) − Σ_k (Q^x(k,i) + Q^y(k,i))(y_i − x_k)]: the first
# term attracts to the partner under descent, the second repels. For tight clusters every y_i − x_k is g up to the
# radius ε, the columns of Q^y sum to 1, so along g there remains (2/(Nτ))(1 − S_i) g. With x = μ_x + a_k, y = μ_y + b_i,
# the terms of s_ki that depend on i within row k are −2g·b_i/τ + O(ε²/τ), so Q^x(k,i) ≈ (1/N)(1 − 2g·b_i/τ) and
# S_i ≈ 1 − (2/τ) g·(y_i − μ_y), which gives (4/(Nτ²)) [g·(y_i − μ_y)] g. The expansion needs ε‖g‖/τ ≪ 1; that this part
# outweighs the attraction to the partner needs ‖g‖²/τ ≫ 1. Measured (N = 200, d = 16, ‖g‖ = 1, six draws of the clusters): the relative residual along g
# is 46 to 62 % at τ = 0.5, ε = 0.005 (outside) and 1.5 to 1.8 % at τ = 0.01, ε = 0.0001 (inside).

# %% [markdown]
# ## 9 Frozen or drifting? (10 points, written)
#
# In `run` the gap hardly moves after the first steps. On the unit sphere the same descent lets it shrink slowly. Explain both.
#
# | what is looked for | points |
# |---|---|
# | Theorem 3.2: the pull along v is proportional to (1 − S_i), and what makes S_i = 1 | 4 |
# | why the variance along the gap must collapse first | 2 |
# | what the sphere changes: the constraint couples the gap direction with the others | 3 |
# | a number from this notebook that supports the answer | 1 |

# %% [markdown] nbgrader={"grade": true, "grade_id": "a2-frozen", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# *Model answer.* Once nothing varies along v inside a modality, the component of the gradient along v is
# (2/(Nτ))(1 − S_i)(g·v). Column sums S_i equal to 1 (a doubly stochastic Q^x) make it vanish, however wide the gap is.
# Before that, the variance along the gap must go, because the first-order pull of Theorem 3.1 acts on just this
# variance: images that stick out towards the texts get more than their share of every row (S_i > 1) and are pushed back, until all are alike
# along g, S_i = 1 and the pull is gone. The other directions go on aligning, so accuracy rises to 1 with the gap as it was
# (`answers["gap_kept"]` is close to 1). On the sphere the rows cannot move freely: a step that spreads or aligns the
# other coordinates must be paid for along the gap direction, since all squared coordinates sum to 1, and the gradient
# that counts is the one projected onto the tangent space. The component along g is then no longer zero, and the gap drifts slowly.
