"""What is done with a file of embeddings: ``gapkit measure``, ``gapkit close`` and ``gapkit advise``."""

import json
import math
import shutil
from dataclasses import asdict

import click

from gapkit.cli.main import A_COUNT, A_NUMBER, A_PATH, ADDRESS
from gapkit.errors import InputError, as_one_line

METRIC, SIGMA = click.Choice(["euclidean", "dot", "cosine"]), click.FloatRange(min=0)


@click.command("measure")
@click.argument("file", nargs=-1)
@click.option("--images", multiple=True, metavar="FILES",
              help="Instead of FILE: a folder, or a pattern 'img_emb/*.npy'; repeatable.")  # fmt: skip
@click.option("--texts", multiple=True, metavar="FILES", help="The same for the texts, the images' partners.")
@click.option("--covariances", is_flag=True, help="With --images: also what needs covariances; slower.")
@click.option("--metric", type=METRIC, help="How answers are chosen [euclidean].")
@click.option("--sigma", type=SIGMA, help="Also show the robustness to noise of this size per coordinate.")
@click.option(
    "--intervals", is_flag=True, help="95 % intervals: bootstrap of images, or jackknife of blocks."
)
@click.option("--processes", type=A_COUNT, help="With --images: how many read at once.")
@click.option("--cluster", metavar="ADDRESS", help=f"With --images: {ADDRESS}")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def measure(file, images, texts, covariances, metric, sigma, intervals, processes, cluster, as_json):
    """Measure the gap of FILE: a file gapkit wrote, or a name such as miniclip-wide/scenes100.

    With --images and --texts it measures any number of .npy or .safetensors files, such as clip-retrieval's, block by
    block, in the order of the numbers in their names.
    """
    from gapkit.embeddings import load_embeddings
    from gapkit.embeddings.evaluation import measure_set
    from gapkit.embeddings.streaming import measure_files

    many = bool(images or texts)
    whole = {"FILE (a pattern needs quotes)": file or None, "--metric": metric, "--sigma": sigma}
    blocks = {"--covariances": covariances or None, "--processes": processes, "--cluster": cluster}
    for option in (name for name, given in (whole if many else blocks).items() if given is not None):
        not_both = "does not go with --images and --texts, of which only blocks are read"
        raise InputError(f"{option} {not_both if many else 'is for --images and --texts'}")
    if len(file) != 1 and not (images and texts):
        raise InputError("measure takes one FILE, or --images and --texts; put patterns into quotes")
    if many:
        options = {"covariances": covariances, "intervals": intervals, "processes": processes or 1}
        values, said = measure_files(images, texts, **options, cluster=cluster)
        facts: dict[str, object] = {"images": list(images), "texts": list(texts), "notes": said}
    else:
        entries = load_embeddings(file[0])
        values = measure_set(entries, metric=metric or "euclidean", sigma=sigma, intervals=intervals)
        said = [f"{file[0]}: {entries}"]
        facts = {"file": file[0], "task": entries.task}
    if as_json:
        content = facts | {name: _plain(value) for name, value in values.items()}
        click.echo(json.dumps(content, indent=1, allow_nan=False))
        return
    shown = [f"  {EXPLAINED.get(name, name.replace('_', ' ')):<52} {_shown(v)}" for name, v in values.items()]
    for line in (*map(as_one_line, said[:2]), *shown, *map(as_one_line, said[2:])):
        click.echo(line)
    click.echo(f"The gap is {_shown(values['l2m'])} wide; between unit vectors 2 is the most.")


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
    """``value`` as JSON knows it, which has no NaN and no infinity: null where there is no number."""
    if isinstance(value, tuple):
        return [_plain(end) for end in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _shown(value) -> str:
    from gapkit._format import significant

    return significant(*value) if isinstance(value, tuple) else significant(value)


@click.command("close")
@click.argument("file")
@click.option("--out", required=True, type=A_PATH, help="File to write.")
@click.option("--method", default="projected", show_default=True, metavar="NAME",
              help="projected: the paper's shift, which keeps every answer; raw: the whole gap; halfway, "
              "affine, linear, …: the first word of any name in gapkit.closing.CLOSERS.")  # fmt: skip
@click.option("--alpha", type=float, default=1.0, show_default=True, help="0 leaves the gap, 1 closes it.")
@click.option("--components", type=A_NUMBER, help="Components the projected shift stays orthogonal to [all].")
@click.option("--metric", type=METRIC, default="euclidean", show_default=True, help="How answers are chosen.")
@click.option("--sigma", type=SIGMA, help="Also show the robustness to noise of this size.")
def close(file, out, method, alpha, components, metric, sigma):
    """Close the gap of FILE (a file gapkit wrote, or a shipped name) and show what it changed."""
    from gapkit._files import check_target
    from gapkit.closing import ProjectedShift
    from gapkit.closing.catalogue import find_closer
    from gapkit.embeddings import answer, close_set, load_embeddings
    from gapkit.embeddings.evaluation import measure_set

    kind = find_closer(method)
    options = {"alpha": alpha} if "alpha" in kind().get_params() else {}
    if alpha != 1.0 and not options:
        raise InputError(f"--alpha has no meaning for the method {method}")
    if components is not None:
        options["n_components"] = components
        if kind is not ProjectedShift:
            raise InputError(f"--components has no meaning for the method {method}")
    check_target(out, file)
    before = load_embeddings(file)
    closer = kind(**options)
    after = close_set(before, closer)
    same = float((answer(before, metric=metric)[0] == answer(after, metric=metric)[0]).mean())
    first, second = (measure_set(entries, metric=metric, sigma=sigma) for entries in (before, after))
    law = _law(before, sigma, closer, metric) if "robustness" in first and sigma else ""
    path = after.save(out)
    click.echo(f"{'':<28}{'before':>10}{'after':>10}")
    labels = {"l2m": "gap", "accuracy": "right answers", "robustness": "answers that survive"}
    for name, label in labels.items():
        if name in first:
            shown = (each[name] if name == "l2m" else _not_all(each[name]) for each in (first, second))
            click.echo(f"{label:<28}" + "".join(f"{value:>10.4f}" for value in shown))
    if law:
        click.echo(f"{'  predicted by the law':<28}{'':>10}{law:>10}")
    click.echo(f"{'same answers as before':<28}{'':>10}{_not_all(same):>10.4f}")
    click.echo(path)


def _law(before, sigma, closer, metric) -> str:
    from gapkit.robustness import predict_closed

    try:
        return f"{predict_closed(before.images, before.texts, sigma, closer=closer, metric=metric):.4f}"
    except InputError:  # this closer changes margins
        return "–"


def _not_all(share: float) -> float:
    """A share that four digits would round up to all is shown as less."""
    return share if share >= 1 else min(share, 0.9999)


def _percent(share: float) -> str:
    """With one digit; what is neither all nor none is not rounded to it."""
    text = f"{share:.1%}"
    return text if share in (0, 1) else {"100.0%": "> 99.9%", "0.0%": "< 0.1%"}.get(text, text)


@click.command("advise")
@click.argument("file")
@click.option("--metric", type=METRIC, help="Only this metric [all three; you are taken to use Euclidean].")
@click.option("--sigma", type=click.FloatRange(min=0, min_open=True),
              help="Noise per coordinate [the one that changes 30 % of the answers].")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def advise(file, metric, sigma, as_json):
    """Say which metric, which side to move and which closer keep most answers of FILE under noise.

    FILE is a file gapkit wrote, or a name such as miniclip-wide/scenes100. Its texts are the gallery.
    """
    from gapkit import closing
    from gapkit.embeddings import load_embeddings

    entries = load_embeddings(file)
    if entries.task == "multiple-choice":
        raise InputError(f"{file} holds questions, each with a gallery of its own; advice takes one")
    advice = closing.advise(entries.images, entries.texts, metric=metric, sigma=sigma)
    if as_json:
        click.echo(json.dumps({"file": file, **asdict(advice)}, indent=1, allow_nan=False))
        return
    click.echo(as_one_line(f"{file}: {entries}"))
    before = advice.untouched
    click.echo(f"Noise of σ = {advice.sigma:.4g} per coordinate on the texts.")
    click.echo(f"With nothing moved, {_percent(before.robustness)} of the {before.metric} answers survive.\n")
    click.echo(f"{'survive':>8} {'predicted':>9} {'kept':>7}  lever")
    for lever in advice.levers:
        predicted = "–" if lever.predicted is None else _percent(lever.predicted)
        words = _described(lever) + ("  <-" if lever == advice.best else "")
        click.echo(
            f"{_percent(lever.robustness):>8} {predicted:>9} {_percent(lever.answers_kept):>7}  {words}"
        )
    click.echo("(survive: exact; predicted: by the law of gains; kept: same clean answers)\n")
    click.echo(click.wrap_text(_in_words(advice), width=min(100, shutil.get_terminal_size().columns)))


SIDES = {"gallery": "texts", "queries": "images"}


def _described(lever) -> str:
    """A lever in a few words."""
    if not lever.closer:
        return f"{lever.metric}, nothing moved"
    return f"{lever.metric}, {lever.closer} of the {SIDES[lever.moves]}"


def _in_words(advice) -> str:
    """The advice as a person would give it."""
    best, before = advice.best, advice.untouched
    if best == before:
        return "Advice: leave it as it is. No lever that keeps your answers lets noticeably more survive."
    words = (
        f"Advice: {_described(best)}. Under this noise {_percent(best.robustness)} of the answers survive, "
    )
    words += f"not {_percent(before.robustness)}."
    if best.metric != before.metric:
        words += f" Your clean answers are the same under {best.metric} as under {before.metric}."
    if best.closer and best.guaranteed:
        words += " Every clean answer is provably kept, for any image; fit again when the texts change."
    elif best.closer:
        words += " Every clean answer of this file is kept; for other images there is no proof."
    return words
