"""Figures that redraw fast enough for a slider, by blitting: only what moves is drawn again."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import Collection
from matplotlib.lines import Line2D
from matplotlib.text import Text
from PIL import Image

from gapkit.plots.style import STYLE, canvas, figure_of, styled

DPI = 90
"""Dots per inch of a widget's picture."""


class BlittedFigure:
    """Axes, ticks, legends and what is in the axes beforehand are drawn once and kept as pixels; the rest goes over them.

    Parameters
    ----------
    axes : one `Axes` or an array of them
    draw : draws lines, points and words for some values into the axes, always within the same limits
    """

    def __init__(self, axes: Axes | np.ndarray, draw: Callable[..., object]) -> None:
        self._axes, self._draw, self._still = axes, draw, None
        self._stay = set(self._inside())
        figure_of(axes).set_dpi(DPI)
        self._screen = FigureCanvasAgg(figure_of(axes))

    def axes(self, *values: Any) -> Any:
        """The axes, showing these values."""
        for artist in self._inside():
            if artist not in self._stay:
                artist.remove()
        with mpl.rc_context(STYLE):  # `styled` would look at every word of the figure
            self._draw(*values)
        return self._axes

    @styled
    def png(self, *values: Any) -> bytes:
        """The same as PNG bytes, quickly."""
        self.axes(*values)
        moving = [artist for artist in self._inside() if isinstance(artist, Text) or artist not in self._stay]
        if self._still is None:
            for artist in moving:
                artist.set_animated(True)  # leaves them out of this picture
            self._screen.draw()
            figure_of(self._axes).set_layout_engine("none")
            self._still = self._screen.copy_from_bbox(figure_of(self._axes).bbox)
            for artist in moving:
                artist.set_animated(False)
        self._screen.restore_region(self._still)
        renderer = self._screen.get_renderer()
        for artist in sorted(moving, key=Artist.get_zorder):
            artist.draw(renderer)
        pixels, stream = Image.fromarray(np.asarray(self._screen.buffer_rgba())).convert("RGB"), io.BytesIO()
        pixels.save(stream, "png", compress_level=3)  # packing tightly takes longer than drawing
        return stream.getvalue()

    def _inside(self) -> Iterator[Artist]:
        for ax in np.atleast_1d(np.asarray(self._axes, dtype=object)):
            yield from (part for part in ax.get_children() if isinstance(part, Line2D | Collection | Text))


def still_axes(width: float, height: float, **margins: float) -> Axes:
    """Axes with fixed margins: laying out a figure by its contents takes longer than drawing it."""
    ax = canvas(width=width, height=height, layout=None)
    figure_of(ax).subplots_adjust(**{"right": 0.98, "top": 0.95, **margins})
    return ax
