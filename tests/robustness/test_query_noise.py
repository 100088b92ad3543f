"""Noise on the query: quasi-Monte Carlo against draws and closed forms, and bounds that hold."""

import numpy as np
import pytest
from scipy import stats

from gapkit.errors import InputError
from gapkit.robustness import robustness, robustness_bounds

METRICS = ("euclidean", "dot", "cosine")


def _problem(seed=0, m=25, k=6, d=5):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((k, d))
    return x[rng.integers(k, size=m)] + 0.7 * rng.standard_normal((m, d)), x


def _points(y, x, sigma, **options):
    return robustness(
        y, x, sigma, noise_on="queries", method="quasi-monte-carlo", return_std_error=True, **options
    )


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("d", [1, 2, 5, 40])
def test_agrees_with_plain_draws(metric, d):
    y, x = _problem(d=d)
    found, error = _points(y, x, 0.5, metric=metric)
    drawn, spread = robustness(
        y,
        x,
        0.5,
        metric=metric,
        noise_on="queries",
        method="monte-carlo",
        draws=2000,
        generator=1,
        return_std_error=True,
    )
    assert (np.abs(found - drawn) < 4.5 * np.hypot(error, spread)).all()


@pytest.mark.parametrize("metric", METRICS)
def test_covariances_agree_with_plain_draws(metric):
    rng = np.random.default_rng(2)
    y, x = _problem()
    root = 0.5 * rng.standard_normal((5, 3))  # rank 3
    options = {"covariance": root @ root.T, "metric": metric, "noise_on": "queries", "return_std_error": True}
    found, error = robustness(y, x, **options)
    drawn, spread = robustness(y, x, method="monte-carlo", draws=2000, **options)
    assert (np.abs(found - drawn) < 4.5 * np.hypot(error, spread)).all()


@pytest.mark.parametrize("metric", METRICS)
def test_two_candidates_are_one_hyperplane_and_need_no_luck(metric):
    y, x = _problem(k=2)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True) if metric == "cosine" else x
    normal = unit[1] - unit[0]
    middle = x.mean(0) if metric == "euclidean" else 0
    expected = stats.norm.cdf(np.abs((y - middle) @ normal) / np.linalg.norm(normal) / 0.5)
    found, error = _points(y, x, 0.5, metric=metric)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert error.max() < 1e-12
    for bound in robustness_bounds(y, x, 0.5, metric=metric):
        np.testing.assert_allclose(bound, expected, atol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("sigma", [0.05, 0.5, 5.0])
def test_the_value_lies_between_the_bounds(metric, sigma):
    y, x = _problem(k=12, d=8)
    found, error = _points(y, x, sigma, metric=metric)
    lower, upper = robustness_bounds(y, x, sigma, metric=metric)
    assert (lower <= found + 5 * error + 1e-9).all()
    assert (found <= upper + 5 * error + 1e-9).all()
    assert (upper - lower > -1e-12).all()


def test_stated_errors_are_the_scatter_over_seeds():
    y, x = _problem(k=8, d=6)
    runs = [_points(y, x, 0.6, draws=256, generator=seed) for seed in range(25)]
    scatter = np.std([value for value, _ in runs], axis=0, ddof=1)
    stated = np.sqrt(np.mean([error**2 for _, error in runs], axis=0))
    noisy = stated > 1e-4
    assert noisy.sum() > 5
    assert 0.6 < np.median(scatter[noisy] / stated[noisy]) < 1.6


def test_less_scatter_than_plain_draws():
    y, x = _problem(k=8, d=6)
    _, error = _points(y, x, 0.6, draws=1024)
    _, plain = robustness(
        y, x, 0.6, noise_on="queries", method="monte-carlo", draws=1024, return_std_error=True
    )
    assert np.median(error / plain) < 0.4


@pytest.mark.parametrize("metric", METRICS)
def test_no_noise_duplicates_and_one_candidate(metric):
    y, x = _problem()
    np.testing.assert_array_equal(_points(y, x, 0.0, metric=metric)[0], 1)
    doubled = np.concatenate([x, x])
    np.testing.assert_allclose(
        _points(y, doubled, 0.5, metric=metric, draws=4096)[0],
        _points(y, x, 0.5, metric=metric, draws=4096)[0],
        atol=0.02,
    )
    assert (robustness(y, x[:1], 0.5, metric=metric, noise_on="queries") == 1).all()


def test_a_projected_shift_changes_nothing():
    """Both the normals and the margins are differences that a shift orthogonal to the gallery leaves alone."""
    y, x = _problem(k=4, d=9)
    across = np.linalg.svd(x - x.mean(0))[2][-1]
    before, after = (_points(y, z, 0.5)[0] for z in (x, x + 3 * across))
    np.testing.assert_allclose(before, after, atol=1e-9)


def test_quasi_monte_carlo_is_refused_where_it_does_not_hold():
    y, x = _problem()
    with pytest.raises(InputError, match="takes Gaussian noise, no transform, and noise on the queries"):
        robustness(y, x, 0.5, method="quasi-monte-carlo")
