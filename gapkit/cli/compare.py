"""``gapkit compare``: two replications side by side."""

import json

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("first", type=click.Path())
@click.argument("second", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
def command(first, second, as_json):
    """Show where two replications differ beyond their intervals.

    FIRST and SECOND are claims.json files, or the folders they lie in. Exit code 1 if they differ: in a verdict, in a
    value beyond its interval, or in a claim or cell that only one of them has.
    """
    from gapkit.report import compare_records, read_record

    differences, compared = compare_records(read_record(first), read_record(second))
    if as_json:
        content = {"compared": compared, "differences": [one._asdict() for one in differences]}
        click.echo(json.dumps(content, indent=1, ensure_ascii=False))
    elif not differences:
        click.echo(f"No difference beyond the intervals in {compared} measured values.")
    else:
        _print(differences, compared)
    return 1 if differences else 0


def _print(differences, compared: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"{len(differences)} differences; {compared} measured values compared", title_justify="left"
    )
    for name in ("claim", "model", "where", "first", "second", "what"):
        table.add_column(name, overflow="fold")
    for one in differences:
        table.add_row(*(text.replace("[", "\\[") for text in one))
    Console().print(table)
