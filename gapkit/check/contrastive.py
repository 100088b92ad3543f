"""Checks for lesson 02: the loss and its gradient."""

import numpy as np
from scipy.special import softmax

from gapkit import contrastive
from gapkit.check import draws
from gapkit.check.engine import Check


def _distances(x, y):
    return ((x[:, None] - y[None]) ** 2).sum(2)


def _free_sums(x, y, tau):
    """The sums that need not be 1: of Qʸ over the images, then of Qˣ over the texts."""
    q_x, q_y = contrastive.q_matrices(x, y, tau)
    return np.concatenate([q_y.sum(1), q_x.sum(0)])


def _loss(s, first=1, second=0):
    n = np.arange(len(s))
    return -(np.log(softmax(s, first)[n, n]) + np.log(softmax(s, second)[n, n])).mean()


def _image_gradient(x, y, tau, *, attraction=2.0, both=True):
    s = -_distances(x, y) / tau
    weights = softmax(s, 1) + (softmax(s, 0) if both else 0)
    pull = attraction * (y - x) - (weights.sum(0)[:, None] * y - weights.T @ x)
    return 2 / (len(x) * tau) * pull


q_matrices = Check(
    "q_matrices",
    contrastive.q_matrices,
    draws.pairs_and_tau,
    parts=("Qˣ (the first result)", "Qʸ (the second result)"),
    mistakes=(
        ("returns the two matrices the wrong way round: rows of the first sum to 1",
         lambda x, y, tau: contrastive.q_matrices(x, y, tau)[::-1]),
        ("leaves out τ", lambda x, y, tau: contrastive.q_matrices(x, y, 1.0)),
        ("uses distances that are not squared",
         lambda x, y, tau: tuple(softmax(-np.sqrt(_distances(x, y)) / tau, axis) for axis in (1, 0))),
        ("gives the far candidates the high probabilities: s has a minus sign",
         lambda x, y, tau: tuple(softmax(_distances(x, y) / tau, axis) for axis in (1, 0))),
        ("is indexed [image, text]: rows belong to texts",
         lambda x, y, tau: tuple(q.T for q in contrastive.q_matrices(x, y, tau))),
    ),
)  # fmt: skip

column_sums = Check(
    "column_sums",
    lambda x, y, tau: contrastive.q_matrices(x, y, tau)[0].sum(0),
    draws.pairs_and_tau,
    mistakes=(
        ("is 1 for everybody: that is the sum along which the softmax was taken", lambda x, y, tau: np.ones(len(x))),
        ("says how popular each text is: one number for each image is asked for",
         lambda x, y, tau: contrastive.q_matrices(x, y, tau)[1].sum(1)),
        ("leaves out τ", lambda x, y, tau: contrastive.q_matrices(x, y, 1.0)[0].sum(0)),
        ("is an average: a sum over the texts is asked for", lambda x, y, tau: contrastive.q_matrices(x, y, tau)[0].mean(0)),
        ("makes far images popular: s has a minus sign", lambda x, y, tau: softmax(_distances(x, y) / tau, 1).sum(0)),
        ("uses distances that are not squared",
         lambda x, y, tau: softmax(-np.sqrt(_distances(x, y)) / tau, 1).sum(0)),
    ),
)  # fmt: skip

contrastive_loss = Check(
    "contrastive_loss",
    contrastive.contrastive_loss,
    draws.pairs_and_tau,
    mistakes=(
        ("is half of Eq. 6: the two directions are added there, not averaged",
         lambda x, y, tau: contrastive.contrastive_loss(x, y, tau) / 2),
        ("is a sum over the pairs: Eq. 6 has 1/N in front", lambda x, y, tau: contrastive.contrastive_loss(x, y, tau) * len(x)),
        ("has the wrong sign: a loss of probabilities is positive", lambda x, y, tau: -contrastive.contrastive_loss(x, y, tau)),
        ("counts one direction twice", lambda x, y, tau: _loss(-_distances(x, y) / tau, 1, 1)),
        ("counts one direction twice", lambda x, y, tau: _loss(-_distances(x, y) / tau, 0, 0)),
        ("leaves out τ", lambda x, y, tau: _loss(-_distances(x, y))),
        ("multiplies by τ where Eq. 6 divides", lambda x, y, tau: _loss(-_distances(x, y) * tau)),
    ),
)  # fmt: skip

image_gradient = Check(
    "image_gradient",
    lambda x, y, tau: contrastive.contrastive_gradient(x, y, tau)[1],
    draws.pairs_and_tau,
    mistakes=(
        ("is the gradient for the texts", lambda x, y, tau: contrastive.contrastive_gradient(x, y, tau)[0]),
        ("attracts with half the strength: both softmaxes contain the pair", lambda x, y, tau: _image_gradient(x, y, tau, attraction=1.0)),
        ("leaves out one of the two softmaxes", lambda x, y, tau: _image_gradient(x, y, tau, both=False)),
        ("leaves out the repulsion", lambda x, y, tau: 4 / (len(x) * tau) * (y - x)),
        ("is the gradient for τ = 1 divided by τ: τ is inside the softmax too",
         lambda x, y, tau: _image_gradient(x, y, 1.0) / tau),
    ),
)  # fmt: skip

gradient_along_gap = Check(
    "gradient_along_gap",
    lambda x, y, tau: contrastive.gradient_along_gap(x, y, tau)[1],
    draws.pairs_and_tau,
    mistakes=(
        ("projects onto g made a unit vector: both factors are g itself, of length ‖g‖",
         lambda x, y, tau: contrastive.gradient_along_gap(x, y, tau)[1] / np.sum((y.mean(0) - x.mean(0)) ** 2)),
        ("does not subtract the images' mean",
         lambda x, y, tau: 4 / (len(x) * tau**2) * np.outer(y @ (y.mean(0) - x.mean(0)), y.mean(0) - x.mean(0))),
    ),
)  # fmt: skip

doubly_stochastic_defect = Check(
    "doubly_stochastic_defect",
    contrastive.doubly_stochastic_defect,
    draws.pairs_and_tau,
    mistakes=(
        ("adds the two sides: average over all of them", lambda x, y, tau: 2 * contrastive.doubly_stochastic_defect(x, y, tau)),
        ("squares the deviations: take their absolute values", lambda x, y, tau: np.mean((_free_sums(x, y, tau) - 1) ** 2)),
        ("looks at the images only: the texts' sums of Qʸ are free as well",
         lambda x, y, tau: np.abs(_free_sums(x, y, tau)[len(x):] - 1).mean()),
    ),
)  # fmt: skip
