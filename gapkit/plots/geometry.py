"""Where the two modalities lie: on the sphere, along the gap, in their principal components, in cosines."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from gapkit import geometry
from gapkit._arrays import ArrayInput, as_matrix, as_vector, check_same_width, normalise_rows
from gapkit._format import number
from gapkit._options import check_choice, check_whole
from gapkit.errors import InputError
from gapkit.plots.blitting import BlittedFigure
from gapkit.plots.style import MARKERS, PALETTE, SIDES, canvas, styled

SMALLEST_SHARE = 1e-6
"""Where the logarithmic axis of a squared share ends: the lower edge of the band for k = 1 of 512."""
_FLOOR = 1e-9
"""Where the logarithmic axis of the spectrum ends."""


@styled
def plot_sphere(
    x: ArrayInput, y: ArrayInput, *, ax: Axes | None = None, title: str | None = None, legend: bool = True
) -> Axes:
    """Two modalities on the unit sphere in three dimensions, their means and the gap vector between them.

    Filled markers lie on the side of the globe that faces the reader, hollow ones on the far side.

    Parameters
    ----------
    x, y : (n, 3) and (m, 3) array-like, texts and images
    ax : three-dimensional axes to draw on
    title : title of the axes
    legend : whether to explain the markers (for several globes side by side, once is enough)

    Raises
    ------
    InputError
        If the embeddings are not three-dimensional (`plot_pca` draws the others).
    """
    x, y = _both(x, y)
    if x.shape[1] != 3:
        raise InputError(f"plot_sphere draws three dimensions; got d={x.shape[1]} (plot_pca draws any d)")
    ax = canvas(ax=ax, width=4.8, height=4.4, projection="3d")
    start, end = x.mean(0), y.mean(0)
    facing = start + end  # turn the globe so that both clouds are in front
    rise, turn = 22.0, float(np.degrees(np.arctan2(facing[1], facing[0]))) + 12
    ax.view_init(elev=rise, azim=turn)
    up, round_ = np.radians([rise, turn])
    reader = np.array([np.cos(up) * np.cos(round_), np.cos(up) * np.sin(round_), np.sin(up)])
    _draw_globe(ax, reader)
    for z, side in ((x, "texts"), (y, "images")):
        near = z @ reader >= 0
        look = {"s": 14, "marker": MARKERS[side], "edgecolors": PALETTE[side], "linewidths": 0.8}
        for part, fill, label in ((near, PALETTE[side], side), (~near, "none", f"{side} on the far side")):
            ax.scatter(*z[part].T, **look, facecolors=fill, label=label, depthshade=False)
    length = float(np.linalg.norm(end - start))
    if length > 1e-3:
        look = {"color": PALETTE["gap"], "linewidth": 2.5, "arrow_length_ratio": 0.3}
        ax.quiver(*start, *(end - start), **look, zorder=9)
    ax.plot(*start[:, None], linestyle="none", marker="o", color=PALETTE["gap"], markersize=5, zorder=9)
    ax.set(xlim=(-0.8, 0.8), ylim=(-0.8, 0.8), zlim=(-0.8, 0.8), title=title)
    ax.set_box_aspect((1, 1, 1))
    ax.set_axis_off()
    ax.text2D(0.5, 0.02, f"gap ‖g‖ = {number(length, 2)}", transform=ax.transAxes, ha="center")
    if legend:
        ax.legend(loc="upper left")
    return ax


def _draw_globe(ax: Axes, reader: np.ndarray) -> None:
    """Meridians and parallels of the unit sphere, fainter on the side away from the reader."""
    turn, rise = np.mgrid[0 : 2 * np.pi : 73j, 0 : np.pi : 37j]
    globe = np.stack([np.cos(turn) * np.sin(rise), np.sin(turn) * np.sin(rise), np.cos(rise)])
    near = np.einsum("i,ijk->jk", reader, globe) >= 0
    for side, strength in ((near, 0.45), (~near, 0.12)):
        shown = np.where(side, globe, np.nan)
        ax.plot_wireframe(*shown, rstride=6, cstride=6, color=PALETTE["grey"], linewidth=0.4, alpha=strength)


@styled
def plot_pca(
    x: ArrayInput, y: ArrayInput, *, ax: Axes | None = None, title: str | None = None, partners: int = 0
) -> Axes:
    """Both modalities seen along the gap (across) and along their leading component orthogonal to it (up).

    The two axes have one scale, so distances in the picture are distances.

    Parameters
    ----------
    x, y : (n, d) and (m, d) array-like, texts and images
    ax : axes to draw on
    title : title of the axes
    partners : connect the first so many rows of x and y with lines (for matched rows)
    """
    x, y = _both(x, y)
    plane, origin = geometry.gap_axes(x, y)
    ax = canvas(ax=ax, width=6.0, height=4.0)
    flat_x, flat_y = (x - origin) @ plane, (y - origin) @ plane
    draw_clouds(ax, flat_x, flat_y, partners=partners)
    g = float(np.linalg.norm(geometry.gap_vector(x, y)))
    centre = (flat_x.mean(0)[1] + flat_y.mean(0)[1]) / 2
    arrow = {"arrowstyle": "->", "color": PALETTE["gap"], "linewidth": 2}
    ax.annotate("", (g / 2, centre), (-g / 2, centre), arrowprops=arrow)
    ax.text(0, centre, f"‖g‖ = {number(g, 2)}\n", ha="center", va="center")
    ax.set(xlabel="along the gap (embedding units)", title=title)
    ax.set_ylabel("along the leading component\northogonal to the gap (embedding units)")
    ax.set_aspect("equal", adjustable="datalim")
    ax.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, 1.0 if title is None else 0.99))
    return ax


@styled
def plot_spectrum(x: ArrayInput, y: ArrayInput, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Variance of each modality along its principal components, and along the gap, both relative to isotropic.

    1 is the variance an isotropic cloud of the same total variance has in every direction. The horizontal
    lines are `relative_variance` along the gap: near the bottom the gap is orthogonal to what varies, as
    high as the first components it is one of the directions that vary most.

    Parameters
    ----------
    x, y : (n, d) and (m, d) array-like, texts and images
    ax : axes to draw on
    title : title of the axes
    """
    x, y = _both(x, y)
    ax = canvas(ax=ax, width=6.0)
    sides = {"texts": x, "images": y}
    along = {side: geometry.relative_variance(z, geometry.gap_vector(x, y)) for side, z in sides.items()}
    _draw_spectra(
        ax, {side: geometry.relative_spectrum(z) for side, z in sides.items()}, along, shown=" {:.2g}"
    )
    ax.set_title(title)
    ax.legend()
    return ax


