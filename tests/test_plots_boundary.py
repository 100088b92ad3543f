"""The boundary picture tells the truth: what is drawn as swept was swept, and the title is exact."""

import numpy as np
import pytest

from gapkit.errors import InputError
from gapkit.plots import plot_boundary, plot_boundary_3d, plot_distances, plot_robustness, png
from gapkit.plots.boundary import boundary_scene, sweep
from gapkit.robustness import robustness


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
        kept = sweep(gap, sigma, draws=20_000, seed=1)[1].mean()
        candidates, query = boundary_scene(gap)
        exact = float(robustness(query, candidates, sigma=sigma)[0])
        assert kept == pytest.approx(exact, abs=4 * np.sqrt(0.25 / 20_000))
    near, far = (sweep(gap, 0.2, draws=5000)[1].mean() for gap in (0.0, 2.0))
    assert near > far + 0.1


def test_swept_boundaries_are_drawn_apart_and_really_passed_the_query():
    ax = plot_boundary(1.0, 0.3, draws=50, seed=3)
    kept = sweep(1.0, 0.3, draws=50, seed=3)[1]
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


def test_the_three_dimensional_picture_has_a_plane_for_each_draw():
    ax = plot_boundary_3d(1.0, 0.1, draws=4)
    planes = [c for c in ax.collections if type(c).__name__ == "Poly3DCollection"]
    assert len(planes) == 4
    png(ax)


def test_densities_integrate_to_one():
    ax = plot_distances([0.8, 0.85], 0.02, 512)
    for line in ax.lines:
        assert np.trapezoid(line.get_ydata(), line.get_xdata()) == pytest.approx(1, abs=1e-3)


def test_robustness_curves_and_error_bars():
    ax = plot_robustness([0, 1], {"exact": [0.9, 0.5], "drawn": [0.88, 0.52]}, errors={"drawn": [0.01, 0.01]})
    assert ax.get_legend_handles_labels()[1] == ["exact", "drawn"]
    assert len(ax.containers) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gap": -1}, "gap must be at least 0"),
        ({"gap": 1, "margin": 0}, "margin must be greater than 0"),
        ({"gap": 1, "dimension": 1}, "dimension must be at least 2"),
    ],
)
def test_bad_scenes_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        boundary_scene(**options)
