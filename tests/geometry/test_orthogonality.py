"""Relative variance and subspace shares, and the chance they are compared with."""

import numpy as np
import pytest
from scipy.stats import beta, kstest

from gapkit.claims import Cell
from gapkit.claims.rules import BelowBand
from gapkit.errors import InputError
from gapkit.geometry import (
    Band,
    relative_variance,
    relative_variance_band,
    subspace_share,
    subspace_share_chance,
)
from gapkit.geometry.orthogonality import band_of_spectrum, place_in_band
from gapkit.geometry.shape import principal_directions


def test_relative_variance_is_the_ratio_of_variances(rng):
    z, g = rng.standard_normal((50, 7)) * np.arange(1, 8), rng.standard_normal(7)
    plain = np.var(z @ g / np.linalg.norm(g), ddof=1) / (np.trace(np.cov(z.T)) / 7)
    assert relative_variance(z, g) == pytest.approx(plain, rel=1e-12)


def test_relative_variance_averages_to_one_over_any_basis(rng):
    z = rng.standard_normal((40, 6)) * [5, 1, 1, 0.1, 2, 3]
    basis = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    assert np.mean([relative_variance(z, v) for v in basis]) == pytest.approx(1, rel=1e-12)


def test_relative_variance_ignores_the_mean_and_the_length_of_the_direction(rng):
    z, g = rng.standard_normal((50, 7)), rng.standard_normal(7)
    assert relative_variance(z + 100, -1e-6 * g) == pytest.approx(relative_variance(z, g), rel=1e-9)


def test_relative_variance_vanishes_off_the_span(rng):
    z = np.hstack([rng.standard_normal((50, 3)), np.full((50, 1), 7.0)])
    assert relative_variance(z, [0, 0, 0, 1]) == pytest.approx(0, abs=1e-25)


def test_the_band_holds_its_share_of_random_directions(rng):
    z = rng.standard_normal((200, 30)) * np.linspace(0.2, 2, 30)
    band = relative_variance_band(z, directions=4000, confidence=0.9, seed=1)
    inside = [band.low <= relative_variance(z, rng.standard_normal(30)) <= band.high for _ in range(300)]
    assert np.mean(inside) == pytest.approx(0.9, abs=0.05)
    assert band.centre == pytest.approx(1, abs=0.02)


def test_the_band_repeats_with_its_seed(rng):
    z = rng.standard_normal((20, 5))
    assert relative_variance_band(z, seed=3) == relative_variance_band(z, seed=3)
    assert relative_variance_band(z, seed=3) != relative_variance_band(z, seed=4)


def test_the_band_of_a_spectrum_is_that_of_the_cloud_with_it(rng):
    z = rng.standard_normal((200, 30)) * np.linspace(0.1, 2, 30)
    spectrum = np.linalg.svd(z - z.mean(0), compute_uv=False) ** 2
    quick, slow = (
        f(a, directions=20_000) for f, a in ((band_of_spectrum, spectrum), (relative_variance_band, z))
    )
    assert quick == pytest.approx(slow, rel=0.02)
    assert band_of_spectrum(7 * spectrum) == pytest.approx(band_of_spectrum(spectrum))
    assert band_of_spectrum(np.ones(9)) == pytest.approx((1, 1, 1))


def test_shares_grow_to_one_and_are_lengths_not_squares(rng):
    z, g = rng.standard_normal((60, 5)) * [9, 7, 5, 3, 1], np.array([3.0, 0, 4.0, 0, 0])
    shares = subspace_share(z, g, [0, 1, 2, 3, 4, 5, 9])
    assert (np.diff(shares) >= -1e-12).all()
    assert shares[0] == 0
    assert shares[[5, 6]] == pytest.approx([1, 1])
    exact = subspace_share(np.vstack([np.diag([9, 7, 5, 3, 1.0]), -np.diag([9, 7, 5, 3, 1.0])]), g, [1, 2, 3])
    assert exact == pytest.approx([0.6, 0.6, 1.0])


