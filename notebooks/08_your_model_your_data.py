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
# # 08 · Your model, your data
#
# Everything so far ran on models and images that came with the course. Now it is your turn: a model you choose, a folder
# of images you took. The code is the same; what changes is two lines. As it stands, this lesson runs on a model that is
# already here and on a small folder of example images, so that every cell works before you change anything.
#
# **Objectives.** After this lesson you can
#
# - load any CLIP-like model by name, and tell where its weights come from
# - turn a folder of images, or a table of images and captions, into embeddings
# - measure a gap you have never seen, close it, and say honestly what was gained
# - write a report that somebody else can check
#
# **Prerequisites.** [Lesson 01](01_measuring_the_gap.ipynb) for the measures and
# [lesson 05](05_closing_the_gap.ipynb) for closing. **Time.** 45 minutes, plus the download if you take a large model.
# **Place.** The ninth lesson of nine. Previous: [07 · Where the theory stops](07_where_the_theory_stops.ipynb).

# %% [markdown]
# *Without installing anything:* [open this lesson in Colab](https://colab.research.google.com/github/gapkit/gapkit/blob/HEAD/notebooks/08_your_model_your_data.ipynb) and run
# `%pip install -q "gapkit @ git+https://github.com/gapkit/gapkit"` in a new cell first. Colab's own torch is kept; models and data are downloaded when a cell needs them.

# %% [markdown]
# ## 1. What is here
#
# A model can be *shipped* with the repository, in the *cache* because it was downloaded before, or on the *network*; some of the small ones are still *to train*. The table says which; asking downloads nothing.

# %%
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import gapkit
from gapkit import plots
from gapkit.claims import VERDICTS, claim, decide
from gapkit.closing import GapCloser
from gapkit.datasets import load_dataset, shipped_folder
from gapkit.embeddings import answer, close_set
from gapkit.encoders import available_models, hub_answers
from gapkit.experiments import plan, replicate
from gapkit.geometry import gap_axes, measure, nearest
from gapkit.report import make_record, write_report
from gapkit.robustness import calibrate_sigma, robustness

models = pd.DataFrame(available_models())
local = np.where(models["name"].str.startswith("miniclip"), "shipped", "cache")
models["place"] = np.where(models["here"], local, "network")
models.loc[models["source"] == "to be trained", "place"] = "to train"
print(models[["name", "place", "megabytes", "about"]].round().to_string(index=False))
print(
    "\nThe hub", "answers: downloads are possible." if hub_answers() else "does not answer: no downloads now."
)

# %% [markdown]
# The four large ones are those of the paper. Two traps are worth knowing before you take one:
#
# - OpenAI's weights were trained with an activation called QuickGELU. In OpenCLIP they need the architecture names that end
#   in `-quickgelu`; with the plain names accuracy drops by several points and nothing fails. `load_model` warns.
# - A name such as `hf-hub:OWNER/REPOSITORY` loads whatever that repository holds. gapkit reads safetensors, and pickles that
#   hold only numbers; it never runs code from a file.

# %% [markdown]
# ## 2. Choose
#
# **These are the two lines to change.** `MODEL` is any name from the table, `ARCHITECTURE/WEIGHTS` as OpenCLIP writes
# them, `hf-hub:OWNER/REPOSITORY`, or `local-dir:PATH`. `IMAGES` is a folder with one subfolder for each class, named after it.
# `@REVISION` behind a repository pins one version of it; `local-dir:PATH#FILE` names one of several checkpoints in a folder.
#
# While `MODEL` is `None` the lesson chooses: the smallest real CLIP in your cache, else the shipped model. It downloads
# nothing that you have not asked for by name. Predictions and remarks below speak of the shipped model and the
# example images.

# %%
MODEL = None
IMAGES = shipped_folder("example_images/classes")

cached = models[models["place"] == "cache"].sort_values("megabytes")
if MODEL is not None:
    why = "you asked for it"
