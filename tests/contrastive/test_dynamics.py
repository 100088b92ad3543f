"""The simulation: the two phases, the frozen gap, the drift on the sphere, starts and breakdowns."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from gapkit.contrastive import (
    contrastive_gradient,
    contrastive_loss,
    doubly_stochastic_defect,
    q_matrices,
    simulate,
    starting_pairs,
)
from gapkit.contrastive.initialisation import STARTS
from gapkit.errors import GapkitWarning, InputError

MILESTONES = [0, 10, 100, 1000, 4000]


@pytest.fixture(scope="module")
def free():
    return simulate("cones", record=MILESTONES)


@pytest.fixture(scope="module")
def free_closely():
    return simulate("cones", steps=30, record=range(31))


@pytest.fixture(scope="module")
def on_sphere():
    return simulate("cones", sphere=True, record=MILESTONES)


def test_free_gap_freezes_after_the_variance_along_it_collapsed(free):
    assert free.variance_along_gap_y[0] == pytest.approx(1.0, abs=0.3)
    assert free.variance_along_gap_y[1] < 0.01
    assert free.variance_along_gap_x[1] < 0.01
    assert free.variance_along_gap_y[2] < 1e-4
    assert abs(free.gap[4] - free.gap[2]) < 1e-4
    assert free.gap[4] == pytest.approx(0.995, abs=0.01)
    assert free.accuracy[0] < 0.05
    assert free.accuracy[2] == free.accuracy[4] == 1.0
    assert free.defect[0] == pytest.approx(0.605, abs=0.05)
    assert free.defect[1] == pytest.approx(0.010, abs=0.004)
    assert free.defect[2] < 1e-3


def test_on_the_sphere_the_gap_drifts(on_sphere):
    np.testing.assert_allclose(on_sphere.gap, [0.891, 0.887, 0.749, 0.683, 0.648], atol=0.01)
    np.testing.assert_allclose(np.linalg.norm(on_sphere.x, axis=-1), 1, atol=1e-12)
    assert on_sphere.gap[2] - on_sphere.gap[4] > 0.05  # not frozen
    assert on_sphere.accuracy[-1] == 1.0


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
@pytest.mark.parametrize("sphere", [False, True])
def test_a_step_takes_more_than_three_products_of_matrices(kind, sphere):
    """The similarities and a gradient for each side; whoever records every step pays more."""
    n, d, steps = 50, 8, 200
    with FlopCounterMode(display=False) as counter:
        simulate("cones", n=n, d=d, steps=steps, record=[], kind=kind, sphere=sphere)
    assert 3 <= counter.get_total_flops() / (2 * n * n * d) / steps < 3.5


def variance_along_the_gap(z, x, y):
    gap = y.mean(0) - x.mean(0)
    return ((z - z.mean(0)) @ gap / np.linalg.norm(gap)).var()


@pytest.mark.parametrize(
    ("step_size", "tau", "gap"), [(0.005, 0.05, 1.0), (0.002, 0.05, 1.0), (0.005, 0.1, 1.4)]
)
def test_in_the_regime_a_step_squares_the_factor_of_the_deviations_into_the_variance(step_size, tau, gap):
    run = simulate("cones", tau=tau, gap=gap, spread=5e-4, step_size=step_size, steps=4, record=range(5))
    factor = 1 - 4 * step_size * run.gap[0] ** 2 / tau
    for z in (run.x, run.y):
        variances = [variance_along_the_gap(z[i], run.x[i], run.y[i]) for i in range(5)]
        ratios = np.array(variances[1:]) / variances[:-1]
        np.testing.assert_allclose(ratios, factor**2, rtol=0.04)
        assert np.all(np.abs(ratios / factor - 1) > 0.1)  # it is not the factor itself


def test_the_stability_limit_is_half_of_tau_over_the_squared_gap():
    """Just below τ/(2‖g‖²) the deviations die out, just above they grow."""
    last = {}
    for share in (0.9, 1.1):
        run = simulate("cones", tau=0.05, spread=1e-5, step_size=share * 0.025, steps=10, record=[0])
        last[share] = run.variance_along_gap_y[-1] / run.variance_along_gap_y[0]
    assert last[0.9] < 0.2
    assert last[1.1] > 5


def test_the_default_run_starts_outside_the_regime_and_overshoots():
    run = simulate("cones", steps=3)
    assert 0.02 * run.gap[0] / 0.05 == pytest.approx(0.4, abs=0.01)  # ε‖g‖/τ, not small
    assert run.variance_along_gap_y[1] > 1.1 * run.variance_along_gap_y[0]
    assert run.variance_along_gap_y[3] < 0.2 * run.variance_along_gap_y[0]
    middle = run.y - run.y.mean(1, keepdims=True)
    gap = run.y[0].mean(0) - run.x[0].mean(0)
    assert np.corrcoef(middle[0] @ gap, middle[1] @ gap)[0, 1] < -0.4  # thrown over


def test_what_the_partners_pull_out_of_the_other_directions_does_not_depend_on_tau():
    """Across the gap the mismatch of partners shrinks by (1 - 4η)² a step, slowly beside phase one."""
    for tau, step_size in ((0.05, 0.005), (0.02, 0.002)):
        run = simulate("cones", tau=tau, spread=1e-3, step_size=step_size, steps=20, record=[0])
        left = run.mismatch[1] / run.mismatch[0]
        assert left == pytest.approx((1 - 4 * step_size) ** 40, abs=0.05)


def test_in_phase_two_heights_along_the_gap_offset_the_popularity_without_them(free_closely):
    """(S⊥ - 1) τ/(2‖g‖): what keeps the column sums near 1 while the images spread sideways."""
    run = free_closely
    for step in (10, 15, 20, 25):
        x, y = run.x[run.nearest(step)], run.y[run.nearest(step)]
        gap = y.mean(0) - x.mean(0)
        along = gap / np.linalg.norm(gap)
        heights = (y - y.mean(0)) @ along
        popularity = q_matrices(x - np.outer(x @ along, along), y - np.outer(y @ along, along), 0.05)[0].sum(
            0
        )
        assert np.corrcoef(heights, popularity - 1)[0, 1] > 0.95
        slope = heights @ (popularity - 1) / ((popularity - 1) ** 2).sum()
        assert slope == pytest.approx(0.05 / (2 * np.linalg.norm(gap)), rel=0.15)
        defect = np.abs(q_matrices(x, y, 0.05)[0].sum(0) - 1).mean()
        assert defect < 0.2 * np.abs(popularity - 1).mean()


def test_on_the_sphere_repulsion_points_outwards_where_the_sums_are_one_and_partners_nearest(on_sphere):
    """∇_i·y_i from the two terms of Q alone; negative under the premises of the lesson's argument."""
    i, n, tau = on_sphere.steps.tolist().index(1000), 200, 0.05
    x, y = on_sphere.x[i], on_sphere.y[i]
    q = np.sum(q_matrices(x, y, tau), axis=0)
    sums = q_matrices(x, y, tau)[0].sum(0)
    own = (x * y).sum(1)
    expected = 2 / (n * tau) * ((1 - sums) + np.einsum("ki,ki->i", q, x @ y.T) - 2 * own)
    outward = (contrastive_gradient(x, y, tau)[1] * y).sum(1)
    np.testing.assert_allclose(outward, expected, atol=1e-12)
    assert np.all(x @ y.T <= own + 1e-12)  # every partner is the nearest
    assert np.abs(sums - 1).max() < 0.05
    assert np.all(outward < 0)


