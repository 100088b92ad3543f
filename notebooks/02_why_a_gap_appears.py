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
# # 02 · Why a gap appears
#
# ← [Measuring the gap](01_measuring_the_gap.ipynb) · lesson 2 of 8 · next: [Is the gap orthogonal?](03_is_the_gap_orthogonal.ipynb) →
#
# **Objectives.** After this lesson you can
# - derive the gradient of the contrastive loss and say what attracts and what repels;
# - state two theorems about the gap, prove them, and say where each one stops holding;
# - explain why training removes the variance *along* the gap but not the gap;
# - predict what the unit sphere, the temperature and the starting point do to the final gap.
#
# **Prerequisites.** Lesson 1 (the gap vector), gradients, the softmax. **Time.** 75 minutes.
#
# **Place in the sequence.** Lesson 1 measured a gap; this one explains it; lesson 3 asks how orthogonal it really is.
#
# Theorem and equation numbers are those of Chowers, Naparstek, Barzelay and Weiss, *Is the Modality Gap a Bug or a Feature?*
# (CVPR 2026, [arXiv 2603.29080](https://arxiv.org/abs/2603.29080)). The proofs are written for this lesson, and every constant in them is checked below.

# %%
import numpy as np
import torch
from scipy.special import softmax

from gapkit import check, contrastive, plots
from gapkit.contrastive import simulate, starting_pairs, theorem_fit

# %% [markdown]
# ## 1. The loss, and what it pulls at
#
# We have $N$ texts $x_i$ and $N$ images $y_i$, and pair $i$ belongs together. The loss (Eq. 6) looks at squared distances,
#
# $$s_{ij} = -\frac{\|x_i-y_j\|^2}{\tau},\qquad
# L = -\frac1N\sum_i\bigl[\log Q^x(i,i)+\log Q^y(i,i)\bigr],$$
#
# where $Q^x$ is the softmax of $s$ over the images, one row for each text, and $Q^y$ the softmax over the texts, one column for each image.
# Between unit vectors $\|x-y\|^2 = 2-2\,x\cdot y$, so this is CLIP's loss with logit scale $2/\tau$ (times two: CLIP averages the two directions).
# OpenCLIP's *temperature* is $1/\text{logit scale}=\tau/2$.
#
# **The gradient, in three steps.**
#
# 1. *With respect to $s$.* Since $-\log Q^x(i,i) = -s_{ii}+\log\sum_j e^{s_{ij}}$, its derivative by $s_{ij}$ is $Q^x(i,j)-\delta_{ij}$; likewise for $Q^y$. Together
#    $\;\partial L/\partial s_{ij} = \frac1N\bigl[Q^x(i,j)+Q^y(i,j)-2\delta_{ij}\bigr].$
# 2. *From $s$ to $y_i$.* $\;\partial s_{ki}/\partial y_i = \frac2\tau\,(x_k-y_i)$.
# 3. *Chain rule:*
#
# $$\frac{\partial L}{\partial y_i}=\frac{2}{N\tau}\Bigl[\underbrace{2\,(y_i-x_i)}_{\text{attraction to the partner}}-\underbrace{\textstyle\sum_k\bigl(Q^x(k,i)+Q^y(k,i)\bigr)(y_i-x_k)}_{\text{repulsion from every text}}\Bigr].$$
#
# Descent goes the other way: image $i$ is pulled to its partner and pushed off every text, in proportion to how much the two take each other for partners.
# Column $i$ of $Q^y$ sums to 1 by construction. The column of $Q^x$ need not: $S_i=\sum_k Q^x(k,i)$ says how popular image $i$ is with all texts together.
#
# We trust none of this until a computer agrees. Autograd differentiates the loss as written; `contrastive_gradient` uses the formula.

# %% tags=["nbval-check-output"]
x, y = np.random.default_rng(0).normal(size=(2, 50, 8))
images = torch.tensor(y, requires_grad=True)
s = -((torch.tensor(x)[:, None] - images[None]) ** 2).sum(-1) / 0.5
loss = -(s.log_softmax(1).diagonal() + s.log_softmax(0).diagonal()).mean()
loss.backward()

