# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06 · Beyond Gaussian noise
#
# Gaussian noise is convenient; nobody's index suffers from it. The paper goes on: multiple-choice questions, quantised
# embeddings, other words for the same class. We follow, add retrieval, and end with the question that no single model can
# answer: is it really the *width* of the gap that costs robustness? Some of the paper's claims will not hold here. That is
# a result, and this lesson is about how one comes to it without fooling oneself.
#
# **Objectives.** After this lesson you can
#
# - state the one perturbation protocol, and show why fitting again on perturbed data measures nothing
# - test a claim on multiple choice, quantisation, rephrasing and retrieval, with paired intervals
# - tell "does not hold" from "cannot be tested here", and give the reason
# - design a natural experiment over a family of models, and name what makes it undecidable
#
# **Prerequisites.** [Lesson 05](05_closing_the_gap.ipynb). **Time.** 75 minutes.
# **Place.** The seventh lesson of nine. Previous: [05 · Closing the gap](05_closing_the_gap.ipynb). Next:
# [07 · Where the theory stops](07_where_the_theory_stops.ipynb).

# %% [markdown]
# *Without installing anything:* [open this lesson in Colab](https://colab.research.google.com/github/gapkit/gapkit/blob/HEAD/notebooks/06_beyond_gaussian_noise.ipynb) and run
# `%pip install -q "gapkit @ git+https://github.com/gapkit/gapkit"` in a new cell first. Colab's own torch is kept; models and data are downloaded when a cell needs them.

# %%
import textwrap

import numpy as np
import pandas as pd

import gapkit
from gapkit import check, plots
from gapkit.claims import claim, decide
from gapkit.closing import GapCloser
from gapkit.experiments import Job, tables_of
from gapkit.experiments import measure as measure_job
from gapkit.miniclip import TRAINED, run_name
from gapkit.plots import plot_before_after, plot_effects, plot_over, plot_scatter
from gapkit.tasks import nearest

MODEL = "miniclip-wide"
results = []


def measure(name, dataset, model=MODEL, **options):
    """One experiment on one model and dataset: its tables, kept for the verdicts at the end."""
    results.append(measure_job(Job(name, model, dataset, options=options)))
    return {table: pd.DataFrame(rows) for table, rows in results[-1].tables.items()}


def verdict(name):
    """What the decision rule says to everything measured so far."""
    for finding in decide(tables_of(results), [claim(name)]):
        cell = finding.weakest
        print(f"{finding.verdict.upper()} on {finding.model}:")
        print(indented(finding.claim.statement))
        print(indented(f"weakest: {cell.value:.3f} [{cell.low:.3f}, {cell.high:.3f}] ({cell.label})"))


def indented(text):
    """Text broken into lines that fit the page."""
    return textwrap.fill(text, 76, initial_indent="    ", subsequent_indent="    ")


# %% [markdown]
# ## 1. One protocol
#
# For every perturbation the order of events is the same:
#
# 1. fit the closer once, on the *untouched* gallery and queries;
# 2. perturb the untouched gallery: noise, other words, rounding;
# 3. move the perturbed gallery by that same, already fitted shift;
# 4. compare the answers before and after the perturbation.
#
# Why not fit again on the perturbed gallery? It sounds thorough.
#
# > **Predict.** Perturb the texts, fit the closer anew on them, shift them. How many answers differ from those to the perturbed texts before the shift?

# %% tags=["nbval-check-output"]
scenes = gapkit.load_embeddings(f"{MODEL}/scenes100")
X, Y = scenes.texts.astype(float), scenes.images.astype(float)
noisy = X + 0.03 * np.random.default_rng(0).standard_normal(X.shape)

plain = nearest(Y, noisy)
once = nearest(Y, noisy + GapCloser().fit(X, Y).shift_)
again = nearest(Y, GapCloser().fit(noisy, Y).transform(noisy))
print(f"answers changed by the shift fitted once:  {(once != plain).mean():.3f}")
print(f"answers changed by the shift fitted again: {(again != plain).mean():.3f}")
assert (again == plain).all()

# %% [markdown]
# None, by Theorem 3.5: a closer of full rank changes no answer of the gallery it was fitted on, perturbed or not. A
# study that refits would find no effect, for any model, and might blame the paper.
#
# ## 2. Multiple choice
#
# Each question about an image offers four texts, so each question is a gallery of its own. The gap comes from the whole
# set, the components from the four options (three directions). With so few, nearly all of the gap can go.

# %%
choice = measure("multiple-choice", "scenes-vqa")["multiple-choice"]
every = choice[choice["question_type"] == "all"]
ax = plot_over(every, "alpha", "robustness", by="level", xlabel="α", ylabel="robustness", closure=True,
               title="four options, miniclip-wide")  # fmt: skip
