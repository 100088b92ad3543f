"""What is done with a file of embeddings: ``gapkit measure`` and ``gapkit close``."""

import json
import math
from pathlib import Path
from typing import Any

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
def measure(file, metric, sigma, intervals, as_json):
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
    from gapkit import geometry
    from gapkit.embeddings import answer
    from gapkit.robustness import robustness

    pairs = entries.task == "pairs"
    values = geometry.measure(entries.texts, entries.images, paired=pairs, intervals=intervals)
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
    kind: Any = type(value)
    return kind(estimate, max(min(low, estimate), least), max(high, estimate))


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


@click.command("close")
@click.argument("file")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File to write.")
@click.option("--method", default="projected", show_default=True, metavar="NAME",
              help="projected: the paper's shift, which keeps every answer; raw: the whole gap; halfway, affine, "
              "linear, centring, …: the first word of any name in gapkit.closing.CLOSERS.")  # fmt: skip
@click.option("--alpha", type=float, default=1.0, show_default=True, help="0 leaves the gap, 1 closes it.")
@click.option(
    "--components", type=click.IntRange(min=0), help="Components the projected shift keeps clear of [all]."
)
@click.option("--metric", type=click.Choice(["euclidean", "dot", "cosine"]), default="euclidean", show_default=True,
              help="How answers are chosen, for the figures shown.")  # fmt: skip
@click.option("--sigma", type=click.FloatRange(min=0), help="Also show the robustness to noise of this size.")
def close(file, out, method, alpha, components, metric, sigma):
    """Close the gap of FILE (a file gapkit wrote, or a shipped name) and show what it changed."""
    from gapkit.closing import ProjectedShift, find_closer
    from gapkit.embeddings import answer, close_set, load_embeddings
    from gapkit.errors import InputError

    kind = find_closer(method)
    options = {"alpha": alpha} if "alpha" in kind().get_params() else {}
    if alpha != 1.0 and not options:
        raise InputError(f"--alpha has no meaning for the method {method}")
    if components is not None and kind is not ProjectedShift:
        raise InputError(f"--components has no meaning for the method {method}")
    if components is not None:
        options["n_components"] = components
    before = load_embeddings(file)
    after = close_set(before, kind(**options))
    path = after.save(out)
    same = float((answer(before, metric=metric)[0] == answer(after, metric=metric)[0]).mean())
    first, second = (measured(entries, metric=metric, sigma=sigma) for entries in (before, after))
    click.echo(f"{'':<28}{'before':>10}{'after':>10}")
    for name, label in {
        "l2m": "gap",
        "accuracy": "right answers",
        "robustness": "answers that survive",
    }.items():
        if name in first:
            click.echo(f"{label:<28}{first[name]:>10.4f}{second[name]:>10.4f}")
    click.echo(f"{'same answers as before':<28}{'':>10}{same:>10.4f}")
    click.echo(path)
