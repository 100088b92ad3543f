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
# # 03 · Is the gap orthogonal?
#
# **Objectives.** After this lesson you can
# - state the orthogonality assumption behind the paper's robustness theorem, and what hangs on it;
# - measure it in two ways, and say what chance alone would give for each;
# - give a verdict for a model that follows from numbers with intervals, whichever way it goes;
# - say how much of a gap is left to close once the part inside the text subspace is taken out.
#
# **Prerequisites.** Lessons 01 and 02; principal components. **Time.** 60 minutes.
#
# **Place.** The fourth lesson of nine. Lesson 02 showed why a gap *can* become orthogonal; here we look whether it did; lesson 04 builds on the answer.
# Previous: [02 · Why a gap appears](02_why_a_gap_appears.ipynb) · Next: [04 · Gap and robustness](04_gap_and_robustness.ipynb).

# %% [markdown]
# *Without installing anything:* [open this lesson in Colab](https://colab.research.google.com/github/gapkit/gapkit/blob/HEAD/notebooks/03_is_the_gap_orthogonal.ipynb) and run
# `%pip install -q "gapkit @ git+https://github.com/gapkit/gapkit"` in a new cell first. Colab's own torch is kept; models and data are downloaded when a cell needs them.

# %%
import numpy as np
import pandas as pd
from scipy.stats import beta, kstest

import gapkit
from gapkit import check, plots
from gapkit.claims import Below, Cell
from gapkit.embeddings import recorded_figures, sampling
from gapkit.geometry import (
    Band,
    gap_vector,
    place_in_band,
    relative_variance,
    relative_variance_band,
    share_intervals,
    subspace_share,
    subspace_share_chance,
    variance_intervals,
)
from gapkit.miniclip import MODEL_CONFIG, run_name, training_curve
from gapkit.plots import plot_along_gap
from gapkit.widgets import orthogonality_explorer, present

# %% [markdown]
# ## 1. The assumption, and what depends on it
#
# **Assumption 3.3** (Chowers et al. 2026): no text and no image varies along the gap,
#
# $$(x_i-\mu_x)\cdot g=0\quad\text{and}\quad(y_j-\mu_y)\cdot g=0\qquad\text{for all } i,j.$$
#
# If it holds, moving the texts along $g$ changes every *squared* distance from a query to the texts by the same amount: the order of the distances stays, no answer changes, and the gap can be closed for free (lesson 04 proves it).
# If it does not hold, moving along $g$ favours some texts over others, and answers change. The paper's algorithm has a safety net: it removes from $g$ the part inside the principal components of the texts, and moves along the rest.
# So the assumption decides two things: whether the raw gap may be closed, and how much of it is left after the net.
#
# It is never exactly zero. The honest questions are: *how small is it, compared with what?* and *how sure are we?*

# %% [markdown]
# ## 2. First measure: variance along the gap
#
# $$\text{relative variance}=\frac{\operatorname{Var}\bigl((z-\mu_z)\cdot g/\|g\|\bigr)}{\operatorname{tr}\operatorname{Cov}(z)/d}.$$
#
# The denominator is the variance in an *average* direction, so 0 means orthogonal, 1 means the gap is like any direction, $d$ means that all variance lies along it.
#
# > **Predict.** A cloud in 512 dimensions varies in 20 directions only. What is the relative variance along one of those 20, and along a direction drawn at random?

# %% tags=["nbval-check-output"]
rng = np.random.default_rng(0)
cloud = np.zeros((1000, 512))
cloud[:, :20] = rng.standard_normal((1000, 20))
print(f"along one of the twenty:   {relative_variance(cloud, np.eye(512)[0]):.1f}")
print(f"along one of the others:   {relative_variance(cloud, np.eye(512)[100]):.1f}")
band = relative_variance_band(cloud)
print(f"along a random direction:  {band.centre:.2f}, 95 % between {band.low:.2f} and {band.high:.2f}")
assert band.low < 1 < band.high

# %% [markdown]
# About $512/20\approx26$, 0, and 1 on average. A random direction is *not* near 0: it picks up a fair share of everything. So "orthogonal" must mean well below the band of random directions, and "below 1" alone says little.
#
# Along the principal components the relative variances are the cloud's *spectrum*. Write it from the singular values of the centred rows: one number for each singular value, the leading one first, 1 meaning average.


# %%
def relative_spectrum(z):
    """Variance along every principal component, relative to an average one of the d directions."""
    square = np.linalg.svd(z - z.mean(axis=0), compute_uv=False) ** 2
    return square / square.sum() * z.shape[1]


check(relative_spectrum)

# %% [markdown]
# Every other direction mixes these numbers: if $c_k$ are the components, the relative variance along a unit vector $v$ is $\sum_k (v\cdot c_k)^2$ times the $k$-th of them.
#
# Now a real case: a mini-CLIP trained with a very low temperature, on 100 classes of rendered scenes.

