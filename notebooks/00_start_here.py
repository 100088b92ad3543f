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
# # 00 · Start here: two clouds that will not meet
#
# CLIP learns to put an image and its caption close to each other. It succeeds well enough to classify images it was
# never trained on. And yet images and texts end up in two separate clouds, with a gap between them. This course is about that gap: what it is, where it comes from, what it costs, and what happens
# when it is closed.
#
# **Objectives.** After this lesson you can
#
# - say what the modality gap is, and show it in one picture
# - tell accuracy from robustness, and say which of them the gap touches
# - find your way through the course
#
# **Prerequisites.** Some Python; vectors, dot products and means. **Time.** 20 minutes.
# **Place.** The first lesson of nine. Next: [01 · Measuring the gap](01_measuring_the_gap.ipynb).

# %% [markdown]
# *Without installing anything:* [open this lesson in Colab](https://colab.research.google.com/github/gapkit/gapkit/blob/HEAD/notebooks/00_start_here.ipynb) and run
# `%pip install -q "gapkit @ git+https://github.com/gapkit/gapkit"` in a new cell first. Colab's own torch is kept; models and data are downloaded when a cell needs them.

# %% [markdown]
# ## 1. How these notebooks work
#
# Run a cell with Shift-Enter. Where a box says **Predict**, stop and commit to an answer before you run the next cell: a wrong guess teaches more than a right number that you merely read. Everything here runs on a laptop, without
# a GPU and without a download.

# %%
import numpy as np

import gapkit
from gapkit import plots
from gapkit.datasets import load_dataset
from gapkit.embeddings import recorded_figures
from gapkit.geometry import gap_axes, matched_cosine
from gapkit.robustness import calibrate_sigma
from gapkit.tasks import accuracy, agreement, nearest

print("gapkit", gapkit.__version__)

# %% [markdown]
# ## 2. One space for images and texts
#
# A CLIP model is a pair of encoders: one turns an image into a vector, the other turns a text into a vector of the
# same length. Both vectors are scaled to length 1, so that all of them lie on one sphere. Training pulls an image and
# its own caption together, and pushes it away from the captions of other images.
#
# Real CLIPs are large. For this course we trained small ones from scratch, on rendered scenes and on handwritten
# digits. Here are six of the test images, with the text that belongs to each.

# %%
scenes = load_dataset("scenes100")
chosen = [3, 14, 25, 47, 69, 82]
axes = plots.canvas(1, 6, width=9, height=1.9)
for ax, i in zip(axes, chosen, strict=True):
    ax.imshow(scenes.images[i])
    ax.set_title(scenes.text_names[scenes.labels[i]], fontsize=8)
    ax.axis("off")
plots.show(axes, alt="Six small test images, each with one coloured shape on a plain or patterned background, "
           "and above each its class, a colour and a shape.")  # fmt: skip

# %% [markdown]
# **What to see.** One object per image, in ten shapes and ten colours, which makes 100 classes.
#
# The vectors are called *embeddings*. `load_embeddings` gives those of a model and a dataset; the model `miniclip-wide`
# is the one with the widest gap.

# %%
pairs = gapkit.load_embeddings("miniclip-wide/scenes100")
print(pairs)
print("first image: length", f"{np.linalg.norm(pairs.images[0]):.3f}")
print("first text:  length", f"{np.linalg.norm(pairs.texts[0]):.3f}")

# %% [markdown]
# ## 3. Does the model work?
#
# To classify an image, write one text for each class and take the text whose embedding is nearest to that of the
# image. Nobody trained a classifier: that is why it is called *zero-shot*.

# %% tags=["nbval-check-output"]
answers = nearest(pairs.images, pairs.texts)
clean = accuracy(answers, pairs.labels)
print(f"zero-shot accuracy on 100 classes: {clean:.3f}")
assert clean > 0.9

# %% [markdown]
# It works: chance would be 0.01. So an image really is nearer to its own text than to the 99 others.
#
# ## 4. The gap in one picture
#
# > **Predict.** An image is nearer to its own text than to any other text. Is it also nearer to its own text than to
# > *other images*? Where would you draw the texts, if the images were a cloud?

# %%
ax = plots.plot_pca(pairs.texts, pairs.images, title="miniclip-wide on scenes100")
plots.show(ax, alt="Scatter plot of the embeddings along the gap, and along the leading direction orthogonal to it: texts "
           "on the left and images on the right form two clouds that do not touch, joined by an arrow for the gap.")  # fmt: skip

