"""Pictures of where the theory stops: the table of who moves and who is perturbed, and closers against each other."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from gapkit.plots.style import PALETTE, SERIES, canvas, styled

MARKERS = "os^DvPX<>"


@styled
def plot_cells(
    table: pd.DataFrame,
    value: str,
    *,
    rows: str,
    columns: str,
    none: str,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A table as a picture: each cell's effect by shade and number, cells with a proof of no effect hatched.

    Parameters
    ----------
    table : one row a cell, with ``value``, ``rows``, ``columns`` and ``none``
    none : column that says why nothing can happen in a cell; empty where it can
    """
    down, across = (list(dict.fromkeys(table[name])) for name in (rows, columns))
    ax = canvas(ax=ax, width=1.2 + 1.5 * len(across), height=1.4 + 0.5 * len(down))
    largest = max(float(table[value].abs().max()), 1e-12)
    for _, cell in table.iterrows():
        x, y = across.index(cell[columns]), down.index(cell[rows])
        proved = bool(cell[none])
        colour = PALETTE["texts"] if cell[value] >= 0 else PALETTE["images"]
        ax.add_patch(
            Rectangle(
                (x - 0.5, y - 0.5),
                1,
                1,
                facecolor="white" if proved else colour,
                alpha=1 if proved else 0.08 + 0.5 * abs(cell[value]) / largest,
                edgecolor="white",
                linewidth=2,
            )
        )
        if proved:
            ax.add_patch(
                Rectangle(
                    (x - 0.5, y - 0.5), 1, 1, fill=False, hatch="//", edgecolor=PALETTE["grey"], linewidth=0
                )
            )
        ax.text(
            x,
            y,
            f"{cell[value] + 0.0:+.3f}" if abs(cell[value]) >= 5e-4 else "0",
            ha="center",
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5} if proved else None,
        )
    ax.set(xlim=(-0.5, len(across) - 0.5), ylim=(len(down) - 0.5, -0.5), title=title)
    ax.set_xticks(range(len(across)), across)
    ax.set_yticks(range(len(down)), down)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    proved = Patch(facecolor="white", edgecolor=PALETTE["grey"], hatch="//", label="provably no effect")
    ax.get_figure().legend(handles=[proved], loc="outside lower center")
    return ax


@styled
def plot_tradeoff(
    table: pd.DataFrame,
    x: str,
    y: str,
    *,
    by: str,
    xlabel: str,
    ylabel: str,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """One marker for each method: what it keeps against what it gains, with intervals both ways.

    Methods that come out the same (to 1e-6, both ways) share a marker and are named together.
    """
    ax = canvas(ax=ax, width=4.8, height=4.2)
    place = np.round(table[[x, y]].to_numpy(dtype=float), 6)
    groups = table.groupby([place[:, 0], place[:, 1]], sort=False)
    for i, (_, same) in enumerate(groups):
        one = same.iloc[0]
        errors = [
            [[max(one[name] - one[f"{name}_low"], 0)], [max(one[f"{name}_high"] - one[name], 0)]]
            for name in (x, y)
        ]
        ax.errorbar(
            one[x],
            one[y],
            xerr=errors[0],
            yerr=errors[1],
            fmt=MARKERS[i % len(MARKERS)],
            color=SERIES[i % len(SERIES)],
            markersize=6,
            linewidth=1.2,
            label=" = ".join(same[by]),
        )
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.get_figure().legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=1, fontsize=8)
    return ax
