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
# **Objectives.** After this lesson you can
# - define robustness as the paper does, and keep it apart from accuracy;
# - prove that a shift orthogonal to the gallery changes no answer (Theorem 3.5);
# - draw why distance costs robustness, and write the probability as one integral, with no sampling;
# - prove that a smaller gap means more robust answers, for any number of candidates (Theorem 3.4), and check each step numerically;
# - predict how much closing gains from two lengths.
#
# **Prerequisites.** Lessons 01 to 03; the χ² distribution; integration by parts. **Time.** 75 minutes.
#
# **Place.** The fifth lesson of nine. The theory ends here. Lesson 05 applies it to zero-shot classification.
# Previous: [03 · Is the gap orthogonal?](03_is_the_gap_orthogonal.ipynb) · Next: [05 · Closing the gap](05_closing_the_gap.ipynb).

# %% [markdown]
# *Without installing anything:* [open this lesson in Colab](https://colab.research.google.com/github/gapkit/gapkit/blob/HEAD/notebooks/04_gap_and_robustness.ipynb) and run
# `%pip install -q "gapkit @ git+https://github.com/gapkit/gapkit"` in a new cell first. Colab's own torch is kept; models and data are downloaded when a cell needs them.

# %%
import numpy as np
from scipy.integrate import simpson
from scipy.special import iv
from scipy.stats import chi2, ncx2, norm, poisson

import gapkit
from gapkit import check, plots
from gapkit.closing import GapCloser, MeanShift
from gapkit.geometry import nearest
from gapkit.robustness import boundary_scene, calibrate_sigma, robustness, sweep_boundary

# %% [markdown]
# ## 1. The question
#
# A query $y$ (an image) looks for its nearest neighbour in a gallery $X$ (texts). Suppose the gallery is stored with errors $\varepsilon$. Does the answer stay the same? (Eq. 10)
#
# $$\mathrm{Rob}(y)=P_\varepsilon\bigl[\mathrm{NN}(y,X)=\mathrm{NN}(y,X+\varepsilon)\bigr],\qquad \varepsilon_k\sim N(0,\sigma^2I_d)\ \text{independent}.$$
#
# Robust does not mean right: a model that always gives the same wrong answers has robustness 1. So we always look at three numbers.
#
# > **Predict.** A mini-CLIP answers more than 95 % of its test images correctly. At a noise level where 70 % of its answers survive, what is its accuracy: about 70 %, more, or less?

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
# The noise has length $\sigma\sqrt d$, but for each text only one component matters much: the one along $x_k-y$, the line from the image to that text. All these lines cross the gap, so they point mostly along it. The last number was computed without sampling; section 5 shows how.

# %% [markdown]
# ## 2. Theorem 3.5: shifts that change no answer
#
# **Theorem 3.5.** If $v$ is orthogonal to the affine subspace of the gallery, that is $v\cdot(x_i-x_j)=0$ for all $i,j$, then $X+\alpha v$ gives every query the same nearest neighbour as $X$, for every $\alpha$.
#
# **Proof.** For any query $y$ and candidate $i$,
#
# $$\|x_i+\alpha v-y\|^2=\|x_i-y\|^2+2\alpha\,v\cdot(x_i-y)+\alpha^2\|v\|^2 .$$
#
# By assumption $v\cdot x_i=c$ for all $i$. The second term is $2\alpha\,(c-v\cdot y)$: it depends on the query, not on the candidate. So all squared distances of one query change by the same amount. Their differences do not change, and the smallest stays the smallest. ∎
#
# The proof assumes nothing about the query, the noise, or the number of candidates. The paper's algorithm makes such a $v$ from the gap: it removes from $g$ the part in the span of the differences, $g'=g-VV^\top g$. The raw gap has no such guarantee.

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
# Take two candidates and the boundary half-way between them. To the left of it, the answer is the left candidate. Noise on the candidates moves the boundary a little and *turns* it a little. The turn matters little near the candidates and a lot far away.
#
# > **Predict.** The query stays at the same distance from the boundary (the margin is the same) but moves up, away from both candidates. What happens to the probability that it keeps its answer?

# %%
axes = plots.canvas(1, 3, width=9, height=4.8)
for ax, gap, count in zip(axes, (0.0, 1.0, 2.0), (4, 13, 22), strict=True):
    plots.plot_boundary(gap, 0.12, ax=ax)
    assert np.sum(~sweep_boundary(gap, 0.12)[1]) == count  # of 60 boundaries, those that swept over the query
