"""Angles against fifty digits, from rows that nearly agree to rows that nearly oppose each other."""

import mpmath
import numpy as np
import pytest
import torch

from gapkit.geometry.neighbours import angles_from, prepare, squares_and_answers
from gapkit.robustness import certified_radius

TURNS = [0.0, 1e-12, 1e-9, 1e-6, 1e-3, 0.03, 0.7, 1.5, 2.5, 3.1]


def _exact_angle(u, v):
    """The angle between two rows of doubles, by the arc cosine with digits to spare."""
    with mpmath.workdps(50):
        u, v = (mpmath.matrix([mpmath.mpf(float(t)) for t in row]) for row in (u, v))
        cosine = mpmath.fdot(u, v) / mpmath.sqrt(mpmath.fdot(u, u) * mpmath.fdot(v, v))
        return mpmath.acos(max(-1, min(1, cosine)))


def _turned(rng, d, turns):
    """A row, and rows that are turned away from it by these angles."""
    basis = np.linalg.qr(rng.standard_normal((d, 2)))[0].T
    return basis[0], np.stack([np.cos(t) * basis[0] + np.sin(t) * basis[1] for t in turns])


@pytest.mark.parametrize("d", [2, 8, 512])
def test_angles_have_all_their_digits(d):
    turns = [*TURNS, *(np.pi - t for t in TURNS)]
    row, others = _turned(np.random.default_rng(d), d, turns)
    y, x = prepare(3.7 * row[None], others * np.linspace(0.5, 2, len(turns))[:, None], "cosine")
    found = angles_from(squares_and_answers(y, x, "cosine")[0], y, x)[0]
    for angle, one in zip(found.tolist(), x.numpy(), strict=True):
        exact = _exact_angle(y[0].numpy(), one)
        assert abs(angle - exact) < 2e-15
        if 1e-9 < exact < 0.1:
            assert abs(angle / exact - 1) < 1e-6 * min(1, 1e-9 / float(exact)) + 1e-12


def test_blocks_of_opposite_pairs_are_those_of_a_single_pair(monkeypatch):
    rng = np.random.default_rng(1)
    row, others = _turned(rng, 6, np.pi - np.geomspace(1e-9, 1e-3, 20))
    y, x = prepare(row[None], others, "cosine")
    squares = squares_and_answers(y, x, "cosine")[0]
    whole = angles_from(squares, y, x)
    monkeypatch.setattr("gapkit.geometry.galleries.BLOCK_BYTES", 12 * 64)
    assert torch.equal(angles_from(squares, y, x), whole)


@pytest.mark.parametrize("away", [1e-3, 1e-6, 1e-8])
def test_the_radius_of_two_rows_that_oppose_the_query(away):
    row, others = _turned(np.random.default_rng(2), 16, [np.pi - 3 * away, np.pi - away])
    between = _exact_angle(row, others[1]) - _exact_angle(row, others[0])
    found = certified_radius(row[None], others, metric="cosine")[0]
    assert abs(found - float(mpmath.sin(between))) < 3e-15


def test_inputs_are_left_alone():
    rng = np.random.default_rng(3)
    y, x = prepare(rng.standard_normal((4, 5)), -rng.standard_normal((7, 5)), "cosine")
    squares = squares_and_answers(y, x, "cosine")[0]
    kept = squares.clone(), y.clone(), x.clone()
    angles_from(squares, y, x)
    assert all(torch.equal(one, other) for one, other in zip(kept, (squares, y, x), strict=True))
