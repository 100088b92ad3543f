"""Hundreds and thousands of candidates: the product of the tails falls steeply, and deep tails decide."""

import math

import numpy as np
import pytest
import torch

from gapkit.robustness import robustness
from gapkit.robustness.quadrature import probability
from gapkit.robustness.tails import closed_form_log_survival
from tests.robustness import reference


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
