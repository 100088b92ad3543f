"""The closing explorer: its numbers are the package's, every control counts, a redraw does no more than it must."""

import functools

import numpy as np
import pytest

from gapkit.closing import ClosingOutcome, GapCloser
from gapkit.closing import outcome as outcomes
from gapkit.embeddings import load_embeddings
from gapkit.plots.boundary import closing_player
from gapkit.robustness import robustness
from gapkit.widgets import closing
from gapkit.widgets.closing import closing_explorer, closing_view
from tests.widgets.counting import counted


@pytest.fixture(scope="module")
def outcome():
    entries = load_embeddings("miniclip-wide/scenes100")
    return ClosingOutcome(entries.texts, entries.images, entries.labels)


def test_the_numbers_shown_are_not_those_of_the_package(outcome):
    found = outcome.closed(alpha=0.7, components=99, sigma=0.05)
    closer = GapCloser(alpha=0.7).fit(outcome.texts, outcome.images)
    after = robustness(outcome.images, closer.transform(outcome.texts), 0.05)
    assert found["after"] == pytest.approx(after, abs=1e-6)
    assert found["before"] == pytest.approx(robustness(outcome.images, outcome.texts, 0.05), abs=1e-6)
    assert found["agreement"] == 1
    assert not found["changed"].any()


def test_answers_that_change_with_few_components_are_not_marked(outcome):
    found = outcome.closed(alpha=1.5, components=3, sigma=0.05)
    assert 0 < found["changed"].mean() < 1
    assert found["agreement"] == pytest.approx(1 - found["changed"].mean())


def test_under_the_dot_product_moving_the_gallery_seems_to_help(outcome):
    found = outcome.closed(components=99, sigma=0.05, metric="dot")
    assert np.abs(found["after"] - found["before"]).max() < 1e-6


def test_a_control_changes_nothing_that_is_shown():
    box = closing_explorer(["miniclip-wide", "miniclip-siglip"])
    controls, output = box.children[0].children, box.children[-1]
    assert len(controls) == 7
    for control in controls:
        before, value = output.value, control.value
        if hasattr(control, "options"):
            control.index = (control.index + 1) % len(control.options)
        elif control.value + control.step <= control.max:
            control.value += control.step
        else:
            control.value -= control.step
        assert output.value != before, control.description
        control.value = value


def test_more_components_than_there_are_break_the_view():
    assert (
        "9 components (all)"
        in closing_view("miniclip-wide", "digits10", 1.0, 99, 0.02, "dot", "queries").summary
    )


def test_a_slider_goes_past_what_the_dataset_has():
    box = closing_explorer(["miniclip-wide"])
    controls = {control.description: control for control in box.children[0].children}
    components, dataset = controls["components k"], controls["dataset"]
    assert (components.max, components.value) == (99, 99)
    dataset.value = "digits10"
    assert (components.max, components.value) == (9, 9)
    assert "9 components (all)" in box.children[-1].value
    components.value = 4
    dataset.value = "scenes100"
    assert (components.max, components.value) == (99, 4)


@pytest.fixture
def work():
    """Counts what a redraw of the explorer costs."""
    return functools.partial(
        counted,
        loads=(closing, "load_embeddings"),
        fits=(GapCloser, "fit"),
        robustness=(outcomes, "robustness"),
    )


@pytest.mark.parametrize("metric", closing.METRICS)
@pytest.mark.parametrize("dataset", ["scenes100", "digits10"])
def test_a_redraw_makes_a_figure_or_measures_what_has_not_changed(dataset, metric, work):
    def view(alpha=1.0, sigma=0.02):
        closing_view("miniclip-wide", dataset, alpha, 99, sigma, metric, "gallery")

    view()
    with work() as calls:
        view()
    assert calls == {"robustness": 1}
    with work() as calls:
        view(alpha=0.35)
    assert calls == {"fits": 1, "robustness": 1}  # before closing it stays as it was
    with work() as calls:
        view(alpha=0.35, sigma=0.031)
    assert calls == {"robustness": 2}  # before and after
    with work() as calls:
        view(alpha=0.35)
    assert calls == {"robustness": 1}


def test_another_dataset_is_read_once_and_drawn_into_the_same_figure(work):
    closing_view("miniclip-wide", "scenes100", 1.0, 99, 0.02, "dot", "gallery")
    closing._outcome.cache_clear()
    with work() as calls:
        for sigma in (0.02, 0.03, 0.02):
            closing_view("miniclip-wide", "digits10", 1.0, 99, sigma, "dot", "gallery")
    assert calls == {"loads": 1, "fits": 1, "robustness": 5}


def test_a_redraw_depends_on_what_was_drawn_before():
    player = closing_player()
    first = np.array([0.2, 0.4]), np.array([0.3, 0.9]), np.array([False, True]), "one"
    other = np.array([0.8]), np.array([0.1]), np.array([False]), "two"
    picture = player.png(*first)
    assert picture.startswith(b"\x89PNG")
    assert player.png(*other) != picture
    assert player.png(*first) == picture
    lines = {line.get_label(): line for line in player.axes(*first).lines}
    assert lines["another answer"].get_xydata().tolist() == [[0.4, 0.9]]
    assert lines["same answer"].get_xydata().tolist() == [[0.2, 0.3]]
    assert lines["mean after"].get_ydata() == pytest.approx([0.6, 0.6])
    assert lines["mean before"].get_xdata() == pytest.approx([0.3, 0.3])