plots.boundary_legend(axes)
plots.show(
    axes,
    alt="""Three panels with two candidates and a query at distance 0, 1 and 2 above their line. Sixty noisy boundaries fan out from between the candidates.
    The higher the query, the more of them, drawn dashed, pass on its wrong side: 4, 13 and 22. The probability of keeping the answer falls from 0.96 to 0.78 to
    0.67. A legend names the lines.""",
)

# %% [markdown]
# **What to see.** The fan of boundaries is the same in all panels. With a solid grey boundary the query keeps its answer. The dashed pink boundaries have swept over it: 4 of 60 near the candidates, 22 of 60 far away. The margin is the same in all three panels.
#
# In three dimensions the boundary is a plane and tilts:

# %%
axes = plots.canvas(1, 2, width=9, height=5.0, projection="3d")
for ax, gap, count in zip(axes, (0.5, 2.0), (1, 3), strict=True):
    plots.plot_boundary(gap, 0.12, dimension=3, ax=ax)
    assert np.sum(~sweep_boundary(gap, 0.12, draws=5, dimension=3)[1]) == count
plots.boundary_legend(axes)
plots.show(
    axes,
    alt="""Two three-dimensional pictures: two candidates on the floor, the query above at height 0.5 and at height 2, and five noisy boundary planes between the
    candidates. One plane, drawn dashed, has passed over the lower query, three over the higher one.""",
)

# %% [markdown]
# **What to see.** Both pictures show the same five tilts. The low query sits where the planes are close together, and one of them has passed it (dashed). The high query sits where they have spread apart, and three have passed it.

# %%
from gapkit.widgets import boundary_explorer, present

present(boundary_explorer(), "The panels above show three settings; here you move gap, noise and margin.")

# %% [markdown]
# ## 4. Two candidates: the formulas
#
# Take two candidates in $d$ dimensions. Put $a=x_1+\varepsilon_1-y$ and $b=x_2+\varepsilon_2-y$. Answer 1 is kept when $\|a\|^2<\|b\|^2$, that is, when
#
# $$(a-b)\cdot(a+b)<0 .$$
#
# $a-b$ and $a+b$ are jointly normal with covariance $\sigma^2I-\sigma^2I=0$, so they are *independent*. Condition on the first. Its direction $n=(a-b)/\|a-b\|$ is the normal of the turned boundary, and $n\cdot(a+b)$ is normal with mean $2n\cdot(m-y)$, where $m=(x_1+x_2)/2$, and variance $2\sigma^2$. So
#
# $$\mathrm{Rob}(y)=E_n\,\Phi\!\left(\frac{\sqrt2}{\sigma}\;n\cdot(y-m)\right):$$
#
# the signed distance of the query from the turned boundary, averaged over the turns. That is the picture of section 3 as a formula.
#
# Another way is to look at squared distances: $\|a\|^2-\|b\|^2$ has mean $D_1^2-D_2^2$ (the noise adds $d\sigma^2$ to both) and variance $4\sigma^2(D_1^2+D_2^2)+4d\sigma^4$. If it is nearly normal,
#
# $$\mathrm{Rob}(y)\approx\Phi\!\left(\frac{D_2^2-D_1^2}{2\sigma\sqrt{D_1^2+D_2^2+d\sigma^2}}\right).$$
#
# Closing the gap takes the same amount off $D_1^2$ and $D_2^2$: the numerator stays the same, and the denominator shrinks. Write this approximation for a query and two candidates; the first candidate is the answer.


# %%
def pair_approximation(query, first, second, sigma):
    """Nearly the probability that the first of two candidates stays the nearer one."""
    D1, D2 = np.linalg.norm(first - query), np.linalg.norm(second - query)
    return norm.cdf((D2**2 - D1**2) / (2 * sigma * np.sqrt(D1**2 + D2**2 + len(query) * sigma**2)))


check(pair_approximation)

# %% [markdown]
# Now compare both formulas with the exact value:

# %% tags=["nbval-check-output"]
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
# $\|x_k+\varepsilon_k-y\|^2/\sigma^2$ is the squared length of a normal vector with mean $(x_k-y)/\sigma$ and unit variances. By definition it is *noncentral χ²* with $d$ degrees of freedom and $\lambda_k=\|x_k-y\|^2/\sigma^2$. The noise of different candidates is independent.
# Write $f_k$ for its density and $S_k$ for the probability that it exceeds $t$. The answer $i$ survives if it lands at some $t$ and all others land beyond:
#
# $$\boxed{\;\mathrm{Rob}(y)=\int_0^\infty f_i(t)\prod_{j\ne i}S_j(t)\,dt\;}$$
#
# This is a single one-dimensional integral, for any $d$ and $K$. The distributions show what closing a gap does. Their mean is $d+\lambda_k$ and their variance $2d+4\lambda_k$, so subtracting $c$ from every $\lambda_k$ shifts them all by the same amount and makes them all narrower.

# %%
before = np.sort(np.linalg.norm(X - Y[0], axis=1))[:2]
after = np.sort(np.linalg.norm(GapCloser().fit(X, Y).transform(X) - Y[0], axis=1))[:2]
axes = plots.canvas(1, 2, width=9, height=3.6, sharey=True)
for ax, D, title in zip(axes, (before, after), ("gap untouched", "gap closed"), strict=True):
    spread = sigma * np.sqrt(2 * 512 * sigma**2 + 4 * D[0] ** 2)
    title = (
        f"{title}: means {D[1] ** 2 - D[0] ** 2:.4f} apart,\nstandard deviation of the answer {spread:.4f}"
    )
    plots.plot_distances(D, sigma, 512, span=0.28, ax=ax, title=title)
plots.show(
    axes,
    alt="""Densities of the noisy squared distance of one image to its answer and to the nearest rival, before and after closing, on axes of one width and height. The distance
    between the two means is the same, 0.018; after closing both peaks lie further left, are a third taller and a quarter narrower, and overlap less.""",
)
assert np.isclose(before[1] ** 2 - before[0] ** 2, after[1] ** 2 - after[0] ** 2, atol=1e-6)

# %% [markdown]
# **What to see.** The axes span the same width and height in both panels. The distance between the means is the same left and right, 0.018. The standard deviation is smaller on the right: the peaks are narrower and taller and overlap less, so the rival wins less often.
#
# Now compare the exact value with brute force, query by query:

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
# It holds for any number of candidates $K\ge2$ and any dimension $d\ge1$. In the paper's statement the *query* moves along the gap towards the other modality. Two short steps turn that into a common offset.
#
# *Query or gallery.* $\|x_k+\varepsilon_k-(y-\beta g)\|=\|(x_k+\beta g)+\varepsilon_k-y\|$: under noise on the gallery, moving the query by $-\beta g$ is the same experiment as moving the gallery by $+\beta g$.
#
# *A common offset.* Assumption 3.3 says $g\cdot x_k=g\cdot\mu_x$ and $g\cdot y=g\cdot\mu_y$ for every text and image, so $g\cdot(x_k-y)=g\cdot(\mu_x-\mu_y)=-\|g\|^2$ for every $k$, and
# $$\|x_k+\beta g-y\|^2-\|x_k-y\|^2=2\beta\,g\cdot(x_k-y)+\beta^2\|g\|^2=\|g\|^2\bigl[(1-\beta)^2-1\bigr].$$
# Divided by $\sigma^2$, this is the common offset $c(\beta)$ of all $\lambda_k$. It falls on $0\le\beta\le1$, so by the theorem robustness rises until the gap is closed: the paper's Theorem 3.4. Where the assumption does not hold, section 7 does the same with $g'$.

# %% tags=["nbval-check-output"]
fresh = np.random.default_rng(1)
texts, images = fresh.standard_normal((2, 6, 8))
for cloud, height in (
    (texts, 0.0),
    (images, 2.0),
):  # both flat across the last axis: Assumption 3.3 by construction
    cloud -= cloud.mean(axis=0)
    cloud[:, -1] = height
g = images.mean(axis=0) - texts.mean(axis=0)
for beta in (0.0, 0.5, 1.0):
    offset = ((texts + beta * g - images[0]) ** 2).sum(1) - ((texts - images[0]) ** 2).sum(1)
    np.testing.assert_allclose(offset, g @ g * ((1 - beta) ** 2 - 1), atol=1e-12)
    query_moved = robustness(images - beta * g, texts, sigma=0.8)
    gallery_moved = robustness(images, texts + beta * g, sigma=0.8)
    np.testing.assert_allclose(query_moved, gallery_moved, atol=1e-9)
    print(
        f"β = {beta}: offset of every squared distance {offset.mean():.1f}, mean robustness {query_moved.mean():.3f}"
    )