plots.show(
    ax, alt="Robustness of multiple-choice answers over α for three noise levels: each rises towards α = 1."
)

# %% tags=["nbval-check-output"]
closed = choice[(choice["alpha"] == 1.0) & (choice["level"] == "untouched 0.7")]
print(
    closed[["question_type", "clean_accuracy", "agreement", "robustness", "gain"]]
    .round(2)
    .to_string(index=False)
)
verdict("choice-answers-kept")
verdict("choice-gain")

# %% [markdown]
# **What to see.** The curves rise as in lesson 05. The table shows the types of question apart: the model finds some of
# them much harder, and robustness says nothing about that.
#
# ## 3. Quantised galleries
#
# Store each coordinate in one of 32, 64, 128 or 256 bins. Here the order is fixed: what is stored is the *moved* gallery. Which range do the bins cover? No source on the paper that we could read says so, hence we try three: one *fixed* range
# for all coordinates, as wide as the largest number in the data; the range *±1*, which holds every unit vector and needs no
# data; and a range *fitted* to each dimension of the stored gallery. A fitted range moves along with the shift, so that
# rounding and moving commute. If rounding makes the nearest text equal to another, the answer counts as lost.
#
# First the code itself. $[-L, L]$ is cut into bins of equal width, each number becomes the *middle* of its bin, and what lies
# outside goes to the last bin on its side. Write it.


# %%
def quantise(z, bins, limit):
    """Every number of z as the middle of its bin, of ``bins`` bins from -limit to limit."""
    width = 2 * limit / bins
    number = np.clip(np.floor((z + limit) / width), 0, bins - 1)
    return -limit + (number + 0.5) * width


check(quantise)

# %% [markdown]
# > **Predict.** At 256 bins nearly everything survives untouched. What can an experiment then say about the gain?

# %%
coarse = measure("quantisation", "scenes100")["quantisation"]
measure("quantisation", "digits10")
shown = coarse[(coarse["alpha"] == 1.0) & coarse["level"].str.contains("bins")]
ax = plot_effects(shown, "gain", rows="level", by="noise", xlabel="gain in surviving answers", counts=0.005,
                  title="scenes100, miniclip-wide")  # fmt: skip
plots.show(ax, alt="Gain in surviving answers by number of bins, for three kinds of range, with intervals: clearly above "
           "zero with few bins from −1 to 1 or over the data's range, around zero with ranges fitted to each dimension.")  # fmt: skip

# %% tags=["nbval-check-output"]
survive = coarse[coarse["alpha"] != 0.5].pivot_table(
    index=["noise", "level"], columns="alpha", values="robustness", sort=False
)
print(survive.rename(columns={0.0: "untouched", 1.0: "closed"}).round(3).to_string())
for name in (
    "quantised-fixed",
    "quantised-unit-range",
    "quantised-fitted",
    "quantised-int8",
    "quantised-binary",
):
    verdict(name)

# %% [markdown]
# **What to see.** Where the code is coarse enough to hurt, the gain can be seen: with few bins from −1 to 1 or over the data's
# range, and with binary codes. With ranges fitted to each dimension nearly all answers survive untouched, so there is nothing to
# gain, and those cells are not counted, whatever their result.
#
# Class names lie far apart. A real gallery holds captions that differ in one word. `scenes-twins` has 24 galleries of 100
# captions, and each right caption has four near-twins: one colour, shape, size or side is another. It was chosen by what rounding does
# to *untouched* answers, before anything was closed.

# %%
twins = measure("quantisation", "scenes-twins")["quantisation"]
shown = twins[(twins["alpha"] == 1.0) & twins["level"].str.contains("bins")]
ax = plot_effects(shown, "gain", rows="level", by="noise", xlabel="gain in surviving answers", counts=0.005,
                  title="scenes-twins, miniclip-wide")  # fmt: skip
plots.show(ax, alt="Gain in surviving answers among near-twins by number of bins, for three kinds of range, with intervals: "
           "all are above zero, most between 0.05 and 0.1, the least with ranges fitted to each dimension at 256 bins.")  # fmt: skip

# %% tags=["nbval-check-output"]
for name in ("quantised-fixed", "quantised-unit-range", "quantised-fitted"):
    verdict(name)

# %% [markdown]
# **What to see.** Among near-twins closing helps under every reading of the range, and least where the bins are finest. The
# paper's claim holds where rounding can change an answer at all.
#
# ## 4. Other words
#
# "a photo of …", "photograph of …": the same class in other words is another gallery. The closer is fitted on the standard
# wording; the rephrased texts are moved by that same shift. The other wordings were never seen in training.
#
# Besides all 100 classes at once, `scenes100` is cut into ten galleries of ten classes, each moved by a shift of its own.
# That second look was added *after* the first results, which had turned out to say nothing (we will see why); the rule and its smallest effect were not changed.
#
# > **Predict.** Noise is random, another wording is not. Will closing the gap win back what the wording costs?

