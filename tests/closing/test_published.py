"""Published closers against plain numpy, and the published behaviour of the renormalised half-way shift."""

import numpy as np
import pytest

import gapkit
from gapkit.closing import CLOSERS, LinearProjection
from gapkit.closing.projections import SpanProjection
from gapkit.closing.published import (
    GRCLIP,
    I0T,
    MeanDirectionRemoval,
    ReAlign,
    RenormalisedShift,
)
from gapkit.errors import InputError
from gapkit.geometry import l2m, nearest
from gapkit.geometry.galleries import METRICS
from gapkit.robustness import robustness


def norm(rows):
    return rows / np.sqrt((rows**2).sum(1, keepdims=True))


def i0t(x, y, new_x, new_y):
    return norm(norm(new_x) - norm(x).mean(0)), norm(norm(new_y) - norm(y).mean(0))


def gr_clip(x, y, new_x, new_y):
    return norm(new_x - x.mean(0)), norm(new_y - y.mean(0))


def realign(x, y, new_x, new_y):
    x, y, new_x = norm(x), norm(y), norm(new_x)
    scale = np.sqrt(np.trace(np.cov(y.T, bias=True)) / np.trace(np.cov(x.T, bias=True)))

    def first(rows):
        return norm(y.mean(0) + scale * (rows - x.mean(0)))

    return norm(first(new_x) - first(x).mean(0) + y.mean(0)), new_y


def mean_direction(x, y, new_x, new_y):
    moved = []
    for fitted, rows in ((x, new_x), (y, new_y)):
        direction = fitted.mean(0) / np.linalg.norm(fitted.mean(0))
        moved.append(rows - (rows @ direction)[:, None] * direction)
    return tuple(moved)


def amumo(x, y, new_x, new_y):
    gap = norm(x).mean(0) - norm(y).mean(0)  # its sign
    return norm(norm(new_x) - gap / 2), norm(norm(new_y) + gap / 2)


def class_text_subspace(x, y, new_x, new_y):
    return new_x, np.linalg.lstsq(x.T, new_y.T, rcond=None)[0].T @ x


TWINS = {
    I0T: i0t,
    GRCLIP: gr_clip,
    ReAlign: realign,
    MeanDirectionRemoval: mean_direction,
    RenormalisedShift: amumo,
    SpanProjection: class_text_subspace,
}


@pytest.mark.filterwarnings("ignore:.*outside the span:gapkit.errors.GapkitWarning")  # new rows, on purpose
@pytest.mark.parametrize("kind", TWINS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("unit", [True, False])
def test_each_closer_is_its_formula(kind, unit, rng):
    x, y = rng.standard_normal((12, 30)) + 1, rng.standard_normal((40, 30)) - 0.5
    new_x, new_y = rng.standard_normal((2, 7, 30))
    if unit:
        x, y, new_x, new_y = map(norm, (x, y, new_x, new_y))
    moved = kind().fit(x, y).transform_pair(new_x, new_y)
    for value, expected in zip(moved, TWINS[kind](x, y, new_x, new_y), strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-10, rtol=0)


def test_on_unit_rows_i0t_and_gr_clip_are_one(two_sides):
    for first, second in zip(
        I0T().fit_transform(*two_sides), GRCLIP().fit_transform(*two_sides), strict=True
    ):
        np.testing.assert_allclose(first, second, atol=1e-14)


@pytest.mark.parametrize("kind", [I0T, GRCLIP, ReAlign, RenormalisedShift, MeanDirectionRemoval])
def test_those_that_promise_nothing_do_change_answers(kind, rng):
    x, y = norm(rng.standard_normal((60, 10)) + 2), norm(rng.standard_normal((400, 10)) - 1)
    closer = kind().fit(x, y)
    assert closer.guarantee == ()
    moved_x, moved_y = closer.transform_pair(x, y)
    for metric in METRICS:
        assert (nearest(moved_y, moved_x, metric=metric) != nearest(y, x, metric=metric)).any()


def test_the_span_projection_keeps_every_answer_whatever_the_lengths(rng):
    x, y = rng.standard_normal((9, 40)) * rng.uniform(0.2, 3, (9, 1)), rng.standard_normal((500, 40))
    closer = SpanProjection().fit(x, y)
    assert closer.guarantee == METRICS
    assert closer.rank_ == 9
    for metric in METRICS:
        np.testing.assert_array_equal(
            nearest(closer.transform(y), x, metric=metric), nearest(y, x, metric=metric)
        )


def test_under_the_dot_product_the_span_of_differences_is_at_least_as_good(two_sides):
    x, y = two_sides
    kept = [
        robustness(kind().fit(x, y).transform(y), x, sigma=0.1, metric="dot")
        for kind in (SpanProjection, LinearProjection)
    ]
    assert (kept[1] >= kept[0] - 1e-9).all()
    assert kept[1].mean() > kept[0].mean()


@pytest.mark.parametrize("kind", [I0T, GRCLIP, ReAlign, RenormalisedShift])
def test_noise_cannot_pass_as_a_covariance(kind, two_sides):
    with pytest.raises(InputError, match="no linear part"):
        kind().fit(*two_sides).linear_part()


def test_a_gallery_of_one_direction_cannot_be_rescaled(two_sides):
    lengths, direction = np.arange(1.0, 5.0), two_sides[1][0]  # whose unit rows differ by rounding
    for gallery in (np.ones((4, 24)), np.outer(lengths, direction)):
        with pytest.raises(InputError, match="varies"):
            ReAlign().fit(gallery, two_sides[1])


@pytest.mark.parametrize("kind", [I0T, GRCLIP])
def test_a_row_that_is_the_mean_has_no_direction_left(kind, two_sides):
    gallery = np.tile(norm(two_sides[1][:1]), (3, 1)) + 0.0
    closer = kind().fit(gallery, two_sides[1])
    assert not closer.transform_pair(gallery, two_sides[1])[0].any()


def test_a_mean_of_zero_has_no_direction_to_take_off(rng):
    rows = rng.standard_normal((40, 7))
    rows -= rows.mean(0)
    assert rows.mean(0).any(), "there is no rounding to take for a mean"
    closer = MeanDirectionRemoval().fit(rows, rows + 1)
    np.testing.assert_array_equal(closer.linear_part("gallery"), np.eye(7))
    assert np.linalg.matrix_rank(closer.linear_part("queries")) == 6


def test_every_published_closer_has_a_name():
    assert {kind.name: kind for kind in TWINS}.items() <= CLOSERS.items()


def test_renormalising_leaves_the_gap_and_the_accuracy_that_amumo_shows():
    """From its published files of MSCOCO-100: gap 0.81 to 0.04, images' own captions first 0.82 to 0.61."""
    try:
        pairs = gapkit.load_embeddings("coco100-clip-rn50")
    except InputError as missing:
        pytest.skip(str(missing))
    images, texts = (norm(np.asarray(side, dtype=np.float64)) for side in (pairs.images, pairs.texts))
    moved_texts, moved_images = RenormalisedShift().fit_transform(texts, images)
    right = np.arange(100)
    assert round(l2m(texts, images), 2) == 0.81
    assert round(l2m(moved_texts, moved_images), 2) == 0.04
    assert (nearest(images, texts) == right).mean() == pytest.approx(0.82, abs=0.005)
    assert (nearest(moved_images, moved_texts) == right).mean() == pytest.approx(0.61, abs=0.005)
