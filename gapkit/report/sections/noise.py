"""Gaussian noise: the paper's Fig. 8, and which closer serves which metric, whichever side moves."""

import functools
from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes

from gapkit.experiments import protocol
from gapkit.experiments.protocol import AFFINE, CALIBRATED, MIDDLE, PROJECTED
from gapkit.plots import plot_effects, plot_over, plot_scatter
from gapkit.report import sections as show
from gapkit.report.sections import Picture, Section, Tables

READINGS = {"per coordinate": protocol.PAPER_PER_COORDINATE, "in total": protocol.PAPER_IN_TOTAL}
BY_METRIC = show.BY_DATASET | {"by": "metric", "xlabel": "gain in robustness"}


def draw_noise(tables: Tables) -> Iterator[Picture]:
    every = tables["noise"]
    model, its_rows = show.first_model(every)
    look = show.BY_DATASET | {"legend": True}
    curves = its_rows[its_rows["level"].isin(CALIBRATED)]
    main = look | {"file": ("noise", model), "level": MIDDLE}
    yield from show.pictures("noise", curves, _over_alpha, "robustness", **main)
    gains = show.closed(show.named(every[every["level"].isin(CALIBRATED)]))
    yield from show.pictures("gain", gains, plot_effects, "gain", rows="name", by="level", **show.GAIN)
    for reading, levels in READINGS.items():
        look |= {"file": ("paper-noise", reading, model), "told": functools.partial(_ends, reading)}
        curves = its_rows[its_rows["level"].isin(levels)]
        yield from show.pictures("paper-noise", curves, _over_alpha, "robustness", **look)


def _ends(reading: str, rows: pd.DataFrame) -> dict[str, str]:
    told = {"reading": reading}
    for name, alpha in {"untouched": 0.0, "closed": 1.0}.items():
        told[name] = ", ".join(f"{value:.2f}" for value in rows[rows["alpha"] == alpha]["robustness"])
    return told


def _over_alpha(rows: pd.DataFrame, column: str, *, title: str, level: str = "") -> Axes:
    """A column over α, a line for each noise level; with ``level``, also the clean accuracy in its rows."""
    axes = plot_over(rows, "alpha", column, by="level", title=title, **show.OVER_ALPHA)
    clean = rows[rows["level"] == level]
    if level:
        look = {"color": "#7F7F7F", "linewidth": 1, "label": "clean accuracy"}
        axes.plot(clean["alpha"], clean["clean_accuracy"], **look)
    return axes


NOISE = Section(
    "noise",
    "With the gap closed (α = 1).",
    show.PLACE | show.LEVEL | show.SPREAD | show.OUTCOME,
    draw_noise,
    show.closed,
)


def draw_closers(tables: Tables) -> Iterator[Picture]:
    _, table = show.first_model(tables["closers"])
    rows = table[(table["level"] == MIDDLE) & (table["closer"] != "untouched")]
    return show.pictures("closers", rows, plot_effects, "gain", rows="closer", **BY_METRIC)


CLOSERS = Section(
    "closers",
    f"Each closer under both metrics, noise calibrated to {MIDDLE}.",
    show.PLACE | {"metric": "metric", "closer": "closer"} | show.OUTCOME,
    draw_closers,
    lambda table: table[table["level"] == MIDDLE],
)


def draw_axes(tables: Tables) -> Iterator[Picture]:
    _, table = show.first_model(tables["axes"])
    rows = table[table["moves"] != "nothing"]
    rows = rows.assign(cell="noise on " + rows["noise_on"] + ",\n" + rows["moves"] + " moved")
    return show.pictures("axes", rows, plot_effects, "gain", rows="cell", **BY_METRIC)


AXES = Section(
    "axes",
    "Every combination, at the σ that leaves 0.7 untouched under the Euclidean metric.",
    show.PLACE | {"metric": "metric", "noise on": "noise_on", "moved": "moves"} | show.OUTCOME,
    draw_axes,
)


def draw_levers(tables: Tables) -> Iterator[Picture]:
    table = tables["levers"]
    _, its_rows = show.first_model(table)
    rows, look = its_rows[its_rows["level"] == MIDDLE], BY_METRIC | {"xlabel": "robustness"}
    yield from show.pictures("levers", rows, plot_effects, "robustness", rows="closer", **look)
    closers = [PROJECTED, AFFINE]
    gains = table[(table["metric"] == "euclidean") & table["closer"].isin(closers)]
    yield from show.pictures("levers-law", gains, _law, "predicted_gain", "gain", told=_largest_difference)


def _law(rows: pd.DataFrame, *columns: str, title: str) -> Axes:
    labels = {"xlabel": "gain predicted by the law", "ylabel": "gain measured"}
    axes = plot_scatter(rows, *columns, by="closer", title=title, **labels)
    axes.axline((0, 0), slope=1, color="#7F7F7F", linewidth=1, zorder=0)
    return axes


def _largest_difference(rows: pd.DataFrame) -> dict[str, float]:
    return {"apart": float((rows["predicted_gain"] - rows["gain"]).abs().max())}


LEVERS = Section(
    "levers",
    "Every metric with every closer that keeps answers, at noise that 0.7 of the Euclidean answers survive.",
    show.PLACE
    | {"metric": "metric", "closer": "closer", "robustness": show.interval("robustness")}
    | {"predicted": show.digits("predicted"), "gain": show.interval("gain")},
    draw_levers,
    lambda table: table[table["level"] == MIDDLE],
)


def draw_noise_kinds(tables: Tables) -> Iterator[Picture]:
    table = show.named(tables["noise-kinds"])
    rows = table[table["metric"] == "euclidean"]
    return show.pictures("noise-kinds", rows, plot_effects, "gain", rows="noise", by="name", **show.GAIN)


NOISE_KINDS = Section(
    "noise-kinds",
    "The projected shift under noise of several shapes, and what the law predicts of its gain.",
    show.PLACE
    | {"noise": "noise", "metric": "metric", "untouched": show.digits("untouched")}
    | {"gain": show.interval("gain"), "predicted gain": show.predicted},
    draw_noise_kinds,
)


def draw_raw_shift(tables: Tables) -> Iterator[Picture]:
    _, rows = show.first_model(tables["raw-shift"])
    look = show.BY_DATASET | show.OVER_ALPHA | {"ylabel": "clean accuracy", "by": "closer", "legend": True}
    return show.pictures("raw-shift", rows, plot_over, "alpha", "clean_accuracy", told=_reached, **look)


def _reached(rows: pd.DataFrame) -> dict[str, str]:
    """From where to where the accuracy of each closer goes."""
    groups = rows.groupby("closer", sort=False)["clean_accuracy"]
    return {"ends": "; ".join(f"{name} {values.min():.3f} to {values.max():.3f}" for name, values in groups)}


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
