"""What ``gapkit measure --json`` prints is JSON, also where a number does not exist."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from gapkit.cli.measure import _not_all, _percent, _plain, close, measure
from gapkit.embeddings import EmbeddingSet, load_embeddings
from gapkit.embeddings.evaluation import measure_set
from gapkit.errors import GapkitWarning, InputError


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


def test_a_share_that_is_not_all_is_rounded_to_all():
    assert [_percent(share) for share in (1.0, 0.9996, 0.98765, 0.0004, 0.0)] == [
        "100.0%",
        "> 99.9%",
        "98.8%",
        "< 0.1%",
        "0.0%",
    ]
    assert [f"{_not_all(share):.4f}" for share in (1.0, 0.99996, 0.5)] == ["1.0000", "0.9999", "0.5000"]


def test_a_closed_set_is_written_although_its_measures_are_refused(tmp_path):
    out = tmp_path / "closed.safetensors"
    done = CliRunner().invoke(close, ["miniclip-wide/digits10", "--out", str(out), "--sigma", "inf"])
    assert isinstance(done.exception, InputError)
    assert not out.exists()


def test_a_robustness_that_was_asked_for_is_left_out_in_silence():
    with pytest.warns(GapkitWarning, match="robustness is not measured"):
        assert "robustness" not in measure_set(load_embeddings("miniclip-wide/scenes-vqa"), sigma=0.02)
