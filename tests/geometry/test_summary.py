"""Streamed measures: equal to the ones in memory, from files, and not blind to NaN."""

import numpy as np
import pytest
import torch

from gapkit.errors import InputError
from gapkit.geometry import measure, summary
from gapkit.geometry.summary import measure_stream


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
    monkeypatch.setattr(summary, "CACHED_ROWS", rows[0])
    monkeypatch.setattr(summary, "PRODUCT_ROWS", rows[1])
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
    with pytest.raises(InputError, match=r"(gallery|queries)\), rows 8192 onwards, must be finite"):
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
