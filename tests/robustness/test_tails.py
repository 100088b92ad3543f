"""Densities and tails against scipy and mpmath-free closed forms."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from gapkit.robustness.elevation import elevation_density
from gapkit.robustness.exact_euclidean import closed_form_log_survival, log_density
from gapkit.robustness.quadrature import Panels, falling_edges


def _tensor(values):
    return torch.as_tensor(np.asarray(values, dtype=float))


@pytest.mark.parametrize(("d", "bound"), [(128, 1e-5), (256, 3e-6), (512, 1e-6), (1024, 4e-7)])
@pytest.mark.parametrize("lam", [0.0, 1.0, 17.0, 70.0, 300.0, 3750.0, 1e5])
def test_closed_form_tail_agrees_with_scipy_densely_around_the_mean(d, lam, bound):
    mean, width = lam + d, np.sqrt(2 * d + 4 * lam)
    t = np.concatenate(
        [mean + width * np.linspace(-6, 6, 400), mean + width * np.linspace(-1e-3, 1e-3, 200), [mean]]
    )
    expected = 1 - stats.ncx2.cdf(t, d, lam) if lam else stats.chi2.sf(t, d)
    found = closed_form_log_survival(_tensor(np.sqrt(t)), _tensor(np.sqrt(lam)), d).exp().numpy()
    np.testing.assert_allclose(found, expected, atol=bound)


@pytest.mark.parametrize("d", [1, 2, 3, 17, 63, 64, 127, 512])
@pytest.mark.parametrize("rho", [0.0, 1e-4, 0.3, 4.0, 60.0])
def test_density_agrees_with_scipy(d, rho):
    middle = np.sqrt(rho**2 + d)
    r = np.linspace(max(0.02, middle - 4), middle + 4, 50)
    expected = 2 * r * (stats.ncx2.pdf(r**2, d, rho**2) if rho else stats.chi2.pdf(r**2, d))
    found = log_density(_tensor(r), _tensor(rho), d).exp().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-8)


@pytest.mark.parametrize("d", [1, 2, 30, 100, 512])
@pytest.mark.parametrize("rho", [1e5, 1e8, 1e11])
def test_density_keeps_its_digits_at_tiny_noise(d, rho):
    """Far from the origin R is N(ρ + (d − 1)/(2ρ), 1) but for O(1/ρ²)."""
    offset = np.linspace(-3, 3, 13)
    found = log_density(_tensor(rho + offset), _tensor(rho), d).exp().numpy()
    np.testing.assert_allclose(found, stats.norm.pdf(offset), atol=max(1e-7, 600 / rho))


@pytest.mark.parametrize("edges", [falling_edges(7.3, 512, 2), falling_edges(7.3, 1, 1000)])
def test_panels_integrate_and_so_does_the_running_integral(edges):
    rule = Panels(edges)
    nodes = rule.nodes
    assert float(rule.weights @ nodes.cos()) == pytest.approx(np.sin(7.3), abs=1e-12)
    before, after = (part.numpy() for part in rule.running(nodes.cos()))
    np.testing.assert_allclose(before, nodes.sin().numpy(), atol=1e-12)
    np.testing.assert_allclose(after, np.sin(7.3) - nodes.sin().numpy(), atol=1e-12)


def test_panels_of_rows_are_those_of_each_row():
    rows = torch.stack([_tensor([0.0, 0.4, 1.0]), _tensor([1.0, 1.5, 4.0])])
    for own, row in zip(rows, zip(*Panels(rows).running(Panels(rows).nodes.cos()), strict=True), strict=True):
        for found, expected in zip(row, Panels(own).running(Panels(own).nodes.cos()), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-14)


@pytest.mark.parametrize("d", [2, 3, 10, 70])
def test_elevation_density_is_a_density_whose_tail_is_what_conditioning_gives(d):
    turn = np.linspace(-np.pi / 2, np.pi / 2, 4001)
    for a, b in ((0.0, 0.0), (1.0, 0.0), (2.0, 5.0), (-3.0, 1.0)):
        found = elevation_density(_tensor(turn)[None], _tensor([[a]]), _tensor([[b]]), d)[0].numpy()
        assert integrate.simpson(found, x=turn) == pytest.approx(1, abs=1e-8)
        r = np.linspace(1e-6, np.sqrt(b * b + d) + 9, 4001)
        spread = log_density(_tensor(r), _tensor(b), d - 1).exp().numpy()
        for at in (1500, 2400):
            below = integrate.simpson(spread * stats.norm.cdf(np.tan(turn[at]) * r - a), x=r)
            assert integrate.simpson(found[: at + 1], x=turn[: at + 1]) == pytest.approx(below, abs=1e-6)
