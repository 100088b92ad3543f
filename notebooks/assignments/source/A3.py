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
# # A3 · Robustness, counted and computed
#
# **You will be able to** estimate by Monte Carlo how often an answer survives noise, with an error bar you can defend; compute
# the same probability exactly, by one integral; say what each number does and does not tell.
#
# **Before you start:** lesson 04, and lesson 07 for task 8; normal and χ² distributions, numerical integration. **Time:** three hours.
# **Points:** 100, of which 80 are given by tests and 20 by a person.
#
# | task | points | | task | points |
# |---|---|---|---|---|
# | 1 nearest neighbours | 10 | | 5 picture | 10 |
# | 2 Monte Carlo | 20 | | 6 your numbers | 5 |
# | 3 two candidates, dot product | 10 | | 7 how many draws? (written) | 10 |
# | 4 exactly, Euclidean | 25 | | 8 kept is not right (written) | 10 |
#
# **The setting** (Eq. 10 of Chowers et al. 2026). A query $y$ is answered by its nearest row of the gallery $X$, `(K, d)`. Every row
# of the *gallery* is stored with independent Gaussian noise of standard deviation $\sigma$ per coordinate; the query is clean.
# The robustness of $y$ is the probability that the answer stays what it was,
#
# $$ \mathrm{Rob}(y) = P\big[\mathrm{NN}(y, X + \varepsilon) = \mathrm{NN}(y, X)\big], \qquad \varepsilon_k \sim N(0, \sigma^2 I_d) . $$
#
# **How it works.** Write where it says `YOUR CODE HERE`: loops or matrix products, numpy or torch, in float64, without
# changing the inputs. Test cells say at once what differs; the grading adds inputs you have not seen. Leave
# locked cells as they are and keep every cell.
#
# **What the grading allows.** 30 seconds of computing for a cell or a call of one of your functions, 240 seconds for the notebook, 1.5 GiB of memory beyond
# the imports; files are written in the notebook's own folder only. A cell that is not valid Python, that is missing or that passes a limit costs its own task,
# and so does a task that needs it; locked cells are put back as they were; tasks of more than 10 points are judged in parts. Run the notebook from top to bottom before
# you hand it in, and hand in the `.ipynb` file.

# %% nbgrader={"grade": false, "grade_id": "a3-setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt
import numpy as np
from scipy import integrate, stats

import gapkit
from gapkit import check
from gapkit.robustness import calibrate_sigma

SEED = 2026
DATASET = "miniclip-wide/scenes100"

_pairs = gapkit.load_embeddings(DATASET)
_rng = np.random.default_rng(SEED)
_right, _asked = _pairs.matched()
_order = _rng.permutation(len(_asked))
gallery = np.unique(_right[_order[:40]], axis=0)[:10].astype(np.float64)  # ten texts
_keep = [i for i in _order if (np.abs(gallery - _right[i]).max(1) < 1e-6).any()][:12]
queries = np.asarray(_asked[_keep], dtype=np.float64)  # images that belong to one of them
# noise that loses about three answers in ten, whatever the model; not exactly, since that is for you to find out
SIGMA = float(f"{calibrate_sigma(queries, gallery, 0.7) * _rng.uniform(0.85, 1.15):.3g}")

# %% [markdown]
# ## 1 Nearest neighbours (10 points)
#
# Write `nearest(queries, gallery)`: for every query the index of the gallery row at the smallest Euclidean distance, shape `(m,)`. Rows have any
# length, so the largest dot product is something else. Where two rows are equally near, the lowest index wins.
#
# <details><summary>Hint</summary><code>((queries[:, None] - gallery[None]) ** 2).sum(-1)</code> has shape (m, K).</details>