difference = np.abs(contrastive.contrastive_gradient(x, y, tau=0.5)[1] - images.grad.numpy()).max()
print(f"loss {loss.item():.4f}; formula and autograd agree to 1e-10: {difference < 1e-10}")
assert difference < 1e-10

# %% [markdown]
# The popularity $S_i$ will decide everything below, so write it yourself: $Q^x$ is a softmax along one axis, $S_i$ a sum along the other. The check compares with the right one on fresh numbers.


# %%
def column_sums(x, y, tau):
    """Popularity S_i of every image: the column sums of Qˣ."""
    s = -((x[:, None] - y[None]) ** 2).sum(-1) / tau
    return softmax(s, axis=1).sum(axis=0)


check.column_sums(column_sums)

# %% [markdown]
# ## 2. Theorem 3.1: what goes first
#
# Randomly initialised towers put the two modalities into two tight clusters far apart (section 7 measures it). Write $y_i=\mu_y+b_i$ and $x_k=\mu_x+a_k$
# with small $a_k,b_i$ of size $\varepsilon$ that average to zero, and $g=\mu_y-\mu_x$.
#
# **Predict.** Which direction does the gradient of such an image mostly point in: to its partner, along the gap, or anywhere?
#
# **Proof.**
#
# 1. $y_i-x_k=g+b_i-a_k$, so for two images $i,j$ and one text $k$
#    $\;s_{ki}-s_{kj}=-\frac2\tau\,g\cdot(b_i-b_j)+O(\varepsilon^2/\tau)$: what does not depend on the image cancels.
# 2. $Q^x(k,i)=1\big/\sum_j e^{s_{kj}-s_{ki}}$. If $\varepsilon\|g\|/\tau\ll1$ the exponential is linear, and $\sum_j b_j=0$:
#    $\;Q^x(k,i)\approx\frac1N\bigl(1-\frac2\tau\,g\cdot b_i\bigr)$. Summed over $k$:
#    $$S_i\approx 1-\tfrac2\tau\,g\cdot(y_i-\mu_y).$$
#    Images on the near side of their cluster are popular with *all* texts.
# 3. In the gradient every difference is $g+O(\varepsilon)$, so the bracket is $2g-(S_i+1)\,g+O(\varepsilon)=(1-S_i)\,g+O(\varepsilon)$, and
#
# $$\boxed{\;\frac{\partial L}{\partial y_i}\approx\frac{4}{N\tau^2}\,\bigl[g\cdot(y_i-\mu_y)\bigr]\;g\;}$$
#
# 4. *What was dropped.* To first order the $O(\varepsilon)$ part of the bracket is $-2a_i$, the noise of the partner. Along $g$ it has size $2\varepsilon$ against
#    $\frac2\tau\|g\|^2\varepsilon$ of what we kept: a relative error of $\tau/\|g\|^2$. Across $g$ it lives in $d-1$ directions: $\tau\sqrt{d-1}/\|g\|^2$.
#    So the theorem needs $\|g\|^2/\tau\gg1$ as well. ∎
#
# The gradient points along the gap, *outwards* from the cluster's own mean: descent squeezes each cluster flat along $g$ before it does anything else.
# We compare with the exact gradient: slope (1 if the constant is right), relative residual along $g$, and the part across $g$.

# %% tags=["nbval-check-output"]
settings = [(0.5, 5e-3), (0.05, 5e-4), (0.05, 5e-5), (0.01, 1e-4), (0.01, 1e-5)]
fits = [theorem_fit(*starting_pairs("cones", spread=spread), tau=tau) for tau, spread in settings]
print("   τ      ε    slope  residual (predicted)  off gap (predicted)")
for (tau, spread), fit in zip(settings, fits, strict=True):
    print(f"{tau:5} {spread:.0e}  {fit.slope:5.3f}     {fit.residual:.3f} ({tau:.3f})       ", end="")
    print(f"{fit.off_gap:.3f} ({tau * 15**0.5:.3f})")

