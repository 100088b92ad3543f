"""The saddlepoint of a quadratic form, against the exact integral where it is known and against draws."""

import numpy as np
import pytest
from scipy import stats

import gapkit
from gapkit.robustness import robustness


def _problem(rng, d, m=30, k=15):
    return rng.standard_normal((m, d)) / np.sqrt(d), rng.standard_normal((k, d)) / np.sqrt(d)


@pytest.mark.parametrize(("d", "bound"), [(5, 1e-3), (30, 5e-5), (128, 1e-5), (512, 1e-5)])
@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.3])
def test_isotropic_noise_gives_the_exact_value(d, bound, sigma):
    y, x = _problem(np.random.default_rng(d), d)
    value = robustness(y, x, sigma, method="saddlepoint")
    np.testing.assert_allclose(value, robustness(y, x, sigma), atol=bound)


def test_two_candidates_under_noise_in_one_direction_are_what_scipy_integrates():
    """One noisy axis: each squared distance is λ χ²_1 about its own centre, beside what is common or fixed."""
    y, x = np.zeros((1, 2)), np.array([[1.0, 0.2], [1.5, 0.1]])
    drawn = np.random.default_rng(0).standard_normal((400_000, 2)) * 0.4
    noisy = (x[:, 0] + drawn) ** 2 + x[:, 1] ** 2
    exact = (noisy[:, 0] < noisy[:, 1]).mean()
    assert robustness(y, x, [0.4, 0.0], method="saddlepoint")[0] == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("power", [1, 3])
def test_any_covariance_gives_what_draws_give(power):
    rng = np.random.default_rng(power)
    d = 40
    y, x = _problem(rng, d)
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    variances = rng.exponential(size=d) ** power
    covariance = (turn * (0.005 * variances / variances.mean())) @ turn.T
    value, info = robustness(y, x, covariance=covariance, method="saddlepoint", return_info=True)
    assert np.isnan(info.error_bound)
    drawn, error = robustness(
        y, x, covariance=covariance, draws=3000, shared=False, generator=0, return_std_error=True
    )
    assert 0.3 < drawn.mean() < 0.95
    assert np.abs(value - drawn).max() < 0.02 + 4 * error.max()
    assert abs(value.mean() - drawn.mean()) < 0.004 + 4 * error.mean() / np.sqrt(len(y))


def test_the_axes_of_the_noise_do_not_matter():
    rng = np.random.default_rng(2)
    y, x = _problem(rng, 20)
    turn = np.linalg.qr(rng.standard_normal((20, 20)))[0]
    deviations = rng.uniform(0, 0.2, 20) * (np.arange(20) < 12)  # no noise along eight of them
    straight = robustness(y, x, deviations, method="saddlepoint")
    turned = robustness(
        y @ turn.T, x @ turn.T, covariance=(turn * deviations**2) @ turn.T, method="saddlepoint"
    )
    np.testing.assert_allclose(straight, turned, atol=1e-8)


def test_no_noise_and_one_candidate_change_nothing():
    y, x = _problem(np.random.default_rng(3), 6)
    assert (robustness(y, x, np.zeros(6), method="saddlepoint") == 1).all()
    assert (robustness(y, x[:1], 0.3, method="saddlepoint") == 1).all()


def test_a_tail_is_that_of_the_noncentral_chi_square():
    """Of two candidates the second has hardly any noise of its own: the answer's distance against a threshold."""
    d, sigma, threshold = 8, 0.3, 3.0
    y = np.zeros((1, 2 * d))
    near, far = np.zeros((2, 2 * d))
    near[0], far[d] = 1.0, threshold**0.5
    deviations = np.concatenate([np.full(d, sigma), np.zeros(d)])
    deviations[-1] = 1e-4
    # The far candidate has the noise too: its distance is threshold + σ²χ²_d.
    grid = np.linspace(0, 60, 20_001)
    density = stats.chi2.pdf(grid, d)
    below = stats.ncx2.cdf((threshold + sigma**2 * grid) / sigma**2, d, 1 / sigma**2)
    exact = np.trapezoid(density * below, grid)
    value = robustness(y, np.stack([near, far]), deviations, method="saddlepoint")[0]
    assert value == pytest.approx(exact, abs=1e-3)


@pytest.mark.parametrize("wrong", [{"metric": "dot"}, {"noise_on": "queries"}, {"transform": lambda x: x}])
def test_what_it_does_not_hold_for_is_refused(wrong):
    y, x = _problem(np.random.default_rng(0), 5)
    with pytest.raises(gapkit.InputError, match="'saddlepoint' takes Gaussian noise"):
        robustness(y, x, 0.1, method="saddlepoint", **wrong)
