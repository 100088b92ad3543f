"""The gap: its length, its orthogonality, its theory and history, and the family."""

from collections.abc import Iterator

from gapkit._format import significant
from gapkit.experiments.protocol import MIDDLE
from gapkit.plots import plot_effects, plot_over, plot_scatter
from gapkit.plots.experiments import plot_chance
from gapkit.report import sections as show
from gapkit.report.sections import Picture, Section, Tables
from gapkit.report.view import short_model

WIDTH_AND_GAIN = {"xlabel": "‖g‖", "ylabel": "gain in robustness"}


def draw_gap(tables: Tables) -> Iterator[Picture]:
    table = show.named(tables["gap"]).assign(measured="measured, 95 % interval")
    look = {"xlabel": "‖g‖", "title": "Length of the gap", "counts": 0.1}
    by = "dataset" if table["name"].duplicated().any() else "measured"
    axes = plot_effects(table, "gap_norm", rows="name", by=by, **look)
    caption = "Length of the gap vector with 95 % intervals. Unit vectors can be at most 2 apart."
    yield show.picture("gap", axes, caption, table["gap_norm"])


GAP = Section(
    "gap",
    "Gap and separability, and the metrics of matched pairs.",
    show.PLACE
    | {"‖g‖": show.interval("gap_norm"), "separability": show.interval("separability")}
    | {"matched cosine": "matched_cosine", "L2I": "l2i", "RMG": "rmg"},
    draw_gap,
)


def draw_orthogonality(tables: Tables) -> Iterator[Picture]:
    table = show.named(tables["orthogonality"])
    table = table[table["quantity"] == "relative variance"]
    for dataset, rows in show.datasets(table):
        rows = rows.assign(label=rows["name"] + ", " + rows["side"])
        title, xlabel = f"{dataset}: variance along g", "variance along g, relative to average"
        axes = plot_chance(rows, xlabel=xlabel, title=title)
        caption = (
            f"{dataset}: 0 would be orthogonal (Assumption 3.3), 1 is an average direction; the bar is where 95 % "
            "of random directions fall."
        )
        yield show.picture(show.slug("orthogonality", dataset), axes, caption, rows["value"])


ORTHOGONALITY = Section(
    "orthogonality",
    "Relative variance along g (1 = average direction) and share of ‖g‖ in the texts' top-k components.",
    show.PLACE
    | {"quantity": "quantity", "side": "side", "k": "k", "value": show.interval("value")}
    | {"95 % of random directions": lambda row: f"{row['band_low']:.3f} to {row['band_high']:.3f}"},
    draw_orthogonality,
)


def draw_theory(tables: Tables) -> Iterator[Picture]:
    table = tables["theory.curve"].assign(step=lambda t: t["step"].clip(lower=0.5))
    for quantity, words, scale in (
        ("gap", "‖g‖", "linear"),
        ("variance", "variance along g, relative", "log"),
    ):
        axes = plot_over(
            table,
            "step",
            quantity,
            by="where",
            xlabel="step",
            ylabel=words,
            title=f"{words}: free embeddings",
        )
        axes.set(xscale="log", yscale=scale)
        last = table.groupby("where", sort=False)[quantity].last()
        ends = ", ".join(f"{where} {value:.2g}" for where, value in last.items())
        caption = f"Gradient descent on free embeddings: {words} over the steps. At the end: {ends}."
        yield show.picture(show.slug("theory", quantity), axes, caption, table[quantity])


THEORY = Section(
    "theory",
    "Theorem against exact gradient, and what descent leaves of the gap.",
    {"what": "check", "where": "level", "value": lambda row: significant(row["value"])},
    draw_theory,
    drawn_from="theory.curve",
)


def draw_formation(tables: Tables) -> Iterator[Picture]:
    table = show.named(tables["formation.curve"]).rename(
        columns={"doubly_stochastic_defect": "one_sided_defect"}
    )
    table = table[table["run"] == table["run"].min()].assign(step=lambda t: t["step"].clip(lower=0.5))
    for quantity, words in (
        ("gap", "‖g‖ on held-out pairs"),
        ("variance_along_gap_texts", "texts' variance along g"),
        ("one_sided_defect", "doubly-stochastic defect, one side"),
    ):
        axes = plot_over(
            table, "step", quantity, by="name", xlabel="training step", ylabel=words, title=words
        )
        axes.set_xscale("log")
        last = table.groupby("name", sort=False)[quantity].last()
        ends = ", ".join(f"{name} {value:.2f}" for name, value in last.items())
        caption = f"{words[0].upper()}{words[1:]} while the mini-CLIPs train (seed 0). At the end: {ends}."
        yield show.picture(show.slug("formation", quantity), axes, caption, table[quantity])


FORMATION = Section(
    "formation",
    "What the training curves say, seed by seed.",
    {"model": "model", "seed": "run", "what": "check", "value": show.digits("value", 4)},
    draw_formation,
    drawn_from="formation.curve",
)


def draw_family(tables: Tables) -> Iterator[Picture]:
    table = tables["family"]
    table = table[table["level"] == MIDDLE].assign(
        name=lambda t: [short_model(setting) for setting in t["setting"]]
    )
    for dataset, rows in show.datasets(table):
        axes = plot_scatter(
            rows, "gap_norm", "gain", by="name", title=f"{dataset}: the family", **WIDTH_AND_GAIN
        )
        caption = (
            f"{dataset}: gain from closing against the width of the gap, a point for each seed, at an untouched "
            "robustness of 0.7."
        )
        yield show.picture(show.slug("family", dataset), axes, caption, rows["gain"])


FAMILY = Section(
    "family",
    "Every member, at matched untouched robustness.",
    show.PLACE
    | {"noise": "level", "‖g‖": "gap_norm", "‖g'‖": "shift_norm"}
    | {"noise norm / spread of texts": show.digits("sigma_over_spread", 2), "untouched": "untouched"}
    | show.OUTCOME,
    draw_family,
)


def draw_real_models(tables: Tables) -> Iterator[Picture]:
    table = show.named(tables["real-models"])
    rows = table[table["level"] == MIDDLE]
    if rows.empty:
        return
    for column, closer in (("gain", "projected shift"), ("affine_gain", "affine projection")):
        axes = plot_scatter(rows, "gap_norm", column, by="name", title=closer, **WIDTH_AND_GAIN)
        caption = (
            f"Published models on galleries of ten, untouched robustness 0.7: gain from the {closer} against the width "
            "of the gap, with 95 % intervals over galleries."
        )
        yield show.picture(show.slug("real-models", closer), axes, caption, rows[column])


REAL_MODELS = Section(
    "real-models",
    "Published models on galleries of ten candidates, at matched untouched robustness.",
    show.PLACE
    | {"pairs": "pairs", "noise": "level", "‖g‖": "gap_norm", "‖g'‖": "shift_norm"}
    | {
        "noise norm / spread of texts": show.digits("sigma_over_spread", 2),
        "accuracy": show.interval("clean_accuracy"),
    }
    | {
        "gain, projected shift": show.interval("gain"),
        "predicted": show.digits("predicted_gain"),
        "gain, affine projection": show.interval("affine_gain"),
        "predicted, affine": show.digits("predicted_affine_gain"),
    },
    draw_real_models,
)


SECTIONS = (GAP, ORTHOGONALITY, THEORY, FORMATION, FAMILY, REAL_MODELS)