# %% nbgrader={"grade": false, "grade_id": "a3-nearest", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nearest(queries, gallery):
    """Index of each query's nearest gallery row, (m,)."""
    ### BEGIN SOLUTION
    return ((queries[:, None] - gallery[None]) ** 2).sum(-1).argmin(1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "a3-nearest-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
check(nearest)


### BEGIN HIDDEN TESTS
def _nearest_by_loops(queries, gallery):
    return [min(range(len(gallery)), key=lambda k: (np.linalg.norm(y - gallery[k]), k)) for y in queries]


check.Check(
    "nearest",
    _nearest_by_loops,
    lambda rng: (rng.normal(size=(31, 4)), rng.normal(size=(7, 4)) * rng.uniform(0.1, 3, (7, 1))),
)(nearest)
check.Check(
    "nearest", _nearest_by_loops, lambda rng: (rng.normal(size=(1, 3)), rng.normal(size=(50, 3))), rounds=8
)(nearest)
### END HIDDEN TESTS

# %% [markdown]
# ## 2 Monte Carlo (20 points)
#
# Write `monte_carlo(queries, gallery, sigma, draws, seed)`. Draw the noise `draws` times (all gallery rows at once, independently),
# and count for each query how often the answer stays. Return two arrays of shape `(m,)`: the estimates `p`, and their
# standard errors $\sqrt{p(1-p)/\mathrm{draws}}$. All randomness must come from `seed`: the same seed gives the same result.
#
# <details><summary>Hint 1</summary><code>rng = np.random.default_rng(seed)</code>; <code>rng.normal(size=gallery.shape)</code>.</details>
# <details><summary>Hint 2</summary>A sum of indicators is binomial. What is the variance of its mean?</details>


# %% nbgrader={"grade": false, "grade_id": "a3-monte-carlo", "locked": false, "schema_version": 3, "solution": true, "task": false}
def monte_carlo(queries, gallery, sigma, draws, seed):
    """Estimated robustness of each query and its standard error, two arrays (m,)."""
    ### BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    clean = nearest(queries, gallery)
    kept = np.zeros(len(queries))
    for _ in range(draws):
        kept += nearest(queries, gallery + sigma * rng.normal(size=gallery.shape)) == clean
    p = kept / draws
    return p, np.sqrt(p * (1 - p) / draws)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "a3-monte-carlo-test", "locked": true, "points": 20, "schema_version": 3, "solution": false, "task": false}
# check 8: ordinary inputs
check(monte_carlo)
### BEGIN HIDDEN TESTS
# check 4: no noise
check.Check(
    "monte_carlo (without noise every answer is kept, and nothing is uncertain)",
    lambda queries, *_: (np.ones(len(queries)), np.zeros(len(queries))),
    lambda rng: (queries, gallery, 1e-9, 20, 1),
    rounds=1,
    parts=("p", "the standard error"),
)(monte_carlo)
# check 4: much noise
check.Check(
    "monte_carlo (two rows that are nearly the same: much noise decides like a coin)",
    lambda *_: (np.full(3, 0.5), np.full(3, 0.5 / 30)),
    lambda rng: (queries[:3], np.vstack([gallery[:1], gallery[:1] + 1e-9]), 5.0, 900, 2),
    rounds=1,
    rtol=0.2,
    parts=("p", "the standard error"),
)(monte_carlo)
# check 4: other inputs
check(monte_carlo)
### END HIDDEN TESTS

# %% [markdown]
# ## 3 Two candidates and the dot product (10 points)
#
# If answers are the largest dot product, two candidates can be done in closed form. Let $x_1$ be the clean answer. It stays if
# $y\cdot(x_1 + \varepsilon_1) > y\cdot(x_2 + \varepsilon_2)$. How is the difference distributed? Write
# `pair_robustness(query, first, second, sigma)`: the probability, a number; `first` is the clean answer.
#
# <details><summary>Hint 1</summary>y·ε is normal with mean 0 and standard deviation σ‖y‖.</details>
# <details><summary>Hint 2</summary>Independent variances add. <code>scipy.stats.norm.cdf</code>.</details>


# %% nbgrader={"grade": false, "grade_id": "a3-pair", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pair_robustness(query, first, second, sigma):
    """Probability that the first of two candidates keeps the larger dot product."""
    ### BEGIN SOLUTION
    margin = query @ (first - second)
    return stats.norm.cdf(margin / (sigma * np.linalg.norm(query) * np.sqrt(2)))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "a3-pair-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
check(pair_robustness)


### BEGIN HIDDEN TESTS
def _draw_pair(rng):
    query, first = rng.normal(size=(2, 13))
    second = first - rng.uniform(0.1, 0.5) * query / np.linalg.norm(query) + 0.01 * rng.normal(size=13)
    return 3 * query, first, second, float(rng.uniform(0.05, 2))


