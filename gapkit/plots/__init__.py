"""Plots in one style and one palette; every function returns the axes it drew on.

Texts are always blue circles and images orange triangles, so no picture depends on
colour alone. ``show(axes, alt=…)`` shows a picture in a notebook with its alternative text.
matplotlib is loaded here and by what draws (`gapkit.widgets`, `gapkit.report`), never by the numerics; pandas
only by the pictures of tables.
"""

import lazy_loader

from gapkit._renamed import renamed

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={
    "boundary": ["boundary_legend", "plot_boundary", "plot_closing", "plot_distances", "plot_robustness"],
    "dynamics": ["plot_curves", "plot_final_gaps", "plot_frame", "plot_space", "plot_theorem_fit",
                 "plot_trajectory"],
    "experiments": ["plot_along_gap", "plot_before_after", "plot_cells", "plot_effects", "plot_over",
                    "plot_scatter", "plot_tradeoff"],
    "geometry": ["draw_clouds", "plot_pca", "plot_share", "plot_similarity", "plot_spectrum", "plot_sphere"],
    "style": ["PALETTE", "canvas", "show", "styled"],
})  # fmt: skip
__getattr__ = renamed(__name__, __getattr__)