# %%
words = {dataset: measure("rephrasing", f"{dataset}-rephrased") for dataset in ("digits10", "scenes100")}
rows = words["scenes100"]["rephrasing"]
rows = rows[rows["task"] == "zero-shot, K=10"].assign(
    wording=lambda t: (
        t["level"].str.replace("{a_object}", "…").str.replace("{object}", "…")
        + np.where(t["unseen"], "", " (standard)")
    )
)
ax = plot_before_after(rows, "noisy_accuracy", rows="wording", by="alpha", order=[(0.0, "untouched"), (1.0, "closed")],
                       xlabel="accuracy", title="scenes100 by tens, wide")  # fmt: skip
plots.show(ax, alt="Accuracy of each wording on scenes100 in galleries of ten, untouched and closed, joined by a line: the "
           "standard wording stays, most others are worse when closed.")  # fmt: skip

# %% tags=["nbval-check-output"]
unseen = rows[rows["unseen"]].pivot_table(index="wording", columns="alpha", values="noisy_accuracy")
change = unseen[1.0] - unseen[0.0]
print(f"wordings worse when closed: {(change < 0).sum()}, better: {(change > 0).sum()}, of {len(change)}")


# %% [markdown]
# **What to see.** The standard wording keeps its accuracy, as Theorem 3.5 demands. The others do not get better: most lose.
# Now all models and both datasets, with the reason where a cell cannot be tested.


# %% tags=["nbval-check-output"]
def number(row):
    """A value with its interval."""
    return f"{row['value']:+.3f} [{row['value_low']:+.3f}, {row['value_high']:+.3f}]"


def report(model, dataset, found):
    """Cost of rephrasing, and what closing wins back, with the reason where it cannot be tested."""
    for task, checks in found["rephrasing.checks"].groupby("task", sort=False):
        by = {row["check"]: row for _, row in checks.iterrows()}
        cost, won = by["cost of rephrasing"], by["accuracy won back"]
        print(
            f"{model.removeprefix('miniclip-'):9} {dataset:10} {task.split(', ')[1]:6} {number(cost)}  {number(won)}"
        )
        if won["reason"]:
            print(indented(f"cannot be tested: {won['reason']}"))


FEW_WORDS = "miniclip-few-words"  # trained on two wordings of each kind, and asked in eight new grammars
print("model     dataset    texts  cost of rephrasing       accuracy won back")
for dataset, found in words.items():
    report(MODEL, dataset, found)
for model in ("miniclip-t0.01", "miniclip-learned", "miniclip-siglip"):
    for dataset in ("digits10", "scenes100"):
        report(model, dataset, measure("rephrasing", f"{dataset}-rephrased", model))
report(FEW_WORDS, "reworded", measure("rephrasing", "scenes100-reworded", FEW_WORDS))

# %% tags=["nbval-check-output"]
verdict("rephrasing-costs")
verdict("rephrasing-mitigated")

# %% [markdown]
# **What to see.** Two ways for such a test to be empty, and one that is not. On `digits10` none of the models is sensitive to the wording: there is almost nothing to win back. On `scenes100` with all its classes the shift changes no answer to *any*
# wording, exactly. This is no coincidence: the text tower of these small models is narrow, all its texts lie in a
# few dozen dimensions, and a hundred classes span them all (next cell). So $g'$ is orthogonal to any caption whatsoever.
#
# Ten classes span only nine directions, so there the shift can act, and rephrasing costs something. Closing wins nothing
# back: with the widest gap it loses about a hundredth more, with certainty, and for the next three models the interval
# excludes the smallest gain that counts. Their cost stays below the paper's six percentage points, though.
#
# So one more model was trained, to be easier to confuse: *few-words* has read two wordings of each kind and no others, its texts
# span 159 dimensions, and it is asked in grammars like "a circle that is red". Rewording costs it ten points, above the
# paper's six. Closing wins none of them back. The verdict: the cost is real, the remedy does not hold for models and wordings like these.
#
# Should we have expected a gain? $\|x'_i + \alpha g' - y\|^2$ contains $2\alpha\, g' \cdot x'_i$. Gaussian noise makes that
# term random, with mean zero, the same for all classes in law. A rephrasing moves the classes in a *systematic* way: the term
# then favours some of them over others, and no theorem says that it favours the right ones.

