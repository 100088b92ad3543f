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
# # 01 · Measuring the gap
#
# "There is a gap" is a picture. This lesson turns it into numbers, and each number into a comparison: with chance, with
# an untrained model, with other models. A number compared with nothing says nothing.
#
# **Objectives.** After this lesson you can
#
# - compute the width of the gap in three ways (L2M, L2I, RMG) and say what each of them misses
# - explain why CLIP's cosines are only 0.2 to 0.35
# - decide whether a gap is orthogonal to what varies, against the level of chance and a random control
# - read a table of models with intervals
#
# **Prerequisites.** [Lesson 00](00_start_here.ipynb); variance, principal components. **Time.** 60 minutes.
# **Place.** The second lesson of nine. Previous: [00 · Start here](00_start_here.ipynb) · Next: [02 · Why a gap appears](02_why_a_gap_appears.ipynb).

# %% [markdown]
# *Without installing anything:* [open this lesson in Colab](https://colab.research.google.com/github/gapkit/gapkit/blob/HEAD/notebooks/01_measuring_the_gap.ipynb) and run
# `%pip install -q "gapkit @ git+https://github.com/gapkit/gapkit"` in a new cell first. Colab's own torch is kept; models and data are downloaded when a cell needs them.

# %%
import numpy as np
import pandas as pd

import gapkit
from gapkit import check, geometry, plots, widgets
from gapkit.embeddings import recorded_figures

pairs = gapkit.load_embeddings("miniclip-wide/scenes100")
print(pairs)

# %% [markdown]
# ## 1. The gap vector
#
# We call the texts $x_1, \dots, x_N$ (the *gallery*, what one searches in) and the images $y_1, \dots, y_M$ (the
# *queries*). The gap vector is the difference of their means (Eq. 4 of Chowers et al. 2026),
#
# $$g = \mu_y - \mu_x, \qquad \mu_x = \frac1N \sum_i x_i, \quad \mu_y = \frac1M \sum_j y_j,$$
#
# and its length $\|g\|$ is the simplest measure of the gap: **L2M**, the distance of the means (Liang et al. 2022).
# Write it yourself; the check compares it with the correct function on fresh numbers.


# %%
def gap_vector(x, y):
    """From the mean of the gallery to the mean of the queries."""
    return y.mean(axis=0) - x.mean(axis=0)


check(gap_vector)

# %% [markdown]
# > **Predict.** All vectors have length 1. What is the largest possible $\|g\|$? And if we shuffled images and texts
# > into two random groups, would $\|g\|$ be zero?

# %% tags=["nbval-check-output"]
gap = geometry.gap_vector(pairs.texts, pairs.images)
width = np.linalg.norm(gap)

texts, images = pairs.matched()
everything = np.concatenate([texts, images])
rng = np.random.default_rng(0)
shuffled = []
for _ in range(200):
    order = rng.permutation(len(everything))
    first, second = everything[order[: len(texts)]], everything[order[len(texts) :]]
    shuffled.append(geometry.l2m(first, second))

print(f"L2M, texts and images:        {width:.3f}")
print(f"L2M, two random groups:       {np.mean(shuffled):.3f} on average, {np.max(shuffled):.3f} at the most")
assert width > 5 * np.max(shuffled)

# %% [markdown]
# Two points on the unit sphere are at most 2 apart, so are two means. And random groups have a small gap too, because
# means of finitely many rows scatter. That is our first control: the gap is many times what chance produces.
#
# ## 2. Distances between partners
#
# L2M looks at means only. Two other measures look at pairs, an image and its own text:
#
# - **L2I**, the mean distance of partners, $\frac1N \sum_i \|x_i - y_i\|$ (Schrodi et al. 2025).
# - **RMG**, the *relative modality gap*, compares that with the distances inside each modality: with
#   $\delta(a, b) = (1 - \cos(a, b))/2$ and $m$ the mean of $\delta$ over partners,
#
# $$\mathrm{RMG} = \frac{m}{m + (\bar\delta_{xx} + \bar\delta_{yy})/2},$$
#
# where $\bar\delta_{xx}$ is the mean of $\delta$ over pairs of *different* texts. It is 0 if partners coincide, and 1
# if all texts coincide and all images coincide while the two stay apart.
#
# > **Predict.** Which of the three is the same whether a model spreads its images widely or squeezes them together?


