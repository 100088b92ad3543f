"""The gradient of the contrastive loss in closed form, and what Theorem 3.1 says is left of it.

The loss sees the embeddings through ``s_ij = -‖x_i - y_j‖²/τ`` only. With ``G = ∂L/∂s`` the chain rule
gives ``∂L/∂y_i = (2/τ) Σ_k G_ki (x_k - y_i)``: every text pulls image i towards itself or pushes it away.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from gapkit._arrays import ArrayInput, ArrayLike, like
from gapkit._options import Number, check_choice, check_number
from gapkit.contrastive.loss import KINDS, SIGLIP_BIAS, as_pairs, loss_and_pull, similarities
from gapkit.errors import InputError
from gapkit.geometry import gap_vector


def contrastive_gradient(
    x: ArrayInput, y: ArrayInput, tau: Number, kind: str = "softmax", *, bias: Number = SIGLIP_BIAS
) -> tuple[ArrayLike, ArrayLike]:
    """Gradient ``(∂L/∂x, ∂L/∂y)`` of `contrastive_loss`, in closed form (derived; the content of Eq. 7).

    For the softmax loss

    ``∂L/∂y_i = (2/(Nτ)) [2 (y_i - x_i) - Σ_k (Qˣ(k,i) + Qʸ(k,i)) (y_i - x_k)]``:

    descent pulls y_i to its partner and pushes it from every text in proportion to how much the two
    take each other for partners. ``∂L/∂x_i`` is the same with the roles exchanged.

    Parameters
    ----------
    x, y : (n, d) array-like, texts and images; any rows, not only unit rows
    tau : τ of Eq. 6, positive
    kind : "softmax" or "sigmoid"
    bias : SigLIP's logit bias

    Returns
    -------
    two (n, d) float64 matrices, of the kind that came in

    Examples
    --------
    The loss sees only differences x_i - y_j, so nothing ever moves the centre of all points together:

    >>> import numpy as np
    >>> x, y = np.random.default_rng(0).normal(size=(2, 5, 3))
    >>> grad_x, grad_y = contrastive_gradient(x, y, tau=0.5)
    >>> bool(np.allclose(grad_x.sum(0) + grad_y.sum(0), 0))
    True
    """
    x_rows, y_rows, tau = as_pairs(x, y, tau)
    check_choice(kind, "kind", KINDS)
    _, pull = loss_and_pull(similarities(x_rows, y_rows, tau), tau, kind, check_number(bias, "bias"))
    grad_x, grad_y = pull_on_rows(pull, x_rows, y_rows, tau)
    return like(grad_x, x, y), like(grad_y, x, y)


def gradient_along_gap(x: ArrayInput, y: ArrayInput, tau: Number) -> tuple[ArrayLike, ArrayLike]:
    """Theorem 3.1: what dominates the gradient of two tight clusters far apart, for both sides.

    ``∂L/∂y_i ≈ (4/(Nτ²)) [g·(y_i - μ_y)] g`` and the same for ``x_i - μ_x`` (the constant derived for
    Eq. 6 as `contrastive_loss` writes it): descent shrinks each cluster along the gap, first of all.

    The regime is ``‖g‖²/τ ≫ 1`` (the gap dwarfs the temperature) and ``ε‖g‖/τ ≪ 1`` for clusters of
    radius ε (the temperature blurs each of them into a point); together they imply ``ε ≪ ‖g‖``.
    Outside, the formula is wrong, and nothing here warns of it.

    Parameters
    ----------
    x, y : (n, d) array-like, texts and images
    tau : τ of Eq. 6, positive

    Returns
    -------
    two (n, d) float64 matrices: the approximations of ∂L/∂x and ∂L/∂y, of the kind that came in

    Examples
    --------
    >>> import numpy as np
    >>> x, y = 1e-4 * np.random.default_rng(0).normal(size=(2, 100, 8))
    >>> y[:, 0] += 1  # a gap of length 1 along the first axis
    >>> theorem = gradient_along_gap(x, y, tau=0.01)[1][:, 0]
    >>> exact = contrastive_gradient(x, y, tau=0.01)[1][:, 0]
    >>> bool(np.linalg.norm(exact - theorem) < 0.03 * np.linalg.norm(theorem))
    True
    """
    x_rows, y_rows, tau = as_pairs(x, y, tau)
    g = gap_vector(x_rows, y_rows)
    scale = 4 / (len(x_rows) * tau**2)
    along = [scale * torch.outer((z - z.mean(0)) @ g, g) for z in (x_rows, y_rows)]
    return like(along[0], x, y), like(along[1], x, y)


class TheoremFit(NamedTuple):
    """How well Theorem 3.1 describes the gradient of the images; exactly, it would give (1, 0, 0)."""

    slope: float
    residual: float
    off_gap: float


def theorem_fit(x: ArrayInput, y: ArrayInput, tau: Number) -> TheoremFit:
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


def pull_on_rows(
    pull: Float[Tensor, "n n"], x: Float[Tensor, "n d"], y: Float[Tensor, "n d"], tau: float
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
    """``(∂L/∂x, ∂L/∂y)`` from ``∂L/∂s``: (2/τ) Σ_j G_ij (y_j - x_i) and (2/τ) Σ_i G_ij (x_i - y_j)."""
    origin = (x[0] + y[0]) / 2  # differences only: a common origin near the points keeps the digits
    x, y = x - origin, y - origin
    # Products of few rows and many columns, not of many rows and few columns: that is twice as fast.
    grad_x = (x * pull.sum(1, keepdim=True)).sub_((y.T @ pull.T).T)
    grad_y = (y * pull.sum(0)[:, None]).sub_((x.T @ pull).T)
    return grad_x.mul_(-2 / tau), grad_y.mul_(-2 / tau)