# %%
wide = gapkit.load_embeddings("miniclip-wide/scenes100")
texts, images = wide.texts.astype(float), wide.images.astype(float)
g = gap_vector(texts, images)
components = np.linalg.svd(texts - texts.mean(0), full_matrices=False)[2]
mixed = (components @ g) ** 2 @ relative_spectrum(texts) / (g @ g)
assert np.isclose(mixed, relative_variance(texts, g))  # the mixture, for the gap

plots.show(
    plots.plot_spectrum(texts, images, title="miniclip-wide, scenes100"),
    alt="""Variance of texts and images by principal component, relative to isotropic, on logarithmic axes. Both start at about a hundred and
    fall below one after fifteen components. The texts drop from a hundredth to four millionths after component 47, as over a cliff; the images go on
    falling smoothly. Horizontal lines mark the variance along the gap: 0.08 for texts, 0.19 for images.""",
)

# %% [markdown]
# **What to see.** The spectrum falls over many powers of ten: most directions carry almost nothing, a few carry a hundred times the average. The horizontal lines are the gap's place among them: far below the leading components, below the average of 1, but not at the bottom.
#
# And there is a *cliff*. After component 47 the texts' spectrum drops by a factor of two thousand. The text tower is 48 numbers wide, and the normalisation at its end takes one direction out, so its texts cannot differ in more than 47. What are the other 52 components that 100 texts have? The shipped embeddings are stored in half precision; rounding moves every number a little, in any direction.

# %% tags=["nbval-check-output"]
REAL = MODEL_CONFIG["text_cfg"]["width"] - 1
spectrum = relative_spectrum(texts)
step = np.spacing(np.abs(texts).astype(np.float16)).astype(float)  # between neighbours in half precision
rounding = (step**2 / 12).sum() / ((texts - texts.mean(0)) ** 2).sum()
tail = spectrum[REAL:].sum() / spectrum.sum()
print(f"component {REAL}: {spectrum[REAL - 1]:.1e}; component {REAL + 1}: {spectrum[REAL]:.1e}")
print(
    f"share of all variance after component {REAL}: {tail:.0e}; what rounding alone would add: {rounding:.0e}"
)
assert tail < rounding

# %% [markdown]
# Everything past the cliff is smaller than rounding explains. Remember these components: they carry nothing of the model, yet a method that counts components counts them (sections 5 and 8).
#
# The clouds seen along the gap and across it:

# %%
plots.show(
    plots.plot_pca(texts, images, title="miniclip-wide, scenes100"),
    alt="""Texts and images in the plane of the gap and the leading component across it. Two clouds far apart, both narrow along the gap and wide across it.""",
)

# %% [markdown]
# **What to see.** Both clouds are much narrower along the gap (across the page) than along their leading component (up the page), as the numbers said. Narrow is not flat.

# %% [markdown]
# ## 3. Second measure: how much of the gap lies inside the texts, and what chance would give
#
# Let $V_k$ hold the top $k$ principal components of the texts. The *share* $\|V_kV_k^\top g\|/\|g\|$ says how much of the gap is made of directions in which texts differ.
#
# **Chance.** Draw a random direction as $u=z/\|z\|$ with $z$ standard normal. Choose coordinates so that the $k$ components come first. The squared share is
#
# $$\frac{z_1^2+\dots+z_k^2}{z_1^2+\dots+z_d^2}=\frac{A}{A+B},\qquad A\sim\chi^2_k,\ B\sim\chi^2_{d-k}\ \text{independent},$$
#
# and such a ratio has the law $\mathrm{Beta}\bigl(\tfrac k2,\tfrac{d-k}2\bigr)$, with mean $k/d$. So chance is a *distribution*, not the line $\sqrt{k/d}$, which is only its root mean square. We check the law before using it.

# %% tags=["nbval-check-output"]
directions = rng.standard_normal((2000, 512))
lengths = (directions**2).sum(1)
squared = (directions[:, :20] ** 2).sum(1) / lengths  # the twenty components span the first axes
assert abs(subspace_share(cloud, directions[0], 20) ** 2 - squared[0]) < 1e-9
test = kstest(squared, beta(20 / 2, (512 - 20) / 2).cdf)
print(
    f"mean squared share {squared.mean():.4f}, k/d = {20 / 512:.4f}; Kolmogorov-Smirnov p = {test.pvalue:.2f}"
)
assert test.pvalue > 0.01

# %%
plots.show(
    plots.plot_share(texts, g, title="miniclip-wide, scenes100", yscale="log"),
    alt="""Squared share of the gap in the top-k components of the texts against k, both axes logarithmic, with the grey band of random directions.
    The line starts inside the wide band at k = 1, runs below it from about 4 to 16 components, crosses it, and is above it from about 28 on.""",
)

# %% [markdown]
# **What to see.** At $k=1$ the line is inside the band, which is wide there: a random direction, too, often has next to nothing in a single component. From about 4 to 16 components it runs *below*: the gap avoids the directions in which texts differ most. Then it crosses the band, and from about 28 on it is *above*.
# One number $k$ would have told either story. That is why the verdicts below are given for each $k$.

