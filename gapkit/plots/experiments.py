"""Pictures of the experiments, drawn from the tidy tables of `gapkit.experiments`.

A column ``value`` has its interval in ``value_low`` and ``value_high``. Each picture is one panel, narrow enough for a
phone; every series has its own marker and line style, so that nothing hangs on colour alone.
"""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from gapkit._options import Number
from gapkit.errors import InputError
from gapkit.plots.style import (
    MARKERS,
    PALETTE,
    SIDES,
    canvas,
    figure_of,
    folded,
    legend_below,
    line_style,
    styled,
)

WIDTH, HEIGHT = 4.4, 3.2
"""Inches of a panel."""


def _reach(table: pd.DataFrame, value: str) -> np.ndarray:
    """(2, n) how far the intervals of a column reach down and up from it; 0 where it has none."""
    middle = table[value]
    low, high = (table.get(f"{value}_{end}", middle) for end in ("low", "high"))
    return np.clip([middle - low, high - middle], 0, None)


def _points(ax: Axes, table: pd.DataFrame, by: str, x: str, y: str, *, across: bool, up: bool) -> None:
    """Markers, a look for each value of ``by``, with intervals ``across``, ``up``, or both."""
    for i, (label, rows) in enumerate(table.groupby(by, sort=False)):
        look = line_style(i, marker=True) | {"linestyle": "none", "elinewidth": 1.3, "markersize": 5.5}
        errors = {"xerr": _reach(rows, x) if across else None, "yerr": _reach(rows, y) if up else None}
        ax.errorbar(rows[x], rows[y], label=str(label), **errors, **look)


def _named_rows(names: Collection, each: float, ax: Axes | None, **labels: str) -> Axes:
    """Labelled axes for one line of text a row, the first one on top."""
    ax = canvas(ax=ax, width=WIDTH, height=max(2.2, 0.9 + each * len(names)))
    ax.set(ylim=(len(names) - 0.45, -0.55), **labels)
    ax.set_yticks(range(len(names)), [folded(name, 30) for name in names])
    ax.grid(axis="y", visible=False)
    ax.locator_params(axis="x", nbins=6)  # long numbers beside each other run into one
    return ax


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
    table : rows with ``x``, ``y``, its interval and ``by``
    x, y, by : names of columns
    xlabel, ylabel, title : labels of the axes
    closure : mark α = 0 (untouched) and α = 1 (closed)
    ax : axes to draw on
    """
    ax = canvas(ax=ax, width=WIDTH, height=HEIGHT)
    if closure:
        # Off the axis' own labels.
        for alpha, words, side in ((0.0, "untouched", "left"), (1.0, "closed", "right")):
            ax.axvline(alpha, color=PALETTE["grey"], linewidth=1, linestyle=":")
            place = {"xycoords": ("data", "axes fraction"), "ha": side, "va": "bottom"}
            ax.annotate(words, (alpha, 1), fontsize=9, **place)
    for i, (label, rows) in enumerate(table.groupby(by, sort=False)):
        rows, look = rows.sort_values(x), line_style(i, marker=True)
        ax.plot(rows[x], rows[y], markersize=3.5, label=str(label), **look)
        if f"{y}_low" in rows:
            band = {"color": look["color"], "alpha": 0.15, "linewidth": 0}
            ax.fill_between(rows[x], rows[f"{y}_low"], rows[f"{y}_high"], **band)
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
    counts: Number | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Dots with intervals: one line for each value of ``rows``, one dot for each value of ``by``.

    Parameters
    ----------
    table : rows with ``value``, its interval, ``rows`` and ``by``
    value, rows, by : names of columns
    xlabel, title : labels of the axes
    counts : the smallest effect that counts, marked by a dashed line
    ax : axes to draw on
    """
    names, groups = (list(dict.fromkeys(table[column])) for column in (rows, by))
    apart = min(0.22, 0.88 / len(groups)) if groups else 0.0  # no dot may come into the next row
    ax = _named_rows(names, max(0.42, 0.1 * len(groups)), ax, xlabel=xlabel, title=title)
    ax.axvline(0, color=PALETTE["grey"], linewidth=1)
    if counts is not None:
        ax.axvline(counts, color=PALETTE["grey"], linewidth=1, linestyle="--", label="smallest that counts")
    at = table[rows].map(names.index) + apart * (table[by].map(groups.index) - (len(groups) - 1) / 2)
    _points(ax, table.assign(at=at), by, value, "at", across=True, up=False)
    legend_below(ax)
    return ax


