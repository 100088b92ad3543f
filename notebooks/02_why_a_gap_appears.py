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
# **Objectives.** After this lesson you can
# - derive the gradient of the contrastive loss and say what attracts and what repels;
# - state two theorems about the gap, prove them, and say where each one stops holding;
# - explain why training removes the variance *along* the gap but not the gap;
# - predict what the unit sphere, the temperature and the starting point do to the final gap.
#
# **Prerequisites.** Lesson 01 (the gap vector), gradients, the softmax. **Time.** 75 minutes.
#
# **Place.** The third lesson of nine. Lesson 01 measured a gap; this one explains it; lesson 03 asks how orthogonal it really is.
# Previous: [01 · Measuring the gap](01_measuring_the_gap.ipynb) · Next: [03 · Is the gap orthogonal?](03_is_the_gap_orthogonal.ipynb).
#
# Theorem and equation numbers are those of Chowers, Naparstek, Barzelay and Weiss, *Is the Modality Gap a Bug or a Feature?*
# (CVPR 2026, [arXiv 2603.29080](https://arxiv.org/abs/2603.29080)). The proofs are written for this lesson, and every constant in them is checked below.

# %% [markdown]
# *Without installing anything:* [open this lesson in Colab](https://colab.research.google.com/github/gapkit/gapkit/blob/HEAD/notebooks/02_why_a_gap_appears.ipynb) and run
# `%pip install -q "gapkit @ git+https://github.com/gapkit/gapkit"` in a new cell first. Colab's own torch is kept; models and data are downloaded when a cell needs them.

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
# Descent goes the other way: image $i$ is pulled towards its partner and pushed away from every text, in proportion to how strongly the two take each other for partners.
# Column $i$ of $Q^y$ sums to 1 by construction. The column of $Q^x$ need not: $S_i=\sum_k Q^x(k,i)$ says how popular image $i$ is with all texts together.
#
# We trust none of this until the computer agrees. Autograd differentiates the loss as written; `contrastive_gradient` uses the formula.

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
# The popularity $S_i$ will decide everything below, so write it yourself: $Q^x$ is a softmax along one axis, $S_i$ a sum along the other. The check compares it with the correct function on fresh numbers.


# %%
def column_sums(x, y, tau):
    """Popularity S_i of every image: the column sums of Qˣ."""
    s = -((x[:, None] - y[None]) ** 2).sum(-1) / tau
    return softmax(s, axis=1).sum(axis=0)


check(column_sums)