elif len(cached):
    MODEL, why = cached["name"].iloc[0], "the smallest real CLIP in the cache"
else:
    MODEL, why = "miniclip-wide", "no real CLIP is in the cache, and this one is shipped"
print(f"Model: {MODEL}, because {why}.")

# %%
model = gapkit.load_model(MODEL, device="auto")
photos = load_dataset("folder", root=IMAGES, template="a photo of a {}")
print(f"{model.parameters / 1e6:.1f} million parameters;", photos)
print(photos.prompts[0][0], "|", photos.prompts[-1][0])

# %%
shown = [0, 5, 10, 15, 20, 25][: len(photos)]
axes = plots.canvas(1, len(shown), width=9, height=1.8)
for ax, row in zip(np.atleast_1d(axes), shown, strict=True):
    ax.imshow(photos.images[row])
    ax.set_title(photos.text_names[photos.labels[row]], fontsize=9)
    ax.axis("off")
plots.show(axes, alt="Six of the images, one of each class, each with its class name as title.")

# %% [markdown]
# **What to see.** Six of the images, each under its class's name. They were rendered and then blurred, tinted and grained, so
# that they look a little like photographs; no model of the course has seen any like these.
#
# ## 3. Embed
#
# `embed` reads the images in batches, and skips none silently: with `on_error="raise"` it ends with an error that names
# every unreadable file, with `"skip"` those are left out and listed. You can interrupt it at any time: the same call resumes. A second call takes the result from the cache.
#
# > **Predict.** A small CLIP that has only ever seen clean renderings looks at blurred, grainy ones, six classes to
# > choose from. How many of the thirty will it name correctly?

# %% tags=["nbval-check-output"]
entries = gapkit.embed(model, photos, on_error="raise")
given, right = answer(entries)
chance = len(right) / len(entries.texts)
print(f"{(given == right).sum()} of {len(right)} images named rightly (chance: {chance:.0f})")

# %% [markdown]
# If your own images score near chance, look at the prompts first: class names are folder names, and "img_2023" means nothing to a text encoder. Then look at the images: a CLIP trained on photographs does poorly on 8 × 8 digits.

# %% [markdown]
# ## 4. Measure
#
# The same measures as in lesson 01, and a picture in the plane that shows the gap best.

# %% tags=["nbval-check-output"]
x, y = entries.texts.astype(float), entries.images.astype(float)
values = measure(x, y, paired=False)
print(f"gap ‖g‖                    {values['l2m']:.2f}")
print(f"mean cosine of two texts   {values['mean_cosine_gallery']:.2f}")
print(f"mean cosine of two images  {values['mean_cosine_queries']:.2f}")
for side, rows in (("gallery", "texts"), ("queries", "images")):
    print(f"relative variance along g  {values[f'relative_variance_{side}']:.2f}  ({rows})")
print(f"{len(x)} texts, {len(y)} images: few rows, so treat every number here as a rough one")

# %%
plane, origin = gap_axes(x, y)
ax = plots.canvas(width=5, height=3.6)
plots.draw_clouds(ax, (x - origin) @ plane, (y - origin) @ plane)
ax.set(xlabel="along the gap", ylabel="widest direction across it", title=MODEL)
ax.legend()
plots.show(
    ax, alt="Texts and images in the plane of the gap and the widest direction across it: two clouds apart."
)

# %% [markdown]
# **What to see.** The texts on one side, the images on the other, and no overlap along the horizontal axis. With your own model,
# look whether the clouds are as tight: those of a CLIP trained on the web are wider.
#
# ## 5. Close
#
# Six texts in 512 dimensions span five dimensions, so nearly all of the gap is orthogonal to them and can be
# closed without changing an answer. The noise is chosen so that half of the answers survive it before closing: a fair
# level for any model.
#
# > **Predict.** After closing, will more, fewer or as many answers be right? Will more survive the noise?

