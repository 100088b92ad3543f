"""Choosing a closer's setting by a criterion: the most robust one that keeps enough answers."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid
from torch import Tensor

from gapkit._arrays import ArrayInput
from gapkit._options import Number, check_number, one_line
from gapkit.closing.base import Closer
from gapkit.errors import InputError
from gapkit.geometry.neighbours import nearest


class Selection(NamedTuple):
    """The chosen closer, fitted, and what every setting came to."""

    closer: Closer
    """The most robust setting among those with enough agreement."""
    table: list[dict]
    """One row a setting: its hyperparameters, ``agreement`` and ``robustness``."""


def select_closer(
    closer: Closer,
    X: ArrayInput,
    Y: ArrayInput,
    grid: Any,
    *,
    robustness: Callable,
    agreement: Number = 0.99,
    metric: str = "euclidean",
) -> Selection:
    """The most robust setting of a closer that keeps at least a given share of the untouched answers.

    Every setting is fitted on the untouched data. Only closers whose gallery map is a translation (or leaves the
    gallery alone) can be compared this way: others rescale or turn the noise as well.

    Parameters
    ----------
    closer : Closer, its hyperparameters outside the grid are kept
    X : (K, d) array-like, the gallery
    Y : (m, d) array-like, the queries
    grid : dict of lists, or a list of such, as `sklearn.model_selection.ParameterGrid` takes it
    robustness : called as ``robustness(queries, gallery)`` with the moved matrices, gives one probability a query;
        for example ``functools.partial(gapkit.robustness, sigma=0.02)``. It must use the same ``metric``
    agreement : least share of queries that keep their untouched nearest neighbour
    metric : the metric of those neighbours

    Returns
    -------
    Selection (closer, table); of equally robust settings the first in the grid's order

    Raises
    ------
    InputError
        If the grid is none of the closer's, no setting keeps enough answers, the closer rescales or turns the
        gallery, or a robustness is not finite.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> texts, images = rng.standard_normal((5, 16)), rng.standard_normal((40, 16)) + 3
    >>> farness = lambda queries, gallery: -np.linalg.norm(queries[:, None] - gallery, axis=2).min(1)
    >>> from gapkit.closing import GapCloser
    >>> chosen = select_closer(GapCloser(), texts, images, {"alpha": [0.0, 0.5, 1.0]}, robustness=farness)
    >>> chosen.closer.alpha
    1.0
    """
    least = check_number(agreement, "agreement", least=0.0)
    untouched = _numbers(nearest(Y, X, metric=metric))
    settings, fitted = [], []
    for parameters in _settings(grid, closer):
        candidate = clone(closer).set_params(**parameters).fit(X, Y)
        if candidate.linear_part("gallery") is not None:
            name = type(candidate).__name__
            raise InputError(f"{name} rescales or turns the gallery and its noise; take one that shifts")
        gallery, queries = candidate.transform_pair(X, Y)
        same = float((_numbers(nearest(queries, gallery, metric=metric)) == untouched).mean())
        value = float(_numbers(robustness(queries, gallery)).mean())
        if not np.isfinite(value):
            raise InputError(f"robustness must give finite numbers; their mean is {value} for {parameters}")
        settings.append({**parameters, "agreement": same, "robustness": value})
        fitted.append(candidate)
    allowed = [i for i, row in enumerate(settings) if row["agreement"] >= least]
    if not allowed:
        best = max((row["agreement"] for row in settings), default=0.0)
        raise InputError(f"no setting keeps {least:g} of the answers; the best keeps {best:.4g}; ask less")
    return Selection(fitted[max(allowed, key=lambda i: settings[i]["robustness"])], settings)


def _numbers(values) -> np.ndarray:
    return np.asarray(values.cpu() if isinstance(values, Tensor) else values)


def _settings(grid, closer: Closer) -> ParameterGrid:
    """The settings of the grid, once scikit-learn takes all of them: before anything is fitted."""
    try:
        settings = ParameterGrid(grid)
        for parameters in settings:
            clone(closer).set_params(**parameters)
        if not settings:
            raise ValueError("there is no setting")
    except (TypeError, ValueError, RecursionError) as fault:
        got = f"got {one_line(grid)}: {' '.join(str(fault).split())}"
        raise InputError(f"grid must be a dict of lists, as {{'alpha': [0, 1]}}, or several; {got}") from None
    return settings
