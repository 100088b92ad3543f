"""Figures that redraw fast enough for a slider, by blitting: only the artists that move are drawn again."""

import io
from collections.abc import Iterable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from gapkit.plots.style import STYLE, Drawn, figure_of, styled


class BlittedFigure:
    """What stays (axes, ticks, legends) is laid out and drawn once and kept as pixels; the rest goes over it.

    Subclasses draw the figure, call this ``__init__``, and move their artists in `axes`.

    Parameters
    ----------
    figure : the figure, of which the first picture decides the layout
    moving : the artists that change from picture to picture, in the order in which they are drawn
    dpi : dots per inch
    """

    def __init__(self, figure: Figure, moving: Iterable[Artist], *, dpi: int) -> None:
        figure.set_dpi(dpi)
        self._figure, self._moving = figure, tuple(moving)
        self._screen, self._still = FigureCanvasAgg(figure), None

    def axes(self, *values: Any, **named: Any) -> Any:
        """The axes, showing these values."""
        raise NotImplementedError

    @styled
    def png(self, *values: Any, **named: Any) -> bytes:
        """The same as PNG bytes, quickly."""
        self.axes(*values, **named)
        if self._still is None:
            self._still = self._draw_still()
        self._screen.restore_region(self._still)
        renderer = self._screen.get_renderer()
        for artist in self._moving:
            artist.draw(renderer)
        return _encoded(self._screen)

    def _draw_still(self):
        for artist in self._moving:
            artist.set_animated(True)  # leaves them out of this picture
        self._screen.draw()
        self._figure.set_layout_engine("none")
        for artist in self._moving:
            artist.set_animated(False)
        return self._screen.copy_from_bbox(self._figure.bbox)


def quick_png(drawn: Drawn, *, dpi: int = 90) -> bytes:
    """A picture as PNG bytes, larger than `gapkit.plots.style.png` makes them and sooner: for widgets."""
    figure = figure_of(drawn)
    figure.set_dpi(dpi)
    screen = FigureCanvasAgg(figure)
    with mpl.rc_context(STYLE):
        screen.draw()
    return _encoded(screen)


def _encoded(screen: FigureCanvasAgg) -> bytes:
    stream = io.BytesIO()
    pixels = Image.fromarray(np.asarray(screen.buffer_rgba())).convert("RGB")
    pixels.save(stream, "png", compress_level=3)  # packing tightly takes longer than drawing
    return stream.getvalue()
