"""Hundreds and thousands of candidates: the product of the tails falls steeply, and deep tails decide."""

import math

import numpy as np
import pytest
import torch

from gapkit.robustness import exact_euclidean, reference, robustness
from gapkit.robustness.exact_euclidean import closed_form_log_survival
from gapkit.robustness.quadrature import probability


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _unit(rng, rows, d):
    x = rng.standard_normal((rows, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize(("d", "k"), [(128, 100), (512, 300), (768, 1000), (512, 1000)])
def test_robustness_falls_with_noise_and_agrees_with_scipy(d, k):
    rng = np.random.default_rng(0)
    x, y = _unit(rng, k, d), _unit(rng, 30, d)
    y += 0.5 * x[:30]
    levels = np.geomspace(0.05, 1, 40)
    values = np.array([robustness(y, x, sigma) for sigma in levels])
    assert (np.diff(values.mean(1)) < 0).all()
    assert (np.diff(values, axis=0) < 1e-5).all()
    for sigma in levels[[8, 22, 32]]:
        found = robustness(y[:2], x, sigma)
        expected = [reference.euclidean(one, x, sigma, points=301) for one in y[:2]]
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("k", [100, 300, 1000])
@pytest.mark.parametrize("d", [1, 2, 3, 5])
@pytest.mark.parametrize("metric", ["euclidean", "dot", "cosine"])
def test_endless_noise_leaves_one_in_many(metric, d, k):
    if metric == "cosine" and d == 1:
        pytest.skip("signs only: tested in test_exact")
    rng = np.random.default_rng(1)
    y, x = rng.standard_normal((3, d)), rng.standard_normal((k, d))
    np.testing.assert_allclose(robustness(y, x, 1e5, metric=metric), 1 / k, atol=1e-6)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("d", [2, 3])
def test_endless_noise_leaves_one_in_ten_thousand(metric, d):
    rng = np.random.default_rng(2)
    y, x = rng.standard_normal((1, d)), rng.standard_normal((10_000, d))
    np.testing.assert_allclose(robustness(y, x, 1e5, metric=metric), 1e-4, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.01, 0.1, 1.0, 10.0])
def test_many_candidates_on_a_line_agree_with_folded_normals(sigma):
    """d = 1: |x_k + ε − y| is a folded normal; Simpson's rule on a grid that is fine at the query."""
    from scipy import integrate, stats

    rng = np.random.default_rng(3)
    x = rng.standard_normal((300, 1))
    for query in (0.3, -1.7):
        shift = (x[:, 0] - query) / sigma
        best = np.abs(shift).argmin()
        u = np.linspace(0, 1, 8001)
        r = (abs(shift[best]) + 9) * u**3
        survival = stats.norm.sf(r[None] - shift[:, None]) + stats.norm.sf(r[None] + shift[:, None])
        density = stats.norm.pdf(r - shift[best]) + stats.norm.pdf(r + shift[best])
        others = np.delete(survival, best, 0).prod(0)
        expected = integrate.simpson(density * others * 3 * (abs(shift[best]) + 9) * u**2, x=u)
        assert robustness([[query]], x, sigma)[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("d", [128, 512])
@pytest.mark.parametrize("rho", [0.0, 3.0, 30.0])
def test_deep_tails_have_no_kink(d, rho):
    """20 standard deviations out the logarithm still bends as smoothly as at the mean."""
    middle = math.sqrt(rho**2 + d)
    r = torch.linspace(middle - 9, middle + 20, 581, dtype=torch.float64)
    bend = closed_form_log_survival(r, torch.tensor(rho).double(), d).diff(n=2) / 0.05**2
    assert float(bend.max()) < 1e-3
    assert float(bend.min()) > -2.6
    assert float(bend.diff().abs().max()) < 0.1


def test_a_probability_above_one_is_an_error_and_not_cut_off():
    np.testing.assert_array_equal(probability(torch.tensor([1 + 1e-9, 0.5, -1e-9])).numpy(), [1, 0.5, 0])
    for wrong in (1.001, -0.001, math.nan):
        with pytest.raises(ArithmeticError, match="internal error"):
            probability(torch.tensor([0.5, wrong]))


def _bound(d, k, sigma=0.1, metric="euclidean"):
    rng = np.random.default_rng(4)
    y, x = _unit(rng, 2, d), _unit(rng, k, d)
    return robustness(y, x, sigma, metric=metric, return_info=True)[1].error_bound


def test_the_stated_error_counts_dimension_candidates_and_rounding():
    assert _bound(512, 10) < _bound(128, 10) < 1e-5
    assert _bound(127, 10) < 1e-6
    assert _bound(16, 2000, metric="cosine") - _bound(16, 10, metric="cosine") == pytest.approx(1.99e-7)
    assert _bound(128, 10, sigma=1e-9) < 1e-5 < _bound(128, 10, sigma=1e-11)


@pytest.mark.parametrize(("d", "bound"), [(128, 8.2e-6), (256, 2.9e-6), (512, 1.03e-6)])
@pytest.mark.parametrize("rivals", [1, 100, 10_000])
def test_the_closed_form_errs_by_no_more_than_stated(d, bound, rivals):
    """All rivals at one distance: ∫ f S^K from scipy's exact density and tail."""
    from scipy import integrate, stats

    for gap in np.linspace(0, 4, 6):
        own, theirs = math.sqrt(1.1 * d), math.sqrt(1.1 * d) + gap
        lam, other = own**2 - d, theirs**2 - d
        r = np.linspace(own - 8, own + 8, 2001)
        density = 2 * r * stats.ncx2.pdf(r**2, d, lam)
        expected = integrate.simpson(density * (1 - stats.ncx2.cdf(r**2, d, other)) ** rivals, x=r)
        squares = torch.full((1, rivals + 1), other, dtype=torch.float64)
        squares[0, 0] = lam
        found = exact_euclidean.euclidean(squares, torch.tensor([0]), 1.0, d)
        assert float(found[0]) == pytest.approx(expected, abs=bound + 2e-7)


def _draws_with_many(rng, y, x, sigma, metric, draws):
    """Share of kept answers, whatever the dimension at the price of two numbers a candidate: its distance from the
    query is a noncentral χ, and so are (normal, χ) of its height over the query and its distance from that axis."""
    d, k = x.shape[1], len(x)
    unit = y / np.linalg.norm(y)
    if metric == "euclidean":
        clean = ((x - y) ** 2).sum(1)
        lam = clean / sigma**2
    else:
        height = x @ unit
        lam = np.maximum((x**2).sum(1) - height**2, 0) / sigma**2
        clean = -height if metric == "dot" else -height / np.linalg.norm(x, axis=1)
    kept, step = 0, max(1, 2_000_000 // k)
    for begin in range(0, draws, step):
        shape = (min(step, draws - begin), k)
        if metric != "dot":
            # (√λ + z)² + χ²_(d−1), and for the cosine one dimension less: the height has taken it.
            rest = d - 1 if metric == "euclidean" else d - 2
            squares = (np.sqrt(lam) + rng.standard_normal(shape)) ** 2
            if rest:
                squares += rng.chisquare(rest, shape)
        if metric == "euclidean":
            costs = squares
        else:
            costs = -(height / sigma + rng.standard_normal(shape))
            if metric == "cosine":
                costs /= np.sqrt(costs**2 + squares)
        kept += (costs.argmin(1) == clean.argmin()).sum()
    share = (kept + 1) / (draws + 2)
    return kept / draws, np.sqrt(share * (1 - share) / draws)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["euclidean", "dot", "cosine"])
@pytest.mark.parametrize("k", [3, 100])
@pytest.mark.parametrize("d", [3, 127, 128, 512])
def test_agrees_with_draws_in_many_dimensions(metric, d, k):
    rng = np.random.default_rng(d + k)
    x, y = _unit(rng, k, d), _unit(rng, 1, d)[0]
    y += 0.5 * x[0]
    sigma = 0.5 if d == 3 else 0.25
    value = robustness(y[None], x, sigma, metric=metric)[0]
    share, error = _draws_with_many(rng, y, x, sigma, metric, 1_000_000 if k == 3 else 200_000)
    assert 0.005 < share < 0.999
    assert abs(value - share) < 4 * error


@pytest.mark.parametrize("metric", ["euclidean", "dot", "cosine"])
@pytest.mark.parametrize("d", [3, 127, 128, 512])
def test_agrees_with_draws_among_a_thousand(metric, d):
    rng = np.random.default_rng(d)
    x, y = _unit(rng, 1000, d), _unit(rng, 1, d)[0]
    y += 0.5 * x[0]
    sigma = 0.3 if d == 3 else 0.15
    value = robustness(y[None], x, sigma, metric=metric)[0]
    share, error = _draws_with_many(rng, y, x, sigma, metric, 20_000)
    assert share < 0.99
    assert abs(value - share) < 4 * error
