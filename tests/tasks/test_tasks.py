"""Answers and scores, against brute force and against each other."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import top_k_accuracy_score

from gapkit.errors import InputError
from gapkit.geometry import galleries
from gapkit.geometry.galleries import METRICS
from gapkit.tasks import (
    accuracy,
    agreement,
    k_occurrence,
    multiple_choice,
    nearest,
    prompt_ensemble,
    retrieval,
    zero_shot,
)
from gapkit.tasks.classification import answer_multiple_choice
from gapkit.tasks.retrieval import retrieval_ranks


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_zero_shot_is_accuracy_of_the_nearest_class(rng):
    x, y, labels = rng.standard_normal((6, 8)), rng.standard_normal((90, 8)), rng.integers(6, size=90)
    for metric in METRICS:
        assert zero_shot(y, x, labels, metric=metric) == (nearest(y, x, metric=metric) == labels).mean()


def test_agreement_is_not_accuracy():
    assert agreement([0, 1, 2], [0, 1, 2]) == 1
    assert accuracy([0, 1, 2], [2, 1, 0]) == pytest.approx(1 / 3)
    assert agreement(torch.tensor([0, 1]), np.array([0, 2])) == 0.5


# Prompt ensembles.


def test_an_ensemble_is_the_unit_mean_of_unit_prompts(rng):
    prompts, classes = rng.standard_normal((30, 5)), np.arange(30) % 4
    unit = prompts / np.linalg.norm(prompts, axis=1, keepdims=True)
    means = np.stack([unit[classes == c].mean(0) for c in range(4)])
    expected = means / np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(prompt_ensemble(prompts, classes), expected, atol=1e-14)
    single = prompt_ensemble(torch.from_numpy(prompts).float(), torch.from_numpy(classes))
    assert single.dtype == torch.float32


def test_an_ensemble_of_one_prompt_only_normalises(rng):
    prompts = rng.standard_normal((4, 5))
    lengths = np.linalg.norm(prompts, axis=1, keepdims=True)
    np.testing.assert_allclose(
        prompt_ensemble(prompts, [2, 0, 1, 3])[[2, 0, 1, 3]], prompts / lengths, atol=1e-15
    )


# Retrieval.


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=25)
@given(st.integers(2, 25), st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_ranks_are_positions_in_the_sorted_list(metric, n, d, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, n, d))
    ranks = retrieval_ranks(y, x, metric=metric)
    if metric == "euclidean":
        costs = ((y[:, None] - x) ** 2).sum(2)
    else:
        costs = -(y @ x.T) / (np.linalg.norm(x, axis=1) if metric == "cosine" else 1)
    expected = np.argsort(np.argsort(costs, axis=1, kind="stable"), axis=1)[np.arange(n), np.arange(n)]
    assert (ranks == expected).all()


def test_recall_at_one_is_accuracy_of_the_nearest(rng):
    x = rng.standard_normal((40, 6))
    y = x + 0.8 * rng.standard_normal((40, 6))
    scores = retrieval(x, y, k=(1, 5))
    assert scores["image_to_text_R@1"] == accuracy(nearest(y, x), np.arange(40))
    assert scores["text_to_image_R@1"] == accuracy(nearest(x, y), np.arange(40))
    similarity = -((y[:, None] - x) ** 2).sum(2)
    expected = top_k_accuracy_score(np.arange(40), similarity, k=5, labels=np.arange(40))
    assert scores["image_to_text_R@5"] == pytest.approx(expected)


def test_any_caption_of_an_image_counts_and_the_best_one_ranks(rng):
    images = rng.standard_normal((10, 6))
    owner = np.repeat(np.arange(10), 5)
    texts = images[owner] + rng.standard_normal((50, 6))
    scores = retrieval(texts, images, k=(1,), image_of_text=owner)
    assert scores["image_to_text_R@1"] == (owner[nearest(images, texts)] == np.arange(10)).mean()
    assert scores["text_to_image_R@1"] == (nearest(texts, images) == owner).mean()
    ranks = retrieval_ranks(images, texts, targets=(np.arange(10), owner))
    order = np.argsort(((images[:, None] - texts) ** 2).sum(2), axis=1)
    assert (ranks == [np.flatnonzero(owner[row] == i)[0] for i, row in enumerate(order)]).all()


def test_a_tied_target_ranks_by_its_index():
    x = np.array([[1.0], [0.0], [0.0], [0.0]])
    assert retrieval_ranks(np.zeros((4, 1)), x).tolist() == [3, 0, 1, 2]


def test_recall_never_falls_with_k(rng):
    x, y = rng.standard_normal((2, 60, 4))
    scores = retrieval(x, y, k=(1, 2, 5, 60))
    values = [scores[f"image_to_text_R@{k}"] for k in (1, 2, 5, 60)]
    assert values == sorted(values)
    assert values[-1] == 1


def test_small_blocks_change_no_task(rng, monkeypatch):
    x, y = rng.standard_normal((2, 60, 4))
    options = rng.standard_normal((60, 3, 4))
    whole = retrieval_ranks(y, x), k_occurrence(y, x, k=3), answer_multiple_choice(y, options)
    monkeypatch.setattr(galleries, "BLOCK_BYTES", 4000)
    small = retrieval_ranks(y, x), k_occurrence(y, x, k=3), answer_multiple_choice(y, options)
    for one, other in zip(whole, small, strict=True):
        assert (one == other).all()


# Ties: one rule for the nearest, the ranks and the hubs.


def _near_duplicates(rng, d, apart):
    """Twins and triplets ``apart`` from each other, in clusters far from each other; and queries among them."""
    centres = 3 * rng.standard_normal((4, d))
    x = centres[rng.integers(4, size=24)] + apart * rng.standard_normal((24, d))
    x[rng.integers(24, size=6)] = x[rng.integers(24, size=6)]
    near = x[rng.integers(24, size=24)] + apart * rng.standard_normal((24, d))
    return np.where(rng.random((24, 1)) < 0.7, near, rng.standard_normal((24, d))), x


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("apart", [1.0, 1e-5, 1e-8, 1e-12, 1e-15, 1e-16, 0.0])
def test_rank_nought_is_where_the_nearest_is_right(metric, apart):
    rng = np.random.default_rng(17)
    for _ in range(5):
        y, x = _near_duplicates(rng, int(rng.integers(1, 9)), apart)
        answers = nearest(y, x, metric=metric)
        # Every candidate once the target of every query: exactly one of them has rank 0.
        for target in range(len(x)):
            targets = np.full(24, target), np.arange(24)
            ranks = retrieval_ranks(y, x, targets=targets, metric=metric)
            assert ((ranks == 0) == (answers == target)).all()
        owner = rng.integers(5, size=24)
        owner[:5] = np.arange(5)
        wanted = rng.integers(5, size=24)
        ranks = retrieval_ranks(y, x, targets=(wanted, owner), metric=metric)
        assert ((ranks == 0) == (owner[answers] == wanted)).all()
        assert (k_occurrence(y, x, metric=metric) == np.bincount(answers, minlength=24)).all()


def _exact_costs(query, x, metric):
    """What is small for the nearest, from the doubles as they are and without rounding (cosine: 60 digits)."""
    y = [Fraction(t) for t in query.tolist()]
    rows = [[Fraction(t) for t in row] for row in x.tolist()]
    if metric == "euclidean":
        return [sum((a - b) ** 2 for a, b in zip(row, y, strict=True)) for row in rows]
    products = [sum(a * b for a, b in zip(row, y, strict=True)) for row in rows]
    if metric == "dot":
        return [-product for product in products]
    squares = [sum(a * a for a in row) for row in rows]
    with mpmath.workdps(60):
        ratios = [
            mpmath.mpf(p.numerator) / p.denominator / mpmath.sqrt(mpmath.mpf(s.numerator) / s.denominator)
            for p, s in zip(products, squares, strict=True)
        ]
        return [-ratio for ratio in ratios]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("apart", [1.0, 1e-4, 1e-7])
def test_ranks_and_hubs_of_near_duplicates_are_those_of_exact_arithmetic(metric, apart):
    rng = np.random.default_rng(18)
    y, x = _near_duplicates(rng, 3, apart)
    costs = [_exact_costs(query, x, metric) for query in y]
    order = np.array([sorted(range(24), key=lambda j, row=row: (row[j], j)) for row in costs])
    ranks = retrieval_ranks(y, x, metric=metric)
    assert ranks.tolist() == [row.tolist().index(i) for i, row in enumerate(order)]
    for k in (1, 2, 3, 7, 24):
        counts = np.bincount(order[:, :k].ravel(), minlength=24)
        assert k_occurrence(y, x, k=k, metric=metric).tolist() == counts.tolist()


def test_a_row_like_the_target_that_is_no_target_does_not_stand_for_it():
    alike = np.ones((4, 3))
    ranks = retrieval_ranks(np.ones((6, 3)), alike, targets=([1] * 6, [0, 0, 1, 1]))
    assert ranks.tolist() == [2] * 6


# Multiple choice.


@pytest.mark.parametrize("metric", METRICS)
def test_each_question_looks_at_its_own_options_only(rng, metric):
    y = rng.standard_normal((30, 6))
    counts = rng.integers(1, 6, size=30)
    options = [rng.standard_normal((count, 6)) for count in counts]
    expected = [nearest(query[None], own, metric=metric)[0] for query, own in zip(y, options, strict=True)]
    assert (answer_multiple_choice(y, options, metric=metric) == expected).all()


def test_the_two_forms_of_options_agree(rng):
    y, options = rng.standard_normal((20, 5)), rng.standard_normal((20, 4, 5))
    block = answer_multiple_choice(y, options)
    assert (block == answer_multiple_choice(y, list(options))).all()
    assert (block == answer_multiple_choice(torch.from_numpy(y), torch.from_numpy(options)).numpy()).all()
    assert multiple_choice(y, options, block) == 1


def test_the_first_of_equal_options_is_the_answer():
    assert answer_multiple_choice([[0.0]], [[[2.0], [-1.0], [1.0]]]) == 1
    assert answer_multiple_choice([[0.3, 0.1]], [[[1.0, 7.0]] * 4], metric="dot") == 0


# Hubs.


def test_occurrences_add_up_and_the_first_is_the_nearest(rng):
    x, y = rng.standard_normal((20, 5)), rng.standard_normal((100, 5))
    counts = k_occurrence(y, x)
    assert (counts == np.bincount(nearest(y, x), minlength=20)).all()
    five = k_occurrence(y, x, k=5)
    assert five.sum() == 500
    assert (five >= counts).all()
    assert (k_occurrence(y, x, k=20) == 100).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: zero_shot(np.ones((2, 3)), np.eye(3), [0, 3]), "labels must lie in 0 … 2"),
        (lambda: zero_shot(np.ones((2, 3)), np.eye(3), [0]), "must be as many"),
        (lambda: agreement([0, 1], [0]), "must be as many"),
        (lambda: accuracy([0.5], [0]), "whole numbers"),
        (lambda: prompt_ensemble(np.ones((2, 3)), [0, 2]), "class 1 has none"),
        (lambda: prompt_ensemble(np.ones((2, 3)), [0]), "one for each of 2 prompts"),
        (lambda: prompt_ensemble([[1.0, 0], [-1.0, 0]], [0, 0]), "cancel out"),
        (lambda: prompt_ensemble(np.zeros((1, 3)), [0]), "no zero row"),
        (lambda: retrieval_ranks(np.ones((2, 3)), np.ones((3, 3))), "without targets"),
        (lambda: retrieval_ranks(np.ones((2, 3)), np.ones((3, 3)), targets=([0, 1], [0, 0, 0])), "no target"),
        (lambda: retrieval_ranks(np.ones((2, 3)), np.ones((3, 3)), targets=([0], [0, 0, 0])), "must name 2"),
        (lambda: retrieval(np.ones((2, 3)), np.ones((2, 3)), k=(0,)), "at least 1"),
        (lambda: answer_multiple_choice(np.ones((2, 3)), [np.ones((2, 3))]), "one list for each"),
        (lambda: answer_multiple_choice(np.ones((1, 3)), [np.ones((0, 3))]), "must not be empty"),
        (lambda: answer_multiple_choice(np.ones((1, 3)), [np.ones((2, 4))]), "same dimension"),
        (lambda: multiple_choice(np.ones((1, 3)), np.ones((1, 2, 3)), [0, 1]), "must be as many"),
        (lambda: k_occurrence(np.ones((2, 3)), np.ones((4, 3)), k=5), "between 1 and the 4"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize("options", [np.zeros((2, 2, 1)), [np.zeros((3, 1)), np.zeros((2, 1))]])
def test_an_answer_beyond_the_options_counts_as_wrong(options):
    with pytest.raises(InputError, match="question 1 has 2, got 2"):
        multiple_choice([[0.0], [1.0]], options, [1, 2])
