"""Why distance costs robustness: noise turns the boundary between two candidates, and distance lets it sweep."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from gapkit._arrays import ArrayInput
from gapkit._options import Number
from gapkit.errors import InputError
from gapkit.plots.blitting import BlittedFigure, still_axes
from gapkit.plots.style import MARKERS, PALETTE, canvas, figure_of, legend_below, line_style, styled
from gapkit.robustness import robustness
from gapkit.robustness.boundary import boundary_scene, sweep_boundary

LABELS = {
    "still": "boundary without noise",
    "kept": "under noise: leaves the query its answer",
    "swept": "under noise: has swept over the query",
}
"""What the three kinds of lines are called in legends."""


@functools.lru_cache(maxsize=512)
def survival(
    gap: Number, sigma: Number, *, half_width: Number = 0.5, margin: Number = 0.15, dimension: int = 2
) -> float:
    """The exact probability (Eq. 10) that the query of `boundary_scene` keeps its answer.

    Kept in memory: a slider that comes back asks again.
    """
    candidates, query = boundary_scene(gap, half_width=half_width, margin=margin, dimension=dimension)
    return float(robustness(query, candidates, sigma=sigma)[0])


@styled
def plot_boundary(
    gap: Number,
    sigma: Number,
    *,
    dimension: int = 2,
    half_width: Number = 0.5,
    margin: Number = 0.15,
    draws: int | None = None,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Two candidates, the boundary between them under many draws of noise, and the query above.

    Boundaries that still leave the query with its answer are thin and grey; those that swept over it are
    pink and dashed. The title gives the exact probability that the answer survives. On axes of its own the
    picture has a legend; for several panels call `boundary_legend` once they are drawn.

    Parameters
    ----------
    gap : distance of the query from the candidates' line
    sigma : standard deviation of the noise on each coordinate of each candidate
    dimension : 2, or 3, where the boundary is a plane that noise tilts
    half_width, margin : as for `gapkit.robustness.boundary_scene`
    draws : how many noisy boundaries are drawn; 60 lines or 5 planes when left out
    seed : seed of the draws
    ax : axes to draw on, three-dimensional ones in three dimensions

    Raises
    ------
    InputError
        If the dimension is neither 2 nor 3, or the scene impossible.
    """
    if dimension not in (2, 3):
        raise InputError(f"plot_boundary draws two or three dimensions; got {dimension}")
    scene: dict[str, Any] = {"half_width": half_width, "margin": margin, "dimension": dimension}
    boundary_scene(gap, **scene)
    alone = ax is None
    if dimension == 2:
        ax = canvas(ax=ax, width=3.8, height=5.2)
        _draw_lines(ax, gap, sigma, draws=draws or 60, seed=seed, half_width=half_width, margin=margin)
    else:
        ax = canvas(ax=ax, width=4.4, height=4.8, projection="3d")
        _draw_planes(ax, gap, sigma, draws=draws or 5, seed=seed, **scene)
    if alone:
        boundary_legend(ax)
    return ax


def _title(gap: Number, sigma: Number, **scene: Any) -> str:
    return f"gap {gap:g}, σ = {sigma:g}:\nkept with probability {survival(gap, sigma, **scene):.3f}"


def _draw_planes(ax: Axes, gap: Number, sigma: Number, *, draws: int, seed: int, **scene: Any) -> None:
    candidates, query = boundary_scene(gap, **scene)
    noisy, kept = sweep_boundary(gap, sigma, draws=draws, seed=seed, **scene)
    top = max(2.6, float(gap) + 0.4)
    depth, height = np.meshgrid([-0.8, 0.8], [-0.4, top - 0.2])
    edge = [[0, 0], [0, 1], [1, 1], [1, 0], [0, 0]]
    for i in range(draws):
        middle, normal = noisy[i].mean(0), noisy[i, 1] - noisy[i, 0]
        across = middle[0] - (normal[1] * (depth - middle[1]) + normal[2] * (height - middle[2])) / normal[0]
        colour = PALETTE["grey"] if kept[i] else PALETTE["pink"]
        ax.plot_surface(across, depth, height, color=colour, alpha=0.08, linewidth=0, shade=False)
        rim = np.array([[across[a, b], depth[a, b], height[a, b]] for a, b in edge])
        label = LABELS["kept" if kept[i] else "swept"]
        ax.plot(*rim.T, color=colour, linewidth=1.2, linestyle="-" if kept[i] else "--", label=label)
    foot = np.stack([query[0], [query[0, 0], 0, 0]])
    ax.plot(*foot.T, color=PALETTE["images"], linestyle=":", linewidth=1.5)
    ax.plot(*candidates.T, color=PALETTE["texts"], linestyle=":", linewidth=1.5)
    for points, side, size in ((candidates, "texts", 60), (query, "images", 70)):
        ax.scatter(*points.T, s=size, marker=MARKERS[side], color=PALETTE[side], depthshade=False, zorder=9)
    for spot, name in ((candidates[0], "answer"), (candidates[1], "rival")):
        ax.text(*(spot - [0, 0, 0.35]), name, ha="center", fontsize=9, zorder=10)
    ax.text(*(query[0] + [-0.12, 0, 0]), "query", ha="right", va="center", fontsize=9, zorder=10)
    ax.set(xlim=(-1.2, 1.2), ylim=(-0.8, 0.8), zlim=(-0.6, top))
    ax.set(xticks=[-1, 0, 1], yticks=[-0.5, 0.5], zticks=range(int(top) + 1))
    ax.set_xlabel("across the boundary", labelpad=-2)
    ax.set_ylabel("third direction", labelpad=-3)
    ax.set_zlabel("along the gap (embedding units)", labelpad=-6)
    ax.tick_params(pad=-2)
    ax.set_title(_title(gap, sigma, **scene), y=0.99)
    ax.computed_zorder = False
    ax.view_init(elev=14, azim=-68)
    ax.set_box_aspect((2.4, 1.6, 3.2), zoom=0.95)


