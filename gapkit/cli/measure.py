"""``gapkit measure``: the modality gap of a file of embeddings."""

import json
import math

import click


@click.command("measure")
@click.argument("file")
@click.option("--metric", type=click.Choice(["euclidean", "dot", "cosine"]), default="euclidean", show_default=True,
              help="How answers are chosen.")  # fmt: skip
@click.option(
    "--sigma", type=click.FloatRange(min=0), help="Also the robustness to noise of this size per coordinate."
)
@click.option("--intervals", is_flag=True, help="95 % bootstrap intervals; texts are resampled like images.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(file, metric, sigma, intervals, as_json):
    """Measure the gap of FILE: a file gapkit wrote, or a name such as miniclip-wide/scenes100."""
    from gapkit.embeddings import load_embeddings

    entries = load_embeddings(file)
    values = measured(entries, metric=metric, sigma=sigma, intervals=intervals)
    if as_json:
        click.echo(json.dumps({"file": file, "task": entries.task, **values}, indent=1, default=_plain))
        return
    click.echo(f"{file}: {entries}")
    for name, value in values.items():
        click.echo(f"  {EXPLAINED.get(name, name.replace('_', ' ')):<52} {_shown(value)}")


def measured(
    entries, *, metric: str = "euclidean", sigma: float | None = None, intervals: bool = False
) -> dict:
    """What the command shows."""
    from gapkit.embeddings.using import answer
    from gapkit.geometry import measure
    from gapkit.robustness import robustness

    pairs = entries.task == "pairs"
    values = measure(entries.texts, entries.images, paired=pairs, intervals=intervals)
    values = {name: _within_reach(name, value) for name, value in values.items()}
    given, right = answer(entries, metric=metric)
    values["accuracy"] = float((given == right).mean())
    if sigma is not None and entries.task != "multiple-choice":
        kept = robustness(entries.images, entries.texts, sigma=sigma, metric=metric)
        values["robustness"] = float(kept.mean())
    return values


def _within_reach(name: str, value):
    """An interval without impossible values, and with its own estimate; the estimate alone if there is none.

    With few rows resampling shifts a variance so much that the basic interval, which takes the shift off twice,
    ends below zero or beside the estimate; of a handful of rows a draw may be the same row throughout, which has none.
    """
    if not isinstance(value, tuple):
        return value
    estimate, low, high = value
    if not (math.isfinite(low) and math.isfinite(high)):
        return estimate
    least = -1.0 if "cosine" in name else 0.0
    return type(value)(estimate, max(min(low, estimate), least), max(high, estimate))


EXPLAINED = {
    "l2m": "gap: distance of the means (L2M)",
    "l2i": "mean distance of matched pairs (L2I)",
    "rmg": "relative modality gap (RMG)",
    "matched_cosine": "mean cosine of matched pairs",
    "relative_variance_gallery": "variance of the texts along the gap (1 = isotropic)",
    "relative_variance_queries": "variance of the images along the gap (1 = isotropic)",
    "mean_cosine_gallery": "mean cosine of two texts",
    "mean_cosine_queries": "mean cosine of two images",
    "accuracy": "share of right answers",
    "robustness": "share of answers that survive the noise",
}


def _plain(value):
    return list(value) if isinstance(value, tuple) else value.item()


def _shown(value) -> str:
    if isinstance(value, tuple):
        return f"{value[0]:.4g}  ({value[1]:.4g} … {value[2]:.4g})"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
