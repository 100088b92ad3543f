"""The gap and its distances, against plain numpy and against their own properties."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gapkit.errors import InputError
from gapkit.geometry import (
    gap_axes,
    gap_vector,
    l2i,
    l2m,
    matched_cosine,
    measure,
    relative_variance,
    rmg,
    share_intervals,
    variance_intervals,
)
from gapkit.geometry.streaming import measure_stream

shapes = st.tuples(st.integers(2, 40), st.integers(2, 60), st.integers(0, 2**32 - 1), st.floats(0.01, 30.0))


def pair_set(n, d, seed, offset):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    return x, x + rng.standard_normal((n, d)) * rng.uniform(0.1, 2) + offset * rng.standard_normal(d)


def plain_rmg(x, y):
    """The definition, pair by pair."""
    x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
    matched = np.mean([(1 - a @ b) / 2 for a, b in zip(x, y, strict=True)])
    n = len(x)
    within = [np.mean([(1 - z[i] @ z[j]) / 2 for i in range(n) for j in range(n) if i != j]) for z in (x, y)]
    return matched / (matched + np.mean(within))


@settings(max_examples=60)
@given(shapes)
def test_distances_agree_with_plain_numpy(shape):
    x, y = pair_set(*shape)
    np.testing.assert_allclose(gap_vector(x, y), y.mean(axis=0) - x.mean(axis=0), rtol=0, atol=1e-12)
    plain = np.sqrt(((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum())
    assert l2m(x, y) == pytest.approx(plain, abs=1e-12, rel=1e-12)
    assert l2i(x, y) == pytest.approx(np.sqrt(((x - y) ** 2).sum(axis=1)).mean(), abs=1e-12, rel=1e-12)
    cosines = (x * y).sum(1) / np.sqrt((x**2).sum(1) * (y**2).sum(1))
    assert matched_cosine(x, y) == pytest.approx(cosines.mean(), abs=1e-12)


@settings(max_examples=25)
@given(shapes)
def test_rmg_is_its_definition_and_not_a_halved_one(shape):
    x, y = pair_set(*shape)
    assert rmg(x, y) == pytest.approx(plain_rmg(x, y), abs=1e-10)


@settings(max_examples=25)
@given(shapes)
def test_swapping_the_sides_turns_the_gap_round_and_leaves_distances(shape):
    x, y = pair_set(*shape)
    np.testing.assert_allclose(gap_vector(x, y), -gap_vector(y, x), atol=1e-14)
    for distance in (l2m, l2i, matched_cosine, rmg):
        assert distance(x, y) == pytest.approx(distance(y, x), abs=1e-12)


def test_rotations_leave_every_distance(rng):
    x, y = pair_set(30, 8, 1, 1.0)
    rotation = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    for distance in (l2m, l2i, matched_cosine, rmg):
        assert distance(x @ rotation, y @ rotation) == pytest.approx(distance(x, y), abs=1e-12)


def test_rmg_ends_at_zero_and_one():
    x = np.eye(4)
    assert rmg(x, x) == pytest.approx(0, abs=1e-15)
    assert rmg(np.ones((3, 2)) * [1, 0], np.ones((3, 2)) * [-1, 0]) == pytest.approx(1)


def test_a_float32_mean_does_not_lose_the_gap():
    # A running float32 sum of 2 000 000 ones plus 1e-3 would be off in the third digit.
    x = np.full((200_000, 1), 1000.0, dtype=np.float32)
    y = x + np.float32(0.5)
    assert gap_vector(x, y)[0] == pytest.approx(0.5, abs=1e-9)


def test_numpy_and_torch_come_back_as_they_came():
    x, y = pair_set(5, 3, 0, 1.0)
    assert isinstance(gap_vector(x, y), np.ndarray)
    from_torch = gap_vector(torch.from_numpy(x).float(), torch.from_numpy(y).float())
    assert isinstance(from_torch, torch.Tensor)
    np.testing.assert_allclose(from_torch, gap_vector(x, y), atol=1e-6)


def test_inputs_stay_as_they_are():
    x, y = pair_set(6, 4, 0, 1.0)
    before = x.copy(), y.copy()
    for function in (gap_vector, l2m, l2i, matched_cosine, rmg):
        function(x, y)
    assert (x == before[0]).all()
    assert (y == before[1]).all()


@pytest.mark.parametrize("measure", [l2i, matched_cosine, rmg])
def test_pairs_must_match_in_number(measure):
    with pytest.raises(InputError, match="matched row by row"):
        measure(np.ones((3, 2)), np.ones((4, 2)))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones(4), np.ones((4, 4)), r"must have shape \(n, d\)"),
        (np.ones((0, 4)), np.ones((4, 4)), "must not be empty"),
        (np.ones((2, 3)), np.ones((2, 4)), "same dimension"),
        (np.full((2, 3), np.nan), np.ones((2, 3)), "must be finite"),
        (np.array([["a"]]), np.ones((1, 1)), "real numbers"),
        (np.ones((2, 2)) * 1j, np.ones((2, 2)), "real numbers"),
    ],
)
def test_bad_input_is_named(x, y, message):
    with pytest.raises(InputError, match=message):
        gap_vector(x, y)


def test_zero_rows_have_no_cosine():
    with pytest.raises(InputError, match="zero row"):
        matched_cosine(np.zeros((2, 2)), np.ones((2, 2)))


def test_rmg_needs_strangers():
    with pytest.raises(InputError, match="at least two pairs"):
        rmg([[1.0, 0.0]], [[0.0, 1.0]])


@pytest.mark.parametrize("seed", range(8))
def test_one_single_direction_has_no_rmg(seed):
    assert np.isnan(rmg([[1.0], [2.0]], [[3.0], [1.0]]))
    rng = np.random.default_rng(seed)  # cosines of 1 that come out a rounding beside it
    x, y = (np.outer(rng.uniform(0.5, 2, 6), direction) for direction in [rng.standard_normal(7)] * 2)
    assert np.isnan(rmg(x, y))


@pytest.mark.parametrize("scale", [1e-40, 1e-3, 1e40])
def test_the_rounding_of_equal_means_has_no_direction(rng, scale):
    x = scale * rng.standard_normal((50, 6))
    y = x[rng.permutation(50)]
    assert (x.mean(0) != y.mean(0)).any(), "there is no rounding to take for a gap"
    assert not gap_vector(x, y).any() and l2m(x, y) == 0
    values = measure(x, y)
    assert np.isnan(values["relative_variance_gallery"]) and np.isnan(values["relative_variance_queries"])
    values = measure_stream(x, y, covariance=True).values
    assert np.isnan(values["relative_variance_gallery"])
    for intervals in (variance_intervals, lambda x, y: share_intervals(x, y, [2])):
        with pytest.raises(InputError, match="must not be zero"):
            intervals(x, y)
    y = y + 1e-10 * scale  # and ten digits of a gap are one
    along = measure(x, y)["relative_variance_gallery"]
    assert along == pytest.approx(relative_variance(x, np.ones(6)), rel=1e-3)


def test_rows_that_are_all_the_same_have_no_spread_to_look_at():
    x = np.full((3, 4), 0.1)  # whose mean is not 0.1
    assert x.mean(0)[0] != 0.1
    values = measure(x, x + np.eye(4)[0])
    assert np.isnan(values["relative_variance_gallery"]) and np.isnan(values["effective_rank_gallery"])


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e20])
def test_the_axes_of_a_picture_do_not_depend_on_the_unit(rng, scale):
    x, y = rng.standard_normal((30, 5)), rng.standard_normal((30, 5)) + 3 * np.eye(5)[0]
    axes, origin = gap_axes(x, y)
    scaled, moved = gap_axes(scale * x, scale * y)
    np.testing.assert_allclose(np.abs(scaled.T @ axes), np.eye(2), atol=1e-9)
    np.testing.assert_allclose(moved, scale * origin)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([[0.0, 0.0, 0.0]], [[1.0, 0.0, 0.0]]),
        (np.outer(np.arange(9.0) ** 2, [0.6, 0.8, 0.0]), np.outer(np.arange(9.0) - 70, [0.6, 0.8, 0.0])),
        (np.tile([0.1, 0.4, 0.5], (7, 1)), np.tile([0.6, 0.8, 0.3], (7, 1))),
        (np.ones((4, 3)), np.ones((4, 3))),
        (np.random.default_rng(0).standard_normal((2, 3)), np.random.default_rng(1).standard_normal((2, 3))),
    ],
    ids=["one row each", "all along the gap", "two points", "one point", "two rows each"],
)
@pytest.mark.parametrize("across", [0, 1, 2])
def test_axes_are_orthonormal_where_little_varies(x, y, across):
    axes, _ = gap_axes(x, y, across=across)
    np.testing.assert_allclose(axes.T @ axes, np.eye(1 + across), atol=1e-9)
    gap = gap_vector(x, y)
    np.testing.assert_allclose(axes[:, 0] * np.linalg.norm(gap), gap, atol=1e-9)
    with pytest.raises(InputError, match="below the dimension, 3"):
        gap_axes(x, y, across=3)
