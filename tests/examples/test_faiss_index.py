"""The FAISS example: its indexes, its comparison, and that it runs."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from gapkit.closing import GapCloser
from gapkit.errors import InputError

pytest.importorskip("faiss")
EXAMPLE = Path(__file__).parents[2] / "examples" / "faiss_index.py"
KINDS = ("flat", "scalar 8-bit", "scalar 4-bit", "product 8x8")


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("faiss_index", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def crowded():
    """2,000 texts in 40 of 64 dimensions, 200 images beside some of them, a wide gap off that subspace."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((64, 64)))[0]
    texts = rng.standard_normal((2000, 40)) @ basis[:40]
    images = texts[:200] + 0.5 * rng.standard_normal((200, 40)) @ basis[:40]
    gap = 10 * basis[50]
    return tuple((z / 10).astype(np.float32) for z in (texts, images + gap))


@pytest.fixture(scope="module")
def rows(example, crowded):
    closer = GapCloser(n_components=40).fit(*crowded)
    return {(row["index"], row["gallery"]): row for row in example.compare(*crowded, closer, KINDS)}


def test_exact_indexes_keep_every_answer_before_and_after(rows):
    for name in ("untouched", "closed"):
        assert (
            rows["flat", name]["recall@1"]
            == rows["flat", name]["recall@10"]
            == rows["flat", name]["kept"]
            == 1
        )


def test_coarser_codes_find_fewer_and_closing_brings_some_back(rows):
    for name in ("untouched", "closed"):
        recalls = [rows[kind, name]["recall@10"] for kind in KINDS]
        assert recalls == sorted(recalls, reverse=True)
    for kind in KINDS[2:]:
        assert rows[kind, "closed"]["recall@10"] > rows[kind, "untouched"]["recall@10"] + 0.05
    assert rows["product 8x8", "closed"]["kept"] > rows["product 8x8", "untouched"]["kept"]


def test_the_chosen_shift_moves_far_and_keeps_answers(example, crowded):
    closer = example.choose_closer(*crowded, 0.99)
    assert closer.n_components_ >= 30
    assert np.linalg.norm(closer.shift_) > 0.5


def test_unknown_indexes_are_refused(example):
    with pytest.raises(InputError, match="no index"):
        example.build_index("tree", np.ones((3, 4)))


def test_it_prints_its_table(example, crowded, tmp_path, capsys):
    from gapkit.embeddings import EmbeddingSet

    texts, images = (z[:200] / np.linalg.norm(z[:200], axis=1, keepdims=True) for z in crowded)
    path = tmp_path / "pairs.safetensors"
    EmbeddingSet(images=images, texts=texts, task="pairs").save(path)
    example.main(["--embeddings", str(path), "--agreement", "0.5"])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("gallery (200, 64), 200 queries")
    assert len(printed) == 2 + 2 * 3
