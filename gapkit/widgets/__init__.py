"""Sliders over the pictures: garnish, never the only way to see something.

Every widget is a plain function from the controls' values to a picture and a sentence (a `View`), which
is what the tests test, and a `panel` that connects it to its controls, made by `slider` and `choice`. Each
returns the panel; ``present(panel, …)`` displays it with a sentence for readers without a kernel.
"""

from gapkit.widgets.closing import Outcome, closing_explorer, plot_closing
from gapkit.widgets.measuring import gap_explorer, similarity_explorer
from gapkit.widgets.orthogonality import orthogonality_explorer
from gapkit.widgets.panel import View, choice, panel, present, slider
from gapkit.widgets.theory import boundary_explorer, dynamics_player

__all__ = [
    "Outcome",
    "View",
    "boundary_explorer",
    "choice",
    "closing_explorer",
    "dynamics_player",
    "gap_explorer",
    "orthogonality_explorer",
    "panel",
    "plot_closing",
    "present",
    "similarity_explorer",
    "slider",
]
