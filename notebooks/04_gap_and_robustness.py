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
# # 04 · Gap and robustness
#
# ← [Is the gap orthogonal?](03_is_the_gap_orthogonal.ipynb) · lesson 4 of 8 · next: [Closing the gap](05_closing_the_gap.ipynb) →
#
# **Objectives.** After this lesson you can
# - define robustness as the paper does, and keep it apart from accuracy;
# - prove that a shift orthogonal to the gallery changes no answer (Theorem 3.5);
# - draw why distance costs robustness, and write the probability as one integral, with no sampling;
# - prove that a smaller gap means more robust answers, for any number of candidates (Theorem 3.4), and check each step numerically.
#
# **Prerequisites.** Lessons 1 to 3; the χ² distribution; integration by parts. **Time.** 75 minutes.
#
# **Place in the sequence.** The theory ends here. Lesson 5 applies it to zero-shot classification.

# %%
import numpy as np
from scipy.special import iv
from scipy.stats import ncx2, norm

import gapkit
from gapkit import check, plots
from gapkit.closing import GapCloser, MeanShift
from gapkit.geometry import nearest
from gapkit.robustness import calibrate_sigma, robustness

# %% [markdown]
# ## 1. What is asked
#
# A query $y$ (an image) looks for its nearest neighbour in a gallery $X$ (texts). Somebody stores the gallery with errors $\varepsilon$. Does the answer stay the same? (Eq. 10)
#
# $$\mathrm{Rob}(y)=P_\varepsilon\bigl[\mathrm{NN}(y,X)=\mathrm{NN}(y,X+\varepsilon)\bigr],\qquad \varepsilon_k\sim N(0,\sigma^2I_d)\ \text{independent}.$$
#
# Staying the same is not being right: a model that is robustly wrong scores 1. So we always look at three numbers.
#
# **Predict.** A mini-CLIP answers over 95 % of its test images rightly. At a noise level where 70 % of its answers survive, what is its accuracy: about 70 %, more, or less?

# %% tags=["nbval-check-output"]
scenes = gapkit.load_embeddings("miniclip-wide/scenes100").normalise()
rows = slice(None, None, 3)  # every third image is enough here
X, Y, labels = scenes.texts.astype(float), scenes.images[rows].astype(float), scenes.labels[rows]
sigma = calibrate_sigma(Y, X, 0.7)

rng = np.random.default_rng(0)
answers = nearest(Y, X)
noisy = np.stack([nearest(Y, X + sigma * rng.standard_normal(X.shape)) for _ in range(100)])
print(
    f"clean accuracy {np.mean(answers == labels):.2f}   noisy accuracy {np.mean(noisy == labels):.2f}   ",
    end="",
)
print(f"answers kept {np.mean(noisy == answers):.2f}   exact {robustness(Y, X, sigma=sigma).mean():.3f}")
assert abs(np.mean(noisy == answers) - 0.7) < 0.02

# %% [markdown]
# The noise length is $\sigma\sqrt d$; what counts is only its component towards a few competitors. And the last number was computed without any draw. Where it comes from is the subject of section 5.

# %% [markdown]
# ## 2. Theorem 3.5: what keeps the answers
#
# **Theorem 3.5.** If $v$ is orthogonal to the affine subspace of the gallery, that is $v\cdot(x_i-x_j)=0$ for all $i,j$, then $X+\alpha v$ gives every query the same nearest neighbour as $X$, for every $\alpha$.
#
# **Proof.** For any query $y$ and candidate $i$,
#
# $$\|x_i+\alpha v-y\|^2=\|x_i-y\|^2+2\alpha\,v\cdot(x_i-y)+\alpha^2\|v\|^2 .$$
#
# By assumption $v\cdot x_i=c$ for all $i$. The second term is $2\alpha\,(c-v\cdot y)$: it depends on the query, not on the candidate. So all squared distances of one query change by the same amount, their differences do not change at all, and the smallest stays the smallest. ∎
#
# Nothing was assumed about the query, the noise, or the number of candidates. The paper's algorithm makes such a $v$ out of the gap: it subtracts from $g$ its part in the span of the differences, $g'=g-VV^\top g$. The raw gap comes with no such promise.