@styled
def plot_share(
    z: ArrayInput,
    direction: ArrayInput,
    *,
    ax: Axes | None = None,
    side: str = "texts",
    title: str | None = None,
    yscale: str = "linear",
) -> Axes:
    """Squared share of a direction in the top-k components of one modality, with the band of random directions.

    Parameters
    ----------
    z : (n, d) array-like, one modality
    direction : (d,) array-like, for example the gap vector
    ax : axes to draw on
    side : "texts" or "images", for the colour and the legend
    title : title of the axes
    yscale : "log" shows small k as well: their band lies within a hundredth of 0
    """
    check_choice(yscale, "yscale", ("linear", "log"))
    check_choice(side, "side", SIDES)
    z = as_matrix(z, "z")
    vector = as_vector(direction, "direction")
    check_same_width(z, "z", vector, "direction")
    ax = canvas(ax=ax, width=6.0)
    steps = _share_steps(min(len(z) - 1, z.shape[1]))
    _draw_share_band(ax, steps, z.shape[1])
    _draw_share(
        ax, steps, np.asarray(geometry.subspace_share(z.numpy(), vector.numpy(), steps)) ** 2, side, yscale
    )
    ax.set_title(title)
    ax.legend(loc="upper left" if yscale == "linear" else "lower right")
    return ax


@styled
def plot_similarity(
    x: ArrayInput, y: ArrayInput, *, ax: Axes | None = None, rows: int = 60, title: str | None = None
) -> Axes:
    """Cosines of the first rows of both modalities with each other, in four blocks.

    Parameters
    ----------
    x, y : (n, d) and (m, d) array-like, texts and images
    ax : axes to draw on
    rows : how many rows of each are drawn
    title : title of the axes
    """
    x, y = _both(x, y)
    rows = check_whole(rows, "rows")
    x, y = normalise_rows(x[:rows]), normalise_rows(y[:rows])
    ax = canvas(ax=ax, width=5.2, height=4.4)
    both = np.concatenate([x, y])
    cosines = both @ both.T
    picture = ax.imshow(cosines, cmap="cividis", vmin=min(0.0, float(cosines.min())), vmax=1)
    ax.axhline(len(x) - 0.5, color="white", linewidth=1.5)
    ax.axvline(len(x) - 0.5, color="white", linewidth=1.5)
    middles = [len(x) / 2 - 0.5, len(x) + len(y) / 2 - 0.5]
    ax.set_xticks(middles, ["texts", "images"])
    ax.set_yticks(middles, ["texts", "images"], rotation=90, va="center")
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.set_title(title)
    ax.figure.colorbar(picture, ax=ax, label="cosine")
    return ax


