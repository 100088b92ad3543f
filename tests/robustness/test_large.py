"""Galleries read in blocks, against the dense road and scipy: a small bound makes a few hundred rows a large gallery."""

import numpy as np
import pytest
import torch

from gapkit.errors import InputError
from gapkit.geometry import galleries, nearest
from gapkit.robustness import calibrate_sigma, certified_radius, exact, reference, robustness

METRICS = ("euclidean", "dot", "cosine")


@pytest.fixture
def blockwise(monkeypatch):
    """Calls a function as if its gallery were large, in blocks of 64 rows."""

    def run(function, *arguments, **options):
        with monkeypatch.context() as patch:
            patch.setattr(galleries, "LARGE", 2)
            patch.setattr(galleries, "BLOCK", 64)
            return function(*arguments, **options)

    return run


def sides(rows=700, d=24, queries=9, seed=0, unit=False):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, d)) / np.sqrt(d)
    x /= np.linalg.norm(x, axis=1)[:, None] if unit else 1
    y = x[rng.integers(rows, size=queries)] * 0.6 + rng.standard_normal((queries, d)) / np.sqrt(d)
    return y, x


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("d", [1, 24, 200])
@pytest.mark.parametrize("sigma", [1e-12, 0.003, 0.1])
def test_blocks_give_the_values_and_answers_of_the_whole(blockwise, metric, d, sigma):
    y, x = sides(d=d, unit=metric == "cosine")
    expected, dense = robustness(y, x, sigma, metric=metric, return_info=True)
    found, info = blockwise(robustness, y, x, sigma, metric=metric, return_info=True)
    np.testing.assert_allclose(found, expected, atol=5e-6)
    np.testing.assert_array_equal(info.answers, dense.answers)
    np.testing.assert_array_equal(blockwise(nearest, y, x, metric=metric), dense.answers)


@pytest.mark.parametrize("metric", METRICS)
def test_counted_pairs_have_the_values_of_the_reference(blockwise, monkeypatch, metric):
    monkeypatch.setattr(exact, "_FEW", 0)  # all are counted, however few
    y, x = sides(rows=80 if metric != "cosine" else 12, d=5, queries=3)
    found = blockwise(robustness, y, x, 0.15, metric=metric)
    expected = [getattr(reference, metric)(query, x, 0.15) for query in y]
    np.testing.assert_allclose(found, expected, atol=5e-6)


@pytest.mark.parametrize("spread", [0.0, 1e-6, 0.02])
def test_cosines_of_rows_of_one_length_or_of_several(blockwise, spread):
    y, x = sides(d=30)
    x /= np.linalg.norm(x, axis=1)[:, None]
    x *= 1 + spread * np.random.default_rng(1).random((len(x), 1))
    for sigma in (0.05, 0.15):
        expected = robustness(y, x, sigma, metric="cosine")
        np.testing.assert_allclose(blockwise(robustness, y, x, sigma, metric="cosine"), expected, atol=5e-6)


@pytest.mark.parametrize("metric", METRICS[:2])
def test_the_count_is_right_where_all_of_many_matter(blockwise, metric):
    y, x = sides(rows=3000, d=130, queries=5)
    y = x[:5] + 0.02 * y
    sigma = 0.18 if metric == "euclidean" else 0.3
    expected = robustness(y, x, sigma, metric=metric)
    assert 0.05 < expected.mean() < 0.99
    assert np.abs(blockwise(robustness, y, x, sigma, metric=metric) - expected).max() < 2e-6


@pytest.mark.parametrize("metric", METRICS[:2])
def test_far_from_the_origin_and_far_queries_lose_no_digits(blockwise, metric):
    y, x = sides()
    for shift_y, shift_x in ((1e4, 1e4), (1e4, 0.0)):
        far_y, far_x = y + shift_y, x + shift_x
        sigma = 0.1 if metric == "euclidean" else 0.3
        expected, dense = robustness(far_y, far_x, sigma, metric=metric, return_info=True)
        found, info = blockwise(robustness, far_y, far_x, sigma, metric=metric, return_info=True)
        np.testing.assert_allclose(found, expected, atol=5e-6)
        np.testing.assert_array_equal(info.answers, dense.answers)


