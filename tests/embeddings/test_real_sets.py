"""The published sets themselves, where they are in the cache: the published ‖g‖, and what they show."""

import numpy as np
import pytest

from gapkit.embeddings import load_embeddings, published_sets
from gapkit.geometry import gap_vector, l2m, relative_variance

VARIANCES = {  # along g, images and texts, as measured when the sets were chosen
    "coco500-clip-vitb16": (2.52, 3.43),
    "xray500-convirt": (4.75, 13.5),
    "video100-videoclip": (2.28, 3.80),
    "protein99-clasp": (16.2, 37.4),
    "coco100-clip-rn50": (4.08, 8.42),
    "coco100-cyclip": (0.90, 0.59),
    "coco100-cloob": (7.39, 15.9),
    "coco100-cloob-laion400m": (1.85, 2.20),
}
SHAPES = {
    "coco500": (500, 500),
    "xray500": (500, 443),
    "video100": (100, 100),
    "protein99": (99, 98),
    "coco100": (100, 100),
}


def real(name):
    if not published_sets()[name].cached:
        pytest.skip(f"{name} is not in the cache; put it there with: gapkit fetch {name}")
    return load_embeddings(name)


@pytest.mark.parametrize("name", [n for n, entry in published_sets().items() if entry.gap_distance])
def test_a_gram_matrix_has_the_published_gap(name):
    entries = real(name)
    assert l2m(entries.texts, entries.images) == pytest.approx(published_sets()[name].gap_distance, abs=1e-6)


@pytest.mark.parametrize("name", VARIANCES)
def test_relative_variances_are_those_measured_before(name):
    entries = real(name)
    gap = gap_vector(entries.texts.astype(float), entries.images.astype(float))
    for side, expected in zip((entries.images, entries.texts), VARIANCES[name], strict=True):
        digits = 1 if expected >= 10 else 2
        assert relative_variance(side, gap) == pytest.approx(expected, abs=0.6 * 10**-digits)


@pytest.mark.parametrize("name", published_sets())
def test_sets_are_of_the_stated_shape(name):
    entries, entry = real(name), published_sets()[name]
    images, texts = SHAPES[entry.dataset]
    assert (entries.images.shape, entries.texts.shape) == ((images, entry.dimension),) * 2
    assert entries.normalised and entries.task == "pairs"
    if not entry.control:
        assert len(np.unique(entries.texts.round(6), axis=0)) == texts
