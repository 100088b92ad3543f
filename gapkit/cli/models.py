"""``gapkit models``: which models there are, how large, and what is in the cache."""

import json

import click


@click.command("models")
@click.option(
    "--all", "every", is_flag=True, help="Every published model of OpenCLIP, not only the short names."
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(every, as_json):
    """List models, their sizes, and what is in the cache."""
    from gapkit.encoders import available_models

    rows = available_models(every=every)
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    width = {key: max(len(row[key]) for row in rows) for key in ("name", "source")}
    click.echo(f"{'name':<{width['name']}}  {'weights':<{width['source']}}  {'MB':>6}  here  what it is")
    for row in rows:
        size = f"{row['megabytes']:,.0f}" if row["megabytes"] else ""
        click.echo(
            f"{row['name']:<{width['name']}}  {row['source']:<{width['source']}}  {size:>6}  "
            f"{'yes' if row['here'] else 'no':<4}  {row['about']}".rstrip()
        )
