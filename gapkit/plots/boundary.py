"""Why distance costs robustness: noise turns the boundary between two candidates, and distance lets it sweep."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from gapkit.plots.scene import (
    LABELS,
    boundary_legend,
    boundary_scene,
    draw_scene,
    kept_probability,
    place,
    sweep,
)
from gapkit.plots.style import LINES, MARKERS, PALETTE, SERIES, canvas, styled


@styled
def plot_boundary(gap, sigma, *, draws: int = 60, seed: int = 0, ax: Axes | None = None, **scene) -> Axes:
    """Two candidates, the boundary between them under many draws of noise, and the query above.

    Boundaries that still leave the query with its answer are thin and grey; those that swept over it are
    pink and dashed. The title gives the exact probability that the answer survives. On axes of its own the
    picture has a legend; for several panels call `boundary_legend` once they are drawn.

    Parameters
    ----------
    gap : distance of the query from the candidates' line
    sigma : standard deviation of the noise on each coordinate of each candidate
    draws : how many noisy boundaries are drawn
    seed : seed of the draws
    ax : axes to draw on
    **scene : half_width, margin
    """
    boundary_scene(gap, **scene)
    alone = ax is None
    ax = canvas(ax=ax, width=3.8, height=5.2)
    moving = draw_scene(ax, **{key: scene[key] for key in scene if key == "half_width"})
    place(moving, gap, sigma, draws=draws, seed=seed, **scene)
    if alone:
        boundary_legend(ax)
    return ax


@styled
def plot_boundary_3d(gap, sigma, *, draws: int = 5, seed: int = 0, ax: Axes | None = None, **scene) -> Axes:
    """The same in three dimensions: the boundary is a plane, and noise tilts it.

    Parameters
    ----------
    gap, sigma, seed, **scene : as for `plot_boundary`
    draws : how many noisy planes are drawn
    ax : three-dimensional axes to draw on
    """
    candidates, query = boundary_scene(gap, dimension=3, **scene)
    noisy, kept = sweep(gap, sigma, draws=draws, seed=seed, dimension=3, **scene)
    alone = ax is None
    ax = canvas(ax=ax, width=4.4, height=4.8, projection="3d")
    depth, height = np.meshgrid([-0.8, 0.8], [-0.4, 2.4])
    edge = [[0, 0], [0, 1], [1, 1], [1, 0], [0, 0]]
    for i in range(draws):
        middle, normal = noisy[i].mean(0), noisy[i, 1] - noisy[i, 0]
        across = middle[0] - (normal[1] * (depth - middle[1]) + normal[2] * (height - middle[2])) / normal[0]
        colour = PALETTE["grey"] if kept[i] else PALETTE["pink"]
        ax.plot_surface(across, depth, height, color=colour, alpha=0.08, linewidth=0, shade=False)
        rim = np.array([[across[a, b], depth[a, b], height[a, b]] for a, b in edge])
        label = LABELS["kept" if kept[i] else "swept"]
        ax.plot(*rim.T, color=colour, linewidth=1.2, linestyle="-" if kept[i] else "--", label=label)
    ax.plot(
        *np.stack([query[0], [query[0, 0], 0, 0]]).T, color=PALETTE["images"], linestyle=":", linewidth=1.5
    )
    ax.plot(*candidates.T, color=PALETTE["texts"], linestyle=":", linewidth=1.5)
    for points, side, size in ((candidates, "texts", 60), (query, "images", 70)):
        ax.scatter(*points.T, s=size, marker=MARKERS[side], color=PALETTE[side], depthshade=False, zorder=9)
    for spot, name in ((candidates[0], "answer"), (candidates[1], "rival")):
        ax.text(*(spot - [0, 0, 0.35]), name, ha="center", fontsize=9, zorder=10)
    ax.text(*(query[0] + [-0.12, 0, 0]), "query", ha="right", va="center", fontsize=9, zorder=10)
    survives = kept_probability(gap, sigma, dimension=3, **scene)
    ax.set(xlim=(-1.2, 1.2), ylim=(-0.8, 0.8), zlim=(-0.6, 2.6))
    ax.set(xticks=[-1, 0, 1], yticks=[-0.5, 0.5], zticks=[0, 1, 2])
    ax.set_xlabel("across the boundary", labelpad=-2)
    ax.set_ylabel("third direction", labelpad=-3)
    ax.set_zlabel("along the gap (embedding units)", labelpad=-6)
    ax.tick_params(pad=-2)
    ax.set_title(f"gap {gap:g}, σ = {sigma:g}:\nkept with probability {survives:.3f}", y=0.99)
    ax.computed_zorder = False
    ax.view_init(elev=14, azim=-68)
    ax.set_box_aspect((2.4, 1.6, 3.2), zoom=0.95)
    if alone:
        boundary_legend(ax)
    return ax


@styled
def plot_distances(
    distances,
    sigma,
    dimension: int,
    *,
    span: float | None = None,
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

    ax = canvas(ax=ax)
    laws = [ncx2(dimension, (distance / sigma) ** 2, scale=sigma**2) for distance in distances]
    low = min(law.ppf(1e-4) for law in laws)
    high = max(law.ppf(1 - 1e-4) for law in laws)
    if span is not None:
        centre = float(np.mean([law.mean() for law in laws]))
        low, high = centre - span / 2, centre + span / 2
        ax.set_xlim(low, high)
    at = np.linspace(low, high, 400)
    for k, law in enumerate(laws):
        label = "answer" if k == 0 else "rival" if len(laws) == 2 else f"rival {k}"
        ax.plot(at, law.pdf(at), color=SERIES[k % 7], linestyle=LINES[k % 7], label=label)
        ax.fill_between(at, law.pdf(at), color=SERIES[k % 7], alpha=0.15, linewidth=0)
    ax.set(xlabel="noisy squared distance to the query\n(embedding units²)", title=title)
    # Panels that share this axis need room for the tallest density of all of them.
    panels = ax.get_shared_y_axes().get_siblings(ax)
    tallest = max(line.get_ydata().max() for panel in panels for line in panel.lines)
    ax.set(ylabel="density (per embedding unit²)", ylim=(0, 1.05 * tallest))
    ax.legend()
    return ax


@styled
def plot_robustness(
    offsets,
    curves: Mapping,
    *,
    errors: Mapping | None = None,
    xlabel: str = "gap",
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Probability of keeping the answer against the gap (or α), with error bars where there are any.

    Parameters
    ----------
    offsets : positions on the horizontal axis
    curves : label to probabilities
    errors : label to half widths of intervals; a curve with errors is drawn as points
    xlabel : what the offsets are
    ax : axes to draw on
    title : title of the axes
    """
    ax = canvas(ax=ax, width=6.0)
    for i, (label, curve) in enumerate(curves.items()):
        if errors and label in errors:
            ax.errorbar(offsets, curve, yerr=errors[label], linestyle="none", marker="os^D"[i % 4], markersize=4,
                        color=SERIES[i % 7], capsize=2, label=label)  # fmt: skip
        else:
            ax.plot(offsets, curve, color=SERIES[i % 7], linestyle=LINES[i % 7], label=label)
    ax.set(xlabel=xlabel, ylabel="probability of keeping the answer", title=title)
    ax.legend()
    return ax