def test_one_step_is_one_step_of_gradient_descent():
    x, y = starting_pairs("no-gap", n=9, d=4, spread=0.5)
    run = simulate((x, y), tau=0.3, step_size=0.1, steps=1)
    grad_x, grad_y = contrastive_gradient(x, y, 0.3)
    np.testing.assert_allclose(run.x[1], x - 0.1 * 9 * 0.3 * grad_x, atol=1e-13)
    np.testing.assert_allclose(run.y[1], y - 0.1 * 9 * 0.3 * grad_y, atol=1e-13)


def test_a_riemannian_step_follows_the_tangent_and_stays_on_the_sphere():
    x, y = starting_pairs("isotropic", n=9, d=4, sphere=True)
    run = simulate((x, y), tau=0.3, step_size=1e-5, steps=1, sphere=True)
    moved = run.y[1] - y
    grad_y = contrastive_gradient(x, y, 0.3)[1]
    tangent = grad_y - (grad_y * y).sum(1, keepdims=True) * y
    np.testing.assert_allclose(moved, -1e-5 * 9 * 0.3 * tangent, atol=1e-9)
    assert np.abs((moved * y).sum(1)).max() < 1e-9


def test_recorded_numbers_are_those_of_the_recorded_positions():
    run = simulate("isotropic", n=30, d=6, tau=0.2, steps=50, record=[0, 17, 50])
    assert run.steps.tolist() == [0, 17, 50]
    for i in range(len(run)):
        x, y = run.x[i], run.y[i]
        gap = y.mean(0) - x.mean(0)
        along = (y - y.mean(0)) @ gap / np.linalg.norm(gap)
        relative = along.var() / (y.var(0).sum() / 6)
        assert run.loss[i] == pytest.approx(contrastive_loss(x, y, 0.2), rel=1e-12)
        assert run.defect[i] == pytest.approx(doubly_stochastic_defect(x, y, 0.2), rel=1e-9)
        assert run.gap[i] == pytest.approx(np.linalg.norm(gap), rel=1e-12)
        assert run.variance_along_gap_y[i] == pytest.approx(relative, rel=1e-9)
        assert run.alignment[i] == pytest.approx(((x - y) ** 2).sum(1).mean(), rel=1e-12)
        centred = (x - x.mean(0)) - (y - y.mean(0))
        assert run.mismatch[i] == pytest.approx((centred**2).sum(1).mean(), rel=1e-9)
        nearest = ((y[:, None] - x[None]) ** 2).sum(-1).argmin(1)
        assert run.accuracy[i] == pytest.approx((nearest == np.arange(30)).mean())


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_small_steps_lower_the_loss(kind):
    run = simulate("isotropic", n=40, d=8, tau=0.2, kind=kind, step_size=0.005, steps=200)
    assert np.all(np.diff(run.loss) < 1e-9)
    assert run.loss[-1] < run.loss[0] - 0.1


