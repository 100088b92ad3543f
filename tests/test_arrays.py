"""What comes in: every kind of array that holds numbers, and one clear line for what does not."""

import numpy as np
import pytest
import torch

from gapkit._arrays import as_index, as_matrix
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
