"""What comes in: every kind of array that holds numbers, and one clear line for what does not."""

import numpy as np
import pandas
import pytest
import torch

import gapkit
from gapkit._arrays import as_index, as_matrix
from gapkit._options import check_whole
from gapkit.errors import InputError
from tests.mps import Mps, on_mps

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
    assert check_whole(10**30 + 1, "seed", most=10**31) == 10**30 + 1


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


@pytest.mark.parametrize(
    "tensors",
    [
        [torch.ones(3).bfloat16(), torch.zeros(3).bfloat16()],
        [torch.ones(3, requires_grad=True), torch.zeros(3)],
        (np.ones(3), torch.zeros(3).half()),
        [[torch.tensor(1.0), 1, 1.0], torch.zeros(3, requires_grad=True)],
    ],
    ids=["bfloat16", "gradients", "mixed", "nested"],
)
def test_lists_of_tensors_are_the_matrix_that_they_stack_to(tensors):
    assert as_matrix(tensors, "images").tolist() == [[1.0] * 3, [0.0] * 3]


def test_a_list_of_tensors_on_apples_gpu_is_brought_to_the_cpu():
    with Mps():
        assert as_matrix([on_mps(torch.ones(2)), on_mps(torch.zeros(2))], "images").tolist() == [
            [1, 1],
            [0, 0],
        ]


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"image": 1}, "a dict"),
        (None, "a NoneType"),
        ([None, 1.0], "a list with NoneType in it"),
        ([{"a": 1}], "a list with dict in it"),
        (torch.nn.Linear(2, 2), "a Linear"),
        (pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}), "a DataFrame with str in it"),
        ([torch.zeros(2), torch.zeros(3)], "a ragged list"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_holds_no_numbers_is_named_by_its_type(value, named):
    with pytest.raises(InputError) as fault:
        as_matrix(value, "images")
    assert str(fault.value).endswith(f"got {named}")
    assert "\n" not in str(fault.value)