# %%
def l2i(x, y):
    """Mean distance of partners."""
    return np.linalg.norm(x - y, axis=1).mean()


check(l2i)


# %% tags=["nbval-check-output"]
def squeeze(z):
    """The same cloud at half its size, its mean where it was."""
    return z.mean(0) + (z - z.mean(0)) / 2


small = squeeze(texts), squeeze(images)
for name, two in (("as they are", (texts, images)), ("squeezed   ", small)):
    numbers = geometry.l2m(*two), geometry.l2i(*two), geometry.rmg(*two)
    print(name, "  L2M {:.3f}   L2I {:.3f}   RMG {:.3f}".format(*numbers))
assert abs(geometry.l2m(*small) - geometry.l2m(texts, images)) < 1e-6
assert geometry.rmg(*small) > geometry.rmg(texts, images)

# %% [markdown]
# L2M does not notice the squeeze, L2I hardly, RMG does: it asks how wide the gap is *for clouds of this size*. Models
# differ in how much of the sphere they use, so compare them by RMG as well as by L2M.
#
# ## 3. Why is my cosine only 0.25?
#
# If you compute the cosine of a photo and its perfect caption with a real CLIP, you may be disappointed: 0.2 to 0.35. How much
# of that is the gap? For vectors of length 1, $\|x - y\|^2 = 2 - 2\cos(x, y)$; split $x_i - y_i$ into the gap and the rest and
# average over the pairs (the cross terms vanish, since deviations from a mean average to zero):
#
# $$\overline{\cos(x_i, y_i)} = 1 - \tfrac12 \|g\|^2
#   - \tfrac12\, \overline{\|(x_i - \mu_x) - (y_i - \mu_y)\|^2}.$$
#
# The first deduction is the price of the gap, which no partner can win back. The second is the mismatch that remains once the means are aligned.

# %% tags=["nbval-check-output"]
mean_cosine = geometry.matched_cosine(texts, images)
price_of_gap = np.linalg.norm(images.mean(0) - texts.mean(0)) ** 2 / 2
mismatch = np.mean(np.sum(((texts - texts.mean(0)) - (images - images.mean(0))) ** 2, axis=1)) / 2
print(f"mean cosine of partners      {mean_cosine:.3f}")
print(f"1 - gap - mismatch           {1 - price_of_gap - mismatch:.3f}")
print(f"taken by the gap             {price_of_gap:.3f}")
print(f"taken by mismatch            {mismatch:.3f}")
assert abs(mean_cosine - (1 - price_of_gap - mismatch)) < 1e-3

# %%
own = np.sum(texts * images, axis=1)
cosines = images @ pairs.texts.T
others = np.delete(cosines.ravel(), np.arange(len(images)) * len(pairs.texts) + pairs.labels)


@plots.styled
def plot_cosines(own, others):
    """Histograms of the cosines of partners and of everybody else."""
    ax = plots.canvas(width=6, height=3)
    bins = np.linspace(min(others.min(), own.min()), max(others.max(), own.max()), 60)
    outline = {"histtype": "step", "linewidth": 2, "color": plots.PALETTE["grey"]}
    filled = {"histtype": "stepfilled", "alpha": 0.6, "color": plots.PALETTE["images"]}
    ax.hist(others, bins, density=True, label="image and another class's text", **outline)
    ax.hist(own, bins, density=True, label="image and its own text", **filled)
    ax.set(xlabel="cosine", ylabel="density")
    ax.legend(loc="upper left")
    return ax


ax = plot_cosines(own, others)
plots.show(ax, alt="Two histograms of cosines between images and texts: own texts lie to the right of other texts, both are "
           "far below 1.")  # fmt: skip

# %% [markdown]
# **What to see.** A cosine tells right from wrong only by comparison. How much of what separates it from 1 is the gap depends on the model: nearly all of it in this one, about half (0.362 of 0.690) in the real CLIP below. So never judge a
# CLIP by its cosines, and never carry a threshold from one model to another.
#
# Real models, from recorded figures (made by `gapkit replicate --published`; the embeddings are not shipped, `gapkit fetch
# --all` downloads them, and then this cell measures them again and `gapkit.load_embeddings("coco500-clip-vitb16")` works in
# every cell of this notebook):

