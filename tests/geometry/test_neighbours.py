"""Nearest neighbours: brute force, ties, rounding, blocks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gapkit.errors import InputError
from gapkit.geometry import galleries, nearest, neighbours
from gapkit.geometry.galleries import METRICS


def brute(y, x, metric):
    """The definition in extended precision, query by query."""
    y, x = y.astype(np.longdouble), x.astype(np.longdouble)
    answers = []
    for query in y:
        if metric == "euclidean":
            answers.append(np.argmin(((x - query) ** 2).sum(1)))
        else:
            scores = x @ query
            answers.append(np.argmax(scores / np.sqrt((x**2).sum(1)) if metric == "cosine" else scores))
    return np.array(answers)


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=25)
@given(st.integers(1, 30), st.integers(1, 25), st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_answers_are_those_of_brute_force(metric, m, k, d, seed):
    rng = np.random.default_rng(seed)
    y, x = rng.standard_normal((m, d)), rng.standard_normal((k, d)) + 2
    assert (nearest(y, x, metric=metric) == brute(y, x, metric)).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_duplicates_answer_with_the_lowest_index(rng, metric, dtype):
    x = rng.standard_normal((37, 129)).astype(dtype)
    gallery = np.vstack([x, x[::-1], x])
    answers = nearest(rng.standard_normal((200, 129)).astype(dtype), gallery, metric=metric)
    assert answers.max() < 37
    assert (nearest(x, gallery, metric="euclidean") == np.arange(37)).all()


def test_exact_ties_answer_with_the_lowest_index():
    assert nearest([[0.0, 0.0]], [[0.3, 0.4], [0.4, 0.3], [-0.5, 0.0]])[0] == 0


def test_float32_rounding_does_not_flip_close_calls(rng):
    # Distances differ by 2e-6 of themselves: float32 products get many of these wrong.
    d = 512
    y = rng.standard_normal((300, d)).astype(np.float32)
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    x = (y[0] + 1e-3 * rng.standard_normal((50, d))).astype(np.float32)
    assert (nearest(y, x) == brute(y, x, "euclidean")).all()


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("apart", [1e-6, 1e-7, 1e-9, 1e-11])
def test_a_query_on_a_candidate_is_not_taken_for_its_near_duplicate(rng, metric, apart):
    p, q, u = rng.standard_normal((3, 512)) / np.sqrt(512)
    gallery = np.vstack([p + apart * u, p, q, p])
    assert nearest(p[None], gallery, metric=metric)[0] == 1


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("away", [0.0, 1.0, 1e4])
def test_near_duplicates_far_from_the_query_are_told_apart(rng, metric, away):
    base, step, shift = rng.standard_normal((3, 200)) / np.sqrt(200)
    gallery = base + np.array([3.0, 1.0, 2.0, 0.0, 1.0])[:, None] * 1e-9 * step
    y = rng.standard_normal((50, 200)) / np.sqrt(200) + away * shift
    np.testing.assert_array_equal(nearest(y, gallery, metric=metric), brute(y, gallery, metric))


@pytest.mark.parametrize("metric", METRICS)
def test_one_long_row_does_not_tie_the_others(rng, metric):
    x = rng.standard_normal((49, 64)) / 8
    x[-1] *= 1e7
    y = x[rng.permutation(48)] + 0.3 * rng.standard_normal((48, 64)) / 8
    np.testing.assert_array_equal(nearest(y, x, metric=metric), brute(y, x, metric))


def test_the_first_of_rows_that_are_alike(rng):
    for x in (rng.integers(0, 2, (60, 4)) * 1.0, rng.standard_normal((9, 7))[rng.integers(9, size=80)]):
        expected = [next(j for j in range(len(x)) if (x[j] == row).all()) for row in x]
        assert neighbours.first_alike(torch.from_numpy(x)).tolist() == expected
        assert neighbours.first_alike(torch.from_numpy(np.asfortranarray(x))).tolist() == expected


@pytest.mark.parametrize("metric", METRICS)
def test_many_duplicates_are_answered_as_each_query_alone(rng, monkeypatch, metric):
    base = rng.standard_normal((6, 20))
    base[3] = base[1] + 1e-9 * rng.standard_normal(20)
    x = base[rng.integers(6, size=90)]
    y = base[rng.integers(6, size=300)] + 0.1 * rng.standard_normal((300, 20))
    found = nearest(y, x, metric=metric)
    np.testing.assert_array_equal(found, brute(y, x, metric))
    monkeypatch.setattr(neighbours, "_MANY", 10**9)
    np.testing.assert_array_equal(nearest(y, x, metric=metric), found)


def test_blocks_change_nothing(rng, monkeypatch):
    y, x = rng.standard_normal((50, 9)), rng.standard_normal((11, 9))
    whole = nearest(y, x)
    monkeypatch.setattr(galleries, "BLOCK_BYTES", 11 * 8 * 3 * 7)
    assert (nearest(y, x) == whole).all()


@pytest.mark.parametrize("metric", METRICS)
def test_rotating_both_sides_leaves_the_answers(rng, metric):
    y, x = rng.standard_normal((80, 12)), rng.standard_normal((9, 12))
    rotation = np.linalg.qr(rng.standard_normal((12, 12)))[0]
    assert (nearest(y @ rotation, x @ rotation, metric=metric) == nearest(y, x, metric=metric)).all()


def test_one_candidate_is_always_the_answer(rng):
    assert (nearest(rng.standard_normal((5, 3)), np.zeros((1, 3))) == 0).all()


def test_kind_of_the_answer_follows_the_input(rng):
    y, x = rng.standard_normal((2, 4, 3))
    assert isinstance(nearest(y, x), np.ndarray)
    answers = nearest(torch.from_numpy(y), torch.from_numpy(x))
    assert answers.dtype == torch.int64


@pytest.mark.parametrize(
    ("y", "x", "metric", "message"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), "euclidean", "same dimension"),
        (np.ones((2, 3)), np.ones((2, 3)), "euclidian", "did you mean 'euclidean'"),
        (np.zeros((2, 3)), np.ones((2, 3)), "cosine", "queries must have no zero row"),
        (np.ones((2, 3)), np.vstack([np.ones(3), np.zeros(3)]), "cosine", "row 1 is zero"),
        (np.full((2, 3), np.inf), np.ones((2, 3)), "dot", "must be finite"),
    ],
)
def test_bad_input_is_named(y, x, metric, message):
    with pytest.raises(InputError, match=message):
        nearest(y, x, metric=metric)
