"""Pictures: one style, one palette, and every function returns what it drew on.

Texts are blue circles and images orange triangles wherever they appear, so that no picture depends on
colour alone. ``show(axes, alt=…)`` puts a picture into a notebook together with its alternative text.
Importing this module imports matplotlib; nothing else in gapkit does.
"""

from gapkit.plots.boundary import plot_boundary, plot_boundary_3d, plot_distances, plot_robustness
from gapkit.plots.dynamics import plot_curves, plot_final_gaps, plot_regime, plot_trajectory
from gapkit.plots.frames import FramePlayer, plot_frame
from gapkit.plots.geometry import plot_pca, plot_share, plot_similarity, plot_spectrum, plot_sphere
from gapkit.plots.style import PALETTE, STYLE, canvas, figure_of, png, show, styled

__all__ = [
    "PALETTE",
    "STYLE",
    "FramePlayer",
    "canvas",
    "figure_of",
    "plot_boundary",
    "plot_boundary_3d",
    "plot_curves",
    "plot_distances",
    "plot_final_gaps",
    "plot_frame",
    "plot_pca",
    "plot_regime",
    "plot_robustness",
    "plot_share",
    "plot_similarity",
    "plot_spectrum",
    "plot_sphere",
    "plot_trajectory",
    "png",
    "show",
    "styled",
]