# %%
real = recorded_figures().query("level == 'untouched 0.7'").sort_values("gap_norm", ascending=False)
print(f"{'':15}{'‖g‖':>6}{'cosine':>8} = 1 − gap − mismatch")
for row in real.itertuples():
    if row.name in gapkit.list_embeddings():
        x, y = gapkit.load_embeddings(row.name).matched()
        measured = geometry.l2m(x.astype(float), y.astype(float)), geometry.matched_cosine(x, y)
        assert np.allclose(measured, (row.gap_norm, row.matched_cosine), atol=1e-4)
    price = row.gap_norm**2 / 2
    rest = 1 - price - row.matched_cosine
    print(f"{row.model:15}{row.gap_norm:6.2f}{row.matched_cosine:8.2f} = 1 − {price:.2f} − {rest:.2f}")
assert real["matched_cosine"].max() < 0.6

# %% [markdown]
# **What to see.** Six of the eight models have a gap of 0.8 to 1.1, two of 0.25 to 0.3 (CLOOB, which replaces the loss). And the
# cosines are low in all of them, for two different reasons: in CLIP half of what is missing is the gap, in CLOOB hardly any.

# %% [markdown]
# ## 4. Looking at it
#
# Two pictures that do not deceive. The first shows all embeddings along the gap direction and along the direction of largest remaining variance; its axes have the same scale. The second shows all cosines at once.

# %%
ax = plots.plot_pca(texts, images, partners=60)
plots.show(ax, alt="Scatter plot: texts on the left, images on the right, thin lines join partners and all of them cross the "
           "gap in nearly the same direction.")  # fmt: skip

# %% [markdown]
# **What to see.** The lines that join partners are nearly parallel in this model: one constant vector, plus a little. Real CLIPs are
# less tidy; there the difference of a pair and the gap have a cosine of about 0.6 to 0.8.

# %%
ax = plots.plot_similarity(texts[:100:2], images[:100:2])
plots.show(ax, alt="Heat map of cosines in four blocks: the blocks text-text and image-image are bright, the two blocks "
           "text-image are dark, with a faint diagonal.")  # fmt: skip

# %% [markdown]
# **What to see.** Four blocks. Within a modality everything is similar to everything (bright), across modalities nothing
# is (dark); the diagonal of partners is a faint line in the dark blocks. Beware of two-dimensional pictures made by
# t-SNE or UMAP: they show clusters even where there is no gap, and say nothing of its width.

# %% [markdown]
# With a kernel running you can look at every model and every point. The first explorer marks one image and its own text,
# and names the point under the pointer; the second shows the blocks of cosines, and what is left of them once each
# modality's mean is taken off.

# %%
models = [f"miniclip-{member}" for member in ("wide", "t0.01", "learned", "siglip", "random")]
widgets.present(widgets.gap_explorer(models), "The scatter plot above shows one of its views.")

# %%
widgets.present(widgets.similarity_explorer(models), "The heat map above shows one of its views.")

# %% [markdown]
# ## 5. Is the gap orthogonal to what varies?
#
# The paper assumes that nothing varies along the gap (Assumption 3.3): $(x_i - \mu_x)\cdot g = 0$ for all texts, and the
# same for images. No model fulfils that exactly, so *how nearly* is the question, and *compared with what*.
#
# **Relative variance along the gap**: the variance of a modality along $g$, divided by the variance that a cloud
# of the same size would have along *any* direction if it were equally thick in all of them ($\operatorname{tr}
# \operatorname{Cov}/d$). 0 means orthogonal, 1 means "like any direction".
#
# But 1 is not what a random direction gives in a cloud that is *not* equally thick. So we draw directions at random
# and see where they fall: that band is chance.
#
# > **Predict.** A few directions carry most of a modality's variance. Will a random direction give a relative variance
# > above or below 1 most of the time?

