"""Scales: the same values at every scale whose squares are numbers, and one clear line beyond."""

import numpy as np
import pytest
from scipy import stats

from gapkit.errors import InputError
from gapkit.geometry import l2i, l2m, measure, nearest
from gapkit.geometry.streaming import measure_stream
from gapkit.perturbations import GaussianNoise
from gapkit.robustness import calibrate_sigma, certified_radius, reference, robustness, robustness_bounds
from gapkit.tasks import k_occurrence
from gapkit.tasks.classification import answer_multiple_choice
from gapkit.tasks.retrieval import retrieval_ranks

METRICS = ("euclidean", "dot", "cosine")
SCALES = [2.0**-190, 2.0**-60, 2.0**60, 2.0**190]


def _sides(d=5):
    rng = np.random.default_rng(d)
    x, y = rng.standard_normal((6, d)), rng.standard_normal((4, d))
    x[4] = x[1]
    return y, x


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("scale", SCALES)
def test_a_power_of_two_changes_no_probability(metric, scale):
    y, x = _sides()
    for options in ({}, {"method": "monte-carlo", "draws": 50}, {"noise_on": "queries", "draws": 64}):
        expected = robustness(y, x, 0.4, metric=metric, **options)
        found = robustness(y * scale, x * scale, 0.4 * scale, metric=metric, **options)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    for found, expected in zip(
        robustness_bounds(y * scale, x * scale, 0.4 * scale, metric=metric),
        robustness_bounds(y, x, 0.4, metric=metric),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    for perturbed in ("one row", "each row", "all rows", "query"):
        options = {"metric": metric, "perturbed": perturbed}
        found = certified_radius(y * scale, x * scale, **options) / scale
        np.testing.assert_allclose(found, certified_radius(y, x, **options), rtol=1e-12)
    np.testing.assert_array_equal(nearest(y * scale, x * scale, metric=metric), nearest(y, x, metric=metric))
    found = calibrate_sigma(y * scale, np.delete(x, 4, 0) * scale, 0.7, metric=metric) / scale
    assert found == pytest.approx(calibrate_sigma(y, np.delete(x, 4, 0), 0.7, metric=metric), rel=1e-5)


@pytest.mark.parametrize("scale", [1e-55, 1e-20, 1e20, 1e55])
def test_values_at_the_ends_are_those_of_the_references(scale):
    y, x = (side * scale for side in _sides(9))
    x = np.delete(x, 4, 0)
    found = robustness(y, x, 0.5 * scale)
    # The reference is in the units of the noise.
    expected = [reference.euclidean(query / scale, x / scale, 0.5) for query in y]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e-61, 1e61, 1e200])
@pytest.mark.parametrize(
    "call",
    [
        lambda y, x, s: robustness(y, x, s),
        lambda y, x, s: robustness(y, x, 1.0),
        lambda y, x, s: robustness_bounds(y, x, 1.0),
        lambda y, x, s: calibrate_sigma(y, x, 0.5),
        lambda y, x, s: certified_radius(y, x),
        lambda y, x, s: nearest(y, x),
        lambda y, x, s: nearest(y, x / s),
        lambda y, x, s: nearest(y, x, metric="cosine"),
        lambda y, x, s: retrieval_ranks(y, y),
        lambda y, x, s: k_occurrence(y, x, metric="dot"),
        lambda y, x, s: measure_stream(y, y),
        lambda y, x, s: robustness(y / s, x / s, s),
        lambda y, x, s: robustness(y / s, x / s, np.full(5, s)),
        lambda y, x, s: GaussianNoise(s).apply(y / s),
    ],
)
def test_beyond_there_is_one_clear_line(call, scale):
    y, x = (side * scale for side in _sides())
    with pytest.raises(
        InputError, match=r"largest magnitude of 0 or between 1e-60 and 1e\+60; got .*; divide"
    ):
        call(y, x, scale)


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e-61])
@pytest.mark.parametrize(
    "call",
    [
        lambda y, x: answer_multiple_choice(y[:1], [x]),
        lambda y, x: l2m(y, x),
        lambda y, x: l2i(y, y),
        lambda y, x: measure(y, x),
    ],
)
def test_what_would_vanish_unseen_is_one_clear_line(call, scale):
    with pytest.raises(
        InputError, match=r"largest magnitude of 0 or between 1e-60 and 1e\+60; got .*; divide"
    ):
        call(*(side * scale for side in _sides()))


def test_covariances_are_limited_by_their_roots():
    for variance in (1e-110, 1e110):
        assert GaussianNoise(covariance=variance * np.eye(2)).covariance is not None
    for variance in (1e-130, 1e130):
        with pytest.raises(InputError, match="the square root of covariance must have a largest magnitude"):
            GaussianNoise(covariance=variance * np.eye(2))


def test_zeros_are_no_matter_of_scale():
    assert nearest(np.zeros((2, 3)), np.zeros((2, 3))).tolist() == [0, 0]
    assert robustness(np.zeros((1, 3)), np.eye(3), 0.0).tolist() == [1.0]


@pytest.mark.parametrize("tiny", [1e-300, 1e-200, 1e-170, 1e-100])
def test_a_short_row_among_others_has_a_direction(tiny):
    y, x = _sides()
    x = np.delete(x, 4, 0)
    short = x.copy()
    short[2] *= tiny
    queries = y.copy()
    queries[1] *= tiny
    np.testing.assert_array_equal(nearest(queries, short, metric="cosine"), nearest(y, x, metric="cosine"))
    np.testing.assert_array_equal(nearest(queries, x, metric="dot"), nearest(y, x, metric="dot"))
    # A score's noise shrinks with the query: scipy's adaptive quadrature at length 1 is the reference.
    for method, tolerance in (("exact", 1e-7), ("monte-carlo", 0.06)):
        found = robustness(queries, x, 0.4, metric="dot", method=method)
        expected = [reference.dot(query, x, 0.4) for query in y]
        np.testing.assert_allclose(found, expected, atol=tolerance)
    radii = certified_radius(queries, x, metric="dot")
    scores = np.sort(y @ x.T, 1)
    np.testing.assert_allclose(radii, (scores[:, -1] - scores[:, -2]) / np.linalg.norm(y, axis=1), rtol=1e-12)


def test_a_short_query_with_a_full_covariance():
    y, x = _sides()
    half = np.random.default_rng(3).standard_normal((5, 5)) / 3
    (score,) = y[:1] @ half @ half.T @ y[:1].T
    scores = np.sort(x[:2] @ y[0])
    expected = stats.norm.cdf((scores[1] - scores[0]) / np.sqrt(2 * score[0]))
    found = robustness(np.stack([y[0], 1e-180 * y[0]]), x[:2], covariance=half @ half.T, metric="dot")
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_a_stream_of_short_singles_keeps_its_digits():
    rng = np.random.default_rng(4)
    x, y = (rng.standard_normal((50, 8)).astype(np.float32) for _ in range(2))
    scale = np.float32(2.0**-67)  # squares of about 1e-41: single precision has 13 bits left for them
    found, expected = (measure_stream(x * s, y * s).values for s in (scale, np.float32(1)))
    for name in ("matched_cosine", "mean_cosine_gallery", "rmg"):
        if name in expected:
            assert found[name] == pytest.approx(expected[name], abs=1e-6)
    assert found["l2i"] == pytest.approx(expected["l2i"] * float(scale), rel=1e-6)
