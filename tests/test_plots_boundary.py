"""The boundary picture tells the truth: what is drawn as swept was swept, and the title is exact."""

import io

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from gapkit.errors import InputError
from gapkit.plots import canvas, plot_boundary, plot_closing, plot_distances, plot_robustness
from gapkit.plots.boundary import boundary_legend, boundary_player, survival
from gapkit.plots.style import png
from gapkit.robustness import boundary_scene, robustness, sweep_boundary


def legend_of(ax):
    """Label to line style of the figure's only legend."""
    (legend,) = ax.get_figure().legends
    return {
        text.get_text(): str(handle.get_linestyle())
        for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)
    }


def test_the_scene_keeps_its_answer_and_its_margin_at_every_gap():
    margins = []
    for gap in (0.0, 0.7, 3.0):
        candidates, query = boundary_scene(gap, dimension=3)
        squared = ((candidates - query) ** 2).sum(1)
        assert squared[0] < squared[1]
        margins.append(squared[1] - squared[0])
    np.testing.assert_allclose(margins, margins[0])


def test_a_far_query_is_swept_over_sooner_and_the_exact_value_agrees():
    for gap, sigma in ((0.0, 0.2), (1.0, 0.2), (2.0, 0.1)):
        kept = sweep_boundary(gap, sigma, draws=20_000, seed=1)[1].mean()
        candidates, query = boundary_scene(gap)
        exact = float(robustness(query, candidates, sigma=sigma)[0])
        assert kept == pytest.approx(exact, abs=4 * np.sqrt(0.25 / 20_000))
    near, far = (sweep_boundary(gap, 0.2, draws=5000)[1].mean() for gap in (0.0, 2.0))
    assert near > far + 0.1


def test_swept_boundaries_are_drawn_apart_and_really_passed_the_query():
    ax = plot_boundary(1.0, 0.3, draws=50, seed=3)
    kept = sweep_boundary(1.0, 0.3, draws=50, seed=3)[1]
    grey, pink = ax.collections[:2]
    assert (len(grey.get_segments()), len(pink.get_segments())) == (kept.sum(), (~kept).sum())
    answer, query = np.array([-0.5, 0.0]), np.array([-0.15, 1.0])
    for start, end in pink.get_segments():
        direction = end - start
        sides = [np.linalg.det([direction, point - start]) for point in (answer, query)]
        # The answer's noisy point is near the clean one, so nearly always it is on the other side.
        assert np.sign(sides[0]) != np.sign(sides[1]) or abs(sides[0]) < 2.5
    candidates, where = boundary_scene(1.0)
    assert f"{float(robustness(where, candidates, sigma=0.3)[0]):.3f}" in ax.get_title(loc="left")


def test_the_legend_names_each_kind_of_line_and_they_differ_by_more_than_colour():
    named = legend_of(plot_boundary(0.0, 0.01))  # so little noise that nothing is swept
    assert list(named) == [
        "boundary without noise", "under noise: leaves the query its answer", "under noise: has swept over the query",
    ]  # fmt: skip
    ax = plot_boundary(1.0, 0.3)
    (still,) = ax.lines
    grey, pink = ax.collections[:2]
    looks = [(still.get_linestyle(), still.get_linewidth())]
    looks += [(str(fan.get_linestyle()), fan.get_linewidth()[0]) for fan in (grey, pink)]
    assert len(set(looks)) == 3
    assert still.get_linewidth() > 2 * grey.get_linewidth()[0]


def test_several_panels_share_one_legend():
    axes = canvas(1, 2)
    for ax, gap in zip(axes, (0.0, 1.0), strict=True):
        plot_boundary(gap, 0.2, ax=ax)
    boundary_legend(axes)
    assert len(legend_of(axes[0])) == 3


@pytest.mark.parametrize("gap", [0.0, 0.4, 1.0, 2.5])
def test_the_name_of_the_query_cannot_be_read_as_that_of_the_answer(gap):
    ax = plot_boundary(gap, 0.12)
    png(ax)
    renderer = FigureCanvasAgg(ax.get_figure()).get_renderer()
    name = next(text for text in ax.texts if text.get_text() == "query")
    assert name.xy == (-0.15, gap)
    (left, low), (right, high) = ax.transData.inverted().transform(
        name.get_bbox_patch().get_window_extent(renderer)
    )
    noisy = sweep_boundary(gap, 0.12)[0][:, 0]
    covered = (noisy > (left, low)) & (noisy < (right, high))
    assert not covered.all(axis=1).any()
    assert low > 0.2  # above the clouds, which lie around 0
    assert right < -0.15 or low > gap  # beside or above the query, not on it


def test_axes_carry_units_and_all_three_dimensions_a_name():
    flat, solid = plot_boundary(1.0, 0.1), plot_boundary(1.0, 0.1, dimension=3)
    assert "(embedding units)" in flat.get_xlabel()
    assert "(embedding units)" in flat.get_ylabel()
    names = {solid.get_xlabel(), solid.get_ylabel(), solid.get_zlabel()}
    assert len(names) == 3 and all(names)


