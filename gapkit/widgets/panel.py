"""What every widget is made of: labelled controls, a picture with alternative text, a sentence below."""

import base64
import html
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets as ipw

from gapkit._options import Number
from gapkit.errors import InputError

_ACCESSIBLE = Path(__file__).with_name("panel.js").read_text(encoding="utf-8").partition("\n")[2]
"""What ipywidgets cannot say, said in the page when the first picture of a panel has loaded.

The handle of a slider has no name there, its readout no role, the buttons of a player no text; a new
picture replaces its sentence, while a live region must stay in the page for its changes to be read out; and
JupyterLab takes the arrow keys from lists unless they ask for them. Where scripts are forbidden all
controls still work; they then only lack these names.
"""


class View(NamedTuple):
    """What a callback returns: PNG bytes, alternative text, a sentence with the numbers, HTML over the picture."""

    png: bytes
    alt: str
    summary: str
    overlay: str = ""


def picture_html(view: View) -> str:
    """A figure element: picture with alternative text, the summary below it.

    The picture is a block, so that it fills its container exactly and an overlay placed in per cent of the
    container lies where it should. `panel` repeats the summary in a live region, which this element cannot
    be: it is replaced whenever a control moves.
    """
    source = base64.b64encode(view.png).decode()
    return (
        '<figure style="margin:0"><div style="position:relative;display:inline-block">'
        f'<img src="data:image/png;base64,{source}" alt="{html.escape(view.alt)}" '
        f'style="display:block;max-width:100%;height:auto" onload="{html.escape(_ACCESSIBLE)}">'
        f"{view.overlay}</div><figcaption>{html.escape(view.summary)}</figcaption></figure>"
    )


def panel(view: Callable[..., View], /, **controls: ipw.Widget) -> ipw.VBox:
    """Connect controls to a callback: whenever one changes, the picture and the sentence are redrawn.

    In the page every control has an accessible name, and the sentence is read out when it changes.

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
    box = ipw.VBox([row, output])
    box.add_class("gk-panel")
    return box


def slider(
    description: str,
    value: Number,
    low: Number,
    high: Number,
    step: Number,
    *,
    readout: str = ".2f",
    wait: bool = False,
) -> ipw.Widget:
    """A labelled slider, moved by pointer or arrow keys; its number can also be typed.

    Parameters
    ----------
    description : its label; a short one leaves room for the track
    value, low, high, step : where it starts and can go; a whole step makes it a slider of whole numbers
    readout : format of the number beside it
    wait : redraw only when it is let go, for slow callbacks

    Returns
    -------
    IntSlider or FloatSlider
    """
    kind, form = (ipw.IntSlider, "d") if isinstance(step, int) else (ipw.FloatSlider, readout)
    look = _labelled(description, "420px") | {"readout_format": form, "continuous_update": not wait}
    return kind(value=value, min=low, max=high, step=step, **look)


def limit(control: ipw.Widget, most: Callable[..., int], by: dict[str, ipw.Widget]) -> ipw.Widget:
    """A slider whose end is what ``most`` says whenever one of the controls ``by`` changes; at its end it stays there.

    Parameters
    ----------
    control : the slider
    most : its largest value for the values of these controls
    by : the controls that this depends on, before they are given to `panel`

    Returns
    -------
    The slider
    """

    def fit(_change=None) -> None:
        at_the_end = control.value == control.max
        control.max = most(*(other.value for other in by.values()))
        if at_the_end:
            control.value = control.max

    for other in by.values():
        other.observe(fit, names="value")
    fit()
    return control


def choice(description: str, options: Iterable, value: object) -> ipw.Widget:
    """One of a few options: a labelled drop-down list, which arrow keys move.

    Parameters
    ----------
    description : its label
    options : values, or pairs of a name and a value
    value : which one is chosen at first

    Returns
    -------
    Dropdown
    """
    return ipw.Dropdown(options=options, value=value, **_labelled(description, "260px"))


def _labelled(words: str, width: str) -> dict[str, Any]:
    look = {"style": {"description_width": "initial"}, "layout": ipw.Layout(width=width)}
    return {"description": words, **look}


def choose_set(models: list[str], datasets: tuple[str, ...]) -> dict[str, ipw.Widget]:
    """The controls ``model`` and ``dataset`` of an explorer of embeddings."""
    return {"model": choice("model", models, models[0]), "dataset": choice("dataset", datasets, datasets[0])}


def present(box: ipw.Widget, static: str) -> None:
    """Display a panel, with a sentence that stays where no kernel runs (GitHub, a saved lesson, a printed book).

    Parameters
    ----------
    box : what `panel` returned
    static : what such a reader should look at instead
    """
    from IPython.display import Markdown, display

    display(Markdown(f"*Run this cell to use the sliders. {static}*"))
    display(box)
