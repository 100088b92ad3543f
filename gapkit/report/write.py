"""The files of a replication: ``claims.json``, the report, its figures, and the tables as CSV."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
import pandas as pd

from gapkit._arrays import check_choice
from gapkit.plots.style import figure_of, png
from gapkit.report.pictures import Picture, pictures
from gapkit.report.record import to_json
from gapkit.report.svg import inline_svg
from gapkit.report.view import build_view, short_model

FORMATS = ("html", "md")


def write_report(
    folder: str | Path,
    record: Mapping,
    tables: Mapping[str, pd.DataFrame],
    *,
    formats: Sequence[str] = ("html",),
) -> None:
    """Fill an empty folder with everything a replication leaves behind.

    Parameters
    ----------
    folder : where; it must exist
    record : as `gapkit.report.record.make_record` gives it
    tables : the tidy tables
    formats : of "html" and "md"
    """
    folder = Path(folder)
    for name in formats:
        check_choice(name, "format", FORMATS)
    (folder / "claims.json").write_text(to_json(record), encoding="utf-8")
    (folder / "tables").mkdir()
    for name, table in tables.items():
        table.to_csv(folder / "tables" / f"{name}.csv", index=False)
    view = build_view(record, tables)
    drawn = {section["name"]: pictures(section["name"], tables) for section in view["sections"]}
    (folder / "figures").mkdir()
    for picture in (one for some in drawn.values() for one in some):
        (folder / "figures" / f"{picture.name}.png").write_bytes(png(picture.axes))
        figure_of(picture.axes).set_layout_engine("none")  # as laid out now, for the page's copy too
    for name in formats:
        for section in view["sections"]:
            section["pictures"] = [_shown(picture, name) for picture in drawn[section["name"]]]
        text = _template(f"report.{name}.j2").render(**view, css=_css() if name == "html" else "")
        (folder / f"report.{name}").write_text(text, encoding="utf-8")


def _shown(picture: Picture, form: str) -> dict:
    svg = inline_svg(picture.axes, name=picture.name, alt=picture.alt) if form == "html" else ""
    return {"name": picture.name, "caption": picture.caption, "alt": picture.alt, "svg": svg}


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("gapkit.report"),
        autoescape=jinja2.select_autoescape(["html", "html.j2"]),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["slug"] = lambda verdict: verdict.replace(" ", "-")
    environment.filters["short"] = short_model
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    return environment


def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)


def _css() -> str:
    return (Path(__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")
