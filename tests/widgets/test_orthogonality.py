"""The orthogonality explorer says and shows what the package computes, in one figure."""

import itertools
import re
from collections import Counter

import numpy as np
import pytest

import gapkit.widgets.measuring as module
from gapkit.embeddings import load_embeddings
from gapkit.geometry import gap_vector, relative_variance, relative_variance_band, subspace_share
from gapkit.plots.geometry import SMALLEST_SHARE, orthogonality_player
from gapkit.widgets import orthogonality_explorer
from gapkit.widgets.measuring import orthogonality_numbers, orthogonality_view
from tests.widgets.counting import counted

MODELS = [f"miniclip-{name}" for name in ("wide", "t0.01", "siglip", "learned", "random")]
DATASETS = ["scenes100", "digits10", "scenes-pairs"]


@pytest.fixture(autouse=True)
def fresh():
    """No view is remembered from another test."""
    orthogonality_view.cache_clear()
    yield
    orthogonality_view.cache_clear()


def test_the_view_says_where_the_gap_lies(monkeypatch):
    rng = np.random.default_rng(0)

    class Entries:
        texts = rng.normal(size=(60, 20)) * np.where(np.arange(20) < 10, 1.0, 1e-3)
        images = rng.normal(size=(60, 20)) * np.where(np.arange(20) < 10, 1.0, 1e-3) + 3 * np.eye(20)[15]

    monkeypatch.setattr(module, "load_embeddings", lambda name: Entries())
    view = orthogonality_view("some-model", "some-data")
    assert view.summary.startswith("some-model on some-data: gap 3.")
    assert view.summary.count("below the random band") == 2


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_numbers_are_those_of_the_package(dataset):
    entries = load_embeddings(f"{MODELS[0]}/{dataset}")
    texts, images = entries.texts.astype(float), entries.images.astype(float)
    shown, bands = orthogonality_numbers(texts, images)
    g = gap_vector(texts, images)
    for side, z in (("texts", texts), ("images", images)):
        exact = np.linalg.svd(z - z.mean(0), compute_uv=False)[: len(z) - 1] ** 2
        assert shown.spectra[side] == pytest.approx(exact / exact.sum() * 512, rel=1e-6, abs=1e-9)
        assert shown.along[side] == relative_variance(z, g)
        assert bands[side] == pytest.approx(relative_variance_band(z), rel=0.15)
    ks = [1, len(texts) // 2, len(texts) - 1]
    assert shown.shares[np.array(ks) - 1] == pytest.approx(np.asarray(subspace_share(texts, g, ks)) ** 2)


def test_the_sentence_gives_the_numbers_of_the_package():
    entries = load_embeddings(f"{MODELS[2]}/digits10")
    view = orthogonality_view(MODELS[2], "digits10")
    g = gap_vector(entries.texts, entries.images)
    assert f"gap {np.linalg.norm(g):.2f};" in view.summary
    for side, z in (("texts", entries.texts), ("images", entries.images)):
        value, low, high = map(
            float, re.search(rf"{side} ([\d.]+), inside .*? ([\d.]+) to ([\d.]+)", view.summary).groups()
        )
        assert value == pytest.approx(relative_variance(z, g), abs=0.006)
        assert (low, high) == pytest.approx(relative_variance_band(z)[1:], rel=0.15)


def test_the_player_draws_the_numbers_of_the_last_model_only():
    rng = np.random.default_rng(0)
    player = orthogonality_player(20)
    for count in (30, 12):
        texts, images = rng.normal(size=(count, 20)), rng.normal(size=(50, 20)) + 1
        shown, _ = orthogonality_numbers(texts, images)
        left, right = player.axes(shown)
        drawn = {line.get_label(): line.get_ydata() for ax in (left, right) for line in ax.lines}
        assert drawn["texts: components"] == pytest.approx(shown.spectra["texts"])
        assert drawn["images: along the gap"] == pytest.approx([shown.along["images"]])
        steps = next(line for line in right.lines if line.get_label() == "gap in the texts").get_xdata()
        assert steps.tolist() == list(range(1, len(shown.shares) + 1))  # so few that each is drawn
        assert drawn["gap in the texts"] == pytest.approx(np.maximum(shown.shares, SMALLEST_SHARE))


def test_a_picture_does_not_depend_on_what_was_drawn_before():
    first = orthogonality_view(MODELS[0], "digits10").png
    other = orthogonality_view(MODELS[1], "scenes100").png
    orthogonality_view.cache_clear()
    assert first.startswith(b"\x89PNG")
    assert first != other
    assert orthogonality_view(MODELS[0], "digits10").png == first


def test_another_model_needs_another_figure():
    orthogonality_view(MODELS[0], "scenes100")  # axes and labels are drawn with the first
    pairs = list(itertools.product(MODELS[1:], DATASETS))
    for loads in (len(pairs), 0):
        with counted(loads=(module, "load_embeddings")) as calls:
            for pair in pairs:
                orthogonality_view(*pair)
        assert +calls == +Counter(loads=loads)


def test_every_control_of_the_explorer_changes_what_is_shown():
    box = orthogonality_explorer(MODELS)
    for control in box.children[0].children:
        before = box.children[-1].value
        control.index = control.index + 1
        assert box.children[-1].value != before, control.description
