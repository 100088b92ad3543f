"""``gapkit advise``: which lever keeps most answers of an index."""

import json
import shutil
from dataclasses import asdict

import click


@click.command("advise")
@click.argument("file")
@click.option("--metric", type=click.Choice(["euclidean", "dot", "cosine"]),
              help="Only this metric [all three, Euclidean being yours].")  # fmt: skip
@click.option("--sigma", type=click.FloatRange(min=0, min_open=True),
              help="Noise per coordinate [the one that changes 30 % of the answers].")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(file, metric, sigma, as_json):
    """Say which metric, which side to move and which closer keep most answers of FILE under noise.

    FILE is a file gapkit wrote, or a name such as miniclip-wide/scenes100. Its texts are the gallery.
    """
    from gapkit.closing import advise
    from gapkit.embeddings import load_embeddings
    from gapkit.errors import InputError

    entries = load_embeddings(file)
    if entries.task == "multiple-choice":
        raise InputError(
            f"{file} holds questions, each with a gallery of its own; advice is about one gallery"
        )
    advice = advise(entries.images, entries.texts, metric=metric, sigma=sigma)
    if as_json:
        click.echo(json.dumps({"file": file, **asdict(advice)}, indent=1, allow_nan=False))
        return
    click.echo(f"{file}: {entries}")
    click.echo(
        f"Noise of σ = {advice.sigma:.4g} per coordinate on the texts.\nWith nothing moved, {advice.untouched.robustness:.1%} "
        f"of the {advice.untouched.metric} answers survive."
    )
    click.echo("")
    click.echo(f"{'survive':>8} {'predicted':>9} {'kept':>6}  lever")
    for lever in advice.levers:
        predicted = "–" if lever.predicted is None else f"{lever.predicted:.1%}"
        mark = "  <-" if lever == advice.best else ""
        click.echo(
            f"{lever.robustness:>8.1%} {predicted:>9} {lever.answers_kept:>6.1%}  {described(lever)}{mark}"
        )
    click.echo("(survive: exact; predicted: by the law of the gap; kept: clean answers as before)")
    click.echo("")
    click.echo(click.wrap_text(in_words(advice), width=min(100, shutil.get_terminal_size().columns)))


SIDES = {"gallery": "texts", "queries": "images"}


def described(lever) -> str:
    """A lever in a few words."""
    if not lever.closer:
        return f"{lever.metric}, nothing moved"
    return f"{lever.metric}, {lever.closer} of the {SIDES[lever.moves]}"


def in_words(advice) -> str:
    """The advice as a person would give it."""
    best, before = advice.best, advice.untouched
    if best == before:
        return "Advice: leave it as it is. No lever that keeps your answers keeps noticeably more of them under this noise."
    words = f"Advice: {described(best)}. Under this noise {best.robustness:.1%} of the answers survive, not {before.robustness:.1%}."
    if best.metric != before.metric:
        words += f" Your clean answers are the same under {best.metric} as under {before.metric}."
    if best.closer and best.guaranteed:
        words += " Every clean answer is provably kept, for these texts and any image; fit again when the texts change."
    elif best.closer:
        words += (
            " Every clean answer of this file is kept, which was checked; there is no proof for other images."
        )
    return words
