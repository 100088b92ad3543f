"""What closing the gap does beyond Gaussian noise."""

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes

from gapkit.experiments.protocol import MIDDLE
from gapkit.plots import plot_before_after, plot_effects, plot_over
from gapkit.report import sections as show
from gapkit.report.sections import Picture, Section, Tables


def draw_multiple_choice(tables: Tables) -> Iterator[Picture]:
    table = tables["multiple-choice"]
    table = table[table["question_type"] == "all"]
    _, rows = show.first_model(table)
    look = show.OVER_ALPHA | {"by": "level", "legend": True}
    yield from show.pictures("choice", rows, plot_over, "alpha", "robustness", **look)
    after, look = show.named(show.closed(table)), show.GAIN | {"rows": "name", "by": "level", "apart": ()}
    yield from show.pictures("choice-gain", after, plot_effects, "gain", **look)


MULTIPLE_CHOICE = Section(
    "multiple-choice",
    "With the gap closed (α = 1), all questions and by type.",
    {"model": "model", "questions": "question_type"} | show.LEVEL | show.OUTCOME,
    draw_multiple_choice,
    show.closed,
)


def draw_quantisation(tables: Tables) -> Iterator[Picture]:
    table = show.closed(show.trained(show.named(tables["quantisation"])))
    look = {"by": "name", "xlabel": "gain in surviving answers", "counts": 0.005}
    binned = table["level"].str.endswith("bins")
    codes = {"rows": "level", "apart": ("dataset", "noise")}
    yield from show.pictures("quantisation", table[binned], plot_effects, "gain", **look | codes)
    codes = table[~binned].assign(codes="codes")
    look |= {"rows": "noise", "apart": ("dataset", "codes"), "file": ("quantisation",)}
    yield from show.pictures("quantisation-codes", codes, plot_effects, "gain", **look)


QUANTISATION = Section(
    "quantisation",
    "Share of answers that survive, and what closing adds to it.",
    show.PLACE
    | {"code": "noise", "fineness": "level", "α": show.digits("alpha", 1)}
    | {"answers that survive": show.interval("robustness"), "gain": show.interval("gain")}
    | {"gain expected by the law": show.digits("gain_expected")}
    | {"accuracy": show.interval("noisy_accuracy"), "queries without a unique answer": "tied"},
    draw_quantisation,
)


def draw_rephrasing(tables: Tables) -> Iterator[Picture]:
    _, table = show.first_model(tables["rephrasing"])
    words = table["level"].str.replace(r"\{a_object\}|\{object\}|\{digit\}", "…", regex=True)
    rows, apart = table.assign(words=words)[table["unseen"].astype(bool)], ("dataset", "task")
    return show.pictures("rephrasing", rows, _before_after, "noisy_accuracy", apart=apart)


def _before_after(rows: pd.DataFrame, column: str, *, title: str) -> Axes:
    look = {"order": [(0.0, "untouched"), (1.0, "closed")], "xlabel": "accuracy", "title": title}
    axes = plot_before_after(rows, column, rows="words", by="alpha", **look)
    axes.axvline(rows["clean_accuracy"].iloc[0], color="#7F7F7F", linewidth=1, linestyle="--")
    return axes


REPHRASING = Section(
    "rephrasing",
    "Every wording, untouched and closed.",
    show.PLACE
    | {"task": "task", "wording": "level"}
    | {"seen in training": lambda row: "no" if row["unseen"] else "yes", "α": show.digits("alpha", 1)}
    | {"accuracy": show.interval("noisy_accuracy"), "answers kept": show.interval("robustness")},
    draw_rephrasing,
    lambda table: table[table["alpha"] != 0.5],
)


def draw_retrieval(tables: Tables) -> Iterator[Picture]:
    table = show.named(tables["retrieval"])
    rows = table[(table["alpha"] == 1.0) & (table["level"] == MIDDLE)]
    look = {"xlabel": "gain in robustness of the first hit", "apart": ("direction",)}
    look |= {"rows": "name", "by": "rank"}
    return show.pictures("retrieval", rows, plot_effects, "gain", **show.GAIN | look)


RETRIEVAL = Section(
    "retrieval",
    f"Noise calibrated to {MIDDLE}; untouched, and closed with V of three sizes.",
    show.PLACE
    | {"direction": "direction", "V": "rank", "components": "components", "α": show.digits("alpha", 1)}
    | {f"R@{cut}": show.interval(f"recall_at_{cut}") for cut in (1, 5, 10)}
    | {"robustness": show.interval("robustness"), "gain": show.interval("gain")}
    | {"predicted gain": show.predicted}
    | {"R@1 under the noise": show.interval("noisy_accuracy")},
    draw_retrieval,
    lambda table: table[(table["level"] == MIDDLE) & ((table["alpha"] == 1.0) | (table["rank"] == "full"))],
)


def draw_mixed(tables: Tables) -> Iterator[Picture]:
    table = show.named(tables["mixed"])
    look = {"rows": "closer", "by": "name", "apart": ("dataset", "direction")}
    look |= {"xlabel": "R@1 in the mixed gallery"}
    return show.pictures("mixed", table, plot_effects, "mixed_recall_at_1", **look)


MIXED = Section(
    "mixed",
    "R@1 among both kinds, and what each closer costs in the plain search. The law predicts no such gain.",
    show.PLACE
    | {"direction": "direction", "closer": "closer", "R@1, mixed": show.interval("mixed_recall_at_1")}
    | {"gain": show.interval("gain"), "R@1, plain": show.interval("recall_at_1")}
    | {"change of it": show.interval("recall_change"), "same clean answers": show.interval("agreement")},
    draw_mixed,
)


SECTIONS = (MULTIPLE_CHOICE, QUANTISATION, REPHRASING, RETRIEVAL, MIXED)