def test_the_three_dimensional_picture_has_a_plane_for_each_draw():
    ax = plot_boundary(1.0, 0.1, dimension=3, draws=4)
    planes = [c for c in ax.collections if type(c).__name__ == "Poly3DCollection"]
    assert len(planes) == 4
    png(ax)


def test_planes_that_swept_over_the_query_are_dashed_and_so_in_the_legend():
    kept = sweep_boundary(2.0, 0.12, draws=5, dimension=3)[1]
    assert 0 < kept.sum() < 5
    ax = plot_boundary(2.0, 0.12, dimension=3, draws=5)
    rims = [line.get_linestyle() for line in ax.lines if line.get_label().startswith("under noise")]
    assert rims == ["-" if one else "--" for one in kept]
    assert legend_of(ax) == {
        "under noise: leaves the query its answer": "-",
        "under noise: has swept over the query": "--",
    }


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)


def test_the_player_shows_what_a_full_redraw_would_show():
    player = boundary_player()
    for setting in ((0.0, 0.3, 0.1), (2.5, 0.1, 0.4), (1.0, 0.2, 0.15)):
        quick = player.png(*setting)
        figure = player.axes(*setting).get_figure()
        full = FigureCanvasAgg(figure)
        full.draw()
        difference = np.abs(pixels(quick) - np.asarray(full.buffer_rgba())[..., :3].astype(int))
        assert (difference > 8).any(axis=2).mean() < 0.002, setting


def test_the_player_forgets_the_last_picture():
    player = boundary_player()
    first = player.png(0.5, 0.2, 0.15)
    assert player.png(2.0, 0.3, 0.15) != first
    assert player.png(0.5, 0.2, 0.15) == first


def test_the_probability_in_the_title_is_that_of_the_scene_drawn():
    candidates, query = boundary_scene(1.0, half_width=0.4, margin=0.3, dimension=3)
    exact = float(robustness(query, candidates, sigma=0.2)[0])
    assert survival(1.0, 0.2, dimension=3, half_width=0.4, margin=0.3) == exact
    ax = plot_boundary(1.0, 0.2, half_width=0.4, margin=0.3)
    assert f"{survival(1.0, 0.2, half_width=0.4, margin=0.3):.3f}" in ax.get_title(loc="left")


def test_panels_with_the_same_span_can_be_compared_by_eye():
    axes = canvas(1, 2, sharey=True)
    for ax, distances in zip(axes, ([0.8, 0.85], [0.5, 0.5766]), strict=True):
        plot_distances(distances, 0.02, 512, ax=ax, span=0.4)
    widths = [np.diff(ax.get_xlim())[0] for ax in axes]
    np.testing.assert_allclose(widths, 0.4)
    assert axes[0].get_ylim() == axes[1].get_ylim()
    tallest = max(line.get_ydata().max() for ax in axes for line in ax.lines)
    assert axes[0].get_ylim()[1] > tallest


def test_densities_integrate_to_one():
    ax = plot_distances([0.8, 0.85], 0.02, 512)
    for line in ax.lines:
        assert np.trapezoid(line.get_ydata(), line.get_xdata()) == pytest.approx(1, abs=1e-3)


def test_robustness_curves_are_named_and_drawn_as_given():
    curves = {"exact": [0.9, 0.5], "drawn": [0.88, 0.52]}
    ax = plot_robustness([0, 1], curves)
    assert {line.get_label(): list(line.get_ydata()) for line in ax.lines} == curves


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gap": -1}, "gap must be at least 0"),
        ({"gap": 1, "margin": 0}, "margin must be greater than 0"),
        ({"gap": 1, "dimension": 1}, "dimension must be a whole number of at least 2"),
    ],
)
def test_bad_scenes_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        boundary_scene(**options)


@pytest.mark.parametrize("dimension", [2, 3])
def test_a_far_query_is_out_of_the_picture(dimension):
    ax = plot_boundary(5.0, 0.1, dimension=dimension)
    low, high = ax.get_zlim() if dimension == 3 else ax.get_ylim()
    assert low < 5.0 < high


def test_without_noise_there_is_a_density():
    with pytest.raises(InputError, match="sigma must be above 0"):
        plot_distances([1.0, 1.2], 0.0, 8)


@pytest.mark.parametrize("kind", [int, bool])
def test_changed_answers_of_another_kind_leave_queries_out(kind):
    changed = np.array([False, True, False, False])
    before = np.array([0.1, 0.2, 0.3, 0.4])
    ax = plot_closing(before, before + 0.1, changed.astype(kind))
    drawn = {line.get_label(): list(line.get_xdata()) for line in ax.lines}
    assert drawn["same answer"] == [0.1, 0.3, 0.4]
    assert drawn["another answer"] == [0.2]