def _by_difference(query, first, second, sigma):
    return stats.norm.sf(0, loc=query @ first - query @ second, scale=np.sqrt(2 * sigma**2 * (query @ query)))


check.Check("pair_robustness", _by_difference, _draw_pair)(pair_robustness)
### END HIDDEN TESTS

# %% [markdown]
# ## 4 Exactly, for Euclidean distances (25 points)
#
# $\|x_k + \varepsilon_k - y\|^2/\sigma^2$ follows a noncentral χ² distribution with $d$ degrees of freedom and noncentrality
# $\lambda_k = \|x_k - y\|^2/\sigma^2$, independently for each $k$. The answer $i^*$ survives if its number is the smallest:
#
# $$ \mathrm{Rob}(y) = \int_0^\infty f_{i^*}(t) \prod_{j \ne i^*} \big[1 - F_j(t)\big]\, dt . $$
#
# No sampling: one integral for each query. Write `exact_robustness(query, gallery, sigma)` for one query, shape `(d,)`; the result is a number, and its error must be below 0.0005.
#
# <details><summary>Hint 1</summary><code>scipy.stats.ncx2</code> has <code>pdf(t, d, lam)</code> and <code>sf(t, d, lam)</code>, which is 1 − F.</details>
# <details><summary>Hint 2</summary>f is concentrated around d + λ with the variance 2(d + 2λ): integrate over ten standard deviations to both sides, not to infinity.</details>
# <details><summary>Hint 3</summary>A grid of 400 points and the trapezoidal rule are accurate enough; compare with task 2 before you believe it.</details>


# %% nbgrader={"grade": false, "grade_id": "a3-exact", "locked": false, "schema_version": 3, "solution": true, "task": false}
def exact_robustness(query, gallery, sigma):
    """Probability that the query's nearest gallery row stays the nearest."""
    ### BEGIN SOLUTION
    lam = ((gallery - query) ** 2).sum(1) / sigma**2
    answer, d = lam.argmin(), gallery.shape[1]
    middle, spread = d + lam[answer], np.sqrt(2 * (d + 2 * lam[answer]))
    t = np.linspace(max(0.0, middle - 10 * spread), middle + 10 * spread, 800)
    survival = np.prod([stats.ncx2.sf(t, d, lam[j]) for j in range(len(lam)) if j != answer], axis=0)
    return integrate.trapezoid(stats.ncx2.pdf(t, d, lam[answer]) * survival, t)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "a3-exact-test", "locked": true, "points": 25, "schema_version": 3, "solution": false, "task": false}
# check 10: ordinary inputs
check(exact_robustness)


### BEGIN HIDDEN TESTS
# check 8: other dimensions, candidates and noise
def _by_quadrature(query, gallery, sigma):
    d, lam = len(query), np.sort(((gallery - query) ** 2).sum(1)) / sigma**2
    spread = np.sqrt(2 * (d + 2 * lam[0]))
    nodes, weights = np.polynomial.legendre.leggauss(120)
    low, high = max(0.0, d + lam[0] - 12 * spread), d + lam[0] + 12 * spread
    t, w = low + (high - low) * (nodes + 1) / 2, weights * (high - low) / 2
    return float(
        w
        @ (stats.ncx2.pdf(t, d, lam[0]) * np.prod([stats.ncx2.sf(t, d, other) for other in lam[1:]], axis=0))
    )


def _draw_case(rng):
    d, k = int(rng.integers(3, 40)), int(rng.integers(2, 9))
    gallery = rng.normal(size=(k, d)) / np.sqrt(d)
    query = gallery[0] + rng.normal(size=d) / np.sqrt(d)
    return query, rng.permutation(gallery), float(rng.uniform(0.05, 0.4))


check.Check("exact_robustness", _by_quadrature, _draw_case, rounds=8, rtol=1e-3)(exact_robustness)
# check 3: a single candidate
check.Check(
    "exact_robustness (the only candidate always wins)",
    lambda *_: 1.0,
    lambda rng: (queries[0], gallery[:1], SIGMA),
    rounds=1,
    rtol=1e-3,
)(exact_robustness)
# check 4: two candidates at one place
check.Check(
    "exact_robustness (two candidates at one place share the probability)",
    lambda *_: 0.5,
    lambda rng: (queries[0], np.vstack([gallery[:1], gallery[:1]]), SIGMA),
    rounds=1,
    rtol=2e-3,
)(exact_robustness)
### END HIDDEN TESTS

