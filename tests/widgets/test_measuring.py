"""The widgets of lesson 01 say and show what the package computes, and draw it once."""

import re

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from gapkit.embeddings import load_embeddings
from gapkit.geometry import gap_vector, matched_cosine
from gapkit.widgets import gap_explorer, measuring, similarity_explorer
from gapkit.widgets.measuring import DATASETS, MARKED, gap_view, marked_rows, similarity_view
from tests.widgets.counting import counted

MODELS = ["miniclip-wide", "miniclip-siglip"]


def places(fragment: str, kind: str) -> np.ndarray:
    """Positions in per cent of the spots of one kind."""
    pattern = rf'class="{kind}[^"]*" style="left:([-\d.]+)%;top:([-\d.]+)%'
    return np.array(re.findall(pattern, fragment), dtype=float)


def text_names(fragment: str) -> list[str]:
    """What the spots over the texts say."""
    return re.findall(r"<div>text: ([^<]+)<", fragment)


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_row_has_a_spot_within_the_picture(dataset):
    entries = load_embeddings(f"{MODELS[0]}/{dataset}")
    overlay = gap_view(MODELS[0], dataset, 0).overlay
    spots = places(overlay, "gk-point")
    assert len(spots) == len(entries.texts) + len(entries.images)
    assert len(overlay) < 250_000  # it travels to the browser with every redraw
    assert spots.min() > 0
    assert spots.max() < 100


def test_texts_lie_left_of_images_as_in_the_picture():
    overlay = gap_view(MODELS[0], "scenes100", 0).overlay
    spots = places(overlay, "gk-point")
    texts = len(text_names(overlay))
    assert spots[:texts, 0].max() < spots[texts:, 0].min()


def test_the_mark_sits_on_the_chosen_image_and_on_its_own_text():
    pair = 7
    view = gap_view(MODELS[0], "scenes100", pair)
    text, image = places(view.overlay, "gk-chosen")
    spots = places(view.overlay, "gk-point")
    entries = load_embeddings(f"{MODELS[0]}/scenes100")
    names = text_names(view.overlay)
    row = int(re.search(r"Image (\d+)", view.summary)[1])
    assert row == marked_rows(entries)[pair]
    np.testing.assert_allclose(image, spots[len(names) + row])
    np.testing.assert_allclose(text, spots[names.index(entries.text_names[entries.labels[row]])])


def test_the_spot_of_an_image_names_it_its_text_and_its_small_picture():
    entries = load_embeddings(f"{MODELS[0]}/digits10")
    overlay = gap_view(MODELS[0], "digits10", 0).overlay
    said = re.findall(r'<div>image (\d+): <i [^>]*position:-(\d+)px -(\d+)px"></i> of ([^<]+)<', overlay)
    assert [int(row) for row, *_ in said] == list(range(len(entries.images)))
    assert [name for *_, name in said] == [entries.text_names[label] for label in entries.labels]
    assert len({(left, top) for _, left, top, _ in said}) == len(said)


def test_marks_are_spread_over_all_images():
    rows = marked_rows(load_embeddings(f"{MODELS[0]}/scenes100"))
    assert len(rows) == MARKED
    assert (rows[0], rows[-1]) == (0, 499)
    assert set(np.diff(rows)) <= {4, 5}


def test_the_sentence_gives_the_numbers_of_the_package():
    entries = load_embeddings(f"{MODELS[1]}/digits10")
    view = gap_view(MODELS[1], "digits10", 11)
    row = int(re.search(r"Image (\d+)", view.summary)[1])
    own = entries.labels[row]
    cosine = matched_cosine(entries.texts[own : own + 1], entries.images[row : row + 1])
    assert f"gap {np.linalg.norm(gap_vector(entries.texts, entries.images)):.2f}" in view.summary
    assert f"cosine {cosine:.2f}" in view.summary
    assert f"own text “{entries.text_names[own]}”" in view.summary


def test_taking_off_the_means_takes_the_gap_out_of_the_cosines():
    def numbers(centred):
        return [
            float(n)
            for n in re.findall(r"-?\d\.\d\d", similarity_view(MODELS[0], "scenes100", 60, centred).summary)
        ]

    own, others = numbers(False)
    own_centred, others_centred = numbers(True)
    assert others > 0.3
    assert abs(others_centred) < 0.1
    assert own_centred - others_centred > own - others


@pytest.mark.parametrize("build", [gap_explorer, similarity_explorer])
def test_each_control_redraws_and_is_labelled(build):
    box = build(MODELS)
    controls, output = box.children[0].children, box.children[-1]
    changed = {
        "model": MODELS[1],
        "dataset": "digits10",
        "marked pair": 5,
        "pairs": 30,
        "subtract each modality's mean": True,
    }
    for control in controls:
        before = output.value
        control.value = changed[control.description]
        assert output.value != before, control.description
        assert 'alt="' in output.value
        assert "<figcaption>" in output.value


@pytest.fixture
def fresh():
    """What `gap_explorer` prepares before any control can be moved, and nothing remembered besides."""
    gap_explorer(MODELS)
    measuring._entries.cache_clear()
    measuring._scene.cache_clear()


ONE_PICTURE = {"figures": 1, "whole drawings": 1}


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_gap_is_drawn_again_when_another_pair_is_marked(dataset, fresh):
    for model in MODELS:
        with counted(loads=(measuring, "load_embeddings"), sheets=(measuring, "load_dataset")) as calls:
            gap_view(model, dataset, 0)
        assert calls == {"loads": 1, "axes with ticks": 2} | ONE_PICTURE
    with counted(loads=(measuring, "load_embeddings"), sheets=(measuring, "load_dataset")) as calls:
        for pair in range(5):
            gap_view(MODELS[pair % 2], dataset, pair)
    assert calls == {}


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_heat_map_is_drawn_twice_or_read_twice(dataset, fresh):
    with counted(loads=(measuring, "load_embeddings")) as calls:
        similarity_view(MODELS[0], dataset, 100, True)
    assert calls == {"loads": 1, "axes with ticks": 4} | ONE_PICTURE
    with counted(loads=(measuring, "load_embeddings")) as calls:
        similarity_view(MODELS[0], dataset, 60, False)
    assert calls == {"axes with ticks": 4} | ONE_PICTURE


@pytest.mark.parametrize("centred", [False, True])
def test_the_label_of_the_similarity_map_is_cut_off(centred, monkeypatch):
    drawn = []
    monkeypatch.setattr(measuring, "_png", lambda ax: drawn.append(ax.figure) or b"")
    similarity_view("miniclip-wide", "scenes100", 60, centred)
    (figure,) = drawn
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes:
        for label in (axes.yaxis.label, axes.title, *axes.get_xticklabels(), *axes.get_yticklabels()):
            box = label.get_window_extent()
            assert box.x0 >= 0
            assert box.x1 <= figure.bbox.x1
