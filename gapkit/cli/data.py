"""``gapkit data``: rebuild the shipped data and check its manifest."""

from pathlib import Path

import click


@click.group("data")
def command() -> None:
    """Rebuild the shipped data and check its manifest."""


def _folder() -> Path:
    from gapkit._paths import data_folder

    return data_folder()


@command.command("ship")
@click.argument(
    "runs", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
def ship(runs: tuple[Path, ...]) -> None:
    """Copy finished training runs into the data folder and embed the stand-in datasets with them."""
    from gapkit.shipping import ship_run, write_manifest

    for run in runs:
        ship_run(run, _folder())
        click.echo(f"shipped {run}", err=True)
    click.echo(write_manifest(_folder()))


@command.command("control")
def control() -> None:
    """Embed the stand-in datasets with the random control, rebuilt from its seed."""
    from gapkit.shipping import ship_control, write_manifest

    ship_control(_folder())
    click.echo(write_manifest(_folder()))


@command.command("manifest")
def manifest() -> None:
    """Rewrite the manifest from the files that are there."""
    from gapkit.shipping import write_manifest

    click.echo(write_manifest(_folder()))


@command.command("quality")
def quality() -> None:
    """Print how good the shipped models are, as a Markdown table."""
    from gapkit.shipping import quality_table

    click.echo(quality_table(_folder()))


@command.command("check")
def check() -> int:
    """Compare the data folder with its manifest; exit code 1 if they differ."""
    from gapkit.shipping import check_manifest

    faults = check_manifest(_folder())
    for fault in faults:
        click.echo(fault)
    if not faults:
        click.echo("every shipped file is as the manifest says")
    return 1 if faults else 0