def test_several_directions_at_once_give_what_each_gives_alone(rng):
    z, directions = rng.standard_normal((30, 8)), rng.standard_normal((4, 8))
    together = subspace_share(z, directions, [1, 3])
    assert together.shape == (4, 2)
    assert together == pytest.approx(np.stack([subspace_share(z, one, [1, 3]) for one in directions]))
    assert subspace_share(z, directions, 3) == pytest.approx(together[:, 1])


def test_random_directions_follow_the_stated_beta(rng):
    z = rng.standard_normal((80, 24))
    squared = [subspace_share(z, rng.standard_normal(24), 6) ** 2 for _ in range(250)]
    assert kstest(squared, beta(3, 9).cdf).pvalue > 1e-3


def test_chance_band_centre_is_the_root_mean_square():
    band = subspace_share_chance(100, 512)
    assert band.centre == pytest.approx((100 / 512) ** 0.5)
    assert band.low < band.centre < band.high
    assert subspace_share_chance(0, 8) == (0, 0, 0)
    assert subspace_share_chance(8, 8) == (1, 1, 1)


def test_four_words_for_where_an_interval_lies():
    band, found = Band(1.0, 0.5, 2.0), {}
    for low, high in [(0.1, 0.4), (0.4, 0.6), (0.5, 2.0), (1.9, 2.1), (2.1, 3.0), (0.4, 2.1)]:
        found[low, high] = place_in_band(low, high, band)
    assert list(found.values()) == [
        "below", "cannot tell", "inside", "cannot tell", "above", "cannot tell",
    ]  # fmt: skip


def test_below_the_band_is_what_the_claims_rule_calls_yes(rng):
    seen = set()
    for _ in range(300):
        low, high, *edges = (*np.sort(rng.random(2)), *np.sort(rng.random(2)))
        place = place_in_band(low, high, Band(0.5, *edges))
        answer = BelowBand().answer(Cell("", (low + high) / 2, low, high, *edges))
        seen.add((place, answer))
    # Astride the lower edge neither can tell; astride the upper one it is certainly not below.
    assert seen == {
        ("below", "yes"), ("inside", "no"), ("above", "no"), ("cannot tell", "cannot tell"), ("cannot tell", "no"),
    }  # fmt: skip


def test_rank_survives_a_far_mean_and_small_components(rng):
    # float32's own tolerance (1e-7 of the largest, times the size) would drop the last of these.
    scales = np.array([1.0, 1e-2, 1e-5])
    z = (rng.standard_normal((40, 3)) * scales) @ np.linalg.qr(rng.standard_normal((10, 3)))[0].T
    import torch

    assert len(principal_directions(torch.from_numpy(z))[1]) == 3
    assert len(principal_directions(torch.from_numpy(z + 10))[1]) == 3
    assert len(principal_directions(torch.ones(5, 4) * 0.1)[1]) == 0
    assert len(principal_directions(torch.ones(1, 4))[1]) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda z: relative_variance(z, np.zeros(3)), "must not be zero"),
        (lambda z: relative_variance(z, np.ones(4)), "same dimension"),
        (lambda z: relative_variance(z[:1], np.ones(3)), "at least two rows"),
        (lambda z: relative_variance(np.full((5, 3), 0.1), np.ones(3)), "rows that differ"),
        (lambda z: relative_variance_band(z, confidence=1.0), "between 0 and 1"),
        (lambda z: band_of_spectrum([1.0, -1.0]), "must not be negative"),
        (lambda z: band_of_spectrum(np.zeros(3)), "all of them zero"),
        (lambda z: subspace_share(z, np.ones(3), -1), "at least 0"),
        (lambda z: subspace_share(z, np.ones(3), 1.5), "whole numbers"),
        (lambda z: subspace_share_chance(9, 3), "between 0 and the dimension"),
        (lambda z: place_in_band(2.0, 1.0, Band(1, 0, 2)), "must not lie above"),
        (lambda z: place_in_band(float("nan"), 1.0, Band(1, 0, 2)), "low must be finite"),
    ],
)
def test_bad_input_is_named(rng, call, message):
    with pytest.raises(InputError, match=message):
        call(rng.standard_normal((6, 3)))
