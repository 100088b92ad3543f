"""The projections of the query: what they are, and that translations cannot do better."""

import numpy as np
import pytest

from gapkit.closing import AffineProjection, GapCloser, LinearProjection
from gapkit.errors import GapkitWarning


def test_the_affine_projection_is_the_nearest_point_of_the_affine_span(two_sides):
    x, y = two_sides
    moved = AffineProjection().fit(x, y).transform(y)
    weights = np.linalg.lstsq(
        np.vstack([x.T, 1e6 * np.ones(10)]), np.vstack([y.T, 1e6 * np.ones(300)]), rcond=None
    )[0]
    np.testing.assert_allclose(moved, weights.T @ x, atol=1e-8)


def test_the_linear_projection_lies_in_the_span_of_the_differences(two_sides):
    x, y = two_sides
    moved = LinearProjection().fit(x, y).transform(y)
    differences = (x - x[0])[1:]
    np.testing.assert_allclose(moved, moved @ np.linalg.pinv(differences) @ differences, atol=1e-12)
    assert (np.linalg.norm(moved, axis=1) <= np.linalg.norm(y, axis=1) + 1e-12).all()


@pytest.mark.parametrize("kind", [AffineProjection, LinearProjection])
@pytest.mark.parametrize("alpha", [-1.0, 0.3, 1.0, 2.5])
def test_every_alpha_keeps_every_margin(two_sides, kind, alpha):
    x, y = two_sides
    moved = kind(alpha=alpha).fit(x, y).transform(y)
    distances = lambda z: ((z[:, None] - x) ** 2).sum(2)  # noqa: E731
    np.testing.assert_allclose(np.diff(distances(moved)), np.diff(distances(y)), atol=1e-12)
    np.testing.assert_allclose(np.diff(moved @ x.T), np.diff(y @ x.T), atol=1e-12)


@pytest.mark.parametrize("kind", [AffineProjection, LinearProjection])
def test_projecting_twice_changes_nothing_more(two_sides, kind):
    x, y = two_sides
    closer = kind().fit(x, y)
    np.testing.assert_allclose(closer.transform(closer.transform(y)), closer.transform(y), atol=1e-14)


def test_the_global_shift_is_the_mean_of_the_affine_projection(two_sides):
    x, y = two_sides
    moved = AffineProjection().fit(x, y).transform(y)
    np.testing.assert_allclose((moved - y).mean(0), -GapCloser().fit(x, y).shift_, atol=1e-13)


@pytest.mark.parametrize("kind", [AffineProjection, LinearProjection])
def test_with_no_direction_left_nothing_moves(rng, kind):
    x, y = rng.standard_normal((30, 6)), rng.standard_normal((20, 6))
    with pytest.warns(GapkitWarning, match="span all 6 dimensions"):
        closer = kind().fit(x, y)
    np.testing.assert_array_equal(closer.transform(y), y)


def margin_preserving_translations(x, y, rng, count):
    """Random v orthogonal to all differences of candidates, one for each query and draw, of many lengths."""
    directions = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][: len(x) - 1]
    v = rng.standard_normal((count, *y.shape)) * rng.uniform(0, 1, (count, 1, 1))
    return v - v @ directions.T @ directions


@pytest.mark.parametrize(("metric", "kind"), [("euclidean", AffineProjection), ("dot", LinearProjection)])
@pytest.mark.parametrize("sigma", [0.05, 0.3])
def test_no_random_margin_preserving_translation_is_more_robust(rng, two_sides, metric, kind, sigma):
    from gapkit.robustness import robustness

    x, y = two_sides[0], two_sides[1][:25]
    best = robustness(kind().fit(x, two_sides[1]).transform(y), x, sigma=sigma, metric=metric)
    assert (best >= robustness(y, x, sigma=sigma, metric=metric) - 2e-5).all()
    shifted = GapCloser(moves="queries").fit(x, two_sides[1]).transform(y)
    assert (best >= robustness(shifted, x, sigma=sigma, metric=metric) - 2e-5).all()
    optimum = kind().fit(x, two_sides[1]).transform(y)
    for v in margin_preserving_translations(x, y, rng, 12):
        for start in (y, optimum):
            assert (best >= robustness(start + v, x, sigma=sigma, metric=metric) - 2e-5).all()


@pytest.mark.parametrize(("metric", "kind"), [("euclidean", AffineProjection), ("dot", LinearProjection)])
def test_the_optimum_is_clearly_above_the_shift_under_its_own_metric(two_sides, metric, kind):
    from gapkit.robustness import robustness

    x, y = two_sides
    best = robustness(kind().fit(x, y).transform(y), x, sigma=0.15, metric=metric).mean()
    shift = robustness(GapCloser(moves="queries").fit(x, y).transform(y), x, sigma=0.15, metric=metric).mean()
    assert best > shift + 0.005


def test_robustness_depends_on_the_offset_alone(rng, two_sides):
    # Translations of one length off the span are all alike: Euclid sees only the common offset.
    from gapkit.robustness import robustness

    x, y = two_sides[0], two_sides[1][:10]
    projected = AffineProjection().fit(x, two_sides[1]).transform(y)
    values = []
    for v in margin_preserving_translations(x, y, rng, 3):
        values.append(
            robustness(projected + 0.5 * v / np.linalg.norm(v, axis=1, keepdims=True), x, sigma=0.1)
        )
    np.testing.assert_allclose(values[1], values[0], atol=2e-5)
    np.testing.assert_allclose(values[2], values[0], atol=2e-5)
