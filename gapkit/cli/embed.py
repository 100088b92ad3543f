"""``gapkit embed``: a model's embeddings of a dataset, resumable."""

from pathlib import Path

import click


@click.command("embed")
@click.argument("model")
@click.argument("dataset")
@click.option("--out", type=click.Path(path_type=Path), help="File to write [default: only the cache].")
@click.option("--root", type=click.Path(path_type=Path), help="Folder of the dataset's images or archive.")
@click.option(
    "--annotations", type=click.Path(path_type=Path), help="Annotation file: JSON (coco, aokvqa) or CSV."
)
@click.option("--split", help="train or test, where the dataset has both.")
@click.option("--template", help="Prompt template, or: single, ensemble.")
@click.option(
    "--limit", type=click.IntRange(min=1), help="Only the first so many entries (coco, aokvqa, csv)."
)
@click.option("--download", is_flag=True, help="Fetch the dataset if it is not there (cifar10, cifar100).")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, mps, or auto.")
@click.option("--precision", default="auto", show_default=True, help="float32, float16, bfloat16, or auto.")
@click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True)
@click.option(
    "--workers", type=click.IntRange(min=0), default=0, show_default=True, help="Processes that read images."
)
@click.option("--dtype", type=click.Choice(["float32", "float16"]), default="float32", show_default=True,
              help="How --out stores the matrices.")  # fmt: skip
@click.option("--skip-unreadable", is_flag=True, help="Leave out images that cannot be read, and list them.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(
    model, dataset, out, device, precision, batch_size, workers, dtype, skip_unreadable, quiet, **options
):
    """Embed DATASET with MODEL; interrupted at any moment, the same command goes on where it was.

    MODEL is a preset or shipped model (see `gapkit models`), ARCHITECTURE/WEIGHTS as OpenCLIP names them,
    hf-hub:OWNER/REPOSITORY or local-dir:PATH. DATASET is digits10, scenes100, scenes-pairs, scenes-vqa,
    cifar10, cifar100, coco, aokvqa, folder (one subfolder for each class) or csv (paths and captions).
    """
    from gapkit.datasets import load_dataset
    from gapkit.embeddings import load_embeddings
    from gapkit.encoders import embed_to_file, load_model

    given = {name: value for name, value in options.items() if value not in (None, False)}
    data = load_dataset(dataset, **given)
    ready = load_model(model, device=device)
    click.echo(f"{ready}; {data}", err=True)
    path = embed_to_file(
        ready,
        data,
        out=out,
        dtype=dtype,
        batch_size=batch_size,
        workers=workers,
        precision=precision,
        on_error="skip" if skip_unreadable else "raise",
        progress=not quiet,
    )
    entries = load_embeddings(path, memory_map=True)
    click.echo(f"{entries} in {entries.metadata['precision']} on {ready.device}", err=True)
    for name, why in entries.metadata["skipped"]:
        click.echo(f"left out {name}: {why}", err=True)
    click.echo(path)
