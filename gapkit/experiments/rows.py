"""One builder for the rows of every table that counts answers, so that all of them have the same columns.

`TIDY` is what a reader may rely on: where a row comes from, what was done to the embeddings, and four means over
queries, each with its interval. `robustness` is the share of answers that survive the perturbation, and `agreement`
that of the *clean* answers which closing leaves as they were.
"""

from collections.abc import Mapping

import numpy as np

from gapkit.experiments.intervals import Resamples, columns
from gapkit.experiments.levels import Level

MEANS = ("clean_accuracy", "noisy_accuracy", "agreement", "robustness")
TIDY = (
    *("model", "dataset", "task", "closer", "alpha", "noise", "metric"),
    *(f"{name}{end}" for name in MEANS for end in ("", "_low", "_high")),
    *("queries", "seed"),
)
"""Columns that every table about answers has."""
GAUSSIAN = "gaussian"


def tidy_row(
    setting: Mapping,
    resamples: Resamples,
    *,
    clean,
    noisy,
    agrees,
    survives,
    untouched=None,
    seed: int,
) -> dict:
    """One row of a tidy table, from what is known of every query.

    Parameters
    ----------
    setting : the columns that say what was measured: model, dataset, task, closer, alpha, noise, metric, …
    resamples : the queries that all intervals share
    clean : (m,) 1 where the clean answer is the right one
    noisy : (m,) probability that the answer after the perturbation is the right one
    agrees : (m,) 1 where the clean answer is that of the untouched embeddings
    survives : (m,) probability that the clean answer survives the perturbation
    untouched : (m,) the same with nothing moved; gives the column ``gain``, paired
    seed : of everything random in the row

    Examples
    --------
    >>> setting = dict.fromkeys(TIDY[:7], "…")
    >>> row = tidy_row(setting, Resamples(2), clean=[1, 1], noisy=[1, 0.5], agrees=[1, 1], survives=[1, 0.5], seed=0)
    >>> row["clean_accuracy"], row["noisy_accuracy"], set(row) >= set(TIDY)
    (1.0, 0.75, True)
    """
    given = zip(MEANS, (clean, noisy, agrees, survives), strict=True)
    row = dict(setting)
    for name, values in given:
        row |= columns(name, resamples.mean(values))
    if untouched is not None:
        row |= columns("gain", resamples.difference(survives, untouched))
    return row | {"queries": len(survives), "seed": seed}


def level_columns(level: Level, gallery: np.ndarray) -> dict:
    """A level of Gaussian noise: its name, σ per coordinate, and the noise's length σ√d over the gallery's spread.

    The spread is the root mean square distance of the gallery's rows from their mean, so that noise can be compared
    between galleries, and between galleries before and after something that rescales them.

    >>> found = level_columns(Level("weak", 0.1), np.array([[1.0, 0.0], [-1.0, 0.0]]))
    >>> round(found["sigma_over_spread"], 3)
    0.141
    """
    spread = float(np.sqrt(gallery.var(axis=0).sum()))
    return {
        "level": level.name,
        "sigma_per_coordinate": level.sigma,
        "sigma_over_spread": level.sigma * gallery.shape[1] ** 0.5 / spread if spread > 0 else float("nan"),
    }
