"""Intervals that cover, pair, repeat, and are not shifted by a length's bias."""

import numpy as np
import pytest

from gapkit.errors import InputError
from gapkit.geometry import Resamples, l2m, measure
from gapkit.geometry.bootstrap import bootstrap_interval


def test_the_interval_of_a_mean_has_its_normal_width(rng):
    values = rng.standard_normal(400)
    interval = bootstrap_interval(values, resamples=2000)
    assert interval.value == pytest.approx(values.mean())
    width = 2 * 1.96 * values.std() / 20
    assert interval.high - interval.low == pytest.approx(width, rel=0.1)


def test_intervals_cover_as_often_as_they_say(rng):
    hits = [
        low <= 0 <= high
        for _, low, high in (
            bootstrap_interval(rng.standard_normal(60), resamples=200, confidence=0.9, seed=i)
            for i in range(120)
        )
    ]
    assert np.mean(hits) == pytest.approx(0.9, abs=0.08)


def test_pairing_is_kept(rng):
    first = rng.standard_normal(100) * 10
    second = first + rng.standard_normal(100)
    difference = lambda a, b: a.mean() - b.mean()  # noqa: E731
    paired = bootstrap_interval(first, second, statistic=difference)
    loose = bootstrap_interval(first, second, statistic=difference, paired=False)
    assert loose.high - loose.low > 5 * (paired.high - paired.low)


def test_the_basic_interval_takes_off_the_bias_of_a_length(rng):
    # True gap 1; with n = 50 in 400 dimensions noise alone lengthens the mean difference.
    d, n = 400, 50
    gap = np.zeros(d)
    gap[0] = 1
    x, y = rng.standard_normal((2, n, d)) * 0.15
    interval = bootstrap_interval(x, y + gap, statistic=l2m, resamples=200, method="basic")
    percentile = bootstrap_interval(x, y + gap, statistic=l2m, resamples=200)
    assert interval.low <= interval.value
    assert abs(np.mean(interval[1:]) - 1) < abs(np.mean(percentile[1:]) - 1) / 2


def test_vectors_give_vectors_and_seeds_repeat(rng):
    z = rng.standard_normal((30, 4))
    first, again = (bootstrap_interval(z, resamples=50, seed=5) for _ in range(2))
    assert first.low.shape == (4,)
    assert (first.low == again.low).all()
    assert (bootstrap_interval(z, resamples=50, seed=6).low != first.low).any()


def test_measure_gives_the_same_values_with_and_without_intervals(rng):
    x = rng.standard_normal((40, 6))
    y = x + 1
    plain, bounded = measure(x, y), measure(x, y, intervals=True, resamples=50)
    assert plain.keys() == bounded.keys()
    for name, value in plain.items():
        if name.startswith(("n_", "dimension", "effective")):
            assert bounded[name] == value
        else:
            assert bounded[name].value == pytest.approx(value)
            assert bounded[name].low <= bounded[name].high


def test_measure_of_unpaired_sets_leaves_pair_measures_out(rng):
    values = measure(rng.standard_normal((10, 6)), rng.standard_normal((50, 6)), paired=False)
    assert not {"l2i", "rmg", "matched_cosine", "alignment"} & values.keys()


def test_measure_of_equal_means_says_nan_for_directions(rng):
    x = np.array([[1.0, 0.0], [-1.0, 0.0]])
    values = measure(x, x[::-1])
    assert values["l2m"] == 0
    assert np.isnan(values["relative_variance_gallery"])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((np.ones(3), np.ones(4)), {}, "as many"),
        ((np.ones(0),), {}, "empty"),
        ((), {}, "needs an array"),
        ((np.ones(3),), {"confidence": 1.2}, "between 0 and 1"),
        ((np.ones(3),), {"method": "bca"}, "method must be one of"),
        ((np.array([1.0, np.nan]),), {}, "must be finite"),
    ],
)
def test_bad_input_is_named(arguments, options, message):
    with pytest.raises(InputError, match=message):
        bootstrap_interval(*arguments, **options)


def test_an_interval_does_not_depend_on_the_unit(rng):
    values = rng.standard_normal(50) + 1
    plain = np.array(bootstrap_interval(values, resamples=100))
    np.testing.assert_allclose(np.array(bootstrap_interval(1e-20 * values, resamples=100)), 1e-20 * plain)


def test_queries_that_are_drawn_together_are_one_case():
    alone, together = Resamples(100), Resamples(100, groups=np.repeat(np.arange(10), 10))
    assert alone.share(np.ones(100)).low == pytest.approx(0.025 ** (1 / 100))
    assert together.share(np.ones(100)).low == pytest.approx(0.025 ** (1 / 10))
    assert together.share(np.zeros(100)).high == pytest.approx(1 - 0.025 ** (1 / 10))