# %% [markdown]
# ## 4. Every shipped model, with intervals and two rules
#
# Four of the six settings of the family, with three seeds each, and the random control (*t0.005* and *t0.03* lie between them). All are measured on digits10 and scenes100, the first seeds and the control on scenes-pairs as well. An *interval* and a *band* lead to four words:
#
# - **below**: the whole 95 % interval lies below the band in which 95 % of random directions fall;
# - **inside**, **above**: all of it lies there;
# - **cannot tell**: it straddles an edge of the band.
#
# The **relative rule**, fixed before we look, says *yes* (less than chance) to *below* alone. An **absolute rule** asks for what the assumption says, practically none: *yes* if the whole interval is at most 0.1. Neither is the stricter one, as we shall see.
#
# The interval asks what other *images* would have given. A bootstrap sample is a row of weights, how often each image was drawn; we draw within classes, because the test sets are balanced. The texts of digits10 and scenes100 are the list of classes: nobody sampled them, and they stay. Captions (scenes-pairs) are drawn together with their images. The table below takes 400 samples of each set, and so does every interval that `gapkit measure` and the report of `gapkit replicate` print of these numbers: they are the same.


# %%
SETTINGS = ("wide", "t0.01", "siglip", "learned", "random")
DATASETS = ("digits10", "scenes100", "scenes-pairs")


def variance_rows(entries, resamples=400):
    """Relative variance of both sides along the gap, basic bootstrap interval, band, and the word."""
    sides = {"texts": entries.texts, "images": entries.images}
    intervals = variance_intervals(*sides.values(), **sampling(entries), resamples=resamples)
    rows = []
    for (side, z), (value, low, high) in zip(sides.items(), intervals, strict=True):
        band = relative_variance_band(z)
        rows.append((side, value, low, high, band.low, band.high, place_in_band(low, high, band)))
    return rows


# %%
assert np.isclose(variance_rows(wide)[1][1], relative_variance(images, g))  # the weights do what they should

# %% [markdown]
# > **Predict.** Which of the five settings will pass which rule? Use what lesson 02 said about temperature. And will the three seeds of one setting agree?

# %% tags=["nbval-check-output"]
shipped = set(gapkit.list_embeddings())
COLUMNS = ["side", "value", "value_low", "value_high", "band_low", "band_high", "place"]
rows = [
    (dataset, setting, seed, *row)
    for dataset in DATASETS
    for setting in SETTINGS
    for seed in range(3)
    if (name := f"{run_name(setting, seed)}/{dataset}") in shipped
    for row in variance_rows(gapkit.load_embeddings(name))
]
along = pd.DataFrame(rows, columns=["dataset", "model", "seed", *COLUMNS])
along["absolute"] = [
    Below(0.1).answer(Cell("", *row))
    for row in along[["value", "value_low", "value_high"]].itertuples(index=False)
]
print("variance along the gap relative to average, [95 % interval], against chance; seeds 0, 1, 2")
for dataset, part in along.groupby("dataset", sort=False):
    print(f"\n{dataset}")
    for (model, side), rows in part.groupby(["model", "side"], sort=False):
        cells = [
            f"{row.value:.2f} [{row.value_low:.2f}, {row.value_high:.2f}] {row.place:11s}"
            for row in rows.itertuples()
        ]
        print(f"{model:8s}{side:7s}", "  ".join(cells).rstrip())

# %% tags=["nbval-check-output"]
words = ["below", "inside", "above", "cannot tell"]
counts = along.groupby(["model", "side"], sort=False)["place"].value_counts().unstack(fill_value=0)
passed = along.groupby(["model", "side"], sort=False)["absolute"].value_counts().unstack(fill_value=0)
table = counts.reindex(columns=words, fill_value=0).join(
    passed.add_prefix("absolute: ")[["absolute: yes", "absolute: no", "absolute: cannot tell"]]
)
control = along[
    (along["model"] == "random") & (along["side"] == "images") & (along["dataset"] == "scenes100")
]
assert (control["place"].item(), control["absolute"].item()) == ("inside", "yes")
wide_texts = along[(along["model"] == "wide") & (along["side"] == "texts")]
assert (wide_texts["place"] == "below").all()
assert list(wide_texts.loc[wide_texts["dataset"] == "scenes100", "absolute"]) == ["yes", "no", "no"]
assert not along["place"][along["model"].isin(["siglip", "learned", "random"])].eq("below").any()
print(
    "how many of a setting's sets (seeds and datasets) get which word, and which answer of the absolute rule\n"
)
print(table.to_string())

# %%
axes = plots.canvas(1, 2, width=9, height=5.4)
for ax, dataset in zip(axes, ("digits10", "scenes100"), strict=True):
    plot_along_gap(along[along["dataset"] == dataset], title=dataset, ax=ax)
