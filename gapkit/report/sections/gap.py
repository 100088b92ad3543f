"""The gap: its length, its orthogonality, its theory and history, and the family."""

from collections.abc import Iterator

from gapkit._format import significant
from gapkit.experiments.protocol import AFFINE, MIDDLE, PROJECTED
from gapkit.plots import plot_effects, plot_scatter
from gapkit.plots.experiments import plot_chance
from gapkit.report import sections as show
from gapkit.report.sections import Picture, Section, Tables
from gapkit.report.view import short_model

WIDTH_AND_GAIN = {"by": "name", "xlabel": "‖g‖", "ylabel": "gain in robustness"}


def draw_gap(tables: Tables) -> Iterator[Picture]:
    table = show.named(tables["gap"]).assign(measured="measured, 95 % interval")
    by = "dataset" if table["name"].duplicated().any() else "measured"
    look = {"rows": "name", "by": by, "xlabel": "‖g‖", "counts": 0.1}
    return show.pictures("gap", table, plot_effects, "gap_norm", **look)


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
    rows = table.assign(label=table["name"] + ", " + table["side"])
    look = show.BY_DATASET | {"xlabel": "variance along g, relative to average"}
    return show.pictures(
        "orthogonality", rows, lambda rows, _, **look: plot_chance(rows, **look), "value", **look
    )


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
    look = {"digits": ".2g", "by": "where", "xlabel": "step"}
    yield from show.over_steps(table, "theory", "gap", "‖g‖", **look)
    yield from show.over_steps(table, "theory", "variance", "variance along g, relative", scale="log", **look)


THEORY = Section(
    "theory",
    "Theorem against exact gradient, and what descent leaves of the gap.",
    {"what": "check", "where": "level", "value": lambda row: significant(row["value"])},
    draw_theory,
    drawn_from="theory.curve",
)


def draw_formation(tables: Tables) -> Iterator[Picture]:
    table = show.named(tables["formation.curve"])
    table = table[table["run"] == table["run"].min()].assign(step=lambda t: t["step"].clip(lower=0.5))
    for quantity, words in (
        ("gap", "‖g‖ on held-out pairs"),
        ("variance_along_gap_texts", "texts' variance along g"),
        ("one_sided_defect", "doubly-stochastic defect, one side"),
    ):
        look = {"digits": ".2f", "by": "name", "xlabel": "training step"}
        yield from show.over_steps(table, "formation", quantity, words, **look)


FORMATION = Section(
    "formation",
    "What the training curves say, seed by seed.",
    {"model": "model", "seed": "run", "what": "check", "value": show.digits("value", 4)},
    draw_formation,
    drawn_from="formation.curve",
)


def draw_family(tables: Tables) -> Iterator[Picture]:
    table = tables["family"]
    table = table[table["level"] == MIDDLE]
    rows = table.assign(name=[short_model(setting) for setting in table["setting"]])
    look = show.BY_DATASET | WIDTH_AND_GAIN
    return show.pictures("family", rows, plot_scatter, "gap_norm", "gain", **look)


FAMILY = Section(
    "family",
    "Every member, at matched untouched robustness.",
    show.PLACE
    | {"noise": "level", "‖g‖": "gap_norm", "‖g'‖": "shift_norm"}
    | show.SPREAD
    | {"untouched": "untouched"}
    | show.OUTCOME,
    draw_family,
)


def draw_real_models(tables: Tables) -> Iterator[Picture]:
    table = show.named(tables["real-models"])
    rows = table[table["level"] == MIDDLE]
    for column, closer in (("gain", PROJECTED), ("affine_gain", AFFINE)):
        look = WIDTH_AND_GAIN | {"file": ("real-models", closer)}
        look |= {"told": lambda _, closer=closer: {"closer": closer}}
        yield from show.pictures("real-models", rows, plot_scatter, "gap_norm", column, **look)


REAL_MODELS = Section(
    "real-models",
    "Published models on galleries of ten candidates, at matched untouched robustness.",
    show.PLACE
    | {"pairs": "pairs", "noise": "level", "‖g‖": "gap_norm", "‖g'‖": "shift_norm"}
    | show.SPREAD
    | {"accuracy": show.interval("clean_accuracy"), "gain, projected shift": show.interval("gain")}
    | {"predicted": show.digits("predicted_gain"), "gain, affine projection": show.interval("affine_gain")}
    | {"predicted, affine": show.digits("predicted_affine_gain")},
    draw_real_models,
)


SECTIONS = (GAP, ORTHOGONALITY, THEORY, FORMATION, FAMILY, REAL_MODELS)