for fit in fits[3:]:  # τ = 0.01, inside the regime
    assert abs(fit.slope - 1) < 0.01
    assert fit.residual < 0.03
    assert fit.off_gap < 0.08
assert fits[0].residual > 0.3  # τ = 0.5: outside the regime the theorem says little

# %% [markdown]
# The constant is right (slope 1), and the two error terms of step 4 predict the errors (in brackets): at τ = 0.5 with ‖g‖ = 1 the theorem is half wrong
# along the gap, and most of the gradient is not along it at all. Now over a whole grid.

# %%
grid = [
    {"tau": tau, "spread": spread, **theorem_fit(*starting_pairs("cones", spread=spread), tau=tau)._asdict()}
    for spread in (1e-2, 1e-3, 1e-4)
    for tau in (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005)
]
plots.show(
    plots.plot_regime(grid),
    alt="""Three panels over τ from 0.005 to 1, one line for each cluster radius ε. The slope is 1 except for ε = 0.01 at small τ, where it
    falls far below 1. Residual and off-gap part fall in proportion to τ until ε‖g‖/τ becomes large, where the residual rises again.""",
)

# %% [markdown]
# **What to see.** Reading from right to left the errors fall in proportion to τ, as predicted, until ε‖g‖/τ stops being small:
# for ε = 0.01 (dash-dotted) that happens first, and the slope collapses. Both conditions matter, each at its own end.

# %% [markdown]
# ## 3. Theorem 3.2: what then stands still
#
# Suppose phase one is over: each modality is constant along a direction $v$, say $x_k\cdot v=p$ and $y_i\cdot v=q$.
#
# **Theorem 3.2.** If moreover $Q^x$ and $Q^y$ are doubly stochastic (their free sums are 1 too), the gradient along $v$ is exactly zero.
#
# **Proof.** Every difference has the same component along $v$: $(y_i-x_k)\cdot v=q-p=g\cdot v$. Put this into the gradient:
#
# $$\frac{\partial L}{\partial y_i}\cdot v=\frac2{N\tau}\bigl[2-(S_i+1)\bigr]\,g\cdot v=\frac{2}{N\tau}\,(1-S_i)\,(g\cdot v),$$
#
# which vanishes when $S_i=1$. For texts exchange the roles; there the row sums of $Q^y$ must be 1. ∎
#
# Nothing in this says that the gap is *good* for the loss. The loss simply does not feel it: adding a constant orthogonal vector to all images adds the
# same number to every $s_{ij}$, and a softmax ignores that.
#
# How far are two clouds from this? Take the mean of $|S_i-1|$ over the images and of the same over the texts (their sums are the row sums of $Q^y$), all together: the *defect*. Write it. (For texts the two modalities exchange their roles.)


# %%
def doubly_stochastic_defect(x, y, tau):
    """Mean deviation of the free sums of Qˣ and Qʸ from 1."""
    free = np.concatenate([column_sums(x, y, tau), column_sums(y, x, tau)])
    return np.abs(free - 1).mean()


check.doubly_stochastic_defect(doubly_stochastic_defect)

# %% [markdown]
# To test the theorem we need an exactly doubly-stochastic $Q$: points on cyclic orbits see one another alike,
# so $Q$ is circulant. We give the orbit a gap of 0.7 along a fifth axis.

# %% tags=["nbval-check-output"]
turn = 2 * np.pi * np.arange(11) / 11
orbit = np.stack([np.cos(turn), np.sin(turn), np.cos(2 * turn), np.sin(2 * turn), 0 * turn], 1)
x, y = orbit, 0.4 * np.roll(orbit, 2, axis=0)
y[:, 4] = 0.7
gradient = contrastive.contrastive_gradient(x, y, tau=0.3)[1]

