"""Cone, effective rank, separability, against their definitions."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import entropy

from gapkit.errors import InputError
from gapkit.geometry import cone_statistics, linear_separability
from gapkit.geometry.shape import effective_rank


@pytest.mark.parametrize("shape", [(30, 5), (5, 30), (2, 2)])
def test_cone_from_sums_equals_all_pairs(rng, shape):
    z = rng.standard_normal(shape) + 0.7
    cosines = 1 - pdist(z, "cosine")
    cone = cone_statistics(z)
    assert cone.mean_cosine == pytest.approx(cosines.mean(), abs=1e-12)
    assert cone.std_cosine == pytest.approx(cosines.std(), abs=1e-7)
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    assert cone.resultant == pytest.approx(np.linalg.norm(unit.mean(0)), abs=1e-12)


def test_effective_rank_is_the_exponential_entropy_of_singular_values(rng):
    z = rng.standard_normal((40, 6)) * [4, 2, 1, 1, 1, 0.1]
    values = np.linalg.svd(z - z.mean(0), compute_uv=False)
    assert effective_rank(z) == pytest.approx(np.exp(entropy(values)), rel=1e-12)
    with pytest.raises(InputError, match="rows that differ"):
        effective_rank(np.ones((3, 2)))


def test_separability_is_measured_on_held_out_rows(rng):
    # 40 points in 100 dimensions: any labels separate in-sample, none out of it.
    x, y = rng.standard_normal((2, 40, 100))
    assert linear_separability(x, y) == pytest.approx(0.5, abs=0.15)


def test_separability_sees_a_real_gap_and_weighs_the_sides_alike(rng):
    x, y = rng.standard_normal((20, 5)) * 0.1 + 1, rng.standard_normal((200, 5)) * 0.1
    accuracy, correct = linear_separability(x, y, return_correct=True)
    assert accuracy == 1
    assert correct.shape == (220,)
    assert correct.dtype == bool
    same, other = rng.standard_normal((20, 5)), rng.standard_normal((400, 5))
    assert linear_separability(same, other) == pytest.approx(0.5, abs=0.2)  # not 400/420


def test_separability_keeps_partners_in_one_fold(rng):
    # y is x with tiny noise: a partner in the training fold would not help, but must not leak either way.
    x = rng.standard_normal((30, 60))
    assert linear_separability(x, x + 1e-9 * rng.standard_normal((30, 60))) <= 0.6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cone_statistics([[1.0, 2.0]]), "at least two rows"),
        (lambda: effective_rank([[1.0, 2.0]]), "at least two rows"),
        (
            lambda: linear_separability(np.ones((3, 2)), np.ones((9, 2))),
            "folds must be at most the rows of the smaller set",
        ),
        (lambda: cone_statistics(np.zeros((3, 2))), "zero row"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
