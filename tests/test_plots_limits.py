"""The pictures of lesson 07 show the numbers they were given, and hatch only what is proved."""

import numpy as np
import pandas as pd
import pytest

from gapkit.errors import InputError
from gapkit.plots import plot_before_after, plot_cells, plot_effects, plot_tradeoff
from gapkit.plots.style import png


@pytest.fixture
def cells():
    return pd.DataFrame(
        [
            {"metric": "euclidean", "cell": "gallery", "gain": 0.11, "why": ""},
            {"metric": "dot", "cell": "gallery", "gain": 1e-16, "why": "a proof"},
            {"metric": "euclidean", "cell": "queries", "gain": -0.02, "why": ""},
            {"metric": "dot", "cell": "queries", "gain": 0.0, "why": ""},
        ]
    )


def test_cells_carry_their_numbers_and_only_proved_ones_are_hatched(cells):
    ax = plot_cells(cells, "gain", rows="cell", columns="metric", none="why")
    shown = {text.get_position(): text.get_text() for text in ax.texts}
    assert shown == {(0, 0): "+0.110", (1, 0): "0", (0, 1): "-0.020", (1, 1): "0"}
    hatched = [patch.get_xy() for patch in ax.patches if patch.get_hatch()]
    assert hatched == [(0.5, -0.5)]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["euclidean", "dot"]
    png(ax)


def test_gains_and_losses_have_different_colours(cells):
    ax = plot_cells(cells, "gain", rows="cell", columns="metric", none="why")
    colours = {patch.get_xy(): patch.get_facecolor()[:3] for patch in ax.patches if not patch.get_hatch()}
    assert colours[-0.5, -0.5] != colours[-0.5, 0.5]


def test_methods_that_agree_share_a_marker_and_others_do_not():
    rows = [("one", 1.0, 0.8), ("two", 0.9, 0.9), ("alias of two", 0.9, 0.9 + 1e-9), ("three", 0.9, 0.8)]
    table = pd.DataFrame(
        [
            {"closer": name, "a": a, "a_low": a - 0.1, "a_high": a, "b": b, "b_low": b, "b_high": b}
            for name, a, b in rows
        ]
    )
    ax = plot_tradeoff(table, "a", "b", by="closer", xlabel="kept", ylabel="robust")
    handles, labels = ax.get_legend_handles_labels()
    assert labels == ["one", "two = alias of two", "three"]
    assert [(h.lines[0].get_xdata()[0], round(h.lines[0].get_ydata()[0], 6)) for h in handles] == [
        (1.0, 0.8),
        (0.9, 0.9),
        (0.9, 0.8),
    ]
    png(ax)


def test_a_dot_of_many_groups_comes_into_another_row():
    rows, groups = ["coarse", "fine", "signs"], [f"model {k}" for k in range(19)]
    table = pd.DataFrame([{"row": row, "name": name, "gain": 0.1} for row in rows for name in groups])
    ax = plot_effects(table, "gain", rows="row", by="name", xlabel="gain")
    for line in (drawn.lines[0] for drawn in ax.containers):
        (low, high), at = sorted(ax.get_ylim()), np.asarray(line.get_ydata(), dtype=float)
        assert list(at.round()) == [0, 1, 2]
        assert low < min(at) and max(at) < high


@pytest.mark.parametrize("count", [2, 19])
def test_a_legend_lies_over_the_axes_or_leaves_the_picture(count):
    names = [f"hf-hub:laboratory/CLIP-ViT-B-32-laion2B-s34B-b79K-{k}" for k in range(count)]
    table = pd.DataFrame([{"row": row, "name": name, "gain": 0.1} for row in names[:2] for name in names])
    ax = plot_effects(table, "gain", rows="row", by="name", xlabel="gain")
    figure = ax.get_figure()
    figure.draw_without_rendering()
    legend, axes = figure.legends[0].get_window_extent(), ax.get_tightbbox()
    assert not legend.overlaps(axes)
    assert ax.get_window_extent().width > figure.bbox.width / 4
    for box in (legend, axes):
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 + 1


def test_cells_without_a_reason_or_a_number_are_taken_for_proved(cells):
    cells["why"] = [None, float("nan"), "", "a proof"]
    cells.loc[2, "gain"] = float("nan")
    ax = plot_cells(cells, "gain", rows="cell", columns="metric", none="why")
    assert [patch.get_xy() for patch in ax.patches if patch.get_hatch()] == [(0.5, 0.5)]
    assert [text.get_text() for text in ax.texts] == ["+0.110", "0", "–", "0"]
    png(ax)


def test_two_values_for_one_end_are_drawn_as_one():
    table = pd.DataFrame({"words": ["one", "one"], "alpha": [0.0, 0.0], "accuracy": [0.5, 0.6]})
    order = [(0.0, "untouched"), (1.0, "closed")]
    with pytest.raises(InputError, match="words and alpha repeat"):
        plot_before_after(table, "accuracy", rows="words", by="alpha", order=order, xlabel="accuracy")