# %% [markdown]
# Now the proof, in six steps.
#
# **Step 0: a Poisson mixture.** Rotate so that the mean lies on one axis. There $(Z+\sqrt\lambda)^2$ has density $\frac{e^{-(t+\lambda)/2}}{\sqrt{2\pi t}}\cosh\sqrt{\lambda t}$. Expand $\cosh\sqrt{\lambda t}=\sum_m(\lambda t)^m/(2m)!$ and use $(2m)!=4^m\,m!\,\Gamma(m+\frac12)/\sqrt\pi$: each term is $w_m$ times the central χ² density with $1+2m$ degrees of freedom, $w_m=e^{-\lambda/2}(\lambda/2)^m/m!$. The other $d-1$ coordinates add $d-1$ degrees of freedom:
# $$f_{d,\lambda}=\sum_m w_m(\lambda)\,f_{d+2m}.$$
#
# **Step A: the derivative in λ.** $w_m'=\frac12(w_{m-1}-w_m)$, so $\;\partial_\lambda f_{d,\lambda}=\frac12\,(f_{d+2,\lambda}-f_{d,\lambda})$.
#
# **Step B: the derivative in $t$.** For the central density $f_{\nu+2}'=\frac12(f_\nu-f_{\nu+2})$ (differentiate $t^{\nu/2}e^{-t/2}$), so the mixture has $\partial_t f_{d+2,\lambda}=\frac12(f_{d,\lambda}-f_{d+2,\lambda})$. Compare with A: $\;\partial_\lambda f_{d,\lambda}=-\partial_t f_{d+2,\lambda}$. Integrate from 0 to $t$ (where $f_{d+2}(0)=0$): $\;\partial_\lambda F=-f_{d+2,\lambda}$, so $\;\partial_\lambda S=+f_{d+2,\lambda}$.
#
# **Step C: product rule and integration by parts.**
# $$\frac{d\,\mathrm{Rob}}{dc}=\int\Bigl[-\partial_t f_{i,d+2}\prod_{j\ne i}S_j+f_{i,d}\sum_{j\ne i}f_{j,d+2}\prod_{l\ne i,j}S_l\Bigr]dt .$$
# In the first term the boundary values vanish ($f_{i,d+2}$ is 0 at 0 and at ∞), and $\partial_tS_j=-f_{j,d}$, so the term becomes $-\int f_{i,d+2}\sum_j f_{j,d}\prod_{l\ne i,j}S_l$. Together
# $$\frac{d\,\mathrm{Rob}}{dc}=\int\sum_{j\ne i}\bigl[f_{i,d}\,f_{j,d+2}-f_{i,d+2}\,f_{j,d}\bigr]\prod_{l\ne i,j}S_l\,dt .$$
#
# **Step D: the ratio falls with λ.** The bracket is $f_{i,d}f_{j,d}\,(r_j-r_i)$ with $r_\lambda(t)=f_{d+2,\lambda}(t)/f_{d,\lambda}(t)$. Since $f_{\nu+2}(t)=\frac t\nu f_\nu(t)$,
# $$r_\lambda(t)=\frac{\sum_m w_m f_{d+2m}(t)\cdot\frac{t}{d+2m}}{\sum_m w_m f_{d+2m}(t)}=E_\lambda[\varphi(M)],\qquad \varphi(m)=\frac{t}{d+2m},$$
# the mean of a falling function of a random whole number $M$ with probabilities $p_m\propto w_m(\lambda)f_{d+2m}(t)$. (This is for fixed $t$; it is no longer the Poisson law.) The factor $e^{-\lambda/2}$ cancels, so $p_m=\lambda^mc_m/Z(\lambda)$ with $c_m=f_{d+2m}(t)/(2^mm!)$ free of λ.
#
# *The derivative is a covariance.* Differentiate the weights: $\partial_\lambda p_m=p_m\bigl(\frac m\lambda-\frac{Z'}{Z}\bigr)$ with $\frac{Z'}{Z}=\frac1\lambda\sum_m m\,p_m=\frac{E_\lambda[M]}\lambda$. Hence
# $$\frac{d}{d\lambda}E_\lambda[\varphi(M)]=\frac{E_\lambda[M\varphi(M)]-E_\lambda[M]\,E_\lambda[\varphi(M)]}{\lambda}=\frac1\lambda\operatorname{Cov}_\lambda(M,\varphi(M)).$$
# No factor ½ is left over: the $(\lambda/2)^m$ in $w_m$ is $\lambda^m$ times a constant, which is part of $c_m$.
#
# *The covariance is not positive.* Take an independent copy $M'$ of $M$ and expand:
# $$2\operatorname{Cov}_\lambda(M,\varphi(M))=E_\lambda\bigl[(M-M')(\varphi(M)-\varphi(M'))\bigr]\le0,$$
# because φ falls: whenever one factor is positive, the other is negative. It is strictly negative for $\lambda>0$, where $M$ takes more than one value. So $r_\lambda(t)$ falls in λ.
#
# **Step E: the sign.** $\lambda_j\ge\lambda_i$ gives $r_j\le r_i$: every bracket is ≤ 0, and so is the integral, $d\,\mathrm{Rob}/dc\le0$. (Strictly negative as soon as one rival is farther than the answer.)
#
# **Step F: from the derivative to a finite offset.** Adding $c$ to all λ keeps their order, $\lambda_i+c\le\lambda_j+c$. So step E holds at every point of the path, and $\mathrm{Rob}(c_2)-\mathrm{Rob}(c_1)=\int_{c_1}^{c_2}\frac{d\,\mathrm{Rob}}{dc}\,dc\le0$ for $c_1<c_2$. ∎
#
# <details>
# <summary><b>Three technical remarks</b>: a query that lies on a candidate; one dimension; derivatives under sums and integrals</summary>
#
# *A query on a candidate*, $\lambda_i=0$. Then $w_0=1$, only $m=0$ remains, and $r_0(t)=t/d$. Steps A to C hold unchanged (the mixture is a power series in λ, so its one-sided derivative at 0 is the same expression). Step D divides by λ, which is not allowed at 0, but it is not needed there either: $p_0\to1$ as $\lambda\to0$, so $r_\lambda(t)\to t/d$, and a continuous function that falls on $\lambda>0$ falls on $\lambda\ge0$.
#
# *One dimension.* $f_1(t)\sim t^{-1/2}$ at 0 is unbounded but integrable, so every integral above converges. Step C needs $f_{i,d+2}$ at 0, and that is $f_3\sim t^{1/2}\to0$. To compute it numerically, integrate over $s=\sqrt t$: $2s\,f_1(s^2)$ is smooth.
#
# *Derivatives under the sum.* Take $0\le\lambda\le L$ and $t\ge t_0>0$. For $\nu\ge2$, $f_\nu\le\frac12$, so the terms of the mixture and those of its derivatives in λ and $t$ are, from $m=2$ on, at most $w_m+w_{m-1}\le2(L/2)^{m-1}/(m-1)!\cdot\max(1,L/2)$. That sum converges for all λ and $t$, so the series may be differentiated term by term; $t_0$ is arbitrary.
#
# *Derivative under the integral.* Let $L$ be the largest λ on the path. $w_m(\lambda)\le e^{L/2}w_m(L)$, so $f_{\nu,\lambda}\le e^{L/2}f_{\nu,L}$. With $S\le1$ and $f_{d+2}\le\frac12$, the derivative of the integrand with respect to $c$ is at most $\frac12e^{L/2}\bigl(f_{d,L}+f_{d+2,L}\bigr)+\frac{K-1}2e^{L/2}f_{d,L}$, which does not depend on $c$ and has a finite integral: dominated convergence.
#
# </details>
#
# The ratio is also $t\,I_{\nu+1}(z)\big/(z\,I_\nu(z))$ with $\nu=\frac d2-1$, $z=\sqrt{\lambda t}$ and $I$ the modified Bessel function, which gives an independent check. Now check every step numerically.

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

