"""Pictures as SVG that follows the page: light or dark, on a screen or printed."""

import io
import re

import matplotlib as mpl

from gapkit.plots.style import PALETTE, STYLE, figure_of

INK = "#010203"
"""Drawn in this colour, a line or a letter takes the colour of the page's text."""

THEMED = {
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": "#7f7f7f",
}
"""Settings to draw under, so that `inline_svg` can tell ink from colour."""


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
        figure_of(drawn).savefig(
            stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text.replace(INK, "var(--ink)").replace(PALETTE["gap"], "var(--ink)")
    text = re.sub(r'(id=")|(xlink:href="#)|(url\(#)', lambda m: f"{m[0]}svg-{name}-", text)
    head = text[: text.index(">") + 1]
    box = re.search(r'viewBox="([^"]+)"', head)[1]
    width, height = box.split()[2:]
    opening = (
        f'<svg role="img" aria-label="{escape(alt)}" viewBox="{box}" '
        f'style="max-width:{float(width) * 1.35:.0f}px;aspect-ratio:{width}/{height}" '
        'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg">'
    )
    return opening + re.sub(r"\n\s*", "\n", text[len(head) :])


def escape(text: str) -> str:
    """``text`` for an attribute."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
