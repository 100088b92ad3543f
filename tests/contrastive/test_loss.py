"""The loss against loops over its definition, against OpenCLIP, and against the slips people make with it."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gapkit.contrastive import (
    contrastive_loss,
    doubly_stochastic_defect,
    q_matrices,
)
from gapkit.contrastive.loss import softmax_pull, tau_from_logit_scale, tau_from_temperature
from gapkit.errors import InputError


def pairs(n=12, d=5, *, seed=0, unit=False):
    x, y = np.random.default_rng(seed).normal(size=(2, n, d))
    if unit:
        x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
    return x, y


def loss_by_loops(x, y, tau):
    """Eq. 6, term by term."""
    n, total = len(x), 0.0

    def s(i, j):
        return -sum((a - b) ** 2 for a, b in zip(x[i], y[j], strict=True)) / tau

    for i in range(n):
        total += s(i, i) - math.log(sum(math.exp(s(i, j)) for j in range(n)))
        total += s(i, i) - math.log(sum(math.exp(s(k, i)) for k in range(n)))
    return -total / n


@pytest.mark.parametrize("tau", [0.3, 1.0, 20.0])
def test_softmax_loss_is_equation_6_term_by_term(tau):
    x, y = pairs()
    assert contrastive_loss(x, y, tau) == pytest.approx(loss_by_loops(x, y, tau), rel=1e-12)


def test_softmax_loss_is_twice_openclips_at_logit_scale_2_over_tau():
    from gapkit._openclip import ensure_torchvision

    ensure_torchvision()
    from open_clip.loss import ClipLoss

    x, y = (torch.from_numpy(z) for z in pairs(unit=True))
    theirs = ClipLoss()(y, x, logit_scale=2 / 0.14)
    assert contrastive_loss(x, y, tau=0.14) == pytest.approx(2 * float(theirs), rel=1e-12)


def test_sigmoid_loss_is_openclips_siglip_on_the_sphere():
    from gapkit._openclip import ensure_torchvision

    ensure_torchvision()
    from open_clip.loss import SigLipLoss

    x, y = (torch.from_numpy(z) for z in pairs(unit=True))
    theirs = SigLipLoss()(y, x, logit_scale=2 / 0.2, logit_bias=torch.tensor(-7.0))
    ours = contrastive_loss(x, y, tau=0.2, kind="sigmoid", bias=-7.0)
    assert ours == pytest.approx(float(theirs), rel=1e-12)


def test_a_loss_that_counts_one_direction_twice_would_be_caught():
    """Transposing twice turns "symmetric" into image→text counted twice: it is not symmetric any more."""

    def transposed_twice(x, y, tau):
        s = -(torch.cdist(torch.from_numpy(y), torch.from_numpy(x)) ** 2) / tau  # images by rows
        target = torch.arange(len(x))
        one_way = torch.nn.functional.cross_entropy(s, target)
        other_way = torch.nn.functional.cross_entropy(s.T.T, target)
        return float(one_way + other_way)

    x, y = pairs()
    assert contrastive_loss(x, y, 0.7) == pytest.approx(contrastive_loss(y, x, 0.7), rel=1e-12)
    assert abs(transposed_twice(x, y, 0.7) - transposed_twice(y, x, 0.7)) > 0.1
    assert abs(transposed_twice(x, y, 0.7) - contrastive_loss(x, y, 0.7)) > 0.05


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), tau=st.floats(0.05, 5.0), shift=st.floats(-3, 3))
def test_softmax_loss_does_not_feel_a_constant_orthogonal_gap(seed, tau, shift):
    x, y = pairs(n=8, d=6, seed=seed)
    x[:, -1] = y[:, -1] = 0.0  # both sides constant along the last axis
    moved = y.copy()
    moved[:, -1] += shift
    assert contrastive_loss(x, moved, tau) == pytest.approx(contrastive_loss(x, y, tau), rel=1e-9, abs=1e-9)


def test_sigmoid_loss_feels_the_gap_and_its_bias_can_undo_it():
    x, y = pairs(n=8, d=6)
    x[:, -1] = y[:, -1] = 0.0
    moved = y.copy()
    moved[:, -1] += 0.5
    plain = contrastive_loss(x, y, 0.5, "sigmoid", bias=-4.0)
    assert abs(contrastive_loss(x, moved, 0.5, "sigmoid", bias=-4.0) - plain) > 0.01
    undone = contrastive_loss(x, moved, 0.5, "sigmoid", bias=-4.0 + 0.5**2 / 0.5)
    assert undone == pytest.approx(plain, rel=1e-12)


def test_q_matrices_are_the_two_softmaxes_in_the_stated_order():
    x, y = pairs()
    q_x, q_y = q_matrices(x, y, 0.8)
    weights = np.exp(-((x[:, None] - y[None]) ** 2).sum(-1) / 0.8)
    np.testing.assert_allclose(q_x, weights / weights.sum(1, keepdims=True), rtol=1e-11)
    np.testing.assert_allclose(q_y, weights / weights.sum(0, keepdims=True), rtol=1e-11)


def test_defect_is_the_mean_over_both_free_sums():
    x, y = pairs()
    q_x, q_y = q_matrices(x, y, 0.8)
    by_hand = (np.abs(q_x.sum(0) - 1).mean() + np.abs(q_y.sum(1) - 1).mean()) / 2
    assert doubly_stochastic_defect(x, y, 0.8) == pytest.approx(by_hand, rel=1e-12)
    assert by_hand > 0.1


def test_one_hub_image_gives_the_largest_defect():
    """All texts choose one image, and all images see the same texts: 2 - 2/N on one side, 0 on the other."""
    x = np.zeros((10, 2))
    y = np.full((10, 2), 50.0)
    y[3] = 0.0
    assert doubly_stochastic_defect(x, y, 0.1) == pytest.approx((1.8 + 0.0) / 2, abs=1e-9)


def test_far_from_the_origin_no_digits_are_lost():
    x, y = pairs()
    assert contrastive_loss(x + 1e6, y + 1e6, 0.8) == pytest.approx(contrastive_loss(x, y, 0.8), rel=1e-8)


def test_extreme_logits_do_not_overflow():
    x, y = pairs(unit=True)
    assert contrastive_loss(x, x, tau=1e-5) == pytest.approx(0.0, abs=1e-12)
    assert np.isfinite(contrastive_loss(x, y, tau=1e-5))
    assert np.isfinite(contrastive_loss(x, y, tau=1e-5, kind="sigmoid"))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e3, 1e5], ids=lambda scale: f"{scale:g}")
@pytest.mark.parametrize("far", ["nothing", "a column", "a row", "everything"])
def test_both_softmaxes_from_shared_exponentials_are_the_two_softmaxes(scale, far):
    s = -scale * torch.rand(9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    s[{"nothing": np.s_[:0], "a column": np.s_[:, 3], "a row": np.s_[2], "everything": np.s_[:]}[far]] -= 5000
    before = s.clone()
    loss, pull = softmax_pull(s)
    by_definition = (s.softmax(1) + s.softmax(0) - 2 * torch.eye(9)) / 9
    torch.testing.assert_close(pull, by_definition, rtol=1e-9, atol=1e-13)
    by_definition = -(s.log_softmax(1) + s.log_softmax(0)).diagonal().mean()
    torch.testing.assert_close(loss, by_definition, rtol=1e-12, atol=1e-12)
    assert torch.equal(s, before)


def test_kind_of_array_is_kept_and_inputs_are_left_alone():
    x, y = pairs()
    before = x.copy(), y.copy()
    assert all(isinstance(q, np.ndarray) for q in q_matrices(x, y, 1.0))
    assert all(isinstance(q, torch.Tensor) for q in q_matrices(torch.from_numpy(x), torch.from_numpy(y), 1.0))
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])


@given(st.floats(1e-6, 1e6))
def test_a_temperature_and_its_logit_scale_give_two_tau(temperature):
    assert tau_from_logit_scale(1 / temperature) == pytest.approx(tau_from_temperature(temperature))


def test_converter_agrees_with_the_softmax_of_a_clip_model():
    """The same probabilities from Eq. 6 at τ and from cosines at OpenCLIP's temperature."""
    x, y = pairs(unit=True)
    q_x, _ = q_matrices(x, y, tau_from_temperature(0.07))
    clip = torch.from_numpy(x @ y.T / 0.07).softmax(1).numpy()
    np.testing.assert_allclose(q_x, clip, rtol=1e-11)