# The covariance of step D: weights p_m at every t, and the slope of the ratio in λ.
m = np.arange(120)[:, None]
p = poisson.pmf(m, lam / 2) * chi2.pdf(t, d + 2 * m)
p, phi = p / p.sum(axis=0), t / (d + 2 * m)
covariance = (p * m * phi).sum(0) - (p * m).sum(0) * (p * phi).sum(0)
step_D2 = np.abs(slope(lambda L: ncx2.pdf(t, d + 2, L) / ncx2.pdf(t, d, L), lam) - covariance / lam).max()
ratios = np.array([t / d, *(ncx2.pdf(t, d + 2, L) / ncx2.pdf(t, d, L) for L in (1e-6, 0.5, 2, 8, 20))])
print(
    "largest error below 1e-6 in step A, B, B (survival), D (Bessel), D (covariance):",
    *(error < 1e-6 for error in (step_A, step_B, step_B2, step_D, step_D2)),
)
print("the ratio falls with λ at every t, from t/d at λ = 0:", bool((np.diff(ratios, axis=0) < 0).all()))
assert max(step_A, step_B, step_B2, step_D, step_D2) < 1e-6
assert covariance.max() < 0
assert (np.diff(ratios, axis=0) < 0).all()
assert np.abs(ratios[1] - ratios[0]).max() < 1e-4  # continuous at λ = 0