# %% [markdown]
# **What to see.** Texts (circles) and images (triangles) do not mix at all. The arrow from the mean of the texts to the
# mean of the images is the **gap vector**, and its length is the width of the gap:
#
# $$g = \mu_{\text{images}} - \mu_{\text{texts}}.$$

# %% tags=["nbval-check-output"]
gap = gapkit.gap_vector(pairs.texts, pairs.images)
texts, images = pairs.matched()
to_own_text = matched_cosine(texts, images)
to_other_images = (np.sum(images.sum(0) ** 2) - len(images)) / (len(images) * (len(images) - 1))
print(f"length of the gap vector:              {np.linalg.norm(gap):.2f}")
print(f"mean cosine, image and its own text:   {to_own_text:.2f}")
print(f"mean cosine, image and another image:  {to_other_images:.2f}")
assert to_other_images > to_own_text

# %% [markdown]
# On average an image is closer to a *random other image* than to its own caption. The classifier does not notice: it only compares texts with texts, and the part of the gap that they all share cancels.
#
# ## 5. What the gap costs: accuracy and robustness
#
# If accuracy does not suffer, is the gap harmless? Chowers and others (CVPR 2026) say: look at **robustness**. Disturb
# the text embeddings a little, by random noise, by rounding them to a few bits, by rephrasing the captions. How many
# images keep their answer? "Kept the same answer" is not the same as "answered right", so we report both.
#
# We use the ten handwritten digits, where the effect is largest.

# %% tags=["nbval-check-output"]
digits = gapkit.load_embeddings("miniclip-wide/digits10")
before_shift = nearest(digits.images, digits.texts)
print(f"zero-shot accuracy on 10 digits: {accuracy(before_shift, digits.labels):.3f}")

# %% [markdown]
# > **Predict.** Suppose we shift all texts by the same vector, across the gap, so that the two clouds overlap.
# > The differences between texts do not change. What happens to the answers? And to the robustness?

# %%
closer = gapkit.GapCloser(alpha=1.0).fit(digits.texts, digits.images)
closed = closer.transform(digits.texts)
plane, origin = gap_axes(digits.texts, digits.images)


@plots.styled
def plot_move(sets):
    """Each set of texts with the images, all seen in the plane of the original gap."""
    axes = plots.canvas(1, 2, width=9, height=3.4, sharex=True, sharey=True)
    for ax, (title, texts) in zip(axes, sets.items(), strict=True):
        flat = (texts - origin) @ plane
        plots.draw_clouds(ax, flat, (digits.images - origin) @ plane)
        ax.scatter(*flat.T, s=44, color=plots.PALETTE["texts"], edgecolors="white", zorder=3)  # on top
        ax.set(title=title, xlabel="along the original gap")
    axes[0].legend(loc="upper center")
    return axes


axes = plot_move({"before": digits.texts, "after the shift": closed})
plots.show(axes, alt="Two scatter plots of the ten digit texts and the digit images: before the shift two separate clouds, "
           "after it the ten texts lie among the images.")  # fmt: skip

# %% [markdown]
# **What to see.** The same ten texts, moved as one block into the cloud of images. (The closer moves them only in
# directions in which texts do *not* differ from each other. With ten texts that is nearly the whole gap; with a hundred
# texts a good part of it has to stay. Lesson 05 explains.)

# %% tags=["nbval-check-output"]
sigma = 0.02
after_shift = nearest(digits.images, closed)
before = gapkit.robustness(digits.images, digits.texts, sigma=sigma).mean()
after = gapkit.robustness(digits.images, closed, sigma=sigma).mean()
print(f"same answers after the shift, no noise:      {agreement(before_shift, after_shift):.3f}")
print(f"accuracy after the shift:                    {accuracy(after_shift, digits.labels):.3f}")
print(f"answers that survive noise, before closing:  {before:.3f}")
print(f"answers that survive noise, after closing:   {after:.3f}")
assert agreement(before_shift, after_shift) == 1.0
assert after > before + 0.1

# %% [markdown]
# Not one answer changed, and many more of them survive the noise (of standard deviation 0.02 in each coordinate of
# each text). The last two numbers are not simulated: they are exact probabilities, each from one integral per image
# (lesson 04).
#
# That is the paper's claim in a nutshell: **the part of the gap that lies outside the texts' own differences changes no answer, but costs robustness.** (The whole gap may not be removed so freely: on a real CLIP with 500 COCO captions, shifting
# by all of it takes the share of right answers from 0.55 to 0.30. Lesson 05 shows why.) The rest of the course finds out for which models, noise and distances it holds, and where it does not; the
# table in the [README](../README.md) gives the verdicts.

