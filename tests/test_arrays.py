"""What comes in: every kind of array that holds numbers, and one clear line for what does not."""

import numpy as np
import pytest
import torch

import gapkit
from gapkit._arrays import as_index, as_matrix, check_whole
from gapkit.errors import InputError

PLAIN = np.array([[1.0, 2.0], [3.0, 4.5]])


@pytest.mark.parametrize(
    "given",
    [
        PLAIN.astype(">f8"),
        PLAIN.astype(">f4"),
        PLAIN.astype(np.longdouble),
        PLAIN.astype(np.float16),
        PLAIN.tolist(),
        np.asfortranarray(PLAIN),
        PLAIN[::-1][::-1],
        torch.from_numpy(PLAIN).to_sparse(),
        torch.from_numpy(PLAIN).half(),
    ],
    ids=["big-endian", "big-endian single", "long double", "half", "lists", "Fortran", "strides", "sparse", "torch half"],
)  # fmt: skip
def test_numbers_in_any_layout_are_the_same_numbers(given):
    assert as_matrix(given, "images").tolist() == PLAIN.tolist()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([[1.0, 2.0], [3.0]], "images must have rows of one length"),
        ([["a", "b"]], "images must hold real numbers"),
        (np.array([[1j, 2.0]]), "images must hold real numbers"),
        (np.array([[True, False]]), "images must hold real numbers"),
        (None, "images must hold real numbers"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_one_clear_line(given, said):
    with pytest.raises(InputError, match=said):
        as_matrix(given, "images")


@pytest.mark.parametrize("given", [[1.5], ["a"], [[1], [2, 3]], [True]])
def test_indices_must_be_whole_numbers(given):
    with pytest.raises(InputError):
        as_index(given, "labels", below=5)


def test_big_endian_indices_are_indices():
    assert as_index(np.array([1, 2], dtype=">i8"), "labels", below=3).tolist() == [1, 2]


@pytest.mark.parametrize(
    "value",
    [7, 7.0, np.int8(7), np.float32(7), np.array(7), np.array(7.0), torch.tensor(7), torch.tensor(7.0)],
)
def test_a_number_that_is_whole_is_refused_or_changes_its_kind(value):
    found = check_whole(value, "draws")
    assert found == 7
    assert type(found) is int


def test_a_whole_number_beyond_float64_loses_digits():
    assert check_whole(10**30 + 1, "seed") == 10**30 + 1


@pytest.mark.parametrize(
    "value",
    [
        6.5,
        0,
        -3,
        True,
        np.True_,
        torch.tensor(True),
        "7",
        b"7",
        None,
        np.nan,
        np.inf,
        [7],
        np.array([7, 8]),
        7j,
    ],
)
def test_what_is_no_whole_number_of_at_least_one_is_taken(value):
    with pytest.raises(InputError, match="draws must be a whole number of at least 1; got "):
        check_whole(value, "draws")


def test_one_count_takes_a_whole_float_and_another_refuses_it():
    pairs = gapkit.contrastive.starting_pairs(n=20.0, d=4.0, seed=1.0)
    run = gapkit.contrastive.simulate(pairs, steps=1e1, record=[1e1])
    assert run.steps.tolist() == [10]
    x, y = pairs
    options = {"sigma": 0.1, "method": "monte-carlo"}
    kept = gapkit.robustness(y, x, draws=1e1, memory_limit=1e8, **options)
    np.testing.assert_array_equal(kept, gapkit.robustness(y, x, draws=10, **options))
