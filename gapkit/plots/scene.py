"""The scene behind the boundary pictures: what is drawn, what of it moves, and moving it quickly.

Two candidates lie at (∓half_width, 0), the query at (-margin, gap): the left candidate is its answer,
whatever the gap. All lengths are in the unit of the embeddings.
"""

import functools
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.text import Annotation, Text

from gapkit._arrays import check_number
from gapkit.errors import InputError
from gapkit.plots.film import Film
from gapkit.plots.style import MARKERS, PALETTE, canvas, figure_of, styled
from gapkit.robustness import robustness

LABELS = {
    "still": "boundary without noise",
    "kept": "under noise: leaves the query its answer",
    "swept": "under noise: has swept over the query",
}
"""What the three kinds of lines are called in legends."""


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


@functools.lru_cache(maxsize=512)
def kept_probability(gap, sigma, *, dimension: int = 2, **scene) -> float:
    """The exact probability that the query of `boundary_scene` keeps its answer.

    Kept in memory: a slider that comes back asks again.

    Examples
    --------
    >>> kept_probability(0.0, 0.12) > kept_probability(2.0, 0.12)
    True
    """
    candidates, query = boundary_scene(gap, dimension=dimension, **scene)
    return float(robustness(query, candidates, sigma=sigma)[0])


class Moving(NamedTuple):
    """The artists of a boundary picture that change with gap, noise or margin."""

    kept: LineCollection
    swept: LineCollection
    noisy: PathCollection
    query: PathCollection
    name: Annotation
    title: Text


def draw_scene(ax: Axes, *, half_width=0.5) -> Moving:
    """Draw what never moves, and the artists that `place` will move."""
    candidates, _ = boundary_scene(0.0, half_width=half_width)
    kept = LineCollection([], colors=PALETTE["grey"], linewidths=0.7, alpha=0.5, label=LABELS["kept"])
    swept = LineCollection([], colors=PALETTE["pink"], linewidths=1.0, linestyles="--", label=LABELS["swept"])
    ax.add_collection(kept)
    ax.add_collection(swept)
    ax.axvline(0, color=PALETTE["gap"], linewidth=1.5, label=LABELS["still"])
    noisy = ax.scatter([], [], s=6, color=PALETTE["texts"], alpha=0.3, linewidths=0)
    ax.scatter(*candidates.T, s=70, marker=MARKERS["texts"], color=PALETTE["texts"], zorder=4)
    query = ax.scatter([], [], s=80, marker=MARKERS["images"], color=PALETTE["images"], zorder=4)
    for place_of, name in zip(candidates, ("answer", "rival"), strict=True):
        ax.annotate(name, place_of, (0, -14), textcoords="offset points", ha="center", fontsize=9)
    # Left of the fan and tied to its point: above the point it would read as the answer's name.
    name = ax.annotate("query", (0, 0), (0, 0), fontsize=9, va="center", zorder=5,
                       bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
                       arrowprops={"arrowstyle": "-", "color": PALETTE["images"], "linewidth": 0.8, "shrinkA": 0})  # fmt: skip
    ax.set(xlim=(-1.3, 1.3), ylim=(-0.8, 2.8))
    ax.set(xlabel="across the boundary\n(embedding units)", ylabel="along the gap (embedding units)")
    ax.set_aspect("equal", adjustable="box")
    ax.grid(visible=False)
    return Moving(kept, swept, noisy, query, name, ax.set_title("\n"))


def place(moving: Moving, gap, sigma, *, draws: int = 60, seed: int = 0, **scene) -> None:
    """Move the artists of `draw_scene` to where one gap, noise and margin put them."""
    _, query = boundary_scene(gap, **scene)
    noisy, kept = sweep(gap, sigma, draws=draws, seed=seed, **scene)
    middle, normal = noisy.mean(1), noisy[:, 1] - noisy[:, 0]
    along = np.stack([-normal[:, 1], normal[:, 0]], 1)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    ends = np.stack([middle - 6 * along, middle + 6 * along], 1)
    moving.kept.set_segments(list(ends[kept]))
    moving.swept.set_segments(list(ends[~kept]))
    moving.noisy.set_offsets(noisy.reshape(-1, 2))
    moving.query.set_offsets(query)
    moving.name.xy = tuple(query[0])
    moving.name.set_position((-1.22, min(query[0, 1] + 0.5, 2.6)))
    survives = kept_probability(gap, sigma, **scene)
    moving.title.set_text(f"gap {gap:g}, σ = {sigma:g}:\nkept with probability {survives:.3f}")


@styled
def boundary_legend(axes) -> None:
    """One legend for all panels of boundary pictures, below them: it says what the line styles mean."""
    panels = np.atleast_1d(np.asarray(axes, dtype=object)).ravel()
    entries = {}
    for ax in panels:
        entries.update({label: handle for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)})
    names = [label for label in LABELS.values() if label in entries]
    figure = figure_of(panels[0])
    columns = 1 if figure.get_figwidth() < 6 else len(names)
    figure.legend([entries[name] for name in names], names, loc="outside lower center", ncols=columns)


class BoundaryPlayer:
    """One figure that shows the boundary picture at any gap, noise and margin.

    Only what lies inside the axes, and the title, is drawn again (see `Film`).

    Parameters
    ----------
    draws : how many noisy boundaries are drawn
    seed : seed of the draws, the same for every picture
    dpi : dots per inch of `png`
    """

    @styled
    def __init__(self, *, draws: int = 60, seed: int = 0, dpi: int = 90) -> None:
        self._draws, self._seed = draws, seed
        self._ax = canvas(width=4.0, height=5.4)
        self._moving = draw_scene(self._ax)
        boundary_legend(self._ax)
        inside = [*self._ax.collections, *self._ax.lines, *self._ax.texts, self._moving.title]
        inside.sort(key=lambda artist: artist.get_zorder())
        self._film = Film(figure_of(self._ax), inside, dpi=dpi)

    def axes(self, gap, sigma, margin) -> Axes:
        """The Axes, showing one gap, noise and margin."""
        place(self._moving, gap, sigma, draws=self._draws, seed=self._seed, margin=margin)
        return self._ax

    @styled
    def png(self, gap, sigma, margin) -> bytes:
        """The same as PNG bytes, quickly."""
        self.axes(gap, sigma, margin)
        return self._film.png()
