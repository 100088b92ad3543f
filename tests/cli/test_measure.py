"""What ``gapkit measure --json`` prints is JSON, also where a number does not exist."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from gapkit.cli.measure import _plain, measure
from gapkit.embeddings import EmbeddingSet


def refuse(constant):
    raise ValueError(f"{constant} is no JSON")


@pytest.mark.parametrize("intervals", [False, True])
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_equal_rows_give_json_without_nan(tmp_path, rows, intervals):
    same = np.ones((rows, 3))
    path = EmbeddingSet(images=same, texts=same, task="pairs").save(tmp_path / "a.safetensors")
    done = CliRunner().invoke(measure, [str(path), "--json", *(["--intervals"] if intervals else [])])
    if done.exit_code == 0:
        assert json.loads(done.stdout, parse_constant=refuse)["task"] == "pairs"
    else:
        assert type(done.exception).__name__ == "InputError"


def test_what_is_no_number_becomes_null():
    assert _plain((1.0, float("nan"), np.float64("inf"))) == [1.0, None, None]
    assert _plain(np.int64(3)) == 3