def _draw_lines(ax: Axes, gap: Number, sigma: Number, *, draws: int, seed: int, **scene: Any) -> None:
    candidates, query = boundary_scene(gap, **scene)
    noisy, kept = sweep_boundary(gap, sigma, draws=draws, seed=seed, **scene)
    middle, normal = noisy.mean(1), noisy[:, 1] - noisy[:, 0]
    along = np.stack([-normal[:, 1], normal[:, 0]], 1)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    along *= max(6.0, 2 * query[0, 1])  # beyond the axes
    ends = np.stack([middle - along, middle + along], 1)  # (draws, 2 ends, 2 coordinates)
    grey = {"colors": PALETTE["grey"], "linewidths": 0.7, "alpha": 0.5, "label": LABELS["kept"]}
    pink = {"colors": PALETTE["pink"], "linewidths": 1.0, "linestyles": "--", "label": LABELS["swept"]}
    for part, look in ((kept, grey), (~kept, pink)):
        ax.add_collection(LineCollection(list(ends[part]), **look))
    ax.axvline(0, color=PALETTE["gap"], linewidth=1.5, label=LABELS["still"])
    ax.scatter(*noisy.reshape(-1, 2).T, s=6, color=PALETTE["texts"], alpha=0.3, linewidths=0)
    for points, side, size in ((candidates, "texts", 70), (query, "images", 80)):
        ax.scatter(*points.T, s=size, marker=MARKERS[side], color=PALETTE[side], zorder=4)
    for place, name in zip(candidates, ("answer", "rival"), strict=True):
        ax.annotate(name, place, (0, -14), textcoords="offset points", ha="center", fontsize=9)
    # Left of the fan and tied to its point: above the point it would read as the answer's name.
    look = {"fontsize": 9, "va": "center", "zorder": 5}
    look["bbox"] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
    look["arrowprops"] = {"arrowstyle": "-", "color": PALETTE["images"], "linewidth": 0.8, "shrinkA": 0}
    top = max(2.8, query[0, 1] + 0.3)
    ax.annotate("query", tuple(query[0]), (-1.22, min(query[0, 1] + 0.5, top - 0.2)), **look)
    ax.set(xlim=(-1.3, 1.3), ylim=(-0.8, top), title=_title(gap, sigma, **scene))
    ax.set(xlabel="across the boundary\n(embedding units)", ylabel="along the gap (embedding units)")
    ax.set_aspect("equal", adjustable="box")
    ax.grid(visible=False)


@styled
def boundary_legend(axes: Axes | np.ndarray) -> None:
    """One legend for all panels of boundary pictures, below them: it says what the line styles mean."""
    legend_below(axes, columns=1 if figure_of(axes).get_figwidth() < 6 else 3, order=LABELS.values())


def boundary_player() -> BlittedFigure:
    """One figure that shows the boundary picture at any gap, noise and margin."""
    ax = canvas(width=4.0, height=5.4)

    def draw(gap: Number, sigma: Number, margin: Number) -> None:
        _draw_lines(ax, gap, sigma, draws=60, seed=0, margin=margin)
        if not figure_of(ax).legends:
            boundary_legend(ax)

    return BlittedFigure(ax, draw)