axes[0].get_figure().legend(
    *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False
)
plots.show(
    axes,
    alt="""Two panels, digits10 and scenes100: relative variance along the gap on a logarithmic axis, with intervals, for each seed of five settings, texts as
    circles and images as triangles, over grey bars where 95 % of random directions fall, from about 0.2 or 0.3 to 2.5. The wide setting lies left of its bars, its texts
    around the dashed line at 0.1; t0.01 lies about the left ends of its bars, siglip inside and right of them, learned mostly right of them. The random control's texts
    lie right of their bar; its images lie at 0.22 and 0.03, inside a bar that reaches down to 0.02.""",
)

# %% [markdown]
# **What to see.** Grey bars are chance, one for each model and side; the dotted line is an average direction, the dashed one the absolute rule.
#
# - *The relative rule* goes with the temperature. The setting with the lowest one (wide) passes in all seven sets with its texts and in six with its images. The next (t0.01) passes in five of fourteen cases; otherwise it lies inside, or one cannot tell. siglip and learned, whose gaps are narrower, never pass: their gap lies inside the band or above it, or one cannot tell.
# - *The absolute rule* is passed by no trained setting but wide, and there it does not replicate: on scenes100 the texts of seed 0 are at 0.08 (*yes*), those of the other seeds at 0.12 and 0.13 (*no*). Its images never pass. A single seed would have told a simpler story than there is.
# - *Seeds disagree* elsewhere, too: on scenes100 the images of siglip lie above the band for one seed and inside for two. And *data* matter: on the two-object captions of scenes-pairs, texts and images of learned lie inside the band; on scenes100 they lie above it for every seed.
# - Where an interval ends close to an edge of the band, another draw could change the word: the band itself is drawn, from 2,000 directions, and its edges are good to some per cent.
#
# **The control deserves a second look.** On scenes100 the images of the untrained model vary *less* along the gap (0.03) than those of any trained one, and on digits10 (0.22) as little as those of the first wide model. Did training do nothing, then? That does not follow either. An untrained tower maps all images to nearly the same few directions, so most random directions see next to nothing of them: the band reaches down to 0.02. The control's 0.03 is small, and *not smaller than chance makes it*: absolute rule *yes*, relative rule *no*. So neither rule is the stricter one, and a small number alone shows little.
#
# What the control never shows is a variance *below chance*. For the texts the change is plain: above the band in every set of the control, below it in every set of wide. For the images it is a change relative to chance only; a small number was there from the start.

# %% [markdown]
# ## 5. A verdict for every $k$
#
# Now the second measure: the squared share of the gap in the texts' top $k$ components, against the Beta band, with the same four words. With class texts the components stay while the images are resampled. Captions were sampled, so there the components are found again in every bootstrap sample, except for the last $k$: a sample of 300 pairs holds only about 190 different captions, and no more components than that. That takes time, so the table below draws 200 samples.


# %%
KS = (1, 3, 10, 30, REAL)


def share_rows(entries, ks=KS, resamples=200):
    """Squared share of the gap in the texts' top k components, its interval, band, and the word, for each k."""
    last = len(entries.texts) - 1
    ks = [k for k in ks if k < last] + [last]
    shares = share_intervals(entries.texts, entries.images, ks, **sampling(entries), resamples=resamples)
    rows = []
    for k, share in zip(ks, shares, strict=True):
        value, low, high = np.square(share)
        band = Band(*np.square(subspace_share_chance(k, entries.dim)))
        rows.append((k, value, low, high, band.low, band.high, place_in_band(low, high, band)))
    return rows


# %% tags=["nbval-check-output"]
rows = [
    (dataset, setting, seed, *row)
    for dataset in DATASETS
    for setting in SETTINGS
    for seed in range(3)
    if (name := f"{run_name(setting, seed)}/{dataset}") in shipped
    for row in share_rows(gapkit.load_embeddings(name))
]
inside = pd.DataFrame(rows, columns=["dataset", "model", "seed", "k", *COLUMNS[1:]])


def per_cent(share):
    """A squared share in per cent, with a second decimal where it is small."""
    return f"{100 * share:.{2 if share < 0.01 else 1}f}"


def seed_0(rows):
    """Value and interval of the first seed."""
    row = rows[rows["seed"] == 0].iloc[0]
    return f"{per_cent(row['value'])} [{per_cent(row['value_low'])}, {per_cent(row['value_high'])}]"


def all_seeds(rows):
    """How many seeds get which word."""
    found = [(word, (rows["place"] == word).sum()) for word in words]
    return ", ".join(f"{count} {'?' if word == 'cannot tell' else word}" for word, count in found if count)


for title, cell in (
    ("squared share in the top k components in per cent, [95 % interval]; seed 0", seed_0),
    ("\nhow many seeds get which word (? = cannot tell)", all_seeds),
):
    print(f"{title}\n{'':13s}{'k':>3s}  {'chance':14s}" + "".join(f"{m:22s}" for m in SETTINGS).rstrip())
    for (dataset, k), part in inside.groupby(["dataset", "k"], sort=False):
        band = " to ".join(per_cent(part[edge].iloc[0]) for edge in ("band_low", "band_high"))
        line = "".join(f"{cell(rows):22s}" for _, rows in part.groupby("model", sort=False))
        print(f"{dataset:13s}{k:3d}  {band:14s}{line}".rstrip())
