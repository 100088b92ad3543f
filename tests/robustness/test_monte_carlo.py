"""Sampling agrees with the integrals, and its standard errors are honest, sharing included."""

import numpy as np
import pytest
import torch

from gapkit.errors import InputError
from gapkit.perturbations import BinaryCodes, GaussianNoise, UniformQuantization
from gapkit.perturbations.base import Perturbation
from gapkit.perturbations.codes import StaleRows
from gapkit.robustness import calibrate_sigma, robustness


def _problem(seed=0, m=30, k=6, d=5):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((k, d))
    return x[rng.integers(k, size=m)] + 0.7 * rng.standard_normal((m, d)), x


@pytest.mark.parametrize("metric", ["euclidean", "dot", "cosine"])
@pytest.mark.parametrize("shared", [True, False])
def test_sampled_values_lie_around_the_exact_ones(metric, shared):
    y, x = _problem()
    exact = robustness(y, x, 0.5, metric=metric)
    found, error = robustness(
        y,
        x,
        0.5,
        metric=metric,
        method="monte-carlo",
        draws=600,
        shared=shared,
        generator=1,
        return_std_error=True,
    )
    z = (found - exact) / error
    assert np.abs(z).max() < 4.5
    assert 0.5 < np.sqrt((z**2).mean()) < 1.6


def test_the_error_of_the_mean_accounts_for_a_shared_gallery():
    y, x = _problem(m=60, k=3, d=2)
    exact = robustness(y, x, 0.6).mean()
    scatter, stated = {}, {}
    for shared in (True, False):
        runs = [
            robustness(
                y, x, 0.6, method="monte-carlo", draws=50, shared=shared, generator=seed, return_info=True
            )[1]
            for seed in range(60)
        ]
        scatter[shared] = np.sqrt(np.mean([(run.mean - exact) ** 2 for run in runs]))
        stated[shared] = np.mean([run.mean_std_error for run in runs])
        assert stated[shared] == pytest.approx(scatter[shared], rel=0.35)
    assert stated[True] > 2 * stated[False]


