"""Drawn tables are read right or refused; nothing in between."""

import csv
import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gapkit.embeddings import import_embeddings
from gapkit.errors import InputError


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 6), st.integers(2, 12)),
    seed=st.integers(0, 10**6),
    separator=st.sampled_from(",;\t|"),
    comma=st.booleans(),
    header=st.sampled_from(["none", "d", "0", "1", "10", "float", "emb_"]),
    ids=st.booleans(),
    names=st.booleans(),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    as_vector=st.booleans(),
    form=st.sampled_from(["{:.4f}", "{!r}", "{:.0f}", "{:g}"]),
    bad=st.sampled_from([None, None, None, "#VALUE!", "", "nan"]),
)
def test_tables_are_read_right_or_refused(
    tmp_path_factory, shape, seed, separator, comma, header, ids, names, quoting, as_vector, form, bad
):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal(shape) * 10 ** rng.integers(0, 3)
    cells = [[form.format(float(value)) for value in row] for row in matrix]
    expected = np.array([[float(cell) for cell in row] for row in cells])
    if as_vector:
        body = [["[" + ", ".join(row) + "]"] for row in cells]
    else:
        body = [[cell.replace(".", "," if comma else ".") for cell in row] for row in cells]
    if bad is not None:
        # a single row without its last cell ends in a separator, as whole rows may
        places = max(1, len(body[0]) - (bad == "" and len(body) == 1))
        body[rng.integers(len(body))][rng.integers(places)] = bad
    width = len(body[0])
    titles = {"d": "d{}", "emb_": "emb_{}"}.get(header, "{}")
    start = {"1": 1, "10": 10}.get(header, 0)
    top = [titles.format(float(j) if header == "float" else j + start) for j in range(width)]
    top = ["embedding"] if as_vector else top
    front = [[*([str(i)] if ids else []), *([f"a {i}, b.jpg"] if names else [])] for i in range(len(body))]
    title = [*(["img_id"] if ids else []), *(["path"] if names else [])]
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator, quoting=quoting)
    if header != "none":
        writer.writerow(title + top)
    writer.writerows(before + row for before, row in zip(front, body, strict=True))
    path = tmp_path_factory.getbasetemp() / "drawn.csv"
    path.write_text(buffer.getvalue(), encoding="utf-8", newline="")
    try:
        entries = import_embeddings(path, path, normalise="no")
    except InputError:
        return
    assert bad is None
    assert entries.images.shape == expected.shape
    assert np.array_equal(entries.images, expected)
    if names:
        assert entries.image_names == tuple(row[-1] for row in front)
