"""Sliders over the pictures: garnish, never the only way to see something.

Every widget is a plain function from the controls' values to a picture and a sentence (a `View`), which
is what the tests test, and a `panel` that connects it to its controls, made by `slider` and `choice`. Each
returns the panel; ``present(panel, …)`` displays it with a sentence for readers without a kernel.
"""

import lazy_loader

from gapkit.widgets.measuring import gap_explorer, similarity_explorer
from gapkit.widgets.panel import View, choice, panel, present, slider
from gapkit.widgets.theory import boundary_explorer, dynamics_player

# These two bring scikit-learn and pandas, 80 MB, which lessons with other widgets have no room for.
__getattr__, _, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "closing": ["Outcome", "closing_explorer", "plot_closing"],
        "orthogonality": ["orthogonality_explorer"],
    },
)

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