# %% tags=["nbval-check-output"]
sigma = calibrate_sigma(y, x, 0.5)
closed = close_set(entries, GapCloser(alpha=1.0))
kept = [robustness(z.images, z.texts, sigma=sigma).mean() for z in (entries, closed)]
after, _ = answer(closed)
print(f"same answers                   {(after == given).mean():.2f}")
print(f"right answers                  {(given == right).mean():.2f} → {(after == right).mean():.2f}")
print(f"answers that survive the noise {kept[0]:.2f} → {kept[1]:.2f}")
assert (after == given).all(), "with full rank no answer may change (Theorem 3.5)"

# %% [markdown]
# **What to see.** Not one answer changed, and of the noisy ones more survive. This is for Euclidean neighbours and noise on the
# gallery; lesson 05 has the cases in which nothing is gained. On your own model the third line may show a small
# gain, or none: where the gap is narrow there is little to close.
#
# ## 6. Images with captions
#
# For retrieval, each image has its own text. A table in CSV will do, with a column of paths and a column of captions.
# `image_column`, `caption_column`, `encoding` and `quoting` say what gapkit cannot be sure of, and it asks for them.
#
# An image may have several captions, as in Flickr8k and COCO. It is then embedded once, any of its captions is right, and measures
# of pairs run over all of them; `captions="first"` keeps one of each. A caption longer than the model can read is cut, and
# counted; with `on_long_text="raise"` it is an error.

# %% tags=["nbval-check-output"]
folder = shipped_folder("example_images/pairs")
print((folder / "captions.csv").read_text(encoding="utf-8").splitlines()[1])
pairs = gapkit.embed(model, load_dataset("csv", root=folder, annotations=folder / "captions.csv"))
found = nearest(pairs.images, pairs.texts)
print(f"image to text: R@1 {(found == pairs.labels).mean():.2f} among {len(pairs.texts)} captions")
print(f"mean cosine of matched pairs {measure(pairs.texts, pairs.images)['matched_cosine']:.2f}")
del model  # from here on embeddings are all we need

# %% [markdown]
# People who look at CLIP's numbers for the first time ask why matched pairs have a cosine far below 1. The gap is a large part of the
# answer, in real CLIPs about half: two clouds that lie apart cannot have cosines near 1, however well they match.
#
# ## 7. A real CLIP
#
# Embeddings that you have already need no model: `gapkit import IMAGES TEXTS --out mine.safetensors` reads tables, npy, npz,
# parquet and safetensors, and says what it used and what it left out. Where a file could be read in two ways, the
# message names the option that decides: `--header`, `--separator`, `--decimal` and `--columns` for a table,
# `--image-key` and `--text-key` for two matrices, `--labels` for classes, `--image-of-text` for several captions an image.
#
# The embeddings of OpenAI's CLIP ViT-B/16 on 500 images and captions of COCO are public, and small. `gapkit fetch
# coco500-clip-vitb16` puts them into the cache. If they are there, the next cell uses them; if not, it says so.

# %% tags=["nbval-ignore-output"]
try:
    coco = gapkit.load_embeddings("coco500-clip-vitb16")
except gapkit.InputError:
    print("Not in the cache. With a network: gapkit fetch coco500-clip-vitb16")
else:
    values = measure(coco.texts, coco.images)
    for name in ("l2m", "matched_cosine", "rmg"):
        print(f"CLIP ViT-B/16, {name}: {values[name]:.3f}")
    exact = close_set(coco, GapCloser())
    same = (answer(exact)[0] == answer(coco)[0]).mean()
    left = measure(exact.texts, exact.images)["l2m"]
    print(f"500 captions leave little to move: gap after closing {left:.3f}, same answers {same:.2f}")

# %% [markdown]
# ## 8. Report
#
# Save the embeddings, not only the numbers: anyone who doubts a number can then recompute it. The file knows the model, a
# hash of its weights, the data's fingerprint and the prompts.

