"""What every widget is made of: labelled controls, a picture with alternative text, a sentence below."""

import base64
import html
from collections.abc import Callable
from typing import NamedTuple

import ipywidgets as ipw

from gapkit.errors import InputError


class View(NamedTuple):
    """What a callback returns: PNG bytes, alternative text, a sentence with the numbers, HTML over the picture."""

    png: bytes
    alt: str
    summary: str
    overlay: str = ""


def picture_html(view: View) -> str:
    """A figure element: picture with alternative text, the summary as a live region below it."""
    source = base64.b64encode(view.png).decode()
    return (
        '<figure style="margin:0"><div style="position:relative;display:inline-block">'
        f'<img src="data:image/png;base64,{source}" alt="{html.escape(view.alt)}" '
        f'style="max-width:100%;height:auto">{view.overlay}</div>'
        f'<figcaption role="status" aria-live="polite">{html.escape(view.summary)}</figcaption></figure>'
    )


def panel(view: Callable[..., View], /, **controls: ipw.Widget) -> ipw.VBox:
    """Connect controls to a callback: whenever one changes, the picture and the sentence are redrawn.

    Parameters
    ----------
    view : called with the controls' values by name; bad input is shown as text instead of a picture
    **controls : widgets with a ``value`` and a ``description``, in the order they are shown

    Returns
    -------
    VBox: the controls in one box, the picture's HTML below (``panel.children[-1].value``)
    """
    output = ipw.HTML()

    def redraw(_change=None) -> None:
        try:
            output.value = picture_html(view(**{name: control.value for name, control in controls.items()}))
        except InputError as fault:
            output.value = f'<p role="alert">{html.escape(str(fault))}</p>'

    for control in controls.values():
        control.observe(redraw, names="value")
    redraw()
    row = ipw.Box(list(controls.values()), layout=ipw.Layout(flex_flow="row wrap", grid_gap="4px 16px"))
    return ipw.VBox([row, output])


def slider(
    description: str, value, low, high, step, *, readout: str = ".2f", wait: bool = False
) -> ipw.Widget:
    """A labelled slider; ``wait`` redraws only when it is let go, for slow callbacks."""
    kind = ipw.IntSlider if isinstance(step, int) else ipw.FloatSlider
    return kind(
        value=value,
        min=low,
        max=high,
        step=step,
        description=description,
        readout_format="d" if kind is ipw.IntSlider else readout,
        continuous_update=not wait,
        style={"description_width": "initial"},
        layout=ipw.Layout(width="320px"),
    )


def choice(description: str, options, value) -> ipw.Widget:
    """One of a few options, as a slider that names where it stands.

    Not a drop-down list: JupyterLab takes the arrow keys from lists and radio buttons, and so shuts out
    who uses no mouse; a slider keeps them.
    """
    return ipw.SelectionSlider(
        options=options,
        value=value,
        description=description,
        style={"description_width": "initial"},
        layout=ipw.Layout(width="320px"),
    )


def present(box: ipw.Widget, static: str) -> None:
    """Display a panel, with a sentence for places where no kernel runs (GitHub, a printed book).

    Parameters
    ----------
    box : what `panel` returned
    static : what such a reader should look at instead
    """
    from IPython.display import Markdown, display

    display(Markdown(f"*Interactive in Jupyter. {static}*"))
    display(box)
