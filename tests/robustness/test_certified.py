"""Certified radii: a change just outside that flips the answer, and a search inside that does not find one."""

import numpy as np
import pytest
import torch
from scipy import optimize

from gapkit.robustness import certified_radius

METRICS = ("euclidean", "dot", "cosine")
PERTURBED = ("one row", "each row", "all rows", "query")


def _answer(y, x, metric):
    if metric == "euclidean":
        return ((x - y) ** 2).sum(1).argmin()
    return (x @ y / (np.linalg.norm(x, axis=1) if metric == "cosine" else 1)).argmax()


def _turned(vector, y, towards, radius):
    """``vector`` moved by ``radius`` so that its angle to y changes most; through the origin if it reaches it."""
    length = np.linalg.norm(vector)
    if radius >= length:  # the ball around it holds the origin, and a small ball around that: any direction
        return towards * y / np.linalg.norm(y) * (radius - length)
    across = towards * (y - (y @ vector) / length**2 * vector)
    across /= np.linalg.norm(across)
    sine = radius / length
    # The tangent from the origin to the ball around the vector.
    return vector + radius * (np.sqrt(1 - sine**2) * across - sine * vector / length)


def _moved(vector, y, nearer, radius, metric):
    """One row moved by ``radius`` where it gains (or loses) most."""
    sign = 1 if nearer else -1
    if metric == "euclidean":
        way = y - vector
        return vector + sign * radius * way / np.linalg.norm(way)
    if metric == "dot":
        return vector + sign * radius * y / np.linalg.norm(y)
    return _turned(vector, y, sign, radius)


def _attacks(y, x, metric, perturbed, radius):
    """The extremal changes of that size, pair by pair: perturbed (query, gallery) to try."""
    best = _answer(y, x, metric)
    for other in range(len(x)):
        if other == best:
            continue
        if perturbed == "query":
            unit = x / np.linalg.norm(x, axis=1, keepdims=True) if metric == "cosine" else x
            way = unit[other] - unit[best]
            yield y + radius * way / np.linalg.norm(way), x
            continue
        shares = {
            "one row": [(0, 1), (1, 0)],
            "each row": [(1, 1)],
            "all rows": [(np.cos(a), np.sin(a)) for a in np.linspace(0, np.pi / 2, 721)],
        }[perturbed]
        for mine, theirs in shares:
            moved = x.copy()
            moved[best] = _moved(x[best], y, False, radius * mine, metric)
            moved[other] = _moved(x[other], y, True, radius * theirs, metric)
            if np.linalg.norm(moved, axis=1).min() > 1e-9:
                yield y, moved


def _problem(rng, metric):
    d, k = int(rng.choice([2, 3, 6])), int(rng.choice([2, 3, 5]))
    x = rng.standard_normal((k, d)) * rng.uniform(0.3, 2, (k, 1))
    y = rng.standard_normal(d)
    if metric == "dot" and rng.random() < 0.5:
        y *= 3
    return y, x


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("perturbed", PERTURBED)
def test_just_outside_the_answer_flips(metric, perturbed):
    rng = np.random.default_rng(0)
    for _ in range(40):
        y, x = _problem(rng, metric)
        best = _answer(y, x, metric)
        radius = certified_radius(y[None], x, metric=metric, perturbed=perturbed)[0]
        outside = radius * (1 + 1e-3) + 1e-9
        assert any(_answer(*pair, metric) != best for pair in _attacks(y, x, metric, perturbed, outside))
        inside = radius * (1 - 1e-6)
        assert all(_answer(*pair, metric) == best for pair in _attacks(y, x, metric, perturbed, inside))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("perturbed", PERTURBED)
