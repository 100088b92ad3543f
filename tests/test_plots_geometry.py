"""What the pictures of the geometry show is what was measured."""

import numpy as np
import pandas as pd
import pytest

from gapkit.errors import InputError
from gapkit.geometry import gap_axes, gap_vector, relative_variance, subspace_share, subspace_share_chance
from gapkit.plots import (
    PALETTE,
    plot_along_gap,
    plot_pca,
    plot_share,
    plot_similarity,
    plot_spectrum,
    plot_sphere,
)
from gapkit.plots.geometry import SMALLEST_SHARE
from gapkit.plots.style import MARKERS


@pytest.fixture
def clouds():
    rng = np.random.default_rng(0)
    scale = np.linspace(2, 0.1, 12)
    x, y = rng.normal(size=(2, 40, 12)) * scale
    y[:, 3] += 5.0
    return x, y


def points(collection) -> np.ndarray:
    return np.asarray(collection.get_offsets())


def test_pca_puts_the_gap_on_the_horizontal_axis(clouds):
    x, y = clouds
    ax = plot_pca(x, y)
    texts, images = (points(c) for c in ax.collections[:2])
    g = np.linalg.norm(gap_vector(x, y))
    assert images.mean(0)[0] - texts.mean(0)[0] == pytest.approx(g)
    assert images.mean(0)[1] == pytest.approx(texts.mean(0)[1], abs=1e-9)
    assert f"{g:.2f}" in "".join(text.get_text() for text in ax.texts)
    assert ax.get_legend_handles_labels()[1] == ["texts", "images"]
    assert "embedding units" in ax.get_xlabel()
    assert "embedding units" in ax.get_ylabel()


def test_the_axes_of_a_gap_are_orthonormal_and_also_there_without_a_gap(clouds):
    x, y = clouds
    for pair in ((x, y), (x, x)):
        plane, _ = gap_axes(*pair)
        np.testing.assert_allclose(plane.T @ plane, np.eye(2), atol=1e-9)


def test_partners_are_connected_in_pairs(clouds):
    ax = plot_pca(*clouds, partners=5)
    assert len(ax.lines) == 5