# %% [markdown]
# ## 2. Theorem 3.1: what goes first
#
# Randomly initialised towers put the two modalities into two tight clusters far apart (section 7 measures it). Write $y_i=\mu_y+b_i$ and $x_k=\mu_x+a_k$
# with small $a_k,b_i$ of size $\varepsilon$ that average to zero, and $g=\mu_y-\mu_x$.
#
# > **Predict.** Which direction does the gradient of such an image mostly point in: to its partner, along the gap, or anywhere?
#
# **Proof.**
#
# 1. $y_i-x_k=g+b_i-a_k$, so for two images $i,j$ and one text $k$
#    $\;s_{ki}-s_{kj}=-\frac2\tau\,g\cdot(b_i-b_j)+O(\varepsilon^2/\tau)$: what does not depend on the image cancels.
# 2. $Q^x(k,i)=1\big/\sum_j e^{s_{kj}-s_{ki}}$. If $\varepsilon\|g\|/\tau\ll1$ the exponential is linear, and $\sum_j b_j=0$:
#    $\;Q^x(k,i)\approx\frac1N\bigl(1-\frac2\tau\,g\cdot b_i\bigr)$. Summed over $k$:
#    $$S_i\approx 1-\tfrac2\tau\,g\cdot(y_i-\mu_y).$$
#    Images on the near side of their cluster are popular with *all* texts.
# 3. In the gradient of section 1 write $y_i-x_k=g+b_i-a_k$ and sort. The weights $Q^x(k,i)+Q^y(k,i)$ sum to $S_i+1$ over $k$, so the bracket is
#    $$2\,(g+b_i-a_i)-(S_i+1)(g+b_i)+\textstyle\sum_k\bigl(Q^x+Q^y\bigr)(k,i)\,a_k\;=\;(1-S_i)\,g\;+\;(1-S_i)\,b_i\;-\;2a_i\;+\;\sum_k\bigl(Q^x+Q^y\bigr)(k,i)\,a_k .$$
#    Two of the four terms cancel to first order. $2b_i-(S_i+1)\,b_i=(1-S_i)\,b_i$ is a small number times a small vector. And both $Q$ are $\frac1N$ up to first order, so the last sum
#    is $\frac2N\sum_k a_k=0$ up to second order. The first term is the theorem; with step 2,
#
# $$\boxed{\;\frac{\partial L}{\partial y_i}\approx\frac{4}{N\tau^2}\,\bigl[g\cdot(y_i-\mu_y)\bigr]\;g\;}$$
#
#    For the texts exchange the roles. Then $g$ becomes $-g$, twice, and the formula stays: $\partial L/\partial x_i\approx\frac4{N\tau^2}[g\cdot(x_i-\mu_x)]\,g$.
#
# 4. *What was dropped.* One first-order term is left over: $-2a_i$, the noise of the partner. Along $g$ it has size $2\varepsilon$ against
#    $\frac2\tau\|g\|^2\varepsilon$ of what we kept: a relative error of $\tau/\|g\|^2$. Across $g$ it lives in $d-1$ directions: $\tau\sqrt{d-1}/\|g\|^2$.
#    So the theorem needs $\|g\|^2/\tau\gg1$ as well as $\varepsilon\|g\|/\tau\ll1$. Divide the second by the first: together they say $\varepsilon\ll\|g\|$, so "tight clusters far apart" need not be asked for separately. ∎
#
# The gradient points along the gap, *outwards* from the cluster's own mean: descent squeezes each cluster flat along $g$, faster than it does anything else.
# We compare with the exact gradient: slope (1 if the constant is right), relative residual along $g$, and the part across $g$.

# %% tags=["nbval-check-output"]
settings = [(0.5, 5e-3), (0.05, 5e-4), (0.05, 5e-5), (0.01, 1e-4), (0.01, 1e-5)]
fits = [theorem_fit(*starting_pairs("cones", spread=spread), tau=tau) for tau, spread in settings]
print("   τ      ε    slope  residual (predicted)  off gap (predicted)")
for (tau, spread), fit in zip(settings, fits, strict=True):
    print(f"{tau:5} {spread:.0e}  {fit.slope:5.3f}     {fit.residual:.3f} ({tau:.3f})       ", end="")
    print(f"{fit.off_gap:.3f} ({tau * 15**0.5:.3f})")

draws = [theorem_fit(*starting_pairs("cones", spread=5e-3, seed=seed), tau=0.5) for seed in range(20)]
slopes, residuals = [fit.slope for fit in draws], [fit.residual for fit in draws]
print(f"τ = 0.5, 20 draws of the clusters: slope {min(slopes):.2f} to {max(slopes):.2f}, ", end="")
print(f"residual {min(residuals):.0%} to {max(residuals):.0%}")
assert max(slopes) - min(slopes) > 0.1
assert min(residuals) > 0.4

for fit in fits[3:]:  # τ = 0.01, inside the regime
    assert abs(fit.slope - 1) < 0.01
    assert fit.residual < 0.03
    assert fit.off_gap < 0.08
assert fits[0].residual > 0.3  # τ = 0.5: outside the regime the theorem says little

# %% [markdown]
# The constant is right (slope 1), and the two error terms of step 4 predict the errors (in brackets): at τ = 0.5 with ‖g‖ = 1 the theorem is half wrong
# along the gap, and most of the gradient is not along it at all. There even the slope is luck: it belongs to the draw of the clusters, as the last line shows, and a slope near 1 proves nothing. Now over a whole grid.

