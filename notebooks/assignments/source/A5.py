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
# # A5 · Mini-project: replicate on a model of your own choice
#
# **You will be able to** plan a small replication before you look at results, run it with intervals, decide by a rule that was
# written down first, and report it such that somebody else can repeat it.
#
# **Before you start:** assignments 1 to 4, lesson 08. **Time:** three hours.
# **Points:** 100, of which 50 are given by tests and 50 by a person with the rubrics below.
#
# | task | points | | task | points |
# |---|---|---|---|---|
# | 1 plan (written) | 10 | | 5 the experiment | 15 |
# | 2 model and data | 10 | | 6 result and verdict (written) | 20 |
# | 3 an interval for a paired difference | 15 | | 7 limits (written) | 10 |
# | 4 a decision rule | 10 | | 8 how to repeat it (written) | 10 |
#
# **The claim to replicate** (Chowers et al. 2026, section 4): *closing the gap by the projected shift keeps the answers and makes
# them more robust to noise on the gallery.* Choose a trained model and a zero-shot dataset: a shipped one other than
# `miniclip-wide/scenes100` (`gapkit.list_embeddings()` below shows the names), or embeddings of your own in a file beside this
# notebook that the grader gets too (`*.safetensors`, `*.npy` or `*.csv`, at most 50 MiB in all, no links). Do the written plan
# first, before you compute anything.
#
# **How it works.** Write where it says `YOUR CODE HERE`: numpy or torch, in float64, without changing the inputs. Leave locked cells as they are and keep every
# cell; cells of your own may stand between them.
#
# **What the grading allows.** 30 seconds of computing for a cell or a call of one of your functions, 240 seconds for the notebook, 1.5 GiB of memory beyond
# the imports; files are written in the notebook's own folder only. A cell that is not valid Python, that is missing or that passes a limit costs its own task,
# and so does a task that needs it; locked cells are put back as they were; tasks of more than 10 points are judged in parts. Run the notebook from top to bottom before
# you hand it in, and hand in the `.ipynb` file.

# %% nbgrader={"grade": false, "grade_id": "a5-setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import numpy as np

import gapkit
from gapkit.embeddings import list_embeddings

SEED = 2026
DATASET = "miniclip-t0.01/digits10"  # an example; the choice is yours

# %%
list_embeddings()

# %% [markdown]
# ## 1 Plan (10 points, written before looking)
#
# | what is looked for | points |
# |---|---|
# | model and dataset, and why they are interesting for this claim (its gap, its number of classes) | 3 |
# | what will be measured: noise level and how it was chosen, queries, draws, metric, which side moves | 4 |
# | the smallest effect that counts, with a reason, and what would speak against the claim | 3 |

# %% [markdown] nbgrader={"grade": true, "grade_id": "a5-plan", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# *Model answer.* I take the mini-CLIP with a fixed temperature of 0.01 on ten handwritten digits: its gap is narrower than that of the wide model, so the effect
# should be smaller, and ten classes in 512 dimensions leave much room orthogonal to the gallery. Euclidean neighbours,
# Gaussian noise on the stored class texts, the texts are moved. σ is chosen on the untouched gallery such that mean robustness is about 0.7, where there
# is room to rise and to fall. All test images (at most 200), 200 draws, the same noise for all α; shift fitted once on
# untouched data. The smallest gain that counts is 0.01: below that a user would not notice. The claim would be
# refuted by changed answers at any α, or by a gain whose interval lies below 0.01.

# %% [markdown]
# ## 2 Model and data (10 points)
#
# Write `load()`: it returns `(name, texts, images, labels)`. `texts`, `(K, d)`, has one row for each class; `images`, `(m, d)`, with m
# at least 50; `labels`, `(m,)`, the row of `texts` that is right for each image, counted from 0. All rows must have length 1, as the encoders leave them, in float64.
#
# <details><summary>Hint</summary><code>gapkit.load_embeddings(name)</code> has <code>.texts</code>, <code>.images</code> and <code>.labels</code>.</details>


# %% nbgrader={"grade": false, "grade_id": "a5-load", "locked": false, "schema_version": 3, "solution": true, "task": false}
def load():
    """Name, texts (K, d), images (m, d) and labels (m,) of the model and dataset of my choice."""
    ### BEGIN SOLUTION
    pairs = gapkit.load_embeddings(DATASET)
    rows = np.random.default_rng(SEED).permutation(len(pairs.images))[:200]
    return DATASET, pairs.texts.astype(np.float64), pairs.images[rows].astype(np.float64), pairs.labels[rows]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "a5-load-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