def test_sphere_draws_three_dimensions_only(clouds):
    x = np.random.default_rng(0).normal(size=(10, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    ax = plot_sphere(x, -x, title="both")
    shown = "".join(text.get_text() for text in ax.texts)
    assert f"{2 * np.linalg.norm(x.mean(0)):.2f}" in shown
    with pytest.raises(InputError, match="plot_pca"):
        plot_sphere(*clouds)


def test_on_the_sphere_the_far_side_is_hollow_and_the_arrow_starts_at_the_texts():
    y = np.random.default_rng(1).normal([0.5, 0, 0], 1, size=(200, 3))
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    x = y * [-1, 1, 1]
    ax = plot_sphere(x, y)
    elevation, turn = np.radians([ax.elev, ax.azim])
    reader = [np.cos(elevation) * np.cos(turn), np.cos(elevation) * np.sin(turn), np.sin(elevation)]
    clouds = {c.get_label(): c for c in ax.collections if c.get_label().startswith(("texts", "images"))}
    for side, z in (("texts", x), ("images", y)):
        near, far = clouds[side], clouds[f"{side} on the far side"]
        drawn_near, drawn_far = (np.stack(c._offsets3d, 1) for c in (near, far))
        assert len(drawn_near) + len(drawn_far) == len(z)
        assert min(len(drawn_near), len(drawn_far)) > 20
        assert np.all(drawn_near @ reader >= 0)
        assert np.all(drawn_far @ reader < 0)
        assert len(near.get_facecolor()) > 0
        assert len(far.get_facecolor()) == 0  # hollow, so not told by colour alone
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert len(dots) == 1
    np.testing.assert_allclose(np.ravel(dots[0].get_data_3d()), x.mean(0))
    assert ax.get_legend() is not None
    assert plot_sphere(x, y, legend=False).get_legend() is None


def test_spectrum_shows_the_variance_along_the_gap(clouds):
    x, y = clouds
    ax = plot_spectrum(x, y)
    heights = [line.get_ydata()[0] for line in ax.lines]
    g = gap_vector(x, y)
    for z in (x, y):
        assert any(h == pytest.approx(relative_variance(z, g)) for h in heights)
    components = ax.lines[0].get_ydata()
    assert components.sum() == pytest.approx(12)  # relative to isotropic: the mean over 12 dimensions is 1
    assert np.all(np.diff(components) <= 0)


def test_share_reaches_one_when_the_components_span_everything(clouds):
    x, y = clouds
    ax = plot_share(x, gap_vector(x, y))
    share = ax.lines[-1].get_ydata()
    assert share[-1] == pytest.approx(1)
    assert np.all(np.diff(share) >= -1e-12)


def test_share_on_a_logarithmic_axis_shows_the_same_numbers_down_to_the_first_component(clouds):
    x, y = clouds
    g = gap_vector(x, y)
    ax = plot_share(x, g, yscale="log")
    assert ax.get_yscale() == "log"
    steps, share = ax.lines[-1].get_data()
    assert share == pytest.approx(np.asarray(subspace_share(x, g, steps.astype(int))) ** 2)
    assert ax.get_ylim()[0] <= SMALLEST_SHARE < subspace_share_chance(1, 512).low ** 2
    with pytest.raises(InputError, match="yscale must be one of"):
        plot_share(x, g, yscale="loq")


@pytest.fixture
def measured():
    """Two models, one of them with two seeds, texts and images, in an order that is not the one drawn."""
    rows = [
        ("b", "images", 0.03, 0.02, 0.04, 0.02, 4.6),
        ("a", "images", 0.44, 0.40, 0.50, 0.30, 2.0),
        ("a", "texts", 6.10, 4.70, 7.20, 0.35, 2.1),
        ("a", "texts", 0.08, 0.00, 0.09, 0.33, 2.2),
    ]
    columns = ["model", "side", "value", "value_low", "value_high", "band_low", "band_high"]
    return pd.DataFrame(rows, columns=columns)


def test_along_gap_draws_every_value_beside_its_own_band(measured):
    ax = plot_along_gap(measured)
    assert ax.get_xscale() == "log"
    low, high = ax.get_xlim()
    assert low < measured["value"].min()
    assert high > measured["value"].max()
    bands = {round(bar.get_y() + bar.get_height() / 2, 6): bar for bar in ax.patches}
    drawn = {}
    for container in ax.containers:
        if container.get_label() in MARKERS:
            line = container.lines[0]
            assert line.get_marker() == MARKERS[container.get_label()]
            assert line.get_color() == PALETTE[container.get_label()]
            for value, at in zip(*line.get_data(), strict=True):
                bar = bands.pop(round(at, 6))
                drawn[container.get_label(), value] = (bar.get_x(), bar.get_x() + bar.get_width())
    assert bands == {}
    for row in measured.itertuples():
        assert drawn[row.side, row.value] == pytest.approx((row.band_low, row.band_high))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b", "a"]


def test_similarity_has_four_blocks_in_the_stated_order(clouds):
    x, y = clouds
    ax = plot_similarity(x, y, rows=10)
    picture = np.asarray(ax.images[0].get_array())
    assert picture.shape == (20, 20)
    unit = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x[:10], y[:10])]
    np.testing.assert_allclose(picture[:10, 10:], unit[0] @ unit[1].T, atol=1e-12)
    np.testing.assert_allclose(picture.diagonal(), 1, atol=1e-12)


@pytest.mark.parametrize("function", [plot_pca, plot_spectrum, plot_similarity])
def test_bad_shapes_are_named(function):
    with pytest.raises(InputError, match="same dimension"):
        function(np.ones((3, 4)), np.ones((3, 5)))


@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_a_narrow_gap_is_said_to_be_none(clouds, scale):
    x, y = (scale * np.asarray(z, dtype=np.float64) for z in clouds)
    said = next(text.get_text() for text in plot_pca(x, y).texts if "‖g‖" in text.get_text())
    assert float(said.split("=")[1]) == pytest.approx(np.linalg.norm(gap_vector(x, y)), rel=0.05)


def test_a_side_that_is_none_is_a_traceback(clouds):
    x, y = clouds
    with pytest.raises(InputError, match="did you mean 'texts'"):
        plot_share(x, gap_vector(x, y), side="text")


def test_a_number_of_rows_below_0_leaves_out_the_last(clouds):
    with pytest.raises(InputError, match="rows must be a whole number"):
        plot_similarity(*clouds, rows=-3)
