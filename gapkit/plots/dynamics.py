"""How the gap comes about: recorded runs of free embeddings, and training curves of mini-CLIPs."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

from gapkit._arrays import check_choice
from gapkit.contrastive import Trajectory
from gapkit.plots.style import LINES, PALETTE, SERIES, canvas, styled

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
        for i, (label, run) in enumerate(runs.items()):
            ax.plot(
                run.steps, series(run, quantity), label=label, color=SERIES[i % 7], linestyle=LINES[i % 7]
            )
        step_axis(ax, max(int(run.steps[-1]) for run in runs.values()))
        ax.set(title=title, ylabel=unit, yscale=scale)
        if quantity in ("gap", "accuracy", "mismatch"):
            low, high = ax.get_ylim()
            ax.set_ylim(min(0, low), high + 0.04 * abs(high))
    for ax in grid[len(quantities) :]:
        ax.set_visible(False)
    if len(runs) > 1:
        legend_below(grid)
    return grid[: len(quantities)]


@styled
def plot_curves(
    curves: Mapping[str, Sequence[Mapping]],
    quantities: Sequence[str] = ("gap", "variance_along_gap_images", "doubly_stochastic_defect"),
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
        "doubly_stochastic_defect": ("doubly-stochastic defect\n(mean $|S_i-1|$ over the images)", "linear"),
        "temperature": ("temperature (1 / logit scale)", "log"),
        "accuracy": ("accuracy within the batch", "linear"),
        "loss": ("loss (nats)", "log"),
    }
    last = max(int(row["step"]) for rows in curves.values() for row in rows)
    grid = np.atleast_1d(canvas(1, len(quantities), height=3.2, width=3 * len(quantities)))
    for ax, quantity in zip(grid, quantities, strict=True):
        for i, (label, rows) in enumerate(curves.items()):
            steps, values = ([row[key] for row in rows] for key in ("step", quantity))
            ax.plot(steps, values, label=label, color=SERIES[i % 7], linestyle=LINES[i % 7])
        title, scale = titles.get(quantity, (quantity, "linear"))
        step_axis(ax, last)
        ax.set(title=title, yscale=scale)
        if scale == "linear":
            ax.set_ylim(bottom=0)
        if quantity == "temperature":  # it spans little more than a factor of ten: plain numbers, few of them
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.yaxis.set_major_formatter("{x:g}")
            ax.yaxis.set_minor_locator(NullLocator())
    legend_below(grid)
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
        ax.plot(tau, gaps, label=label, marker="os^Dv"[i % 5], color=SERIES[i % 7], linestyle=LINES[i % 7])
    ax.set(xscale="log", xlabel="τ of Eq. 6 (squared distance; 2 · temperature)", ylim=(-0.03, None))
    ax.set(ylabel="final gap ‖g‖ (embedding units)", title=title)
    ax.legend()
    return ax


@styled
def plot_regime(table: Sequence[Mapping]) -> np.ndarray:
    """Theorem 3.1 against the exact gradient: slope, residual and off-gap part over τ, a line for each radius.

    Parameters
    ----------
    table : rows with ``tau``, ``spread``, ``slope``, ``residual`` and ``off_gap``

    Returns
    -------
    array of three Axes
    """
    grid = canvas(1, 3, height=3.2)
    titles = {
        "slope": "slope of exact against theorem",
        "residual": "relative residual along g",
        "off_gap": "part off g / part along g",
    }
    for ax, (quantity, title) in zip(grid, titles.items(), strict=True):
        for i, spread in enumerate(sorted({row["spread"] for row in table})):
            rows = sorted((row["tau"], row[quantity]) for row in table if row["spread"] == spread)
            ax.plot(*np.array(rows).T, marker="os^D"[i % 4], markersize=4, label=f"ε = {spread:g}",
                    color=SERIES[i % 7], linestyle=LINES[i % 7])  # fmt: skip
        ax.set(
            xscale="log",
            xlabel="τ (squared distance)",
            title=title,
            yscale="linear" if quantity == "slope" else "log",
        )
    grid[0].axhline(1, color=PALETTE["grey"], linestyle=":", linewidth=1)
    legend_below(grid)
    return grid


def series(run: Trajectory, quantity: str) -> np.ndarray:
    """The recorded numbers that a name of `QUANTITIES` stands for."""
    return run.variance_along_gap_y if quantity == "variance" else getattr(run, quantity)


def legend_below(grid: np.ndarray) -> None:
    """One legend for all axes, under them, in as many columns as its longest entry leaves room for."""
    figure = grid[0].get_figure()
    handles, labels = grid[0].get_legend_handles_labels()
    inches = 0.75 + 0.075 * max(map(len, labels))
    columns = min(int(np.clip(figure.get_figwidth() / inches, 1, 5)), len(labels))
    lines = -(-len(labels) // columns)
    figure.set_figheight(figure.get_figheight() + 0.2 * (lines - 1))  # not at the cost of the axes
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def step_axis(ax: Axes, last: int) -> None:
    """Horizontal axis of steps: linear up to 10, logarithmic after."""
    ax.set_xscale("symlog", linthresh=10, linscale=0.6)
    ax.set_xlim(0, max(last, 1))
    ax.set_xticks([step for step in (0, 10, 100, 1000, 10000) if step <= last])
    ax.set_xticklabels([f"{step:,}".replace(",", " ") for step in ax.get_xticks().astype(int)])
    ax.set_xlabel("step")
