"""``gapkit fetch``: published embeddings of real models, or the shipped data, into the cache."""

from pathlib import Path

import click

from gapkit.errors import InputError


@click.command("fetch")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="Every set that is known.")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    metavar="FILE|FOLDER",
    help="Take local copies instead of the network; they are known by their bytes, whatever they are called.",
)
@click.option(
    "--shipped", is_flag=True, help="The data that come with gapkit (60 MB), for work outside a clone."
)
def command(names, everything, source, shipped):
    """Put published embeddings into the cache; without a name, list them.

    They are embeddings of real models that others have published under an open licence, each known by the sha256 of its
    file. `--from` alone takes all that it finds.
    """
    if shipped:
        if names or everything or source:
            raise InputError("--shipped takes no names, no --all and no --from; leave them out")
        _fetch_shipped()
        return
    from gapkit.embeddings import differing, fetch_embeddings, find_published, published_sets

    register = published_sets()
    if everything and names:
        raise InputError("--all takes every set; leave out --all, or the names")
    faults = []
    if not names and not everything:
        if source is None:
            _list(register.values())
            return
        names = list(find_published(source))
        faults += differing(source, [entry for name, entry in register.items() if name not in names]).values()
        if not names and not faults:
            raise InputError(f"nothing in {source} is a published set; what is known says: gapkit fetch")
    for name in register if everything else names:
        try:
            path = fetch_embeddings(name, source=source)
        except InputError as fault:
            faults.append(str(fault))
            continue
        click.echo(f"{register[name].load()}: gapkit.load_embeddings({name!r})", err=True)
        click.echo(path)
    if faults:
        rest = f"; and {len(faults) - 1} more: {'; '.join(faults[1:])}" if len(faults) > 1 else ""
        raise InputError(faults[0] + rest)


def _list(entries) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("name", "what it is", "MB", "licence", "in the cache"):
        table.add_column(column, overflow="fold", no_wrap=column == "name")
    for entry in entries:
        table.add_row(
            entry.name,
            entry.about,
            f"{entry.bytes / 1e6:.1f}",
            entry.licence,
            "yes" if entry.cached else "no",
        )
    Console().print(table)
    click.echo("\nDownload with: gapkit fetch NAME…   (or --all; offline: --from FILE or FOLDER)")


def _fetch_shipped() -> None:
    import os

    from tqdm import tqdm

    from gapkit._paths import shipped_file, shipped_folder, shipped_names

    off = True if os.environ.get("GAPKIT_PROGRESS") == "0" else None
    names = shipped_names()
    for name in tqdm(names, desc="shipped data", unit=" files", disable=off):
        shipped_file(name)
    click.echo(f"{len(names)} files, each with the sha256 of the manifest", err=True)
    click.echo(shipped_folder())
