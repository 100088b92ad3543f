"""The closing explorer of lesson 05: how far, with how many components, under which noise, metric and side."""

import functools

import ipywidgets as ipw
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from gapkit.closing import GapCloser
from gapkit.embeddings import EmbeddingSet, load_embeddings
from gapkit.geometry import METRICS, nearest
from gapkit.plots import PALETTE, canvas
from gapkit.plots.style import styled
from gapkit.robustness import robustness
from gapkit.tasks import accuracy, agreement
from gapkit.widgets.panel import View, choice, painted, panel, slider

SIDES = ("gallery", "queries")
FEW = 16
"""The cosine's integral has one dimension more: with more queries than this a redraw would take too long."""


class Outcome:
    """What closing does to one model and dataset, as numbers; untouched values are computed once."""

    def __init__(self, entries: EmbeddingSet) -> None:
        self.texts, self.images = (z.astype(np.float64) for z in (entries.texts, entries.images))
        self.labels = entries.labels
        self.untouched = functools.lru_cache(maxsize=64)(self._untouched)
        self.moved = functools.lru_cache(maxsize=4)(self._moved)
        self._answers = {metric: nearest(self.images, self.texts, metric=metric) for metric in METRICS}

    @property
    def most_components(self) -> int:
        """The rank of the texts: that many components leave every answer as it is."""
        return len(self.texts) - 1

    def queries(self, metric: str) -> np.ndarray:
        """Rows of the images whose robustness is computed."""
        count = len(self.images) if metric != "cosine" else min(FEW, len(self.images))
        return np.linspace(0, len(self.images) - 1, count).round().astype(int)

    def _untouched(self, metric: str, sigma: float) -> np.ndarray:
        return robustness(self.images[self.queries(metric)], self.texts, sigma, metric=metric)

    def _moved(self, alpha: float, components: int, metric: str, moves: str) -> tuple:
        closer = GapCloser(alpha=alpha, n_components=components, moves=moves).fit(self.texts, self.images)
        texts, images = closer.transform_pair(self.texts, self.images)
        return texts, images, nearest(images, texts, metric=metric)

    def closed(self, alpha: float, components: int, sigma: float, metric: str, moves: str) -> dict:
        """Accuracy, agreement and robustness after the shift, and robustness before it."""
        texts, images, answers = self.moved(alpha, components, metric, moves)
        rows = self.queries(metric)
        return {
            "accuracy": accuracy(answers, self.labels),
            "agreement": agreement(answers, self._answers[metric]),
            "before": self.untouched(metric, sigma),
            "after": robustness(images[rows], texts, sigma, metric=metric),
            "changed": (answers != self._answers[metric])[rows],
        }


@functools.lru_cache(maxsize=8)
def _outcome(model: str, dataset: str) -> Outcome:
    return Outcome(load_embeddings(f"{model}/{dataset}"))


@styled
def plot_closing(found: dict, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Each query's robustness after closing against before; queries whose answer changed are crosses.

    Parameters
    ----------
    found : as `Outcome.closed` gives it
    title : title of the axes
    ax : axes to draw on
    """
    ax = canvas(ax=ax, width=4.8, height=3.6)
    before, after, changed = found["before"], found["after"], found["changed"]
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


class ClosingPicture:
    """The figure of `plot_closing`, made once: a redraw paints only what a control can change."""

    @styled
    def __init__(self) -> None:
        ax = canvas(width=4.8, height=3.6, layout=None)
        ax.figure.subplots_adjust(left=0.13, right=0.98, top=0.93, bottom=0.14)
        nothing = {"before": np.zeros(1), "after": np.zeros(1), "changed": np.zeros(1, dtype=bool)}
        plot_closing(nothing, ax=ax)
        ax.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        self.kept, self.lost, self.after, self.before = ax.lines[1:]
        self.title = ax.set_title("")
        self._moving = (*ax.lines[1:], self.title)
        ax.figure.set_dpi(80)
        self._screen = FigureCanvasAgg(ax.figure)
        for artist in self._moving:
            artist.set_animated(True)  # leaves them out of the still picture
        self._screen.draw()
        self._still = self._screen.copy_from_bbox(ax.figure.bbox)

    def png(self, found: dict, title: str) -> bytes:
        """The picture of one outcome as PNG bytes."""
        before, after, changed = found["before"], found["after"], found["changed"]
        self.kept.set_data(before[~changed], after[~changed])
        self.lost.set_data(before[changed], after[changed])
        self.after.set_ydata([after.mean()] * 2)
        self.before.set_xdata([before.mean()] * 2)
        self.title.set_text(title)
        self._screen.restore_region(self._still)
        for artist in self._moving:
            artist.draw(self._screen.get_renderer())
        return painted(self._screen)


@functools.lru_cache(maxsize=1)
def _picture() -> ClosingPicture:
    return ClosingPicture()


def closing_view(
    model: str, dataset: str, alpha: float, components: int, sigma: float, metric: str, moves: str
) -> View:
    """The explorer's picture and its numbers, all exact.

    Parameters
    ----------
    model, dataset : whose embeddings, as `gapkit.embeddings.load_embeddings` knows them
    alpha : how far the gap is closed, from 0 (untouched) to 1 (closed)
    components : how many leading components the shift stays orthogonal to; more than there are means all
    sigma : noise on each coordinate of the texts
    metric : "euclidean", "dot" or "cosine", by which answers are found
    moves : "gallery" (the texts) or "queries" (the images)

    Returns
    -------
    View
    """
    outcome = _outcome(model, dataset)
    components = min(components, outcome.most_components)
    found = outcome.closed(alpha, components, sigma, metric, moves)
    full = " (all)" if components == outcome.most_components else ""
    before, after = found["before"].mean(), found["after"].mean()
    few = f", on {len(found['before'])} of the images" if len(found["before"]) < len(outcome.images) else ""
    return View(
        _picture().png(found, f"{model}, {dataset}, α = {alpha:.2f}"),
        "Each query's probability to keep its answer under noise on the texts, after closing against before; the "
        "diagonal means no change.",
        f"α = {alpha:.2f}, {components} components{full}, σ = {sigma:.3f}, {metric}, {moves} moved: accuracy "
        f"{found['accuracy']:.3f}; same answers {found['agreement']:.3f}; robustness {before:.3f} before, {after:.3f} "
        f"after{few}.",
    )


def closing_explorer(
    models: list[str], datasets: tuple[str, ...] = ("scenes100", "digits10"), *, components: int = 99
) -> ipw.VBox:
    """Choose how far and how to close the gap, and see accuracy, agreement and exact robustness at once.

    Parameters
    ----------
    models, datasets : names to choose from
    components : the most components the slider offers

    Returns
    -------
    VBox, to be displayed by `gapkit.widgets.present`
    """
    return panel(
        closing_view,
        model=choice("model", models, models[0]),
        dataset=choice("dataset", datasets, datasets[0]),
        alpha=slider("α (0 untouched, 1 closed)", 1.0, -0.5, 1.5, 0.05),
        components=slider("components k", components, 0, components, 1),
        sigma=slider("noise σ per coordinate", 0.02, 0.002, 0.08, 0.002, readout=".3f"),
        metric=choice("metric", METRICS, "euclidean"),
        moves=choice("who moves", SIDES, "gallery"),
    )
