"""Pictures of what closing the gap does beyond Gaussian noise on the texts, experiment by experiment."""

from collections.abc import Iterator

from gapkit.experiments.levels import MIDDLE
from gapkit.plots.experiments import plot_before_after, plot_effects, plot_over
from gapkit.report.picture import Picture, Tables, datasets, lead, legend_below, named, slug, spread, trained
from gapkit.report.view import short_model as short


def draw_closers(tables: Tables) -> Iterator[Picture]:
    table = tables["closers"]
    model = lead(table)
    rows = table[(table["model"] == model) & (table["level"] == MIDDLE) & (table["closer"] != "untouched")]
    for dataset, some in datasets(rows):
        axes = plot_effects(
            some,
            "gain",
            rows="closer",
            by="metric",
            xlabel="gain in robustness",
            title=f"{short(model)}, {dataset}",
        )
        yield Picture(
            slug("closers", dataset),
            axes,
            f"{model} on {dataset}, at an untouched robustness of 0.7 under each metric: every metric has its own best "
            "closer, and the other one's can do harm.",
            f"Gain by closer and metric on {dataset}, between {spread(some['gain'])}.",
        )


def draw_axes(tables: Tables) -> Iterator[Picture]:
    table = tables["axes"]
    model = lead(table)
    rows = table[(table["model"] == model) & (table["moves"] != "nothing")]
    rows = rows.assign(cell="noise on " + rows["noise_on"] + ",\n" + rows["moves"] + " moved")
    for dataset, some in datasets(rows):
        axes = plot_effects(
            some,
            "gain",
            rows="cell",
            by="metric",
            xlabel="gain in robustness",
            title=f"{short(model)}, {dataset}",
        )
        yield Picture(
            slug("axes", dataset),
            axes,
            f"{model} on {dataset}: what closing gains, by who is perturbed, who moves and the metric.",
            f"Gain for each combination on {dataset}: {spread(some['gain'])}; none with noise on the queries.",
        )


def draw_raw_shift(tables: Tables) -> Iterator[Picture]:
    table = tables["raw-shift"]
    model = lead(table)
    for dataset, rows in datasets(table[table["model"] == model]):
        axes = plot_over(
            rows,
            "alpha",
            "clean_accuracy",
            by="closer",
            xlabel="α",
            ylabel="clean accuracy",
            title=f"{short(model)}, {dataset}",
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


def draw_multiple_choice(tables: Tables) -> Iterator[Picture]:
    table = tables["multiple-choice"]
    table = table[table["question_type"] == "all"]
    model = lead(table)
    axes = plot_over(
        table[table["model"] == model],
        "alpha",
        "robustness",
        by="level",
        xlabel="α",
        ylabel="robustness",
        title=f"{short(model)}, four options",
        closure=True,
    )
    legend_below(axes)
    yield Picture(
        "choice",
        axes,
        f"{model}: probability that the chosen option survives the noise, as the gap is closed.",
        "Robustness of multiple-choice answers over α at three noise levels.",
    )
    closed = named(table[table["alpha"] == 1.0])
    axes = plot_effects(
        closed, "gain", rows="name", by="level", xlabel="gain in robustness at α = 1", counts=0.01
    )
    yield Picture(
        "choice-gain",
        axes,
        "What closing gains on multiple-choice questions, by model, with paired intervals resampled by image.",
        f"Gain on multiple-choice questions by model: {spread(closed['gain'])}.",
    )


def draw_quantisation(tables: Tables) -> Iterator[Picture]:
    table = trained(named(tables["quantisation"]))
    closed = table[table["alpha"] == 1.0]
    binned = closed["level"].str.endswith("bins")
    for (dataset, noise), rows in closed[binned].groupby(["dataset", "noise"], sort=False):
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
    for dataset, rows in datasets(closed[~binned]):
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


def draw_rephrasing(tables: Tables) -> Iterator[Picture]:
    table = tables["rephrasing"]
    model = lead(table)
    shown = table[(table["model"] == model) & table["unseen"].astype(bool)]
    for (dataset, task), rows in shown.groupby(["dataset", "task"], sort=False):
        rows = rows.assign(
            words=[
                words.replace("{a_object}", "…").replace("{object}", "…").replace("{digit}", "…")
                for words in rows["level"]
            ]
        )
        axes = plot_before_after(
            rows,
            "noisy_accuracy",
            rows="words",
            by="alpha",
            order=[(0.0, "untouched"), (1.0, "closed")],
            xlabel="accuracy",
            title=f"{short(model)}, {dataset}, {task}",
        )
        axes.axvline(rows["clean_accuracy"].iloc[0], color="#7F7F7F", linewidth=1, linestyle="--")
        yield Picture(
            slug("rephrasing", dataset, task),
            axes,
            f"{model} on {dataset}, {task}: accuracy with wordings it has never seen, before and after closing; dashed, the "
            "standard wording.",
            f"Accuracy for each unseen wording on {dataset}, {task}: {spread(rows['noisy_accuracy'])}.",
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