def draw_clouds(
    ax: Axes, flat_x: np.ndarray, flat_y: np.ndarray, *, partners: int = 0, size: int = 14
) -> None:
    """Scatter both modalities, given in the plane of the picture, for example that of `gapkit.geometry.gap_axes`.

    Parameters
    ----------
    ax : axes to draw on
    flat_x, flat_y : (n, 2) and (m, 2) texts and images in the plane
    partners : connect the first so many pairs with lines
    size : of the markers
    """
    if partners:
        ends = np.stack([flat_x[:partners], flat_y[:partners]])
        ax.plot(ends[..., 0], ends[..., 1], color=PALETTE["grey"], linewidth=0.7, linestyle="-", zorder=1)
    for flat, side in ((flat_x, "texts"), (flat_y, "images")):
        look = {"s": size, "marker": MARKERS[side], "color": PALETTE[side], "alpha": 0.65, "linewidths": 0}
        ax.scatter(*flat.T, **look, label=side, zorder=2)


def _draw_spectra(
    ax: Axes, spectra: Mapping[str, np.ndarray], along: Mapping[str, float], *, shown: str = ""
) -> None:
    """Both modalities' variances along their components and along the gap; ``shown`` formats the latter for a legend."""
    for side, line in zip(SIDES, ("-", "--"), strict=True):
        variances = spectra[side]
        variances = variances[variances > 1e-12 * variances[0]]  # a logarithmic axis has no place for zero
        look, height = {"color": PALETTE[side], "linestyle": line}, max(along[side], _FLOOR)
        ax.plot(np.arange(1, len(variances) + 1), variances, **look, label=f"{side}: components")
        ax.axhline(height, **look, linewidth=1)
        dot = {"marker": MARKERS[side], "linestyle": "none", "markersize": 8, "clip_on": False}
        label = f"{side}: along the gap{shown.format(along[side])}"
        ax.plot([1], [height], color=PALETTE[side], **dot, label=label)
    grey, along_the_axis = PALETTE["grey"], ax.get_yaxis_transform()
    ax.axhline(1, color=grey, linestyle=":", linewidth=1.2)
    ax.text(1, 1, "isotropic", color=grey, ha="right", va="top", transform=along_the_axis)
    ax.set(xscale="log", yscale="log", xlabel="principal component, largest first")
    ax.set_ylabel("variance relative to isotropic")


def _share_steps(rank: int) -> np.ndarray:
    """At most 60 numbers of components, evenly spread on a logarithmic axis."""
    return np.unique(np.geomspace(1, max(rank, 1), 60).round().astype(int))


def _draw_share(ax: Axes, steps: np.ndarray, shares: np.ndarray, side: str, yscale: str) -> None:
    look = {"color": PALETTE[side], "linestyle": "-", "marker": MARKERS[side], "markevery": 6}
    ax.plot(steps, shares, **look, label=f"gap in the {side}")
    ax.set(xscale="log", yscale=yscale, xlabel="k, number of leading components")
    ax.set_ylim((-0.02, 1.02) if yscale == "linear" else (SMALLEST_SHARE, 1.5))
    ax.set_ylabel("squared share inside")


def _draw_share_band(ax: Axes, steps: np.ndarray, dimension: int) -> None:
    """The band of random directions for the squared share in k components, for each k of ``steps``."""
    bands = np.array([geometry.subspace_share_chance(int(k), dimension) for k in steps]) ** 2
    look = {"color": PALETTE["grey"], "alpha": 0.3, "linewidth": 0, "label": "random direction, 95 %"}
    ax.fill_between(steps, bands[:, 1], bands[:, 2], **look)
    ax.plot(steps, bands[:, 0], color=PALETTE["grey"], linestyle=":", label="random direction, mean k/d")


def _both(x, y) -> tuple[np.ndarray, np.ndarray]:
    x, y = as_matrix(x, "x (texts)"), as_matrix(y, "y (images)")
    check_same_width(x, "x (texts)", y, "y (images)")
    return x.numpy(), y.numpy()


class Orthogonality(NamedTuple):
    """What an `orthogonality_player` shows of one pair of modalities; dictionaries by "texts" and "images".

    Attributes
    ----------
    spectra : variances along the components, relative to isotropic, largest first
    along : relative variance along the gap
    shares : (r,) squared share of the gap in the texts' top 1 … r components
    """

    spectra: Mapping[str, np.ndarray]
    along: Mapping[str, float]
    shares: np.ndarray


@styled
def orthogonality_player(dimension: int) -> BlittedFigure:
    """One figure for the spectra and the share of the gap of one `Orthogonality` after another, all of one dimension."""
    left, right = axes = canvas(1, 2, width=9, height=3.4)
    _draw_share_band(right, _share_steps(dimension - 1), dimension)

    def draw(shown: Orthogonality) -> None:
        _draw_spectra(left, shown.spectra, shown.along)
        left.set(xlim=(0.85, dimension), ylim=(_FLOOR, 2 * dimension), title="variance by component")
        left.legend(loc="lower left")
        steps = _share_steps(len(shown.shares))
        _draw_share(right, steps, np.maximum(shown.shares[steps - 1], SMALLEST_SHARE), "texts", "log")
        right.set(xlim=(0.85, dimension), title="share of the gap")
        right.legend(loc="lower right")

    return BlittedFigure(axes, draw)