# %% tags=["nbval-check-output"]
for name, closer in {"projected shift": GapCloser, "raw shift": MeanShift}.items():
    kept = [
        np.mean(nearest(Y, closer(alpha=alpha).fit(X, Y).transform(X)) == answers)
        for alpha in (-0.5, 0.5, 1, 1.5)
    ]
    print(f"{name:16s} answers kept at α = -0.5, 0.5, 1, 1.5:", "  ".join(f"{share:.3f}" for share in kept))
    assert name == "raw shift" or kept == [1, 1, 1, 1]

# %% [markdown]
# ## 3. Why distance costs robustness: the picture
#
# Two candidates, and the boundary half-way between them: on its left the answer is the left one. Noise on the candidates moves the boundary a little and *turns* it a little. Turning matters little nearby and much far away.
#
# **Predict.** The query keeps its place relative to the boundary (the margin is the same) but moves up, away from both candidates. What happens to the probability that it keeps its answer?

# %%
axes = plots.canvas(1, 3, width=9, height=4.2)
for ax, gap in zip(axes, (0.0, 1.0, 2.0), strict=True):
    plots.plot_boundary(gap, 0.12, ax=ax)
plots.show(
    axes,
    alt="""Three panels with two candidates and a query at distance 0, 1 and 2 above their line. Sixty noisy boundaries fan out from between the candidates.
    The higher the query, the more of them pass on its wrong side. The probability of keeping the answer falls from 0.96 to 0.78 to 0.67.""",
)

# %% [markdown]
# **What to see.** The fan of boundaries is the same in all panels. Dashed pink ones have swept over the query. Near the candidates hardly any does; far away a third of them do. The margin, measured across, never changed.
#
# In three dimensions the boundary is a plane and tilts:

# %%
axes = plots.canvas(1, 2, width=9, height=4.4, projection="3d")
for ax, gap in zip(axes, (0.5, 2.0), strict=True):
    plots.plot_boundary_3d(gap, 0.12, ax=ax)
plots.show(
    axes,
    alt="""Two three-dimensional pictures: two candidates on the floor, the query above at height 0.5 and at height 2, and five noisy boundary planes between the
    candidates. More of the planes, drawn dashed, have passed over the higher query.""",
)

# %% [markdown]
# **What to see.** The same five tilts in both pictures; the low query sits where the planes are close together, the high one where they have spread apart.

# %%
from gapkit.widgets import boundary_explorer, present

present(boundary_explorer(), "The panels above show three settings; here you move gap, noise and margin.")

# %% [markdown]
# ## 4. The pairwise case, written out
#
# Two candidates in $d$ dimensions. Put $a=x_1+\varepsilon_1-y$ and $b=x_2+\varepsilon_2-y$; the answer 1 is kept when $\|a\|^2<\|b\|^2$, that is when
#
# $$(a-b)\cdot(a+b)<0 .$$
#
# $a-b$ and $a+b$ are jointly normal with covariance $\sigma^2I-\sigma^2I=0$, hence *independent*. Condition on the first. Its direction $n=(a-b)/\|a-b\|$ is the normal of the turned boundary, and $n\cdot(a+b)$ is normal with mean $2n\cdot(m-y)$, where $m=(x_1+x_2)/2$, and variance $2\sigma^2$. So
#
# $$\mathrm{Rob}(y)=E_n\,\Phi\!\left(\frac{\sqrt2}{\sigma}\;n\cdot(y-m)\right):$$
#
# the signed distance of the query from the turned boundary, averaged over the turns. That is the picture of section 3 as a formula.
#
# A second look, at squared distances: $\|a\|^2-\|b\|^2$ has mean $D_1^2-D_2^2$ (the noise adds $d\sigma^2$ to both) and variance $4\sigma^2(D_1^2+D_2^2)+4d\sigma^4$. If it is nearly normal,
#
# $$\mathrm{Rob}(y)\approx\Phi\!\left(\frac{D_2^2-D_1^2}{2\sigma\sqrt{D_1^2+D_2^2+d\sigma^2}}\right).$$
#
# Closing the gap takes the same amount off $D_1^2$ and $D_2^2$: the numerator stays, the denominator shrinks. Write this approximation for a query and two candidates, the first of which is the answer.


