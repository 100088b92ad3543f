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
# # A1 · Measure a gap
#
# **You will be able to** write the usual measures of a modality gap from their formulas; say what chance alone
# would give, and compare; draw two modalities so that the gap is seen; judge, with numbers, whether the gap is
# orthogonal to what varies inside a modality.
#
# **Before you start:** lessons 00, 01 and 03; means, variances and principal components; numpy or torch.
# **Time:** two to three hours. **Points:** 100, of which 80 are given by tests and 20 by a person.
#
# | task | points | | task | points |
# |---|---|---|---|---|
# | 1 gap vector | 10 | | 6 picture | 10 |
# | 2 relative modality gap | 15 | | 7 your numbers | 5 |
# | 3 variance along the gap | 15 | | 8 is it orthogonal? (written) | 10 |
# | 4 share in leading components | 15 | | 9 why so small a cosine? (written) | 10 |
# | 5 chance | 10 | | | |
#
# **How it works.** Write between the lines where it says `YOUR CODE HERE`. Loops or matrix products, numpy or torch:
# as you like, in float64. Functions get numpy arrays (or torch tensors, if they cannot take arrays) and must not
# change them. Each test cell tells you at once what differs; the grading adds inputs you have not seen. Leave the
# locked cells as they are, keep every cell, and do not call gapkit's own function where you are asked to write it.
#
# **What the grading allows.** 30 seconds of computing for a cell or a call of one of your functions, 240 seconds for the notebook, 1.5 GiB of memory beyond
# the imports; files are written in the notebook's own folder only. A cell that is not valid Python, that is missing or that passes a limit costs its own task,
# and so does a task that needs it; locked cells are put back as they were; tasks of more than 10 points are judged in parts. Run the notebook from top to bottom before
# you hand it in, and hand in the `.ipynb` file.

# %% nbgrader={"grade": false, "grade_id": "a1-setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt
import numpy as np

import gapkit
from gapkit import check

SEED = 2026
DATASET = "miniclip-wide/scenes100"

_texts, _images = gapkit.load_embeddings(DATASET).matched()
_rows = np.random.default_rng(SEED).permutation(len(_images))[:400]
texts = np.asarray(_texts[_rows], dtype=np.float64)  # x, the gallery: row i describes image i
images = np.asarray(_images[_rows], dtype=np.float64)  # y, the queries
COMPONENTS = min(20, len(np.unique(texts, axis=0)) - 1)  # K different texts have K − 1 principal components

# %% [markdown]
# ## 1 The gap vector (10 points)
#
# The gap points from the centre of the gallery `x` to the centre of the queries `y` (Eq. 4 of Chowers et al. 2026):
#
# $$ g = \mu_y - \mu_x . $$
#
# Write `gap_vector(x, y)`. The two may have different numbers of rows; the result has shape `(d,)`.
#
# <details><summary>Hint</summary>Which axis counts the points, and which the dimensions?</details>


# %% nbgrader={"grade": false, "grade_id": "a1-gap-vector", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gap_vector(x, y):
    """The vector from the mean of x, (n, d), to the mean of y, (m, d)."""
    ### BEGIN SOLUTION
    return y.mean(0) - x.mean(0)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "a1-gap-vector-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
check(gap_vector)
### BEGIN HIDDEN TESTS
check.Check(
    "gap_vector",
    lambda x, y: np.ones(len(y)) @ y / len(y) - np.ones(len(x)) @ x / len(x),
    lambda rng: (100 + rng.normal(size=(int(rng.integers(2, 40)), 17)), rng.normal(size=(1, 17))),
)(gap_vector)
### END HIDDEN TESTS

# %% [markdown]
# ## 2 The relative modality gap (15 points)
#
# How large is a gap of 0.7? That depends on how far apart the points of one modality are. Schrodi et al. (2025)
# compare the two. With the dissimilarity $\delta(a, b) = (1 - \cos(a, b))/2$ let $m$ be its mean over matched pairs
# $(x_i, y_i)$, and $\bar\delta_{xx}$ its mean over all $i \neq j$ inside `x`. Then
#
# $$ \mathrm{RMG} = \frac{m}{m + (\bar\delta_{xx} + \bar\delta_{yy})/2} . $$
#
# Write `rmg(x, y)` for any rows, not only for rows of length 1.
#
# <details><summary>Hint 1</summary>Divide every row by its length; then cosines are entries of <code>x @ x.T</code>.</details>
# <details><summary>Hint 2</summary>A point is not its own neighbour. How many pairs with i ≠ j are there?</details>


