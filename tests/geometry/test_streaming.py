"""Streamed measures: equal to the ones in memory, from files, and not blind to NaN."""

import functools
import itertools
import operator
from operator import itemgetter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gapkit.errors import InputError
from gapkit.geometry import measure, streaming
from gapkit.geometry.bootstrap import bootstrap_interval
from gapkit.geometry.streaming import jackknife, measure_stream, pair_sums


def pairs(rng, n=9001, d=24, dtype=np.float32):
    x = rng.standard_normal((n, d)) * np.linspace(0.5, 2, d) + 1
    y = x + rng.standard_normal((n, d)) - 0.7
    return x.astype(dtype), y.astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(np.float32, 2e-6), (np.float64, 1e-11), (np.float16, 2e-6)]
)
def test_streamed_values_are_those_in_memory(rng, dtype, tolerance):
    x, y = pairs(rng, dtype=dtype)
    inside = measure(x, y)
    streamed = measure_stream(x, y, covariance=True)
    for name, value in streamed.values.items():
        assert value == pytest.approx(inside[name], rel=tolerance, abs=tolerance), name
    np.testing.assert_allclose(streamed.mean_gallery, x.mean(0, dtype=np.float64), atol=tolerance)
    covariance = np.cov(y.T.astype(np.float64))
    np.testing.assert_allclose(streamed.covariance_queries, covariance, atol=10 * tolerance)


def test_without_covariance_nothing_else_changes(rng):
    x, y = pairs(rng, n=300)
    small, full = measure_stream(x, y), measure_stream(x, y, covariance=True)
    assert small.covariance_gallery is None
    assert {name: full.values[name] for name in small.values} == small.values


@pytest.mark.parametrize("rows", [(7, 50), (128, 8192), (64, 64)])
def test_blocks_change_nothing_but_rounding(rng, monkeypatch, rows):
    x, y = pairs(rng, n=1000, dtype=np.float64)
    whole = measure_stream(x, y, covariance=True).values
    monkeypatch.setattr(streaming, "CACHED", rows[0] * x.shape[1])
    monkeypatch.setattr(streaming, "PRODUCT_ROWS", rows[1])
    assert measure_stream(x, y, covariance=True).values == pytest.approx(whole, rel=1e-10)


def test_a_far_mean_does_not_eat_the_covariance(rng):
    x, y = pairs(rng, n=5000)
    covariance = measure_stream(x + np.float32(300), y, covariance=True).covariance_gallery
    np.testing.assert_allclose(
        covariance, np.cov((x + np.float32(300)).T.astype(np.float64)), rtol=1e-3, atol=1e-4
    )


def test_memory_maps_and_tensors_are_read_alike(rng, tmp_path):
    x, y = pairs(rng, n=500)
    for name, z in (("x", x), ("y", y)):
        np.save(tmp_path / f"{name}.npy", z)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "xy"]
    from_files = measure_stream(*mapped)
    assert from_files.values == measure_stream(x, y).values
    tensors = measure_stream(torch.from_numpy(x), torch.from_numpy(y))
    assert tensors.values == from_files.values
    assert isinstance(tensors.mean_gallery, torch.Tensor)
    assert isinstance(from_files.mean_gallery, np.ndarray)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_one_bad_entry_is_caught_and_named(rng, bad, side):
    sets = list(pairs(rng, n=9000))
    sets[side][8999, 3] = bad
    with pytest.raises(InputError, match=r"(gallery|queries)\), row 8999, must be finite"):
        measure_stream(*sets)


def test_large_but_finite_entries_are_measured_not_refused(rng):
    x, y = pairs(rng, n=100)
    large = measure_stream(x * np.float32(1e25), y * np.float32(1e25)).values
    assert large["l2m"] == pytest.approx(measure(x, y)["l2m"] * 1e25, rel=1e-5)


def test_zero_rows_have_no_cosine(rng):
    x, y = pairs(rng, n=100)
    x[50] = 0
    with pytest.raises(InputError, match="no zero row"):
        measure_stream(x, y)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((3, 2)), np.ones((4, 2)), "matched row by row"),
        (np.ones((1, 2)), np.ones((1, 2)), "two pairs"),
        (np.ones((3, 2)), np.ones((3, 4)), "same dimension"),
    ],
)
def test_bad_input_is_named(x, y, message):
    with pytest.raises(InputError, match=message):
        measure_stream(x, y)


def parts_of(x, y, cuts, **options):
    ends = [0, *sorted(cuts), len(x)]
    pieces = [slice(*pair) for pair in itertools.pairwise(ends)]
    return [pair_sums(torch.from_numpy(x[p]), torch.from_numpy(y[p]), **options) for p in pieces]


def same(one, other, rel):
    for name in ("count", "totals", "numbers", "least", "products"):
        a, b = np.asarray(getattr(one, name)), np.asarray(getattr(other, name))
        np.testing.assert_allclose(a, b, rtol=rel, atol=rel * np.abs(b).max(initial=0), err_msg=name)


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(1, 299), max_size=6), st.integers(0, 2**32 - 1))
def test_sums_of_parts_are_those_of_the_whole(cuts, seed):
    x, y = pairs(np.random.default_rng(seed), n=300, d=5, dtype=np.float64)
    centres = np.stack([x[0], y[0]])
    parts = parts_of(x, y, cuts, centres=centres)
    (whole,) = parts_of(x, y, (), centres=centres)
    same(functools.reduce(operator.add, parts), whole, 1e-10)