# %%
def pair_approximation(query, first, second, sigma):
    """Nearly the probability that the first of two candidates stays the nearer one."""
    D1, D2 = np.linalg.norm(first - query), np.linalg.norm(second - query)
    return norm.cdf((D2**2 - D1**2) / (2 * sigma * np.sqrt(D1**2 + D2**2 + len(query) * sigma**2)))


check.pair_approximation(pair_approximation)

# %% [markdown]
# Now both formulas against the exact value:

# %% tags=["nbval-check-output"]
from gapkit.plots.boundary import boundary_scene

draws = 200_000
for gap in (0.0, 1.0, 2.0):
    candidates, query = boundary_scene(gap, dimension=8)
    normal = candidates[0] - candidates[1] + np.sqrt(2) * 0.12 * rng.standard_normal((draws, 8))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    turned = norm.cdf(np.sqrt(2) / 0.12 * (query[0] - candidates.mean(0)) @ normal.T).mean()
    approximate = pair_approximation(query[0], *candidates, 0.12)
    exact = float(robustness(query, candidates, sigma=0.12)[0])
    print(
        f"gap {gap:.0f}: exact {exact:.3f}   mean over turned boundaries {turned:.3f}   normal approximation {approximate:.3f}"
    )
    assert abs(turned - exact) < 0.003
    assert abs(approximate - exact) < 0.01

# %% [markdown]
# ## 5. The exact probability, for any number of candidates
#
# $\|x_k+\varepsilon_k-y\|^2/\sigma^2$ is the squared length of a normal vector with mean $(x_k-y)/\sigma$ and unit variances: by definition *noncentral χ²* with $d$ degrees of freedom and $\lambda_k=\|x_k-y\|^2/\sigma^2$. The noise of different candidates is independent.
# Write $f_k$ for its density and $S_k$ for the probability to exceed $t$. The answer $i$ survives if it lands at some $t$ and all others land beyond:
#
# $$\boxed{\;\mathrm{Rob}(y)=\int_0^\infty f_i(t)\prod_{j\ne i}S_j(t)\,dt\;}$$
#
# One integral in one dimension, whatever $d$ and $K$. What closing a gap does can be read off the laws: mean $d+\lambda_k$, variance $2d+4\lambda_k$. Taking $c$ off every $\lambda_k$ moves all of them alike and makes all of them narrower.

# %%
D = np.sort(np.linalg.norm(X - Y[0], axis=1))[:2]
moved = GapCloser().fit(X, Y).transform(X)
closed = np.sort(np.linalg.norm(moved - Y[0], axis=1))[:2]
axes = plots.canvas(1, 2, width=9, height=3.2)
for ax, distances, title in zip(axes, (D, closed), ("gap untouched", "gap closed"), strict=True):
    plots.plot_distances(distances, sigma, 512, ax=ax, title=title)
plots.show(
    axes,
    alt="""Densities of the noisy squared distance of one image to its answer and to the nearest rival, before and after closing. The distance between the two peaks
    stays the same; after closing both are further left and narrower, so they overlap less.""",
)

# %% [markdown]
# **What to see.** The distance between the peaks is the same left and right; the peaks are narrower on the right, so they overlap less, so the rival gets in front less often.
#
# Now the exact value against brute force, query by query:

# %% tags=["nbval-check-output"]
exact = robustness(Y[:40], X, sigma=sigma)
drawn = robustness(Y[:40], X, sigma=sigma, method="monte-carlo", draws=1000, generator=1, memory_limit=2**25)
z = (drawn - exact) / np.sqrt(exact * (1 - exact) / 1000)
print(
    f"mean: exact {exact.mean():.4f}, 1000 draws {drawn.mean():.4f}; largest deviation {np.abs(z).max():.1f} standard errors of 40 queries"
)
assert np.abs(z[exact < 0.999]).max() < 4.5