# %% [markdown]
# ## 6. And in real models?
#
# Our small model was trained to have a wide gap, and is asked about few texts, so that the effect is easy to see. What about models that people use? Others have published embeddings of eight of them, for images with texts and for other pairs. Here is the same measurement on each: ten candidates, noise that 70 % of the answers survive untouched, and what closing the gap adds.
# (These are *recorded figures*: `gapkit replicate --published` made them, once `gapkit fetch --all` has downloaded the
# embeddings, which do not ship with the course.)

# %% tags=["nbval-check-output"]
real = recorded_figures().query("level == 'untouched 0.7'").sort_values("gap_norm", ascending=False)
fair = calibrate_sigma(digits.images, digits.texts, 0.7)
ours = gapkit.robustness(digits.images, closed, sigma=fair).mean() - 0.7
print(
    f"{'our small CLIP, ten digits':28} ‖g‖ {np.linalg.norm(closer.gap_):.2f}   70 % → {70 + 100 * ours:.0f} %"
)
for row in real.itertuples():
    print(f"{row.model:28} ‖g‖ {row.gap_norm:.2f}   70 % → {70 + 100 * row.gain:.0f} %")
clip = real.set_index("model").loc["CLIP ViT-B/16"]
print(f"our effect is {ours / clip['gain']:.1f} times that of CLIP ViT-B/16")
assert 2 < ours / clip["gain"] < 5

# %%
ax = plots.plot_scatter(real, "gap_norm", "gain", by="model", xlabel="‖g‖", ylabel="gain in robustness")
plots.show(ax, alt="Gain in robustness from closing the gap against the width of the gap, for eight published models with "
           "intervals: the two models with a narrow gap gain next to nothing, the six with a wide one 0.05 to 0.10.")  # fmt: skip

# %% [markdown]
# **What to see.** Real models gain as well, and those with a wide gap gain more; but our ten digits gain about three times as much
# as a real CLIP. Keep that in mind wherever this course shows `miniclip-wide`: it exaggerates.
#
# ## 7. The course
#
# | lesson | question |
# |---|---|
# | 00 Start here | what is the gap? |
# | [01 Measuring the gap](01_measuring_the_gap.ipynb) | how wide is it, is it orthogonal to what varies, compared with what? |
# | [02 Why a gap appears](02_why_a_gap_appears.ipynb) | where does it come from, and why does it stay? |
# | [03 Is the gap orthogonal?](03_is_the_gap_orthogonal.ipynb) | does what varies lie across the gap, or along it? |
# | [04 Gap and robustness](04_gap_and_robustness.ipynb) | what does it cost, exactly? |
# | [05 Closing the gap](05_closing_the_gap.ipynb) | how is it closed, and what is the best way? |
# | [06 Beyond Gaussian noise](06_beyond_gaussian_noise.ipynb) | does it hold for other perturbations, experiment by experiment? |
# | [07 Where the theory stops](07_where_the_theory_stops.ipynb) | for which metric, noise and method does it not hold, and what should one do? |
# | [08 Your model, your data](08_your_model_your_data.ipynb) | and your model, on your data? |
#
# Lessons 01 to 07 have small exercises that check themselves: you write a function, `gapkit.check` compares it with
# the right one on fresh random numbers and says what differs. The assignments go further.

# %% [markdown]
# ## 8. Summary and questions
#
# - CLIP's images and texts form two clouds; the gap vector joins their means.
# - Zero-shot answers compare texts with texts, so what is common to all texts, the part of the gap outside their
#   differences, does not show in accuracy.
# - Closing it with one common shift, orthogonal to the differences between texts, keeps every answer and makes answers
#   more robust to noise in the texts' embeddings.
#
# **Questions**
#
# 1. On average an image is closer to other images than to its own text. Why does classification work all the same?
# 2. Give an example of an answer that is kept under noise and still wrong. Which of the two numbers counts it?
# 3. A search engine mixes images and texts in one list of results. Will the gap be as harmless for it as for
#    classification? Answer first, then compare: among the captions *and* the other images of the published models of section 6, none of the six with a wide
#    gap finds a single image's caption first, although up to four in five come first among captions alone; the two with a narrow gap find about two in three.
#    So here the gap costs accuracy. Taking both means off and renormalising (GR-CLIP) wins some of it back (CyCLIP 0 → 0.49, CLIP ViT-B/16 0 → 0.04), and costs
#    the guarantee: 10 to 40 % of these models' answers among captions change. The shift of this lesson wins nothing back, because it stays out of the captions' span (`gapkit replicate --only mixed`).
#
# Next: [01 · Measuring the gap](01_measuring_the_gap.ipynb)