@styled
def plot_chance(table: pd.DataFrame, *, xlabel: str, title: str = "", ax: Axes | None = None) -> Axes:
    """Measured values against the band that chance alone would give, one line for each label.

    Parameters
    ----------
    table : rows with ``label``, ``value``, its interval, ``band_low`` and ``band_high``
    xlabel, title : labels of the axes
    ax : axes to draw on
    """
    ax = _named_rows(table["label"], 0.3, ax, xlabel=xlabel, title=title)
    at = np.arange(len(table))
    _chance_bands(ax, table, at, height=0.6)
    look = {"fmt": "D", "color": PALETTE["images"], "markersize": 5, "linewidth": 1.4}
    ax.errorbar(table["value"], at, xerr=_reach(table, "value"), label="measured", **look)
    ax.set_xlim(left=0)
    legend_below(ax)
    return ax


def _chance_bands(ax: Axes, table: pd.DataFrame, at: np.ndarray, *, height: Number) -> None:
    width = table["band_high"] - table["band_low"]
    look = {"color": PALETTE["grey"], "alpha": 0.3, "linewidth": 0, "label": "95 % of random directions"}
    ax.barh(at, width, left=table["band_low"], height=height, **look)


@styled
def plot_along_gap(table: pd.DataFrame, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Relative variance along the gap, with intervals, each against its own band of random directions.

    Every row of the table gets a line of its own; lines of one model stand together, texts above images.

    Parameters
    ----------
    table : rows with ``model``, ``side`` ("texts" or "images"), ``value``, its interval, ``band_low`` and
        ``band_high``; several seeds of a model are several rows
    title : title of the axes
    ax : axes to draw on
    """
    models = list(dict.fromkeys(table["model"]))
    ordered = pd.concat([table[(table["model"] == m) & (table["side"] == s)] for m in models for s in SIDES])
    order = np.array([models.index(model) for model in ordered["model"]])
    at = np.arange(len(ordered)) + 0.9 * order  # a gap between models
    ax = canvas(ax=ax, width=4.6, height=1.1 + 0.14 * (at[-1] + 1))
    _chance_bands(ax, ordered, at, height=0.8)
    for side in SIDES:
        here = (ordered["side"] == side).to_numpy()
        rows = ordered[here]
        look = {"fmt": MARKERS[side], "color": PALETTE[side], "markersize": 4.5, "linewidth": 1.2}
        ax.errorbar(rows["value"], at[here], xerr=_reach(rows, "value"), label=side, **look)
    ax.axvline(1, color=PALETTE["grey"], linestyle=":", linewidth=1.2, zorder=0)
    # The largest value that an absolute rule would allow.
    ax.axvline(0.1, color=PALETTE["gap"], linestyle="--", linewidth=1, label="0.1", zorder=0)
    lowest = min(ordered["band_low"].min(), ordered["value"].min())
    ax.set(xscale="log", xlim=(lowest / 1.6, None), ylim=(at[-1] + 0.8, at[0] - 0.8), title=title)
    ax.set_xlabel("variance along the gap, relative to average")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_yticks([at[order == i].mean() for i in range(len(models))], models)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
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
    """Points with vertical intervals, a marker for each value of ``by``: the natural experiment.

    Parameters
    ----------
    table : rows with ``x``, ``y``, its interval and ``by``
    x, y, by : names of columns
    xlabel, ylabel, title : labels of the axes
    ax : axes to draw on
    """
    ax = canvas(ax=ax, width=WIDTH, height=HEIGHT)
    _points(ax, table, by, x, y, across=False, up=True)
    ax.axhline(0, color=PALETTE["grey"], linewidth=1)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    legend_below(ax)
    return ax


@styled
def plot_before_after(
    table: pd.DataFrame,
    value: str,
    *,
    rows: str,
    by: str,
    order: Sequence[tuple],
    xlabel: str,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Two dots on a line for each row: before and after, such as one caption template each.

    Parameters
    ----------
    table : rows with ``value``, ``rows`` and ``by``
    value, rows, by : names of columns
    order : the two values of ``by``, with their names: ``[(0.0, "untouched"), (1.0, "closed")]``
    xlabel, title : labels of the axes
    ax : axes to draw on
    """
    names = list(dict.fromkeys(table[rows]))
    ax = _named_rows(names, 0.26, ax, xlabel=xlabel, title=title)
    if table.duplicated([rows, by]).any():
        raise InputError(f"plot_before_after takes one value a row and end; {rows} and {by} repeat")
    ends = [table[table[by] == key].set_index(rows)[value].reindex(names) for key, _ in order]
    for i, (end, (_, words)) in enumerate(zip(ends, order, strict=True)):
        look = line_style(i, marker=True) | {"linestyle": "none", "fillstyle": "full" if i else "none"}
        ax.plot(end, range(len(names)), markersize=5.5, label=words, **look)
    ax.hlines(range(len(names)), *ends, color=PALETTE["grey"], linewidth=1, zorder=0)
    legend_below(ax)
    return ax


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
    value, rows, columns : names of columns
    none : column that says why nothing can happen in a cell; empty where it can
    title : title of the axes
    ax : axes to draw on
    """
    down, across = (list(dict.fromkeys(table[name])) for name in (rows, columns))
    ax = canvas(ax=ax, width=1.2 + 1.5 * len(across), height=1.4 + 0.5 * len(down))
    largest = max(1e-12, float(table[value].abs().max()))
    hatched = {"fill": False, "hatch": "//", "edgecolor": PALETTE["grey"], "linewidth": 0}
    for _, cell in table.iterrows():
        x, y = across.index(cell[columns]), down.index(cell[rows])
        proved, effect = bool(cell[none]) and not pd.isna(cell[none]), float(cell[value])
        colour = "white" if proved else PALETTE["texts"] if effect >= 0 else PALETTE["images"]
        shade = 1 if proved else np.nan_to_num(0.08 + 0.5 * abs(effect) / largest)
        corner = (x - 0.5, y - 0.5)
        ax.add_patch(Rectangle(corner, 1, 1, facecolor=colour, alpha=shade, edgecolor="white", linewidth=2))
        if proved:
            ax.add_patch(Rectangle(corner, 1, 1, **hatched))
        number = "–" if np.isnan(effect) else f"{effect + 0.0:+.3f}" if abs(effect) >= 5e-4 else "0"
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.5} if proved else None
        ax.text(x, y, number, ha="center", va="center", bbox=paper)
    ax.set(xlim=(-0.5, len(across) - 0.5), ylim=(len(down) - 0.5, -0.5), title=title)
    ax.set_xticks(range(len(across)), across)
    ax.set_yticks(range(len(down)), down)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    meaning = Patch(facecolor="white", edgecolor=PALETTE["grey"], hatch="//", label="provably no effect")
    figure_of(ax).legend(handles=[meaning], loc="outside lower center")
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

    Parameters
    ----------
    table : rows with ``x`` and ``y``, their intervals, and ``by``
    x, y, by : names of columns
    xlabel, ylabel, title : labels of the axes
    ax : axes to draw on
    """
    ax = canvas(ax=ax, width=4.8, height=4.2)
    place = np.round(table[[x, y]].to_numpy(dtype=float), 6)
    alike = table.groupby([place[:, 0], place[:, 1]], sort=False)
    _points(ax, alike.first().assign(named=alike[by].agg(" = ".join)), "named", x, y, across=True, up=True)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    legend_below(ax, columns=1)
    return ax
