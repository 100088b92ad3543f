"""Gaussian noise: the paper's Fig. 8, and which closer serves which metric, moved by whom."""

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes

from gapkit.experiments.protocol import CALIBRATED, MIDDLE, PAPER_IN_TOTAL, PAPER_PER_COORDINATE
from gapkit.plots import plot_effects, plot_over, plot_scatter
from gapkit.report.sections import (
    LEVEL,
    OUTCOME,
    PLACE,
    Picture,
    Section,
    Tables,
    closed,
    datasets,
    digits,
    first_model,
    interval,
    legend_below,
    named,
    slug,
    spread,
)
from gapkit.report.view import short_model

READINGS = {"per coordinate": PAPER_PER_COORDINATE, "in total": PAPER_IN_TOTAL}


def draw_noise(tables: Tables) -> Iterator[Picture]:
    every = tables["noise"]
    model, its_rows = first_model(every)
    for dataset, rows in datasets(its_rows[its_rows["level"].isin(CALIBRATED)]):
        axes = _over_alpha(rows, f"{short_model(model)}, {dataset}", MIDDLE)
        yield Picture(
            slug("noise", model, dataset),
            axes,
            f"{model} on {dataset}: probability that an answer survives the noise, as the gap is closed (exact; "
            "bands are 95 % intervals over queries). The thin line is clean accuracy. Compare the paper's Fig. 8, "
            "which runs the axis the other way.",
            f"Robustness over α for three noise levels on {dataset}: untouched 0.9, 0.7 and 0.5, closed "
            f"{', '.join(f'{value:.2f}' for value in closed(rows)['robustness'])}; clean accuracy stays level.",
        )
    yield from _at_the_papers_noise(its_rows, model)
    for dataset, rows in datasets(closed(named(every[every["level"].isin(CALIBRATED)]))):
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
            axes = _over_alpha(rows, f"{short_model(model)}, {dataset}")
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


NOISE = Section(
    "noise",
    "With the gap closed (α = 1).",
    PLACE | LEVEL | {"noise norm / spread of texts": digits("sigma_over_spread", 2)} | OUTCOME,
    draw_noise,
    closed,
)


def draw_closers(tables: Tables) -> Iterator[Picture]:
    model, table = first_model(tables["closers"])
    for dataset, some in datasets(table[(table["level"] == MIDDLE) & (table["closer"] != "untouched")]):
        axes = plot_effects(
            some,
            "gain",
            rows="closer",
            by="metric",
            xlabel="gain in robustness",
            title=f"{short_model(model)}, {dataset}",
        )
        yield Picture(
            slug("closers", dataset),
            axes,
            f"{model} on {dataset}, at an untouched robustness of 0.7 under each metric: every metric has its own best "
            "closer, and the other one's can do harm.",
            f"Gain by closer and metric on {dataset}, between {spread(some['gain'])}.",
        )


CLOSERS = Section(
    "closers",
    f"Each closer under both metrics, noise calibrated to {MIDDLE}.",
    PLACE | {"metric": "metric", "closer": "closer"} | OUTCOME,
    draw_closers,
    lambda table: table[table["level"] == MIDDLE],
)


def draw_axes(tables: Tables) -> Iterator[Picture]:
    model, table = first_model(tables["axes"])
    rows = table[table["moves"] != "nothing"]
    rows = rows.assign(cell="noise on " + rows["noise_on"] + ",\n" + rows["moves"] + " moved")
    for dataset, some in datasets(rows):
        axes = plot_effects(
            some,
            "gain",
            rows="cell",
            by="metric",
            xlabel="gain in robustness",
            title=f"{short_model(model)}, {dataset}",
        )
        yield Picture(
            slug("axes", dataset),
            axes,
            f"{model} on {dataset}: what closing gains, by who is perturbed, who moves and the metric.",
            f"Gain for each combination on {dataset}: {spread(some['gain'])}; none with noise on the queries.",
        )


AXES = Section(
    "axes",
    "Every combination, at the σ that leaves 0.7 untouched under the Euclidean metric.",
    PLACE | {"metric": "metric", "noise on": "noise_on", "moved": "moves"} | OUTCOME,
    draw_axes,
)


def draw_levers(tables: Tables) -> Iterator[Picture]:
    table = tables["levers"]
    model, its_rows = first_model(table)
    for dataset, some in datasets(its_rows[its_rows["level"] == MIDDLE]):
        axes = plot_effects(
            some,
            "robustness",
            rows="closer",
            by="metric",
            xlabel="robustness",
            title=f"{short_model(model)}, {dataset}: levers",
        )
        yield Picture(
            slug("levers", dataset),
            axes,
            f"{model} on {dataset}: answers that survive one and the same noise, by metric and closer. Untouched, under "
            "Euclidean distance, 0.7 survive.",
            f"Robustness by closer and metric on {dataset}, between {spread(some['robustness'])}.",
        )
    gains = table[
        (table["metric"] == "euclidean") & table["closer"].isin(["projected shift", "affine projection"])
    ]
    if len(gains):
        axes = plot_scatter(
            gains,
            "predicted_gain",
            "gain",
            by="closer",
            xlabel="gain predicted by the law",
            ylabel="gain measured",
            title="Predicted and measured gains",
        )
        axes.axline((0, 0), slope=1, color="#7F7F7F", linewidth=1, zorder=0)
        apart = float((gains["predicted_gain"] - gains["gain"]).abs().max())
        yield Picture(
            "levers-law",
            axes,
            "Every gain of closing, predicted from lengths and measured, all models, sets and levels. On the line they agree.",
            f"{len(gains)} points along the diagonal, at most {apart:.3f} from it.",
        )


LEVERS = Section(
    "levers",
    "Every metric with every closer that keeps answers, at one noise: 0.7 of the Euclidean answers survive untouched.",
    PLACE
    | {"metric": "metric", "closer": "closer"}
    | {"robustness": interval("robustness"), "predicted": digits("predicted"), "gain": interval("gain")},
    draw_levers,
    lambda table: table[table["level"] == MIDDLE],
)


def draw_raw_shift(tables: Tables) -> Iterator[Picture]:
    model, table = first_model(tables["raw-shift"])
    for dataset, rows in datasets(table):
        axes = plot_over(
            rows,
            "alpha",
            "clean_accuracy",
            by="closer",
            xlabel="α",
            ylabel="clean accuracy",
            title=f"{short_model(model)}, {dataset}",
            closure=True,
        )
        legend_below(axes)
        raw = rows[rows["closer"] == "raw shift"]["clean_accuracy"]
        yield Picture(
            slug("raw-shift", dataset),
            axes,
            f"{model} on {dataset}: accuracy over α. The projected shift changes nothing, the raw shift does.",
            f"Clean accuracy over α on {dataset}: the raw shift between {spread(raw)}, the projected shift level.",
        )


RAW_SHIFT = Section(
    "raw-shift",
    "Clean accuracy and unchanged answers at a few values of α.",
    PLACE
    | {"closer": "closer", "α": digits("alpha", 1)}
    | {"clean accuracy": interval("clean_accuracy"), "same answers": interval("agreement")},
    draw_raw_shift,
    lambda table: table[table["alpha"].isin([-0.5, 0.0, 0.5, 1.0, 1.5])],
)


SECTIONS = (NOISE, CLOSERS, AXES, LEVERS, RAW_SHIFT)