# %% [markdown]
# ## 6. Theorem 3.4: closing the gap raises robustness, for any $K$ and $d$
#
# **Theorem.** Let $i$ be the answer, $\lambda_i\le\lambda_j$ for all $j$, and let all $\lambda_k$ grow by a common offset $c$. Then $\mathrm{Rob}$ does not increase.
#
# Under Assumption 3.3 (or for $g'$, by Theorem 3.5's computation) moving along the gap changes all $\lambda_k$ by a common offset, so this is the paper's Theorem 3.4, here for any number of candidates $K\ge2$ and any $d\ge1$.
#
# **Step 0: a Poisson mixture.** Rotate so that the mean lies on one axis. There $(Z+\sqrt\lambda)^2$ has density $\frac{e^{-(t+\lambda)/2}}{\sqrt{2\pi t}}\cosh\sqrt{\lambda t}$. Expand $\cosh\sqrt{\lambda t}=\sum_m(\lambda t)^m/(2m)!$ and use $(2m)!=4^m\,m!\,\Gamma(m+\frac12)/\sqrt\pi$: each term is $w_m$ times the central χ² density with $1+2m$ degrees of freedom, $w_m=e^{-\lambda/2}(\lambda/2)^m/m!$. The other $d-1$ coordinates add $d-1$ degrees of freedom:
# $$f_{d,\lambda}=\sum_m w_m(\lambda)\,f_{d+2m}.$$
#
# **Step A: by λ.** $w_m'=\frac12(w_{m-1}-w_m)$, so $\;\partial_\lambda f_{d,\lambda}=\frac12\,(f_{d+2,\lambda}-f_{d,\lambda})$.
#
# **Step B: by $t$.** For the central density $f_{\nu+2}'=\frac12(f_\nu-f_{\nu+2})$ (differentiate $t^{\nu/2}e^{-t/2}$), so the mixture has $\partial_t f_{d+2,\lambda}=\frac12(f_{d,\lambda}-f_{d+2,\lambda})$. Compare with A: $\;\partial_\lambda f_{d,\lambda}=-\partial_t f_{d+2,\lambda}$. Integrated from 0 to $t$ (where $f_{d+2}(0)=0$): $\;\partial_\lambda F=-f_{d+2,\lambda}$, so $\;\partial_\lambda S=+f_{d+2,\lambda}$.
#
# **Step C: product rule and integration by parts.**
# $$\frac{d\,\mathrm{Rob}}{dc}=\int\Bigl[-\partial_t f_{i,d+2}\prod_{j\ne i}S_j+f_{i,d}\sum_{j\ne i}f_{j,d+2}\prod_{l\ne i,j}S_l\Bigr]dt .$$
# In the first term the boundary values vanish ($f_{i,d+2}$ is 0 at 0 and at ∞), and $\partial_tS_j=-f_{j,d}$, so it becomes $-\int f_{i,d+2}\sum_j f_{j,d}\prod_{l\ne i,j}S_l$. Together
# $$\frac{d\,\mathrm{Rob}}{dc}=\int\sum_{j\ne i}\bigl[f_{i,d}\,f_{j,d+2}-f_{i,d+2}\,f_{j,d}\bigr]\prod_{l\ne i,j}S_l\,dt .$$
#
# **Step D: the ratio falls with λ.** The bracket is $f_{i,d}f_{j,d}\,(r_j-r_i)$ with $r_\lambda(t)=f_{d+2,\lambda}(t)/f_{d,\lambda}(t)$. Since $f_{\nu+2}(t)=\frac t\nu f_\nu(t)$,
# $$r_\lambda(t)=\frac{\sum_m w_m f_{d+2m}(t)\cdot\frac{t}{d+2m}}{\sum_m w_m f_{d+2m}(t)}=E_\lambda\!\left[\frac{t}{d+2M}\right],$$
# the mean of a falling function of $M$, where $M$ has weights proportional to $\lambda^m c_m$. For such weights $\frac{d}{d\lambda}E_\lambda[\varphi(M)]=\frac1\lambda\operatorname{Cov}_\lambda(M,\varphi(M))$, and the covariance of $M$ with a falling function of $M$ is never positive. So $r_\lambda$ falls in λ.
#
# **Step E.** $\lambda_j\ge\lambda_i$ gives $r_j\le r_i$: every bracket is ≤ 0, and so is the integral. ∎ (It is strictly negative as soon as one rival is farther than the answer.)
#
# The ratio is also $t\,I_{\nu+1}(z)\big/(z\,I_\nu(z))$ with $\nu=\frac d2-1$, $z=\sqrt{\lambda t}$ and $I$ the modified Bessel function, which gives an independent check. Now every step by numbers.