for _, rows in inside.groupby(["dataset", "model", "seed"]):
    assert np.all(np.diff(rows["value"]) >= 0)  # more components, larger share
at_scenes = inside[inside["dataset"] == "scenes100"]
real = at_scenes[at_scenes["k"] == REAL].set_index("model")
assert (real["place"] == "above").all()
assert real.loc[["wide", "t0.01"], "value"].between(0.19, 0.28).all()
assert (real.loc[["siglip", "learned"], "value"] > 0.95).all()
wide_shares = at_scenes[at_scenes["model"] == "wide"].pivot(index="seed", columns="k", values="value")
assert (at_scenes[(at_scenes["model"] == "wide") & (at_scenes["k"] == 10)]["place"] == "below").all()
assert wide_shares[99][0] - wide_shares[REAL][0] > wide_shares[99][0] / 2  # most of it lies past the cliff

# %% [markdown]
# *Below* means the gap avoids those components more than a random direction would, *above* that it prefers them. What do the tables say?
#
# - On scenes100 every setting changes its word with $k$. wide goes all the way, from *below* at 10 components to *above* at 47; the others come from *inside* or *cannot tell*. (t0.01 goes all the way on scenes-pairs.) So a report of a single $k$ can be right and misleading at once.
# - On digits10 there are nine components at most, and with all nine of them wide is still *below*, in every seed. siglip, learned and the control are *above*.
# - At $k=47$, all that the text tower can produce, every model on scenes100 is *above*, but at very different heights: 47 % of the squared length of the gap lies in the texts' span without training, 19 to 28 % in wide and t0.01, and 95 % or more in siglip and learned. Training with a low temperature moved the gap out of the texts' span, but not far enough to beat chance; the narrow gaps lie almost wholly inside.
# - At $k=99$ the first wide model is at 44 %. More than half of that lies past the cliff of section 2, in the rounding errors of the file. It is a fact about the stored numbers, not about the model.
#
# Both measures are right about the wide model: it hardly varies along its gap, and yet a fifth of the gap's squared length lies in the span of its texts, namely in *minor* components, from the eleventh to the 47th. The share counts all components alike, the relative variance weighs them by what varies.
#
# Explore all datasets, one model at a time (the sentence below the picture compares the value alone with the band; intervals are in the tables above):

# %%
present(
    orthogonality_explorer([f"miniclip-{setting}" for setting in SETTINGS]),
    "The two figures of sections 2 and 3 show one setting of it.",
)

# %% [markdown]
# ## 6. Real CLIP
#
# OpenAI's CLIP ViT-B/16 on 500 pairs of COCO, and the same pairs through randomly initialised towers (embeddings published by Liang et al. 2022). The files are 2 MB each and not part of this repository. Once they are in the cache, the next cell measures them with the functions of sections 4 and 5; until then it shows what we measured with the very same code.

# %%
CITED = {  # value, its interval, chance: measured with exactly this code on the published files
    "coco500-clip-vitb16": {
        "variance, texts": (3.425, 2.974, 3.925, 0.673, 1.474),
        "variance, images": (2.518, 2.147, 2.893, 0.691, 1.470),
        "share, k = 1": (0.0017, 0.0000, 0.0059, 0.0000, 0.0098),
        "share, k = 10": (0.1298, 0.1030, 0.1463, 0.0064, 0.0397),
        "share, k = 30": (0.1985, 0.1714, 0.2099, 0.0333, 0.0904),
        "share, k = 100": (0.3102, 0.2795, 0.3290, 0.1492, 0.2460),
        "share, k = 300": (0.5423, 0.5162, 0.5609, 0.5251, 0.6455),
        "share, k = 499": (0.8908, 0.8885, 0.8933, 0.9521, 0.9901),
    },
    "coco500-clip-vitb16-random": {
        "variance, texts": (2.454, 2.180, 2.716, 0.695, 1.431),
        "variance, images": (9.424, 8.006, 10.550, 0.115, 3.688),
        "share, k = 1": (0.0308, 0.0212, 0.0377, 0.0000, 0.0098),
        "share, k = 10": (0.0496, 0.0376, 0.0595, 0.0064, 0.0397),
        "share, k = 30": (0.1079, 0.0844, 0.1300, 0.0333, 0.0904),
        "share, k = 100": (0.3388, 0.3013, 0.3692, 0.1492, 0.2460),
        "share, k = 300": (0.7419, 0.7026, 0.7636, 0.5251, 0.6455),
        "share, k = 499": (0.9870, 0.9868, 0.9873, 0.9521, 0.9901),
    },
}


def real_clip(name):
    """Value, interval and band of both measures for one published set: measured if it is in the cache, else cited."""
    if name not in gapkit.list_embeddings():
        print(f"{name} is not in the cache, so these numbers are cited; to measure them: gapkit fetch {name}")
        return CITED[name]
    print(f"{name}, measured here")
    entries = gapkit.load_embeddings(name)
    found = {f"variance, {side}": numbers for side, *numbers, _ in variance_rows(entries, 1000)}
    shares = share_rows(entries, (1, 10, 30, 100, 300), 400)
    return found | {f"share, k = {k}": numbers for k, *numbers, _ in shares}


