"""``gapkit advise``: the table, the words, and what machines read."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import gapkit
from gapkit.cli.main import group
from gapkit.closing import advise


def run(*arguments):
    return CliRunner().invoke(group, ["advise", *arguments], catch_exceptions=False)


def test_the_words_name_what_was_computed():
    pairs = gapkit.load_embeddings("miniclip-learned/digits10")
    advice = advise(pairs.images, pairs.texts)
    output = run("miniclip-learned/digits10").output
    assert f"Advice: {advice.best.metric}" in output
    assert f"{advice.best.robustness:.1%} of the answers survive" in " ".join(output.split())
    assert output.count("\n") > len(advice.levers)
    assert max(len(line) for line in output.splitlines()) <= 100


def test_machines_read_the_same_numbers():
    data = json.loads(run("miniclip-learned/digits10", "--metric", "dot", "--json").output)
    pairs = gapkit.load_embeddings("miniclip-learned/digits10")
    advice = advise(pairs.images, pairs.texts, metric="dot")
    assert data["sigma"] == advice.sigma
    assert data["best"]["robustness"] == advice.best.robustness
    assert {lever["metric"] for lever in data["levers"]} == {"dot"}


def test_where_nothing_helps_it_says_so(tmp_path):
    """More texts than dimensions: nothing can be moved, and one metric is left to choose from."""
    rng = np.random.default_rng(0)
    texts = gapkit.normalise_rows(rng.standard_normal((30, 8)))
    images = gapkit.normalise_rows(texts + 0.1 * rng.standard_normal((30, 8)))
    path = gapkit.EmbeddingSet(images=images, texts=texts, task="pairs").save(tmp_path / "full.safetensors")
    assert "leave it as it is" in run(str(path), "--metric", "euclidean").output


def test_questions_are_refused():
    with pytest.raises(gapkit.InputError, match="a gallery of its own"):
        run("miniclip-wide/scenes-vqa")