def test_the_sum_of_sums_is_associative(rng):
    x, y = pairs(rng, n=3000)
    a, b, c = parts_of(x, y, (900, 2200), centres=np.zeros((2, x.shape[1])))
    same(a + (b + c), (a + b) + c, 1e-12)
    same(a + b, b + a, 1e-12)


@pytest.mark.parametrize("apart", [1e-6, 1e-3, 0.3, 0.5])
def test_partners_that_are_close_keep_their_distance(rng, apart):
    x = rng.standard_normal((500, 64))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    y = (x + apart / 8 * rng.standard_normal(x.shape)).astype(np.float32)
    expected = measure(x, y)
    values = measure_stream(x, y).values
    for name in ("l2i", "alignment"):
        assert values[name] == pytest.approx(expected[name], rel=3e-6), name


@pytest.mark.parametrize("off", [3e-7, 3e-6, 1e-3])
def test_rows_that_are_nearly_of_length_one_have_exact_cosines(rng, off):
    x, y = pairs(rng, n=400)
    x = x / np.linalg.norm(x, axis=1, keepdims=True) * np.float32(1 + off)
    for name in ("mean_cosine_gallery", "matched_cosine", "rmg"):
        assert measure_stream(x, y).values[name] == pytest.approx(measure(x, y)[name], abs=2e-6), name


def test_the_jackknife_is_as_wide_as_the_bootstrap(rng):
    x, y = pairs(rng, n=1000, d=6)
    names = ["l2m", "l2i", "rmg", "mean_cosine_gallery", "total_variance_queries"]
    drawn = bootstrap_interval(
        x,
        y,
        statistic=lambda a, b: itemgetter(*names)(measure_stream(a, b).values),
        paired=True,
        resamples=200,
    )
    widths = np.subtract(drawn.high, drawn.low)
    intervals = jackknife(parts_of(x, y, range(25, 1000, 25)))
    for name, width in zip(names, widths, strict=True):
        assert intervals[name].value == pytest.approx(measure(x, y)[name], rel=1e-5)
        assert 0.6 < (intervals[name].high - intervals[name].low) / width < 1.6, name


def test_parts_that_differ_widen_the_jackknife(rng):
    x, y = pairs(rng, n=2000, d=6)
    drifting = y + np.repeat(rng.standard_normal(40), 50)[:, None].astype(np.float32)
    still, moved = (jackknife(parts_of(x, z, range(50, 2000, 50)))["l2i"] for z in (y, drifting))
    assert moved.high - moved.low > 2 * (still.high - still.low)


def test_rows_whose_squares_vanish_in_double_precision_are_refused(rng):
    x, y = pairs(rng, n=100, dtype=np.float64)
    x[3] *= 1e-200
    with pytest.raises(InputError, match="squares float64 can hold"):
        measure_stream(x, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("far", [0.0, 30.0])
def test_equal_means_and_equal_rows_have_no_direction_and_no_spread(rng, dtype, far):
    x = (rng.standard_normal((500, 40)) + far).astype(dtype)
    texts_alike = np.repeat(x[:1], 500, axis=0)
    for gallery, queries, unknown in (
        (x, x[rng.permutation(500)], {"relative_variance_gallery", "relative_variance_queries"}),
        (texts_alike, x, {"relative_variance_gallery", "effective_rank_gallery"}),
        (texts_alike, texts_alike, {"rmg"}),
    ):
        streamed = measure_stream(gallery, queries, covariance=True).values
        inside = measure(gallery, queries)
        assert unknown <= {name for name, value in streamed.items() if np.isnan(value)}
        assert {n for n in streamed if np.isnan(streamed[n])} == {n for n in inside if np.isnan(inside[n])}


@pytest.mark.parametrize(("n", "rank"), [(60, 59), (3000, 12)])
def test_rounding_is_no_direction_of_the_effective_rank(rng, n, rank):
    z = (rng.standard_normal((n, rank)) @ rng.standard_normal((rank, 300))).astype(np.float32)
    streamed, inside = measure_stream(z, z + 1, covariance=True).values, measure(z, z + 1)
    for side in ("gallery", "queries"):
        name = f"effective_rank_{side}"
        assert streamed[name] == pytest.approx(inside[name], rel=1e-4), name


@pytest.mark.parametrize("decay", [1.0, 1.5, 2.0])
def test_small_directions_that_are_real_are_taken_for_rounding(rng, decay):
    z = (rng.standard_normal((4000, 256)) * np.arange(1, 257) ** -decay).astype(np.float32)
    streamed, inside = measure_stream(z, z + 1, covariance=True).values, measure(z, z + 1)
    assert streamed["effective_rank_gallery"] == pytest.approx(inside["effective_rank_gallery"], rel=1e-3)


def test_a_variance_of_zero_is_not_negative(rng):
    x = np.hstack([rng.standard_normal((900, 30)), np.full((900, 1), 0.1)]).astype(np.float32)
    y = x + np.float32([0.0] * 30 + [1.0])
    assert measure_stream(x, y, covariance=True).values["relative_variance_queries"] >= 0.0
