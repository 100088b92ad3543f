"""How the gap comes about: recorded runs of free embeddings, moment by moment, and training curves of mini-CLIPs."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

from gapkit._options import check_choice
from gapkit.contrastive.dynamics import Trajectory
from gapkit.errors import InputError
from gapkit.geometry import gap_axes
from gapkit.plots.blitting import BlittedFigure
from gapkit.plots.geometry import draw_clouds
from gapkit.plots.style import MARKERS, PALETTE, canvas, legend_below, line_style, styled

QUANTITIES = {
    "gap": ("gap", "‖g‖ (embedding units)", "linear"),
    "variance": ("variance along the gap\n(images, relative to isotropic)", "ratio", "log"),
    "mismatch": ("mismatch of partners\nafter removing the gap", "squared distance", "linear"),
    "defect": ("doubly-stochastic defect", "mean |sum - 1|", "log"),
    "accuracy": ("accuracy, image to text", "share right", "linear"),
    "loss": ("loss", "nats", "linear"),
    "tau": ("τ", "squared distance", "log"),
}
"""What `plot_trajectory` can draw: title, unit, vertical scale."""


@styled
def plot_trajectory(
    runs: Trajectory | Mapping[str, Trajectory],
    quantities: Sequence[str] = ("gap", "variance", "mismatch", "defect", "accuracy", "loss"),
) -> np.ndarray:
    """Panels of what a run recorded, against the step; several runs share the panels.

    The horizontal axis is linear up to step 10 and logarithmic after it.

    Parameters
    ----------
    runs : a `Trajectory`, or a dict of them by label
    quantities : names in `QUANTITIES`

    Returns
    -------
    flat array of Axes, one for each quantity
    """
    runs = {"": runs} if isinstance(runs, Trajectory) else dict(runs)
    for quantity in quantities:
        check_choice(quantity, "quantity", QUANTITIES)
    columns = min(3, len(quantities))
    rows = -(-len(quantities) // columns)
    grid = np.atleast_1d(canvas(rows, columns, height=2.5 * rows + 0.3, squeeze=False)).ravel()
    for ax, quantity in zip(grid, quantities, strict=False):
        title, unit, scale = QUANTITIES[quantity]
        recorded = {label: (run.steps, _recorded(run, quantity)) for label, run in runs.items()}
        _draw_over_steps(ax, recorded, title=title, ylabel=unit, yscale=scale)
        if quantity in ("gap", "accuracy", "mismatch"):
            low, high = ax.get_ylim()
            ax.set_ylim(min(0, low), high + 0.04 * abs(high))
    for ax in grid[len(quantities) :]:
        ax.set_visible(False)
    if len(runs) > 1:
        legend_below(grid, columns=None)
    return grid[: len(quantities)]


@styled
def plot_curves(
    curves: Mapping[str, Sequence[Mapping]],
    quantities: Sequence[str] = ("gap", "variance_along_gap_images", "one_sided_defect"),
) -> np.ndarray:
    """Training curves of mini-CLIPs, measured on held-out pairs.

    Parameters
    ----------
    curves : label to rows, as in ``gapkit.miniclip.training_curve(…)["rows"]``; a row has ``step`` and each
        quantity
    quantities : columns to draw, a panel each

    Returns
    -------
    array of Axes
    """
    titles = {
        "gap": ("gap ‖g‖ on held-out pairs", "linear"),
        "variance_along_gap_images": ("images' variance along the gap\n(relative to isotropic)", "log"),
        "variance_along_gap_texts": ("texts' variance along the gap\n(relative to isotropic)", "log"),
        "one_sided_defect": ("doubly-stochastic defect, one side\n(mean |Sᵢ − 1| over the images)", "linear"),
        "temperature": ("temperature (1 / logit scale)", "log"),
    }
    grid = np.atleast_1d(canvas(1, len(quantities), height=3.2, width=3 * len(quantities)))
    for ax, quantity in zip(grid, quantities, strict=True):
        columns = ("step", quantity)
        table = {label: [[row[key] for row in rows] for key in columns] for label, rows in curves.items()}
        title, scale = titles.get(quantity, (quantity, "linear"))
        _draw_over_steps(ax, table, title=title, yscale=scale)
        if scale == "linear":
            ax.set_ylim(bottom=0)
        if quantity == "temperature":  # it spans little more than a factor of ten: plain numbers, few of them
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.yaxis.set_major_formatter("{x:g}")
            ax.yaxis.set_minor_locator(NullLocator())
    legend_below(grid, columns=None)
    return grid


@styled
def plot_final_gaps(
    table: Mapping[str, Sequence], *, ax: Axes | None = None, title: str = "gap at the end of the run"
) -> Axes:
    """Final gap against τ, one line for each entry of the table.

    Parameters
    ----------
    table : label to pairs (τ, ‖g‖)
    ax : axes to draw on
    title : title of the axes
    """
    ax = canvas(ax=ax, width=6.0)
    for i, (label, pairs) in enumerate(table.items()):
        tau, gaps = np.asarray(sorted(pairs)).T
        ax.plot(tau, gaps, label=label, **line_style(i, marker=True))
    ax.set(xscale="log", xlabel="τ of Eq. 6 (squared distance; 2 · temperature)", ylim=(-0.03, None))
    ax.set(ylabel="final gap ‖g‖ (embedding units)", title=title)
    ax.legend()
    return ax


@styled
def plot_theorem_fit(table: Sequence[Mapping]) -> np.ndarray:
    """Theorem 3.1 against the exact gradient: slope, residual and off-gap part over τ, a line for each radius.

    Parameters
    ----------
    table : rows with ``tau``, ``spread``, ``slope``, ``residual`` and ``off_gap``

    Returns
    -------
    array of three Axes
    """
    grid = canvas(1, 3, height=3.2)
    titles = ("slope of exact against theorem", "relative residual along g", "part off g / part along g")
    for ax, quantity, title in zip(grid, ("slope", "residual", "off_gap"), titles, strict=True):
        for i, spread in enumerate(sorted({row["spread"] for row in table})):
            rows = sorted((row["tau"], row[quantity]) for row in table if row["spread"] == spread)
            look = line_style(i, marker=True)
            ax.plot(*np.array(rows).T, markersize=4, label=f"ε = {spread:g}", **look)
        scale = "linear" if quantity == "slope" else "log"
        ax.set(xlabel="τ (squared distance)", title=title, xscale="log", yscale=scale)
    grid[0].axhline(1, color=PALETTE["grey"], linestyle=":", linewidth=1)
    legend_below(grid, columns=None)
    return grid


def _recorded(run: Trajectory, quantity: str) -> np.ndarray:
    """The recorded numbers that a name of `QUANTITIES` stands for."""
    return run.variance_along_gap_y if quantity == "variance" else getattr(run, quantity)


def _draw_over_steps(ax: Axes, curves: Mapping[str, Sequence], **labels: str) -> None:
    """Steps and values of each label; the axis of steps is linear up to 10, logarithmic after."""
    for i, (label, (steps, values)) in enumerate(curves.items()):
        ax.plot(steps, values, label=label, **line_style(i))
    last = max(int(steps[-1]) for steps, _ in curves.values())
    ax.set_xscale("symlog", linthresh=10, linscale=0.6)
    ax.set(xlim=(0, max(last, 1)), xlabel="step", **labels)
    ticks = [step for step in (0, 10, 100, 1000, 10000) if step <= last]
    ax.set_xticks(ticks, [f"{step:,}".replace(",", " ") for step in ticks])


_FOLLOWED = {
    "gap": ("gap ‖g‖ (embedding units)", "gap", "-"),
    "variance": ("images' variance along g (1 = isotropic)", "green", "--"),
    "accuracy": ("accuracy (share of images)", "amber", "-."),
}
"""What the curves show: name with its unit, colour, line."""
_TALL = 0.78
"""Height of the picture of the clouds over its width."""


@styled
def plot_frame(run: Trajectory, index: int) -> np.ndarray:
    """One moment of a run: the clouds on the left, where it stands on its curves on the right.

    The clouds are seen in one fixed plane, the first gap (upright) and the final leading component across
    it, within fixed limits, so that frames can be compared.

    Parameters
    ----------
    run : Trajectory
    index : which recorded step, 0 … len(run) - 1

    Returns
    -------
    array of two Axes
    """
    return FramePlayer(run).axes(index)


@styled
def plot_space(run: Trajectory, indices: Sequence[int], *, partners: int = 12) -> np.ndarray:
    """Moments of a run in three dimensions, in space: the first gap points upwards.

    All panels have one scale and one view. Nothing is projected before drawing: the axes are a turned
    copy of the embedding's own three.

    Parameters
    ----------
    run : Trajectory of three-dimensional embeddings
    indices : which recorded steps, a panel each
    partners : how many pairs are connected by lines

    Returns
    -------
    array of three-dimensional Axes

    Raises
    ------
    InputError
        If the embeddings have other than three dimensions.
    """
    if run.x.shape[-1] != 3:
        raise InputError(f"plot_space draws three dimensions; got d={run.x.shape[-1]} (try plot_frame)")
    turned, origin = _axes_of(run, 2)
    x, y = (run.x - origin) @ turned, (run.y - origin) @ turned
    reach = 1.05 * max(np.abs(x).max(), np.abs(y).max())
    height = 1.05 * max(np.abs(x[..., 2]).max(), np.abs(y[..., 2]).max())
    axes = np.atleast_1d(canvas(1, len(indices), width=9, height=3.2, projection="3d"))
    for ax, index in zip(axes, indices, strict=True):
        for ends in np.stack([x[index], y[index]], 1)[:partners]:
            ax.plot(*ends.T, color=PALETTE["grey"], linewidth=0.7, linestyle="-")
        for cloud, side in ((x[index], "texts"), (y[index], "images")):
            ax.scatter(*cloud.T, s=14, marker=MARKERS[side], color=PALETTE[side], label=side)
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-height, height))
        ax.set_title(f"step {run.steps[index]}")
        for name in "xyz":
            label = "along the first gap" if name == "z" else "across the gap"
            getattr(ax, f"set_{name}label")(label, labelpad=-7, fontsize=8)
        ax.set_box_aspect((1, 1, height / reach), zoom=1.1)
        ax.view_init(elev=14, azim=-62)
        ax.locator_params(nbins=4)
        ax.tick_params(labelsize=7, pad=-2)
    legend_below(axes[0], markerscale=1.5)
    axes[0].get_figure().suptitle("all axes in embedding units", fontsize=9)
    return axes


class FramePlayer(BlittedFigure):
    """One figure that shows any recorded moment of a run: its points, partner lines and cursor move, the curves stay."""

    @styled
    def __init__(self, run: Trajectory) -> None:
        self.run = run
        plane, origin, limits = _view(run)
        self._flat = (run.x - origin) @ plane, (run.y - origin) @ plane
        left, right = canvas(1, 2, width=9, height=4.0, width_ratios=[1, 1.15])
        left.set(xlim=limits[0], ylim=limits[1], ylabel="along the first gap (embedding units)")
        left.set(xlabel="along the leading component across it")
        left.set_box_aspect(_TALL)  # the limits have this shape, so both axes have one scale
        followed = {label: (run.steps, _recorded(run, name)) for name, (label, *_) in _FOLLOWED.items()}
        _draw_over_steps(right, followed, title="the whole run, cursor at this step")
        for curve, (_, colour, line) in zip(right.lines, _FOLLOWED.values(), strict=True):
            curve.set(color=PALETTE[colour], linestyle=line)
        right.set(ylabel="value (units in the legend)", ylim=(-0.05, max(1.05, right.get_ylim()[1])))
        super().__init__(np.array([left, right]), self._draw_moment)
        legend_below(self.axes(0), columns=3)

    def _draw_moment(self, index: int) -> None:
        if not 0 <= index < len(self.run):
            raise InputError(f"index must lie in 0 … {len(self.run) - 1}; got {index}")
        (left, right), step = self._axes, self.run.steps[index]
        draw_clouds(left, *(flat[index] for flat in self._flat), partners=12)
        left.set_title(f"step {step}")
        heights = [_recorded(self.run, quantity)[index] for quantity in _FOLLOWED]
        colours = [PALETTE[colour] for _, colour, _ in _FOLLOWED.values()]
        right.axvline(step, color=PALETTE["grey"], linewidth=1, linestyle=":")
        right.scatter([step] * len(heights), heights, color=colours, s=36, zorder=5, clip_on=False)


def _view(run: Trajectory) -> tuple[np.ndarray, np.ndarray, tuple]:
    """A plane (across the gap, along it), its origin and limits that hold every recorded position."""
    axes, origin = _axes_of(run, 1)
    flat = (np.concatenate([run.x, run.y], 1) - origin) @ axes
    low, high = flat.min((0, 1)), flat.max((0, 1))
    middle, extent = (low + high) / 2, 1.12 * (high - low)
    wide = max(extent[0], extent[1] / _TALL)
    half = np.array([wide, _TALL * wide]) / 2
    return axes, origin, tuple(zip(middle - half, middle + half, strict=True))


def _axes_of(run: Trajectory, across: int) -> tuple[np.ndarray, np.ndarray]:
    """(d, across + 1) axes, the last along the first gap, before it the leading components of the last moment; and their origin."""
    axes, origin = gap_axes(run.x[0], run.y[0], across=across, spread_of=(run.x[-1], run.y[-1]))
    return np.roll(axes, -1, axis=1), origin
