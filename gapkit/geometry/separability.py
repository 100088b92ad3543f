"""Can a straight cut tell the modalities apart, on rows it has never seen?"""

import numpy as np
import torch

from gapkit._arrays import like
from gapkit.errors import InputError
from gapkit.geometry.gap import two_sets


def linear_separability(x, y, *, folds: int = 5, seed: int = 0, return_correct: bool = False):
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
    if not 2 <= folds <= min(n, m):
        raise InputError(
            f"folds must lie between 2 and the rows of the smaller set, {min(n, m)}; got {folds}"
        )
    rng = np.random.default_rng(seed)
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