def test_with_stable_steps_a_lower_temperature_leaves_a_wider_gap_on_the_sphere():
    gaps = [
        simulate("cones", n=32, sphere=True, tau=tau, step_size=step, steps=round(10 / step), record=[]).gap[
            -1
        ]
        for tau, step in ((0.02, 0.005), (0.05, 0.01), (0.1, 0.02), (0.2, 0.02), (0.4, 0.02))
    ]
    assert np.all(np.diff(gaps) < -0.03)
    assert gaps[0] > 0.75
    assert gaps[-1] < 0.1


def test_same_seed_same_run_and_another_seed_another():
    first, again, other = (simulate(n=20, d=4, steps=20, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.y, again.y)
    assert np.abs(first.y - other.y).max() > 1e-3


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_learned_temperature_descends_the_loss_in_log_scale(kind):
    """One step of the learned parameters against autograd on SigLIP's and CLIP's own parametrisation."""
    x, y = starting_pairs("isotropic", n=9, d=4, sphere=True)
    run = simulate(
        (x, y), tau=0.2, sphere=True, kind=kind, learned=True, learned_rate=0.1, bias=-5.0, steps=1
    )
    scale = torch.tensor(2 / 0.2, dtype=torch.float64).log().requires_grad_()
    bias = torch.tensor(-5.0, dtype=torch.float64, requires_grad=True)
    logits = scale.exp() * torch.from_numpy(x @ y.T)
    if kind == "softmax":
        loss = -(logits.log_softmax(1).diagonal() + logits.log_softmax(0).diagonal()).mean()
    else:
        sign = 2 * torch.eye(9) - 1
        loss = -torch.nn.functional.logsigmoid(sign * (logits + bias)).sum() / 9
    loss.backward()
    assert 2 / run.tau[1] == pytest.approx(float((scale.detach() - 0.1 * scale.grad).exp()), rel=1e-9)
    expected_bias = -5.0 if bias.grad is None else float(bias.detach() - 0.1 * bias.grad)
    assert run.bias[1] == pytest.approx(expected_bias, rel=1e-9)


def test_learned_temperature_stops_at_openclips_limit():
    run = simulate("cones", n=40, d=8, sphere=True, tau=0.03, learned=True, learned_rate=0.5, steps=400)
    assert run.tau[0] == pytest.approx(0.03)
    assert run.tau.min() == pytest.approx(0.02, rel=1e-12)


def test_a_step_size_too_large_reports_the_step_and_keeps_what_was():
    with pytest.warns(
        GapkitWarning, match=r"finite numbers at step \d+ of 4000: step_size=100000 is too large"
    ):
        run = simulate("isotropic", n=20, d=4, tau=0.5, step_size=1e5)
    assert run.diverged_at is not None
    assert 0 < run.diverged_at < 4000
    assert run.steps[-1] == run.diverged_at - 1
    assert np.isfinite(run.loss).all()
    assert np.isfinite(run.x).all()
    assert len(run.x) == len(run.steps) == len(run.gap)
    assert simulate("isotropic", n=20, d=4, steps=20).diverged_at is None


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
@pytest.mark.parametrize("sphere", [False, True])
def test_a_learned_rate_too_large_reports_the_step_and_keeps_what_was(kind, sphere):
    options = {"n": 20, "d": 4, "kind": kind, "sphere": sphere, "learned": True}
    with pytest.warns(
        GapkitWarning, match=r"learned tau left the finite numbers at step 1 of 50: learned_rate=1e\+09"
    ):
        run = simulate(learned_rate=1e9, steps=50, **options)
    assert run.diverged_at == 1
    assert run.steps.tolist() == [0]
    np.testing.assert_array_equal(run.x, simulate(steps=0, **options).x)
    assert np.isfinite(run.loss).all()
    assert np.isfinite(run.tau).all()


def test_with_a_learned_temperature_the_step_size_is_named_too():
    with pytest.warns(GapkitWarning, match=r"at step 2 of 50: .*step_size=100000 is too large"):
        run = simulate(n=20, d=4, learned=True, step_size=1e5, steps=50)
    assert run.steps.tolist() == [0, 1]
    assert np.isfinite(run.loss).all()


def test_on_the_sphere_no_step_size_leaves_the_finite_numbers_but_the_loss_shows_it():
    run = simulate("cones", n=20, d=4, sphere=True, step_size=1e5, steps=50)
    assert run.diverged_at is None
    np.testing.assert_allclose(np.linalg.norm(run.y, axis=-1), 1, atol=1e-12)
    assert run.loss[-1] > run.loss[0]


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("sphere", [False, True])
def test_every_start_runs_and_is_on_the_sphere_if_asked(start, sphere):
    x, y = starting_pairs(start, n=40, d=8, sphere=sphere)
    assert x.shape == y.shape == (40, 8)
    if sphere:
        np.testing.assert_allclose(np.linalg.norm(np.concatenate([x, y]), axis=1), 1, atol=1e-12)
    run = simulate(start, n=40, d=8, sphere=sphere, steps=20)
    assert run.loss[-1] < run.loss[0]


def test_starts_are_what_their_names_say():
    gap = {name: np.linalg.norm(np.subtract(*starting_pairs(name, n=2000)).mean(0)) for name in STARTS}
    assert gap["no-gap"] < 0.05
    assert all(gap[name] == pytest.approx(1, abs=0.05) for name in STARTS if name != "no-gap")
    x, y = starting_pairs("collapsed", n=50, d=16)
    assert np.linalg.matrix_rank(x - x.mean(0)) == np.linalg.matrix_rank(y - y.mean(0)) == 4
    x, y = starting_pairs("collapsed", n=50, d=16, collapsed_to=2, gap=0.0)
    assert np.linalg.matrix_rank(x) == 2
    assert np.linalg.norm(y.mean(0) - x.mean(0)) < 0.1
    x, y = starting_pairs("mismatched", n=50, d=16, spread=0.1)
    partner = ((y - y.mean(0))[:, None] - (x - x.mean(0))[None]) ** 2
    assert np.all(partner.sum(-1).argmin(1) == np.roll(np.arange(50), 1))
    x, y = starting_pairs("isotropic", n=4000, d=4)
    spectrum = np.linalg.eigvalsh(np.cov(y.T))
    assert spectrum.max() / spectrum.min() < 1.2


def test_no_gap_at_the_start_has_no_direction_to_measure_along():
    x = np.random.default_rng(0).normal(size=(10, 3))
    run = simulate((x, x.copy()), tau=0.5, steps=0)
    assert run.gap[0] == 0
    assert np.isnan(run.variance_along_gap_y[0])


def test_the_callers_start_is_left_alone():
    x, y = starting_pairs("cones", n=10, d=3)
    before = x.copy()
    run = simulate((x, y), steps=30)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(run.x[0], before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tau": 0}, "tau must be greater than 0"),
        ({"tau": -1.0}, "tau must be greater than 0"),
        ({"step_size": 0}, "step_size must be greater than 0"),
        ({"steps": -1}, "steps must be a whole number of at least 0"),
        ({"start": "cone"}, "did you mean 'cones'"),
        ({"kind": "hinge"}, "kind must be one of"),
        ({"record": [5, 5000]}, "record must hold steps in 0 … 4000"),
        ({"start": (np.ones((3, 2)), np.ones((2, 2)))}, "matched row by row"),
        ({"start": (np.ones(3), np.ones((2, 2)))}, "x must have shape"),
        ({"start": (np.ones((3, 2)), np.ones((3, 2))), "sphere": True}, "x must have rows of length 1"),
        ({"tau": 0.01, "learned": True}, "must start at least_tau=0.02 or above"),
        ({"n": 1}, "n must be a whole number of at least 2; got 1"),
        ({"d": True}, "d must be a whole number of at least 2; got True"),
        ({"start": "collapsed", "collapsed_to": 9}, "collapsed_to must lie in"),
        ({"collapsed_to": 2}, "belongs to start='collapsed'"),
        ({"spread": -1}, "spread must be at least 0"),
        ({"steps": 10.5}, "steps must be a whole number of at least .; got 10.5"),
        ({"steps": "5"}, "steps must be a whole number of at least .; got '5'"),
        ({"n": 20.5}, "n must be a whole number of at least .; got 20.5"),
        ({"d": 3.5}, "d must be a whole number of at least .; got 3.5"),
        ({"start": "collapsed", "collapsed_to": 2.5}, "collapsed_to must be a whole number"),
        ({"seed": -1}, "seed must be a whole number of at least 0; got -1"),
        ({"seed": 0.5}, "seed must be a whole number"),
        ({"record": ["a"]}, "every entry of record must be a whole number of at least .; got 'a'"),
        ({"record": [1.5]}, "every entry of record must be a whole number of at least .; got 1.5"),
        ({"record": [-1]}, "every entry of record must be a whole number of at least 0; got -1"),
        ({"record": 7}, "record must hold steps in 0 … 4000; got 7"),
        ({"start": 3}, r"a name or a pair of arrays \(x, y\); got 3"),
        ({"start": (np.ones((3, 2)),)}, r"a pair of arrays .*; got \(array"),
        ({"start": np.ones((3, 2))}, r"a pair of arrays .*; got array"),
        ({"learned_rate": "x"}, "learned_rate must be a number; got 'x'"),
        ({"learned_rate": -0.1}, "learned_rate must be at least 0"),
        ({"step_size": "0.1"}, "step_size must be a number; got '0.1'"),
        ({"tau": True}, "tau must be a number; got True"),
        ({"bias": None}, "bias must be a number; got None"),
    ],
)
def test_bad_input_is_named(options, message):
    with pytest.raises(InputError, match=message):
        simulate(**options)
