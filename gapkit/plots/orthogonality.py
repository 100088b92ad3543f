"""Is the gap orthogonal? Many models against their bands of chance, and one model after another, quickly."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from gapkit.plots.film import Film
from gapkit.plots.geometry import SMALLEST_SHARE, draw_share_band, share_axes
from gapkit.plots.style import MARKERS, PALETTE, canvas, styled

SIDES = ("texts", "images")
_FLOOR = 1e-9
"""Where the logarithmic axis of the spectrum ends."""


@styled
def plot_along_gap(
    table: pd.DataFrame, *, threshold: float | None = 0.1, title: str = "", ax: Axes | None = None
) -> Axes:
    """Relative variance along the gap, with intervals, each against its own band of random directions.

    Every row of the table gets a line of its own; lines of one model stand together, texts above images.

    Parameters
    ----------
    table : rows with ``model``, ``side`` ("texts" or "images"), ``value``, ``value_low``, ``value_high``,
        ``band_low`` and ``band_high``; several seeds of a model are several rows
    threshold : where a dashed line stands, such as the largest value that an absolute rule allows
    title : title of the axes
    ax : axes to draw on
    """
    models = list(dict.fromkeys(table["model"]))
    ordered = pd.concat([table[(table["model"] == m) & (table["side"] == s)] for m in models for s in SIDES])
    order = [models.index(model) for model in ordered["model"]]
    at = np.arange(len(ordered)) + 0.9 * np.array(order)  # a gap between models
    ax = canvas(ax=ax, width=4.6, height=1.1 + 0.14 * (at[-1] + 1))
    ax.barh(at, ordered["band_high"] - ordered["band_low"], left=ordered["band_low"], height=0.8,
            color=PALETTE["grey"], alpha=0.3, linewidth=0, label="95 % of random directions")  # fmt: skip
    for side in SIDES:
        mine = (ordered["side"] == side).to_numpy()
        rows = ordered[mine]
        errors = [rows["value"] - rows["value_low"], rows["value_high"] - rows["value"]]
        ax.errorbar(rows["value"], at[mine], xerr=np.clip(errors, 0, None), fmt=MARKERS[side],
                    color=PALETTE[side], markersize=4.5, linewidth=1.2, label=side)  # fmt: skip
    ax.axvline(1, color=PALETTE["grey"], linestyle=":", linewidth=1.2, zorder=0)
    if threshold is not None:
        ax.axvline(
            threshold, color=PALETTE["gap"], linestyle="--", linewidth=1, zorder=0, label=f"{threshold:g}"
        )
    lowest = min(ordered["band_low"].min(), ordered["value"].min())
    ax.set(xscale="log", xlim=(lowest / 1.6, None), ylim=(at[-1] + 0.8, at[0] - 0.8), title=title)
    ax.set_xlabel("variance along the gap, relative to average")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_yticks([at[np.array(order) == i].mean() for i in range(len(models))], models)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
    return ax


class Orthogonality(NamedTuple):
    """What an `OrthogonalityPlayer` shows of one pair of modalities; dictionaries by "texts" and "images".

    Attributes
    ----------
    spectra : variances along the components, relative to isotropic, largest first
    along : relative variance along the gap
    shares : (r,) squared share of the gap in the texts' top 1 … r components
    """

    spectra: Mapping[str, np.ndarray]
    along: Mapping[str, float]
    shares: np.ndarray


class OrthogonalityPlayer:
    """The spectrum and the share of the gap, for one model after another, drawn fast enough for a slider.

    Axes, legends and the band of chance depend on the dimension alone and stay; each model only draws its
    lines over them (see `Film`).

    Parameters
    ----------
    dimension : d of all embeddings to be shown
    dpi : dots per inch of `png`
    """

    @styled
    def __init__(self, dimension: int, *, dpi: int = 90) -> None:
        self._axes = left, right = canvas(1, 2, width=9, height=3.4)
        self._components, self._along = {}, {}
        for side, line in zip(SIDES, ("-", "--"), strict=True):
            look = {"color": PALETTE[side], "linestyle": line}
            self._components[side] = left.plot([], [], **look, label=f"{side}: components")[0]
            self._along[side] = (
                left.axhline(1, **look, linewidth=1),
                left.plot([1], [1], **look | {"linestyle": "none"}, marker=MARKERS[side], markersize=8,
                          label=f"{side}: along the gap", clip_on=False)[0],
            )  # fmt: skip
        left.axhline(1, color=PALETTE["grey"], linestyle=":", linewidth=1.2)
        left.set(xscale="log", yscale="log", xlim=(0.85, dimension), ylim=(_FLOOR, 2 * dimension))
        left.set(title="variance by component", xlabel="principal component, largest first")
        left.set_ylabel("variance relative to isotropic")
        left.legend(loc="lower left")
        steps = np.unique(np.geomspace(1, max(dimension - 1, 1), 60).round().astype(int))
        draw_share_band(right, steps, dimension)
        self._share = right.plot(
            [], [], color=PALETTE["texts"], marker=MARKERS["texts"], label="gap in the texts"
        )[0]
        share_axes(right, "log")
        right.set(title="share of the gap", xlim=(0.85, dimension))
        right.legend(loc="lower right")
        moving = [*self._components.values(), *sum(self._along.values(), ()), self._share]
        self._film = Film(left.get_figure(), moving, dpi=dpi)

    def axes(self, shown: Orthogonality) -> np.ndarray:
        """The two Axes, showing these numbers."""
        for side in SIDES:
            spectrum = np.maximum(shown.spectra[side], _FLOOR)
            self._components[side].set_data(np.arange(1, len(spectrum) + 1), spectrum)
            for line in self._along[side]:
                line.set_ydata(np.full(len(line.get_ydata()), max(shown.along[side], _FLOOR)))
        count = len(shown.shares)
        self._share.set_data(np.arange(1, count + 1), np.maximum(shown.shares, SMALLEST_SHARE))
        marked = np.unique(np.geomspace(1, max(count, 1), 10).round().astype(int)) - 1
        self._share.set_markevery(marked[marked < count].tolist())
        return self._axes

    @styled
    def png(self, shown: Orthogonality) -> bytes:
        """The same as PNG bytes, quickly."""
        self.axes(shown)
        return self._film.png()