@pytest.mark.parametrize("metric", METRICS)
def test_duplicates_go_to_the_lowest_index(blockwise, monkeypatch, metric):
    y, x = sides(rows=90, unit=metric == "cosine")
    x = np.concatenate([x, x, x])
    for most in (galleries.MOST_PAIRS, 20):  # and where ties are more than may be kept at once
        monkeypatch.setattr(galleries, "MOST_PAIRS", most)
        for sigma in (1e-6, 0.05):
            expected, dense = robustness(y, x, sigma, metric=metric, return_info=True)
            found, info = blockwise(robustness, y, x, sigma, metric=metric, return_info=True)
            np.testing.assert_allclose(found, expected, atol=5e-6)
            np.testing.assert_array_equal(info.answers, dense.answers)
            np.testing.assert_array_equal(blockwise(nearest, y, x, metric=metric), dense.answers)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_a_memory_map_in_any_precision(blockwise, tmp_path, kind):
    y, x = sides(unit=True)
    np.save(tmp_path / "gallery.npy", x.astype(kind))
    mapped = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    for metric in METRICS:
        expected = robustness(y, np.asarray(mapped).astype(float), 0.1, metric=metric)
        np.testing.assert_allclose(blockwise(robustness, y, mapped, 0.1, metric=metric), expected, atol=5e-6)
    as_tensor = blockwise(robustness, torch.from_numpy(y), torch.from_numpy(x.astype(kind)), 0.1)
    assert isinstance(as_tensor, torch.Tensor)


def test_no_tensor_is_as_large_as_all_pairs_or_the_gallery_in_float64(blockwise):
    y, x = sides(rows=20_000, d=32, queries=300)
    sizes = []

    class Sizes(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            given = {a.untyped_storage().data_ptr() for a in args if isinstance(a, torch.Tensor)}
            if isinstance(out, torch.Tensor) and out.untyped_storage().data_ptr() not in given:
                sizes.append(out.untyped_storage().nbytes())
            return out

    with Sizes():
        blockwise(robustness, y, x.astype(np.float32), 0.1, memory_limit=2**22)
        blockwise(nearest, y, x.astype(np.float32))
    assert max(sizes) <= 2**22


def test_what_is_wrong_in_a_large_gallery_is_said(blockwise):
    y, x = sides()
    broken = x.astype(np.float32)
    broken[500, 1] = np.nan
    with pytest.raises(InputError, match="gallery must be finite"):
        blockwise(robustness, y, broken, 0.1)
    with pytest.raises(InputError, match="same dimension"):
        blockwise(nearest, y[:, :3], x)


def test_calibration_finds_the_same_noise(blockwise):
    y, x = sides()
    assert blockwise(calibrate_sigma, y, x, 0.6) == pytest.approx(calibrate_sigma(y, x, 0.6), rel=1e-4)


@pytest.mark.parametrize("metric", ["euclidean", "dot"])
def test_bounds_from_the_nearest_hold_the_value_and_meet(metric):
    y, x = sides()
    costs = ((y[:, None] - x) ** 2).sum(2) if metric == "euclidean" else -y @ x.T
    nearest_first = np.sort(costs, 1) if metric == "euclidean" else -np.sort(costs, 1)
    for sigma in (0.0, 0.05, 0.3):
        value = robustness(y, x, sigma, metric=metric)
        widths = []
        for k in (1, 20, 300, len(x)):
            pair = (nearest_first[:, :k], len(x))
            lower, upper = robustness(y, None, sigma, neighbours=pair, metric=metric)
            assert (lower <= value + 1e-6).all() and (value <= upper + 1e-6).all()
            widths.append((upper - lower).max())
        assert widths[-1] < 1e-6
        assert widths == sorted(widths, reverse=True)
    with pytest.raises(InputError, match="neighbours"):
        robustness(y, x, 0.1, neighbours=pair, metric=metric)
    with pytest.raises(InputError, match="at least 700 rows"):
        robustness(y, None, 0.1, neighbours=(nearest_first, 5), metric=metric)


@pytest.mark.parametrize("perturbed", ["one row", "all rows", "query"])
@pytest.mark.parametrize("metric", METRICS)
def test_certified_radii_are_those_of_the_whole(blockwise, metric, perturbed):
    y, x = sides(rows=150)
    x[140] = x[3]  # a duplicate, and a query on top of both
    y[0] = x[3]
    expected = certified_radius(y, x, metric=metric, perturbed=perturbed)
    found = blockwise(certified_radius, y, x, metric=metric, perturbed=perturbed)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
