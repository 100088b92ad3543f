"""``gapkit embed``: a model's embeddings of a dataset, resumable."""

from pathlib import Path

import click

from gapkit.cli._options import embedding_options, split_options


@click.command("embed")
@click.argument("model")
@click.argument("dataset")
@click.option("--out", type=click.Path(path_type=Path), help="File to write [default: only the cache].")
@embedding_options
@click.option("--dtype", type=click.Choice(["float32", "float16"]), default="float32", show_default=True,
              help="How --out stores the matrices.")  # fmt: skip
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(model, dataset, out, dtype, quiet, **options):
    """Embed DATASET with MODEL; interrupted at any moment, the same command goes on where it was.

    MODEL is a preset or shipped model (see `gapkit models`), ARCHITECTURE/WEIGHTS as OpenCLIP names them,
    hf-hub:OWNER/REPOSITORY or local-dir:PATH. DATASET is digits10, scenes100, scenes-pairs, scenes-vqa,
    cifar10, cifar100 (and both with -rephrased), coco, aokvqa, folder (one subfolder for each class) or csv (paths and captions).
    """
    from gapkit.datasets import load_dataset
    from gapkit.embeddings import load_embeddings
    from gapkit.encoders import embed_to_file, load_model

    device, how, about = split_options(options)
    data = load_dataset(dataset, **about)
    ready = load_model(model, device=device)
    click.echo(f"{ready}; {data}", err=True)
    path = embed_to_file(ready, data, out=out, dtype=dtype, progress=not quiet, **how)
    entries = load_embeddings(path, memory_map=True)
    click.echo(f"{entries} in {entries.metadata['precision']} on {ready.device}", err=True)
    for name, why in entries.metadata["skipped"]:
        click.echo(f"left out {name}: {why}", err=True)
    click.echo(path)
