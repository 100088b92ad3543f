import numpy as np
import pytest
from scipy import stats

from gapkit.experiments.intervals import Resamples


def test_width_is_that_of_the_normal_theory():
    values = np.random.default_rng(0).standard_normal(400)
    value, low, high = Resamples(400, seed=0, draws=4000).mean(values)
    expected = 2 * stats.norm.ppf(0.975) * values.std() / 20
    assert value == pytest.approx(values.mean(), abs=1e-12)
    assert high - low == pytest.approx(expected, rel=0.06)


def test_differences_are_paired():
    """Large values that differ by a constant: the difference is known exactly, the means are not."""
    before = np.random.default_rng(1).standard_normal(50) * 10
    resamples = Resamples(50, seed=0)
    value, low, high = resamples.difference(before + 0.5, before)
    assert max(abs(value - 0.5), abs(low - 0.5), abs(high - 0.5)) < 1e-12
    assert resamples.mean(before).high - resamples.mean(before).low > 1


def test_groups_are_drawn_together():
    """Ten copies of each of 30 values say no more than the 30 values do."""
    values = np.random.default_rng(2).standard_normal(30)
    alone = Resamples(30, seed=0, draws=4000).mean(values)
    copies = Resamples(300, groups=np.repeat(np.arange(30), 10), seed=0, draws=4000).mean(
        np.repeat(values, 10)
    )
    naive = Resamples(300, seed=0, draws=4000).mean(np.repeat(values, 10))
    assert copies.high - copies.low == pytest.approx(alone.high - alone.low, rel=0.06)
    assert naive.high - naive.low < 0.5 * (alone.high - alone.low)


def test_groups_of_different_size_weigh_by_their_rows():
    groups = ["a"] * 9 + ["b"]
    value, low, high = Resamples(10, groups=groups, seed=0).mean([0.0] * 9 + [1.0])
    assert (value, low, high) == (pytest.approx(0.1), 0.0, 1.0)


def test_same_seed_same_interval():
    values = np.random.default_rng(3).random(40)
    assert Resamples(40, seed=5).mean(values) == Resamples(40, seed=5).mean(values)
    assert Resamples(40, seed=5).mean(values) != Resamples(40, seed=6).mean(values)
