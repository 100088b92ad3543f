"""The contrastive loss of the paper's Eq. 6, its two softmax matrices, and SigLIP's loss beside it.

Everything starts from the similarities ``s_ij = -‖x_i - y_j‖²/τ`` of text i and image j. The loss
reaches the embeddings only through them, so one matrix, ``∂L/∂s``, carries the whole gradient.

One number is written in two ways: τ of Eq. 6 and the temperature that OpenCLIP trains. Between unit vectors
``‖x - y‖² = 2 - 2 x·y``, so ``-‖x - y‖²/τ`` is ``(2/τ) x·y`` minus a constant that the softmax ignores: the *logit
scale* is 2/τ. OpenCLIP calls its reciprocal the *temperature*. In gapkit ``tau`` always means τ, never the temperature.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from gapkit._arrays import LARGEST, SMALLEST, ArrayInput, ArrayLike, as_matrix, check_pairs, like
from gapkit._options import Number, check_choice, check_number

KINDS = ("softmax", "sigmoid")
"""The losses by name: CLIP's and SigLIP's."""
SIGLIP_BIAS = -10.0
"""The bias that SigLIP starts from."""
_SMALLEST_SUM = 1e-280
"""Sums of exponentials above this have lost nothing to underflow."""


def contrastive_loss(
    x: ArrayInput, y: ArrayInput, tau: Number, kind: str = "softmax", *, bias: Number = SIGLIP_BIAS
) -> float:
    """Symmetric contrastive loss of matched pairs: row i of ``x`` belongs to row i of ``y``.

    ``softmax`` is Eq. 6, ``L = -(1/N) Σ_i [log Qˣ(i,i) + log Qʸ(i,i)]``. For unit rows it is twice
    CLIP's loss at logit scale 2/τ, because CLIP averages the two directions and Eq. 6 adds them.

    ``sigmoid`` is SigLIP's loss, ``L = -(1/N) Σ_ij log σ(z_ij ℓ_ij)`` with ``z_ij = ±1`` for
    matched and unmatched pairs and ``ℓ_ij = s_ij + 2/τ + bias``, which for unit rows is SigLIP's own
    ``(2/τ) x_i·y_j + bias``.

    Parameters
    ----------
    x, y : (n, d) array-like, texts and images
    tau : τ of Eq. 6, positive (``tau_from_temperature`` converts)
    kind : "softmax" or "sigmoid"
    bias : SigLIP's logit bias; the softmax loss has none

    Raises
    ------
    InputError
        If τ ≤ 0, if the shapes differ, or if an entry is not finite.

    References
    ----------
    Radford et al. 2021 (CLIP); Zhai et al. 2023 (SigLIP); Chowers et al. 2026, Eq. 6.

    Examples
    --------
    With all embeddings in one point every candidate is as likely as the other: 2 log N.

    >>> import math
    >>> import numpy as np
    >>> abs(contrastive_loss(np.ones((8, 4)), np.ones((8, 4)), tau=0.1) - 2 * math.log(8)) < 1e-12
    True
    """
    x, y, tau = as_pairs(x, y, tau)
    check_choice(kind, "kind", KINDS)
    return float(loss_and_pull(similarities(x, y, tau), tau, kind, check_number(bias, "bias"))[0])


def q_matrices(x: ArrayInput, y: ArrayInput, tau: Number) -> tuple[ArrayLike, ArrayLike]:
    """Eq. 6's two softmax matrices ``(Qˣ, Qʸ)``, both indexed [text, image].

    ``Qˣ(k, i)`` is the probability that text k gives to image i: rows sum to 1.
    ``Qʸ(k, i)`` is the probability that image i gives to text k: columns sum to 1.
    The other sums, of the columns of Qˣ (written ``S_i``) and of the rows of Qʸ, need not be 1.

    Parameters
    ----------
    x, y : (n, d) array-like, texts and images
    tau : τ of Eq. 6, positive

    Returns
    -------
    two (n, n) float64 matrices, of the kind that came in

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.random.default_rng(0).normal(size=(2, 5, 3))
    >>> q_x, q_y = q_matrices(x, y, tau=0.5)
    >>> bool(np.allclose(q_x.sum(1), 1)), bool(np.allclose(q_y.sum(0), 1))
    (True, True)
    """
    x_rows, y_rows, tau = as_pairs(x, y, tau)
    s = similarities(x_rows, y_rows, tau)
    return like(s.softmax(1), x, y), like(s.softmax(0), x, y)


def doubly_stochastic_defect(x: ArrayInput, y: ArrayInput, tau: Number) -> float:
    """How far Qˣ and Qʸ are from being doubly stochastic, as Theorem 3.2 asks (derived).

    The mean of ``|Σ_k Qˣ(k,i) - 1|`` over images i and of ``|Σ_i Qʸ(k,i) - 1|`` over texts k, both
    together: 0 when the sums that are free are 1 as well, at most 2.

    Parameters
    ----------
    x, y : (n, d) array-like, texts and images
    tau : τ of Eq. 6, positive

    Examples
    --------
    Points turned on a circle see each other all in the same way:

    >>> import numpy as np
    >>> turn = np.arange(6) * np.pi / 3
    >>> circle = np.stack([np.cos(turn), np.sin(turn)], 1)
    >>> round(doubly_stochastic_defect(circle, 0.5 * circle, tau=0.3), 12)
    0.0
    """
    return defect_of(similarities(*as_pairs(x, y, tau)))


def tau_from_temperature(temperature: Number) -> float:
    """τ of Eq. 6 for a CLIP temperature (derived): τ = 2 · temperature.

    >>> tau_from_temperature(0.01)  # logit scale 100, where OpenCLIP stops
    0.02
    """
    return 2 * check_number(temperature, "temperature", above=0.0)


def tau_from_logit_scale(logit_scale: Number) -> float:
    """τ of Eq. 6 for a logit scale (``model.logit_scale.exp()``, not its logarithm): 2 / logit scale.

    >>> tau_from_logit_scale(100.0)
    0.02
    """
    return 2 / check_number(logit_scale, "logit_scale", above=0.0)


def as_pairs(x: ArrayInput, y: ArrayInput, tau: Number) -> tuple[Tensor, Tensor, float]:
    """``x`` and ``y`` as matched float64 matrices and ``tau`` as a positive number, or a clear error."""
    x, y = as_matrix(x, "x"), as_matrix(y, "y")
    check_pairs(x, "x", y, "y")
    tau = check_number(tau, "tau", above=0.0, most=LARGEST)
    return x, y, check_number(tau, "tau", least=SMALLEST)  # s and 1/τ² stay numbers


def similarities(x: Float[Tensor, "n d"], y: Float[Tensor, "n d"], tau: float) -> Float[Tensor, "n n"]:
    """``s_ij = -‖x_i - y_j‖²/τ``, from one matrix product around a common origin."""
    origin = (x[0] + y[0]) / 2  # so that clouds far from zero lose no digits
    x, y = x - origin, y - origin
    s = torch.addmm((y * y).sum(1) / -tau, x, y.T, alpha=2 / tau)
    return s.sub_((x * x).sum(1, keepdim=True) / tau).clamp_(max=0)


def defect_of(s: Float[Tensor, "n n"]) -> float:
    """`doubly_stochastic_defect` from the similarities."""
    images, texts = s.softmax(1).sum(0), s.softmax(0).sum(1)
    return float((torch.cat([images, texts]) - 1).abs().mean())


def loss_and_pull(
    s: Float[Tensor, "n n"], tau: float, kind: str, bias: float
) -> tuple[Float[Tensor, ""], Float[Tensor, "n n"]]:
    """The loss ``kind`` and ``∂L/∂s`` from the similarities."""
    return softmax_pull(s) if kind == "softmax" else sigmoid_pull(s, tau, bias)


def softmax_pull(s: Float[Tensor, "n n"]) -> tuple[Float[Tensor, ""], Float[Tensor, "n n"]]:
    """Eq. 6's loss and ``∂L/∂s = (Qˣ + Qʸ - 2I)/N`` from the similarities.

    Both softmaxes share their exponentials, which take longest: ``e^(s_ki)`` is that of row k relative to its
    largest entry, times a factor of the row. Where a column is so far off that those vanish, it gets its own.
    """
    n = len(s)
    highest = s.amax(1, keepdim=True)
    pull = (s - highest).exp_()
    rows = pull.sum(1, keepdim=True)
    top = highest.amax()
    factors = (highest - top).exp_()
    columns = factors.T @ pull
    if not columns.amin() > _SMALLEST_SUM:
        loss, pull = _two_softmaxes(s)
        return loss / n, pull.div_(n)
    loss = (highest + rows.log()).sum() + (columns.log() + top).sum() - 2 * s.diagonal().sum()
    pull.mul_(torch.addmm(1 / (n * rows), factors, 1 / (n * columns)))
    pull.diagonal().sub_(2 / n)
    return loss / n, pull


def _two_softmaxes(s: Float[Tensor, "n n"]) -> tuple[Float[Tensor, ""], Float[Tensor, "n n"]]:
    """N times what `softmax_pull` returns, by two softmaxes that know nothing of each other."""
    pull, log_evidence = 0.0, 0.0
    for candidates in (1, 0):
        highest = s.amax(candidates, keepdim=True)
        weights = (s - highest).exp_()
        total = weights.sum(candidates, keepdim=True)
        pull = weights.div_(total).add_(pull)
        log_evidence = log_evidence + (highest + total.log()).sum()
    pull.diagonal().sub_(2)
    return log_evidence - 2 * s.diagonal().sum(), pull


def sigmoid_pull(
    s: Float[Tensor, "n n"], tau: float, bias: float
) -> tuple[Float[Tensor, ""], Float[Tensor, "n n"]]:
    """SigLIP's loss and ``∂L/∂s = -z σ(-zℓ)/N`` from the similarities."""
    n = len(s)
    signed = -(s + (2 / tau + bias))
    signed.diagonal().neg_()
    loss = -torch.nn.functional.logsigmoid(signed).sum() / n
    pull = torch.sigmoid(-signed)
    pull.diagonal().neg_()
    return loss, pull.div_(n)
