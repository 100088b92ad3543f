"""What weights give for all bootstrap samples at once is what each sample gives, taken row by row."""

import numpy as np
import pytest

from gapkit.errors import InputError
from gapkit.geometry import relative_variance, subspace_share
from gapkit.geometry.resampled import draw_weights, resampled_shares, resampled_variances


def rows_of(weights: np.ndarray) -> np.ndarray:
    """The rows that were drawn, as often as they were drawn."""
    times = (weights * len(weights)).round().astype(int)
    return np.repeat(np.arange(len(weights)), times)


@pytest.fixture
def sampled(rng):
    """Forty rows in twelve dimensions far from the origin, weights of thirty samples, a direction for each."""
    z = rng.standard_normal((40, 12)) * np.geomspace(5, 0.05, 12) + 10
    return z, rng.standard_normal((31, 12)), draw_weights(40, resamples=30, seed=4)


def test_weights_are_counts_that_keep_the_groups(rng):
    groups = rng.integers(3, size=50)
    weights = draw_weights(50, groups=groups, resamples=200)
    counts = weights * 50
    assert counts == pytest.approx(counts.round(), abs=1e-9)
    assert (counts[0] == 1).all()
    for group in range(3):
        assert counts[:, groups == group].sum(1) == pytest.approx((groups == group).sum())
    assert counts[1:].mean(0) == pytest.approx(1, abs=0.35)
    assert not np.allclose(weights[1], weights[2])


def test_weights_repeat_with_their_seed():
    assert (draw_weights(9, resamples=3, seed=1) == draw_weights(9, resamples=3, seed=1)).all()
    assert (draw_weights(9, resamples=3, seed=1) != draw_weights(9, resamples=3, seed=2)).any()


def test_variances_are_those_of_the_repeated_rows(sampled):
    z, directions, weights = sampled
    expected = [relative_variance(z[rows_of(w)], g) for w, g in zip(weights, directions, strict=True)]
    assert resampled_variances(z, directions, weights) == pytest.approx(expected, rel=1e-9)


def test_shares_are_those_of_the_repeated_rows(sampled):
    z, directions, weights = sampled
    ks = [0, 1, 3, 7, 12, 40]
    expected = [subspace_share(z[rows_of(w)], g, ks) ** 2 for w, g in zip(weights, directions, strict=True)]
    assert resampled_shares(z, directions, weights, ks) == pytest.approx(np.array(expected), abs=1e-9)


def test_shares_know_the_rank_of_a_sample_with_fewer_rows_than_dimensions(rng):
    z, directions = rng.standard_normal((10, 30)), rng.standard_normal((21, 30))
    weights = draw_weights(10, resamples=20)
    ks = [2, 5, 9, 30]
    expected = [subspace_share(z[rows_of(w)], g, ks) ** 2 for w, g in zip(weights, directions, strict=True)]
    found = resampled_shares(z, directions, weights, ks)
    assert found == pytest.approx(np.array(expected), abs=1e-9)
    assert (found[1:, -1] < 1).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda z, g, w: resampled_variances(z, g[:, :2], w), "same dimension"),
        (lambda z, g, w: resampled_variances(z, g, w[:, :-1]), "a column for each row of z"),
        (lambda z, g, w: resampled_shares(z, 0 * g, w, [1]), "must not be zero"),
        (lambda z, g, w: draw_weights(4, groups=[0, 1]), "one group for each of 4 rows"),
        (lambda z, g, w: draw_weights(0), "at least 1"),
    ],
)
def test_bad_input_is_named(sampled, call, message):
    with pytest.raises(InputError, match=message):
        call(*sampled)
