"""The contrastive loss: its value, its gradient, and what descent does to free embeddings.

Theorem 3.1 (descent shrinks the variance along the gap) is derived in `gapkit.contrastive.gradient`, and `simulate` shows
it happening.

Texts are ``x`` and images ``y``; row i of one is paired with row i of the other.

References
----------
R. Chowers, O. Naparstek, U. Barzelay, Y. Weiss, *Is the Modality Gap a Bug or a Feature? A Robustness
Perspective*, CVPR 2026, arXiv 2603.29080: Eq. 6, Eq. 7, Theorems 3.1 and 3.2.
"""

from gapkit._renamed import renamed
from gapkit.contrastive.dynamics import simulate
from gapkit.contrastive.gradient import contrastive_gradient, gradient_along_gap, theorem_fit
from gapkit.contrastive.initialisation import starting_pairs
from gapkit.contrastive.loss import contrastive_loss, doubly_stochastic_defect, q_matrices

__all__ = [
    "contrastive_gradient",
    "contrastive_loss",
    "doubly_stochastic_defect",
    "gradient_along_gap",
    "q_matrices",
    "simulate",
    "starting_pairs",
    "theorem_fit",
]

__getattr__ = renamed(__name__)
