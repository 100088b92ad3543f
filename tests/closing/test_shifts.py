"""The paper's projected shift, the raw shift, and the half-way shift."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gapkit.closing import ClosingOutcome, GapCloser, MeanShift
from gapkit.closing.published import Centring
from gapkit.closing.shifts import HalfwayShift
from gapkit.errors import GapkitWarning, InputError
from gapkit.geometry import l2m, nearest
from gapkit.geometry.galleries import METRICS
from tests.closing.conftest import make_sides


def test_the_shift_is_equation_11(two_sides):
    x, y = two_sides
    closer = GapCloser(alpha=0.7).fit(x, y)
    g = y.mean(0) - x.mean(0)
    v = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][: len(x) - 1]
    np.testing.assert_allclose(closer.gap_, g, atol=1e-14)
    np.testing.assert_allclose(closer.shift_, g - v.T @ v @ g, atol=1e-13)
    np.testing.assert_allclose(closer.transform(x), x + 0.7 * closer.shift_, atol=1e-14)
    assert (closer.rank_, closer.n_components_, closer.components_.shape) == (9, 9, (9, 24))


def test_the_shift_is_orthogonal_to_every_difference_of_candidates(two_sides):
    x, y = two_sides
    shift = GapCloser().fit(x, y).shift_
    assert np.abs((x - x[0]) @ shift).max() < 1e-15


@settings(max_examples=40)
@given(
    st.integers(2, 12),
    st.integers(14, 40),
    st.floats(-50, 50),
    st.sampled_from(METRICS),
    st.sampled_from(["gallery", "queries", "both"]),
    st.integers(0, 2**32 - 1),
)
def test_every_answer_is_kept_for_every_alpha_metric_and_side(k, d, alpha, metric, moves, seed):
    x, y = make_sides(np.random.default_rng(seed), k=k, d=d, m=40)
    moved_x, moved_y = GapCloser(alpha=alpha, moves=moves).fit(x, y).transform_pair(x, y)
    assert (nearest(moved_y, moved_x, metric=metric) == nearest(y, x, metric=metric)).all()


def test_queries_it_never_saw_keep_their_answers_too(rng, two_sides):
    x, y = two_sides
    closer = GapCloser().fit(x, y)
    strangers = 10 * rng.standard_normal((500, 24))
    assert (nearest(strangers, closer.transform(x)) == nearest(strangers, x)).all()


def test_margins_are_kept_not_only_answers(two_sides):
    x, y = two_sides
    margins = lambda gallery: np.diff(((gallery[None] - y[:, None]) ** 2).sum(2), axis=1)  # noqa: E731
    np.testing.assert_allclose(margins(GapCloser(alpha=3).fit(x, y).transform(x)), margins(x), atol=1e-12)


def test_moving_either_side_is_the_same_in_distance_only(two_sides):
    x, y = two_sides
    distances, products = [], []
    for moves in ("gallery", "queries", "both"):
        a, b = GapCloser(alpha=0.8, n_components=3, moves=moves).fit(x, y).transform_pair(x, y)
        distances.append(((a[:, None] - b) ** 2).sum(2))
        products.append(a @ b.T)
    np.testing.assert_allclose(distances[1], distances[0], atol=1e-13)
    np.testing.assert_allclose(distances[2], distances[0], atol=1e-13)
    assert np.abs(products[1] - products[0]).max() > 1e-3


def test_raw_half_way_and_centring_are_one_in_distance(two_sides):
    x, y = two_sides
    squared = [
        ((a[:, None] - b) ** 2).sum(2)
        for a, b in (c().fit(x, y).transform_pair(x, y) for c in (MeanShift, HalfwayShift, Centring))
    ]
    np.testing.assert_allclose(squared[1], squared[0], atol=1e-13)
    np.testing.assert_allclose(squared[2], squared[0], atol=1e-13)


def test_the_raw_shift_makes_the_means_meet_and_can_change_answers(rng):
    x, y = make_sides(rng, k=30, m=400)
    moved = MeanShift().fit(x, y).transform(x)
    assert l2m(moved, y) < 1e-14
    assert (nearest(y, moved) != nearest(y, x)).any()


def test_no_components_is_the_raw_shift(two_sides):
    x, y = two_sides
    raw, none = MeanShift(alpha=0.6).fit(x, y), GapCloser(alpha=0.6, n_components=0).fit(x, y)
    np.testing.assert_array_equal(none.transform(x), raw.transform(x))


def test_fewer_components_move_farther(rng):
    x, y = make_sides(rng, k=20)
    lengths = [np.linalg.norm(GapCloser(n_components=k).fit(x, y).shift_) for k in range(20)]
    assert (np.diff(lengths) <= 1e-12).all()
    assert lengths[0] > lengths[-1]


def test_a_share_of_variance_takes_the_fewest_components_that_reach_it(two_sides):
    x, y = two_sides
    values = np.linalg.svd(x - x.mean(0), compute_uv=False) ** 2
    explained = values.cumsum() / values.sum()
    for share in (0.01, 0.5, 0.9, 0.999):
        closer = GapCloser(n_components=share).fit(x, y)
        assert closer.n_components_ == np.searchsorted(explained, share) + 1
    assert GapCloser(n_components=1.0).fit(x, y).n_components_ == 9
    assert GapCloser(n_components=1).fit(x, y).n_components_ == 1


def test_a_given_gap_is_used_and_the_queries_may_stay_away(two_sides):
    x, y = two_sides
    options, gap = x[:4], y.mean(0) - x.mean(0)
    closer = GapCloser().fit(options, gap=gap)
    np.testing.assert_array_equal(closer.gap_, gap)
    assert np.abs((options - options[0]) @ closer.shift_).max() < 1e-15
    assert closer.rank_ == 3
    with_queries = GapCloser().fit(options, y[:1], gap=torch.from_numpy(gap))
    np.testing.assert_array_equal(with_queries.shift_, closer.shift_)


def test_noise_passes_through_unchanged(rng, two_sides):
    x, y = two_sides
    closer = GapCloser().fit(x, y)
    noise = 0.1 * rng.standard_normal(x.shape)
    np.testing.assert_allclose(
        closer.transform(x + noise, perturbed=True) - closer.transform(x), noise, atol=1e-15
    )
    assert closer.linear_part("gallery") is None


# What comes in, what goes out.


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_kind_and_dtype_come_back_and_the_input_stays(two_sides, make, dtype):
    x, y = (make(z.astype(dtype)) for z in two_sides)
    before = x.copy() if isinstance(x, np.ndarray) else x.clone()
    moved = GapCloser().fit(x, y).transform(x)
    assert type(moved) is type(x)
    assert moved.dtype == x.dtype
    assert (x == before).all()


def test_float32_in_gives_float64_answers_rounded_once(two_sides):
    x, y = (z.astype(np.float32) for z in two_sides)
    closer = GapCloser().fit(x, y)
    exact = closer.transform(x.astype(np.float64))
    np.testing.assert_array_equal(closer.transform(x), exact.astype(np.float32))


def test_float32_does_not_lose_a_true_component(rng):
    # The smallest component is 1e-6 of the largest: kept, as float64's tolerance says.
    basis = np.linalg.qr(rng.standard_normal((32, 32)))[0]
    x = (rng.standard_normal((6, 5)) * [1, 1, 1, 1, 1e-6]) @ basis[:5]
    closer = GapCloser().fit(x.astype(np.float32), rng.standard_normal((9, 32)).astype(np.float32))
    assert closer.rank_ == 5


# The edges.


def test_one_candidate_moves_all_the_way(rng):
    x, y = rng.standard_normal((1, 5)), rng.standard_normal((20, 5))
    np.testing.assert_allclose(GapCloser().fit(x, y).transform(x)[0], y.mean(0), atol=1e-14)


def test_a_gallery_that_spans_everything_is_left_alone_with_a_warning(rng):
    x, y = rng.standard_normal((30, 5)), rng.standard_normal((20, 5)) + 3
    with pytest.warns(GapkitWarning, match="inside the span"):
        closer = GapCloser().fit(x, y)
    np.testing.assert_array_equal(closer.transform(x), x)
    assert not closer.shift_.any()
    assert closer.rank_ == 5


@pytest.mark.parametrize("kind", [GapCloser, MeanShift, HalfwayShift])
def test_no_gap_is_left_alone_with_a_warning(two_sides, kind):
    x, _ = two_sides
    with pytest.warns(GapkitWarning):
        closer = kind().fit(x, x[::-1])
    for moved, whole in zip(closer.transform_pair(x, x), (x, x), strict=True):
        np.testing.assert_array_equal(moved, whole)


def test_a_gap_inside_the_span_is_left_alone_with_a_warning(rng):
    x = np.vstack([np.eye(3, 8), -np.eye(3, 8)])
    y = x + np.array([0.3, -0.2, 0.1, 0, 0, 0, 0, 0])
    with pytest.warns(GapkitWarning, match="g' = 0"):
        closer = GapCloser().fit(x, y)
    np.testing.assert_array_equal(closer.transform(x), x)


def test_a_tiny_but_true_remainder_is_moved(rng):
    x = np.vstack([np.eye(3, 8), -np.eye(3, 8)])
    y = x + np.array([0.3, -0.2, 0.1, 1e-9, 0, 0, 0, 0])
    np.testing.assert_allclose(GapCloser().fit(x, y).shift_[3], 1e-9, rtol=1e-6)


def test_duplicates_in_the_gallery_do_not_count(two_sides):
    x, y = two_sides
    twice = np.vstack([x, x[:3]])
    assert GapCloser().fit(twice, y).rank_ == 9
    with pytest.raises(InputError, match="span only 9 directions"):
        GapCloser(n_components=11).fit(twice, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 10}, "span only 9 directions"),
        ({"n_components": -1}, "at least 0"),
        ({"n_components": 1.5}, "share of variance"),
        ({"n_components": True}, "whole number"),
        ({"n_components": "all"}, "whole number"),
        ({"alpha": np.nan}, "alpha must be finite"),
        ({"alpha": "much"}, "alpha must be a number"),
        ({"moves": "texts"}, "moves must be one of"),
    ],
)
def test_bad_hyperparameters_are_named_at_fit(two_sides, options, message):
    with pytest.raises(InputError, match=message):
        GapCloser(**options).fit(*two_sides)


def test_bad_calls_are_named(two_sides):
    x, y = two_sides
    with pytest.raises(InputError, match="not fitted yet"):
        GapCloser().transform(x)
    with pytest.raises(InputError, match="needs the queries too"):
        GapCloser().fit(x)
    with pytest.raises(InputError, match="same dimension"):
        GapCloser().fit(x, y[:, :5])
    with pytest.raises(InputError, match="same dimension"):
        GapCloser().fit(x, gap=np.ones(3))
    with pytest.raises(InputError, match="fitted in 24 dimensions"):
        GapCloser().fit(x, y).transform(x[:, :5])
    with pytest.raises(InputError, match="use transform_pair"):
        HalfwayShift().fit(x, y).transform(x)


@pytest.mark.filterwarnings("ignore::gapkit.errors.GapkitWarning")  # eight texts in three dimensions
@pytest.mark.parametrize("texts", [(8, 3), (5, 16)])
def test_an_outcome_knows_the_rank_of_its_texts(rng, texts):
    x, y = rng.standard_normal(texts), rng.standard_normal((10, texts[1])) + 2
    x[-1] = x[0]
    outcome = ClosingOutcome(x, y, np.zeros(10, dtype=int))
    assert outcome.most_components == np.linalg.matrix_rank(x - x.mean(0)) < len(x) - 1
    assert outcome.closed(components=outcome.most_components, sigma=0.3)["agreement"] == 1