# %% [markdown]
# Now check step C and the conclusion on 30 problems, with 1 to 512 dimensions, up to 20 candidates, and some queries that lie on their answer. We compare the formula for the derivative with a finite difference of the integral itself. Both are integrated over the distance $s=\sqrt t$.


# %% tags=["nbval-check-output"]
def distances(d, lam):
    """Where a candidate can land: its distance (in σ) has a standard deviation of at most 1."""
    middle = np.sqrt(lam + d)
    return np.linspace(max(middle - 9, 1e-9), middle + 9, 801)


def wins(d, lams, winner=0):
    """The probability that one candidate is the nearest under noise; Rob is that of the answer, number 0."""
    s = distances(d, lams[winner])
    beyond = [1 - ncx2.cdf(s**2, d, L) for L in np.delete(lams, winner)]
    return simpson(2 * s * ncx2.pdf(s**2, d, lams[winner]) * np.prod(beyond, axis=0), x=s)


def derivative(d, lams):
    """Step C's formula."""
    s = distances(d, lams[0])
    f, f2, S = (np.array([law(L) for L in lams]) for law in (
        lambda L: ncx2.pdf(s**2, d, L), lambda L: ncx2.pdf(s**2, d + 2, L), lambda L: 1 - ncx2.cdf(s**2, d, L)
    ))  # fmt: skip
    total = 0
    for j in range(1, len(lams)):
        others = np.prod(np.delete(S, [0, j], axis=0), axis=0)
        total = total + (f[0] * f2[j] - f2[0] * f[j]) * others
    return simpson(2 * s * total, x=s)


largest, derivatives, step = 0.0, [], 0.05
for d in (1, 2, 7, 39, 512):
    for K in (2, 7, 20):
        for nearest_lam in (0.0, 5.0):  # 0: the query lies on its answer
            lams = nearest_lam + np.append(0, np.sort(rng.uniform(0.2, 25, K - 1)))
            ahead = [wins(d, lams + k * step) for k in range(5)]
            finite = np.dot([-25, 48, -36, 16, -3], ahead) / (12 * step)  # forward: λ cannot be negative
            derivatives.append(derivative(d, lams))
            largest = max(largest, abs(finite - derivatives[-1]))
print(f"formula and finite difference agree to 1e-6 on {len(derivatives)} problems: {largest < 1e-6}")
print(
    f"derivatives from {min(derivatives):.3f} to {max(derivatives):.5f}; positive ones: {sum(v > 0 for v in derivatives)}"
)
assert largest < 1e-6
assert max(derivatives) < 0

# %% [markdown]
# The condition $\lambda_i\le\lambda_j$ is needed: it makes $i$ the *answer*. What happens to the other candidates? Their probabilities and Rob add up to 1. So with $K=2$ the only rival gains exactly what the answer loses: its probability is $1-\mathrm{Rob}$, which rises with the offset towards ½.
#
# > **Predict.** With three candidates, does the runner-up's probability of winning rise with the offset too?

# %% tags=["nbval-check-output"]
offsets = (0, 1, 50, 100, 200, 100_000)
for name, lams in (("K = 2", np.array([5, 5.1])), ("K = 3", np.array([5, 5.1, 40]))):
    table = np.array([[wins(7, lams + c, winner=k) for k in range(len(lams))] for c in offsets])
    for k, who in enumerate(("answer", "runner-up", "farthest")[: len(lams)]):
        print(
            f"{name}, {who:9s} at offsets 0, 1, 50, 100, 200, 100000:",
            "  ".join(f"{v:.4f}" for v in table[:, k]),
        )
    assert np.abs(table.sum(axis=1) - 1).max() < 1e-8
    assert (np.diff(table[:, 0]) < 0).all()  # the theorem
    assert (np.diff(table[:, -1]) > 0).all()  # the farthest gains
    if len(lams) == 3:
        assert (np.diff(table[1:, 1]) < 0).all()
        np.testing.assert_allclose(table[[0, 2, 3, 4], 1], [0.4949, 0.4871, 0.4740, 0.4539], atol=1e-4)