_name, _texts, _images, _labels = load()
_texts, _images, _labels = (np.asarray(one) for one in (_texts, _images, _labels))
assert isinstance(_name, str) and _name, "the first result is the name of what you chose"
assert _texts.ndim == _images.ndim == 2 and _texts.shape[1] == _images.shape[1], (
    "texts and images share the dimension d"
)
assert len(_labels) == len(_images) >= 50, "one label for each image is needed, and at least 50 images"
### BEGIN HIDDEN TESTS
assert len(_texts) >= 2 and _labels.dtype.kind in "iu", "labels are whole numbers, rows of texts"
assert _labels.min() >= 0 and _labels.max() < len(_texts), (
    "a label points to no row of texts (they count from 0)"
)
for _rows, _what in ((_texts, "texts"), (_images, "images")):
    assert np.allclose(np.linalg.norm(_rows, axis=1), 1, atol=1e-4), f"the rows of {_what} must have length 1"
assert len(np.unique(np.round(_images, 9), axis=0)) > 0.9 * len(_images), "the images must differ"
assert len(np.unique(np.round(_texts, 9), axis=0)) == len(_texts), "texts must have one row for each class"
_hits = np.mean(
    ((_images**2).sum(1)[:, None] + (_texts**2).sum(1) - 2 * _images @ _texts.T).argmin(1) == _labels
)
# clearly above chance, which two classes leave less room for
assert _hits > min(max(2 / len(_texts), 0.25), (1 + 1 / len(_texts)) / 2), (
    "nearest texts are hardly ever right: mixed-up labels, or an untrained model?"
)
_lesson = gapkit.load_embeddings("miniclip-wide/scenes100").images
_same = _lesson.shape[1] == _images.shape[1] and any(
    np.abs(_lesson - y).max(1).min() < 1e-6 for y in _images[:5]
)
assert _name != "miniclip-wide/scenes100" and not _same, (
    "choose another one than the lessons' model and dataset"
)
### END HIDDEN TESTS

# %% [markdown]
# ## 3 An interval for a paired difference (15 points)
#
# `before` and `after` hold the robustness of the same queries. Write `paired_interval(before, after, resamples, confidence, seed)`: the two
# ends `(low, high)` of the percentile bootstrap interval for the **mean of after − before**. Resample *queries*, with replacement, both values of a query together.
#
# <details><summary>Hint</summary>Resample the differences. Percentiles (1 ∓ confidence)/2.</details>