# %%
said = {}
for name in CITED:
    numbers = real_clip(name)
    said[name] = {
        what: place_in_band(low, high, Band(np.nan, *edges))
        for what, (_, low, high, *edges) in numbers.items()
    }
    for what, (value, low, high, *edges) in numbers.items():
        print(
            f"  {what:17s}{value:7.3f} [{low:.3f}, {high:.3f}]  chance {edges[0]:.3f} to {edges[1]:.3f}  {said[name][what]}"
        )
    np.testing.assert_allclose(
        np.array([*numbers.values()]), np.array([*CITED[name].values()]), rtol=0.02, atol=5e-4
    )

# %% [markdown]
# A line starting with *variance* is relative to an average direction, one with *share* a squared share of the texts' top $k$ components. Which word stands where follows from the rule:

# %% tags=["nbval-check-output"]
for name, found in said.items():
    print(f"{name:27s}", "; ".join(f"{what.removeprefix('share, ')}: {word}" for what, word in found.items()))
real, control = (list(found.values()) for found in said.values())
assert real == ["above", "above", "inside", "above", "above", "above", "cannot tell", "below"]
assert "below" not in control

# %% [markdown]
# The gap of the real model is wide ($\|g\|=0.85$) and, by the first measure, the opposite of orthogonal: texts and images vary 3.4 and 2.5 times as much along it as in an average direction, and both intervals lie *above* the bands.
#
# By the second measure it depends on $k$. The first ten, thirty and hundred components hold more of the gap than chance would put there (*above*); all 499 that 500 captions have hold less (*below*). Between them, at 300, the value is smaller than the mean of chance (0.542, or 0.736 as a length, against $k/d=0.586$), but it lies inside the band, and its interval straddles the lower edge: *cannot tell*.
#
# The control, the same architecture untrained, is *above* in both variances as well, its images far more so (9.4), and it is never *below*. Compared with the untrained towers, the trained ones have less variance along the gap in the images and more in the texts; neither is near orthogonal. Assumption 3.3 is an idealisation here, and the projection in the paper's algorithm is not optional.

# %% [markdown]
# Is CLIP ViT-B/16 an exception? The relative variances of all eight published models, from recorded figures (`gapkit replicate --published`; the sets come with `gapkit fetch --all`, and those in the cache are measured again here):


# %%
def word_of(row, side):
    """Where the interval of one side's variance along the gap lies, against the band of random directions."""
    ends = (row[f"variance_{side}_low"], row[f"variance_{side}_high"])
    return place_in_band(
        *ends, Band(np.nan, row[f"variance_{side}_band_low"], row[f"variance_{side}_band_high"])
    )


real = recorded_figures().query("level == 'untouched 0.7'").sort_values("gap_norm", ascending=False)
words = []
for row in real.to_dict("records"):
    if row["name"] in gapkit.list_embeddings():
        entries = gapkit.load_embeddings(row["name"])
        x, y = entries.texts.astype(float), entries.images.astype(float)
        fresh = [relative_variance(z, gapkit.gap_vector(x, y)) for z in (y, x)]
        np.testing.assert_allclose(fresh, [row["variance_images"], row["variance_texts"]], rtol=1e-3)
    words += [word_of(row, "images"), word_of(row, "texts")]
    print(
        f"{row['model']:15} images {row['variance_images']:6.2f} {words[-2]:12} texts {row['variance_texts']:6.2f} {words[-1]}"
    )

# %% [markdown]
# Not one of the sixteen values lies below its band. Nearly all real modalities vary *more* along their gap than along a random direction, up to 37 times as much; CyCLIP comes closest to our wide model. Whatever made the gap of `miniclip-wide` nearly orthogonal is a property of that model, not of CLIP.

# %% tags=["nbval-check-output"]
print({word: words.count(word) for word in ("below", "inside", "above", "cannot tell")})
assert "below" not in words

# %% [markdown]
# ## 7. Along training
#
# When does orthogonality come, if it comes? The training curves recorded the relative variance at many steps, on 184 held-out pairs: ten digits, a scene of each of the 100 classes, and 74 scenes with two objects, each with a caption. That is a *mixture* of three kinds, and its numbers are not those of section 4. We can see what mixing does at the end of training, where we have embeddings: we mix the shipped sets in the same proportions.

# %% tags=["nbval-check-output"]
COUNTS = {"digit": 10, "one object": 100, "two objects": 74}
kind = np.repeat(list(COUNTS), list(COUNTS.values()))