print(f"defect of Q:             {contrastive.doubly_stochastic_defect(x, y, 0.3):.4f}")
print(f"gradient along the gap:  {np.abs(gradient[:, 4]).max():.4f}")
print(f"gradient elsewhere:      {np.abs(gradient[:, :4]).max():.4f}")
assert np.abs(gradient[:, 4]).max() < 1e-10

lifted = y + np.array([0, 0, 0, 0, 5.0])
print(
    f"loss with gap 0.7 and 5.7: {contrastive.contrastive_loss(x, y, 0.3):.6f} {contrastive.contrastive_loss(x, lifted, 0.3):.6f}"
)

# %% [markdown]
# The other directions go on aligning (the partners are two places apart on the orbit), the gap does not move. When $Q$ is *not* doubly stochastic the gradient along $v$ is
# $\frac{2}{N\tau}(1-S_i)(g\cdot v)$, not zero: popular images are pushed away, unpopular ones pulled in, and that destroys the constancy along $v$ only until the sums even out.

# %% [markdown]
# ## 4. Two phases
#
# Now let descent run on free embeddings: 200 pairs in 16 dimensions, each point its own parameter, no network. Two tight clusters start one unit apart.
#
# **Predict.** After 10, 100 and 4000 steps: what is the length of the gap, how much variance is left along it, how many images find their partner?

# %% tags=["nbval-check-output"]
free = simulate("cones", tau=0.05, steps=4000)
print("step     gap  variance along it  defect  accuracy")
for step in (0, 10, 100, 4000):
    i = free.nearest(step)
    print(f"{step:4d}  {free.gap[i]:.4f}           {free.variance_along_gap_y[i]:.4f}   ", end="")
    print(f"{free.defect[i]:.3f}     {free.accuracy[i]:.3f}")
late = free.gap[free.nearest(100) :]
assert free.variance_along_gap_y[free.nearest(10)] < 0.01
assert np.ptp(late) < 1e-4  # frozen
assert free.accuracy[-1] == 1

# %%
plots.show(
    plots.plot_trajectory(free),
    alt="""Six panels over the steps. The gap stays at 1 throughout. The variance along it falls below one hundredth within ten steps and to a
    hundred-thousandth by step 100. Mismatch and loss fall to zero by step 50, accuracy rises to 1 by step 30, the defect falls to below a thousandth.""",
)

# %% [markdown]
# **What to see.** Phase one, steps 0 to 10: the variance along the gap collapses, a factor of 200, while the loss has hardly moved. Phase two: partners align (mismatch, accuracy, loss), the defect of
# $Q$ goes to zero, and the gap stands still as Theorem 3.2 says. Perfect accuracy, gap of full length.
#
# The same in three dimensions, where one can look:

# %%
small = simulate("cones", n=40, d=3, spread=0.1, tau=0.05, step_size=0.005, steps=2000)
moments = {
    0: "two round clouds",
    20: "two clouds squeezed flat along the gap",
    2000: "two tall flat sheets with level lines between partners",
}
for step, words in moments.items():
    i = small.nearest(step)  # not every step is kept
    plots.show(
        plots.plot_frame(small, i),
        alt=f"Free embeddings in three dimensions at step {small.steps[i]}. Left, in the plane of the gap: {words}. "
        "Right: gap, variance along it and accuracy over the steps, with a cursor.",
    )

# %% [markdown]
# **What to see.** Round clouds, then flat ones, then flat ones with level lines: every line joins partners, and level means aligned. Nothing ever pulled the two sheets together.

# %%
from gapkit.widgets import dynamics_player, present

present(
    dynamics_player(),
    "The frames above show three moments of one run; here you choose the start, τ and the gap, and scrub.",
)

# %% [markdown]
# ## 5. What the unit sphere changes
#
# CLIP normalises its embeddings. The gradient is then projected onto the tangent space: $\nabla_i-(\nabla_i\cdot y_i)\,y_i$. Even when the plain gradient has no component along $v$, the projected one has
#
# $$-(\nabla_i\cdot y_i)\,(y_i\cdot v).$$
#
# Late in training repulsion is all that is left, and it points outwards: $\nabla_i\cdot y_i<0$, descent along $v$ has the sign opposite to $y_i\cdot v$.
# In words: on a sphere, spreading out sideways costs height, so as long as points spread they sink towards the equator, and the gap shrinks.
#
# **Predict.** Will the gap on the sphere close, freeze, or drift?

