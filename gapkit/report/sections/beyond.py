"""What closing the gap does beyond Gaussian noise."""

from collections.abc import Iterator

from gapkit.experiments.protocol import MIDDLE
from gapkit.plots import plot_before_after, plot_effects, plot_over
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
    trained,
)
from gapkit.report.view import short_model


def draw_multiple_choice(tables: Tables) -> Iterator[Picture]:
    table = tables["multiple-choice"]
    table = table[table["question_type"] == "all"]
    model, rows = first_model(table)
    axes = plot_over(
        rows,
        "alpha",
        "robustness",
        by="level",
        xlabel="α",
        ylabel="robustness",
        title=f"{short_model(model)}, four options",
        closure=True,
    )
    legend_below(axes)
    yield Picture(
        "choice",
        axes,
        f"{model}: probability that the chosen option survives the noise, as the gap is closed.",
        "Robustness of multiple-choice answers over α at three noise levels.",
    )
    after = named(closed(table))
    axes = plot_effects(
        after, "gain", rows="name", by="level", xlabel="gain in robustness at α = 1", counts=0.01
    )
    yield Picture(
        "choice-gain",
        axes,
        "What closing gains on multiple-choice questions, by model, with paired intervals resampled by image.",
        f"Gain on multiple-choice questions by model: {spread(after['gain'])}.",
    )


MULTIPLE_CHOICE = Section(
    "multiple-choice",
    "With the gap closed (α = 1), all questions and by type.",
    {"model": "model", "questions": "question_type"} | LEVEL | OUTCOME,
    draw_multiple_choice,
    closed,
)


def draw_quantisation(tables: Tables) -> Iterator[Picture]:
    table = closed(trained(named(tables["quantisation"])))
    binned = table["level"].str.endswith("bins")
    for (dataset, noise), rows in table[binned].groupby(["dataset", "noise"], sort=False):
        axes = plot_effects(
            rows,
            "gain",
            rows="level",
            by="name",
            xlabel="gain in surviving answers",
            title=f"{dataset}, {noise}",
            counts=0.005,
        )
        yield Picture(
            slug("quantisation", dataset, noise),
            axes,
            f"{dataset}, {noise}: how many more answers survive quantisation once the gap is closed.",
            f"Gain by number of bins and model on {dataset} with a {noise}: {spread(rows['gain'])}.",
        )
    for dataset, rows in datasets(table[~binned]):
        axes = plot_effects(
            rows,
            "gain",
            rows="noise",
            by="name",
            xlabel="gain in surviving answers",
            title=f"{dataset}, codes",
            counts=0.005,
        )
        yield Picture(
            slug("quantisation", dataset, "codes"),
            axes,
            f"{dataset}: how many more answers survive int8 codes and signs (about zero, or about the mean of each "
            "dimension) once the gap is closed.",
            f"Gain by code and model on {dataset}: {spread(rows['gain'])}.",
        )


QUANTISATION = Section(
    "quantisation",
    "Share of answers that survive, and what closing adds to it.",
    PLACE
    | {"code": "noise", "fineness": "level", "α": digits("alpha", 1)}
    | {"answers that survive": interval("robustness"), "gain": interval("gain")}
    | {"accuracy": interval("noisy_accuracy"), "queries without a unique answer": "tied"},
    draw_quantisation,
)


def draw_rephrasing(tables: Tables) -> Iterator[Picture]:
    model, table = first_model(tables["rephrasing"])
    for (dataset, task), rows in table[table["unseen"].astype(bool)].groupby(["dataset", "task"], sort=False):
        rows = rows.assign(
            words=rows["level"].str.replace(r"\{a_object\}|\{object\}|\{digit\}", "…", regex=True)
        )
        axes = plot_before_after(
            rows,
            "noisy_accuracy",
            rows="words",
            by="alpha",
            order=[(0.0, "untouched"), (1.0, "closed")],
            xlabel="accuracy",
            title=f"{short_model(model)}, {dataset}, {task}",
        )
        axes.axvline(rows["clean_accuracy"].iloc[0], color="#7F7F7F", linewidth=1, linestyle="--")
        yield Picture(
            slug("rephrasing", dataset, task),
            axes,
            f"{model} on {dataset}, {task}: accuracy with wordings it has never seen, before and after closing; dashed, the "
            "standard wording.",
            f"Accuracy for each unseen wording on {dataset}, {task}: {spread(rows['noisy_accuracy'])}.",
        )


REPHRASING = Section(
    "rephrasing",
    "Every wording, untouched and closed.",
    PLACE
    | {"task": "task", "wording": "level"}
    | {"seen in training": lambda row: "no" if row["unseen"] else "yes", "α": digits("alpha", 1)}
    | {"accuracy": interval("noisy_accuracy"), "answers kept": interval("robustness")},
    draw_rephrasing,
    lambda table: table[table["alpha"] != 0.5],
)


def draw_retrieval(tables: Tables) -> Iterator[Picture]:
    table = named(tables["retrieval"])
    rows = table[(table["alpha"] == 1.0) & (table["level"] == MIDDLE)]
    for direction, some in rows.groupby("direction", sort=False):
        axes = plot_effects(
            some,
            "gain",
            rows="name",
            by="rank",
            xlabel="gain in robustness of the first hit",
            title=str(direction),
            counts=0.01,
        )
        yield Picture(
            slug("retrieval", direction),
            axes,
            f"{direction[0].upper()}{direction[1:]}: what closing gains, by how many components V keeps. Fewer "
            "components move farther, and may change answers.",
            f"Gain in retrieval robustness, {direction}: {spread(some['gain'])}.",
        )


RETRIEVAL = Section(
    "retrieval",
    f"Noise calibrated to {MIDDLE}; untouched, and closed with V of three sizes.",
    PLACE
    | {"direction": "direction", "V": "rank", "components": "components", "α": digits("alpha", 1)}
    | {f"R@{cut}": interval(f"recall_at_{cut}") for cut in (1, 5, 10)}
    | {"robustness": interval("robustness"), "gain": interval("gain")}
    | {"R@1 under the noise": interval("noisy_accuracy")},
    draw_retrieval,
    lambda table: table[(table["level"] == MIDDLE) & ((table["alpha"] == 1.0) | (table["rank"] == "full"))],
)


SECTIONS = (MULTIPLE_CHOICE, QUANTISATION, REPHRASING, RETRIEVAL)
