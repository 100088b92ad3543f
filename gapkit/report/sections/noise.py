"""Gaussian noise: the paper's Fig. 8, and which closer serves which metric, whichever side moves."""

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes

from gapkit.experiments.protocol import CALIBRATED, MIDDLE, PAPER_IN_TOTAL, PAPER_PER_COORDINATE
from gapkit.plots import plot_effects, plot_over, plot_scatter
from gapkit.report import sections as show
from gapkit.report.sections import Picture, Section, Tables
from gapkit.report.view import short_model

READINGS = {"per coordinate": PAPER_PER_COORDINATE, "in total": PAPER_IN_TOTAL}
BY_METRIC = {"by": "metric", "xlabel": "gain in robustness"}


def draw_noise(tables: Tables) -> Iterator[Picture]:
    every = tables["noise"]
    model, its_rows = show.first_model(every)
    for dataset, rows in show.datasets(its_rows[its_rows["level"].isin(CALIBRATED)]):
        axes = _over_alpha(rows, f"{short_model(model)}, {dataset}", MIDDLE)
        caption = (
            f"{model} on {dataset}: probability that an answer survives the noise, as the gap is closed (exact; "
            "bands are 95 % intervals over queries). The thin line is clean accuracy. Compare the paper's Fig. 8, "
            "whose axis runs the other way."
        )
        yield show.picture(show.slug("noise", model, dataset), axes, caption, rows["robustness"], legend=True)
    for dataset, rows in show.datasets(show.closed(show.named(every[every["level"].isin(CALIBRATED)]))):
        axes = plot_effects(
            rows, "gain", rows="name", by="level", title=f"{dataset}: gain of each model", **show.GAIN
        )
        caption = (
            f"{dataset}: what closing the gap gains, by model and noise level, with paired 95 % intervals."
        )
        yield show.picture(show.slug("gain", dataset), axes, caption, rows["gain"])
    for reading, levels in READINGS.items():
        for dataset, rows in show.datasets(its_rows[its_rows["level"].isin(levels)]):
            axes = _over_alpha(rows, f"{short_model(model)}, {dataset}, σ² {reading}")
            ends = [
                ", ".join(f"{value:.2f}" for value in rows[rows["alpha"] == alpha]["robustness"])
                for alpha in (0.0, 1.0)
            ]
            caption = (
                f"{model} on {dataset}, the noise of the paper's Fig. 8 if its σ² is the variance {reading}: "
                f"robustness untouched {ends[0]}, closed {ends[1]}. The axis spans these values only."
            )
            name = show.slug("paper-noise", reading, model, dataset)
            yield show.picture(name, axes, caption, rows["robustness"], legend=True)


def _over_alpha(rows: pd.DataFrame, title: str, level: str = "") -> Axes:
    """Robustness over α, a line for each noise level; with ``level``, also the clean accuracy in its rows."""
    axes = plot_over(rows, "alpha", "robustness", by="level", title=title, **show.OVER_ALPHA)
    clean = rows[rows["level"] == level]
    if level:
        look = {"color": "#7F7F7F", "linewidth": 1, "label": "clean accuracy"}
        axes.plot(clean["alpha"], clean["clean_accuracy"], **look)
    return axes


NOISE = Section(
    "noise",
    "With the gap closed (α = 1).",
    show.PLACE
    | show.LEVEL
    | {"noise norm / spread of texts": show.digits("sigma_over_spread", 2)}
    | show.OUTCOME,
    draw_noise,
    show.closed,
)


def draw_closers(tables: Tables) -> Iterator[Picture]:
    model, table = show.first_model(tables["closers"])
    for dataset, some in show.datasets(table[(table["level"] == MIDDLE) & (table["closer"] != "untouched")]):
        title = f"{short_model(model)}, {dataset}: closers"
        axes = plot_effects(some, "gain", rows="closer", title=title, **BY_METRIC)
        caption = (
            f"{model} on {dataset}, at an untouched robustness of 0.7 under each metric: each metric has its own best "
            "closer, and the other's can do harm."
        )
        yield show.picture(show.slug("closers", dataset), axes, caption, some["gain"])


CLOSERS = Section(
    "closers",
    f"Each closer under both metrics, noise calibrated to {MIDDLE}.",
    show.PLACE | {"metric": "metric", "closer": "closer"} | show.OUTCOME,
    draw_closers,
    lambda table: table[table["level"] == MIDDLE],
)


def draw_axes(tables: Tables) -> Iterator[Picture]:
    model, table = show.first_model(tables["axes"])
    rows = table[table["moves"] != "nothing"]
    rows = rows.assign(cell="noise on " + rows["noise_on"] + ",\n" + rows["moves"] + " moved")
    for dataset, some in show.datasets(rows):
        title = f"{short_model(model)}, {dataset}: who moves"
        axes = plot_effects(some, "gain", rows="cell", title=title, **BY_METRIC)
        caption = f"{model} on {dataset}: what closing gains, by the side with the noise, the side that moves and the metric."
        yield show.picture(show.slug("axes", dataset), axes, caption, some["gain"])