# %% nbgrader={"grade": false, "grade_id": "a5-interval", "locked": false, "schema_version": 3, "solution": true, "task": false}
def paired_interval(before, after, resamples, confidence, seed):
    """Ends (low, high) of the bootstrap interval for the mean difference after - before."""
    ### BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    gain = after - before
    means = gain[rng.integers(len(gain), size=(resamples, len(gain)))].mean(1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return low, high
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "a5-interval-test", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
# check 4: every query gains the same
_low, _high = paired_interval(np.linspace(0.2, 0.8, 60), np.linspace(0.2, 0.8, 60) + 0.1, 200, 0.95, 1)
assert abs(_low - 0.1) < 1e-6 and abs(_high - 0.1) < 1e-6, (
    "every query gains 0.1, so there is nothing uncertain about the gain"
)


### BEGIN HIDDEN TESTS
# check 11: place, width, seeds
def _compare_interval():
    from scipy import stats

    from gapkit.check import fresh_rng

    rng = fresh_rng()
    for confidence in (0.5, 0.95):
        before = rng.uniform(0, 1, 300)
        after = before + rng.exponential(0.1, 300) - 0.03
        gain = after - before
        error = gain.std(ddof=1) / np.sqrt(len(gain))
        wanted = gain.mean() + np.array([-1, 1]) * stats.norm.ppf((1 + confidence) / 2) * error
        low, high = (float(end) for end in paired_interval(before, after, 3000, confidence, 7))
        assert low < high, "the lower end comes first, and an interval has a width"
        assert abs((low + high) / 2 - gain.mean()) < 0.35 * error, (
            "the interval must lie around the mean of after − before"
        )
        width = (high - low) / (wanted[1] - wanted[0])
        assert width < 1.2, (
            "the interval is too wide: pair the values of a query, and look at the mean (not at single queries)"
        )
        assert width > 0.8, (
            "the interval is too narrow: both tails are cut off, resampling is with replacement, n values each"
        )
        again = tuple(float(end) for end in paired_interval(before, after, 3000, confidence, 7))
        assert again == (low, high), "one seed must give one result"
        other = tuple(float(end) for end in paired_interval(before, after, 3000, confidence, 8))
        assert other != (low, high), "another seed must resample otherwise: `seed` is not used"
    # after 20 resamples the lower quartile varies by 0.3 standard errors from seed to seed, after 1,000 by 0.04
    lows = [float(paired_interval(before, after, 20, 0.5, seed)[0]) for seed in range(30)]
    assert np.std(lows) > 0.15 * error, (
        "few resamples must give an uncertain interval: `resamples` is not used"
    )


_compare_interval()
### END HIDDEN TESTS

# %% [markdown]
# ## 4 A decision rule (10 points)
#
# Write `verdict(low, high, smallest)` for a gain with the interval from `low` to `high` and a smallest gain that counts. It returns one of
# three texts: `"holds"` if the whole interval is at `smallest` or above; `"does not hold"` if the whole interval is below `smallest`;
# `"not decidable"` in all other cases. Also if an end is not a finite number, the case is `"not decidable"`.


# %% nbgrader={"grade": false, "grade_id": "a5-verdict", "locked": false, "schema_version": 3, "solution": true, "task": false}
def verdict(low, high, smallest):
    """The verdict on a gain: 'holds', 'does not hold' or 'not decidable'."""
    ### BEGIN SOLUTION
    if not (np.isfinite(low) and np.isfinite(high)):
        return "not decidable"
    if low >= smallest:
        return "holds"
    return "does not hold" if high < smallest else "not decidable"
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "a5-verdict-test", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
assert verdict(0.02, 0.05, 0.01) == "holds", "the whole interval is above the smallest gain that counts"
### BEGIN HIDDEN TESTS
for _case, _right in (
    ((0.3, 0.5, 0.1), "holds"),
    ((0.1, 0.5, 0.1), "holds"),
    ((-0.5, -0.3, 0.1), "does not hold"),
    ((0.02, 0.05, 0.1), "does not hold"),
    ((0.02, 0.1, 0.1), "not decidable"),
    ((0.02, 0.5, 0.1), "not decidable"),
    ((-0.5, 0.5, 0.1), "not decidable"),
    ((float("nan"), 0.5, 0.1), "not decidable"),
    ((0.3, float("nan"), 0.1), "not decidable"),
    ((0.3, float("inf"), 0.1), "not decidable"),
    ((float("-inf"), 0.0, 0.1), "not decidable"),
):
    assert verdict(*_case) == _right, "a case is decided otherwise than the rule says"
### END HIDDEN TESTS

# %% [markdown]
# ## 5 The experiment (15 points)
#
# Write `experiment(texts, images, alphas, sigma, draws, seed)`: for each α a dictionary with `"alpha"`; `"agreement"`, the share of queries that have the
# same answer as on the untouched gallery, without noise; and `"robustness"`, the array `(m,)` of the share of `draws` in which each query keeps its answer under
# Gaussian noise on the gallery (σ per coordinate). Protocol as in assignment 4: projected shift with all components, fitted once on untouched
# data, same noise for all α. You may use gapkit here (`gapkit.GapCloser`, also `gapkit.robustness` instead of draws).


# %% nbgrader={"grade": false, "grade_id": "a5-experiment", "locked": false, "schema_version": 3, "solution": true, "task": false}
def experiment(texts, images, alphas, sigma, draws, seed):
    """One dictionary (alpha, agreement, robustness of each query) for each alpha."""
    ### BEGIN SOLUTION
    shift = gapkit.GapCloser().fit(texts, images).shift_

    def answers(gallery):
        return ((gallery**2).sum(1) - 2 * images @ gallery.T).argmin(1)

    untouched = answers(texts)
    rows = []
    for alpha in alphas:
        moved = texts + alpha * shift
        clean, rng = answers(moved), np.random.default_rng(seed)
        kept = [answers(moved + sigma * rng.normal(size=texts.shape)) == clean for _ in range(draws)]
        rows.append(
            {"alpha": alpha, "agreement": np.mean(clean == untouched), "robustness": np.mean(kept, axis=0)}
        )
    return rows
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "a5-experiment-test", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
# check 3: what is returned
_rng = np.random.default_rng(0)
_rows = experiment(_rng.normal(size=(4, 9)), _rng.normal(size=(6, 9)), [0.0, 1.0], 0.1, 5, 1)
assert len(_rows) == 2 and all({"alpha", "agreement", "robustness"} <= set(row) for row in _rows), (
    "one dictionary for each α"
)
assert all(np.shape(row["robustness"]) == (6,) for row in _rows), "robustness has one number for each query"


### BEGIN HIDDEN TESTS
# check 12: numbers, noise, seeds
def _compare_experiment():
    from gapkit.check import fresh_rng
    from gapkit.robustness import robustness

    rng = fresh_rng()
    for sigma in (0.4, 0.6):
        texts = 1 + rng.normal(size=(6, 25))
        differences = (texts - texts[0])[1:].T
        offset = 2 * rng.normal(
            size=25
        )  # a wide gap, mostly orthogonal to the gallery and a little inside its span
        offset += (
            0.6 * (texts[0] - texts[1]) - differences @ np.linalg.lstsq(differences, offset, rcond=1e-10)[0]
        )
        images = texts[rng.integers(6, size=20)] + 0.5 * rng.normal(size=(20, 25)) + 2 * offset
        alphas = [0.0, 0.5, 1.0]
        seed = int(rng.integers(1000))
        first, again = (
            [np.asarray(row["robustness"]) for row in experiment(texts, images, [0.0, 0.0], sigma, 40, seed)]
            for _ in range(2)
        )
        assert np.array_equal(first, again), "one seed must give one result"
        assert np.array_equal(*first), "the noise must be the same for all α: one α twice gives two results"
        rows = experiment(texts, images, alphas, sigma, 600, seed)
        assert [float(row["alpha"]) for row in rows] == alphas, "the rows must follow the given alphas"
        g = images.mean(0) - texts.mean(0)
        shift = g - differences @ np.linalg.lstsq(differences, g, rcond=1e-10)[0]
        for row in rows:
            assert abs(float(row["agreement"]) - 1) < 1e-9, (
                "with all components no answer changes, so agreement is 1"
            )
            right = np.asarray(
                robustness(
                    images, texts + row["alpha"] * shift, sigma=sigma, metric="euclidean", noise_on="gallery"
                )
            )
            got = np.asarray(row["robustness"], dtype=float)
            slack = 6 * np.sqrt(right * (1 - right) / 600) + 0.01
            assert (np.abs(got - right) <= slack).all(), (
                f"robustness at α = {row['alpha']:g} is not what it should be"
            )


_compare_experiment()
### END HIDDEN TESTS

# %% [markdown]
# ## 6 Result and verdict (20 points, written)
#
# Run your experiment in cells of your own below this one, draw at least one figure, and report.
#
# | what is looked for | points |
# |---|---|
# | a figure or table: axes with units, the untouched gallery as baseline, α on one axis, intervals | 6 |
# | gain at α = 1 with its paired interval, agreement, and accuracy beside robustness | 6 |
# | the verdict by the rule of task 4 with the smallest effect of the plan, whichever it is | 5 |
# | deviations from the plan, if any, are said to be such | 3 |

# %% [markdown] nbgrader={"grade": true, "grade_id": "a5-result", "locked": false, "points": 20, "schema_version": 3, "solution": true, "task": false}
# *Model answer.* (With `SEED = 2026` and `miniclip-t0.01/digits10`.) The figure shows mean robustness over α from 0 to 1.2 with 95 % intervals over queries, and the untouched gallery as a horizontal line. Agreement is 1 at every
# α, as the proof says. At σ = 0.043 robustness is 0.70 untouched and 0.83 at α = 1. The gain is the mean of after − before over the 200 queries, 0.134, and
# `paired_interval(before, after, 2000, 0.95, SEED)` runs from 0.129 to 0.139; accuracy does not change, because no answer does. With the smallest effect 0.01 of
# the plan `verdict(low, high, 0.01)` says *holds*. At α = 1.2 robustness is 0.831, slightly below that at 1. There was no deviation from the plan except that σ was
# rounded to three digits.

# %% [markdown]
# ## 7 Limits (10 points, written)
#
# | what is looked for | points |
# |---|---|
# | at least two limits that are specific to your model, data or noise level | 4 |
# | one result that would change your mind, and how to get it | 3 |
# | how your result bears on the paper's claim, neither more nor less | 3 |

# %% [markdown] nbgrader={"grade": true, "grade_id": "a5-limits", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# *Model answer.* Ten classes is the easy case: with more classes than dimensions nothing is left to move along. The model is small and was trained on rendered scenes and digits; its gap is
# not that of a CLIP trained on the web. Only Gaussian noise at one level was used. I would change my mind if the paired interval excluded a gain of 0.01 on real CLIP
# embeddings at matched untouched robustness, which could be measured with COCO-500. The result supports (or fails to support) the claim for Euclidean
# neighbours on this model; it is no test of the paper's other models, nor of the claim that the gap is a feature of training.

# %% [markdown]
# ## 8 How to repeat it (10 points, written)
#
# | what is looked for | points |
# |---|---|
# | exact names: model, dataset, package version, file hashes or commit | 4 |
# | every seed, and the number of queries, draws and resamples | 3 |
# | the commands or cells in order, and how long they took on which machine | 3 |

# %% [markdown] nbgrader={"grade": true, "grade_id": "a5-repeat", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# *Model answer.* `gapkit.load_embeddings(DATASET)` with the name in the first cell, gapkit's version from `gapkit.__version__`, and the file's sha256 from
# `data/manifest.json`. `SEED` seeds the choice of images, the noise and the bootstrap. 200 queries, 200 draws, 2,000 resamples. Run all
# cells from top to bottom; seven values of α take under five seconds on one core of a two-core virtual machine.
