"""The closing explorer of lesson 05: how far, with how many components, under which noise, metric and side."""

import functools

import ipywidgets as ipw

from gapkit.closing import ClosingOutcome
from gapkit.embeddings import load_embeddings
from gapkit.geometry.galleries import METRICS
from gapkit.plots.boundary import closing_player
from gapkit.widgets.panel import View, choice, choose_set, limit, panel, slider


@functools.lru_cache(maxsize=8)
def _outcome(model: str, dataset: str) -> ClosingOutcome:
    entries = load_embeddings(f"{model}/{dataset}")
    return ClosingOutcome(entries.texts, entries.images, entries.labels)


_player = functools.lru_cache(maxsize=1)(closing_player)


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
    numbers = outcome.closed(alpha=alpha, components=components, sigma=sigma, metric=metric, moves=moves)
    full = " (all)" if components == outcome.most_components else ""
    few = f", on {count} of the images" if (count := len(numbers["before"])) < len(outcome.images) else ""
    before, after, title = numbers["before"], numbers["after"], f"{model}, {dataset}, α = {alpha:.2f}"
    return View(
        _player().png(before, after, numbers["changed"], title),
        "Each query's probability to keep its answer under noise on the texts, after closing against before; "
        "the diagonal means no change.",
        f"α = {alpha:.2f}, {components} components{full}, σ = {sigma:.3f}, {metric}, {moves} moved: "
        f"accuracy {numbers['accuracy']:.3f}; same answers {numbers['agreement']:.3f}; "
        f"robustness {before.mean():.3f} before, {after.mean():.3f} after{few}.",
    )


def closing_explorer(models: list[str], datasets: tuple[str, ...] = ("scenes100", "digits10")) -> ipw.VBox:
    """Choose how far and how to close the gap, and see accuracy, agreement and exact robustness at once.

    Parameters
    ----------
    models, datasets : names to choose from

    Returns
    -------
    VBox, to be displayed by `gapkit.widgets.present`
    """
    chosen, components = choose_set(models, datasets), slider("components k", 0, 0, 0, 1)
    return panel(
        closing_view,
        **chosen,
        alpha=slider("α (0 untouched, 1 closed)", 1.0, -0.5, 1.5, 0.05),
        components=limit(components, lambda *of: _outcome(*of).most_components, chosen),
        sigma=slider("noise σ per coordinate", 0.02, 0.002, 0.08, 0.002, readout=".3f"),
        metric=choice("metric", METRICS, "euclidean"),
        moves=choice("moved side", ("gallery", "queries"), "gallery"),
    )
