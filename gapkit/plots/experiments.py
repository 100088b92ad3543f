"""Pictures of the experiments, drawn from the tidy tables of `gapkit.experiments`.

Each is one panel, narrow enough for a phone; every series has its own marker and line style, so that
nothing hangs on colour alone.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from gapkit.plots.style import LINES, PALETTE, SERIES, canvas, styled

MARKERS = "os^Dv<>P"
PANEL = {"width": 4.4, "height": 3.2}


def _band(ax: Axes, rows: pd.DataFrame, x: str, y: str, index: int, label: str) -> None:
    rows = rows.sort_values(x)
    colour = SERIES[index % len(SERIES)]
    ax.plot(
        rows[x],
        rows[y],
        color=colour,
        linestyle=LINES[index % len(LINES)],
        marker=MARKERS[index % len(MARKERS)],
        markersize=3.5,
        label=label,
    )
    if f"{y}_low" in rows:
        ax.fill_between(rows[x], rows[f"{y}_low"], rows[f"{y}_high"], color=colour, alpha=0.15, linewidth=0)


@styled
def plot_over(
    table: pd.DataFrame,
    x: str,
    y: str,
    *,
    by: str,
    xlabel: str,
    ylabel: str,
    title: str = "",
    closure: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Lines with interval bands: ``y`` over ``x``, one line for each value of ``by``.

    Parameters
    ----------
    table : rows with ``x``, ``y``, ``y_low``, ``y_high`` and ``by``
    closure : mark α = 0 (untouched) and α = 1 (closed)
    """
    ax = canvas(ax=ax, **PANEL)
    if closure:
        for alpha, words in ((0.0, "untouched"), (1.0, "closed")):
            ax.axvline(alpha, color=PALETTE["grey"], linewidth=1, linestyle=":")
            ax.annotate(
                words, (alpha, 1), xycoords=("data", "axes fraction"), fontsize=8, ha="center", va="bottom"
            )
    for i, (label, rows) in enumerate(table.groupby(by, sort=False)):
        _band(ax, rows, x, y, i, str(label))
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.set_title(title, pad=16 if closure else 6)
    ax.legend(loc="best")
    return ax


@styled
def plot_effects(
    table: pd.DataFrame,
    value: str,
    *,
    rows: str,
    by: str,
    xlabel: str,
    title: str = "",
    zero: float | None = 0.0,
    counts: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Dots with intervals: one line for each value of ``rows``, one dot for each value of ``by``.

    Parameters
    ----------
    table : rows with ``value``, its ``_low`` and ``_high``, ``rows`` and ``by``
    zero : where the line of no effect stands
    counts : the smallest effect that counts, marked by a dashed line
    """
    names = list(dict.fromkeys(table[rows]))
    groups = list(dict.fromkeys(table[by]))
    ax = canvas(ax=ax, width=PANEL["width"], height=max(2.2, 0.9 + 0.42 * len(names)))
    if zero is not None:
        ax.axvline(zero, color=PALETTE["grey"], linewidth=1)
    if counts is not None:
        ax.axvline(counts, color=PALETTE["grey"], linewidth=1, linestyle="--", label="smallest that counts")
    for i, group in enumerate(groups):
        chosen = table[table[by] == group]
        at = np.array([names.index(name) for name in chosen[rows]]) + 0.22 * (i - (len(groups) - 1) / 2)
        low = (chosen[value] - chosen.get(f"{value}_low", chosen[value])).clip(lower=0)
        high = (chosen.get(f"{value}_high", chosen[value]) - chosen[value]).clip(lower=0)
        ax.errorbar(
            chosen[value],
            at,
            xerr=[low, high],
            fmt=MARKERS[i % len(MARKERS)],
            color=SERIES[i % len(SERIES)],
            markersize=5,
            linewidth=1.4,
            label=str(group),
        )
    ax.set_yticks(range(len(names)), names)
    ax.set(ylim=(len(names) - 0.45, -0.55), xlabel=xlabel, title=title)
    ax.grid(axis="y", visible=False)
    ax.get_figure().legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return ax


@styled
def plot_chance(table: pd.DataFrame, *, xlabel: str, title: str = "", ax: Axes | None = None) -> Axes:
    """Measured values against the band that chance alone would give, one line for each label.

    Parameters
    ----------
    table : rows with ``label``, ``value``, ``value_low``, ``value_high``, ``band_low`` and ``band_high``
    """
    ax = canvas(ax=ax, width=PANEL["width"], height=max(2.2, 0.9 + 0.3 * len(table)))
    at = np.arange(len(table))
    ax.barh(
        at,
        table["band_high"] - table["band_low"],
        left=table["band_low"],
        height=0.6,
        color=PALETTE["grey"],
        alpha=0.3,
        label="95 % of random directions",
    )
    errors = [table["value"] - table["value_low"], table["value_high"] - table["value"]]
    ax.errorbar(
        table["value"],
        at,
        xerr=np.clip(errors, 0, None),
        fmt="D",
        color=PALETTE["images"],
        markersize=5,
        linewidth=1.4,
        label="measured",
    )
    ax.set_yticks(at, table["label"])
    ax.set(ylim=(len(table) - 0.4, -0.6), xlabel=xlabel, title=title)
    ax.set_xlim(left=0)
    ax.grid(axis="y", visible=False)
    ax.get_figure().legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return ax


@styled
def plot_scatter(
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
    """Points with vertical intervals, a marker for each value of ``by``: the natural experiment."""
    ax = canvas(ax=ax, **PANEL)
    for i, (label, rows) in enumerate(table.groupby(by, sort=False)):
        errors = [rows[y] - rows[f"{y}_low"], rows[f"{y}_high"] - rows[y]]
        ax.errorbar(
            rows[x],
            rows[y],
            yerr=np.clip(errors, 0, None),
            fmt=MARKERS[i % len(MARKERS)],
            color=SERIES[i % len(SERIES)],
            markersize=5.5,
            linewidth=1.2,
            label=str(label),
        )
    ax.axhline(0, color=PALETTE["grey"], linewidth=1)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.get_figure().legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return ax


@styled
def plot_before_after(
    table: pd.DataFrame,
    value: str,
    *,
    rows: str,
    by: str,
    order: Sequence,
    xlabel: str,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Two dots on a line for each row: before and after, such as one caption template each.

    Parameters
    ----------
    table : rows with ``value``, ``rows`` and ``by``
    order : the two values of ``by``, with their names: ``[(0.0, "untouched"), (1.0, "closed")]``
    """
    names = list(dict.fromkeys(table[rows]))
    ax = canvas(ax=ax, width=PANEL["width"], height=max(2.2, 0.9 + 0.26 * len(names)))
    ends = []
    for i, (key, words) in enumerate(order):
        chosen = table[table[by] == key].set_index(rows)[value].reindex(names)
        ends.append(chosen)
        ax.plot(
            chosen,
            range(len(names)),
            marker=MARKERS[i],
            linestyle="none",
            markersize=5.5,
            fillstyle="none" if i == 0 else "full",
            color=SERIES[i],
            label=words,
        )
    for at, (start, end) in enumerate(zip(*ends, strict=True)):
        ax.plot([start, end], [at, at], color=PALETTE["grey"], linewidth=1, linestyle="-", zorder=0)
    ax.set_yticks(range(len(names)), names)
    ax.set(ylim=(len(names) - 0.45, -0.55), xlabel=xlabel, title=title)
    ax.grid(axis="y", visible=False)
    ax.get_figure().legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return ax
