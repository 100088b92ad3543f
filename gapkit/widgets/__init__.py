"""Sliders for the pictures: an extra, never the only way to see something.

Every widget is a plain function from the controls' values to a picture and a sentence (a `View`), which
the tests check, and a `panel` that connects it to its controls, made by `slider` and `choice`. Each
returns the panel; ``present(panel, …)`` displays it with a sentence for readers without a kernel.
"""

import lazy_loader

from gapkit._renamed import renamed

# One by one: `closing` brings scikit-learn, 80 MB, which lessons with other widgets have no room for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "closing": ["closing_explorer"],
        "measuring": ["gap_explorer", "orthogonality_explorer", "similarity_explorer"],
        "panel": ["present"],
        "theory": ["boundary_explorer", "dynamics_player"],
    },
)
__getattr__ = renamed(__name__, __getattr__)
