"""Pictures of one figure in which only a few artists move, drawn fast enough for a slider."""

import io
from collections.abc import Iterable

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image


class Film:
    """What stays (axes, ticks, legends) is laid out and drawn once and kept as pixels; the rest goes over it.

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

    def png(self) -> bytes:
        """The figure as it is now, as PNG bytes; draw under the same style as the figure."""
        if self._still is None:
            self._still = self._draw_still()
        self._screen.restore_region(self._still)
        renderer = self._screen.get_renderer()
        for artist in self._moving:
            artist.draw(renderer)
        stream = io.BytesIO()
        pixels = Image.fromarray(np.asarray(self._screen.buffer_rgba())).convert("RGB")
        pixels.save(stream, "png", compress_level=3)
        return stream.getvalue()

    def _draw_still(self):
        for artist in self._moving:
            artist.set_animated(True)  # leaves them out of this picture
        self._screen.draw()
        self._figure.set_layout_engine("none")
        for artist in self._moving:
            artist.set_animated(False)
        return self._screen.copy_from_bbox(self._figure.bbox)
