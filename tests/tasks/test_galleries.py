"""Small galleries: the same numbers as gallery by gallery, and intervals against plain statistics."""

import numpy as np
import pytest
import torch
from scipy import stats

from gapkit.errors import InputError
from gapkit.geometry import nearest
from gapkit.robustness import calibrate_sigma, robustness
from gapkit.tasks.galleries import (
    block_interval,
    calibrate_in_galleries,
    cut_galleries,
    nearest_in_galleries,
    robustness_in_galleries,
    unrepeated_rows,
)

METRICS = ("euclidean", "dot", "cosine")


def stacks(groups=4, m=6, k=5, d=40, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((groups, m, d)) + 1, rng.standard_normal((groups, k, d)) + rng.random(
        (groups, 1, 1)
    )


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("d", [3, 40, 300])
def test_pooled_galleries_differ_from_each_alone(metric, d):
    y, x = stacks(d=d)
    ours = robustness_in_galleries(y, x, 0.4, metric=metric)
    alone = np.stack([robustness(a, b, 0.4, metric=metric) for a, b in zip(y, x, strict=True)])
    assert np.abs(ours - alone).max() < 2e-6
    answers = np.stack([nearest(a, b, metric=metric) for a, b in zip(y, x, strict=True)])
    assert (nearest_in_galleries(y, x, metric=metric) == answers).all()


@pytest.mark.parametrize("metric", METRICS)
def test_a_calibrated_sigma_misses_its_target(metric):
    y, x = stacks()
    sigma = calibrate_in_galleries(y, x, 0.8, metric=metric)
    assert robustness_in_galleries(y, x, sigma, metric=metric).mean() == pytest.approx(0.8, abs=1e-4)
    single = calibrate_in_galleries(y[:1], x[:1], 0.8, metric=metric)
    assert single == pytest.approx(calibrate_sigma(y[0], x[0], 0.8, metric=metric), rel=1e-3)


def test_no_noise_reaches_a_target_below_chance():
    with pytest.raises(InputError, match="no noise is large enough to leave only 0.1"):
        calibrate_in_galleries(*stacks(), 0.1)


def test_close_candidates_lose_their_digits():
    """Squares by products cancel: candidates a hair apart, far from the origin, must still be told apart."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 1, 50)) * 10 + 1e-5 * rng.standard_normal((3, 5, 50))
    y = x + 1e-6 * rng.standard_normal(x.shape)
    alone = np.stack([robustness(a, b, 1e-6) for a, b in zip(y, x, strict=True)])
    assert np.abs(robustness_in_galleries(y, x, 1e-6) - alone).max() < 1e-5


def test_cuts_overlap_or_repeat_themselves():
    rows = cut_galleries(103, 10, partitions=4, seed=1)
    assert rows.shape == (4, 10, 10)
    for cut in rows:
        assert len(cut.unique()) == 100  # disjoint
    assert not torch.equal(rows[0], rows[1])
    assert torch.equal(rows, cut_galleries(103, 10, partitions=4, seed=1))
    assert not torch.equal(rows, cut_galleries(103, 10, partitions=4, seed=2))


@pytest.mark.parametrize(("count", "size"), [(499, 100), (9, 2), (50, 1), (50, 0)])
def test_fewer_than_five_blocks_pass(count, size):
    with pytest.raises(InputError, match="5 disjoint"):
        cut_galleries(count, size)


def test_repeated_rows_are_missed_or_the_first_is_dropped():
    x = np.random.default_rng(0).standard_normal((50, 8))
    repeats = np.concatenate([x[:30], x[5:15] + 1e-9, x[30:]])
    assert unrepeated_rows(repeats).tolist() == [*range(30), *range(40, 60)]


def test_one_partition_is_not_the_plain_t_interval():
    values = np.random.default_rng(0).standard_normal((1, 12))
    found = block_interval(values)
    plain = stats.ttest_1samp(values[0], 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))


def test_more_partitions_of_the_same_blocks_narrow_the_interval():
    values = np.random.default_rng(0).standard_normal((1, 12))
    assert block_interval(np.repeat(values, 50, 0)) == pytest.approx(block_interval(values))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((3, 5, 8), (2, 5, 8)), "belong together"),
        (((3, 5, 8), (3, 5, 9)), "belong together"),
        (((5, 8), (3, 5, 8)), r"shape \(galleries, rows, d\)"),
        (((3, 5, 8), (3, 1, 8)), "at least two candidates"),
    ],
)
def test_stacks_that_do_not_fit_pass(shapes, message):
    with pytest.raises(InputError, match=message):
        robustness_in_galleries(*(np.ones(shape) for shape in shapes), 0.1)
