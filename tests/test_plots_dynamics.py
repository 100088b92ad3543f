"""The pictures of recorded runs show the recorded numbers, and frames come fast."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.distance import pdist

from gapkit.contrastive import simulate
from gapkit.errors import InputError
from gapkit.plots import (
    plot_curves,
    plot_final_gaps,
    plot_frame,
    plot_space,
    plot_theorem_fit,
    plot_trajectory,
)
from gapkit.plots.dynamics import FramePlayer
from gapkit.plots.style import png
from tests.widgets.counting import counted


@pytest.fixture(scope="module")
def run():
    return simulate("cones", n=40, d=6, steps=200, sphere=True)


def test_trajectory_panels_hold_the_recorded_numbers(run):
    axes = plot_trajectory(run, ("gap", "variance", "loss", "tau"))
    shown = [ax.lines[0].get_ydata() for ax in axes]
    for ours, recorded in zip(shown, (run.gap, run.variance_along_gap_y, run.loss, run.tau), strict=True):
        np.testing.assert_array_equal(ours, recorded)
    assert all(ax.get_title(loc="left") and ax.get_xlabel() and ax.get_ylabel() for ax in axes)


def test_several_runs_share_panels_and_a_legend(run):
    axes = plot_trajectory({"one": run, "two": run})
    assert [len(ax.lines) for ax in axes] == [2] * 6
    assert [text.get_text() for text in axes[0].figure.legends[0].get_texts()] == ["one", "two"]


def test_unknown_quantities_are_answered_with_the_nearest(run):
    with pytest.raises(InputError, match="did you mean 'gap'"):
        plot_trajectory(run, ("gaps",))


def test_a_frame_shows_its_step_within_fixed_limits(run):
    early, late = plot_frame(run, 0), plot_frame(run, len(run) - 1)
    assert early[0].get_title(loc="left") == "step 0"
    assert late[0].get_title(loc="left") == "step 200"
    assert early[0].get_xlim() == late[0].get_xlim()
    offsets = [np.asarray(c.get_offsets()) for c in early[0].collections[:2]]
    distance = np.linalg.norm(offsets[1].mean(0) - offsets[0].mean(0))
    assert distance == pytest.approx(run.gap[0], rel=1e-6)  # the first gap lies in the plane of the picture


def test_a_frame_has_one_scale_for_both_directions_and_the_gap_upright(run):
    left, right = plot_frame(run, 3)
    left.figure.draw_without_rendering()
    (low, high), (bottom, top) = left.get_xlim(), left.get_ylim()
    box = left.get_window_extent()
    assert box.width / (high - low) == pytest.approx(box.height / (top - bottom), rel=0.01)
    texts, images = (np.asarray(cloud.get_offsets()) for cloud in left.collections[:2])
    assert (images - texts).mean(0)[1] > 0.8  # the gap
    every = np.concatenate([texts, images])
    assert np.all(every > [low, bottom])
    assert np.all(every < [high, top])


def test_the_curves_of_a_frame_carry_their_units(run):
    _, right = plot_frame(run, 3)
    assert right.get_title(loc="left")
    assert "unit" in right.get_ylabel()
    for label, unit in zip(
        right.get_legend_handles_labels()[1],
        ("embedding units", "1 = isotropic", "share of images"),
        strict=True,
    ):
        assert unit in label


@pytest.fixture(scope="module")
def in_space():
    return simulate("cones", n=12, d=3, spread=0.1, step_size=0.005, steps=60, record=[0, 20])


def test_moments_in_space_keep_every_distance_and_one_view(in_space):
    axes = plot_space(in_space, [0, 1, 2], partners=5)
    assert [ax.get_title(loc="left") or ax.get_title() for ax in axes] == ["step 0", "step 20", "step 60"]
    for i, ax in enumerate(axes):
        texts, images = (np.stack(cloud._offsets3d, 1) for cloud in ax.collections[:2])
        drawn, recorded = np.concatenate([texts, images]), np.concatenate([in_space.x[i], in_space.y[i]])
        np.testing.assert_allclose(pdist(drawn), pdist(recorded), atol=1e-12)
        assert (images - texts).mean(0)[2] > 0.9 * in_space.gap[i]  # upwards
        assert len(ax.lines) == 5
        assert ax.get_xlim() == axes[0].get_xlim()
        assert ax.get_zlim() == axes[0].get_zlim()
        assert ax.get_xlabel()
        assert ax.get_zlabel()


def test_space_is_for_three_dimensions(run):
    with pytest.raises(InputError, match="draws three dimensions; got d=6"):
        plot_space(run, [0])


@pytest.mark.parametrize("index", [-1, 1000])
def test_frames_outside_the_run_are_refused(run, index):
    with pytest.raises(InputError, match="index must lie in"):
        plot_frame(run, index)


def test_a_frame_without_a_gap_can_be_drawn_too():
    start = np.random.default_rng(0).normal(size=(10, 3))
    png(plot_frame(simulate((start, start.copy()), tau=0.5, steps=3), 0))


def test_quick_frames_are_the_same_in_any_order_and_differ_from_one_another(run):
    player, again = FramePlayer(run), FramePlayer(run)
    forward = [player.png(i) for i in (0, 5, len(run) - 1)]
    backward = [again.png(i) for i in (len(run) - 1, 5, 0)]
    assert forward == backward[::-1]
    assert len(set(forward)) == 3
    assert Image.open(io.BytesIO(forward[0])).size == (810, 360)


def test_scrubbing_draws_the_axes_again(run):
    player = FramePlayer(run)
    player.png(0)
    with counted() as calls:
        for i in range(1, 8):
            player.png(i)
    assert calls == {}


def test_training_curves_are_drawn_as_given():
    curve = [
        {"step": step, "gap": gap, "temperature": 0.1} for step, gap in ((0, 1.3), (10, 0.9), (100, 0.7))
    ]
    axes = plot_curves({"a": curve, "b": curve}, ("gap", "temperature"))
    np.testing.assert_array_equal(axes[0].lines[0].get_ydata(), [1.3, 0.9, 0.7])
    assert axes[1].get_yscale() == "log"


def test_temperatures_are_written_out_and_few():
    curve = [{"step": step, "temperature": t} for step, t in ((0, 0.0033), (100, 0.07))]
    ax = plot_curves({"a": curve}, ("temperature",))[0]
    ax.figure.draw_without_rendering()
    low, high = ax.get_ylim()
    shown = [label.get_text() for label in ax.get_yticklabels() if low <= label.get_position()[1] <= high]
    assert shown == ["0.005", "0.01", "0.02", "0.05"]
    assert len(ax.yaxis.get_minorticklocs()) == 0


def test_long_labels_get_fewer_columns_in_the_legend(run):
    for length, columns in ((5, 4), (60, 1)):
        axes = plot_trajectory({f"{i} " + "x" * length: run for i in range(4)}, ("gap", "loss"))
        legend = axes[0].figure.legends[0]
        assert legend._ncols == columns
        axes[0].figure.draw_without_rendering()
        assert legend.get_window_extent().width < axes[0].figure.bbox.width


def test_final_gaps_are_sorted_by_tau():
    ax = plot_final_gaps({"run": [(0.2, 0.1), (0.01, 0.8)]})
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [0.01, 0.2])
    assert ax.get_title(loc="left")
    assert "squared distance" in ax.get_xlabel()
    assert "embedding units" in ax.get_ylabel()


def test_regime_has_a_line_for_each_radius():
    table = [
        {"tau": tau, "spread": spread, "slope": 1.0, "residual": tau, "off_gap": tau}
        for tau in (0.1, 0.01)
        for spread in (1e-2, 1e-3)
    ]
    axes = plot_theorem_fit(table)
    np.testing.assert_array_equal(axes[1].lines[0].get_xydata(), [[0.01, 0.01], [0.1, 0.1]])
    assert all("squared distance" in ax.get_xlabel() for ax in axes)
    assert [t.get_text() for t in axes[0].figure.legends[0].get_texts()] == ["ε = 0.001", "ε = 0.01"]
