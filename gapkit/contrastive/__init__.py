"""The contrastive loss: its value, its gradient, and what descent does to free embeddings.

Texts are ``x``, images ``y``; row i of one belongs to row i of the other.

References
----------
R. Chowers, O. Naparstek, U. Barzelay, Y. Weiss, *Is the Modality Gap a Bug or a Feature? A Robustness
Perspective*, CVPR 2026, arXiv 2603.29080: Eq. 6, Eq. 7, Theorems 3.1 and 3.2.
"""

from gapkit.contrastive.dynamics import Trajectory, simulate
from gapkit.contrastive.gradient import TheoremFit, contrastive_gradient, gradient_along_gap, theorem_fit
from gapkit.contrastive.initialisation import STARTS, starting_pairs, usual_gap_and_spread
from gapkit.contrastive.loss import (
    contrastive_loss,
    doubly_stochastic_defect,
    logit_scale_from_tau,
    q_matrices,
    tau_from_logit_scale,
    tau_from_temperature,
    temperature_from_tau,
)

__all__ = [
    "STARTS",
    "TheoremFit",
    "Trajectory",
    "contrastive_gradient",
    "contrastive_loss",
    "doubly_stochastic_defect",
    "gradient_along_gap",
    "logit_scale_from_tau",
    "q_matrices",
    "simulate",
    "starting_pairs",
    "tau_from_logit_scale",
    "tau_from_temperature",
    "temperature_from_tau",
    "theorem_fit",
    "usual_gap_and_spread",
]