# %% tags=["nbval-check-output"]
for dataset in ("digits10", "scenes100"):
    texts = gapkit.load_embeddings(f"{MODEL}/{dataset}").texts.astype(float)
    spectrum = np.linalg.svd(texts - texts.mean(0), compute_uv=False)
    print(
        f"{dataset:10} {len(texts)} texts; directions above a thousandth of the largest: "
        f"{(spectrum > 1e-3 * spectrum[0]).sum()}"
    )

# %% [markdown]
# ## 5. Retrieval
#
# Find the caption of an image among 300, and the image of a caption. With 300 rows in 512 dimensions, all components
# together leave little of the gap to move; fewer move more, and may change answers. (Why 0.999 of the variance needs so
# few components for captions: see above.)

# %% tags=["nbval-check-output"]
pairs = measure("retrieval", "scenes-pairs", quick=True)["retrieval"]
at = pairs[(pairs["level"] == "untouched 0.7") & (pairs["alpha"] == 1.0)]
columns = ["direction", "rank", "components", "shift_norm", "recall_at_1", "agreement", "robustness"]
shown = at[columns].rename(columns={"shift_norm": "‖g'‖", "recall_at_1": "R@1", "components": "k"})
print(shown.replace({"99.9 % of variance": "99.9 %"}).round(2).to_string(index=False))
verdict("retrieval-accuracy-kept")
verdict("retrieval-gain")

# %% [markdown]
# ## 6. The natural experiment
#
# So far one model. Is it the *gap* that made the difference? The six settings of our family differ in temperature or loss alone: same
# data, same towers. If distance costs robustness, members with a wider gap must gain more. Two precautions: the same untouched
# robustness for all (calibrated), and several seeds of each setting, because with one model each, the order could be chance.

# %%
members = [run_name(setting, seed) for setting in TRAINED for seed in range(3)]
shipped = set(gapkit.embeddings.list_embeddings())
for model in members:
    if f"{model}/digits10" in shipped:
        measure("family", "digits10", model)
tables = tables_of(results)
family = tables["family"]
middle = family[family["level"] == "untouched 0.7"]
ax = plot_scatter(
    middle, "gap_norm", "gain", by="setting", xlabel="‖g‖", ylabel="gain in robustness", title="digits10"
)
plots.show(ax, alt="Gain from closing against the length of the gap, one point for each model and seed, by setting: the "
           "points of a setting lie together, and the longer the gap the larger the gain.")  # fmt: skip

# %% tags=["nbval-check-output"]
for _, row in tables["family.checks"].iterrows():
    interval = f"[{row['value_low']:.2f}, {row['value_high']:.2f}]"
    print(
        f"{row['level']}: rank correlation {row['value']:.2f} {interval}, {row['members']} models {row['reason']}"
    )
verdict("wider-gains-more")

# %% [markdown]
# **What to see.** The points rise: the wider the gap, the larger the gain. Three seeds of one setting are no three models, so the rank correlation is that of
# the six settings' means, and it is compared with what all 720 orders of six would give: the interval lies above 0 where fewer
# than one order in twenty does as well. With fewer settings or seeds the rule refuses to answer.
#
# ## 7. What we conclude
#
# All verdicts of this lesson at once. Every rule was written down, with the smallest effect that counts, before it was
# applied; what was changed or added after looking, such as the galleries of ten in section 4, is listed in
# `gapkit/claims/claims.toml`. `gapkit replicate` applies the rules to all models.

# %% tags=["nbval-check-output"]
findings = [finding for finding in decide(tables) if finding.model in (MODEL, "all models")]
print(f"{len(findings)} verdicts")
for finding in findings:
    print(f"{finding.verdict:14} {finding.claim.id}")

# %% [markdown]
# ## 8. Summary and questions
#
# - Fit once, perturb, move, compare. A closer that is fitted again on perturbed data has no effect, by Theorem 3.5.
# - The gain carries over to multiple choice and retrieval, and to codes that are coarse enough to hurt.
# - Rephrasing is no noise: its effect is systematic, and no theorem promises a gain. Where it could be tested, closing won
#   nothing back, and with the widest gap it cost a little more. A narrow text tower can leave nothing to test.
# - A cell that cannot test a claim is no evidence, for or against.
# - One model is an anecdote; a family with seeds, at matched robustness, is an experiment.
#
# **Questions**
#
# 1. The paper reports that closing mitigates rephrasing; here it does not. Name two differences between its models and ours
#    that could explain it, and say which you would test first. How would you choose the wordings, so that nobody could say
#    that you had picked them for the outcome?
# 2. Why are intervals over images paired, and why is multiple choice resampled by image?
# 3. Four settings with one seed each lie on a perfect line. What is the smallest p-value a permutation test of the
#    settings can give?
#
# Previous: [05 · Closing the gap](05_closing_the_gap.ipynb) · Next: [07 · Where the theory stops](07_where_the_theory_stops.ipynb)
