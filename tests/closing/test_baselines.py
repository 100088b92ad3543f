"""Centring, standardisation and Procrustes, against what they are defined by."""

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from gapkit.closing.published import Centring, Procrustes, Standardisation
from gapkit.errors import InputError


def test_centring_leaves_no_mean_on_either_side(two_sides):
    a, b = Centring().fit(*two_sides).transform_pair(*two_sides)
    np.testing.assert_allclose(a.mean(0), 0, atol=1e-15)
    np.testing.assert_allclose(b.mean(0), 0, atol=1e-15)


def test_standardisation_leaves_mean_zero_and_variance_one(two_sides):
    for z in Standardisation().fit(*two_sides).transform_pair(*two_sides):
        np.testing.assert_allclose(z.mean(0), 0, atol=1e-12)
        np.testing.assert_allclose(z.std(0), 1, atol=1e-12)


def test_standardisation_does_not_blow_up_a_constant_dimension(rng):
    x, y = rng.standard_normal((2, 20, 4)) + 1
    x[:, 2] = 0.1
    a, _ = Standardisation().fit(x, y).transform_pair(x, y)
    np.testing.assert_allclose(a[:, 2], 0, atol=1e-15)
    only, _ = Standardisation().fit(x[:1], y).transform_pair(x[:1], y)
    np.testing.assert_array_equal(only, np.zeros((1, 4)))


def test_standardisation_scales_noise_by_its_linear_part(two_sides):
    closer = Standardisation().fit(*two_sides)
    np.testing.assert_allclose(closer.linear_part("gallery"), np.diag(1 / two_sides[0].std(0)), rtol=1e-10)


def test_procrustes_is_scipys_and_brings_the_means_together(rng):
    x, y = rng.standard_normal((60, 12)), rng.standard_normal((60, 12)) + 2
    closer = Procrustes().fit(x, y)
    rotation, _ = orthogonal_procrustes(x - x.mean(0), y - y.mean(0))
    np.testing.assert_allclose(closer.linear_part(), rotation.T, atol=1e-10)
    np.testing.assert_allclose(closer.transform(x).mean(0), y.mean(0), atol=1e-12)


def test_procrustes_finds_a_hidden_rotation(rng):
    x = rng.standard_normal((40, 9))
    rotation = np.linalg.qr(rng.standard_normal((9, 9)))[0]
    y = x @ rotation + 5
    np.testing.assert_allclose(Procrustes().fit(x, y).transform(x), y, atol=1e-10)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_procrustes_with_few_pairs_is_still_orthogonal_and_turns_no_more_than_it_must(rng, n):
    x = rng.standard_normal((n, 9))
    y = x + 0.01 * rng.standard_normal((n, 9))
    rotation = Procrustes().fit(x, y).linear_part()
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(9), atol=1e-10)
    np.testing.assert_allclose(rotation, np.eye(9), atol=0.2)


def test_procrustes_turns_nothing_where_nothing_varies(rng):
    gallery = np.tile([0.1, 0.7, 0.3], (3, 1))
    assert (gallery != gallery.mean(0)).any(), "there is no rounding to rotate"
    np.testing.assert_allclose(
        Procrustes().fit(gallery, rng.standard_normal((3, 3))).linear_part(), np.eye(3), atol=1e-12
    )


def test_procrustes_needs_pairs(two_sides):
    with pytest.raises(InputError, match="matched pairs"):
        Procrustes().fit(*two_sides)
