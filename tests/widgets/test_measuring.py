"""The widgets of lesson 01 say and show what the package computes, quickly."""

import re
import time

import numpy as np
import pytest

from gapkit.embeddings import load_embeddings
from gapkit.geometry import gap_vector, matched_cosine
from gapkit.widgets import gap_explorer, similarity_explorer
from gapkit.widgets.measuring import DATASETS, NAMED, gap_view, similarity_view

MODELS = ["miniclip-wide", "miniclip-siglip"]


def places(fragment: str, kind: str) -> np.ndarray:
    """Positions in per cent of the spots of one kind."""
    pattern = rf'class="{kind}[^"]*" style="left:([-\d.]+)%;top:([-\d.]+)%'
    return np.array(re.findall(pattern, fragment), dtype=float)


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_named_spot_lies_within_the_picture(dataset):
    spots = places(gap_view(MODELS[0], dataset, 0).overlay, "gk-point")
    assert len(spots) >= NAMED
    assert spots.min() > 0
    assert spots.max() < 100


def test_texts_lie_left_of_images_as_in_the_picture():
    overlay = gap_view(MODELS[0], "scenes100", 0).overlay
    spots = places(overlay, "gk-point")
    texts = len(re.findall(r'gk-card">text', overlay))
    assert spots[:texts, 0].max() < spots[texts:, 0].min()


def test_the_mark_sits_on_the_chosen_image_and_on_its_own_text():
    pair = 7
    view = gap_view(MODELS[0], "scenes100", pair)
    text, image = places(view.overlay, "gk-chosen")
    spots = places(view.overlay, "gk-point")
    entries = load_embeddings(f"{MODELS[0]}/scenes100")
    names = re.findall(r'gk-card">text: ([^<]+)<', view.overlay)
    np.testing.assert_allclose(image, spots[len(names) + pair])
    row = int(re.search(r"Image (\d+)", view.summary)[1])
    np.testing.assert_allclose(text, spots[names.index(entries.text_names[entries.labels[row]])])


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
        "take off each modality's mean": True,
    }
    for control in controls:
        before = output.value
        control.value = changed[control.description]
        assert output.value != before, control.description
        assert 'alt="' in output.value
        assert 'aria-live="polite"' in output.value


@pytest.mark.parametrize(
    "redraw",
    [
        lambda model, turn: gap_view(model, "scenes100", turn),
        lambda model, turn: similarity_view(model, "scenes100", 50 + 10 * turn, True),
    ],
    ids=["gap", "similarity"],
)
def test_a_redraw_takes_less_than_150_ms(redraw):
    redraw(MODELS[0], 0)  # the first one loads files and draws the images
    spent = []
    for turn, model in enumerate([MODELS[1], MODELS[0], MODELS[1]]):
        began = time.process_time()
        redraw(model, turn)
        spent.append(time.process_time() - began)
    assert min(spent) < 0.150, spent