# %% tags=["nbval-check-output"]
ball = simulate("cones", tau=0.05, steps=4000, sphere=True)
for step in (0, 10, 100, 1000, 4000):
    i = ball.nearest(step)
    print(
        f"step {ball.steps[i]:4d}   gap free {free.gap[free.nearest(step)]:.3f}   on the sphere {ball.gap[i]:.3f}"
    )
i = ball.nearest(1000)
gradient, y = contrastive.contrastive_gradient(ball.x[i], ball.y[i], 0.05)[1], ball.y[i]
v = (y.mean(0) - ball.x[i].mean(0)) / ball.gap[i]
radial = (gradient * y).sum(1)
tangent = (gradient - radial[:, None] * y) @ v
print(f"repulsion points outwards for {np.mean(radial < 0):.0%} of the images")
print(
    f"plain gradient along the gap / tangent gradient along it: {np.abs(gradient @ v).mean() / np.abs(tangent).mean():.2f}"
)
np.testing.assert_allclose(
    [ball.gap[ball.nearest(step)] for step in (0, 10, 100, 1000, 4000)],
    [0.892, 0.889, 0.750, 0.683, 0.648],
    atol=2e-3,
)

# %% [markdown]
# Free embeddings freeze; on the sphere the gap drifts, ever more slowly: 0.75 after 100 steps, 0.65 after 4000. Phase one is untouched. Both are "the" dynamics of the loss, and only one of them is CLIP's.

# %%
globe = simulate("cones", n=80, d=3, spread=0.15, tau=0.05, steps=1000, sphere=True)
axes = plots.canvas(1, 3, width=9, height=3.3, projection="3d")
for ax, step in zip(axes, (0, 20, 1000), strict=True):
    i = globe.nearest(step)
    plots.plot_sphere(globe.x[i], globe.y[i], ax=ax, title=f"step {globe.steps[i]}")
plots.show(
    axes,
    alt="""Three unit spheres. At the start two round caps of texts and images far apart; after 20 steps two thin bands, perpendicular to the gap;
    after 1000 steps both bands have spread around the sphere and come closer, so the gap is much shorter.""",
)

# %% [markdown]
# **What to see.** Two caps become two thin parallel bands (phase one), then the bands lengthen around the globe and sink towards one another. In three dimensions there is little room sideways, and the gap goes on closing;
# in sixteen it is still 0.65 after 4000 steps, and in CLIP's 512 there is more room still.

# %% [markdown]
# ## 6. Temperature decides how much is left
#
# Repulsion ends when the partner is clearly nearest on the scale of τ. With a small τ that happens early, while the gap is still wide; with a large τ points must spread far first.
#
# **Predict.** Draw the final gap against τ, from 0.01 to 0.4.
#
# One practical point first. Theorem 3.1 also says how *stiff* phase one is: with our steps the variance along the gap is multiplied by $1-4\eta\|g\|^2/\tau$ a step
# ($\eta$ is `step_size`), so $\eta$ must stay below $\tau/(2\|g\|^2)$. Larger steps overshoot, and the shaking itself shortens the gap.


# %% tags=["nbval-check-output"]
def final_gap(tau, step_size):
    """Gap after a fixed stretch of time (step size times steps)."""
    return simulate(
        "cones", n=48, sphere=True, tau=tau, step_size=step_size, steps=round(16 / step_size), record=[]
    ).gap[-1]


