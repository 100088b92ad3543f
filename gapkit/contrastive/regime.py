"""Where Theorem 3.1 holds: its approximation against the exact gradient."""

from typing import NamedTuple

import torch

from gapkit.contrastive.gradient import contrastive_gradient, gradient_along_gap
from gapkit.contrastive.loss import as_pairs
from gapkit.errors import InputError
from gapkit.geometry import gap_vector


class TheoremFit(NamedTuple):
    """How well Theorem 3.1 describes the gradient of the images; exactly, it would give (1, 0, 0)."""

    slope: float
    residual: float
    off_gap: float


def theorem_fit(x, y, tau) -> TheoremFit:
    """Compare Theorem 3.1's approximation of ∂L/∂y with the exact gradient (derived).

    Parameters
    ----------
    x, y : (n, d) array-like, texts and images
    tau : τ of Eq. 6, positive

    Returns
    -------
    TheoremFit
        ``slope`` of the exact gradient along g against the theorem's (least squares through 0);
        ``residual`` ‖exact - theorem‖ / ‖theorem‖, both along g; ``off_gap`` the length of the exact
        gradient across g over its length along g.

    Raises
    ------
    InputError
        If there is no gap, or nothing varies along it: then the theorem says nothing.

    Examples
    --------
    >>> from gapkit.contrastive import starting_pairs
    >>> fit = theorem_fit(*starting_pairs("cones", spread=1e-4), tau=0.01)
    >>> abs(fit.slope - 1) < 0.01, fit.residual < 0.03, fit.off_gap < 0.08
    (True, True, True)
    """
    x, y, tau = as_pairs(x, y, tau)
    g = gap_vector(x, y)
    direction = g / torch.linalg.vector_norm(g)
    exact = contrastive_gradient(x, y, tau)[1]
    along, theorem = exact @ direction, gradient_along_gap(x, y, tau)[1] @ direction
    if not torch.isfinite(direction).all() or not theorem.any():
        raise InputError("theorem_fit needs a gap, and images that vary along it")
    norm = torch.linalg.vector_norm
    slope = along @ theorem / (theorem @ theorem)
    off_gap = norm(exact - torch.outer(along, direction)) / norm(along)
    return TheoremFit(float(slope), float(norm(along - theorem) / norm(theorem)), float(off_gap))
