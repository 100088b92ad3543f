"""The pictures of lesson 07 show the numbers they were given, and hatch only what is proved."""

import pandas as pd
import pytest

from gapkit.plots import plot_cells, plot_tradeoff
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
