"""The closing explorer: its numbers are the package's, every control counts, a redraw is quick."""

import os
import subprocess
import sys

import numpy as np
import pytest

from gapkit.closing import GapCloser
from gapkit.embeddings import load_embeddings
from gapkit.robustness import robustness
from gapkit.widgets.closing import ClosingPicture, Outcome, closing_explorer, closing_view
from tests.notebooks.lessons import ROOT


@pytest.fixture(scope="module")
def outcome():
    return Outcome(load_embeddings("miniclip-wide/scenes100"))


def test_the_numbers_shown_are_not_those_of_the_package(outcome):
    found = outcome.closed(0.7, 99, 0.05, "euclidean", "gallery")
    closer = GapCloser(alpha=0.7).fit(outcome.texts, outcome.images)
    after = robustness(outcome.images, closer.transform(outcome.texts), 0.05)
    assert found["after"] == pytest.approx(after, abs=1e-6)
    assert found["before"] == pytest.approx(robustness(outcome.images, outcome.texts, 0.05), abs=1e-6)
    assert found["agreement"] == 1
    assert not found["changed"].any()


def test_answers_that_change_with_few_components_are_not_marked(outcome):
    found = outcome.closed(1.5, 3, 0.05, "euclidean", "gallery")
    assert 0 < found["changed"].mean() < 1
    assert found["agreement"] == pytest.approx(1 - found["changed"].mean())


def test_under_the_dot_product_moving_the_gallery_seems_to_help(outcome):
    found = outcome.closed(1.0, 99, 0.05, "dot", "gallery")
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


TIMED = """
from gapkit.widgets import closing
from tests.widgets.timing import quiet_median

def view(dataset="scenes100", alpha=1.0, sigma=0.02, metric="euclidean", model="miniclip-wide"):
    return closing.closing_view(model, dataset, alpha, 99, sigma, metric, "gallery")

def first(dataset):
    closing._outcome.cache_clear()
    view(dataset)

for dataset in ("scenes100", "digits10"):
    print(dataset, "first", quiet_median([lambda: first(dataset)] * 5))
    for metric in closing.METRICS:
        view(dataset, metric=metric)
        moves = [lambda turn=turn: view(dataset, alpha=turn / 20, metric=metric) for turn in range(5)]
        print(dataset, metric, "alpha", quiet_median(moves))
        moves = [lambda turn=turn: view(dataset, sigma=0.03 + turn / 500, metric=metric) for turn in range(5)]
        print(dataset, metric, "sigma", quiet_median(moves))
"""


def test_a_redraw_takes_150_milliseconds_or_more():
    # in a process of its own, without the type checks that tests switch on
    quiet = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    least = {}
    for _ in range(3):  # a busy minute of the machine makes no redraw slow: what counts is each one's least
        done = subprocess.run(
            [sys.executable, "-c", TIMED], capture_output=True, text=True, env=quiet, check=True
        )
        for line in done.stdout.splitlines():
            name, _, seconds = line.rpartition(" ")
            least[name] = min(float(seconds), least.get(name, np.inf))
        assert len(least) == 14
        if max(least.values()) < 0.15:
            return
    pytest.fail(str(least))


def test_a_redraw_depends_on_what_was_drawn_before():
    picture = ClosingPicture()
    found = {
        "before": np.array([0.2, 0.4]),
        "after": np.array([0.3, 0.9]),
        "changed": np.array([False, True]),
    }
    other = {"before": np.array([0.8]), "after": np.array([0.1]), "changed": np.array([False])}
    first = picture.png(found, "one")
    assert first.startswith(b"\x89PNG")
    assert picture.png(other, "two") != first
    assert picture.png(found, "one") == first
    assert picture.lost.get_xydata().tolist() == [[0.4, 0.9]]
    assert picture.kept.get_xydata().tolist() == [[0.2, 0.3]]
    assert picture.after.get_ydata() == pytest.approx([0.6, 0.6])
    assert picture.before.get_xdata() == pytest.approx([0.3, 0.3])
