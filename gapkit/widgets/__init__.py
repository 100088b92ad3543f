"""Sliders over the pictures: garnish, never the only way to see something.

Every widget is a plain function from the controls' values to a picture and a sentence, which is what
the tests test, and a panel that connects it. Each returns the panel; ``present(panel, …)`` displays it
with a sentence for readers without a kernel.
"""

from gapkit.widgets.measuring import gap_explorer, similarity_explorer
from gapkit.widgets.orthogonality import orthogonality_explorer
from gapkit.widgets.panel import panel, present
from gapkit.widgets.theory import boundary_explorer, dynamics_player

__all__ = [
    "boundary_explorer",
    "dynamics_player",
    "gap_explorer",
    "orthogonality_explorer",
    "panel",
    "present",
    "similarity_explorer",
]