# %%
grid = [
    {"tau": tau, "spread": spread, **theorem_fit(*starting_pairs("cones", spread=spread), tau=tau)._asdict()}
    for spread in (1e-2, 1e-3, 1e-4)
    for tau in (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005)
]
plots.show(
    plots.plot_theorem_fit(grid),
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


check(doubly_stochastic_defect)

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
# A step is $z\leftarrow z-\eta N\tau\,\partial L/\partial z$ ($\eta$ is `step_size`, 0.02 here; the factor $N\tau$ takes the scale out of the gradient).
#
# Theorem 3.1 says how fast phase one goes. A step multiplies every *deviation* $g\cdot(y_i-\mu_y)$ by $1-4\eta\|g\|^2/\tau$, and the *variance* along the gap by the square of that.
# Across the gap only $-2a_i$ is left (step 4), and for the texts $-2b_i$: the difference $b_i-a_i$ of partners is multiplied by $1-4\eta$, and $b_i+a_i$ grows by $1+4\eta$.
# So partners align and points spread from the first step on, but by a factor $\|g\|^2/\tau$ more slowly: this ratio is what separates the two phases. First the rate, inside the regime:


# %% tags=["nbval-check-output"]
def variance_along(z, g):
    return ((z - z.mean(0)) @ g / np.linalg.norm(g)).var()


tight = simulate("cones", spread=5e-4, tau=0.05, step_size=0.005, steps=4, record=range(5))
factor = 1 - 4 * 0.005 * tight.gap[0] ** 2 / 0.05
variances = [variance_along(y, y.mean(0) - x.mean(0)) for x, y in zip(tight.x, tight.y, strict=True)]
ratios = np.array(variances[1:]) / variances[:-1]
print(
    f"factor of the deviations {factor:.2f}, squared {factor**2:.2f}; measured for the variance",
    ratios.round(2),
)
np.testing.assert_allclose(ratios, factor**2, atol=0.02)

# %% [markdown]
# > **Predict.** After 10, 100 and 1000 steps at $\tau=0.05$: what is the length of the gap, how much variance is left along it, how many images find their partner?

# %% tags=["nbval-check-output"]
moments = [*range(41), *range(50, 100, 10), *range(100, 1001, 100)]
free = simulate("cones", tau=0.05, steps=1000, record=moments)
print("step     gap  variance along it  mismatch  defect  accuracy   loss")
for step in (0, 1, 5, 10, 22, 30, 40, 100, 1000):
    i = free.nearest(step)
    print(
        f"{step:4d}  {free.gap[i]:.4f}             {free.variance_along_gap_y[i]:.4f}    {free.mismatch[i]:.4f}",
        end="",
    )
    print(f"   {free.defect[i]:.3f}     {free.accuracy[i]:.3f}  {free.loss[i]:5.2f}")
late = free.gap[free.nearest(100) :]
assert free.variance_along_gap_y[10] < 0.01
assert free.mismatch[10] / free.mismatch[0] < 0.2  # partners align in the meantime
assert abs(free.mismatch[10] / free.mismatch[0] - (1 - 4 * 0.02) ** 20) < 0.03  # … at the rate predicted
assert free.variance_along_gap_y[1] > 1.1 * free.variance_along_gap_y[0]  # the overshoot of step 1
assert free.variance_along_gap_y[22] > 2 * free.variance_along_gap_y[10]  # the hump
assert np.ptp(late) < 1e-4  # frozen
assert free.accuracy[-1] == 1

# %%
plots.show(
    plots.plot_trajectory(free),
    alt="""Six panels over the steps. The gap stays at 1 throughout. The variance along it rises a little in step 1, falls below one hundredth
    by step 5, rises again to 0.016 at step 22 and then falls to a hundred-thousandth by step 100; the defect has a hump at the same steps before
    it goes to zero. The mismatch falls from the first step on, accuracy passes 0.8 at step 10, the loss falls mostly between steps 10 and 40.""",
)

# %% [markdown]
# **What to see.** *Steps 0 to 5, phase one:* the variance along the gap falls by a factor of 170. Its first step goes the wrong way. With $\eta=0.02$ the factor of the deviations is $-0.6$, so they overshoot to the other side, and with
# $\varepsilon\|g\|/\tau=0.4$ this start is not inside the theorem's regime: the factor for the variance should be 0.36 and is 1.2. Over the next four steps it is 0.26 a step, on average.
#
# *Partners do not wait for phase two.* By step 10 their mismatch has fallen by 83 % (predicted: $0.92^{20}=0.19$ is left), and 85 % of the images are nearest to their own text, if only by a hair; the loss has come down from 11.2 to 9.6.
#
# *Steps 10 to 40, phase two:* the sheets spread, $Q(i,i)$ goes from little more than $1/N$ to 0.8 (last column of the next table), and with it the loss from 9.6 to 0.5. *From step 100 on* the gap stands still, as Theorem 3.2 says. Perfect accuracy, gap of full length.
#
# **The hump.** Between steps 10 and 30 the variance along the gap comes back a little, from 0.006 to 0.016, and the defect with it. Theorem 3.1 explains this too. Let $S_i^\perp$ be the popularity that image $i$ would have if the gap direction were deleted.
# With $h_i=g\cdot(y_i-\mu_y)$, level texts, and the other directions no longer negligible, step 2 of its proof reads
# $$S_i\approx S_i^\perp-\tfrac2\tau\Big[S_i^\perp h_i-\sum_k Q^\perp(k,i)\sum_j Q^\perp(k,j)\,h_j\Big],$$
# since each row of $Q$ is divided by its own sum. While $Q^\perp$ is still wide, the double sum averages $h$ over many images and is nearly the mean of $h$, which is 0, and $S_i^\perp$ is near 1. So descent along $g$ stops not where the images are level but where $S_i=1$, roughly at the height
# $$\frac{h_i}{\|g\|}\approx\frac{\tau}{2\|g\|}\,(S_i^\perp-1).$$
# While the sheet spreads, images near its rim have few texts around them and are less popular than those in the middle: they are pulled in a little, the others pushed out. Let us check it: does $S^\perp$ fall with the distance from the middle (*rim*), do the heights follow it (*match*), and with the slope predicted?

# %% tags=["nbval-check-output"]
print("step  mean |S⊥-1|  mean |S-1|   rim   match  slope / predicted  median Q(i,i)")
for step in (5, 10, 15, 20, 24, 30, 40):
    x, y = free.x[step], free.y[step]
    u = (y.mean(0) - x.mean(0)) / free.gap[step]
    heights = (y - y.mean(0)) @ u
    flat_x, flat_y = (z - np.outer(z @ u, u) for z in (x, y))
    unlevel = contrastive.q_matrices(flat_x, flat_y, tau=0.05)[0].sum(0) - 1
    q = contrastive.q_matrices(x, y, tau=0.05)[0]
    rim = np.corrcoef(((flat_y - flat_y.mean(0)) ** 2).sum(1), unlevel)[0, 1]
    match = np.corrcoef(heights, unlevel)[0, 1]
    slope = heights @ unlevel / (unlevel @ unlevel) / (0.05 / (2 * free.gap[step]))
    print(f"{step:4d}        {np.abs(unlevel).mean():.3f}       {np.abs(q.sum(0) - 1).mean():.3f}  ", end="")
    print(f"{rim:5.2f}    {match:.2f}               {slope:.2f}          {np.median(q.diagonal()):.3f}")
    if 10 <= step <= 30:
        assert rim < -0.85
        assert match > 0.94
        assert abs(slope - 1) < 0.15

# %% [markdown]
# **What to see.** From step 10 to step 30 the heights follow $S_i^\perp-1$ almost perfectly, with the predicted slope, and so keep the true sums much closer to 1 than the sums without the gap direction.
# The hump rises while the rim grows lonely ($|S^\perp-1|$ from 0.08 to 0.31), and sinks when every image has recognised its partner: then no image is unpopular, and there is nothing to make up for.
#
# The same in three dimensions, where one can look:

# %%
small_moments = [*range(31), *range(40, 100, 10), *range(100, 1001, 50)]
small = simulate("cones", n=40, d=3, spread=0.1, tau=0.05, step_size=0.005, steps=1000, record=small_moments)
three = [small.nearest(step) for step in (0, 20, 1000)]
assert small.steps[three].tolist() == [0, 20, 1000]
plots.show(
    plots.plot_space(small, three),
    alt="""Three pictures in space, the gap upright. Step 0: two round clouds, texts below and images above. Step 20: both clouds squeezed flat
    into small discs, one above the other. Step 1000: two wide flat sheets of well-spread points, with upright lines between partners.""",
)

# %% [markdown]
# **What to see.** Round clouds, then flat ones, then wide flat ones with upright lines: every line joins partners, and upright means aligned. Nothing ever pulled the two sheets together.
#
# The player below shows such runs in any number of dimensions, so it projects them: the gap upwards, the leading component across it sideways. This is its frame for step 20 of the run above.

# %%
plots.show(
    plots.plot_frame(small, small.nearest(20)),
    alt="""Step 20 of the run in three dimensions. Left, in the plane of the gap: two short level rows of points, images above texts, joined by
    almost upright lines. Right: gap, variance along it and accuracy over the steps, with a cursor at step 20, where the variance has nearly gone and
    the accuracy is still 0.2.""",
)

# %%
from gapkit.widgets import dynamics_player, present

present(
    dynamics_player(),
    "The frame above shows one moment of one run; here you choose the start, τ and the gap, and scrub.",
)

# %% [markdown]
# ## 5. What the unit sphere changes
#
# CLIP normalises its embeddings. The gradient $\nabla_i=\partial L/\partial y_i$ is then projected onto the tangent space: $\nabla_i-(\nabla_i\cdot y_i)\,y_i$. Even when the plain gradient has no component along $v$, the projected one has
#
# $$-(\nabla_i\cdot y_i)\,(y_i\cdot v).$$
#
# What is the sign of $\nabla_i\cdot y_i$? Take the scalar product of section 1's gradient with $y_i$, and use $\|y_i\|=1$:
#
# $$\nabla_i\cdot y_i=\frac2{N\tau}\Bigl[(1-S_i)+\sum_k\bigl(Q^x(k,i)+Q^y(k,i)\bigr)\,x_k\cdot y_i-2\,x_i\cdot y_i\Bigr].$$
#
# If $S_i=1$ the weights in the sum add up to 2, so it is twice an average of cosines $x_k\cdot y_i$. If the partner is the nearest text, none of them exceeds $x_i\cdot y_i$. Hence $\nabla_i\cdot y_i\le0$, and $<0$ as long as $Q$ gives any weight to a text farther off:
# what is left of the loss, the repulsion, points outwards. Descent along $v$ goes by $+(\nabla_i\cdot y_i)(y_i\cdot v)$, which has the sign opposite to $y_i\cdot v$. The images lie on one side of the equator between the two modalities ($y_i\cdot v>0$) and move down, the texts on the other and move up.
# In words: on a sphere, spreading out sideways costs height, so as long as points spread they sink towards the equator, and the gap shrinks.
#
# > **Predict.** Will the gap on the sphere close, freeze, or drift?

# %% tags=["nbval-check-output"]
ball = simulate("cones", tau=0.05, steps=1000, sphere=True)
for step in (0, 10, 30, 100, 1000):
    i = ball.nearest(step)
    print(
        f"step {ball.steps[i]:4d}   gap free {free.gap[free.nearest(step)]:.3f}   on the sphere {ball.gap[i]:.3f}"
    )
i = ball.nearest(1000)
x, y = ball.x[i], ball.y[i]
v = (y.mean(0) - x.mean(0)) / ball.gap[i]
gradient = contrastive.contrastive_gradient(x, y, 0.05)[1]
outward = (gradient * y).sum(1)
cosines, (q_x, q_y) = x @ y.T, contrastive.q_matrices(x, y, 0.05)
sums = q_x.sum(0)
formula = 2 / (len(y) * 0.05) * (1 - sums + ((q_x + q_y) * cosines).sum(0) - 2 * cosines.diagonal())
tangent = (gradient - outward[:, None] * y) @ v
print(f"at step {ball.steps[i]}: largest |S-1| {np.abs(sums - 1).max():.4f}, partner nearest for ", end="")
print(
    f"{np.mean(cosines.argmax(0) == np.arange(len(y))):.0%}, repulsion outwards for {np.mean(outward < 0):.0%}"
)
print(
    f"y·v from {(y @ v).min():.2f} to {(y @ v).max():.2f}, x·v from {(x @ v).min():.2f} to {(x @ v).max():.2f}; ",
    end="",
)
print(f"image goes against its y·v for {np.mean(-tangent * (y @ v) < 0):.0%}")
print(
    f"plain gradient along the gap / tangent gradient along it: {np.abs(gradient @ v).mean() / np.abs(tangent).mean():.2f}"
)
np.testing.assert_allclose(outward, formula, atol=1e-12)
assert np.abs(sums - 1).max() < 1e-3  # both premises of the argument …
assert (cosines.argmax(0) == np.arange(len(y))).all()
assert (outward < 0).all()  # … and its conclusions
assert (y @ v > 0).all()
assert (x @ v < 0).all()
assert (-tangent * (y @ v) < 0).all()
np.testing.assert_allclose(
    [ball.gap[ball.nearest(step)] for step in (0, 10, 30, 100, 1000)],
    [0.892, 0.889, 0.840, 0.750, 0.683],
    atol=2e-3,
)

# %% [markdown]
# Free embeddings freeze; on the sphere the gap drifts, ever more slowly: 0.75 after 100 steps, 0.68 after 1000. Phase one is untouched. Both are "the" dynamics of the loss, and only one of them is CLIP's.

# %%
globe = simulate("cones", n=80, d=3, spread=0.15, tau=0.05, steps=1000, sphere=True, record=[0, 20])
axes = plots.canvas(1, 3, width=9, height=3.6, projection="3d")
for ax, step, x, y in zip(axes, globe.steps, globe.x, globe.y, strict=True):
    plots.plot_sphere(x, y, ax=ax, title=f"step {step}", legend=False)
axes[0].figure.legend(
    *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False
)
plots.show(
    axes,
    alt="""Three unit spheres, an arrow from the texts' mean to the images'. At the start two round caps of texts and images far apart, gap 0.89; after
    20 steps two thin bands, perpendicular to the gap, 0.80; after 1000 steps both bands run all around the sphere, many of their markers hollow because
    they are on the far side, and have come closer: gap 0.31.""",
)

# %% [markdown]
# **What to see.** Two caps become two thin parallel bands (phase one), then the bands lengthen around the globe and sink towards one another. In three dimensions there is little room sideways, and the gap goes on closing;
# in sixteen it is still 0.68 after as many steps, and in CLIP's 512 there is more room still.

# %% [markdown]
# ## 6. Temperature decides how much is left
#
# Repulsion ends when the partner is clearly nearest on the scale of τ. With a small τ that happens early, while the gap is still wide; with a large τ points must spread far first.
#
# > **Predict.** Draw the final gap against τ, from 0.01 to 0.4.
#
# One practical point first. Section 4 said that a step multiplies the deviations along the gap by $1-4\eta\|g\|^2/\tau$. Once this is below $-1$ they grow instead of shrinking,
# so $\eta$ must stay below $\tau/(2\|g\|^2)$. Larger steps shake the clusters, and the shaking itself shortens the gap.
#
# "Final" below means: after the fixed time $\eta\cdot\text{steps}=4$ (200 steps of 0.02), with 48 pairs. On the sphere that is not convergence: the drift of section 5 goes on.


# %% tags=["nbval-check-output"]
def final_gap(tau, step_size):
    """Gap after a fixed stretch of time (step size times steps)."""
    return simulate(
        "cones", n=48, sphere=True, tau=tau, step_size=step_size, steps=round(4 / step_size), record=[]
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
    plots.plot_final_gaps(
        {"stable steps": stable, "steps of 0.02, too large for small τ": shaken},
        title="gap on the sphere after time 4 (not converged)",
    ),
    alt="""Gap on the sphere after time 4 against τ on a logarithmic axis. With stable steps it falls steadily from 0.87 at τ = 0.01 to 0.02 at τ = 0.4.
    With steps of 0.02 it turns down again below τ = 0.02, where the steps overshoot.""",
)

# %% [markdown]
# **What to see.** The lower the temperature, the wider the gap that is left after the same time; at τ = 0.4 almost nothing is left of it. The dashed line is the same loss with a careless step size.
#
# Does this carry over to networks? The shipped mini-CLIPs have the same towers and saw the same batches in the same order; only loss and temperature differ. These are their training curves on held-out pairs.

# %%
from gapkit.miniclip import TRAINED, training_curve

curves = {f"miniclip-{name}": training_curve(name)["rows"] for name in ("wide", "t0.01", "siglip", "learned")}
plots.show(
    plots.plot_curves(curves, ("gap", "temperature")),
    alt="""Training curves of four small CLIPs. Left: the gap starts at 1.2 for all and ends the lower, the higher the temperature, from 0.77 to 0.22.
    Right: the temperature stays at 0.0033 and 0.01 where it is fixed, falls from 0.07 to 0.058 where it is learned, and rises to 0.043 for SigLIP.""",
)

# %% tags=["nbval-check-output"]
ends = sorted((rows[-1]["temperature"], rows[-1]["gap"], name) for name, rows in curves.items())
for temperature, gap, name in ends:
    print(f"{name:17s} final temperature {temperature:.4f}   final gap {gap:.2f}")
gaps = [gap for _, gap, _ in ends]
assert gaps == sorted(gaps, reverse=True)  # hotter, narrower

# %% [markdown]
# **What to see.** The *order* carries over: sorted by final temperature, the gaps fall. (With one model for each temperature that is an observation; lesson 06 uses several seeds.) A caution about names: OpenAI's CLIP learned its temperature too, from 0.07 down to 0.01, the limit set for it. So of these four it is nearest to *t0.01*; in our short training *learned* does not get there.
#
# What about the two premises of Theorem 3.2, constant along the gap and doubly stochastic? (The paper's Fig. 6 follows the second over training.) The stored defect is one-sided: mean $|S_i-1|$ over the 184 held-out images,
# without the texts' sums that `doubly_stochastic_defect` averages in. For SigLIP, whose loss has no softmax, it is that of the softmax at its temperature.
#
# > **Predict.** In the free embeddings the defect went from 0.6 to nothing. Where does it start, and where does it end, in a network?

# %%
plots.show(
    plots.plot_curves(curves, ("variance_along_gap_images", "one_sided_defect")),
    alt="""The same four small CLIPs. Left: the images' variance along the gap does not fall at first but shoots up by a factor of 40 to 800, then falls, to
    between 0.33 and 8 times isotropic. Right: the defect starts near 0, jumps to between 0.2 and 1.3 around step 30 to 40, and then declines slowly to about 0.16 for all.""",
)

# %% tags=["nbval-check-output"]
for _, _, name in ends:
    variance = [row["variance_along_gap_images"] for row in curves[name]]
    print(
        f"{name:17s} images' variance along the gap: {variance[0]:.2f} at first, {max(variance):.0f} at most, ",
        end="",
    )
    print(f"{variance[-1]:.2f} at last")
everyone = [training_curve(name, seed=seed)["rows"] for name in TRAINED for seed in (0, 1, 2)]
print(f"one-sided defect, all {len(everyone)} trained mini-CLIPs: ", end="")
for step in (0, 30, 100, 1500):
    defects = [row["one_sided_defect"] for rows in everyone for row in rows if row["step"] == step]
    assert len(defects) == len(everyone)
    print(f"  step {step}: {min(defects):.2f} to {max(defects):.2f}", end="")
least = min(row["one_sided_defect"] for rows in everyone for row in rows if row["step"] >= 50)
print(f"   least from step 50 on: {least:.2f}")
assert least > 0.1  # never doubly stochastic again
assert max(defects) < 0.25  # but nearer at the end

# %% [markdown]
# **What to see.** Neither premise is met exactly by any of the trained models, at any time after the start. The defect is nearly 0 *before* training, for a trivial reason: the untrained image tower sends all images to almost one point (section 7), so no text can prefer one of them, and $Q^x$ is uniform.
# Then it jumps, and it comes down late, as in the paper's Fig. 6, but to 0.16, not to 0: the column of an average image still misses 1 by 0.16. So Theorem 3.2 holds only approximately here.
#
# The tidy *first phase* does not carry over either: in a network, all images share weights, they are not free to move each on its own, and at the start they differ in very few directions.
# Their variance along the gap first shoots up, and only then comes down, and how far down depends on the temperature. So whether a trained gap is orthogonal is an open question, which the next lesson measures.

# %% [markdown]
# ## 7. Where it comes from: the initialisation
#
# Is the gap caused by dimensional collapse, by narrow cones, by a start in which partners lie far apart? Each start below isolates one suspect. (*Mismatched* means the initial positions only: the pairs themselves are right. Whether wrong pairs in the training data make a gap is another question, which these runs do not ask.)
#
# > **Predict.** For each of the six: gap or no gap at the end?

# %% tags=["nbval-check-output"]
suspects = {
    "two tight cones": {"start": "cones"},
    "isotropic, wide clusters": {"start": "isotropic"},
    "collapsed subspaces, apart": {"start": "collapsed"},
    "collapsed subspaces, one centre": {"start": "collapsed", "gap": 0},
    "no gap, isotropic": {"start": "no-gap"},
    "no gap, all pairs mismatched": {"start": "mismatched", "gap": 0, "spread": 0.25},
}
runs = {}
for name, options in suspects.items():
    runs[name] = run = simulate(
        **options, n=100, steps=500, sphere=True, record=[*range(11), 20, 30, 50, 100, 200]
    )
    z = run.y[0]  # unit rows: |Σ z|² = n + n(n-1) · mean cosine of two of them
    cosine = (len(z) ** 2 * (z.mean(0) @ z.mean(0)) - len(z)) / (len(z) * (len(z) - 1))
    print(f"{name:33s} cosine within images {cosine:.2f} at the start   ", end="")
    print(f"gap {run.gap[0]:.2f} → {run.gap[-1]:.2f}   accuracy {run.accuracy[-1]:.2f}")
apart = ["two tight cones", "isotropic, wide clusters", "collapsed subspaces, apart"]
together = [name for name in suspects if name not in apart]
assert all(runs[name].gap[-1] > 0.5 for name in apart)  # collapse is not necessary, nor are tight cones
assert all(runs[name].gap.max() < 0.06 for name in together)  # collapse and mismatch are not sufficient
assert all(run.accuracy[-1] == 1 for run in runs.values())

# %%
plots.show(
    plots.plot_trajectory(runs, ("gap", "accuracy")),
    alt="""Gap and accuracy over 500 steps for the six starts. The three that start apart, with gaps of 0.67 to 0.89, keep most of them: 0.73, 0.59 and
    0.64 at the end. The three that start around one centre stay below 0.05 throughout. Accuracy reaches 1 in all six.""",
)

# %% [markdown]
# **What to see.** A gap at the start stays (in part), whether or not dimensions are collapsed; without a gap at the start none appears, whether or not dimensions are collapsed. Mismatched pairs alone make next to none either in these dynamics: 0.01.
# A caution about the word *isotropic*: on the sphere this start is round and fills all dimensions, but two of its images still have a mean cosine of 0.55. It is a wide cone, not no cone. On a sphere it cannot be otherwise: the mean cosine within a modality is (nearly) the squared length of its mean, and a gap needs a mean that is not the centre.
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
    batches = ([scenes.images[i] for i in range(start, start + 10)] for start in range(0, 100, 10))
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
from gapkit.datasets import shipped_file

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
# - The gradient attracts partners and repels everyone in proportion to how often they are mistaken for each other (checked against autograd to 1e-10).
# - Tight clusters far apart: the gradient is $\frac4{N\tau^2}[g\cdot(y_i-\mu_y)]\,g$, so variance *along* the gap dies first (Theorem 3.1), by $(1-4\eta\|g\|^2/\tau)^2$ a step. It needs $\|g\|^2/\tau\gg1$ and $\varepsilon\|g\|/\tau\ll1$, and its errors are predictable.
# - Constant along $v$ and doubly stochastic: no gradient along $v$ (Theorem 3.2). Free embeddings freeze with their gap; on the sphere the gap drifts, the less the lower the temperature. Trained mini-CLIPs meet neither premise exactly.
# - The start decides whether there is a gap at all, and networks start in two cones.
#
# ### Questions
#
# 1. A friend adds a constant vector, orthogonal to all texts and images, to every image and retrains from there. Does the softmax loss notice? Does SigLIP's?
# 2. At step 10 of section 4 the defect of $Q$ is 0.01 and the median $Q(i,i)$ is 0.008, with 200 pairs. Which of the two ways of being doubly stochastic is this, and which one holds at step 1000? How can 85 % of the images have their nearest text right all the same?
# 3. You train with temperature 0.07 fixed and a wide initial gap. What do you expect of the final gap, and which two runs of section 6 would you cite?
#
# ← [Measuring the gap](01_measuring_the_gap.ipynb) · next: [Is the gap orthogonal?](03_is_the_gap_orthogonal.ipynb) →
