"""Two candidates, a query above them, and the boundary between the candidates under noise: Theorem 3.4 as a picture.

The candidates lie at (∓half_width, 0, …), the query at (-margin, …, gap): the left candidate is its answer, whatever the
gap. All lengths are in the unit of the embeddings.
"""

from typing import Any

import numpy as np

from gapkit._arrays import LARGEST
from gapkit._options import Number, check_number, check_room, check_seed, check_whole


def boundary_scene(
    gap: Number, *, half_width: Number = 0.5, margin: Number = 0.15, dimension: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """The two candidates and the query whose answer noise may change (Theorem 3.4: the farther, the likelier).

    Parameters
    ----------
    gap : distance of the query from the candidates' line, at least 0
    half_width : half the distance between the candidates
    margin : how far the query lies on its answer's side of the boundary
    dimension : d, at least 2

    Returns
    -------
    (2, d) candidates, the answer first, and (1, d) query

    Raises
    ------
    InputError
        If the gap is negative, half_width or margin not positive, or d below 2.

    Examples
    --------
    >>> candidates, query = boundary_scene(1.0)
    >>> query.tolist()
    [[-0.15, 1.0]]
    """
    gap = check_number(gap, "gap", least=0.0, most=LARGEST)
    half_width = check_number(half_width, "half_width", above=0.0, most=LARGEST)
    margin = check_number(margin, "margin", above=0.0, most=LARGEST)
    dimension = check_whole(dimension, "dimension", least=2)
    check_room("2 × dimension", 2, dimension)
    candidates, query = np.zeros((2, dimension)), np.zeros((1, dimension))
    candidates[:, 0] = -half_width, half_width
    query[0, 0], query[0, -1] = -margin, gap
    return candidates, query


def sweep_boundary(
    gap: Number, sigma: Number, *, draws: int = 60, seed: int = 0, **scene: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Noisy candidates, and for each draw whether their boundary still leaves the query its answer.

    Parameters
    ----------
    gap : distance of the query from the candidates' line
    sigma : standard deviation of the noise on each coordinate of each candidate
    draws : how many
    seed : seed of the draws
    **scene : half_width, margin and dimension, as for `boundary_scene`

    Returns
    -------
    (draws, 2, d) noisy candidates, and (draws,) bool

    Examples
    --------
    >>> near, far = (sweep_boundary(gap, 0.2, draws=5000)[1].mean() for gap in (0.0, 2.0))
    >>> bool(near > far)
    True
    """
    candidates, query = boundary_scene(gap, **scene)
    draws = check_whole(draws, "draws")
    check_room("draws × candidates × dimension", draws, *candidates.shape)
    noise = np.random.default_rng(check_seed(seed)).standard_normal((draws, *candidates.shape))
    noisy = candidates + check_number(sigma, "sigma", least=0.0, most=LARGEST) * noise
    distances = ((noisy - query) ** 2).sum(-1)
    return noisy, distances[:, 0] <= distances[:, 1]
