"""``gapkit import``: other people's embeddings as a file of gapkit's."""

from pathlib import Path

import click


@click.command("import")
@click.argument("images", type=click.Path(path_type=Path))
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
@click.option("--model", help="Which model made them; kept with them.")
@click.option("--dataset", help="Which dataset they are of; kept with them.")
def command(images, texts, out, model, dataset, **options):
    """Convert IMAGES (and TEXTS) from .npy, .npz, .csv, .parquet or .safetensors.

    One file is enough if it holds both sides: two matrices, or an array of shape (2, n, d) with the images
    first. In a table every column of numbers is a coordinate, but for an index, ids and labels; which columns
    were used is said.
    """
    from gapkit.embeddings import import_embeddings

    known = {name: value for name, value in {"model": model, "dataset": dataset}.items() if value}
    entries = import_embeddings(images, texts, metadata=known, **options)
    for line in entries.metadata.get("columns", []):
        click.echo(line, err=True)
    click.echo(f"{entries}, rows {'of length 1' if entries.normalised else 'as they were'}", err=True)
    click.echo(entries.save(out))
