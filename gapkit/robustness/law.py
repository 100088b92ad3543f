r"""The law of the gap: closing it is turning the noise down by a factor that two lengths tell.

*One candidate.* Between two candidates the query decides by a score: half the squared distance, the dot product, or
the cosine. Noise ε ~ N(0, Σ) on a candidate x moves its score by an amount of variance (derived)

.. math::
    s^2 &= a^\top \Sigma a + \tfrac12 \operatorname{tr} \Sigma^2, \quad a = x - y && \text{(Euclidean, exact)} \\
    s^2 &= y^\top \Sigma y && \text{(dot product, exact)} \\
    s^2 &= u^\top \Sigma u + \frac{(y^\top x)^2}{2 L^4 \rho^4} \operatorname{tr} \Sigma^2, \quad
        u = y - \frac{y^\top x}{L^2 \rho^2}\, x && \text{(cosine, to second order)}

with :math:`L = \|x\|` and :math:`\rho^2 = 1 + \operatorname{tr}\Sigma / L^2`: noise of length :math:`\sqrt{\operatorname{tr} \Sigma}`
makes every candidate longer by about the factor ρ, and the cosine divides by it. The cosine's s is in units of
:math:`\rho L \|y\|` cosines.

*Many candidates.* A closer that keeps margins changes the scores of one query by one common amount, so the margins
stay and only s changes, from that of the untouched to that of the closed embeddings. As far as s is alike for the
candidates near the answer and the noise in a score is nearly normal, robustness depends on margins over s alone. So

.. math:: \mathrm{Rob}_\text{closed}(\sigma) \approx \mathrm{Rob}_\text{untouched}(\sigma^*), \qquad
    s_\text{untouched}(\sigma^*) = s_\text{closed}(\sigma) \qquad \text{(derived)}

with squared lengths averaged over the queries. For Euclidean distance and dot product s is a function of one length:
:math:`\sigma^2 (D^2 + d \sigma^2 / 2)`, D the distance to the clean answer, and :math:`\sigma^2 \|y\|^2`. Nothing is fitted.

*Another metric.* Candidates of one length have the same margins under all three metrics, so the same equation tells
what a change of metric does: at equal noise the dot product keeps more answers than Euclidean distance where
:math:`D^2 + d\sigma^2/2 > \|y\|^2`, and the cosine's s is below both (derived).

*Limits.* The law is an approximation. It errs where candidates that compete lie at very different distances, where few dimensions
make a squared distance far from normal (below about 10), and for tiny galleries of which one pair decides.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gapkit._arrays import ArrayInput, ArrayLike, as_matrix, as_vector, check_pairs, like
from gapkit._options import check_choice, check_number
from gapkit.errors import InputError
from gapkit.geometry import nearest
from gapkit.geometry.galleries import METRICS, queries_and_gallery
from gapkit.perturbations import GaussianNoise
from gapkit.robustness.api import as_noise, robustness
from gapkit.robustness.calibration import solve_sigma
from gapkit.robustness.score_noise import equal_sigma, score_variance, traces

_SAME_MARGIN = 1e-6
"""Largest change of a margin, in units of the largest margin, that still counts as none."""
_ROUNDING = 1e-12
"""The same, in units of the largest squared length: what products of the rows are off by."""
_ONE_LENGTH = 2e-3
"""Relative difference of lengths that still passes for one length: embeddings stored in half precision reach 1e-3."""
_SMALL_SHARE = 0.1
"""How large the differences of half squared lengths may be beside those of the scores."""
_BLOCK = 1024
Sides = tuple[Any, Any]
"""Queries and gallery."""


def effective_noise(
    queries: ArrayInput,
    candidates: ArrayInput,
    sigma: ArrayInput | None = None,
    *,
    covariance: ArrayInput | None = None,
    metric: str = "euclidean",
) -> ArrayLike:
    r"""The standard deviation of a candidate's score under noise on the candidate, pair by pair (derived, see above).

    .. math:: s = \sigma \sqrt{D^2 + d \sigma^2 / 2}, \qquad s = \sigma \|y\|, \qquad s \approx \sigma \sqrt{1 - c^2}

    for Euclidean distance (of half the squared distance), dot product, and cosine c (of unit vectors, at small noise).

    Parameters
    ----------
    queries : (n, d) array-like
    candidates : (n, d) array-like, row i belongs to query i
    sigma : float or (d,) array-like, standard deviation of the noise per coordinate
    covariance : (d, d) array-like, of the noise, instead of ``sigma``
    metric : "euclidean", "dot" or "cosine"

    Returns
    -------
    (n,) float64, of the kind that came in: in the units of half a squared distance, of a score, or of a cosine

    Raises
    ------
    InputError
        If the rows are no pairs, the noise does not fit, or a row is zero and has no cosine.

    Examples
    --------
    >>> effective_noise([[1.0, 0.0]], [[0.6, 0.8]], 0.1).round(4)          # D² = 0.8, d = 2
    array([0.09])
    >>> effective_noise([[1.0, 0.0]], [[0.6, 0.8]], 0.1, metric="dot")
    array([0.1])
    """
    y = as_matrix(queries, "queries")
    x = as_matrix(candidates, "candidates").to(y.device)
    check_pairs(y, "queries", x, "candidates")
    check_choice(metric, "metric", METRICS)
    noise = as_noise(sigma, covariance, None)
    variance = score_variance(y, x, noise, metric)
    if metric == "cosine":
        lengths = torch.linalg.vector_norm(y, dim=1) * torch.linalg.vector_norm(x, dim=1)
        growth = 1 + traces(noise, x.shape[1])[0] / x.square().sum(1)
        variance = variance / (lengths.square() * growth)
    return like(variance.sqrt(), queries, candidates)


def predict_closed(
    queries: ArrayInput,
    gallery: ArrayInput,
    sigma: ArrayInput,
    *,
    closer: Any,
    metric: str = "euclidean",
    return_sigma: bool = False,
) -> float | tuple[float, float]:
    r"""Mean robustness after closing, from the untouched embeddings and lengths alone (the law, derived above).

    .. math:: \mathrm{Rob}_\text{closed}(\sigma) \approx \mathrm{Rob}_\text{untouched}(\sigma^*)

    The closed side is looked at for its lengths only; no robustness is computed on it.

    Parameters
    ----------
    queries : (m, d) array-like, untouched
    gallery : (K, d) array-like, untouched
    sigma : float > 0, standard deviation per coordinate of noise on the gallery
    closer : a fitted closer, such as `gapkit.GapCloser`; it must keep margins on this gallery: a shift orthogonal to
        the gallery's span, or a projection of the queries onto it
    metric : "euclidean", "dot" or "cosine"
    return_sigma : also return σ*, the noise that the untouched embeddings would have to bear instead

    Returns
    -------
    float, or (float, float) with ``return_sigma``

    Raises
    ------
    InputError
        If the closer changes margins under this metric (a raw shift, fewer components than the gallery's rank, anything
        that rescales or renormalises, a gallery it was not fitted on), or, for the cosine, if the gallery's rows
        differ in length.

    Examples
    --------
    >>> from gapkit.closing import GapCloser
    >>> texts = [[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]]
    >>> images = [[0.9, 0.1, 3.0], [0.3, 0.6, 2.0]]
    >>> closer = GapCloser().fit(texts, images)
    >>> value, sigma = predict_closed(images, texts, 0.3, closer=closer, return_sigma=True)
    >>> bool(0.1 < sigma < 0.3), bool(value > robustness(images, texts, sigma=0.3).mean())
    (True, True)
    """
    y, x, sigma = _problem(queries, gallery, sigma, metric)
    if not hasattr(closer, "transform_pair"):
        raise InputError(f"closer must be a fitted closer of gapkit.closing; got {type(closer).__name__}")
    moved_x, moved_y = closer.transform_pair(x, y)
    try:
        equal = equal_noise((y, x), (moved_y, moved_x), sigma, metric=metric)
    except InputError as fault:
        raise InputError(f"closer {type(closer).__name__} {fault}") from None
    value = float(robustness(y, x, sigma=equal, metric=metric).mean())
    return (value, equal) if return_sigma else value


def predict_metric(
    queries: ArrayInput,
    gallery: ArrayInput,
    sigma: ArrayInput,
    *,
    metric: str,
    known: str = "euclidean",
    return_sigma: bool = False,
) -> float | tuple[float, float]:
    r"""Mean robustness under one metric, from the curve of another and lengths alone (the law, derived above).

    .. math:: \mathrm{Rob}_\text{metric}(\sigma) \approx \mathrm{Rob}_\text{known}(\sigma^*), \qquad
        s_\text{known}(\sigma^*) = s_\text{metric}(\sigma)

    Parameters
    ----------
    queries : (m, d) array-like
    gallery : (K, d) array-like, rows of one length
    sigma : float > 0, standard deviation per coordinate of noise on the gallery
    metric : "euclidean", "dot" or "cosine": the one to predict
    known : the one whose robustness is computed
    return_sigma : also return σ*

    Returns
    -------
    float, or (float, float) with ``return_sigma``

    Raises
    ------
    InputError
        If the gallery's rows differ in length: then the metrics have other margins, and often other answers.

    Examples
    --------
    >>> texts, images = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.3, 0.1, 0.95]]       # cosine 0.3: the dot product is better
    >>> bool(predict_metric(images, texts, 0.1, metric="dot") > robustness(images, texts, sigma=0.1).mean())
    True
    """
    y, x, sigma = _problem(queries, gallery, sigma, metric)
    check_choice(known, "known", METRICS)
    _check_one_length(y, x)
    answers = x[nearest(y, x, metric=known)]  # (m, d)
    equal = _solve(y, answers, known, _mean_variance(y, answers, sigma, metric), sigma)
    value = float(robustness(y, x, sigma=equal, metric=known).mean())
    return (value, equal) if return_sigma else value


def equal_noise(before: Sides, after: Sides, sigma: float, *, metric: str = "euclidean") -> float:
    """σ*: the noise on the untouched embeddings that has the effect of ``sigma`` on the closed ones, by the law.

    Parameters
    ----------
    before, after : queries and gallery, (m, d) and (K, d) or stacks of such, untouched and closed
    sigma : noise on the closed gallery
    metric : "euclidean", "dot" or "cosine"

    Raises
    ------
    InputError
        If margins differ.
    """
    (y, x), (moved_y, moved_x) = (tuple(map(torch.as_tensor, side)) for side in (before, after))
    _check_margins(metric, before=(y, x), after=(moved_y, moved_x))
    answers = nearest(y, x, metric=metric) if x.ndim == 2 else _scores(y, x, metric).argmax(-1)
    # One by one: each (…, m, d).
    own = (torch.take_along_dim(z, answers[..., None], -2) for z in (x, moved_x))
    if metric == "cosine":
        untouched, closed = own
        return _solve(y, untouched, metric, _mean_variance(moved_y, closed, sigma, metric), sigma)
    ways = map(torch.sub, own, (y, moved_y)) if metric == "euclidean" else (y, moved_y)
    squares = (float(way.square().sum(-1).mean()) for way in ways)
    return equal_sigma(sigma, *squares, x.shape[-1] / 2 if metric == "euclidean" else 0.0)


def expected_shift(gap: ArrayInput, n_candidates: int, dimension: int | None = None) -> float:
    r"""The length of the part of a gap that is orthogonal to K candidates lying at random.

    .. math:: \mathbb{E}\,\|g'\|^2 = \|g\|^2 \left(1 - \frac{K - 1}{d}\right) \qquad \text{(derived)}

    K candidates span K − 1 of the d dimensions, and a random direction has the share (K − 1)/d of its squared length
    there. From K = d + 1 on nothing is left to move. Trained galleries lie otherwise: compare with ``closer.shift_``.

    Parameters
    ----------
    gap : (d,) array-like, the gap vector; or its length, and then ``dimension`` is needed
    n_candidates : K ≥ 1
    dimension : d

    Returns
    -------
    float, in the units of the gap

    Examples
    --------
    >>> round(expected_shift(0.85, 100, 512), 3)
    0.763
    >>> expected_shift(0.85, 513, 512)
    0.0
    """
    if getattr(gap, "ndim", int(hasattr(gap, "__len__") and not isinstance(gap, str))):
        vector = as_vector(gap, "gap")
        if dimension is not None and dimension != len(vector):
            raise InputError(f"dimension must be that of the gap vector, {len(vector)}; got {dimension}")
        length, dimension = float(torch.linalg.vector_norm(vector)), len(vector)
    else:
        length = check_number(gap, "gap", least=0.0)
        if dimension is None:
            raise InputError("dimension is needed where gap is a length; pass dimension=d, or the gap vector")
    spanned = check_number(n_candidates, "n_candidates", least=1) - 1
    return length * math.sqrt(max(0.0, 1 - spanned / check_number(dimension, "dimension", least=1)))


def _problem(
    queries, gallery, sigma, metric: str
) -> tuple[Float[Tensor, "m d"], Float[Tensor, "k d"], float]:
    y, x = queries_and_gallery(queries, gallery, metric)
    return y, x.double(), check_number(sigma, "sigma", above=0.0, most=1e75)  # its fourth power is needed


def _mean_variance(
    y: Float[Tensor, "*g m d"], x: Float[Tensor, "*g m d"], sigma: float, metric: str
) -> float:
    return float(score_variance(y, x, GaussianNoise(sigma), metric).mean())


def _solve(
    y: Float[Tensor, "*g m d"], x: Float[Tensor, "*g m d"], metric: str, target: float, start: float
) -> float:
    """σ* with a mean s²(σ*) = target; s² rises with σ for every metric, its negative falls."""
    if not target > 0:
        raise InputError("no noise reaches the scores; pass queries that are not zero, and a larger sigma")

    def falling(sigma: float) -> float:
        return -_mean_variance(y, x, sigma, metric)

    try:
        return solve_sigma(falling, -target, low=start, high=start, factor=math.e, tolerance=1e-12)
    except InputError:
        raise InputError(f"sigma must be of the embeddings' size; got {start:g}; pass a nearer one") from None


def _check_margins(metric: str, *, before: Sides, after: Sides) -> None:
    """Raise unless every query's scores differ between any two candidates as they did untouched."""
    (y, x), (moved_y, moved_x) = before, after
    scale = float(max(z.square().sum(-1).max() for z in (*before, *after)))
    for first in range(0, y.shape[-2], _BLOCK):
        rows = (..., slice(first, first + _BLOCK), slice(None))
        before_scores = _scores(y[rows], x, metric)  # (…, block, K)
        change = _scores(moved_y[rows], moved_x, metric) - before_scores
        change = change - change[..., :1]
        margins = before_scores - before_scores.amax(-1, keepdim=True)
        limit = _SAME_MARGIN * float(margins.abs().max()) + _ROUNDING * scale
        if float(change.abs().max()) > limit:
            raise InputError(
                f"does not keep margins on this gallery under {metric!r}, so lengths do not tell its gain; "
                "measure it with gapkit.robustness, or fit a full-rank GapCloser or a projection on it"
            )
    if metric == "cosine":
        for queries, rows in (before, after):
            _check_one_length(queries, rows)


def _check_one_length(y: Float[Tensor, "*g m d"], x: Float[Tensor, "*g k d"]) -> None:
    """Raise unless lengths differ so little within each gallery that every metric has the same margins."""
    lengths = torch.linalg.vector_norm(x, dim=-1)
    halves = lengths.square() / 2
    each = [(block @ x.mT).std(-1, correction=0) for block in y.split(_BLOCK, -2)]
    limit = _SMALL_SHARE * torch.cat(each, -1).mean(-1) + _ROUNDING * halves.amax(-1)
    apart = lengths.amax(-1) > (1 + _ONE_LENGTH) * lengths.amin(-1)
    if (apart | (halves.std(-1, correction=0) > limit)).any():
        ends = f"{float(lengths.min()):.6g} to {float(lengths.max()):.6g}"
        raise InputError(f"gallery must have rows of one length; got {ends}; normalise the rows first")


def _scores(y: Float[Tensor, "*g m d"], x: Float[Tensor, "*g k d"], metric: str) -> Float[Tensor, "*g m k"]:
    """What decides between candidates, larger is nearer; for the cosine the dot product, the lengths being alike."""
    products = y @ x.mT
    return products - x.square().sum(-1)[..., None, :] / 2 if metric == "euclidean" else products
