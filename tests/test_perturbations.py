"""Each perturbation does what it says, to a copy."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy import linalg

from gapkit.errors import InputError
from gapkit.perturbations import (
    BinaryCodes,
    GaussianNoise,
    Int8Codes,
    UniformQuantization,
)
from gapkit.perturbations.base import as_generator
from gapkit.perturbations.codes import RandomAxes, StaleRows
from gapkit.perturbations.gaussian import covariance_root

ALL = [
    GaussianNoise(0.1),
    GaussianNoise([0.1, 0.2, 0.3]),
    GaussianNoise(covariance=np.diag([1.0, 0.5, 0.0])),
    UniformQuantization(8),
    UniformQuantization(8, range="fitted"),
    Int8Codes(),
    Int8Codes("gallery"),
    BinaryCodes(),
    BinaryCodes("mean"),
    RandomAxes(BinaryCodes()),
    StaleRows(np.zeros((20, 3)), 0.5),
]


@pytest.mark.parametrize("perturbation", ALL, ids=repr)
def test_shape_kind_dtype_and_input_are_kept_and_a_seed_repeats(perturbation):
    rows = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
    kept = rows.copy()
    first, second = (perturbation.apply(rows, generator=5) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(rows, kept)
    assert first.dtype == np.float32
    assert first.shape == rows.shape
    tensor = perturbation.apply(torch.from_numpy(rows), generator=5)
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_array_equal(tensor.numpy(), first)
    other = perturbation.apply(rows, generator=6)
    assert perturbation.deterministic == np.array_equal(first, other)


def test_noise_has_the_covariance_it_was_given():
    root = np.array([[1.0, 0.0, 0.0], [0.5, 0.3, 0.0], [0.0, 0.2, 0.0]])
    noise = GaussianNoise(covariance=root @ root.T)
    drawn = noise.apply(np.zeros((200_000, 3)), generator=0)
    np.testing.assert_allclose(np.cov(drawn.T), root @ root.T, atol=0.01)
    drawn = GaussianNoise([0.0, 1.0, 2.0]).apply(np.zeros((200_000, 3)), generator=0)
    np.testing.assert_allclose(drawn.std(0), [0, 1, 2], atol=0.02)


@pytest.mark.parametrize(("d", "rank"), [(3, 1), (24, 5), (96, 40), (512, 100)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_directions_without_variance_get_no_noise(d, rank, scale):
    half = scale * np.random.default_rng(d).standard_normal((d, rank))
    covariance = half @ half.T
    root = covariance_root(torch.from_numpy(covariance)).numpy()
    size = np.abs(covariance).max()
    np.testing.assert_allclose(root @ root.T / size, covariance / size, atol=1e-13)
    empty = linalg.null_space(half.T)  # by singular values of the factor itself
    noise = GaussianNoise(covariance=covariance).apply(np.zeros((50, d)), generator=0)
    assert np.abs(noise @ empty).max() < 2e-14 * np.abs(noise).max() * np.sqrt(d)
    assert np.linalg.matrix_rank(noise) == min(rank, 50)
    assert (np.abs(root).max(0) > 0).sum() == rank


def test_coordinates_without_variance_stay_as_they_are_and_small_variances_count():
    rows = np.random.default_rng(5).standard_normal((6, 4))
    noise = GaussianNoise(covariance=np.diag([1.0, 0.0, 1e-24, 4.0])).apply(rows, generator=1) - rows
    assert (noise[:, 1] == 0).all()
    variances = torch.linspace(0, 1, 100, dtype=torch.float64) ** 40
    root = covariance_root(variances.flip(0).diag())
    np.testing.assert_allclose(root.square().sum(1).flip(0), variances, rtol=1e-14)


@pytest.mark.parametrize("bins", [2, 7, 256])
@pytest.mark.parametrize("range_", ["fixed", "fitted"])
def test_quantised_numbers_are_within_half_a_bin_and_few(bins, range_):
    rows = np.random.default_rng(1).uniform(-1, 1, (2000, 2))
    found = UniformQuantization(bins, range=range_).apply(rows)
    assert np.abs(found - rows).max() <= 1 / bins + 1e-12
    assert all(len(np.unique(column.round(9))) <= bins for column in found.T)


def test_fitted_ranges_follow_a_translation_and_fixed_ones_do_not():
    rows = np.random.default_rng(2).uniform(-0.5, 0.5, (50, 4))
    shift = np.array([0.11, -0.07, 0.3, 0.013])
    fitted, fixed = UniformQuantization(8, range="fitted"), UniformQuantization(8)
    np.testing.assert_allclose(fitted.apply(rows + shift), fitted.apply(rows) + shift, atol=1e-12)
    assert np.abs(fixed.apply(rows + shift) - fixed.apply(rows) - shift).max() > 0.05


def test_a_constant_dimension_survives_fitted_quantisation():
    np.testing.assert_array_equal(UniformQuantization(4, range="fitted").apply(np.full((3, 2), 0.3)), 0.3)


def test_int8_codes_have_255_steps():
    rows = np.random.default_rng(3).standard_normal((5, 4000))
    codes = Int8Codes().apply(rows) / np.abs(rows).max(1, keepdims=True) * 127
    np.testing.assert_allclose(codes, codes.round(), atol=1e-9)
    assert np.abs(codes).max() == pytest.approx(127)
    assert (Int8Codes().apply(np.zeros((1, 3))) == 0).all()


def test_binary_codes_keep_the_signs_with_the_best_scale():
    rows = np.random.default_rng(4).standard_normal((6, 50))
    found = BinaryCodes().apply(rows)
    assert (np.sign(found) == np.sign(rows)).all()
    for scale in (0.9, 1.1):
        assert (((found - rows) ** 2).sum(1) < ((scale * found - rows) ** 2).sum(1)).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: GaussianNoise(), "either sigma or covariance"),
        (lambda: GaussianNoise(1.0, np.eye(2)), "either sigma or covariance"),
        (lambda: GaussianNoise(-1.0), "at least 0"),
        (lambda: GaussianNoise("much"), "must be a number"),
        (lambda: GaussianNoise([0.1, -0.1]), "one number ≥ 0 or a vector"),
        (lambda: GaussianNoise(covariance=np.ones((2, 3))), "shape"),
        (lambda: GaussianNoise(covariance=[[1.0, 0.5], [0.0, 1.0]]), "symmetric"),
        (lambda: GaussianNoise(covariance=[[1.0, 2.0], [2.0, 1.0]]), "positive semidefinite"),
        (lambda: GaussianNoise(covariance=np.eye(3)).apply(np.ones((2, 4))), "given for 3 dimensions"),
        (lambda: UniformQuantization(1), "at least 2"),
        (lambda: UniformQuantization(8, range="fittd"), "did you mean 'fitted'"),
        (lambda: UniformQuantization(8, limit=0), "greater than 0"),
        (lambda: Int8Codes("rows"), "did you mean 'row'"),
        (lambda: BinaryCodes("median"), "threshold must be"),
        (lambda: GaussianNoise("0.1"), "sigma must be a number; got '0.1'; pass it without quotes"),
        (lambda: GaussianNoise(np.str_("0.1")), "must be a number; .*; pass it without quotes"),
        (lambda: GaussianNoise(np.array("0.1")), "must be a number; .*; pass it without quotes"),
        (lambda: GaussianNoise(True), "sigma must be a number; got True; pass"),
        (lambda: GaussianNoise(np.True_), "must be a number; got .*True.*; pass"),
        (lambda: GaussianNoise(torch.tensor(True)), "must be a number; got .*True.*; pass"),
        (lambda: GaussianNoise(1j), "must be a number; got 1j; pass"),
        (lambda: GaussianNoise(10**400), "must be a number below 1.8e308; got a larger one; pass"),
        (lambda: GaussianNoise(float("nan")), "sigma must be finite; got nan; pass"),
        (lambda: GaussianNoise(-np.inf), "sigma must be finite; got -inf; pass"),
        (lambda: GaussianNoise(-1e-3), "sigma must be at least 0; got -0.001; pass"),
        (lambda: GaussianNoise([0.1, np.nan]), "sigma must be finite; 1 of 2"),
        (lambda: GaussianNoise(-np.ones(2000)), "one number ≥ 0 or a vector .* got -1 at 0; pass"),
        (lambda: GaussianNoise(np.eye(3)), r"a vector .* got shape \(3, 3\); pass a full covariance"),
        (lambda: GaussianNoise([]), r"a vector .* got shape \(0,\)"),
        (lambda: GaussianNoise([True, False]), "sigma must hold real numbers"),
        (lambda: GaussianNoise(["0.1"]), "sigma must hold real numbers"),
        (lambda: as_generator(True), "generator.* must be"),
        (lambda: as_generator(np.True_), "generator.* must be"),
        (
            lambda: as_generator("7"),
            "generator, if it is no torch.Generator, must be a whole number .*; got '7'",
        ),
        (lambda: as_generator(1.5), "generator.* must be a whole number"),
        (lambda: as_generator(10**30), "at most 18,446,744,073,709,551,615; got 10{30}"),
        (lambda: as_generator(2**64), "got 18446744073709551616"),
        (lambda: as_generator(-(2**63) - 1), "at least -9223372036854775808; got -9223372036854775809"),
        (lambda: as_generator(10**5000), "got a number of 16610 bits"),
    ],
)
def test_bad_settings_get_one_clear_line(make, words):
    with pytest.raises(InputError, match=words) as raised:
        make()
    message = str(raised.value)
    assert "\n" not in message
    assert len(message) < 250


@pytest.mark.parametrize("sigma", [np.float32(0.5), np.array(0.5), torch.tensor(0.5), Fraction(1, 2)])
def test_every_kind_of_single_number_is_one(sigma):
    assert GaussianNoise(sigma).isotropic == 0.5


@pytest.mark.parametrize("seed", [-(2**63), -1, 2**32, 2**64 - 1, np.int64(5), torch.tensor(5)])
def test_every_seed_that_torch_takes_is_taken(seed):
    expected = torch.randn(3, generator=torch.Generator().manual_seed(int(seed)))
    assert torch.equal(torch.randn(3, generator=as_generator(seed)), expected)


def test_random_axes_are_no_rotation_or_favour_some():
    rows = np.random.default_rng(1).standard_normal((6, 4))

    class Keep:
        def apply(self, embeddings, *, generator=None):
            return embeddings

    class First:
        def apply(self, embeddings, *, generator=None):
            return embeddings * (torch.arange(4) == 0)

    np.testing.assert_allclose(RandomAxes(Keep()).apply(rows, generator=3), rows, atol=1e-12)
    # What is left along a random axis q is (x·q) q, whose mean over axes is x/d.
    drawn = np.mean([RandomAxes(First()).apply(rows, generator=seed) for seed in range(4000)], axis=0)
    np.testing.assert_allclose(drawn, rows / 4, atol=0.06)


def test_stale_rows_come_from_the_other_version_in_their_place():
    rows, other = np.random.default_rng(2).standard_normal((2, 5000, 3))
    drawn = StaleRows(other, 0.3).apply(rows, generator=1)
    stale = (drawn == other).all(1)
    assert (stale | (drawn == rows).all(1)).all()
    assert stale.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.3 * 0.7 / 5000))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: StaleRows(np.eye(3), 1.5),
        lambda: StaleRows([1.0], 0.5),
        lambda: StaleRows(np.eye(3), 0.5).apply(np.eye(4)),
        lambda: RandomAxes(3),
    ],
)
def test_versions_that_do_not_fit_are_refused(wrong):
    with pytest.raises(InputError):
        wrong()
