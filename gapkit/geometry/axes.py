"""The axes in which a gap can be seen: along it, and across."""

import numpy as np

from gapkit._arrays import ArrayInput, as_matrix
from gapkit._options import check_whole, one_line
from gapkit.errors import InputError
from gapkit.geometry.gap import two_sets


def _clouds(spread_of, d: int) -> list[np.ndarray]:
    if not isinstance(spread_of, tuple | list) or len(spread_of) != 2:
        raise InputError(f"spread_of must be two matrices (x, y); got {one_line(spread_of)}")
    clouds = [as_matrix(z, f"spread_of[{i}]").cpu().numpy() for i, z in enumerate(spread_of)]
    if any(z.shape[1] != d for z in clouds):
        raise InputError(
            f"spread_of must have the dimension of x and y, {d}; got {[z.shape for z in clouds]}"
        )
    return clouds


def gap_axes(
    x: ArrayInput, y: ArrayInput, *, across: int = 1, spread_of: tuple[ArrayInput, ArrayInput] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Axes in which a gap can be seen: along it, then the leading components orthogonal to it.

    Without a gap the leading components of both modalities together take over.

    Parameters
    ----------
    x, y : (n, d) and (m, d) array-like, texts and images
    across : how many components beside the gap
    spread_of : two modalities whose components to take, each about its own mean, instead of those of x and y

    Returns
    -------
    (d, 1 + across) orthonormal axes as columns, and the (d,) origin half-way between the two means

    Examples
    --------
    >>> axes, origin = gap_axes([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]], [[4.0, 1.0, 0.0], [4.0, -1.0, 0.0]])
    >>> np.abs(axes.T).round(6) + 0.0, origin
    (array([[1., 0., 0.],
           [0., 1., 0.]]), array([2., 0., 0.]))
    """
    across = check_whole(across, "across", least=0)
    texts, images = (z.cpu().numpy() for z in two_sets(x, y))
    g = images.mean(0) - texts.mean(0)
    origin = (texts.mean(0) + images.mean(0)) / 2
    clouds = [texts, images] if spread_of is None else _clouds(spread_of, texts.shape[1])
    within = np.concatenate([z - z.mean(0) for z in clouds])
    length = float(np.linalg.norm(g))
    if length <= 1e-12:
        return np.linalg.svd(within, full_matrices=False)[2][: 1 + across].T, origin
    within = within - np.outer(within @ g, g) / length**2
    if across == 1 and min(within.shape) > 2:
        from scipy.sparse.linalg import svds  # finds one component ten times as fast as all

        leading = svds(within, k=1, v0=np.ones(min(within.shape)), return_singular_vectors="vh")[2]
    else:
        leading = np.linalg.svd(within, full_matrices=False)[2][:across]
    return np.column_stack([g / length, *leading]), origin