stable = [(tau, final_gap(tau, min(0.02, tau / 5))) for tau in (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)]
shaken = [(tau, final_gap(tau, 0.02)) for tau in (0.005, 0.01, 0.02, 0.05)]
print("stable steps:  ", "  ".join(f"τ={tau:g}: {gap:.2f}" for tau, gap in stable))
print("steps of 0.02: ", "  ".join(f"τ={tau:g}: {gap:.2f}" for tau, gap in shaken))
assert np.all(np.diff([gap for _, gap in stable]) < 0)
assert stable[0][1] > 0.8
assert stable[-1][1] < 0.1

# %%
plots.show(
    plots.plot_final_gaps({"stable steps": stable, "steps too large for small τ": shaken}),
    alt="""Final gap on the sphere against τ on a logarithmic axis. With stable steps it falls steadily from about 0.86 at τ = 0.01 to zero at τ = 0.4.
    With steps of 0.02 it turns down again below τ = 0.02, where the steps overshoot.""",
)

# %% [markdown]
# **What to see.** The lower the temperature, the wider the gap; at τ = 0.4 nothing is left of it. The dashed line is the same loss with a careless step size.
#
# Does this carry over to networks? The shipped mini-CLIPs have the same towers and saw the same batches in the same order; only loss and temperature differ. These are their training curves on held-out pairs.

# %%
from gapkit.miniclip import training_curve

curves = {f"miniclip-{name}": training_curve(name)["rows"] for name in ("wide", "t0.01", "siglip", "learned")}
plots.show(
    plots.plot_curves(curves, ("gap", "temperature", "variance_along_gap_images")),
    alt="""Training curves of four small CLIPs. The gap starts at 1.2 for all and ends the lower, the higher the temperature: widest for the lowest fixed
    temperature, narrowest for the learned one. The images' variance along the gap does not fall at first but rises above isotropic, then falls.""",
)

# %% tags=["nbval-check-output"]
ends = sorted((rows[-1]["temperature"], rows[-1]["gap"], name) for name, rows in curves.items())
for temperature, gap, name in ends:
    variance = [row["variance_along_gap_images"] for row in curves[name]]
    print(
        f"{name:17s} final temperature {temperature:.4f}   final gap {gap:.2f}   images' variance along it: ",
        end="",
    )
    print(f"{variance[0]:.2f} at first, {max(variance):.0f} at most, {variance[-1]:.2f} at last")
gaps = [gap for _, gap, _ in ends]
assert gaps == sorted(gaps, reverse=True)  # hotter, narrower

# %% [markdown]
# **What to see.** The *order* carries over: sorted by final temperature, the gaps fall. (With one model for each temperature that is an observation; lesson 6 uses several seeds.)
# The tidy *first phase* does not: in a network, all images share weights, they are not free to move each on its own, and at the start they differ in very few directions.
# Their variance along the gap first shoots up, and only then comes down, and how far down depends on the temperature. So whether a trained gap is orthogonal is an open question, which the next lesson measures.

# %% [markdown]
# ## 7. Where it comes from: the starting point
#
# Is the gap caused by dimensional collapse, by narrow cones, by wrongly matched pairs? Each start below isolates one suspect.
#
# **Predict** for each: gap or no gap at the end?

# %% tags=["nbval-check-output"]
suspects = {
    "two tight cones": {"start": "cones"},
    "isotropic, wide clusters": {"start": "isotropic"},
    "collapsed subspaces, apart": {"start": "collapsed"},
    "collapsed subspaces, one centre": {"start": "collapsed", "gap": 0},
    "no gap, isotropic": {"start": "no-gap"},
    "no gap, all pairs mismatched": {"start": "mismatched", "gap": 0, "spread": 0.25},
}
ends = {}
for name, options in suspects.items():
    run = simulate(**options, n=100, steps=1000, sphere=True, record=[0])
    ends[name] = run.gap[-1]
    print(f"{name:33s} gap {run.gap[0]:.2f} → {run.gap[-1]:.2f}   accuracy {run.accuracy[-1]:.2f}")
assert ends["isotropic, wide clusters"] > 0.4  # collapse is not necessary
assert ends["collapsed subspaces, one centre"] < 0.1  # and not sufficient

