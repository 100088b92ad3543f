"""``gapkit fetch``: real CLIP embeddings into the cache."""

from pathlib import Path

import click


@click.command("fetch")
@click.argument("name", default="coco500-clip-vitb16")
@click.option(
    "--from", "source", type=click.Path(path_type=Path), help="Take a local copy instead of the network."
)
def command(name, source):
    """Put NAME into the cache: coco500-clip-vitb16 (default) or coco500-clip-vitb16-random, 1 MB each way.

    These are OpenAI's CLIP ViT-B/16 on the first 500 image-caption pairs of COCO val2017, published by Liang
    et al. (github.com/Weixin-Liang/Modality-Gap, MIT licence), and the same pairs through random towers.
    """
    from gapkit.embeddings import fetch_coco500, load_embeddings

    path = fetch_coco500(name, source=source)
    click.echo(f"{load_embeddings(name)}: gapkit.load_embeddings({name!r})", err=True)
    click.echo(path)
