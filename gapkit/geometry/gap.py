"""How far apart the two modalities are: the gap vector, distances built on it, axes in which it is seen, a cut between them.

Throughout, ``x`` is the gallery (the retrieved modality, by default texts) and ``y`` the queries (by
default images). Numbers come back as floats; the gap vector as float64 of the kind that came in.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gapkit._arrays import ArrayInput, ArrayLike, as_matrix, check_pairs, check_same_width, like, unit_rows
from gapkit._options import check_seed, check_whole, one_line
from gapkit.errors import InputError
from gapkit.geometry.shape import FEW_ROUNDINGS, cone_from_moments, only_rounding


def two_sets(
    x: ArrayInput, y: ArrayInput, *, paired: bool = False, finite: bool = True
) -> tuple[Tensor, Tensor]:
    """The gallery ``x`` and the queries ``y`` as float64 matrices of one width, with readable errors."""
    x = as_matrix(x, "x (the gallery)", finite=finite)
    y = as_matrix(y, "y (the queries)", finite=finite)
    (check_pairs if paired else check_same_width)(x, "x (the gallery)", y, "y (the queries)")
    return x, y


def gap_of(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, " d"]:
    """μ_y − μ_x; of equal means, whose difference may be rounding and point anywhere, zero."""
    gap = y.mean(0) - x.mean(0)
    return torch.zeros_like(gap) if only_rounding(gap, x, y) else gap


def gap_vector(x: ArrayInput, y: ArrayInput) -> ArrayLike:
    r"""The global gap vector :math:`g = \mu_y - \mu_x` (Eq. 4 of Chowers et al. 2026).

    Parameters
    ----------
    x : (n, d) array-like, the gallery (texts)
    y : (m, d) array-like, the queries (images)

    Returns
    -------
    (d,) float64, of the kind that came in: mean of ``y`` minus mean of ``x``; zero where they differ by rounding alone

    Raises
    ------
    InputError
        If either is empty, not finite, not a matrix, or they differ in dimension.

    Examples
    --------
    >>> gap_vector([[0.0, 0.0], [2.0, 0.0]], [[1.0, 3.0]])
    array([0., 3.])
    """
    first, second = two_sets(x, y)
    return like(gap_of(first, second), x, y)


def l2m(x: ArrayInput, y: ArrayInput) -> float:
    r"""Distance of the means, :math:`\|\mu_x - \mu_y\|` (Liang et al. 2022).

    Parameters
    ----------
    x : (n, d) array-like, the gallery
    y : (m, d) array-like, the queries

    Returns
    -------
    float, in the unit of the embeddings

    Raises
    ------
    InputError
        As `gap_vector`.

    Examples
    --------
    >>> l2m([[0.0, 0.0], [2.0, 0.0]], [[1.0, 3.0]])
    3.0
    """
    first, second = two_sets(x, y)
    return float(torch.linalg.vector_norm(gap_of(first, second)))


def l2i(x: ArrayInput, y: ArrayInput) -> float:
    r"""Mean distance of matched pairs, :math:`\frac1n\sum_i \|x_i - y_i\|` (Schrodi et al. 2025).

    Parameters
    ----------
    x, y : (n, d) array-likes, row i of one the partner of row i of the other

    Returns
    -------
    float, in the unit of the embeddings

    Raises
    ------
    InputError
        As `gap_vector`, or if the rows do not match in number.

    Examples
    --------
    >>> l2i([[0.0, 0.0], [2.0, 0.0]], [[0.0, 1.0], [2.0, 3.0]])
    2.0
    """
    first, second = two_sets(x, y, paired=True)
    return float(torch.linalg.vector_norm(first - second, dim=1).mean())


def matched_cosine(x: ArrayInput, y: ArrayInput) -> float:
    r"""Mean cosine of matched pairs, :math:`\frac1n\sum_i \cos(x_i, y_i)`.

    For CLIP this is small (0.2 to 0.35), because the gap keeps even partners apart.

    Parameters
    ----------
    x, y : (n, d) array-likes, row i of one the partner of row i of the other

    Returns
    -------
    float in [-1, 1]

    Raises
    ------
    InputError
        As `l2i`, or if a row is zero.

    Examples
    --------
    >>> matched_cosine([[1.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [3.0, 0.0]])
    0.5
    """
    first, second = two_sets(x, y, paired=True)
    return float((unit_rows(first, "x") * unit_rows(second, "y")).sum(1).mean())


def rmg_from_cosines(
    matched: float, within_x: float, within_y: float, *, rounding: float = FEW_ROUNDINGS
) -> float:
    """RMG from the three mean cosines it depends on, with δ = (1 − cos)/2."""
    between, inside = (1 - matched) / 2, ((1 - within_x) / 2 + (1 - within_y) / 2) / 2
    # Cosines of one direction are 1 but for rounding.
    return max(between, 0.0) / (between + inside) if between + inside > rounding else float("nan")


def rmg(x: ArrayInput, y: ArrayInput) -> float:
    r"""Relative modality gap: distance of partners against the distance inside a modality.

    .. math::
        \mathrm{RMG} = \frac{m}{m + (\bar\delta_{xx} + \bar\delta_{yy})/2}, \qquad
        \delta(a, b) = \frac{1 - \cos(a, b)}{2},

    with m the mean of δ over matched pairs and :math:`\bar\delta_{xx}` its mean over i ≠ j inside x
    (Schrodi et al. 2025). 0 means that partners coincide, 1/2 that partners are as far apart as two
    strangers of one modality, 1 that each modality is a point.

    Parameters
    ----------
    x, y : (n, d) array-likes with n ≥ 2, row i of one the partner of row i of the other

    Returns
    -------
    float in [0, 1]; NaN if all embeddings are one and the same direction, to rounding

    Raises
    ------
    InputError
        As `matched_cosine`, or for fewer than two pairs.

    Examples
    --------
    >>> rmg([[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]])
    0.5
    """
    first, second = two_sets(x, y, paired=True)
    if len(first) < 2:
        raise InputError("rmg needs at least two pairs: it compares partners with strangers")
    first, second = unit_rows(first, "x"), unit_rows(second, "y")
    within = (cone_from_moments(len(unit), unit.sum(0), None).mean_cosine for unit in (first, second))
    return rmg_from_cosines(float((first * second).sum(1).mean()), *within)


def linear_separability(
    x: ArrayInput, y: ArrayInput, *, folds: int = 5, seed: int = 0, return_correct: bool = False
) -> Any:
    """Held-out accuracy of a linear classifier that tells the two modalities apart.

    Logistic regression, cross-validated: every row is judged by a classifier that never saw it, nor, for
    matched sets, its partner. In-sample accuracy would say little: in d dimensions any d + 1 points in
    general position are linearly separable, whatever their labels.

    Parameters
    ----------
    x : (n, d) array-like, the gallery
    y : (m, d) array-like, the queries; with m = n row i is taken for the partner of row i of ``x``
    folds : number of cross-validation folds
    seed : seed of the split
    return_correct : also return, for each of the n + m rows, whether it was told rightly

    Returns
    -------
    float in [0, 1], the mean of both modalities' accuracies (0.5 = indistinguishable); with ``return_correct``
    also an (n + m,) boolean array, rows of ``x`` first

    Raises
    ------
    InputError
        If a modality has fewer rows than there are folds.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> linear_separability(rng.standard_normal((50, 3)) + [9, 0, 0], rng.standard_normal((50, 3)))
    1.0
    """
    from sklearn.linear_model import LogisticRegression  # slow to import, and rarely needed

    first, second = two_sets(x, y)
    n, m = len(first), len(second)
    folds = check_whole(folds, "folds", least=2)
    if folds > min(n, m):
        raise InputError(f"folds must be at most the rows of the smaller set, {min(n, m)}; got {folds}")
    rng = np.random.default_rng(check_seed(seed))
    fold_of_x = rng.permutation(n) % folds
    fold_of_y = fold_of_x if m == n else rng.permutation(m) % folds
    fold = np.concatenate([fold_of_x, fold_of_y])
    rows = torch.cat([first, second]).cpu().numpy()
    side = np.repeat([0, 1], [n, m])
    correct = np.zeros(n + m, dtype=bool)
    for held_out in range(folds):
        seen = fold != held_out
        mean, scale = rows[seen].mean(0), rows[seen].std() or 1.0
        model = LogisticRegression(class_weight="balanced", C=100.0, max_iter=1000)
        model.fit((rows[seen] - mean) / scale, side[seen])
        correct[~seen] = model.predict((rows[~seen] - mean) / scale) == side[~seen]
    accuracy = float((correct[:n].mean() + correct[n:].mean()) / 2)
    return (accuracy, like(torch.from_numpy(correct), x, y)) if return_correct else accuracy


def gap_axes(
    x: ArrayInput, y: ArrayInput, *, across: int = 1, spread_of: tuple[ArrayInput, ArrayInput] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Axes in which a gap can be seen: along it, then the leading components orthogonal to it.

    Without a gap the leading components of both modalities together take over; where nothing else varies, any axes do.

    Parameters
    ----------
    x, y : (n, d) and (m, d) array-like, texts and images
    across : how many components beside the gap
    spread_of : two modalities whose components to take, each about its own mean, instead of those of x and y

    Returns
    -------
    (d, 1 + across) orthonormal axes as columns, and the (d,) origin half-way between the two means

    Raises
    ------
    InputError
        As `gap_vector`, or if the space has fewer dimensions than there are axes.

    Examples
    --------
    >>> axes, origin = gap_axes([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]], [[4.0, 1.0, 0.0], [4.0, -1.0, 0.0]])
    >>> np.abs(axes.T).round(6) + 0.0, origin
    (array([[1., 0., 0.],
           [0., 1., 0.]]), array([2., 0., 0.]))
    """
    across = check_whole(across, "across", least=0)
    sides = two_sets(x, y)
    texts, images = (z.cpu().numpy() for z in sides)
    g = images.mean(0) - texts.mean(0)
    if across >= len(g):
        raise InputError(f"across must be below the dimension, {len(g)}; got {across}")
    origin = (texts.mean(0) + images.mean(0)) / 2
    clouds = [texts, images]
    if spread_of is not None:
        if not isinstance(spread_of, tuple | list) or len(spread_of) != 2:
            raise InputError(f"spread_of must be two matrices (x, y); got {one_line(spread_of)}")
        clouds = [z.cpu().numpy() for z in two_sets(*spread_of)]
        check_same_width(clouds[0], "spread_of", texts, "x")
    within = np.concatenate([z - z.mean(0) for z in clouds])
    length = 0.0 if only_rounding(torch.from_numpy(g), *sides) else float(np.linalg.norm(g))
    along = [g / length] if length else []
    count = 1 + across - len(along)
    if along:
        within = within - np.outer(within @ g, g) / length**2
    # What is no longer than this is rounding, which may point along the gap as well.
    rounding = FEW_ROUNDINGS * max(float(np.linalg.norm(z)) for z in clouds)
    if count == 1 and min(within.shape) > 2 and np.linalg.norm(within) > rounding:
        from scipy.sparse.linalg import svds  # finds one component ten times as fast as all

        _, sizes, leading = svds(within, k=1, v0=np.ones(min(within.shape)), return_singular_vectors="vh")
    else:
        _, sizes, leading = np.linalg.svd(within, full_matrices=False)
    known = [*along, *leading[:count][sizes[:count] > rounding]]
    if len(known) <= across:  # the others: any that are orthogonal to these
        known += list(np.linalg.svd(np.stack([*known, np.zeros(len(g))]))[2][len(known) : 1 + across])
    return np.column_stack(known), origin