# %% tags=["nbval-check-output"]
for side, z in (("texts", pairs.texts), ("images", pairs.images)):
    value = geometry.relative_variance(z, gap)
    mean, low, high = geometry.relative_variance_band(z, seed=0)
    place = "below" if value < low else "above" if value > high else "inside"
    chance = f"random directions {mean:.2f} ({low:.2f} to {high:.2f})"
    print(f"{side:6s} along the gap {value:.3f}; {chance}: {place} the band")

# %% [markdown]
# *The prediction:* below 1 most of the time. The mean over all directions is exactly 1, but a few directions hold most of the variance,
# and a random one has little to do with them: the median lies below the mean. (The band shows it: it reaches farther above 1
# than below.)

# %% [markdown]
# A second view: how much of $g$ lies inside the leading $k$ principal components of a modality? Of a random direction
# in $d$ dimensions, the squared share inside $k$ of them is $k/d$ on average (and follows a Beta distribution, which
# gives the band).

# %%
ax = plots.plot_share(pairs.images, gap, side="images", title="miniclip-wide: where the gap lies")
plots.show(ax, alt="Squared share of the gap inside the leading k components of the images, against k on a logarithmic axis, "
           "with the grey band of random directions.")  # fmt: skip

# %% [markdown]
# **What to see.** Where the line runs below the grey band, the gap avoids the components that vary; where it runs above,
# the gap lies *in* them. The answer can change with $k$, so a verdict names its $k$.
#
# And the **random control**: the same towers, never trained. Training should have made the difference, if the theory of
# lesson 02 is right (variance along the gap is compressed first).

# %% tags=["nbval-check-output"]
random = gapkit.load_embeddings("miniclip-random/scenes100")
random_gap = geometry.gap_vector(random.texts, random.images)
print(f"untrained: gap {np.linalg.norm(random_gap):.3f}")
for side, z in (("texts", random.texts), ("images", random.images)):
    value = geometry.relative_variance(z, random_gap)
    print(f"untrained, {side}: relative variance along the gap {value:.3f}")

# %% [markdown]
# An untrained model already has a gap, and a wide one: both encoders map everything into a narrow cone, and two random
# cones point in different directions. So a gap as such is no achievement of training. What training does to its width
# and to the variance along it is the subject of [the table in section 7](#7-five-models-one-table).

# %% [markdown]
# ## 6. Separable, and in two cones
#
# Can one tell from a vector alone whether it was an image or a text? A linear classifier, judged only on rows that
# it did not see, says how cleanly. And the **cone**: the mean cosine of two different rows of one modality, 0 for
# vectors that point everywhere.
#
# > **Predict.** In 512 dimensions almost any two clouds of a hundred points can be separated. How would you make sure
# > that a held-out accuracy of 1 is not that?

# %% tags=["nbval-check-output"]
held_out = geometry.linear_separability(pairs.texts, pairs.images, seed=0)
halves = rng.permutation(len(pairs.images))
control = geometry.linear_separability(pairs.images[halves[:250]], pairs.images[halves[250:]], seed=0)
print(f"images or text?                  held-out accuracy {held_out:.2f}")
print(f"which random half of the images? held-out accuracy {control:.2f}")
for side, z in (("texts", pairs.texts), ("images", pairs.images)):
    print(f"{side:6s} mean cosine inside the modality {geometry.cone_statistics(z).mean_cosine:.2f}")
assert held_out > 0.99
assert control < 0.65

# %% [markdown]
# The control is a question with no answer, and the classifier gets it right about half of the time. Its perfect score
# on the real question is therefore no artefact of many dimensions.
#
# ## 7. Five models, one table
#
# The shipped family: the same towers, the same data, the same number of steps; only loss and temperature differ.
# *Temperature* is what the cosines are divided by in the loss: a low one makes the loss look only at the hardest
# competitors. `measure` gives everything at once, here with 95 % intervals from a bootstrap over rows.
#
# > **Predict.** Which member has the widest gap: the one with a low fixed temperature, or the one that learned its
# > temperature?

# %%
members = ["wide", "t0.01", "learned", "siglip", "random"]
measured = {}
for member in members:
    one = gapkit.load_embeddings(f"miniclip-{member}/scenes100")
    measured[member] = geometry.measure(*one.matched(), intervals=True, resamples=200, seed=0)