# %% tags=["nbval-check-output"]
with tempfile.TemporaryDirectory() as results:  # write to a folder of yours instead
    again = gapkit.load_embeddings(entries.save(Path(results) / "my_embeddings.safetensors"))
for key in ("model", "dataset", "precision", "notes"):
    print(f"{key}: {again.metadata[key]}")
print("weights and data are identified by", len(again.metadata["weights_sha256"]), "hexadecimal digits each")
print("skipped images:", again.metadata["skipped"])

# %% [markdown]
# Then decide every claim of the paper that such data can decide, and write a report: `plan` lists the experiments,
# `replicate` runs them, `decide` compares their tables with the claims, and `write_report` makes one HTML page with
# verdicts and figures, beside the record and the tables as files.
#
# > **Predict.** The paper's claims were made for CLIP on thousands of images. On thirty images and six classes, will
# > all of them hold?

# %%
with tempfile.TemporaryDirectory() as results:  # a folder of yours keeps the page
    mine = str(entries.save(Path(results) / "mine.safetensors"))
    replication = replicate(plan(datasets=[mine], only=["gap", "orthogonality", "noise"]))
    findings = decide(replication.tables)
    record = make_record(replication, findings, command="lesson 08", mode="chosen", seed=0)
    write_report(results, record, replication.tables, formats=["html"])
    page = (Path(results) / "report.html").read_text(encoding="utf-8")
verdicts = pd.Series(record["overall"])
print(verdicts.value_counts().to_string())
for name, verdict in verdicts[verdicts != "holds"].items():
    print(f"{verdict}: {claim(name).statement}")
print(f"\none page of {len(page) / 1e6:.1f} MB, from {len(record['jobs'])} experiments")
assert verdicts.isin(VERDICTS).all(), "every claim gets one of the five verdicts"
assert MODEL in page, "the page says which model it is about"

# %% [markdown]
# **What to see.** With the shipped model and the example images most claims hold; those about orthogonality hold in part or
# not at all. Six texts and thirty images fix the direction of the gap only roughly, and a claim whose interval does not
# clear what chance gives is not granted. *Not decidable* is a verdict too: in one reading the paper's noise is so weak
# that nearly every answer survives it untouched, and no gain can show. Take a *does not hold* seriously: it is a result.
#
# The same on the command line:
#
# ```
# gapkit replicate --model miniclip-wide --dataset folder --root MY_FOLDER --out my_results
# ```
#
# and step by step, keeping the file of embeddings:
#
# ```
# gapkit embed miniclip-wide folder --root MY_FOLDER --out mine.safetensors
# gapkit measure mine.safetensors --intervals
# gapkit close mine.safetensors --out closed.safetensors --sigma 0.02
# gapkit replicate --dataset mine.safetensors --out my_results
# ```
#
# Millions of pairs that clip-retrieval or your own code left in numbered files (float16 or float32, `.npy` or safetensors) are
# measured where they lie, block by block; what needs every row at once, such as the share of right answers, is left out:
#
# ```
# gapkit measure --images 'img_emb/*.npy' --texts 'text_emb/*.npy'
# ```
#
# ## 9. Summary and questions
#
# - A model is a name; a dataset is a folder or a table. The rest of the course applies unchanged.
# - Before you believe a low accuracy, check the activation, the prompts and the kind of images.
# - Closing with full rank keeps every answer on any model; what it gains depends on how wide and how orthogonal the gap is.
# - Keep embeddings, hashes and prompts with your numbers.
#
# **Questions**
#
# 1. You have 40,000 captions and 512 dimensions. What is the rank of the gallery, and what can the projected shift
#    move? What would you try instead?
# 2. A colleague's model has a gap of 0.15 and gains nothing from closing. Which two measurements tell you whether that
#    was to be expected?
# 3. Hundreds of your images are skipped. Which line of the report must say so, and which numbers does it touch?
#
# Previous: [07 · Where the theory stops](07_where_the_theory_stops.ipynb) · Back to the start:
# [00 · Start here](00_start_here.ipynb)
