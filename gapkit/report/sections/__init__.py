"""The sections of the report, one an experiment: which rows it prints, and which pictures it shows.

A `Section` stands in a tuple ``SECTIONS`` of one of the modules here; no list names it. The whole tables lie beside
the report as CSV.
"""

import functools
import html
import importlib
import io
import pkgutil
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.text import Text

from gapkit._format import number, with_interval
from gapkit.claims.decide import is_control
from gapkit.plots import plot_over, style
from gapkit.plots.style import PALETTE, STYLE, plain
from gapkit.report.view import short_model

INK = "#010203"
"""Drawn in this colour, a line or a letter takes the colour of the page's text."""

_INKED = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
THEMED = dict.fromkeys(_INKED, INK) | {"grid.color": "#7f7f7f"}
"""Settings to draw under, so that `inline_svg` can tell ink from colour."""
Tables = Mapping[str, pd.DataFrame]
Shown = str | Callable[[dict], str]
"""A column of a printed table: the name of the column, or what is said of a row."""


@dataclass(frozen=True)
class Picture:
    """One picture: its name, what it is drawn on, the sentence below it, and the one instead of it."""

    name: str
    axes: Axes
    caption: str
    alt: str


@functools.cache
def words_of(picture: str) -> Mapping[str, str]:
    """The title and the caption of a picture, in ``templates/pictures.toml``."""
    text = (Path(__file__).parents[1] / "templates" / "pictures.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)[picture]


def pictures(
    name: str,
    table: pd.DataFrame,
    draw: Callable[..., Axes],
    *columns: str,
    apart: tuple[str, ...] = (),
    file: tuple[str, ...] = (),
    legend: bool = False,
    told: Callable[[pd.DataFrame], Mapping] = lambda rows: {},
    **look,
) -> Iterator[Picture]:
    """A picture for each value of the columns ``apart`` (one, if there are none), and none of an empty table.

    Its alternative text says what its axes show, and from where to where the values go.

    Parameters
    ----------
    name : in ``pictures.toml``, which holds title and caption
    table : the rows of all pictures
    draw : called with the rows of one, the ``columns``, the title and ``look``
    columns : the last of them is what is shown
    apart : columns that tell pictures apart
    file : how the file's name starts, if not with ``name``; what the pictures differ in follows
    legend : under the axes, where it hides no curve
    told : what else title and caption are told of the rows of one picture
    """
    groups = table.groupby(list(apart), sort=False) if apart else [((), table)] if len(table) else []
    for key, rows in groups:
        model = rows["model"].iloc[0]
        known = {"model": model, "short": short_model(model)} | dict(zip(apart, key, strict=True))
        known |= told(rows)
        title, caption = (words_of(name)[part].format_map(known) for part in ("title", "caption"))
        axes = draw(rows, *columns, title=title, **look)
        title = axes.get_title(loc="left")
        for text in [text for text in axes.findobj(Text) if text.get_text() == title]:
            text.set_text(style.folded(title, int(7 * style.figure_of(axes).get_figwidth())))
        x, y = axes.get_xlabel(), axes.get_ylabel()
        if legend:
            legend_below(axes)
        ends = rows[columns[-1]].min(), rows[columns[-1]].max()
        span = " to ".join(number(round(end, 9), 2) for end in ends)
        alt = f"{title}. {f'{y} over {x}' if y else x}: {span}.".replace("\n", " ")
        yield Picture(slug(*(file or (name,)), *map(str, key)), axes, caption, alt)


@dataclass(frozen=True)
class Printed:
    """A table as text: headers and rows, and what it shows."""

    headers: list[str]
    rows: list[list[str]]
    caption: str


@dataclass(frozen=True)
class Section:
    """What the report shows of one experiment.

    Attributes
    ----------
    experiment : its name, which is that of its table too
    caption : of the printed table
    columns : header -> column
    draw : its pictures, from all tables
    keep : the rows that are printed
    drawn_from : the table that the pictures need, if not the experiment's own
    """

    experiment: str
    caption: str
    columns: Mapping[str, Shown]
    draw: Callable[[Tables], Iterator[Picture]]
    keep: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table
    drawn_from: str = ""

    def printed(self, tables: Tables) -> Printed | None:
        """The rows that the report prints; None if the experiment was not run."""
        if self.experiment not in tables:
            return None
        shown = [digits(show) if isinstance(show, str) else show for show in self.columns.values()]
        kept = self.keep(tables[self.experiment]).to_dict("records")
        rows = [[show(row) for show in shown] for row in kept]
        return Printed(list(self.columns), rows, self.caption)

    def pictures(self, tables: Tables) -> list[Picture]:
        """The pictures in the order of the report; none if their table is missing."""
        with mpl.rc_context(THEMED):
            return list(self.draw(tables)) if (self.drawn_from or self.experiment) in tables else []


@functools.cache
def sections() -> dict[str, Section]:
    """Name of an experiment -> its section."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    modules = (importlib.import_module(f"{__name__}.{name}") for name in names)
    return {section.experiment: section for module in modules for section in module.SECTIONS}


def digits(name: str, count: int = 3) -> Callable[[dict], str]:
    """A column as it is, numbers with so many digits."""

    def show(row: dict) -> str:
        value = row.get(name)
        return value if isinstance(value, str) else number(value, count)

    return show


def interval(name: str) -> Callable[[dict], str]:
    """A column with its 95 % interval."""
    return lambda row: with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"])


def predicted(row: dict) -> str:
    """The gain that the law predicts, or why it predicts none."""
    why = row.get("not_predicted")
    return f"not predicted: {why}" if isinstance(why, str) else number(row.get("predicted_gain"))


PLACE: dict[str, Shown] = {"model": "model", "dataset": "dataset"}
LEVEL: dict[str, Shown] = {"noise": "level", "σ per coordinate": digits("sigma_per_coordinate", 4)}
SPREAD: dict[str, Shown] = {"noise norm / spread of texts": digits("sigma_over_spread", 2)}
OUTCOME: dict[str, Shown] = {"robustness": interval("robustness"), "gain": interval("gain")}
OUTCOME |= {"predicted gain": predicted, "same clean answers": interval("agreement")}
OUTCOME |= {"clean accuracy": interval("clean_accuracy"), "noisy accuracy": interval("noisy_accuracy")}
OVER_ALPHA = {"xlabel": "α", "ylabel": "robustness", "closure": True}
GAIN = {"xlabel": "gain in robustness at α = 1", "counts": 0.01, "apart": ("dataset",)}
"""How `gapkit.plots.plot_over` and `gapkit.plots.plot_effects` are labelled in most sections."""


def closed(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with the gap closed, α = 1."""
    return table[table["alpha"] == 1.0]


def named(table: pd.DataFrame) -> pd.DataFrame:
    """With a column ``name``: the model as pictures call it."""
    return table.assign(name=[short_model(model) for model in table["model"]])


def first_model(table: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """The model whose curves are shown, and its rows."""
    model = table["model"].iloc[0]
    return model, table[table["model"] == model]


def trained(table: pd.DataFrame) -> pd.DataFrame:
    """The rows without the random control, if anything is left then."""
    kept = table[[not is_control(model) for model in table["model"]]]
    return kept if len(kept) else table


def legend_below(axes: Axes) -> None:
    """The legend under the axes, where it hides no curve, and room for it."""
    if axes.get_legend():
        axes.get_legend().remove()
    figure = style.figure_of(axes)
    figure.set_figheight(figure.get_figheight() + 0.5)
    style.legend_below(axes, frameon=False)


def over_steps(
    table: pd.DataFrame, name: str, quantity: str, words: str, digits: str, **look
) -> Iterator[Picture]:
    """`pictures` of a quantity over the steps, whose caption says what it came to at the end."""

    def told(rows: pd.DataFrame) -> dict[str, str]:
        last = rows.groupby(look["by"], sort=False)[quantity].last()
        return {"words": words, "ends": ", ".join(f"{each} {value:{digits}}" for each, value in last.items())}

    look |= {"file": (name, quantity), "told": told, "ylabel": words}
    return pictures(name, table, _over_steps, "step", quantity, **look)


def _over_steps(rows: pd.DataFrame, *columns: str, scale: str = "linear", **look) -> Axes:
    axes = plot_over(rows, *columns, **look)
    axes.set(xscale="log", yscale=scale)
    return axes


BY_DATASET = {"apart": ("dataset",)}
"""A picture for each dataset."""


def slug(*parts: str) -> str:
    """A file name from a picture's parts; of the path of a file of embeddings only its name."""
    parts = tuple(Path(part).stem if part.endswith(".safetensors") else part for part in parts)
    return "-".join("".join(c if c.isalnum() else "-" for c in part).strip("-") for part in parts)


def inline_svg(drawn, *, name: str, alt: str) -> str:
    """The picture as an ``<svg>`` element to put into a page.

    Parameters
    ----------
    drawn : axes or figure, drawn under `THEMED`
    name : unique on the page; the picture's inner names start with it
    alt : what a reader who cannot see it should know
    """
    stream = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.fonttype": "none", "svg.hashsalt": name}):
        plain(drawn).savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text.replace(INK, "var(--ink)").replace(PALETTE["gap"], "var(--ink)")
    text = re.sub(r'(id=")|(xlink:href="#)|(url\(#)', lambda m: f"{m[0]}svg-{name}-", text)
    head = text[: text.index(">") + 1]
    box = re.search(r'viewBox="([^"]+)"', head)[1]
    width, height = box.split()[2:]
    style = f"max-width:{float(width) * 1.35:.0f}px;aspect-ratio:{width}/{height}"
    spaces = 'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg"'
    opening = f'<svg role="img" aria-label="{html.escape(alt)}" viewBox="{box}" style="{style}" {spaces}>'
    return opening + re.sub(r"\n\s*", "\n", text[len(head) :])