# %% [markdown]
# ## 5 See it (10 points)
#
# Write `plot_robustness(sigmas, exact, estimates, errors)`: the exact mean robustness as a line over σ, and the Monte Carlo
# estimates as points with error bars of two standard errors to each side. Axes labelled, a legend with two entries.
# Return the `Axes`.
#
# The target: a falling line; the points with their bars lie on it.
#
# ![Target: robustness falls from one with growing sigma along a solid line; points with error bars lie on the line](target:a3-plot)


# %% nbgrader={"grade": false, "grade_id": "a3-plot", "locked": false, "schema_version": 3, "solution": true, "task": false}
def plot_robustness(sigmas, exact, estimates, errors):
    """Exact curve and Monte Carlo estimates with bars of two standard errors; returns the Axes."""
    ### BEGIN SOLUTION
    _, ax = plt.subplots(figsize=(6, 4))
    ax.plot(sigmas, exact, "-", label="exact")
    ax.errorbar(
        sigmas, estimates, yerr=2 * errors, fmt="o", capsize=3, label="Monte Carlo, ± 2 standard errors"
    )
    ax.set_xlabel("σ per coordinate")
    ax.set_ylabel("mean robustness")
    ax.legend()
    return ax
    ### END SOLUTION


_sigmas = np.linspace(0.3, 3, 7) * SIGMA
_exact = np.array([np.mean([exact_robustness(y, gallery, s) for y in queries[:4]]) for s in _sigmas])
_counted = np.array([monte_carlo(queries[:4], gallery, s, 60, 1)[0].mean() for s in _sigmas])
plot_robustness(_sigmas, _exact, _counted, np.sqrt(_counted * (1 - _counted) / 240))

# %% nbgrader={"grade": true, "grade_id": "a3-plot-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
_x = np.linspace(0.01, 0.05, 5)
_axes = check.describe(plot_robustness(_x, 1 - 10 * _x, 0.99 - 10 * _x, 0 * _x + 0.02))
_axes.must_be_labelled(legend=2)


### BEGIN HIDDEN TESTS
def _compare_curves():
    rng = check.fresh_rng()
    x = np.sort(rng.uniform(0.01, 0.1, 8))
    exact, counted, errors = rng.uniform(0.2, 1, 8), rng.uniform(0.2, 1, 8), rng.uniform(0.01, 0.05, 8)
    axes = check.describe(plot_robustness(x, exact, counted, errors))
    axes.must_be_labelled(legend=2)

    def drawn(values):
        wanted = np.column_stack([x, values])
        return any(one.shape == wanted.shape and np.allclose(one, wanted) for one in axes.lines + axes.points)

    assert drawn(exact), "the exact values are not drawn over σ"
    assert drawn(counted), "the Monte Carlo estimates are not drawn over σ"
    ends = sorted(np.concatenate([counted - 2 * errors, counted + 2 * errors]))
    assert len(axes.bars_ends) == 16, "each estimate needs one error bar"
    assert np.allclose(sorted(axes.bars_ends), ends), (
        "the error bars must reach two standard errors to each side"
    )
    look = [
        next((how for one, how in drawn if one.shape == (8, 2) and np.allclose(one[:, 1], values)), None)
        for drawn in [[*zip(axes.lines + axes.points, axes.lines_drawn + axes.points_drawn, strict=True)]]
        for values in (exact, counted)
    ]
    axes.must_not_be_swapped(look[0], look[1], "monte", "mc", "simulat", "estimat", "sampl", "count", "draw")
    assert look[0]["linestyle"] not in ("None", "none", "", " "), "the exact values are a line"
    assert look[1]["linestyle"] in ("None", "none", "", " "), "the estimates are points, not a line"


_compare_curves()
### END HIDDEN TESTS

# %% [markdown]
# ## 6 Your numbers (5 points)
#
# For this assignment's `queries`, `gallery` and `SIGMA`, put into the dictionary `answers`: `"mean"`, the exact mean robustness over the
# queries; `"least"`, the robustness of the least robust query; `"draws"`, the smallest number of draws for which the Monte Carlo
# standard error of *that* query is at most 0.001.