def mixture(model):
    """Texts and images of three kinds, in the proportions of the held-out pairs."""
    digits, scenes, pairs = (gapkit.load_embeddings(f"{model}/{dataset}") for dataset in DATASETS)
    firsts = [np.unique(entries.labels, return_index=True)[1] for entries in (digits, scenes)]
    two = slice(COUNTS["two objects"])
    x = np.concatenate([digits.texts, scenes.texts, pairs.texts[two]])
    y = np.concatenate([digits.images[firsts[0]], scenes.images[firsts[1]], pairs.images[two]])
    return x.astype(float), y.astype(float)


def share_between(values):
    """How much of the variance of these values is that of the means of the kinds."""
    centred = values - values.mean()
    return (pd.Series(centred).groupby(kind).transform("mean") ** 2).sum() / (centred**2).sum()


bands = {}
print("three kinds mixed: variance along the gap, band, share of it between the kinds; end of the curve")
for setting in SETTINGS:
    x, y = mixture(f"miniclip-{setting}")
    direction = gap_vector(x, y)
    for side, z in (("texts", x), ("images", y)):
        value, between = relative_variance(z, direction), share_between(z @ direction)
        bands[setting, side] = band = relative_variance_band(z)
        line = f"{setting:8s}{side:7s}{value:6.2f}  {band.low:.2f} to {band.high:.2f}  {between:4.0%}"
        if setting != "random":
            line += f"  {training_curve(setting)['rows'][-1][f'variance_along_gap_{side}']:6.2f}"
        print(line)
        assert between > 0.5 or setting != "wide"

# %% [markdown]
# The mixture comes close to the end of the curves for wide and t0.01, and within a factor of three for the others, whose captions here are not the ones of the curves. For the wide model most of the variance along the gap is variance *between the kinds*: digits, scenes and pairs of objects sit at different heights along it. Within scenes100 there is one kind only, and 0.08 for the texts; in the mixture they are at 0.6. Orthogonality is a property of a model *and* a set of texts and images.
#
# The curves stored numbers, not embeddings, so no band can be computed for single steps. For the end of training the mixture gives one, which is nearly the same for the four settings; it is the grey area below. Before training the band of the images is much wider (the last line), so the first steps of their curves must not be judged by it.
#
# > **Predict.** Lesson 02's simulation lost the variance along the gap within ten steps. Will these curves?

# %%
TRAINED = SETTINGS[:4]
curves = {
    (setting, seed): training_curve(setting, seed=seed)["rows"] for setting in TRAINED for seed in range(3)
}
keys = ("gap", "variance_along_gap_images", "variance_along_gap_texts")
axes = plots.plot_curves({setting: curves[setting, 0] for setting in TRAINED}, keys)
for ax, key in zip(axes, keys, strict=True):
    for setting, line in zip(TRAINED, list(ax.lines), strict=True):
        for seed in (1, 2):
            steps, values = zip(*((row["step"], row[key]) for row in curves[setting, seed]), strict=True)
            ax.plot(steps, values, color=line.get_color(), linestyle=line.get_linestyle(), linewidth=0.7)
for ax, side in zip(axes[1:], ("images", "texts"), strict=True):
    ends = [bands[setting, side] for setting in TRAINED]
    ax.axhspan(
        min(b.low for b in ends),
        max(b.high for b in ends),
        color=plots.PALETTE["grey"],
        alpha=0.2,
        linewidth=0,
    )
plots.show(
    axes,
    alt="""Three panels over the training steps of four mini-CLIPs with three seeds each, seed 0 as thick lines. The gap starts at 1.2 to 1.3 and ends between 0.2 and 0.8,
    widest for the lowest temperature. The images' variance along it starts at about 0.1, is above 1 in all runs by step 30, then falls below 1 for wide, stays about 1 for t0.01 and
    goes on at 5 to 50 for siglip and learned. The texts' starts at 2 to 10 and first falls in most runs; wide ends at 0.6, t0.01 at 2, siglip and learned at 6 to 10. A grey area
    from 0.4 to 2 marks random directions at the end of training.""",
)

# %% [markdown]
# **What to see.** Nothing like the clean first phase of lesson 02. The images' variance along the gap *rises* first, the texts' comes down from where it happened to start, and the temperature decides where both end. In numbers:

# %% tags=["nbval-check-output"]
at_steps = {
    (side, *run): pd.Series({row["step"]: row[f"variance_along_gap_{side}"] for row in rows})
    for run, rows in curves.items()
    for side in ("images", "texts")
}
print("variance along the gap, seeds 0, 1, 2; and the end against the band of the mixture")
print(f"{'':15s}{'start':20s}{'lowest':20s}{'highest':20s}end")
for side in ("images", "texts"):
    for setting in TRAINED:
        runs = [at_steps[side, setting, seed] for seed in range(3)]
        columns = (
            [pick(run) for run in runs] for pick in (lambda s: s.iloc[0], min, max, lambda s: s.iloc[-1])
        )
        numbers = "".join(" ".join(f"{number:5.2f}" for number in column) + "   " for column in columns)
        ends = [place_in_band(run.iloc[-1], run.iloc[-1], bands[setting, side]) for run in runs]
        print(f"{side:7s}{setting:8s}{numbers}{', '.join(ends)}")
