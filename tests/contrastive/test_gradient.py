"""The closed-form gradient against autograd, and Theorems 3.1 and 3.2 as measurements."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gapkit.contrastive import (
    contrastive_gradient,
    doubly_stochastic_defect,
    gradient_along_gap,
    q_matrices,
    theorem_fit,
)
from gapkit.errors import InputError


def autograd(x, y, tau, kind="softmax", bias=-10.0):
    """The gradient of an independent writing of the loss."""
    x, y = (torch.tensor(z, dtype=torch.float64, requires_grad=True) for z in (x, y))
    s = -((x[:, None] - y[None]) ** 2).sum(-1) / tau
    if kind == "softmax":
        loss = -(s.log_softmax(1).diagonal() + s.log_softmax(0).diagonal()).mean()
    else:
        logits = s + 2 / tau + bias
        own = torch.eye(len(x), dtype=torch.bool)
        loss = -torch.nn.functional.logsigmoid(torch.where(own, logits, -logits)).sum() / len(x)
    return [grad.numpy() for grad in torch.autograd.grad(loss, (x, y))]


def clusters(spread, *, n=200, d=16, gap=1.0, seed=0):
    x, y = spread * np.random.default_rng(seed).normal(size=(2, n, d))
    x[:, 0] -= gap / 2
    y[:, 0] += gap / 2
    return x, y


def compare_with_theorem(x, y, tau):
    """Slope of the exact gradient along g against Theorem 3.1, residual, and the part off g."""
    g = y.mean(0) - x.mean(0)
    direction = g / np.linalg.norm(g)
    exact, theorem = contrastive_gradient(x, y, tau)[1], gradient_along_gap(x, y, tau)[1] @ direction
    along = exact @ direction
    slope = along @ theorem / (theorem @ theorem)
    residual = np.linalg.norm(along - theorem) / np.linalg.norm(theorem)
    off = np.linalg.norm(exact - np.outer(along, direction)) / np.linalg.norm(along)
    return slope, residual, off


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 20),
    d=st.integers(1, 10),
    tau=st.floats(0.02, 5.0),
    kind=st.sampled_from(["softmax", "sigmoid"]),
)
def test_closed_form_is_autograd(seed, n, d, tau, kind):
    x, y = np.random.default_rng(seed).normal(size=(2, n, d)) / np.sqrt(d)
    for ours, theirs in zip(contrastive_gradient(x, y, tau, kind), autograd(x, y, tau, kind), strict=True):
        assert np.abs(ours - theirs).max() < 1e-10 * max(1.0, np.abs(theirs).max())


def test_closed_form_is_autograd_for_tight_clusters_too():
    x, y = clusters(1e-4)
    for ours, theirs in zip(contrastive_gradient(x, y, 0.01), autograd(x, y, 0.01), strict=True):
        assert np.abs(ours - theirs).max() < 1e-10


def test_gradient_is_the_sum_of_attraction_and_repulsion():
    """The formula of the docstring, term by term."""
    x, y = np.random.default_rng(1).normal(size=(2, 7, 3))
    tau, n = 0.6, 7
    q_x, q_y = q_matrices(x, y, tau)
    for i in range(n):
        attraction = 2 * (y[i] - x[i])
        repulsion = sum((q_x[k, i] + q_y[k, i]) * (y[i] - x[k]) for k in range(n))
        expected = 2 / (n * tau) * (attraction - repulsion)
        np.testing.assert_allclose(contrastive_gradient(x, y, tau)[1][i], expected, rtol=1e-10)


def test_exchanging_the_sides_exchanges_the_gradients():
    x, y = np.random.default_rng(2).normal(size=(2, 9, 4))
    grad_x, grad_y = contrastive_gradient(x, y, 0.4)
    swapped_y, swapped_x = contrastive_gradient(y, x, 0.4)
    np.testing.assert_allclose(grad_x, swapped_x, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(grad_y, swapped_y, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("spread", [1e-4, 1e-5])
@pytest.mark.parametrize("seed", range(5))
def test_theorem_31_holds_in_its_regime(spread, seed):
    slope, residual, off = compare_with_theorem(*clusters(spread, seed=seed), tau=0.01)
    assert abs(slope - 1) < 0.01
    assert residual < 0.03
    assert off < 0.08


def test_theorem_fit_reports_these_three_numbers():
    x, y = clusters(5e-4)
    assert theorem_fit(x, y, 0.05) == pytest.approx(compare_with_theorem(x, y, 0.05), rel=1e-9)


def test_theorem_fit_needs_a_gap_and_a_spread():
    x = np.random.default_rng(0).normal(size=(5, 3))
    for pair in ((x, x), (np.zeros((5, 3)), np.ones((5, 3)))):
        with pytest.raises(InputError, match="needs a gap"):
            theorem_fit(*pair, 0.1)


@pytest.mark.parametrize("seed", range(5))
def test_theorem_31_fails_outside_its_regime(seed):
    _, residual, off = compare_with_theorem(*clusters(5e-3, seed=seed), tau=0.5)  # ‖g‖²/τ is only 2
    assert residual > 0.3
    assert off > 1  # most of the gradient is not along the gap at all
    slope, residual, _ = compare_with_theorem(*clusters(0.05, seed=seed), tau=0.01)  # ε‖g‖/τ is 5
    assert abs(slope - 1) > 0.5
    assert residual > 0.5


def test_theorem_31_holds_for_both_sides_and_points_outwards():
    x, y = clusters(1e-4)
    g = y.mean(0) - x.mean(0)
    for exact, theorem, z in zip(
        contrastive_gradient(x, y, 0.01), gradient_along_gap(x, y, 0.01), (x, y), strict=True
    ):
        assert np.linalg.norm(exact - theorem) < 0.1 * np.linalg.norm(theorem)
        # The gradient points away from the mean along g, so descent compresses.
        assert np.all(np.sign(theorem @ g) == np.sign((z - z.mean(0)) @ g))


def test_first_order_of_s_is_what_theorem_31_uses():
    """``S_i ≈ 1 - (2/τ) g·(y_i - μ_y)``: second order is smaller by the cluster's radius."""
    for spread, tolerance in ((1e-4, 0.05), (1e-5, 0.005)):
        x, y = clusters(spread)
        g = y.mean(0) - x.mean(0)
        q_x, _ = q_matrices(x, y, 0.01)
        first_order = -2 / 0.01 * (y - y.mean(0)) @ g
        error = np.abs(q_x.sum(0) - 1 - first_order).max()
        assert error < tolerance * np.abs(first_order).max()