# %% [markdown]
# No. It gains a little at first. After that it loses nearly as much as the answer, because the third candidate, which had no chance at the start, now has one. Far away the differences drown in the noise and all three probabilities tend to ⅓, which is *less* than the runner-up's initial 0.49. Only the nearest and the farthest follow a rule: the nearest never gains, and the *farthest* never loses (steps A to D hold for any candidate; for the farthest every bracket is ≥ 0). Those in between can gain or lose.

# %% [markdown]
# ## 7. The curve, on a trained model
#
# Move the gallery of the mini-CLIP by $\alpha g'$. The gap's length along $g'$ goes from $\|g'\|$ to $(1-\alpha)\|g'\|$. Assumption 3.3 is no longer needed; two facts about $g'=g-VV^\top g$ take its place. It is orthogonal to all differences of texts, so $g'\cdot x_k=g'\cdot\mu_x$ for every $k$. And it is a projection of $g$, so $g'\cdot g=\|g'\|^2$. For a query with coordinate $u=g'\cdot(y-\mu_y)$,
# $$g'\cdot(x_k-y)=g'\cdot(\mu_x-\mu_y)-g'\cdot(y-\mu_y)=-g'\cdot g-u=-\bigl(\|g'\|^2+u\bigr),$$
# the same for every $k$. So every squared distance changes by $2\alpha\,g'\cdot(x_k-y)+\alpha^2\|g'\|^2=\alpha^2\|g'\|^2-2\alpha(\|g'\|^2+u)$, and, after completing the square, every $\lambda_k$ changes by the common offset
# $$\frac{\|g'\|^2}{\sigma^2}\bigl[(\alpha^\ast-\alpha)^2-(\alpha^\ast)^2\bigr],\qquad \alpha^\ast=1+\frac{u}{\|g'\|^2},$$
# which is smallest at $\alpha=\alpha^\ast$. By the theorem *each query* is most robust exactly there. Under Assumption 3.3, $u=0$ and $\alpha^\ast=1$ for all.
#
# > **Predict.** Does the *mean* robustness rise all the way to α = 1? And beyond?

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
# **What to see.** The curve has the same shape at all three noise levels: robustness rises as the gap closes, is flat near α = 1, and falls when the gallery overshoots. Without noise, no answer changes at any α (section 2). The maximum of the mean need not lie exactly at 1, because each query has its own optimum $\alpha^\ast$. Write a function for it, from the formula above:


# %%
def best_alpha(queries, shift):
    """The α at which each query is most robust; shift is g'."""
    return 1 + (queries - queries.mean(axis=0)) @ shift / (shift @ shift)


check(best_alpha)

# %% tags=["nbval-check-output"]
closer = GapCloser().fit(X, Y)
best = best_alpha(Y, closer.shift_)
offset = ((X + 0.7 * closer.shift_ - Y[0]) ** 2).sum(1) - ((X - Y[0]) ** 2).sum(1)
size = closer.shift_ @ closer.shift_
np.testing.assert_allclose(offset, size * ((best[0] - 0.7) ** 2 - best[0] ** 2), atol=1e-6)
chosen = np.argsort(np.abs(robustness(Y, X, sigma=sigma) - 0.6))[:5]  # queries with something to gain
fine = np.linspace(0, 2, 81)
grid = np.stack([robustness(Y[chosen], X + alpha * closer.shift_, sigma=sigma) for alpha in fine])
for query, column in zip(chosen, grid.T, strict=True):
    print(f"α* by the formula {best[query]:.3f}, best on a grid of 0.025: {fine[column.argmax()]:.3f}")
    assert abs(fine[column.argmax()] - best[query]) < 0.03

