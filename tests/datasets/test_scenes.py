"""Rendered scenes: reproducible, labelled rightly, and drawn where the description says."""

import numpy as np
import pytest

from gapkit.datasets.builtin import enlarge, load_digits10
from gapkit.datasets.captions import (
    DIGIT_HELD_OUT,
    DIGIT_TEMPLATES,
    SCENE_CLASS_NAMES,
    SCENE_HELD_OUT,
    SCENE_TEMPLATES,
    scene_captions,
)
from gapkit.datasets.scenes import COLOURS, SHAPES, counterpart, render, sample_scenes


def test_the_same_seed_gives_the_same_pixels_and_another_seed_does_not():
    draw = [render(sample_scenes(np.random.default_rng(seed), np.array([1, 2, 2]))) for seed in (0, 0, 1)]
    assert (draw[0] == draw[1]).all()
    assert (draw[0] != draw[2]).any()


def test_a_batch_is_drawn_as_its_scenes_are_one_by_one():
    scenes = sample_scenes(np.random.default_rng(3), np.array([1, 2, 1, 2]))
    alone = np.concatenate([render(scenes[i : i + 1]) for i in range(4)])
    assert (render(scenes) == alone).all()


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_each_shape_is_painted_in_its_colour_and_inside_its_radius(shape):
    n = len(COLOURS)
    scenes = sample_scenes(
        np.random.default_rng(shape), np.ones(n, int), shape=np.full(n, shape), colour=np.arange(n)
    )
    scenes.noise[:] = 0
    scenes.tint[:] = 0
    scenes.background[:] = 0.3
    images = render(scenes) / 255
    axis = (np.arange(64) + 0.5) / 64 - 0.5
    for image, centre, radius, colour in zip(
        images, scenes.centre[:, 0], scenes.radius[:, 0], COLOURS.values(), strict=True
    ):
        painted = np.abs(image - 0.3).max(-1) > 0.01
        distance = np.hypot(axis[None, :] - centre[0], axis[:, None] - centre[1])
        assert painted.sum() > 25
        assert distance[painted].max() < 1.45 * radius + 1 / 64  # a square's corner reaches √2
        close = np.abs(image - np.array(colour)).max(-1) < 0.01
        assert close.sum() > 0.4 * painted.sum()  # the rest are anti-aliased outline pixels


def test_coverage_of_a_circle_is_its_area_up_to_anti_aliasing():
    scenes = sample_scenes(
        np.random.default_rng(0), np.ones(5, int), shape=np.zeros(5, int), colour=np.full(5, 9)
    )
    scenes.noise[:] = 0
    scenes.background[:] = 0
    scenes.tint[:] = 0
    scenes.centre[:] = 0
    area = (render(scenes)[..., 0] / 255 / 0.97).mean((1, 2))
    expected = np.pi * (0.92 * scenes.radius[:, 0]) ** 2
    np.testing.assert_allclose(area, expected, rtol=0.02)


def test_two_objects_differ_in_shape_and_colour_and_the_first_is_on_the_left():
    scenes = sample_scenes(np.random.default_rng(0), np.full(500, 2))
    assert (scenes.shape[:, 0] != scenes.shape[:, 1]).all()
    assert (scenes.colour[:, 0] != scenes.colour[:, 1]).all()
    assert (scenes.centre[:, 0, 0] < 0).all()
    assert (scenes.centre[:, 1, 0] > 0).all()


@pytest.mark.parametrize("kind", ["sides", "colours"])
def test_a_counterpart_keeps_what_is_there_and_exchanges_what_belongs_to_what(kind):
    scenes = sample_scenes(np.random.default_rng(1), np.full(50, 2))
    other = counterpart(scenes, kind, np.random.default_rng(2))
    assert (np.sort(scenes.shape) == np.sort(other.shape)).all()
    assert (np.sort(scenes.colour) == np.sort(other.colour)).all()
    bound = lambda s: {(a, b) for a, b in zip(s.shape.ravel(), s.colour.ravel(), strict=True)}  # noqa: E731
    assert all((bound(scenes[i : i + 1]) == bound(other[i : i + 1])) == (kind == "sides") for i in range(50))
    assert (scenes.shape == other.shape).all() == (kind == "colours")


def test_no_held_out_template_is_used_in_training():
    assert not set(SCENE_HELD_OUT) & set(SCENE_TEMPLATES)
    assert not set(DIGIT_HELD_OUT) & set(DIGIT_TEMPLATES)


def test_full_captions_name_every_object_in_its_place():
    scenes = sample_scenes(np.random.default_rng(5), np.full(40, 2))
    for i, caption in enumerate(scene_captions(scenes, np.random.default_rng(0), full=True)):
        for slot in range(2):
            assert SHAPES[scenes.shape[i, slot]] in caption
            assert list(COLOURS)[scenes.colour[i, slot]] in caption


def test_class_names_follow_the_labels():
    assert SCENE_CLASS_NAMES[10 * SHAPES.index("star") + list(COLOURS).index("pink")] == "pink star"
    assert len(set(SCENE_CLASS_NAMES)) == 100


def test_digit_splits_are_disjoint_complete_and_stratified():
    (train, train_labels), (test, test_labels) = (load_digits10(s, size=8) for s in ("train", "test"))
    assert len(train) == 1437
    assert len(test) == 360
    assert (np.bincount(test_labels) > 30).all()
    seen = {image.tobytes() for image in train}
    assert sum(image.tobytes() in seen for image in test) <= 2  # scikit-learn's set has hardly a duplicate
    assert len(train_labels) == 1437


def test_enlarging_keeps_constant_images_and_the_mean():
    rng = np.random.default_rng(0)
    assert (enlarge(np.full((1, 8, 8), 0.5)) == 128).all()
    smooth = rng.random((3, 8, 8))
    np.testing.assert_allclose(enlarge(smooth).mean((1, 2, 3)) / 255, smooth.mean((1, 2)), atol=0.03)
