"""Where free embeddings can start from: each start isolates one suspected cause of the gap.

| start | what it isolates |
|---|---|
| ``cones`` | tight clusters far apart: what randomly initialised towers give (Liang et al. 2022) |
| ``isotropic`` | wide clusters, as wide as their distance: no narrow cone, no collapsed dimension |
| ``collapsed`` | each modality inside its own few dimensions: dimensional collapse |
| ``no-gap`` | both modalities around one centre |
| ``mismatched`` | cones with one common shape in which every partner is wrong |

Gap and spread can be set apart from the start's usual values: a collapsed start without a gap, say.
"""

import numpy as np

from gapkit._arrays import LARGEST, normalise_rows
from gapkit._options import Number, check_choice, check_number, check_room, check_seed, check_whole
from gapkit.errors import InputError

STARTS = ("cones", "isotropic", "collapsed", "no-gap", "mismatched")
"""The names `starting_pairs` knows."""

_USUAL_SPREAD = {"isotropic": 0.25, "collapsed": 0.1, "no-gap": 0.1}
_TIGHT = 0.02


def usual_gap_and_spread(start: str) -> tuple[float, float]:
    """The gap and the spread that a start has unless told otherwise.

    >>> usual_gap_and_spread("cones"), usual_gap_and_spread("no-gap")
    ((1.0, 0.02), (0.0, 0.1))
    """
    check_choice(start, "start", STARTS)
    return (0.0 if start == "no-gap" else 1.0), _USUAL_SPREAD.get(start, _TIGHT)


def starting_pairs(
    start: str = "cones",
    *,
    n: Number = 200,
    d: Number = 16,
    gap: Number | None = None,
    spread: Number | None = None,
    collapsed_to: Number | None = None,
    sphere: bool = False,
    seed: Number = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Texts and images before training, drawn around two centres that lie ``gap`` apart.

    The centres are ∓gap/2 on the first axis. On the sphere 1 is added to the second coordinate of all
    points and the rows are normalised, which makes two cones out of two clusters.

    Parameters
    ----------
    start : "cones", "isotropic", "collapsed", "no-gap" or "mismatched"
    n : number of pairs
    d : dimensions
    gap : distance of the centres before normalisation; usually 1, for "no-gap" 0
    spread : standard deviation of each coordinate; usually 0.02 for cones and mismatched, 0.1 for
        collapsed and no-gap, 0.25 for isotropic
    collapsed_to : dimensions each modality keeps in the collapsed start; usually d // 4
    sphere : whether to put the points on the unit sphere
    seed : seed of the draw

    Returns
    -------
    x, y : two (n, d) float64 arrays, texts and images

    Raises
    ------
    InputError
        For unknown names, numbers of pairs or dimensions that are not whole, negative spreads or seeds.

    Examples
    --------
    >>> x, y = starting_pairs("cones", n=100, d=8, sphere=True)
    >>> round(float(np.linalg.norm(y.mean(0) - x.mean(0))), 1), round(float(np.linalg.norm(x[0])), 6)
    (0.9, 1.0)
    """
    usual_gap, usual_spread = usual_gap_and_spread(start)
    n, d = check_whole(n, "n", least=2), check_whole(d, "d", least=2)
    check_room("pairs × dimensions", 2, n, d)
    gap = check_number(usual_gap if gap is None else gap, "gap", least=0.0, most=LARGEST)
    spread = check_number(usual_spread if spread is None else spread, "spread", least=0.0, most=LARGEST)
    rng = np.random.default_rng(check_seed(seed))
    x, y = spread * rng.standard_normal((2, n, d))
    if start == "collapsed":
        kept = max(1, d // 4) if collapsed_to is None else check_whole(collapsed_to, "collapsed_to")
        if kept > d // 2:
            raise InputError(f"collapsed_to must lie in 1 … {d // 2} (d // 2); got {collapsed_to}")
        x[:, kept:] = 0
        y[:, : d - kept] = 0
    elif collapsed_to is not None:
        raise InputError(f"collapsed_to belongs to start='collapsed'; got start={start!r}")
    if start == "mismatched":
        y = np.roll(x, 1, axis=0)
    x[:, 0] -= gap / 2
    y[:, 0] += gap / 2
    if sphere:
        x[:, 1] += 1
        y[:, 1] += 1
        x, y = normalise_rows(x), normalise_rows(y)
    return x, y
