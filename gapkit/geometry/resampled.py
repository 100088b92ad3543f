"""Orthogonality in every bootstrap sample at once: a sample is a row of weights, how often each row was drawn.

With weights, a thousand resampled variances are two matrix products, and the components of a sample need
only the products of the rows that were drawn, never the rows themselves.
"""

import numpy as np

from gapkit._arrays import as_matrix, check_same_width
from gapkit.errors import InputError


def draw_weights(count: int, *, groups=None, resamples: int = 400, seed: int = 0) -> np.ndarray:
    """Weights of the rows in bootstrap samples; the first row of weights is the sample itself.

    Parameters
    ----------
    count : number of rows to resample
    groups : (count,) array-like, optional; as many rows of each group are drawn as there are, such as images
        of a class in a balanced test set
    resamples : number of bootstrap samples
    seed : seed of the draws

    Returns
    -------
    (resamples + 1, count) array; every row sums to 1

    Raises
    ------
    InputError
        If ``groups`` has another length, or a number is not positive.

    Examples
    --------
    >>> weights = draw_weights(4, groups=["cat", "cat", "dog", "dog"], resamples=2)
    >>> weights[0]
    array([0.25, 0.25, 0.25, 0.25])
    >>> weights[:, :2].sum(1)
    array([0.5, 0.5, 0.5])
    """
    if count < 1 or resamples < 1:
        raise InputError(f"count and resamples must be at least 1; got {count} and {resamples}")
    groups = np.zeros(count) if groups is None else np.asarray(groups)
    if groups.shape != (count,):
        raise InputError(f"groups must name one group for each of {count} rows; got shape {groups.shape}")
    rng = np.random.default_rng(seed)
    times = np.ones((resamples + 1, count))
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        times[1:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=resamples)
    return times / count


def resampled_variances(z, directions, weights) -> np.ndarray:
    """`relative_variance` of z along one direction for each row of weights.

    Parameters
    ----------
    z : (n, d) array-like, one modality
    directions : (b, d) array-like, such as the gap of every bootstrap sample
    weights : (b, n) array-like, rows sum to 1 (`draw_weights`)

    Returns
    -------
    (b,) array

    Raises
    ------
    InputError
        If the shapes do not fit, or a direction is zero.

    Examples
    --------
    >>> z = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]
    >>> resampled_variances(z, [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
    array([2., 0.])
    """
    z, units, weights = _checked(z, directions, weights)
    centred = z - z.mean(0)
    along = units @ centred.T
    variances = (weights * along**2).sum(1) - (weights * along).sum(1) ** 2
    totals = weights @ (centred**2).sum(1) - ((weights @ centred) ** 2).sum(1)
    return variances / totals * z.shape[1]


def resampled_shares(z, directions, weights, components) -> np.ndarray:
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
    z, units, weights = _checked(z, directions, weights)
    centred = z - z.mean(0)
    products, along = centred @ centred.T, units @ centred.T
    wanted = np.asarray(components, dtype=int)
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


def _checked(z, directions, weights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three matrices as float64 numpy arrays, the directions of length 1."""
    z, directions = as_matrix(z, "z"), as_matrix(directions, "directions", shape="(b, d)")
    weights = as_matrix(weights, "weights", shape="(b, n)")
    check_same_width(z, "z", directions, "directions")
    if tuple(weights.shape) != (len(directions), len(z)):
        raise InputError(
            f"weights must have a row for each direction and a column for each row of z, "
            f"({len(directions)}, {len(z)}); got {tuple(weights.shape)}"
        )
    lengths = directions.norm(dim=1, keepdim=True)
    if (lengths == 0).any():
        raise InputError("directions must not be zero")
    return z.cpu().numpy(), (directions / lengths).cpu().numpy(), weights.cpu().numpy()