# %% nbgrader={"grade": false, "grade_id": "a3-numbers", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
robustness = np.array([exact_robustness(y, gallery, SIGMA) for y in queries])
least = robustness.min()
answers = {"mean": robustness.mean(), "least": least, "draws": int(np.ceil(least * (1 - least) / 0.001**2))}
answers
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "a3-numbers-test", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
_missing = {"mean", "least", "draws"} - set(answers)
assert not _missing, f"answers lacks {sorted(_missing)}"
### BEGIN HIDDEN TESTS
from gapkit.robustness import robustness as _robustness

_rob = _robustness(queries, gallery, sigma=SIGMA, metric="euclidean", noise_on="gallery")
assert abs(np.asarray(answers["mean"], dtype=float).item() - _rob.mean()) < 1e-3, (
    "answers['mean'] is not right"
)
assert abs(np.asarray(answers["least"], dtype=float).item() - _rob.min()) < 1e-3, (
    "answers['least'] is not right"
)
_needed = _rob.min() * (1 - _rob.min()) / 0.001**2  # as exact as a robustness that is right to 0.001 makes it
assert abs(np.asarray(answers["draws"], dtype=float).item() - _needed) < 1000 * abs(1 - 2 * _rob.min()) + 3, (
    "answers['draws'] is not right"
)
### END HIDDEN TESTS

# %% [markdown]
# ## 7 How many draws? (10 points, written)
#
# Somebody reports robustness 0.62 before and 0.64 after a change, each from 500 draws and one query. Comment. When is
# Monte Carlo the right tool, and when the integral?
#
# | what is looked for | points |
# |---|---|
# | the standard error of each number and of their difference (about 0.022 and 0.03) | 3 |
# | what to do: more draws (how many), the same noise for both (paired), or exact values | 3 |
# | where the integral does not apply (noise on the query, quantisation, correlated noise) | 2 |
# | what neither covers: the choice of queries, model and noise level | 2 |

# %% [markdown] nbgrader={"grade": true, "grade_id": "a3-draws", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# *Model answer.* With p near 0.63 and 500 draws the standard error of each number is √(0.63·0.37/500) ≈ 0.022, and that of the difference
# of two independent runs 0.031: a difference of 0.02 is no evidence of anything. To see 0.02 as two standard errors one
# needs a standard error of the difference of 0.01, so p(1−p)·2/0.01² ≈ 4,700 draws each; with common noise for both the difference is less uncertain
# than that; with the integral there is no sampling error at all. The integral needs independent Gaussian
# noise of one variance on the gallery rows. For noise on the query (shared by all candidates), quantisation, dropped dimensions or
# correlated noise one samples. Neither says anything about other queries, other models or other noise levels: that
# uncertainty needs intervals over queries and several seeds of training.

# %% [markdown]
# ## 8 Kept is not right (10 points, written)
#
# A product team maximises robustness and nothing else. Describe a gallery that has robustness 1 and is useless, and say
# which numbers must stand beside robustness in every report. What changes if the noise is on the query?
#
# | what is looked for | points |
# |---|---|
# | a valid example (one row far nearer to all queries than the others, or wrong answers with wide margins) | 3 |
# | clean accuracy, noisy accuracy and agreement, and how they differ | 4 |
# | noise on the query is common to all candidates: the independence in the integral is lost, and moving the gap changes nothing | 3 |

# %% [markdown] nbgrader={"grade": true, "grade_id": "a3-kept", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# *Model answer.* Put one row in the middle of all queries and the others far away: every query gets this row, no noise of
# reasonable size changes it, robustness is 1, accuracy 1/K. Or exchange two class names: the margins stay, all answers
# of these classes are wrong, robustness is what it was. Robustness compares an answer with itself. So report clean
# accuracy (is the answer right without noise), noisy accuracy (right with noise) and agreement or robustness (the
# same with and without); noisy accuracy can even rise while agreement falls. Noise on the query enters every distance through the same ε:
# ‖x_k − y − ε‖² differ by 2ε·(x_j − x_k) only, the candidates are not independent, and the product formula does not hold. A
# translation orthogonal to the differences of the rows leaves all of these comparisons as they are, so closing the gap changes nothing there.