def test_a_search_inside_finds_nothing(metric, perturbed):
    rng = np.random.default_rng(1)
    for _ in range(6):
        y, x = _problem(rng, metric)
        best = _answer(y, x, metric)
        radius = certified_radius(y[None], x, metric=metric, perturbed=perturbed)[0] * (1 - 1e-6)
        for _ in range(300):
            change = rng.standard_normal(y.shape if perturbed == "query" else x.shape) * rng.random() ** 2
            if perturbed == "one row":
                change *= (np.arange(len(x)) == rng.integers(len(x)))[:, None]
            if perturbed == "each row":
                change /= np.linalg.norm(change, axis=1, keepdims=True)
            else:
                change /= np.linalg.norm(change)
            pair = (y + radius * change, x) if perturbed == "query" else (y, x + radius * change)
            assert _answer(*pair, metric) == best


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("perturbed", PERTURBED)
def test_an_optimiser_inside_comes_up_to_a_tie_and_no_farther(metric, perturbed):
    """Minimise the lead of the answer over all changes of the certified size: it ends at 0, neither below nor above."""
    rng = np.random.default_rng(2)
    y, x = _problem(rng, metric)
    x = 0.4 * x + rng.standard_normal(x.shape[1])  # angles well below π/2, where the lead is smooth
    best = _answer(y, x, metric)
    radius = certified_radius(y[None], x, metric=metric, perturbed=perturbed)[0]
    shape = y.shape if perturbed == "query" else x.shape

    def leads(query, gallery):
        if metric == "euclidean":
            costs = ((gallery - query) ** 2).sum(1)
        else:
            costs = -(gallery @ query) / (np.linalg.norm(gallery, axis=1) if metric == "cosine" else 1)
        return np.delete(costs, best) - costs[best]

    lowest = np.inf
    rows = range(len(x)) if perturbed == "one row" else [None]
    for row in rows:
        for rival in range(len(x) - 1):

            def lead(flat, row=row, rival=rival):
                change = flat.reshape(shape)
                if row is not None:
                    change = change * (np.arange(len(x)) == row)[:, None]
                if perturbed == "each row":
                    change = change / np.linalg.norm(change, axis=1, keepdims=True)
                else:
                    change = change / max(np.linalg.norm(change), 1e-12)
                pair = (y + radius * change, x) if perturbed == "query" else (y, x + radius * change)
                return leads(*pair)[rival]

            for _ in range(3):
                found = optimize.minimize(lead, rng.standard_normal(int(np.prod(shape))))
                lowest = min(lowest, found.fun)
    assert lowest == pytest.approx(0, abs=2e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_the_three_ways_to_measure_a_gallery_change_are_ordered(metric):
    rng = np.random.default_rng(3)
    for _ in range(20):
        y, x = _problem(rng, metric)
        one, each, joint = (
            certified_radius(y[None], x, metric=metric, perturbed=p)[0] for p in PERTURBED[:3]
        )
        assert each <= joint * (1 + 1e-12) <= one * (1 + 1e-12)
        assert one <= joint * np.sqrt(2) * (1 + 1e-9)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("perturbed", PERTURBED)
def test_duplicates_and_a_lone_candidate(metric, perturbed):
    y, x = np.array([[1.0, 0.2]]), np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    tied = certified_radius(y, x, metric=metric, perturbed=perturbed)[0]
    apart = certified_radius(y, x[1:], metric=metric, perturbed=perturbed)[0]
    # Moving the query cannot tell duplicates apart; moving a row can.
    assert tied == (pytest.approx(apart) if perturbed == "query" else 0)
    assert certified_radius(y, x[:1], metric=metric, perturbed=perturbed)[0] == np.inf


def test_a_zero_query_feels_no_gallery_under_the_dot_product():
    x = np.eye(2)
    assert certified_radius([[0.0, 0.0]], x, metric="dot")[0] == np.inf
    assert certified_radius([[0.0, 0.0]], x, metric="dot", perturbed="query")[0] == 0


def test_numbers_of_the_statement():
    y, x = np.zeros((1, 2)), np.array([[3.0, 0.0], [0.0, 5.0]])
    found = [certified_radius(y, x, perturbed=p)[0] for p in PERTURBED]
    np.testing.assert_allclose(found, [2, 1, np.sqrt(2), 16 / (2 * np.sqrt(34))])
    assert isinstance(certified_radius(torch.zeros(1, 2), torch.eye(2)), torch.Tensor)
