import numpy as np
import pytest
from scipy import stats

from gapkit.errors import InputError
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


def test_the_corrected_gain_is_off_by_the_calibration():
    """Where gain falls linearly with robustness, the corrected gain does not depend on where σ came to lie."""
    rob = np.random.default_rng(0).uniform(0.6, 0.8, 30)
    gain = 0.1 - 0.4 * (rob - 0.7)
    found = Resamples(30).gain(rob + gain, rob, slope=-0.4, target=0.7)
    assert found == pytest.approx((0.1, 0.1, 0.1))


@pytest.mark.parametrize("size", [2, 5, 40])
def test_strata_of_few_give_too_narrow_an_interval(size):
    """Within strata the variance of a mean is that of the rows about their own stratum's mean, whatever its size."""
    rng = np.random.default_rng(0)
    strata = np.repeat(np.arange(60), size)
    values = 5 * strata + rng.standard_normal(len(strata))
    value, low, high = Resamples(len(strata), strata=strata, draws=4000).mean(values)
    within = values.reshape(60, size).var(1, ddof=1).mean() / len(strata)
    assert value == pytest.approx(values.mean())
    assert high - low == pytest.approx(2 * stats.norm.ppf(0.975) * within**0.5, rel=0.06)


def test_a_query_alone_in_its_stratum_is_always_drawn():
    value, low, high = Resamples(3, strata=["a", "b", "b"]).mean([7.0, 1.0, 1.0])
    assert (value, low, high) == (3.0, 3.0, 3.0)
    with pytest.raises(InputError, match="one of them"):
        Resamples(3, strata=[0, 1, 1], groups=[0, 1, 1])


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