columns = ["l2m", "l2i", "rmg", "matched_cosine", "relative_variance_gallery", "relative_variance_queries"]
rows = [[measured[member][name].value for name in columns] for member in members]
pd.DataFrame(rows, index=members, columns=columns).round(3)

# %% tags=["nbval-check-output"]
for member in members:
    value, low, high = measured[member]["l2m"]
    print(f"{member:8s} gap {value:.2f}, 95 % interval {low:.2f} to {high:.2f}")
assert measured["wide"]["l2m"].low > measured["learned"]["l2m"].high


# %%
@plots.styled
def plot_widths(measured):
    """The width of each model's gap with its interval."""
    ax = plots.canvas(width=6, height=3)
    for row, numbers in enumerate(measured.values()):
        value, low, high = numbers["l2m"]
        ax.plot([low, high], [row, row], color=plots.PALETTE["gap"], linestyle="-", linewidth=4)
        ax.plot(value, row, marker="o", color=plots.PALETTE["texts"], linestyle="none")
        ax.text(value + 0.03, row, f"{value:.2f}", va="center")
    ax.set(yticks=range(len(measured)), yticklabels=measured, xlabel="width of the gap ‖g‖", xlim=(0, 1.5))
    ax.invert_yaxis()
    return ax


ax = plot_widths(measured)
plots.show(ax, alt="Width of the gap of the five models with 95 % intervals: the untrained model has the widest, among the "
           "trained ones the model with the lowest fixed temperature.")  # fmt: skip

# %% [markdown]
# **What to see.** One family, gaps from narrow to wide, and intervals that are short compared with the differences. (An
# interval over rows tells how sure the number is *for this model*. Another seed gives another model; the three seeds
# of each setting are compared in the replication. And do not take *learned* for CLIP: CLIP learns its temperature as well, but goes on until it is 0.01,
# that of t0.01; in our short training it stays near 0.06.)
#
# And orthogonality, model by model, each against its own band of random directions:


# %% tags=["nbval-check-output"]
def verdict(z, direction):
    """Where the relative variance along ``direction`` stands among random directions."""
    value = geometry.relative_variance(z, direction)
    _, low, high = geometry.relative_variance_band(z, seed=0)
    return f"{value:5.2f} {'below' if value < low else 'above' if value > high else 'inside'}"


verdicts = {}
for member in members:
    one = gapkit.load_embeddings(f"miniclip-{member}/scenes100")
    g = geometry.gap_vector(one.texts, one.images)
    verdicts[member] = verdict(one.texts, g), verdict(one.images, g)
    print(f"{member:8s} texts {verdicts[member][0]:14s} images {verdicts[member][1]}")
assert all("below" in said for said in verdicts["wide"])
assert all("above" in said for said in verdicts["siglip"])

# %% [markdown]
# The wide gap is nearly orthogonal to what varies, for both modalities. The two narrow gaps are the opposite: more varies along them
# than along a random direction; the gap of t0.01 lies between. So Assumption 3.3 is not a law about contrastive learning; it holds for some models and
# not for others, and if you build on it, measure first.
#
# Same data, same towers, different gaps: that is what will let us ask in lesson 06 whether a wider gap really costs
# robustness.

# %% [markdown]
# ## 8. Summary and questions
#
# - L2M is the distance of the means, L2I that of partners, RMG relates it to the size of the clouds.
# - The mean cosine of partners is $1 - \|g\|^2/2 - \text{mismatch}$: low cosines come from the gap and from the mismatch, in real CLIPs about
#   half from each.
# - Orthogonality is a comparison, with random directions and with an untrained model, for each model and each $k$; some
#   members of one family pass and others fail.
# - Untrained models have a gap too; temperature decides how much of it training leaves.
#
# **Questions**
#
# 1. A colleague finds L2M = 0.8 for model A and 0.4 for model B and concludes that B has aligned its modalities better.
#    Which second number do you ask for?
# 2. All vectors of one modality get multiplied by the same rotation. Which of the numbers of this lesson change?
# 3. The gap lies above the band at $k = 100$ and below it at $k = 300$. Is it orthogonal?
#
# Previous: [00 · Start here](00_start_here.ipynb) · Next: [02 · Why a gap appears](02_why_a_gap_appears.ipynb)
