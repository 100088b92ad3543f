"""Why distance costs robustness: noise turns the boundary between two candidates, and distance lets it sweep.

Two candidates lie at (∓half_width, 0), the query at (-margin, gap): the left candidate is its answer,
whatever the gap. All lengths are in the unit of the embeddings.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from scipy.stats import ncx2

from gapkit._arrays import check_number
from gapkit.errors import InputError
from gapkit.plots.style import LINES, MARKERS, PALETTE, SERIES, canvas, styled
from gapkit.robustness import robustness


def boundary_scene(gap, *, half_width=0.5, margin=0.15, dimension: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """The candidates (2, d) and the query (1, d) of the boundary picture.

    Examples
    --------
    >>> candidates, query = boundary_scene(1.0)
    >>> query.tolist()
    [[-0.15, 1.0]]
    """
    gap = check_number(gap, "gap", least=0.0)
    half_width = check_number(half_width, "half_width", above=0.0)
    margin = check_number(margin, "margin", above=0.0)
    if dimension < 2:
        raise InputError(f"dimension must be at least 2; got {dimension}")
    candidates, query = np.zeros((2, dimension)), np.zeros((1, dimension))
    candidates[:, 0] = -half_width, half_width
    query[0, 0], query[0, -1] = -margin, gap
    return candidates, query


def sweep(gap, sigma, *, draws: int = 60, seed: int = 0, **scene) -> tuple[np.ndarray, np.ndarray]:
    """Noisy candidates (draws, 2, d), and for each draw whether the query keeps its answer (draws,)."""
    candidates, query = boundary_scene(gap, **scene)
    noise = np.random.default_rng(seed).standard_normal((draws, *candidates.shape))
    noisy = candidates + check_number(sigma, "sigma", least=0.0) * noise
    distances = ((noisy - query) ** 2).sum(-1)
    return noisy, distances[:, 0] <= distances[:, 1]


@styled
def plot_boundary(gap, sigma, *, draws: int = 60, seed: int = 0, ax: Axes | None = None, **scene) -> Axes:
    """Two candidates, the boundary between them under many draws of noise, and the query above.

    Boundaries that still leave the query with its answer are thin and grey; those that swept over it are
    pink and dashed. The title gives the exact probability that the answer survives.

    Parameters
    ----------
    gap : distance of the query from the candidates' line
    sigma : standard deviation of the noise on each coordinate of each candidate
    draws : how many noisy boundaries are drawn
    seed : seed of the draws
    ax : axes to draw on
    **scene : half_width, margin
    """
    candidates, query = boundary_scene(gap, **scene)
    noisy, kept = sweep(gap, sigma, draws=draws, seed=seed, **scene)
    ax = canvas(ax=ax, width=3.6, height=4.4)
    middle, normal = noisy.mean(1), noisy[:, 1] - noisy[:, 0]
    along = np.stack([-normal[:, 1], normal[:, 0]], 1)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    ends = np.stack([middle - 6 * along, middle + 6 * along], 1)
    ax.add_collection(LineCollection(list(ends[kept]), colors=PALETTE["grey"], linewidths=0.7, alpha=0.5))
    swept = LineCollection(list(ends[~kept]), colors=PALETTE["pink"], linewidths=1.0, linestyles="--")
    ax.add_collection(swept)
    ax.axvline(0, color=PALETTE["gap"], linewidth=1.5)
    ax.scatter(*noisy.reshape(-1, 2).T, s=6, color=PALETTE["texts"], alpha=0.3, linewidths=0)
    ax.scatter(*candidates.T, s=70, marker=MARKERS["texts"], color=PALETTE["texts"], zorder=4)
    ax.scatter(*query.T, s=80, marker=MARKERS["images"], color=PALETTE["images"], zorder=4)
    ax.annotate("answer", candidates[0], (0, -14), textcoords="offset points", ha="center", fontsize=9)
    ax.annotate("rival", candidates[1], (0, -14), textcoords="offset points", ha="center", fontsize=9)
    ax.annotate("query", query[0], (-7, 7), textcoords="offset points", ha="right", fontsize=9)
    survives = float(robustness(query, candidates, sigma=sigma)[0])
    ax.set(xlim=(-1.3, 1.3), ylim=(-0.8, 2.8), xlabel="across the boundary", ylabel="along the gap")
    ax.set_title(f"gap {gap:g}, σ = {sigma:g}:\nkept with probability {survives:.3f}")
    ax.set_aspect("equal", adjustable="box")
    ax.grid(visible=False)
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
    ax = canvas(ax=ax, width=4.4, height=4.6, projection="3d")
    depth, height = np.meshgrid([-0.8, 0.8], [-0.4, 2.4])
    edge = [[0, 0], [0, 1], [1, 1], [1, 0], [0, 0]]
    for i in range(draws):
        middle, normal = noisy[i].mean(0), noisy[i, 1] - noisy[i, 0]
        across = middle[0] - (normal[1] * (depth - middle[1]) + normal[2] * (height - middle[2])) / normal[0]
        colour = PALETTE["grey"] if kept[i] else PALETTE["pink"]
        ax.plot_surface(across, depth, height, color=colour, alpha=0.08, linewidth=0, shade=False)
        rim = np.array([[across[a, b], depth[a, b], height[a, b]] for a, b in edge])
        ax.plot(*rim.T, color=colour, linewidth=1.2, linestyle="-" if kept[i] else "--")
    ax.plot(
        *np.stack([query[0], [query[0, 0], 0, 0]]).T, color=PALETTE["images"], linestyle=":", linewidth=1.5
    )
    ax.plot(*candidates.T, color=PALETTE["texts"], linestyle=":", linewidth=1.5)
    for points, side, size in ((candidates, "texts", 60), (query, "images", 70)):
        ax.scatter(*points.T, s=size, marker=MARKERS[side], color=PALETTE[side], depthshade=False, zorder=9)
    for place, name in ((candidates[0], "answer"), (candidates[1], "rival")):
        ax.text(*(place - [0, 0, 0.35]), name, ha="center", fontsize=9, zorder=10)
    ax.text(*(query[0] + [-0.12, 0, 0]), "query", ha="right", va="center", fontsize=9, zorder=10)
    survives = float(robustness(query, candidates, sigma=sigma)[0])
    ax.set(xlim=(-1.2, 1.2), ylim=(-0.8, 0.8), zlim=(-0.6, 2.6))
    ax.set_xlabel("across the boundary", labelpad=-8)
    ax.set_zlabel("along the gap", labelpad=-8)
    ax.set_xticklabels([])
    ax.set_yticklabels([])
    ax.set_zticklabels([])
    ax.set_title(f"gap {gap:g}, σ = {sigma:g}:\nkept with probability {survives:.3f}")
    ax.computed_zorder = False
    ax.view_init(elev=14, azim=-68)
    ax.set_box_aspect((2.4, 1.6, 3.2), zoom=1.15)
    return ax


@styled
def plot_distances(
    distances, sigma, dimension: int, *, ax: Axes | None = None, title: str | None = None
) -> Axes:
    """Densities of the noisy squared distances ``‖x_k + ε_k - y‖²``: noncentral χ² laws, scaled by σ².

    Parameters
    ----------
    distances : clean distances ‖x_k - y‖, the answer first
    sigma : standard deviation of the noise on each coordinate
    dimension : d
    ax : axes to draw on
    title : title of the axes
    """
    ax = canvas(ax=ax)
    laws = [ncx2(dimension, (distance / sigma) ** 2, scale=sigma**2) for distance in distances]
    low = min(law.ppf(1e-4) for law in laws)
    high = max(law.ppf(1 - 1e-4) for law in laws)
    at = np.linspace(low, high, 400)
    for k, law in enumerate(laws):
        label = "answer" if k == 0 else "rival" if len(laws) == 2 else f"rival {k}"
        ax.plot(at, law.pdf(at), color=SERIES[k % 7], linestyle=LINES[k % 7], label=label)
        ax.fill_between(at, law.pdf(at), color=SERIES[k % 7], alpha=0.15, linewidth=0)
    ax.set(xlabel="noisy squared distance to the query", ylabel="density", title=title, ylim=(0, None))
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