images_of, texts_of = (
    [run for (s, *_), run in at_steps.items() if s == side] for side in ("images", "texts")
)
print("images: runs above 1 at step 30:", sum(run[30] > 1 for run in images_of), "of", len(images_of))
print("texts: runs lower at step 20 than at the start:", sum(run[20] < run[0] for run in texts_of))
assert max(run[0] for run in images_of) < 0.2 < 1.8 < min(run[0] for run in texts_of)
assert min(run.iloc[-1] for run in at_steps.values()) > 0.3  # none ends near zero

# %% [markdown]
# - The *images* start low (0.1; the control says that this is no less than chance) and *rise*: all twelve runs are above 1 at step 30. Then the temperature parts them. wide falls to 0.33 to 0.37, at the lower edge of the grey area; t0.01 stays about 1; siglip and learned end at 5 to 8, above it.
# - The *texts* start where the initial weights happen to put them (at 10, 2 and 8 for the three seeds) and first *fall* in most runs. wide gets down to 0.2, below the area, and comes back to 0.6, inside; t0.01 ends at its upper edge; siglip and learned climb again, to 6 to 10.
#
# Orthogonality is an outcome of some training runs, not a law; and on these mixed pairs no run ends near zero. The words in the table are rougher than those of section 4: a curve has no intervals, and the band is that of a similar set, not of the same one. And "below 1" would have been no criterion at all: more than half of all random directions are below 1.

# %% [markdown]
# ## 8. What is left to close
#
# The paper's algorithm moves the texts along $g'=g-VV^\top g$, with $V$ all $K-1$ principal components of $K$ texts. Its length says how much of the gap may be closed without changing a single answer: $\|g'\|=\|g\|\sqrt{1-\text{share}^2}$. Where $K-1$ goes past the cliff of section 2, we also ask what would be left if the components made of rounding were not counted.

# %% tags=["nbval-check-output"]
rows = []
for setting in SETTINGS:
    for dataset in ("digits10", "scenes100"):
        entries = gapkit.load_embeddings(f"miniclip-{setting}/{dataset}")
        x, y = entries.texts.astype(float), entries.images.astype(float)
        direction = gap_vector(x, y)
        length = np.linalg.norm(direction)
        share, real_share = subspace_share(x, direction, [len(x) - 1, min(len(x) - 1, REAL)])
        rest, real_rest = (length * np.sqrt(1 - s**2) for s in (share, real_share))
        rows.append((setting, dataset, len(x), length, share, rest, real_rest))
left = pd.DataFrame(
    rows,
    columns=["model", "dataset", "texts", "gap", "share inside", "left to close", "not counting rounding"],
)
print(left.round(2).to_string(index=False))
assert (left["left to close"] <= left["gap"]).all()
first_wide = left[(left["model"] == "wide") & (left["dataset"] == "scenes100")].iloc[0]
assert np.isclose(first_wide["left to close"] / first_wide["not counting rounding"], 5 / 6, atol=0.02)
ten = left[left["dataset"] == "digits10"]
assert (ten["left to close"] > 0.9 * ten["gap"]).all()

# %% [markdown]
# With 10 texts at least nine tenths of the gap can be closed, whichever the model: nine components in 512 dimensions are easily avoided. With 100 texts it is less, and for siglip and learned next to nothing. For the wide model the rounding of the file costs a sixth of what could be closed. (Counting those components keeps the promise exactly for the stored numbers; leaving them out keeps it up to the rounding.) With one text more than dimensions, $K=d+1$, nothing would be left: $K$ texts span $K-1$ directions.

# %% [markdown]
# ## Summary
#
# - Orthogonality has two measures, and chance is a distribution for both: a band of random directions for the relative variance, a Beta law for the squared share. An interval lies below, inside or above it, or one cannot tell.
# - Verdicts differ by setting, seed, modality, dataset and $k$. The lowest temperature gives the widest gap and the one nearest to orthogonal: below chance nearly everywhere, below 0.1 for some texts and not for every seed. The narrow gaps lie inside the band of chance or above it; real CLIP on COCO varies *more* along its gap than along an average direction.
# - A small number is not yet evidence: the images of an untrained model vary little along the gap, and no less than chance makes them.
# - Along training the images' variance along the gap rises before it falls; the texts' starts where the initial weights put it and falls first in most runs. On the mixed held-out pairs no run ends near zero.
# - Components can be rounding errors: past the 47th, these texts have no others.
# - What the assumption cannot promise, the projection guarantees: only $g'$, the part of the gap outside the texts' subspace, is closed.
#
# ### Questions
#
# 1. A paper reports "the gap has only 0.4 of its length inside the top 100 of 512 components, so it is nearly orthogonal". What do you answer?
# 2. Why can the share of the gap in *all* components of the texts be large although the relative variance along the gap is small?
# 3. You have 1,000 class names and 512 dimensions. How much of the gap can be closed with the guarantee that no answer changes?
#
# ← [Why a gap appears](02_why_a_gap_appears.ipynb) · next: [Gap and robustness](04_gap_and_robustness.ipynb) →
