"""How values travel between the judge and a submission: whole, without pickle, and not too large."""

import io
import zipfile
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from teaching.inside import values


@pytest.mark.parametrize(
    "sent",
    [
        pd.Series([1.5, 2.0, -3.0]),
        np.array([1.5, 2.0, -3.0], dtype=np.longdouble),
        np.array([1.5, 2.0, -3.0], dtype=object),
        np.array([1.5, 2.0, -3.0], dtype=">f8"),
        np.array([1.5, 2.0, -3.0], dtype=">f4"),
    ],
    ids=["Series", "longdouble", "objects", "big-endian", "big-endian float32"],
)
def test_numbers_in_any_dress_travel(sent):
    come = values.unpack(values.pack(sent))
    assert isinstance(come, np.ndarray)
    assert come.dtype.isnative
    assert come.tolist() == [1.5, 2.0, -3.0]


def test_text_travels_and_what_does_not_is_named_by_its_type():
    assert values.unpack(values.pack(np.array(["cat"])[0])) == "cat"
    assert type(values.unpack(values.pack(np.str_("cat")))) is str
    for number in (np.longdouble(1.5), Fraction(3, 2), Decimal("1.5")):
        assert values.unpack(values.pack(number)) == 1.5
    assert values.unpack(values.pack({"a": 1, 3: 4})) == {"a": 1, "3": 4}  # one odd key loses no answer
    for sent, said in (
        (Path("x"), type(Path("x")).__name__),
        (np.array(["a", 1.0], object), "ndarray of object"),
    ):
        come = values.unpack(values.pack(sent))
        assert isinstance(come, values.Opaque)
        assert type(come).__name__ == come.kind == said


def test_what_goes_out_comes_in():
    sent = {"a": [1, 2.5, None, True], "b": (torch.arange(3), np.eye(2, dtype=np.float32)), "c": 2**80}
    come = values.unpack(values.pack(sent))
    assert come["a"] == sent["a"]
    assert come["c"] == sent["c"]
    assert torch.equal(come["b"][0], sent["b"][0])
    assert come["b"][1].dtype == np.float32


def test_a_generator_draws_on_where_it_was():
    sent = np.random.default_rng(3)
    sent.normal(size=5)
    come = values.unpack(values.pack(sent))
    assert come.normal() == sent.normal()


def test_pickles_bombs_and_nonsense_are_refused():
    pickled = io.BytesIO()
    np.savez(pickled, np.array([Path("x")], dtype=object))
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("arr_0.npy", b"0" * 10**7)
    for message in (pickled.getvalue(), bomb.getvalue(), b"nonsense", values.pack(1)[:-30]):
        with pytest.raises(values.ProtocolError):
            values.unpack(message)
    with pytest.raises(ValueError, match="too large"):
        values.pack(np.zeros(values.MAX_BYTES))
