"""The look of every picture of the book, and the way a picture gets into a notebook.

The colours are Okabe and Ito's, which people with any of the common colour-vision deficiencies can
tell apart; markers and line styles say the same thing again. Figures are made without pyplot: no global
state, nothing to close.
"""

import functools
import io
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.text import Text

from gapkit._options import Number
from gapkit.errors import InputError

Drawn = Axes | np.ndarray | Figure
"""What a picture function returns: axes, an array of axes, or a figure."""

PALETTE = {
    "texts": "#0072B2",
    "images": "#D55E00",
    "gap": "#222222",
    "green": "#009E73",
    "pink": "#CC79A7",
    "sky": "#56B4E9",
    "amber": "#E69F00",
    "grey": "#7F7F7F",
}
"""Colours by what they stand for, then the rest of Okabe and Ito's palette (2008)."""

SIDES = ("texts", "images")
MARKERS = {"texts": "o", "images": "^"}
SERIES = [PALETTE[name] for name in ("texts", "images", "green", "pink", "amber", "sky", "gap")]
LINES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (7, 3))]

SERIES_MARKERS = "os^Dv<>P"

STYLE = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.prop_cycle": mpl.cycler(color=SERIES, linestyle=LINES),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "figure.facecolor": "white",
    "font.size": 10,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}
"""What differs from matplotlib's defaults."""

_POWER = r"$\mathdefault{"
DPI = 110
"""Dots per inch of a displayed picture."""


def line_style(index: int, *, marker: bool = False) -> dict:
    """Colour and line style of a picture's series number ``index``, and its marker if wanted, as options of `Axes.plot`."""
    look = {"color": SERIES[index % len(SERIES)], "linestyle": LINES[index % len(LINES)]}
    return look | ({"marker": SERIES_MARKERS[index % len(SERIES_MARKERS)]} if marker else {})


def legend_below(
    axes: Drawn, *, columns: int | None = 2, order: Iterable[str] | None = None, **options: Any
) -> None:
    """One legend for one or several axes, under their figure and out of the way of the data.

    Parameters
    ----------
    axes : whose entries it names, those of one name once
    columns : how many; None for as many as its longest entry leaves room for, and a taller figure if there are few
    order : what it may name, in this order; all in the order of drawing when left out
    **options : of `matplotlib.figure.Figure.legend`
    """
    entries: dict[str, Any] = {}
    for ax in np.atleast_1d(np.asarray(axes, dtype=object)):
        entries |= {label: handle for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    names = [name for name in order or entries if name in entries]
    figure = figure_of(axes)
    if columns is None:
        inches = 0.75 + 0.075 * max(map(len, names))
        columns = min(int(np.clip(figure.get_figwidth() / inches, 1, 5)), len(names))
        figure.set_figheight(figure.get_figheight() + 0.2 * (-(-len(names) // columns) - 1))
    columns = min(columns, len(names)) or 1
    while columns > 1 and sum(map(_inches, np.array_split(names, columns))) > figure.get_figwidth():
        columns -= 1
    shown = [folded(name, max(1, int((figure.get_figwidth() - 0.6) / 0.069))) for name in names]
    height = 0.2 * sum(name.count("\n") + 1 for name in shown) / columns
    if (excess := height - 0.45 * figure.get_figheight()) > 0:  # it would leave the axes no room
        figure.set_figheight(figure.get_figheight() + excess)
    handles = [entries[name] for name in names]
    figure.legend(handles, shown, loc="outside lower center", ncols=columns, **options)


def _inches(names: np.ndarray) -> float:
    """How wide a column of a legend is."""
    return 0.55 + 0.069 * max(map(len, names))


def folded(words: object, width: int) -> str:
    """Long lines go on in the next one; matplotlib's own wrapping takes $ for mathematics."""
    return "\n".join(textwrap.fill(line, width) for line in str(words).splitlines())


def plain(drawn: Drawn) -> Figure:
    """The figure, whose words are shown as they are: names of models and data may hold signs of mathematics, or none
    that can be printed. What stands at the ticks of a logarithmic axis is matplotlib's own.
    """
    figure = figure_of(drawn)
    for text in figure.findobj(Text):
        words = text.get_text()
        if "$" in words and not words.startswith(_POWER):
            text.set_parse_math(False)
        if not words.replace("\n", "").isprintable():
            text.set_text("".join(sign if sign.isprintable() or sign == "\n" else " " for sign in words))
    return figure


def styled(function: Callable) -> Callable:
    """Decorator: draw in the book's style, and leave matplotlib's settings as they were."""

    @functools.wraps(function)
    def draw(*args, **kwargs):
        with mpl.rc_context(STYLE):
            drawn = function(*args, **kwargs)
        if isinstance(drawn, Axes | np.ndarray | Figure):
            plain(drawn)
        return drawn

    return draw


@styled
def canvas(
    rows: int = 1,
    columns: int = 1,
    *,
    width: Number | None = None,
    height: Number | None = None,
    ax: Axes | None = None,
    projection: str | None = None,
    layout: str | None = "constrained",
    **grid: Any,
) -> Any:
    """``ax`` itself, or new axes: one `Axes`, or an array of them for several rows or columns.

    Parameters
    ----------
    rows, columns : how many axes
    width, height : inches; usually 4.6 by 3.4 for each axes, at most 9 wide
    ax : axes to draw on instead
    projection : for example "3d"
    layout : matplotlib's layout engine; None for fixed margins, which draw faster
    **grid : further options of `matplotlib.figure.Figure.subplots`
    """
    if ax is not None:
        return ax
    width = min(9.0, 4.6 * columns) if width is None else width
    height = 3.4 * rows if height is None else height
    figure = Figure(figsize=(width, height), layout=layout)
    return figure.subplots(rows, columns, subplot_kw={"projection": projection}, **grid)


def figure_of(drawn: Drawn) -> Figure:
    """The figure behind axes, an array of axes, or a figure itself."""
    if isinstance(drawn, Figure):
        return drawn
    first = drawn if isinstance(drawn, Axes) else np.asarray(drawn, dtype=object).flat[0]
    return first.get_figure(root=True)


def png(drawn: Drawn, *, dpi: int = DPI, packing: int = 6) -> bytes:
    """The picture as PNG bytes; the same picture gives the same bytes, the sooner and the more the looser the packing."""
    figure, stream = plain(drawn), io.BytesIO()
    canvas_before, dpi_before = figure.canvas, figure.dpi
    with mpl.rc_context(STYLE):
        try:
            screen = FigureCanvasAgg(figure)
            figure.dpi = dpi
            screen.draw()  # lays out and draws in one go; savefig draws everything twice to the same end
            packed = {"pil_kwargs": {"compress_level": packing}}
            imsave(stream, screen.buffer_rgba(), format="png", dpi=dpi, metadata={"Software": None}, **packed)
        finally:
            figure.dpi = dpi_before
            figure.set_canvas(canvas_before)
    return stream.getvalue()


def show(drawn: Drawn, alt: str) -> None:
    """Display a picture in a notebook with its alternative text.

    Parameters
    ----------
    drawn : axes, an array of axes, or a figure
    alt : what a reader who cannot see the picture should know; required

    Raises
    ------
    InputError
        If ``alt`` is empty.
    """
    if not alt.strip():
        raise InputError("alt must say what the picture shows; got an empty text")
    from IPython.display import Image, display

    display(Image(png(drawn), alt=" ".join(alt.split())))