# %% tags=["nbval-check-output"]
d, lam, h = 7, 5.0, 1e-4
t = np.linspace(0.05, 60, 400)


def slope(function, at):
    """Central difference."""
    return (function(at + h) - function(at - h)) / (2 * h)


f, f2 = ncx2.pdf(t, d, lam), ncx2.pdf(t, d + 2, lam)
step_A = np.abs(slope(lambda L: ncx2.pdf(t, d, L), lam) - (f2 - f) / 2).max()
step_B = np.abs(slope(lambda s: ncx2.pdf(s, d + 2, lam), t) - (f - f2) / 2).max()
step_B2 = np.abs(slope(lambda L: ncx2.sf(t, d, L), lam) - f2).max()
z = np.sqrt(lam * t)
step_D = np.abs(f2 / f - t * iv(d / 2, z) / (z * iv(d / 2 - 1, z))).max()
ratios = np.array([ncx2.pdf(t, d + 2, L) / ncx2.pdf(t, d, L) for L in (0.5, 2, 8, 20)])
print(
    "largest error below 1e-6 in step A, B, B (survival), D (Bessel):",
    *(error < 1e-6 for error in (step_A, step_B, step_B2, step_D)),
)
print("the ratio falls with λ at every t:", bool((np.diff(ratios, axis=0) < 0).all()))
assert max(step_A, step_B, step_B2, step_D) < 1e-6
assert (np.diff(ratios, axis=0) < 0).all()

# %% [markdown]
# Step C and the conclusion, on random problems: the formula for the derivative against a finite difference of the integral itself.


# %% tags=["nbval-check-output"]
def integral(d, lams, grid):
    """Rob by the trapezoidal rule; the answer comes first."""
    survival = np.prod([ncx2.sf(grid, d, L) for L in lams[1:]], axis=0)
    return np.trapezoid(ncx2.pdf(grid, d, lams[0]) * survival, grid)


def derivative(d, lams, grid):
    """Step C's formula."""
    f, f2, S = (
        np.array([law(grid, k, L) for L in lams])
        for law, k in ((ncx2.pdf, d), (ncx2.pdf, d + 2), (ncx2.sf, d))
    )
    total = 0
    for j in range(1, len(lams)):
        others = np.prod(np.delete(S, [0, j], axis=0), axis=0)
        total = total + (f[0] * f2[j] - f2[0] * f[j]) * others
    return np.trapezoid(total, grid)


largest, derivatives = 0.0, []
for _ in range(30):
    d, K = int(rng.integers(2, 40)), int(rng.integers(2, 8))
    lams = np.sort(rng.uniform(0.5, 30, K))
    grid = (
        np.linspace(1e-5, np.sqrt(d + 30 + 12 * np.sqrt(2 * d + 120)), 1500) ** 2
    )  # dense where small d is rough
    finite = (integral(d, lams + 0.01, grid) - integral(d, lams - 0.01, grid)) / 0.02
    derivatives.append(derivative(d, lams, grid))
    largest = max(largest, abs(finite - derivatives[-1]))
print(f"formula and finite difference agree to 1e-5 on 30 problems: {largest < 1e-5}")
print(
    f"derivatives from {min(derivatives):.3f} to {max(derivatives):.5f}; positive ones: {sum(v > 0 for v in derivatives)}"
)
assert largest < 1e-5
assert max(derivatives) <= 0

# %% [markdown]
# The condition $\lambda_i\le\lambda_j$ is needed: it is what makes $i$ the *answer*. For a candidate that is not nearest, the probability to win by noise *rises* with distance, towards $1/K$.

# %% [markdown]
# ## 7. The curve, on a trained model
#
# Move the gallery of the mini-CLIP by $\alpha g'$. The gap's length along $g'$ goes from $\|g'\|$ to $(1-\alpha)\|g'\|$, and every $\lambda_k$ of a query with coordinate $g'\cdot(y-\mu_y)=u$ changes by the common offset
# $$\frac{\|g'\|^2}{\sigma^2}\Bigl[\bigl(1+\tfrac{u}{\|g'\|^2}-\alpha\bigr)^2-\bigl(1+\tfrac{u}{\|g'\|^2}\bigr)^2\Bigr],$$
# least at $\alpha^\ast=1+u/\|g'\|^2$. By the theorem *each query* is most robust exactly there.
#
# **Predict.** Does the *mean* robustness rise all the way to α = 1? And beyond?