# %% [markdown]
# A gap at the start stays (in part), whether or not dimensions are collapsed; without a gap at the start none appears, whether or not dimensions are collapsed, and mismatched pairs alone make none either in these dynamics.
# **Collapse is neither necessary nor sufficient**; the start plus the dynamics are what it takes. Why then do real models start with a gap? Because of the *cone effect* (Liang et al. 2022):
# a deep network with random weights sends everything into a narrow cone, and two networks have two cones. We measure it on an untrained mini-CLIP, three random initialisations, 100 scenes and their captions.

# %% tags=["nbval-check-output"]
from gapkit.datasets import load_dataset
from gapkit.encoders import load_model
from gapkit.geometry import measure

scenes = load_dataset("scenes-pairs")
for seed in (0, 1, 2):
    model = load_model(f"miniclip-random@{seed}")
    texts = model.encode_texts([prompts[0] for prompts in scenes.prompts[:100]])
    batches = [[scenes.images[i] for i in range(start, start + 20)] for start in range(0, 100, 20)]
    images = np.concatenate([model.encode_images(batch) for batch in batches])
    m = measure(texts.numpy(), images)
    print(
        f"seed {seed}: ‖g‖ {m['l2m']:.2f}   cosine within texts {m['mean_cosine_gallery']:.2f}, within images "
        f"{m['mean_cosine_queries']:.2f}, between partners {m['matched_cosine']:.2f}"
    )
    assert m["l2m"] > 0.9
    assert m["mean_cosine_queries"] > m["matched_cosine"] + 0.3

# %% [markdown]
# The same for OpenCLIP's large architectures, with random weights. They need more than 1 GB of memory, too much for a notebook; the table ships with the repository and is made by `python tools/cone_effect.py --architectures ViT-B-32 ViT-B-16 RN50`.

# %% tags=["nbval-check-output"]
from gapkit._paths import shipped_file

cone = np.genfromtxt(shipped_file("cone_effect.csv"), delimiter=",", names=True, dtype=None, encoding="utf-8")
for name in dict.fromkeys(cone["architecture"]):
    row = cone[cone["architecture"] == name]
    print(f"{name:15s} {len(row)} seeds: ‖g‖ {row['gap_norm'].mean():.2f}   cosine within texts ", end="")
    print(
        f"{row['mean_cosine_texts'].mean():.2f}, within images {row['mean_cosine_images'].mean():.2f}, ",
        end="",
    )
    print(f"between partners {row['matched_cosine'].mean():.2f}")
assert (cone["gap_norm"] > 0.8).all()

# %% [markdown]
# Every architecture and seed starts with two cones and a wide gap between them, before it has seen a single pair.

# %% [markdown]
# ## Summary
#
# - The gradient attracts partners and repels everyone in proportion to mistaken identity (checked against autograd to 1e-10).
# - Tight clusters far apart: the gradient is $\frac4{N\tau^2}[g\cdot(y_i-\mu_y)]\,g$, so variance *along* the gap dies first (Theorem 3.1). It needs $\|g\|^2/\tau\gg1$ and $\varepsilon\|g\|/\tau\ll1$, and its errors are predictable.
# - Constant along $v$ and doubly stochastic: no gradient along $v$ (Theorem 3.2). Free embeddings freeze with their gap; on the sphere the gap drifts, the less the lower the temperature.
# - The start decides whether there is a gap at all, and networks start in two cones.
#
# ### Questions
#
# 1. A friend adds a constant vector, orthogonal to all texts and images, to every image and retrains from there. Does the softmax loss notice? Does SigLIP's?
# 2. At step 10 the defect of $Q$ is 0.01 although accuracy is far from 1. Which of the two ways of being doubly stochastic is this, and which one holds at step 4000?
# 3. You train with temperature 0.07 fixed and a wide initial gap. What do you expect of the final gap, and which two runs of section 6 would you cite?
#
# ← [Measuring the gap](01_measuring_the_gap.ipynb) · next: [Is the gap orthogonal?](03_is_the_gap_orthogonal.ipynb) →
