"""Pictures of the gap: its length, its orthogonality, its history, and the family."""

from collections.abc import Iterator

from gapkit.experiments.levels import MIDDLE
from gapkit.plots.experiments import plot_chance, plot_effects, plot_over, plot_scatter
from gapkit.report.picture import Picture, Tables, datasets, named, slug, spread
from gapkit.report.view import short_model as short


def draw_gap(tables: Tables) -> Iterator[Picture]:
    table = named(tables["gap"])
    axes = plot_effects(
        table, "gap_norm", rows="name", by="dataset", xlabel="‖g‖", title="Length of the gap", counts=0.1
    )
    yield Picture(
        "gap",
        axes,
        "Length of the gap vector with 95 % intervals. Unit vectors can be 2 apart at the most.",
        f"Dot plot of the gap's length for each model and dataset: {spread(table['gap_norm'])}.",
    )


def draw_orthogonality(tables: Tables) -> Iterator[Picture]:
    table = named(tables["orthogonality"])
    table = table[table["quantity"] == "relative variance"]
    for dataset, rows in datasets(table):
        rows = rows.assign(label=rows["name"] + ", " + rows["side"])
        axes = plot_chance(rows, xlabel="variance along g, relative to average", title=str(dataset))
        yield Picture(
            slug("orthogonality", dataset),
            axes,
            f"{dataset}: 0 would be orthogonal (Assumption 3.3), 1 is an average direction; the bar is where 95 % "
            "of random directions fall.",
            f"Relative variance along the gap on {dataset}: {spread(rows['value'])}, against the band of random "
            "directions.",
        )


def draw_theory(tables: Tables) -> Iterator[Picture]:
    table = tables["theory.curve"].assign(step=lambda t: t["step"].clip(lower=0.5))
    for quantity, words, scale in (
        ("gap", "‖g‖", "linear"),
        ("variance", "variance along g, relative", "log"),
    ):
        axes = plot_over(table, "step", quantity, by="where", xlabel="step", ylabel=words, title=words)
        axes.set(xscale="log", yscale=scale)
        last = table.groupby("where", sort=False)[quantity].last()
        ends = ", ".join(f"{where} {value:.2g}" for where, value in last.items())
        yield Picture(
            slug("theory", quantity),
            axes,
            f"Gradient descent on free embeddings: {words} over the steps. At the end: {ends}.",
            f"Line plot of {words} over the steps of gradient descent; at the end {ends}.",
        )


def draw_formation(tables: Tables) -> Iterator[Picture]:
    table = named(tables["formation.curve"])
    table = table[table["run"] == table["run"].min()].assign(step=lambda t: t["step"].clip(lower=0.5))
    for quantity, words in (
        ("gap", "‖g‖ on held-out pairs"),
        ("variance_along_gap_texts", "texts' variance along g"),
        ("doubly_stochastic_defect", "doubly-stochastic defect"),
    ):
        axes = plot_over(
            table, "step", quantity, by="name", xlabel="training step", ylabel=words, title=words
        )
        axes.set_xscale("log")
        last = table.groupby("name", sort=False)[quantity].last()
        ends = ", ".join(f"{name} {value:.2f}" for name, value in last.items())
        yield Picture(
            slug("formation", quantity),
            axes,
            f"{words[0].upper()}{words[1:]} while the mini-CLIPs train (seed 0). At the end: {ends}.",
            f"Line plot of {words} over training; at the end {ends}.",
        )


def draw_family(tables: Tables) -> Iterator[Picture]:
    table = tables["family"]
    table = table[table["level"] == MIDDLE].assign(
        name=lambda t: [short(setting) for setting in t["setting"]]
    )
    for dataset, rows in datasets(table):
        axes = plot_scatter(
            rows, "gap_norm", "gain", by="name", xlabel="‖g‖", ylabel="gain in robustness", title=str(dataset)
        )
        yield Picture(
            slug("family", dataset),
            axes,
            f"{dataset}: gain from closing against the width of the gap, a point for each seed, at an untouched "
            "robustness of 0.7.",
            f"Scatter of gain ({spread(rows['gain'])}) over gap length ({spread(rows['gap_norm'])}).",
        )