# %% [markdown]
# ## 8. How much? The law of the gap
#
# The theorem says that closing helps, but not how much. Take one candidate at a time. The noise changes half its squared distance by
# $$\tfrac12\|x+\varepsilon-y\|^2-\tfrac12\|x-y\|^2=(x-y)\cdot\varepsilon+\tfrac12\|\varepsilon\|^2 ,$$
# whose variance is $s^2=\sigma^2\bigl(D^2+\tfrac d2\sigma^2\bigr)$ with $D=\|x-y\|$: the first term gives $\sigma^2D^2$, the second $\tfrac14\cdot2d\sigma^4$, and they are uncorrelated. Closing keeps the *margins* between candidates and shortens $D$. If $D$ is about the same for all competing candidates, and the perturbation is nearly normal, robustness depends only on the margins divided by $s$. So the closed gallery at noise $\sigma$ is as robust as the *untouched* one at the noise $\sigma^\ast$ that has the same $s$:
# $$\sigma^\ast\sqrt{D^2+\tfrac d2{\sigma^\ast}^2}=\sigma\sqrt{D_\text{closed}^2+\tfrac d2\sigma^2}.$$
# **Closing the gap turns the noise down**, by a factor given by two lengths. (Derived in this project.)
#
# > **Predict.** In this model $D^2$ falls to about a half. By about what factor is the noise turned down when $d\sigma^2$ is small compared with $D^2$? And when it is large?

# %% tags=["nbval-check-output"]
closed = closer.transform(X)
before, after = (((gallery[answers] - Y) ** 2).sum(1).mean() for gallery in (X, closed))
print(f"mean squared distance to the answer: {before:.3f} untouched, {after:.3f} closed")
for target in targets:
    level = calibrate_sigma(Y, X, target)
    c = level**2 * (after + X.shape[1] / 2 * level**2)  # s² of the closed gallery
    equal = np.sqrt(2 * c / (before + np.sqrt(before**2 + 2 * X.shape[1] * c)))  # σ*, a root of a quadratic
    predicted = robustness(Y, X, sigma=equal).mean()
    measured = robustness(Y, closed, sigma=level).mean()
    print(f"σ {level:.4f} is like {equal:.4f}:  predicted {predicted:.3f}  measured {measured:.3f}")
    assert abs(predicted - measured) < 0.02

# %% [markdown]
# **What to see.** Nothing was fitted, and the prediction uses no robustness of the closed gallery. At weak noise the factor is $D_\text{closed}/D$. Strong noise adds a length of its own, $\sigma\sqrt{d/2}$, which closing cannot shorten, so the factor goes to 1. Over all shipped models and sets and all published ones we have, the law explains more than 98 % of the differences between gains and errs by at most 0.03 (`gapkit replicate --only levers`).
#
# Three things follow. First, the gain can be predicted *before* closing anything (`gapkit.robustness.predict_closed`). Second, the part of a random gap outside the span of $K$ texts has squared length $\|g\|^2\bigl(1-\frac{K-1}{d}\bigr)$ on average (`expected_shift`), so gains shrink as galleries grow. Third, another *metric* means another $s$. Under the dot product it is $\sigma\|y\|$. For unit rows this is smaller where $D^2+\frac d2\sigma^2>1$, that is, for cosines below about one half. This holds for every real CLIP we have, but not for this model. So choose the metric first; lesson 07 returns to this.
#
# *Where it fails:* if one competitor is much nearer than the others, their $s$ differ and the mean $D$ describes none of them. And in few dimensions a squared distance is far from normal.

# %% [markdown]
# ## Summary
#
# - Robustness asks whether answers stay the same, not whether they are right: report both.
# - A shift orthogonal to the gallery's differences changes no answer, for any query and any α (Theorem 3.5).
# - Noise on the gallery turns the boundary; the farther the query, the farther the boundary sweeps. The probability is one integral over noncentral χ² laws, exact and without sampling.
# - Adding the same amount to all squared distances lowers robustness, for any $K$ and $d$ (Theorem 3.4), so closing the gap raises it, up to α = 1 for the average query and α* for each.
# - Two lengths predict the gain: closing the gap turns the noise down to the $\sigma^\ast$ with the same $s$.
# - All of this is about *Euclidean* neighbours and a *perturbed gallery*. Lesson 07 changes the metric and the side, and some of the gain disappears.
#
# ### Questions
#
# 1. Where does the proof of Theorem 3.4 use that $i$ is the nearest candidate? Give an example with two candidates where the other one's probability of winning rises with the offset.
# 2. Why does noise on the *query* give no such gain? (Which of the terms in section 4 would be missing?)
# 3. Suppose each query may move by its own vector. Among the translations that keep all differences of squared distances, which is best?
#
# ← [Is the gap orthogonal?](03_is_the_gap_orthogonal.ipynb) · next: [Closing the gap](05_closing_the_gap.ipynb) →
