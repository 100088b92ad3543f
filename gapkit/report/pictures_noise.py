"""Pictures of Gaussian noise on the texts: the paper's Fig. 8, at calibrated noise and at the paper's own."""

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes

from gapkit.experiments.levels import CALIBRATED, MIDDLE, PAPER_IN_TOTAL, PAPER_PER_COORDINATE
from gapkit.plots.experiments import plot_effects, plot_over
from gapkit.report.picture import Picture, Tables, datasets, lead, legend_below, named, slug, spread
from gapkit.report.view import short_model as short

READINGS = {"per coordinate": PAPER_PER_COORDINATE, "in total": PAPER_IN_TOTAL}


def draw_noise(tables: Tables) -> Iterator[Picture]:
    every = tables["noise"]
    table = every[every["level"].isin(CALIBRATED)]
    model = lead(every)
    for dataset, rows in datasets(table[table["model"] == model]):
        axes = _over_alpha(rows, f"{short(model)}, {dataset}", MIDDLE)
        closed = rows[rows["alpha"] == 1.0]["robustness"]
        yield Picture(
            slug("noise", model, dataset),
            axes,
            f"{model} on {dataset}: probability that an answer survives the noise, as the gap is closed (exact; "
            "bands are 95 % intervals over queries). The thin line is clean accuracy. Compare the paper's Fig. 8, "
            "which runs the axis the other way.",
            f"Robustness over α for three noise levels on {dataset}: untouched 0.9, 0.7 and 0.5, closed "
            f"{', '.join(f'{value:.2f}' for value in closed)}; clean accuracy stays level.",
        )
    yield from _at_the_papers_noise(every[every["model"] == model], model)
    closed = named(table[(table["alpha"] == 1.0)])
    for dataset, rows in datasets(closed):
        axes = plot_effects(
            rows,
            "gain",
            rows="name",
            by="level",
            xlabel="gain in robustness at α = 1",
            title=str(dataset),
            counts=0.01,
        )
        yield Picture(
            slug("gain", dataset),
            axes,
            f"{dataset}: what closing the gap gains, by model and noise level, with paired 95 % intervals.",
            f"Gain in robustness by model on {dataset}: {spread(rows['gain'])}.",
        )


def _at_the_papers_noise(table: pd.DataFrame, model: str) -> Iterator[Picture]:
    for reading, levels in READINGS.items():
        for dataset, rows in datasets(table[table["level"].isin(levels)]):
            axes = _over_alpha(rows, f"{short(model)}, {dataset}")
            ends = [
                ", ".join(f"{value:.2f}" for value in rows[rows["alpha"] == alpha]["robustness"])
                for alpha in (0.0, 1.0)
            ]
            yield Picture(
                slug("paper-noise", reading, model, dataset),
                axes,
                f"{model} on {dataset}, the noise of the paper's Fig. 8 if its σ² is the variance {reading}: "
                f"robustness untouched {ends[0]}, closed {ends[1]}. The axis is that of these values.",
                f"Robustness over α on {dataset} at σ² = 0.005, 0.022 and 0.040 {reading}: untouched {ends[0]}, "
                f"closed {ends[1]}.",
            )


def _over_alpha(rows: pd.DataFrame, title: str, level: str = "") -> Axes:
    """Robustness over α, a line for each noise level; with ``level``, also the clean accuracy in its rows."""
    axes = plot_over(
        rows, "alpha", "robustness", by="level", xlabel="α", ylabel="robustness", title=title, closure=True
    )
    clean = rows[rows["level"] == level]
    if level:
        axes.plot(
            clean["alpha"], clean["clean_accuracy"], color="#7F7F7F", linewidth=1, label="clean accuracy"
        )
    legend_below(axes)
    return axes