AXES = Section(
    "axes",
    "Every combination, at the σ that leaves 0.7 untouched under the Euclidean metric.",
    show.PLACE | {"metric": "metric", "noise on": "noise_on", "moved": "moves"} | show.OUTCOME,
    draw_axes,
)


def draw_levers(tables: Tables) -> Iterator[Picture]:
    table = tables["levers"]
    model, its_rows = show.first_model(table)
    for dataset, some in show.datasets(its_rows[its_rows["level"] == MIDDLE]):
        look = BY_METRIC | {"xlabel": "robustness", "title": f"{short_model(model)}, {dataset}: levers"}
        axes = plot_effects(some, "robustness", rows="closer", **look)
        caption = (
            f"{model} on {dataset}: answers that survive the same noise, by metric and closer. Untouched, under "
            "Euclidean distance, 0.7 survive."
        )
        yield show.picture(show.slug("levers", dataset), axes, caption, some["robustness"])
    gains = table[
        (table["metric"] == "euclidean") & table["closer"].isin(["projected shift", "affine projection"])
    ]
    if len(gains):
        labels = {"xlabel": "gain predicted by the law", "ylabel": "gain measured"}
        title = "Predicted and measured gains"
        axes = plot_scatter(gains, "predicted_gain", "gain", by="closer", title=title, **labels)
        axes.axline((0, 0), slope=1, color="#7F7F7F", linewidth=1, zorder=0)
        apart = float((gains["predicted_gain"] - gains["gain"]).abs().max())
        caption = (
            "Every gain of closing, predicted from lengths and measured, on all models, sets and levels. On the line they "
            f"agree; the largest difference is {apart:.3f}."
        )
        yield show.picture("levers-law", axes, caption, gains["gain"])


LEVERS = Section(
    "levers",
    "Every metric with every closer that keeps answers, at one noise: 0.7 of the Euclidean answers survive untouched.",
    show.PLACE
    | {"metric": "metric", "closer": "closer"}
    | {
        "robustness": show.interval("robustness"),
        "predicted": show.digits("predicted"),
        "gain": show.interval("gain"),
    },
    draw_levers,
    lambda table: table[table["level"] == MIDDLE],
)


def draw_noise_kinds(tables: Tables) -> Iterator[Picture]:
    table = show.named(tables["noise-kinds"])
    for dataset, rows in show.datasets(table[table["metric"] == "euclidean"]):
        axes = plot_effects(rows, "gain", rows="noise", by="name", title=f"{dataset}: kinds of noise", **show.GAIN)  # fmt: skip
        caption = (
            f"{dataset}, Euclidean distance: what closing gains under each kind of noise. Gaussian noise is scaled so that "
            "about 0.7 of the answers survive it untouched."
        )
        yield show.picture(show.slug("noise-kinds", dataset), axes, caption, rows["gain"])


NOISE_KINDS = Section(
    "noise-kinds",
    "Which noise closing pays for: the projected shift, under noise of several shapes, and what the law predicts.",
    show.PLACE
    | {"noise": "noise", "metric": "metric", "untouched": show.digits("untouched")}
    | {"gain": show.interval("gain"), "predicted gain": show.predicted},
    draw_noise_kinds,
)


def draw_raw_shift(tables: Tables) -> Iterator[Picture]:
    model, table = show.first_model(tables["raw-shift"])
    for dataset, rows in show.datasets(table):
        title = f"{short_model(model)}, {dataset}: clean accuracy"
        look = show.OVER_ALPHA | {"ylabel": "clean accuracy"}
        axes = plot_over(rows, "alpha", "clean_accuracy", by="closer", title=title, **look)
        caption = (
            f"{model} on {dataset}: accuracy over α. The projected shift changes nothing, the raw shift does."
        )
        yield show.picture(
            show.slug("raw-shift", dataset), axes, caption, rows["clean_accuracy"], legend=True
        )


RAW_SHIFT = Section(
    "raw-shift",
    "Clean accuracy and unchanged answers at a few values of α.",
    show.PLACE
    | {"closer": "closer", "α": show.digits("alpha", 1)}
    | {"clean accuracy": show.interval("clean_accuracy"), "same answers": show.interval("agreement")},
    draw_raw_shift,
    lambda table: table[table["alpha"].isin([-0.5, 0.0, 0.5, 1.0, 1.5])],
)


SECTIONS = (NOISE, CLOSERS, AXES, LEVERS, NOISE_KINDS, RAW_SHIFT)