def test_one_seed_one_result_and_a_generator_goes_on():
    y, x = _problem()
    first, second = (robustness(y, x, 0.5, method="monte-carlo", draws=20, generator=3) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    generator = torch.Generator().manual_seed(3)
    runs = [robustness(y, x, 0.5, method="monte-carlo", draws=20, generator=generator) for _ in range(2)]
    np.testing.assert_array_equal(runs[0], first)
    assert (runs[1] != first).any()


def test_no_kept_answer_is_not_certainty():
    _, error = robustness(
        [[0.0]], [[0.0], [9.0]], 0.1, method="monte-carlo", draws=100, return_std_error=True
    )
    assert 0 < error[0] < 0.02


def test_deterministic_codes_are_applied_once_and_say_so():
    y, x = _problem()
    value, error, info = robustness(
        y, x, perturbation=UniformQuantization(4, limit=3), return_std_error=True, return_info=True
    )
    nearest = ((UniformQuantization(4, limit=3).apply(x)[None] - y[:, None]) ** 2).sum(2).argmin(1)
    np.testing.assert_array_equal(value, nearest == info.answers)
    assert set(value) == {0.0, 1.0}
    assert info.draws == 1
    assert (error == 0).all()


def test_binary_codes_that_coincide_go_to_the_lowest_index():
    x = np.array([[3.0, 1.0, 2.0], [2.0, 1.0, 3.0], [-1.0, -1.0, 1.0]])
    y = x[[0, 1]]
    value, info = robustness(y, x, perturbation=BinaryCodes(), return_info=True)
    np.testing.assert_array_equal(info.answers, [0, 1])
    np.testing.assert_array_equal(value, [1, 0])


class LostDimensions(Perturbation):
    """Each dimension is 0 with probability 0.3, in all rows together."""

    per_row = False

    def _perturb(self, rows, generator):
        return rows * (torch.rand((1, rows.shape[1]), generator=generator, dtype=torch.float64) >= 0.3)


@pytest.mark.parametrize("shared", [True, False])
def test_lost_dimensions_agree_with_counting_all_cases(shared):
    y, x = _problem(m=8, k=4, d=3)
    clean = ((x[None] - y[:, None]) ** 2).sum(2).argmin(1)
    expected = np.zeros(8)
    for kept in np.ndindex(2, 2, 2):
        answers = ((x * kept - y[:, None]) ** 2).sum(2).argmin(1)
        expected += (answers == clean) * 0.3 ** (3 - sum(kept)) * 0.7 ** sum(kept)
    found, error = robustness(
        y,
        x,
        perturbation=LostDimensions(),
        draws=1500,
        shared=shared,
        generator=2,
        return_std_error=True,
    )
    assert (np.abs(found - expected) < 4 * error).all()


def test_noise_before_a_linear_map_is_noise_of_the_mapped_covariance():
    rng = np.random.default_rng(4)
    y, x = _problem(d=4)
    a = rng.standard_normal((4, 4))
    sigma = 0.4
    before, error = robustness(
        y,
        x,
        sigma,
        metric="dot",
        transform=lambda z: z.numpy() @ a.T,
        draws=3000,
        generator=5,
        return_std_error=True,
    )
    after, info = robustness(y, x @ a.T, covariance=sigma**2 * a @ a.T, metric="dot", return_info=True)
    assert info.method == "exact"
    assert (np.abs(before - after) < 4.5 * error).all()


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_noise_in_the_subspace_of_the_gallery_is_exact_and_other_noise_is_sampled(metric):
    rng = np.random.default_rng(6)
    basis = np.linalg.qr(rng.standard_normal((7, 3)))[0]
    x = rng.standard_normal((5, 3)) @ basis.T
    y = x[rng.integers(5, size=20)] + 0.4 * rng.standard_normal((20, 7))
    if metric == "euclidean":
        x = x + rng.standard_normal(7)
    exact, info = robustness(y, x, covariance=0.09 * basis @ basis.T, metric=metric, return_info=True)
    assert info.method == "exact"
    found, error = robustness(
        y,
        x,
        covariance=0.09 * basis @ basis.T,
        metric=metric,
        method="monte-carlo",
        draws=2000,
        return_std_error=True,
    )
    assert (np.abs(found - exact) < 4.5 * error).all()
    for covariance in (0.09 * np.eye(7) + 0.05 * basis @ basis.T, np.diag(np.arange(7.0))):
        assert (
            robustness(y, x, covariance=covariance, metric=metric, draws=5, return_info=True)[1].method
            == "monte-carlo"
        )


def test_standard_deviations_one_per_coordinate():
    y, x = _problem()
    sigma = np.array([0.1, 0.5, 0.0, 1.0, 0.3])
    exact = robustness(y, x, sigma, metric="dot")
    np.testing.assert_allclose(
        exact, robustness(y, x, covariance=np.diag(sigma**2), metric="dot"), atol=1e-12
    )
    found, error = robustness(y, x, sigma, metric="dot", method="monte-carlo", return_std_error=True)
    assert (np.abs(found - exact) < 4.5 * error).all()


def test_noise_on_the_query_is_the_same_for_all_candidates():
    y, x = _problem(k=2)
    found, error = robustness(
        y, x, 0.5, noise_on="queries", method="monte-carlo", draws=2000, return_std_error=True
    )
    from scipy.stats import norm

    difference = x[1] - x[0]
    margin = np.abs((y - x.mean(0)) @ difference) / np.linalg.norm(difference)
    assert (np.abs(found - norm.cdf(margin / 0.5)) < 4.5 * error).all()


def test_a_perturbation_that_changes_the_shape_is_refused():
    class Halving:
        def apply(self, rows, *, generator=None):
            return rows[:, :2]

    with pytest.raises(InputError, match="keep the shape"):
        robustness(*_problem(), perturbation=Halving())


@pytest.mark.parametrize("metric", ["euclidean", "dot", "cosine"])
@pytest.mark.parametrize("target", [0.9, 0.5])
def test_calibrated_noise_keeps_what_was_asked(metric, target):
    y, x = _problem(m=12, d=30)
    sigma = calibrate_sigma(y, x, target, metric=metric)
    assert robustness(y, x, sigma, metric=metric).mean() == pytest.approx(target, abs=1e-5)


def test_targets_that_no_noise_reaches_are_refused():
    y, x = _problem()
    with pytest.raises(InputError, match="no noise is large enough"):
        calibrate_sigma(y, x, 0.05)
    with pytest.raises(InputError, match="no noise is small enough"):
        calibrate_sigma(y, np.concatenate([x, x]), 0.8)
    with pytest.raises(InputError, match="below 1"):
        calibrate_sigma(y, x, 1.0)


def test_a_gaussian_perturbation_is_recognised():
    y, x = _problem()
    values, info = robustness(y, x, perturbation=GaussianNoise(0.3), return_info=True)
    assert info.method == "exact"
    np.testing.assert_array_equal(values, robustness(y, x, 0.3))


@pytest.mark.parametrize("metric", ["euclidean", "dot", "cosine"])
@pytest.mark.parametrize("shared", [True, False])
def test_draws_tell_near_duplicates_apart_as_the_clean_answers_do(metric, shared):
    rng = np.random.default_rng(5)
    x = rng.standard_normal((6, 16))
    x[3] = x[1] + 1e-9 * rng.standard_normal(16)  # closer than a product of float64 can tell
    y = x[[3, 1]]
    options = {"metric": metric, "shared": shared, "draws": 400}
    assert (robustness(y, x, 0.0, method="monte-carlo", **options) == 1).all()
    assert (robustness(y, x, perturbation=StaleRows(x, 1.0), **options) == 1).all()
    if metric != "dot":
        exact = robustness(y, x, 1e-9, metric=metric)
        assert ((exact > 0.7) & (exact < 0.95)).all()
        np.testing.assert_allclose(robustness(y, x, 1e-9, method="monte-carlo", **options), exact, atol=0.1)


def test_noise_off_the_galleries_subspace_counts_however_small():
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.standard_normal((8, 4)))[0]
    basis, across = axes[:, :3], axes[:, 3]
    x = rng.standard_normal((5, 3)) @ basis.T
    y = x[:2] + 0.8 * rng.standard_normal((2, 3)) @ basis.T + 1e6 * across  # a gap far longer than the spread
    covariance = 0.25 * basis @ basis.T + 1e-10 * np.outer(across, across)
    alone = robustness(y, x, covariance=0.25 * basis @ basis.T)
    both = robustness(y, x, covariance=covariance, draws=4000, return_info=True)
    drawn = robustness(y, x, covariance=covariance, draws=4000, method="monte-carlo", generator=1)
    assert (alone - drawn > 0.1).all(), "the noise along the gap does not matter"
    np.testing.assert_allclose(both[0], drawn, atol=0.06)
    assert both[1].method == "monte-carlo"


def test_a_gallery_that_varies_a_little_outside_the_noise_is_not_flat():
    rng = np.random.default_rng(1)
    axes = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    basis = axes[:, :3]
    x = 1 + 1e-10 * rng.standard_normal((5, 8))  # a spread far below the lengths
    options = {"covariance": 1e-20 * basis @ basis.T}
    kept, info = robustness(x, x, **options, return_info=True)
    assert info.method == "monte-carlo"
    flat = robustness(x - 1, (x - 1) @ basis @ basis.T, **options)
    assert (np.abs(kept - flat) > 0.05).any(), "what lies outside does not matter"
