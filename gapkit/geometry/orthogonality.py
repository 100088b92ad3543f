"""Is the gap orthogonal to what varies inside a modality (Assumption 3.3)? And what would chance say?

Two views: the variance along the gap against the variance along any other direction, and the share of
the gap that lies inside a modality's leading principal components. Each comes with its chance band,
because in d dimensions a random direction is nearly orthogonal to any small subspace.
"""

import functools
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from gapkit._arrays import (
    ArrayInput,
    ArrayLike,
    as_array,
    as_index,
    as_matrix,
    as_tensor,
    as_vector,
    check_same_width,
    like,
    row_lengths,
)
from gapkit._options import Number, check_number, check_room, check_seed, check_whole, one_line
from gapkit.errors import InputError
from gapkit.geometry.bootstrap import both_tails
from gapkit.geometry.shape import principal_directions, spread


class Band(NamedTuple):
    """A range that chance alone would give: the central value and the two ends."""

    centre: float
    low: float
    high: float


Place = Literal["below", "inside", "above", "cannot tell"]


def place_in_band(low: Number, high: Number, band: Band) -> Place:
    """Where a whole interval lies in a band of chance; *cannot tell* if it straddles one of the band's edges.

    *below* is the *yes* of the rule `gapkit.claims.rules.BelowBand`.

    Parameters
    ----------
    low, high : the ends of the interval (of a 95 % confidence interval, for example)
    band : Band, of `relative_variance_band` or `subspace_share_chance`

    Returns
    -------
    "below", "inside", "above" or "cannot tell"

    Raises
    ------
    InputError
        If the ends are not finite, or low lies above high.

    Examples
    --------
    >>> band = Band(1.0, 0.3, 2.1)
    >>> [place_in_band(low, low + 0.2, band) for low in (0.05, 0.2, 0.9, 2.5)]
    ['below', 'cannot tell', 'inside', 'above']
    """
    low, high = check_number(low, "low"), check_number(high, "high")
    if not isinstance(band, Band):
        raise InputError(f"band must be a Band, as relative_variance_band gives it; got {one_line(band)}")
    if low > high:
        raise InputError(f"low must not lie above high; got {low:g} and {high:g}")
    if high < band.low:
        return "below"
    if low > band.high:
        return "above"
    return "inside" if low >= band.low and high <= band.high else "cannot tell"


def _direction(z: Tensor, direction) -> Tensor:
    vector = as_vector(direction, "direction").to(z.device)
    check_same_width(z, "z", vector, "direction")
    length = row_lengths(vector[None])[0]
    if length == 0:
        raise InputError("direction must not be zero")
    return vector / length


