"""Galleries that grow: what a closer that was fitted before does to rows it has not seen."""

import warnings

import numpy as np
import pytest

import gapkit
from gapkit.closing import AffineProjection, GapCloser, LinearProjection, MeanShift, load_closer
from gapkit.closing.projections import SpanProjection
from gapkit.errors import GapkitWarning, InputError
from gapkit.geometry import nearest
from gapkit.robustness import robustness
from tests.closing.conftest import make_sides

CLOSERS = [GapCloser(), GapCloser(moves="queries"), AffineProjection(), LinearProjection()]


def outside(x, rows):
    """Least squares on the fitted rows, apart from the closer's own directions."""
    centred, basis = rows - x.mean(0), (x - x.mean(0)).T
    rest = centred.T - basis @ np.linalg.lstsq(basis, centred.T, rcond=None)[0]
    return (rest**2).sum(0) / (centred**2).sum(1)


@pytest.mark.parametrize("closer", CLOSERS, ids=repr)
def test_the_share_outside_is_what_least_squares_leaves(closer, rng):
    x, y = make_sides(rng)
    rows = rng.standard_normal((6, x.shape[1]))
    closer.fit(x, y)
    np.testing.assert_allclose(closer.outside_span(rows), outside(x, rows), atol=1e-10)
    np.testing.assert_allclose(closer.outside_span(x), 0, atol=1e-12)
    np.testing.assert_allclose(closer.outside_span(x[:3].mean(0, keepdims=True)), 0, atol=1e-12)


@pytest.mark.parametrize("closer", [*CLOSERS, SpanProjection()], ids=repr)
def test_rows_that_were_not_fitted_are_spoken_of(closer, rng):
    x, y = make_sides(rng, k=20)
    closer.fit(x[:10], y)
    with pytest.warns(GapkitWarning, match="10 of 20 gallery rows .* fit again"):
        closer.transform_pair(x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        closer.transform_pair(x[:10], y)  # what was fitted
        noisy = x[:10] + 0.1 * rng.standard_normal((10, 24))
        closer.transform_pair(noisy, y, perturbed=True)
        if closer.moves == "gallery":  # robustness tells the closer which rows are perturbed
            closer.transform(noisy, perturbed=True)
            robustness(y, x[:10], 0.1, transform=closer.transform, draws=3)
        closer.transform_pair(x[:4], y)  # a part of it
    with pytest.warns(GapkitWarning, match="10 of 10 gallery rows .* perturbed=True"):
        closer.transform_pair(noisy, y)  # as many as were fitted, and yet others


def test_a_closer_that_promises_nothing_warns_of_nothing(rng):
    x, y = make_sides(rng, k=20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GapCloser(n_components=2, moves="queries").fit(x[:10], y).transform_pair(x, y)
        MeanShift(moves="queries").fit(x[:10], y).transform_pair(x, y)


def test_answers_change_among_rows_that_were_not_fitted_and_stay_after_fitting_again(rng):
    x, y = make_sides(rng, k=40, m=600, d=60, gap=2.0, noise=1.5)
    before = nearest(y, x)
    old = GapCloser().fit(x[:20], y)
    with pytest.warns(GapkitWarning):
        moved = old.transform(x)
    assert (nearest(y, moved) != before).mean() > 0.01
    assert (nearest(y, GapCloser().fit(x, y).transform(x)) == before).all()


def test_the_span_survives_the_file(rng, tmp_path):
    x, y = make_sides(rng)
    closer = GapCloser().fit(x, y)
    again = load_closer(closer.save(tmp_path / "closer.safetensors"))
    rows = rng.standard_normal((3, x.shape[1]))
    np.testing.assert_array_equal(again.outside_span(rows), closer.outside_span(rows))


def test_closers_without_a_span_say_so(two_sides):
    with pytest.raises(InputError, match="knows no span"):
        MeanShift().fit(*two_sides).outside_span(two_sides[0])


def test_the_numbers_of_the_issue_on_real_clip():
    """Fitted on 100 captions of COCO-500, applied to 100 others: 0.81 of the answers kept, R@1 0.750 to 0.694."""
    try:
        pairs = gapkit.load_embeddings("coco500-clip-vitb16")
    except InputError as missing:
        pytest.skip(str(missing))
    kept, right = [], []
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(500)
        texts, images = (np.asarray(side, dtype=np.float64)[order] for side in (pairs.texts, pairs.images))
        closer = GapCloser().fit(texts[:100], images[:100])
        before = nearest(images[100:200], texts[100:200])
        with pytest.warns(GapkitWarning, match="outside the span"):
            after = nearest(images[100:200], closer.transform(texts[100:200]))
        kept.append((before == after).mean())
        right.append([(answers == np.arange(100)).mean() for answers in (before, after)])
    assert np.mean(kept) == pytest.approx(0.81, abs=0.04)
    np.testing.assert_allclose(np.mean(right, 0), [0.750, 0.694], atol=0.04)
