"""``gapkit import``: other people's embeddings as a file of gapkit's."""

from pathlib import Path

import click

from gapkit.errors import InputError


@click.command("import")
@click.argument("images", required=False, type=click.Path(path_type=Path))
@click.argument("texts", required=False, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File to write (.safetensors).")
@click.option("--labels", type=click.Path(path_type=Path), help="Row of each image's right text, one a line.")
@click.option(
    "--task", type=click.Choice(["pairs", "zero-shot"]), help="[default: zero-shot if there are labels]"
)
@click.option(
    "--normalise",
    type=click.Choice(["auto", "yes", "no"]),
    default="auto",
    show_default=True,
    help="Divide rows by their length; auto does so where they have length 1 but for rounding.",
)
@click.option("--image-key", help="Name of the images' matrix in an archive, or column of a parquet file.")
@click.option("--text-key", help="Name of the texts' matrix.")
@click.option(
    "--gram",
    type=click.Path(path_type=Path),
    help="A matrix of all cosines instead, images first (CSV, npy).",
)
@click.option("--images", "count", type=click.IntRange(1), help="With --gram: how many rows are images.")
@click.option("--dimension", type=click.IntRange(1), help="With --gram: dimension of the model's embeddings.")
@click.option("--model", help="Which model made them; kept with them.")
@click.option("--dataset", help="Which dataset they are of; kept with them.")
def command(images, texts, out, gram, count, dimension, model, dataset, **options):
    """Convert IMAGES (and TEXTS) from .npy, .npz, .csv, .parquet or .safetensors.

    One file is enough if it holds both sides: two matrices, or an array of shape (2, n, d) with the images
    first. In a table every column of numbers is a coordinate, but for an index, ids and labels; which columns
    were used is said.

    With --gram no embeddings are needed: a published matrix of cosines, all rows against all rows, holds them up to a
    rotation.
    """
    from gapkit.embeddings import import_embeddings, import_gram

    if gram is None and images is None:
        raise InputError("name a file to import, or a matrix of cosines with --gram FILE")
    if gram is not None and (images is not None or count is None or dimension is None):
        raise InputError(
            "--gram FILE takes --images N (how many rows are images) and --dimension D (of the model's embeddings), "
            "and no other file"
        )
    if gram is None and (count is not None or dimension is not None):
        raise InputError("--images and --dimension describe a matrix of cosines; they need --gram FILE")
    known = {name: value for name, value in {"model": model, "dataset": dataset}.items() if value}
    if gram is not None:
        if foreign := [name for name in ("image_key", "text_key") if options[name]]:
            raise InputError(f"--gram takes no --{foreign[0].replace('_', '-')}")
        entries = import_gram(
            gram,
            images=count,
            dimension=dimension,
            metadata=known,
            labels=options["labels"],
            task=options["task"],
        )
        for line in _about_gram(entries.metadata["gram"]):
            click.echo(line, err=True)
    else:
        entries = import_embeddings(images, texts, metadata=known, **options)
    for line in entries.metadata.get("columns", []):
        click.echo(line, err=True)
    click.echo(f"{entries}, rows {'of length 1' if entries.normalised else 'as they were'}", err=True)
    click.echo(entries.save(out))


def _about_gram(about: dict) -> list[str]:
    lines = [f"kept: {about['kept']}", f"rank {about['rank']}"]
    if about["clipped"]:
        lines.append(
            f"clipped: {about['clipped']} negative eigenvalues, the least {about['least_eigenvalue']:.2g} "
            f"(rounding explains {-about['rounding']:.2g})"
        )
    return lines