# %% nbgrader={"grade": false, "grade_id": "a1-rmg", "locked": false, "schema_version": 3, "solution": true, "task": false}
def rmg(x, y):
    """The relative modality gap of matched rows x and y, both (n, d)."""
    ### BEGIN SOLUTION
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    y = y / np.linalg.norm(y, axis=1, keepdims=True)
    n = len(x)

    def inside(z):
        deltas = (1 - z @ z.T) / 2
        return (deltas.sum() - np.trace(deltas)) / (n * (n - 1))

    between = ((1 - (x * y).sum(1)) / 2).mean()
    return between / (between + (inside(x) + inside(y)) / 2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "a1-rmg-test", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
# check 8: ordinary inputs
check(rmg)


### BEGIN HIDDEN TESTS
# check 4: few points, far from the other modality
def _rmg_by_loops(x, y):
    def delta(a, b):
        return (1 - float(a @ b) / (float(a @ a) * float(b @ b)) ** 0.5) / 2

    pairs = [(i, j) for i in range(len(x)) for j in range(len(x)) if i != j]
    m = sum(delta(a, b) for a, b in zip(x, y, strict=True)) / len(x)
    within = sum(delta(x[i], x[j]) + delta(y[i], y[j]) for i, j in pairs) / len(pairs)
    return m / (m + within / 2)


check.Check("rmg", _rmg_by_loops, lambda rng: (rng.normal(size=(3, 9)), 5 + 0.1 * rng.normal(size=(3, 9))))(
    rmg
)
# check 3: two dimensions
check.Check("rmg", _rmg_by_loops, lambda rng: tuple(7 * rng.normal(size=(2, 30, 2)) + 1))(rmg)
### END HIDDEN TESTS

# %% [markdown]
# ## 3 Variance along the gap (15 points)
#
# Assumption 3.3 of the paper says that inside a modality nothing varies along $g$. Measure how far that is from the
# truth: the variance along a direction $v$, relative to what an isotropic cloud of the same total variance has along
# *every* direction,
#
# $$ \frac{\operatorname{Var}\big((z - \mu_z)\cdot v/\|v\|\big)}{\operatorname{tr}\operatorname{Cov}(z)/d} . $$
#
# 0 means orthogonal, 1 as in an average direction. Write `relative_variance(z, v)`.
#
# <details><summary>Hint 1</summary>The trace of the covariance is the sum of the variances of the coordinates.</details>
# <details><summary>Hint 2</summary>Dividing by n or by n − 1: does it matter here? It must be the same above and below.</details>


# %% nbgrader={"grade": false, "grade_id": "a1-relative-variance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def relative_variance(z, v):
    """Variance of z, (n, d), along v, (d,), relative to an average direction."""
    ### BEGIN SOLUTION
    along = z @ v / np.linalg.norm(v)
    return along.var() / (z.var(axis=0).sum() / z.shape[1])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "a1-relative-variance-test", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
# check 8: ordinary inputs
check(relative_variance)


### BEGIN HIDDEN TESTS
# check 4: more dimensions than points, far from the origin
def _by_covariance(z, v):
    covariance = np.atleast_2d(np.cov(z.T))
    return v @ covariance @ v / (v @ v) * len(v) / np.trace(covariance)


check.Check(
    "relative_variance",
    _by_covariance,
    lambda rng: (rng.normal(size=(4, 23)) * rng.uniform(0.1, 9, 23) + 50, 1e-3 * rng.normal(size=23)),
)(relative_variance)
# check 3: two dimensions
check.Check(
    "relative_variance",
    _by_covariance,
    lambda rng: (rng.normal(size=(60, 2)), np.array([rng.choice([-4.0, 4.0]), rng.normal()])),
)(relative_variance)
### END HIDDEN TESTS

# %% [markdown]
# ## 4 Share of the gap in the leading components (15 points)
#
# Another view of the same question: which part of $g$ lies in the space of the $k$ leading principal components of a
# modality? With $V_k$ the matrix of these (orthonormal) directions as columns,
#
# $$ \mathrm{share}_k = \frac{\|V_k V_k^\top g\|}{\|g\|} . $$
#
# Write `subspace_share(z, g, k)`.
#
# <details><summary>Hint 1</summary>Principal components belong to the <em>centred</em> rows.</details>
# <details><summary>Hint 2</summary><code>np.linalg.svd(a, full_matrices=False)</code> returns U, the singular values, and Vᵀ: whose rows are what?</details>
# <details><summary>Hint 3</summary>V has orthonormal columns, so ‖V Vᵀ g‖ = ‖Vᵀ g‖.</details>


# %% nbgrader={"grade": false, "grade_id": "a1-subspace-share", "locked": false, "schema_version": 3, "solution": true, "task": false}
def subspace_share(z, g, k):
    """Share of the length of g, (d,), in the first k principal components of z, (n, d)."""
    ### BEGIN SOLUTION
    directions = np.linalg.svd(z - z.mean(0), full_matrices=False)[2][:k]
    return np.linalg.norm(directions @ g) / np.linalg.norm(g)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "a1-subspace-share-test", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
# check 8: ordinary inputs
check(subspace_share)


### BEGIN HIDDEN TESTS
# check 4: more points than dimensions
def _by_eigenvectors(z, g, k):
    values, vectors = np.linalg.eigh(np.cov(z.T))
    leading = vectors[:, np.argsort(values)[::-1][:k]]
    return float(np.sqrt(((leading.T @ g) ** 2).sum() / (g @ g)))


check.Check(
    "subspace_share",
    _by_eigenvectors,
    lambda rng: (
        20 + rng.normal(size=(50, 12)) * np.geomspace(1, 9, 12),
        rng.normal(size=12),
        int(rng.integers(1, 12)),
    ),
)(subspace_share)
# check 3: more dimensions than points
check.Check(
    "subspace_share",
    _by_eigenvectors,
    lambda rng: (
        rng.normal(size=(9, 30)) * np.geomspace(1, 5, 30),
        10 * rng.normal(size=30),
        int(rng.integers(1, 8)),
    ),
)(subspace_share)
### END HIDDEN TESTS

# %% [markdown]
# ## 5 What would chance give? (10 points)
#
# In $d$ dimensions even a direction drawn at random has a share of about $\sqrt{k/d}$ in *any* $k$-dimensional
# subspace. And chance is a distribution, not a line: the **squared** share of a random direction follows the
# distribution $\mathrm{Beta}\big(\tfrac k2, \tfrac{d-k}2\big)$. Write `chance_band(k, d, confidence)`: the two ends
# `(low, high)` between which the share (not its square) lies with probability `confidence`, the rest being cut off
# in equal parts below and above.
#
# <details><summary>Hint 1</summary><code>scipy.stats.beta.ppf</code> gives quantiles.</details>
# <details><summary>Hint 2</summary>You may as well draw random directions and look: the test allows for the chance in 20,000 or more draws.</details>


# %% nbgrader={"grade": false, "grade_id": "a1-chance-band", "locked": false, "schema_version": 3, "solution": true, "task": false}
def chance_band(k, d, confidence):
    """Ends (low, high) of the band for the share of a random direction in k of d dimensions."""
    ### BEGIN SOLUTION
    from scipy.stats import beta

    tail = (1 - confidence) / 2
    low, high = beta.ppf([tail, 1 - tail], k / 2, (d - k) / 2)
    return np.sqrt(low), np.sqrt(high)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "a1-chance-band-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
_low, _high = chance_band(100, 512, 0.95)
assert 0 < _low < np.sqrt(100 / 512) < _high < 1, "the band must lie around √(k/d), inside 0 … 1"


### BEGIN HIDDEN TESTS
def _chance(k, d, confidence):
    band = gapkit.geometry.subspace_share_chance(k, d, confidence=confidence)
    return band.low, band.high


check.Check(
    "chance_band",
    _chance,
    # from ten components on, an end of a band drawn at random 20,000 times has a standard error below 0.5 %
    lambda rng: (int(rng.integers(10, 16)), int(rng.integers(24, 40)), float(rng.choice([0.5, 0.8, 0.9]))),
    rounds=8,
    rtol=0.02,
    parts=("the low end", "the high end"),
)(chance_band)
# one component: far from normal, so mean ± z standard deviations will not do
check.Check(
    "chance_band",
    _chance,
    lambda rng: (1, int(rng.integers(24, 40)), 0.5),
    rtol=0.08,
    parts=("the low end", "the high end"),
)(chance_band)
### END HIDDEN TESTS

# %% [markdown]
# ## 6 See it (10 points)
#
# A plot of the first two principal components shows clusters, not the gap. Draw one that shows the gap: each point
# $z$ at $\big(z\cdot g/\|g\|,\; z\cdot v\big)$, where $v$ is the leading principal component of all points after each
# modality was centred on its own mean (so the gap itself does not count). Write `plot_gap(x, y)`: a scatter of the
# texts, a scatter of the images (told apart by marker as well as by colour), both axes labelled, a legend with two
# entries. Return the `Axes`.
#
# The target, drawn from this assignment's data: two clouds side by side. Along the horizontal axis they are far
# apart and narrow, along the vertical axis they are wide and overlap.
#
# ![Target: texts as crosses on the left and images as circles on the right, separated along the horizontal gap axis and spread out along the vertical axis](target:a1-plot-gap)


# %% nbgrader={"grade": false, "grade_id": "a1-plot-gap", "locked": false, "schema_version": 3, "solution": true, "task": false}
def plot_gap(x, y):
    """Texts x and images y, the gap along the horizontal axis; returns the Axes."""
    ### BEGIN SOLUTION
    g = y.mean(0) - x.mean(0)
    centred = np.vstack([x - x.mean(0), y - y.mean(0)])
    v = np.linalg.svd(centred, full_matrices=False)[2][0]
    _, ax = plt.subplots(figsize=(6, 4))
    for z, name, marker in ((x, "texts", "x"), (y, "images", "o")):
        ax.scatter(z @ g / np.linalg.norm(g), z @ v, marker=marker, s=14, alpha=0.6, label=name)
    ax.set_xlabel("position along the gap")
    ax.set_ylabel("position along the leading component")
    ax.legend()
    return ax
    ### END SOLUTION


plot_gap(texts, images)

# %% nbgrader={"grade": true, "grade_id": "a1-plot-gap-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
_axes = check.describe(plot_gap(texts[:50], images[:40]))
_axes.must_be_labelled(legend=2)
assert len(_axes.points) == 2, f"two scatters are asked for; there are {len(_axes.points)}"


### BEGIN HIDDEN TESTS
def _compare_gap_plot(x, y):
    axes = check.describe(plot_gap(x, y))
    axes.must_be_labelled(legend=2)
    assert sorted(len(p) for p in axes.points) == sorted([len(x), len(y)]), "each scatter holds one modality"
    first, second = sorted(axes.points, key=lambda p: len(p) != len(x))
    g = y.mean(0) - x.mean(0)
    v = np.linalg.svd(np.vstack([x - x.mean(0), y - y.mean(0)]), full_matrices=False)[2][0]
    drawn, right = np.vstack([first, second]), np.vstack([x, y])
    for axis, direction, name in ((0, g / np.linalg.norm(g), "horizontal"), (1, v, "vertical")):
        at, wanted = drawn[:, axis] - drawn[:, axis].mean(), (right - right.mean(0)) @ direction
        same = [np.abs(at - sign * wanted).max() < 1e-6 * np.abs(wanted).max() for sign in (1, -1)]
        assert same[0] or (axis and same[1]), f"the {name} positions are not those asked for"
    look = sorted(
        zip(axes.points, axes.points_drawn, strict=True), key=lambda one: len(one[0]) != len(x)
    )  # texts, images
    axes.must_not_be_swapped(look[0][1], look[1][1], "image", "picture", "photo")
    axes.must_not_be_swapped(look[1][1], look[0][1], "text", "caption")
    assert look[0][1]["marker"] != look[1][1]["marker"], (
        "the modalities must differ in their marker, not in colour alone"
    )


_rng = check.fresh_rng()
_compare_gap_plot(
    _rng.normal(size=(21, 6)) * [1, 9, 1, 1, 2, 1], _rng.normal(size=(34, 6)) * [1, 7, 1, 1, 2, 1] + 3
)
_compare_gap_plot(texts[:30], images[:45])
### END HIDDEN TESTS

# %% [markdown]
# ## 7 Your numbers (5 points)
#
# Use your functions on this assignment's `texts` and `images` and put into the dictionary `answers`:
# `"gap"`, the length of the gap; `"rmg"`; `"along_images"` and `"along_texts"`, the relative variance of each modality
# along the gap; `"share"`, the share of the gap in the texts' `COMPONENTS`
# leading components (20, or all of them where there are fewer).

# %% nbgrader={"grade": false, "grade_id": "a1-numbers", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
g = gap_vector(texts, images)
answers = {
    "gap": np.linalg.norm(g),
    "rmg": rmg(texts, images),
    "along_images": relative_variance(images, g),
    "along_texts": relative_variance(texts, g),
    "share": subspace_share(texts, g, COMPONENTS),
}
answers
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "a1-numbers-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
_missing = {"gap", "rmg", "along_images", "along_texts", "share"} - set(answers)
assert not _missing, f"answers lacks {sorted(_missing)}"
### BEGIN HIDDEN TESTS
_gap = images.mean(0) - texts.mean(0)
_right = {
    "gap": np.linalg.norm(_gap),
    "rmg": gapkit.geometry.rmg(texts, images),
    "along_images": gapkit.geometry.relative_variance(images, _gap),
    "along_texts": gapkit.geometry.relative_variance(texts, _gap),
    "share": gapkit.geometry.subspace_share(texts, _gap, COMPONENTS),
}
for _name, _value in _right.items():
    assert abs(np.asarray(answers[_name], dtype=float).item() - _value) < 2e-3 * abs(_value), (
        f"answers[{_name!r}] is not right"
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 8 Is the gap orthogonal? (10 points, written)
#
# Judge Assumption 3.3 for this model and dataset in five to ten sentences.
#
# | what is looked for | points |
# |---|---|
# | both modalities' relative variance, with the value that would mean "orthogonal" and the one that would mean "average" | 3 |
# | the share in the leading components beside the chance band for the same k and d | 3 |
# | a verdict that follows from these numbers, for each modality separately if they differ | 2 |
# | one limit of the measurement (sample, choice of k, repeated texts, one model) | 2 |

# %% [markdown] nbgrader={"grade": true, "grade_id": "a1-orthogonal", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# *Model answer.* (With `SEED = 2026` and `miniclip-wide/scenes100`; another variant has other numbers and may have another verdict.) The
# relative variance is 0 for an exactly orthogonal gap and 1 for an average direction. Along the gap it is 0.18 for the images and 0.08 for
# the texts: both vary much less along it than along an average direction, and neither is 0. So Assumption 3.3 holds
# approximately, for the texts better than for the images, and exactly for neither. The share of the gap in the texts' 20 leading components is 0.12; `chance_band(20, 512, 0.95)` is
# 0.14 to 0.26, so the gap avoids these components more than a random direction would. That does not make
# it orthogonal to the texts: of all 99 components it has the share 0.66, above the band of 0.38 to 0.49. The rest lies in components of little
# variance, which the relative variance hardly counts. So a projection is needed before one moves along the gap if no
# answer may change, and it takes a quarter of the gap's length away. Limits: one model and 400 pairs of one dataset; with 100 classes the
# texts repeat, so there are 99 components at most; the verdict by the share changes with k, as just seen.

# %% [markdown]
# ## 9 Why is the cosine so small? (10 points, written)
#
# A colleague sees that matched images and captions have a mean cosine of 0.3 and concludes that the model is bad.
# Answer in five to ten sentences.
#
# | what is looked for | points |
# |---|---|
# | the gap lowers every cross-modal cosine, matched or not | 3 |
# | what retrieval and classification use: the order of the similarities for one query, not their size | 3 |
# | a constant along the gap does not change that order (with the formula, or with a number from this notebook) | 3 |
# | what one should report instead | 1 |

# %% [markdown] nbgrader={"grade": true, "grade_id": "a1-cosine", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# *Model answer.* The two modalities sit in different places on the sphere. Write x = μ_x + a and y = μ_y + b; the
# distance of a matched pair contains ‖g‖ however well a and b agree, and on the unit sphere
# cos = 1 − ‖x − y‖²/2, so every cross-modal cosine is lowered, for matched and unmatched pairs alike. Zero-shot
# classification and retrieval compare, for one query, the candidates with each other: only the order counts. If the gap is orthogonal to the
# differences x_i − x_j, then ‖x_i + αg − y‖² − ‖x_j + αg − y‖² does not depend on α, so the same candidate wins with a
# mean cosine of 0.3 or of 0.9. One should report accuracy or recall, and the cosine of matched pairs beside
# that of unmatched ones.