# %% tags=["nbval-check-output"]
alphas = np.linspace(-0.5, 1.5, 21)
targets = (0.9, 0.7, 0.5)
curves = {}
for target in targets:
    level = calibrate_sigma(Y, X, target)
    curves[f"untouched {target}"] = [
        robustness(Y, GapCloser(alpha=alpha).fit(X, Y).transform(X), sigma=level).mean() for alpha in alphas
    ]
for label, curve in curves.items():
    at = {alpha: curve[np.abs(alphas - alpha).argmin()] for alpha in (0, 0.5, 1, 1.5)}
    print(
        f"{label}:",
        "  ".join(f"α={alpha:g}: {value:.3f}" for alpha, value in at.items()),
        f"  best α {alphas[np.argmax(curve)]:.1f}",
    )
    rising = np.array(curve)[(alphas > -0.05) & (alphas < 0.95)]
    assert np.all(np.diff(rising) > 0)

# %%
ax = plots.plot_robustness(
    alphas, curves, xlabel="α (0 untouched, 1 gap closed)", title="miniclip-wide, scenes100"
)
ax.axvline(1, color=plots.PALETTE["grey"], linewidth=1)
plots.show(
    ax,
    alt="""Mean probability of keeping the answer against α from -0.5 to 1.5 at three noise levels. All three curves rise from α = -0.5 through 0 to a flat maximum
    near α = 1, marked by a line, and fall beyond it.""",
)

# %% [markdown]
# **What to see.** Three noise levels, one shape: robustness rises as the gap closes, is flat near α = 1, and falls when the gallery overshoots. No answer changed anywhere on the horizontal axis (section 2). The maximum of the mean need not lie at 1 exactly, because each query has its own optimum $\alpha^\ast$. Write it from the formula above:


# %%
def best_alpha(queries, shift):
    """The α at which each query is most robust; shift is g'."""
    return 1 + (queries - queries.mean(axis=0)) @ shift / (shift @ shift)


check.best_alpha(best_alpha)

# %% tags=["nbval-check-output"]
closer = GapCloser().fit(X, Y)
best = best_alpha(Y, closer.shift_)
chosen = np.argsort(np.abs(robustness(Y, X, sigma=sigma) - 0.6))[:5]  # queries with something to gain
fine = np.linspace(0, 2, 81)
grid = np.stack([robustness(Y[chosen], X + alpha * closer.shift_, sigma=sigma) for alpha in fine])
for query, column in zip(chosen, grid.T, strict=True):
    print(f"α* by the formula {best[query]:.3f}, best on a grid of 0.025: {fine[column.argmax()]:.3f}")
    assert abs(fine[column.argmax()] - best[query]) < 0.03

# %% [markdown]
# ## Summary
#
# - Robustness asks whether answers stay, not whether they are right: report both.
# - A shift orthogonal to the gallery's differences changes no answer, for any query and any α (Theorem 3.5).
# - Noise on the gallery turns the boundary; the farther the query, the farther the boundary sweeps. The probability is one integral over noncentral χ² laws, exact and without sampling.
# - A common offset of all squared distances lowers robustness, for any $K$ and $d$ (Theorem 3.4), so closing the gap raises it, up to α = 1 for the average query and α* for each.
# - All of this is about *Euclidean* neighbours and a *perturbed gallery*. Lesson 7 changes the metric and the side, and some of it evaporates.
#
# ### Questions
#
# 1. Where does the proof of Theorem 3.4 use that $i$ is the nearest candidate? Give an example with two candidates where the other one's probability to win rises with the offset.
# 2. Why does noise on the *query* give no such gain? (Which of the terms in section 4 would be missing?)
# 3. You may move each query by its own vector instead of all by one. Which translation that leaves all differences of squared distances alone is best?
#
# ← [Is the gap orthogonal?](03_is_the_gap_orthogonal.ipynb) · next: [Closing the gap](05_closing_the_gap.ipynb) →