@pytest.mark.parametrize("tau", [0, -0.1, float("nan"), "cold"])
@pytest.mark.parametrize("function", [contrastive_loss, q_matrices, doubly_stochastic_defect])
def test_bad_tau_is_refused_by_name(function, tau):
    with pytest.raises(InputError, match="tau must be"):
        function(*pairs(), tau)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((3, 4)), np.ones((2, 4)), "matched row by row; got 3 and 2"),
        (np.ones((3, 4)), np.ones((3, 5)), "same dimension; got d=4 and d=5"),
        (np.ones(4), np.ones((3, 4)), r"x must have shape \(n, d\); got \(4,\)"),
        (np.ones((0, 4)), np.ones((0, 4)), "x must not be empty"),
        (np.ones((3, 4)), np.full((3, 4), np.nan), "y must be finite"),
    ],
)
def test_bad_shapes_are_named(x, y, message):
    with pytest.raises(InputError, match=message):
        contrastive_loss(x, y, 0.1)


def test_unknown_kind_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'sigmoid'"):
        contrastive_loss(*pairs(), 0.1, "sigmoidal")


@pytest.mark.parametrize("converter", [tau_from_temperature, tau_from_logit_scale])
def test_converters_refuse_what_is_not_positive(converter):
    with pytest.raises(InputError, match="greater than 0"):
        converter(0.0)