@pytest.mark.parametrize("tau", [0.05, 0.3, 2.0])
@pytest.mark.parametrize("gap", [0.0, 0.7, 3.0])
def test_theorem_32_no_gradient_along_a_constant_direction_when_q_is_doubly_stochastic(tau, gap):
    """Points on cyclic orbits see each other alike, so both Q are circulant, hence doubly stochastic."""
    turn = 2 * np.pi * np.arange(11) / 11
    orbit = np.stack([np.cos(turn), np.sin(turn), np.cos(2 * turn), np.sin(2 * turn)], 1)
    x = np.concatenate([orbit, np.zeros((11, 1))], 1)
    y = np.concatenate([0.4 * np.roll(orbit, 2, axis=0), np.full((11, 1), gap)], 1)
    assert doubly_stochastic_defect(x, y, tau) < 1e-12
    grad_x, grad_y = contrastive_gradient(x, y, tau)
    assert np.abs(grad_x[:, -1]).max() < 1e-10
    assert np.abs(grad_y[:, -1]).max() < 1e-10
    assert np.abs(grad_y[:, :-1]).max() > 1e-3  # the other directions go on


def test_theorem_32_needs_double_stochasticity():
    """Constant along v but Q not doubly stochastic: the gradient along v is (2/(Nτ))(1 - S_i)(g·v)."""
    x, y = np.random.default_rng(3).normal(size=(2, 10, 4))
    x[:, -1], y[:, -1] = 0.0, 0.7
    q_x, _ = q_matrices(x, y, 0.9)
    expected = 2 / (10 * 0.9) * (1 - q_x.sum(0)) * 0.7
    np.testing.assert_allclose(contrastive_gradient(x, y, 0.9)[1][:, -1], expected, rtol=1e-10, atol=1e-14)
    assert np.abs(expected).max() > 0.01


def test_gradient_keeps_the_kind_and_refuses_bad_input():
    x, y = np.random.default_rng(4).normal(size=(2, 6, 3))
    assert all(isinstance(g, np.ndarray) for g in contrastive_gradient(x, y, 1.0))
    assert all(isinstance(g, torch.Tensor) for g in gradient_along_gap(torch.from_numpy(x), y, 1.0))
    for function in (contrastive_gradient, gradient_along_gap):
        with pytest.raises(InputError, match="tau"):
            function(x, y, 0)
        with pytest.raises(InputError, match="matched row by row"):
            function(x, y[:4], 1.0)