@styled
def plot_distances(
    distances: ArrayInput,
    sigma: Number,
    dimension: int,
    *,
    span: Number | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Densities of the noisy squared distances ``‖x_k + ε_k - y‖²``: noncentral χ² laws, scaled by σ².

    Parameters
    ----------
    distances : clean distances ‖x_k - y‖, the answer first
    sigma : standard deviation of the noise on each coordinate
    dimension : d
    span : width of the horizontal axis; give panels the same one, and shared vertical axes, to compare
        widths by eye. None fits it to the densities.
    ax : axes to draw on
    title : title of the axes
    """
    from scipy.stats import ncx2  # slow to import, and needed here alone

    if not sigma > 0:
        raise InputError(f"sigma must be above 0: without noise there is no density; got {sigma}")
    ax = canvas(ax=ax)
    noncentralities = (np.asarray(distances, dtype=np.float64) / float(sigma)) ** 2
    laws = [ncx2(dimension, value, scale=float(sigma) ** 2) for value in noncentralities]
    low, high = min(law.ppf(1e-4) for law in laws), max(law.ppf(1 - 1e-4) for law in laws)
    if span is not None:
        centre = float(np.mean([law.mean() for law in laws]))
        low, high = centre - span / 2, centre + span / 2
        ax.set_xlim(low, high)
    at = np.linspace(low, high, 400)
    for k, law in enumerate(laws):
        label = "answer" if k == 0 else "rival" if len(laws) == 2 else f"rival {k}"
        ax.plot(at, law.pdf(at), **line_style(k), label=label)
        ax.fill_between(at, law.pdf(at), color=line_style(k)["color"], alpha=0.15, linewidth=0)
    ax.set(xlabel="noisy squared distance to the query\n(embedding units²)", title=title)
    # Panels that share this axis need room for the tallest density of all of them.
    panels = ax.get_shared_y_axes().get_siblings(ax)
    tallest = max(line.get_ydata().max() for panel in panels for line in panel.lines)
    ax.set(ylabel="density (per embedding unit²)", ylim=(0, 1.05 * tallest))
    ax.legend()
    return ax


@styled
def plot_robustness(
    offsets: ArrayInput,
    curves: Mapping,
    *,
    xlabel: str = "gap",
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Probability of keeping the answer against the gap (or α).

    Parameters
    ----------
    offsets : positions on the horizontal axis
    curves : label to probabilities
    xlabel : what the offsets are
    ax : axes to draw on
    title : title of the axes
    """
    ax = canvas(ax=ax, width=6.0)
    for i, (label, curve) in enumerate(curves.items()):
        ax.plot(offsets, curve, label=label, **line_style(i))
    ax.set(xlabel=xlabel, ylabel="probability of keeping the answer", title=title)
    ax.legend()
    return ax


@styled
def plot_closing(
    before: np.ndarray, after: np.ndarray, changed: np.ndarray, *, title: str = "", ax: Axes | None = None
) -> Axes:
    """Each query's robustness after closing against before; queries whose answer changed are crosses.

    Parameters
    ----------
    before, after : (m,) probabilities to keep the answer, as `gapkit.closing.ClosingOutcome` gives them
    changed : (m,) bool, whether closing alone changed the answer
    title : title of the axes
    ax : axes to draw on
    """
    ax, (before, after) = canvas(ax=ax, width=4.8, height=3.6), (np.asarray(side) for side in (before, after))
    changed = np.asarray(changed, dtype=bool)  # of other kinds ~ is no "not"
    ax.plot([0, 1], [0, 1], color=PALETTE["grey"], linewidth=1, linestyle="-")
    kept = {"color": PALETTE["texts"], "marker": "o", "markersize": 3.5, "linestyle": "none"}
    ax.plot(before[~changed], after[~changed], label="same answer", **kept)
    lost = {"color": PALETTE["images"], "marker": "x", "markersize": 6, "linestyle": "none"}
    ax.plot(before[changed], after[changed], label="another answer", **lost)
    ax.axhline(after.mean(), color=PALETTE["green"], linewidth=1.5, linestyle="--", label="mean after")
    ax.axvline(before.mean(), color=PALETTE["amber"], linewidth=1.5, linestyle=":", label="mean before")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), title=title)
    ax.set(xlabel="survives the noise, untouched", ylabel="survives, after closing")
    ax.legend(loc="lower right", fontsize=8)
    return ax


def closing_player() -> BlittedFigure:
    """The figure of `plot_closing`, made once."""
    ax = still_axes(4.8, 3.6, left=0.13, top=0.93, bottom=0.14)
    ax.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    return BlittedFigure(ax, lambda *shown: plot_closing(*shown[:3], title=shown[3], ax=ax))
