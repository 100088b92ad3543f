"""The gap and its orthogonality in every bootstrap sample at once: a sample is a row of weights (`draw_weights`).

With weights, a thousand resampled variances are two matrix products, and the components of a sample need
only the products of the rows that were drawn, never the rows themselves.
"""

from typing import NamedTuple

import numpy as np

from gapkit._arrays import ArrayInput
from gapkit.errors import InputError
from gapkit.geometry.bootstrap import RESAMPLES, Interval, basic_interval, draw_weights, percentile_interval
from gapkit.geometry.gap import two_sets
from gapkit.geometry.orthogonality import as_whole_numbers, subspace_share
from gapkit.geometry.shape import FEW_ROUNDINGS


def gap_interval(
    x: ArrayInput,
    y: ArrayInput,
    *,
    paired: bool = False,
    groups: ArrayInput | None = None,
    together: ArrayInput | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Length of the gap vector ‖g‖ with its basic bootstrap interval.

    Parameters
    ----------
    x : (n, d) array-like, the gallery (texts): captions if ``paired``, else classes or options, which nobody sampled
        and which therefore stay as they are
    y : (m, d) array-like, the queries (images), resampled
    paired : row i of ``x`` is the partner of row i of ``y``, and is drawn with it
    groups : (m,) array-like, optional; queries are drawn within groups: the right classes of a balanced test set
    together : (m,) array-like, optional; queries of one value are drawn together, such as an image that is repeated for
        each of its captions
    resamples, seed : of the bootstrap

    Returns
    -------
    Interval

    Raises
    ------
    InputError
        If the shapes do not fit.

    Examples
    --------
    >>> value, low, high = gap_interval([[0.0, 0.0]], [[3.0, 4.0], [3.0, 4.0]])
    >>> value, low, high
    (5.0, 5.0, 5.0)
    """
    lengths = np.linalg.norm(_samples(x, y, paired, groups, together, resamples, seed).gaps, axis=1)
    return basic_interval(lengths[0], lengths[1:], least=0.0)


def variance_intervals(
    x: ArrayInput,
    y: ArrayInput,
    *,
    paired: bool = False,
    groups: ArrayInput | None = None,
    together: ArrayInput | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Interval, Interval]:
    """`relative_variance` of gallery and queries along the gap, each with its basic bootstrap interval.

    Parameters
    ----------
    x, y, paired, groups, together, resamples, seed : as `gap_interval`

    Returns
    -------
    Interval of the gallery, Interval of the queries

    Raises
    ------
    InputError
        If the shapes do not fit, or there is no gap to look along.

    Examples
    --------
    >>> x, y = np.random.default_rng(0).standard_normal((2, 200, 16))
    >>> texts, images = variance_intervals(x - 1, y + 1, paired=True)
    >>> bool(images.low < 1 < images.high)
    True
    """
    samples = _samples(x, y, paired, groups, together, resamples, seed)
    sides = (samples.x, samples.x_weights), (samples.y, samples.y_weights)
    variances = [resampled_variances(z, samples.gaps, weights) for z, weights in sides]
    first, second = (basic_interval(values[0], values[1:], least=0.0) for values in variances)
    return first, second


def share_intervals(
    x: ArrayInput,
    y: ArrayInput,
    components: ArrayInput,
    *,
    paired: bool = False,
    groups: ArrayInput | None = None,
    together: ArrayInput | None = None,
    resamples: int = RESAMPLES // 2,
    seed: int = 0,
) -> list[Interval]:
    """`subspace_share` of the gap in the gallery's top-k components, with percentile intervals.

    Classes are given, and so are their components. Captions were sampled: there the components are found again in
    every sample, which takes its time, but for k beyond its rank: a sample of n captions holds about 0.63 n different
    ones, and no more components than that.

    Parameters
    ----------
    components : sequence of ints k
    x, y, paired, groups, together, resamples, seed : as `gap_interval`

    Returns
    -------
    list of Interval, one for each k

    Raises
    ------
    InputError
        As `subspace_share`.

    Examples
    --------
    >>> x = [[2.0, 0.0, 0.0], [-2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0]]
    >>> [share.value for share in share_intervals(x, [[3.0, 4.0, 0.0]], [1, 2])]
    [0.6, 1.0]
    """
    components = as_whole_numbers(components, "components").cpu().numpy()
    samples = _samples(x, y, paired, groups, together, resamples, seed)
    shares = np.asarray(subspace_share(samples.x, samples.gaps, components))
    few = components <= 0.6 * len(samples.x)
    if paired and few.any():
        squares = resampled_shares(samples.x, samples.gaps, samples.x_weights, components[few])
        shares[:, few] = np.sqrt(squares)
    return [percentile_interval(float(column[0]), column[1:]) for column in shares.T]


class _Samples(NamedTuple):
    """Bootstrap samples of two modalities; the first is the data themselves."""

    x: np.ndarray  # (n, d)
    y: np.ndarray  # (m, d)
    x_weights: np.ndarray  # (resamples + 1, n)
    y_weights: np.ndarray  # (resamples + 1, m)
    gaps: np.ndarray  # (resamples + 1, d)


def _samples(x, y, paired: bool, groups, together, resamples: int, seed: int) -> _Samples:
    first, second = (z.cpu().numpy() for z in two_sets(x, y, paired=paired))
    weights = draw_weights(len(second), groups=groups, together=together, resamples=resamples, seed=seed)
    fixed = np.full((len(weights), len(first)), 1 / len(first))
    x_weights = weights if paired else fixed
    gaps = weights @ second - x_weights @ first
    # Of equal means the difference is rounding, and points anywhere.
    rounding = FEW_ROUNDINGS * max(np.abs(first).max(), np.abs(second).max())
    gaps[np.linalg.norm(gaps, axis=1) <= rounding] = 0.0
    return _Samples(first, second, x_weights, weights, gaps)


def resampled_variances(z: ArrayInput, directions: ArrayInput, weights: ArrayInput) -> np.ndarray:
    """`relative_variance` of z along one direction for each row of weights.

    Parameters
    ----------
    z : (n, d) array-like, one modality
    directions : (b, d) array-like, such as the gap of every bootstrap sample
    weights : (b, n) array-like, rows sum to 1 (`draw_weights`)

    Returns
    -------
    (b,) array; NaN for a sample whose rows are all the same

    Raises
    ------
    InputError
        If a direction is zero.

    Examples
    --------
    >>> z = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]
    >>> resampled_variances(z, [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
    array([2., 0.])
    """
    z, weights = np.asarray(z), np.asarray(weights)
    centred = z - z.mean(0)
    along = _units(directions) @ centred.T
    variances = (weights * along**2).sum(1) - (weights * along).sum(1) ** 2
    squares = weights @ (centred**2).sum(1)
    totals = squares - ((weights @ centred) ** 2).sum(1)
    totals[totals <= FEW_ROUNDINGS * squares] = np.nan  # of one row throughout: rounding
    with np.errstate(invalid="ignore", divide="ignore"):  # a sample without spread has no share of it: NaN
        return variances / totals * z.shape[1]


def resampled_shares(
    z: ArrayInput, directions: ArrayInput, weights: ArrayInput, components: ArrayInput
) -> np.ndarray:
    """*Squared* `subspace_share` of one direction for each row of weights, components refitted each time.

    For modalities that were sampled themselves, such as captions. A bootstrap sample of n rows holds
    only about 0.63 n different ones, and no more components than that.

    Parameters
    ----------
    z : (n, d) array-like, one modality
    directions : (b, d) array-like, such as the gap of every bootstrap sample
    weights : (b, n) array-like, rows sum to 1 (`draw_weights`)
    components : sequence of ints k; k beyond the rank of a sample counts as its rank

    Returns
    -------
    (b, number of components) array

    Raises
    ------
    InputError
        As `resampled_variances`.

    Examples
    --------
    >>> z = [[2.0, 0.0, 0.0], [-2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0]]
    >>> resampled_shares(z, [[3.0, 4.0, 0.0]], [[0.25, 0.25, 0.25, 0.25]], [1, 2]).round(2)
    array([[0.36, 1.  ]])
    """
    z, weights = np.asarray(z), np.asarray(weights)
    centred = z - z.mean(0)
    products, along = centred @ centred.T, _units(directions) @ centred.T
    wanted = as_whole_numbers(components, "components").cpu().numpy()
    shares = np.empty((len(weights), len(wanted)))
    for i, row in enumerate(weights):
        drawn = np.flatnonzero(row)
        weight, root = row[drawn], np.sqrt(row[drawn])
        inner = products[np.ix_(drawn, drawn)]
        means = inner @ weight
        inner = inner - means - means[:, None] + weight @ means
        values, vectors = np.linalg.eigh(inner * root * root[:, None])
        projected = vectors.T @ (root * (along[i, drawn] - along[i, drawn] @ weight))
        count = min(len(drawn) - 1, z.shape[1])  # the centring leaves one direction fewer than rows
        values, projected = values[::-1][:count], projected[::-1][:count]
        real = values > values[0] * len(drawn) * np.finfo(float).eps
        cumulative = np.concatenate([[0.0], np.cumsum(projected[real] ** 2 / values[real])])
        shares[i] = cumulative[wanted.clip(max=len(cumulative) - 1)].clip(max=1)
    return shares


def _units(directions: ArrayInput) -> np.ndarray:
    """Directions of length 1."""
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    if not lengths.all():
        raise InputError("directions must not be zero: without a gap there is no direction to look along")
    return np.asarray(directions) / lengths