def _relative_variances(centred: Float[Tensor, "n d"], units: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
    return (centred @ units.T).square().sum(0) / (centred.square().sum() / centred.shape[1])


def relative_variance(z: ArrayInput, direction: ArrayInput) -> float:
    r"""Variance of one modality along a direction, relative to an isotropic cloud of the same total variance.

    .. math:: \frac{\operatorname{Var}\big((z - \mu_z)\cdot g / \|g\|\big)}{\operatorname{tr}\operatorname{Cov}(z) / d}

    1 means as much as in an average direction, 0 that z does not vary along g at all (Assumption 3.3 of
    Chowers et al. 2026 holds exactly), above 1 that g is one of the directions z varies along the most.

    Parameters
    ----------
    z : (n, d) array-like, one modality, n ≥ 2
    direction : (d,) array-like, for example `gap_vector(x, y)`; its length does not matter

    Returns
    -------
    float in [0, d]

    Raises
    ------
    InputError
        If the direction is zero, or the rows of z do not differ.

    Examples
    --------
    >>> relative_variance([[1.0, 0.0], [-1.0, 0.0]], [5.0, 0.0])
    2.0
    >>> relative_variance([[1.0, 0.0], [-1.0, 0.0]], [0.0, 1.0])
    0.0
    """
    centred = spread(z, what="relative_variance")
    return float(_relative_variances(centred, _direction(centred, direction)[None])[0])


def relative_variance_band(
    z: ArrayInput, *, directions: Number = 2000, confidence: Number = 0.95, seed: int = 0
) -> Band:
    """Where `relative_variance` falls for directions drawn at random: mean and central interval.

    Parameters
    ----------
    z : (n, d) array-like, one modality
    directions : how many isotropic directions are drawn
    confidence : share of them inside the band
    seed : seed of the draw

    Returns
    -------
    Band (centre, low, high); the centre is close to 1, whatever z

    Raises
    ------
    InputError
        As `relative_variance`.

    Examples
    --------
    >>> z = np.random.default_rng(0).standard_normal((500, 64))
    >>> band = relative_variance_band(z)
    >>> bool(band.low < relative_variance(z, np.eye(64)[0]) < band.high)
    True
    """
    centred = spread(z, what="relative_variance_band")
    both_tails(confidence)  # refused before anything is drawn
    rng = np.random.default_rng(check_seed(seed))
    directions = check_whole(directions, "directions")
    check_room("directions × dimensions", directions, centred.shape[1])
    units = torch.from_numpy(rng.standard_normal((directions, centred.shape[1]))).to(centred.device)
    values = _relative_variances(centred, units / torch.linalg.vector_norm(units, dim=1, keepdim=True))
    return _band_of(values.cpu().numpy(), confidence)


def _band_of(values: np.ndarray, confidence: Number) -> Band:
    return Band(float(values.mean()), *map(float, np.quantile(values, both_tails(confidence))))


def band_of_spectrum(
    variances: ArrayInput, *, directions: Number = 2000, confidence: Number = 0.95, seed: int = 0
) -> Band:
    """`relative_variance_band` from the spectrum alone: quick where that is known already.

    Random directions look the same in every basis, so they may be drawn in that of the components.

    Parameters
    ----------
    variances : (d,) array-like, variance along each component of the space, zeros included
    directions, confidence, seed : as `relative_variance_band`; the same seed draws other directions there

    Returns
    -------
    Band (centre, low, high)

    Raises
    ------
    InputError
        If a variance is negative or all are zero.

    Examples
    --------
    >>> band = band_of_spectrum(np.repeat([5.0, 0.0], [20, 492]))
    >>> print("{:.1f}, {:.1f} to {:.1f}".format(*band))
    1.0, 0.5 to 1.7
    """
    spectrum = as_vector(variances, "variances").cpu().numpy()
    if spectrum.min() < 0 or spectrum.sum() == 0:
        raise InputError("variances must not be negative, and not all of them zero")
    directions = check_whole(directions, "directions")
    check_room("directions × dimensions", directions, len(spectrum))
    values = _squares(directions, len(spectrum), check_seed(seed)) @ (spectrum / spectrum.mean())
    return _band_of(values, confidence)


@functools.lru_cache(maxsize=2)
def _squares(directions: int, dimension: int, seed: int) -> np.ndarray:
    """Squared coordinates of random unit vectors, one a row."""
    squares = np.random.default_rng(seed).standard_normal((directions, dimension)) ** 2
    return squares / squares.sum(1, keepdims=True)


def as_whole_numbers(components: ArrayInput, name: str) -> Int[Tensor, " c"]:
    """One or more whole numbers of at least 0."""
    array = as_array(components, name)
    if array.ndim == 1 and array.dtype.kind == "i" and array.size and array.min() < 0:
        raise InputError(f"{name} must be whole numbers of at least 0; got {array.min()}")
    if array.size == 0:
        raise InputError(f"{name} must not be empty")
    return as_index(array, name, below=2**63 - 1)


def subspace_share(z: ArrayInput, direction: ArrayInput, components: ArrayInput) -> float | ArrayLike:
    r"""Share of a direction inside the top-k principal components of a modality, :math:`\|V_k V_k^\top g\| / \|g\|`.

    Compare it with `subspace_share_chance`: with k = d/2 components even a random direction has 0.71 of its
    length inside.

    Parameters
    ----------
    z : (n, d) array-like, one modality
    direction : (d,) array-like, for example the gap vector; or (b, d), several directions for one look at z
    components : int or sequence of ints k; k beyond the rank of z counts as the rank

    Returns
    -------
    float in [0, 1] for one k, an array of the kind of z for several; with b directions, b rows of those

    Raises
    ------
    InputError
        If a k is negative, the direction is zero, or the rows of z do not differ.

    Examples
    --------
    >>> z = [[2.0, 0.0, 0.0], [-2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0]]
    >>> subspace_share(z, [3.0, 4.0, 0.0], [1, 2])
    array([0.6, 1. ])
    """
    matrix = as_matrix(z, "z")
    spread(matrix, what="subspace_share")
    vectors, _ = principal_directions(matrix)
    along = as_tensor(direction, "direction")
    several = along.ndim == 2
    units = torch.stack([_direction(matrix, row) for row in (along if several else [along])])
    squares = (units @ vectors.T).square().cumsum(1)
    cumulative = torch.nn.functional.pad(squares, (1, 0)).clamp(max=1).sqrt()
    one = np.ndim(as_array(components, "components")) == 0
    wanted = as_whole_numbers([components] if one else components, "components").to(matrix.device)
    shares = cumulative[:, wanted.clamp(max=len(vectors))]
    if one:
        return like(shares[:, 0], z) if several else float(shares)
    return like(shares if several else shares[0], z)


def subspace_share_chance(components: Number, dimension: Number, *, confidence: Number = 0.95) -> Band:
    r"""What `subspace_share` is for a random direction: :math:`\sqrt{k/d}` and the band around it.

    The squared share of a random direction in k of d dimensions is :math:`\mathrm{Beta}(k/2, (d-k)/2)`;
    the centre is its root mean square.

    Parameters
    ----------
    components : k, the dimension of the subspace, 0 ≤ k ≤ d
    dimension : d
    confidence : share of random directions inside the band

    Returns
    -------
    Band (centre, low, high)

    Raises
    ------
    InputError
        Unless 0 ≤ k ≤ d.

    Examples
    --------
    >>> print("{:.3f}, {:.3f} to {:.3f}".format(*subspace_share_chance(100, 512)))
    0.442, 0.386 to 0.496
    """
    from scipy.special import betaincinv  # a quarter of a second, which most who come here need not wait

    k, d = check_whole(components, "components", least=0), check_whole(dimension, "dimension")
    if k > d:
        raise InputError(f"components must lie between 0 and the dimension {d}; got {k}")
    if k in (0, d):
        return Band(float(k == d), float(k == d), float(k == d))
    ends = betaincinv(k / 2, (d - k) / 2, both_tails(confidence))
    return Band((k / d) ** 0.5, *(float(end) ** 0.5 for end in ends))


def relative_spectrum(z: ArrayInput) -> ArrayLike:
    r"""Variance of one modality along each of its principal components, relative to isotropic, largest first.

    .. math:: \lambda_i \big/ \tfrac1d \textstyle\sum_j \lambda_j

    1 is the variance an isotropic cloud of the same total variance has in every direction; `relative_variance` along a
    component is its entry here (derived).

    Parameters
    ----------
    z : (n, d) array-like, one modality, n ≥ 2

    Returns
    -------
    (min(n - 1, d),) of the kind of z, float64

    Raises
    ------
    InputError
        If the rows of z do not differ.

    Examples
    --------
    >>> relative_spectrum([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    array([1.6, 0.4])
    """
    centred = spread(z, what="relative_spectrum")
    n, d = centred.shape
    # The smaller of the two products: its eigenvalues come sooner.
    small = centred @ centred.T if n <= d else centred.T @ centred
    squares = torch.linalg.eigvalsh(small).flip(0)[: min(n - 1, d)].clamp(min=0)
    return like(squares / squares.sum() * d, z)
