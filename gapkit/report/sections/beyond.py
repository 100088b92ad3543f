"""What closing the gap does beyond Gaussian noise."""

from collections.abc import Iterator

from gapkit.experiments.protocol import MIDDLE
from gapkit.plots import plot_before_after, plot_effects, plot_over
from gapkit.report import sections as show
from gapkit.report.sections import Picture, Section, Tables
from gapkit.report.view import short_model


def draw_multiple_choice(tables: Tables) -> Iterator[Picture]:
    table = tables["multiple-choice"]
    table = table[table["question_type"] == "all"]
    model, rows = show.first_model(table)
    axes = plot_over(
        rows,
        "alpha",
        "robustness",
        by="level",
        title=f"{short_model(model)}, four options",
        **show.OVER_ALPHA,
    )
    caption = f"{model}: probability that the chosen option survives the noise, as the gap is closed."
    yield show.picture("choice", axes, caption, rows["robustness"], legend=True)
    after = show.named(show.closed(table))
    axes = plot_effects(after, "gain", rows="name", by="level", title="four options", **show.GAIN)
    caption = (
        "What closing gains on multiple-choice questions, by model, with paired intervals resampled by image."
    )
    yield show.picture("choice-gain", axes, caption, after["gain"])


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
    for (dataset, noise), rows in table[binned].groupby(["dataset", "noise"], sort=False):
        axes = plot_effects(rows, "gain", rows="level", title=f"{dataset}, {noise}", **look)
        caption = f"{dataset}, {noise}: how many more answers survive quantisation once the gap is closed."
        yield show.picture(show.slug("quantisation", dataset, noise), axes, caption, rows["gain"])
    for dataset, rows in show.datasets(table[~binned]):
        axes = plot_effects(rows, "gain", rows="noise", title=f"{dataset}, codes", **look)
        caption = (
            f"{dataset}: how many more answers survive int8 codes and signs (about zero, or about the mean of each "
            "dimension) once the gap is closed."
        )
        yield show.picture(show.slug("quantisation", dataset, "codes"), axes, caption, rows["gain"])


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
    model, table = show.first_model(tables["rephrasing"])
    ends = [(0.0, "untouched"), (1.0, "closed")]
    for (dataset, task), rows in table[table["unseen"].astype(bool)].groupby(["dataset", "task"], sort=False):
        words = rows["level"].str.replace(r"\{a_object\}|\{object\}|\{digit\}", "…", regex=True)
        axes = plot_before_after(
            rows.assign(words=words),
            "noisy_accuracy",
            rows="words",
            by="alpha",
            order=ends,
            xlabel="accuracy",
            title=f"{short_model(model)}, {dataset},\n{task}",
        )
        axes.axvline(rows["clean_accuracy"].iloc[0], color="#7F7F7F", linewidth=1, linestyle="--")
        caption = (
            f"{model} on {dataset}, {task}: accuracy with wordings it has never seen, before and after closing; dashed, the "
            "standard wording."
        )
        yield show.picture(show.slug("rephrasing", dataset, task), axes, caption, rows["noisy_accuracy"])


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
    look = {"xlabel": "gain in robustness of the first hit", "counts": 0.01}
    for direction, some in rows.groupby("direction", sort=False):
        axes = plot_effects(some, "gain", rows="name", by="rank", title=str(direction), **look)
        caption = (
            f"{direction[0].upper()}{direction[1:]}: what closing gains, by the number of components V keeps. Fewer "
            "components move farther, and may change answers."
        )
        yield show.picture(show.slug("retrieval", direction), axes, caption, some["gain"])


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
    for (dataset, direction), rows in table.groupby(["dataset", "direction"], sort=False):
        axes = plot_effects(
            rows, "mixed_recall_at_1", rows="closer", by="name", xlabel="R@1 in the mixed gallery", title=f"{dataset}, {direction}"
        )  # fmt: skip
        caption = f"{dataset}, {direction}: share of queries whose partner comes first among all rows of both kinds."
        yield show.picture(show.slug("mixed", dataset, direction), axes, caption, rows["mixed_recall_at_1"])


MIXED = Section(
    "mixed",
    "R@1 in one gallery of images and captions, and what each closer costs in the search among the other side alone. "
    "(The law of the gap is about robustness: it predicts none of these gains.)",
    show.PLACE
    | {"direction": "direction", "closer": "closer", "R@1, mixed": show.interval("mixed_recall_at_1")}
    | {"gain": show.interval("gain"), "R@1, plain": show.interval("recall_at_1")}
    | {"change of it": show.interval("recall_change"), "same clean answers": show.interval("agreement")},
    draw_mixed,
)


SECTIONS = (MULTIPLE_CHOICE, QUANTISATION, REPHRASING, RETRIEVAL, MIXED)
