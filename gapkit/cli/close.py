"""``gapkit close``: close the gap of a file of embeddings."""

from pathlib import Path

import click


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
def command(file, out, method, alpha, components, metric, sigma):
    """Close the gap of FILE (a file gapkit wrote, or a shipped name) and show what it changed."""
    from gapkit.cli.measure import measured
    from gapkit.closing import ProjectedShift, find_closer
    from gapkit.embeddings import load_embeddings
    from gapkit.embeddings.using import answer, close_set
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
