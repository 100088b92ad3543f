"""Theorem 3.4 for any K and d: the derivative of robustness by a common offset of all λ, and its sign.

The formula is integrated by Gauss and Legendre's rule over the distance s = √t, where even f₁ ~ t^(-1/2) is
smooth; the probability it is compared with comes from Simpson's rule in scipy.
"""

import numpy as np
import pytest
from scipy import integrate, stats

from gapkit.robustness import robustness

GRID = [(1, 2), (1, 7), (2, 3), (3, 20), (7, 3), (39, 5), (127, 8), (512, 2), (512, 20)]


def density(t, d, lam):
    """scipy's noncentral χ² density; at λ = 0 the central one."""
    return stats.ncx2.pdf(t, d, lam) if lam > 0 else stats.chi2.pdf(t, d)


def survival(t, d, lam):
    """scipy's noncentral χ² tail (one minus the distribution function: its own tail overflows at some arguments)."""
    return 1 - stats.ncx2.cdf(t, d, lam)


def probability(d, lams, winner=0, points=2001):
    """The winner lands at distance s, all others beyond: Simpson's rule, and no derivative in it."""
    middle = np.sqrt(lams[winner] + d)
    s = np.linspace(max(middle - 10, 1e-9), middle + 10, points)
    others = [survival(s * s, d, lam) for j, lam in enumerate(lams) if j != winner]
    return integrate.simpson(2 * s * density(s * s, d, lams[winner]) * np.prod(others, axis=0), x=s)


def derivative(d, lams, winner=0):
    """∫ Σ_j [f_{i,d} f_{j,d+2} - f_{i,d+2} f_{j,d}] Π_{l≠i,j} S_l dt."""
    middle = np.sqrt(lams[winner] + d)
    low, high = max(middle - 10, 0), middle + 10
    nodes, weights = np.polynomial.legendre.leggauss(160)
    s, weights = low + (high - low) * (nodes + 1) / 2, weights * (high - low) / 2
    f, f2 = (np.array([density(s * s, n, lam) for lam in lams]) for n in (d, d + 2))
    tails = np.array([survival(s * s, d, lam) for lam in lams])
    total = np.zeros_like(s)
    for j in set(range(len(lams))) - {winner}:
        bracket = f[winner] * f2[j] - f2[winner] * f[j]
        total += bracket * np.prod(np.delete(tails, [winner, j], axis=0), axis=0)
    return float(weights @ (2 * s * total))


def finite_difference(d, lams, winner=0, h=0.05):
    """Fourth order: central where the smallest λ leaves room, else forward."""
    if lams.min() >= 2 * h:
        at, by = (-2, -1, 1, 2), (1, -8, 8, -1)
    else:
        at, by = (0, 1, 2, 3, 4), (-25, 48, -36, 16, -3)
    values = [probability(d, lams + k * h, winner) for k in at]
    return float(np.dot(by, values)) / (12 * h)


def draw(rng, candidates, *, on_it=False):
    """λ of an answer and its rivals, some near it and some far."""
    nearest = 0.0 if on_it else rng.uniform(0.2, 30)
    return nearest + np.concatenate([[0.0], np.sort(rng.exponential(rng.choice([1, 10]), candidates - 1))])


@pytest.mark.parametrize(("d", "candidates"), GRID)
@pytest.mark.parametrize("on_it", [False, True], ids=["apart", "query on its answer"])
def test_the_formula_is_the_derivative_and_never_positive(d, candidates, on_it):
    lams = draw(np.random.default_rng([d, candidates, on_it]), candidates, on_it=on_it)
    found = derivative(d, lams)
    assert found == pytest.approx(finite_difference(d, lams), abs=2e-7)
    assert found < 0  # strictly: the rivals are farther than the answer


@pytest.mark.parametrize(("d", "candidates"), GRID)
def test_the_sign_holds_on_random_problems(d, candidates):
    rng = np.random.default_rng([1, d, candidates])
    for i in range(20):
        assert derivative(d, draw(rng, candidates, on_it=i % 5 == 0)) < 0


@pytest.mark.parametrize("d", [1, 7, 512])
def test_candidates_all_alike_have_derivative_zero(d):
    assert derivative(d, np.full(4, 3.0)) == pytest.approx(0, abs=1e-13)
    assert probability(d, np.full(4, 3.0)) == pytest.approx(1 / 4, abs=1e-8)


@pytest.mark.parametrize(("d", "candidates"), GRID)
def test_the_package_falls_by_the_integral_of_the_formula(d, candidates):
    rng = np.random.default_rng([2, d, candidates])
    lams = draw(rng, candidates, on_it=d % 2 == 1)
    offset = 40.0
    first = np.eye(1, d)  # all candidates on one ray from the query, so that λ is what it should be
    before, after = (
        robustness(np.zeros((1, d)), np.sqrt(lams + c)[:, None] * first, sigma=1.0)[0] for c in (0, offset)
    )
    # In √c the derivative is smooth enough for few nodes.
    nodes, weights = np.polynomial.legendre.leggauss(12)
    roots = np.sqrt(offset) * (nodes + 1) / 2
    change = sum(
        w * np.sqrt(offset) * r * derivative(d, lams + r * r) for w, r in zip(weights, roots, strict=True)
    )
    assert after < before
    assert after - before == pytest.approx(change, abs=2e-5)


def test_the_farthest_rises_and_those_between_may_do_either():
    lams = np.array([5.0, 5.1, 40.0])
    offsets = (0, 50, 100, 200)
    runner_up = [probability(7, lams + c, winner=1) for c in offsets]
    np.testing.assert_allclose(runner_up, [0.4949, 0.4871, 0.4740, 0.4539], atol=5e-5)
    farthest = [probability(7, lams + c, winner=2) for c in offsets]
    assert np.all(np.diff(farthest) > 0)
    pair = [probability(7, lams[:2] + c, winner=1) for c in offsets]
    assert np.all(np.diff(pair) > 0)
    # The one between them does both: it takes from the answer first, and then loses to the farthest.
    assert derivative(7, lams, winner=1) > 1e-4
    assert derivative(7, lams + 50, winner=1) < -1e-4


@pytest.mark.parametrize("wrong", ["factor", "degrees"])
def test_a_wrong_constant_would_be_noticed(wrong):
    d, lams = 7, np.array([5.0, 7.0, 12.0])
    right = finite_difference(d, lams)
    changed = derivative(d, lams) / 2 if wrong == "factor" else derivative(d + 2, lams)
    assert abs(changed - right) > 1e-4
