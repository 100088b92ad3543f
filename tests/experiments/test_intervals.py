import numpy as np
import pytest
from scipy import stats

from gapkit.geometry import Resamples
from gapkit.geometry.bootstrap import percentile_interval


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


def test_ends_that_are_zero_but_for_rounding_are_zero():
    """Else the sign of 1e-18 would decide a verdict, differently on another machine."""
    assert percentile_interval(2e-18, np.array([-2e-18, 3e-18])) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("n", [20, 360])
def test_no_event_among_n_does_not_prove_that_there_are_none(n):
    resamples = Resamples(n, seed=0)
    doubt = stats.binomtest(0, n).proportion_ci(0.95, method="exact").high
    assert resamples.share(np.zeros(n)) == (0.0, 0.0, pytest.approx(doubt))
    assert resamples.share(np.ones(n)) == (1.0, pytest.approx(1 - doubt), 1.0)
    some = (np.arange(n) < n // 2).astype(float)
    assert resamples.share(some) == resamples.mean(some)


def test_same_seed_same_interval():
    values = np.random.default_rng(3).random(40)
    assert Resamples(40, seed=5).mean(values) == Resamples(40, seed=5).mean(values)
    assert Resamples(40, seed=5).mean(values) != Resamples(40, seed=6).mean(values)
