"""Points from their cosines: what must come back, and what is no matrix of cosines."""

import numpy as np
import pytest
import torch

from gapkit.embeddings import EmbeddingSet
from gapkit.errors import InputError
from gapkit.geometry import gap_vector, relative_variance
from gapkit.geometry.gram import points_from_gram
from gapkit.robustness import robustness


def unit(n=30, d=12, seed=0):
    z = np.random.default_rng(seed).standard_normal((n, d)) + 0.5
    return z / np.linalg.norm(z, axis=1, keepdims=True)


@pytest.mark.parametrize("d", [12, 13, 64])
def test_the_cosines_come_back_in_any_space_that_holds_them(d):
    gram = unit() @ unit().T
    found = points_from_gram(gram, dimension=d)
    assert found.points.shape == (30, d)
    assert np.abs(found.points @ found.points.T - gram).max() < 1e-12
    assert found.rank == 12


def test_geometry_and_robustness_are_those_of_the_embeddings():
    z = unit(n=40, d=30)
    entries = EmbeddingSet.from_gram(z @ z.T, images=20, dimension=30)
    x, y = entries.texts, entries.images
    assert np.linalg.norm(gap_vector(x, y)) == pytest.approx(
        np.linalg.norm(gap_vector(z[20:], z[:20])), abs=1e-12
    )
    ours = relative_variance(x, gap_vector(x, y))
    assert ours == pytest.approx(relative_variance(z[20:], gap_vector(z[20:], z[:20])), rel=1e-9)
    for metric in ("euclidean", "dot", "cosine"):
        one = robustness(y, x, 0.1, metric=metric)
        assert np.abs(one - robustness(z[:20], z[20:], 0.1, metric=metric)).max() < 1e-7


def test_noise_lives_in_all_dimensions_that_are_named():
    z = unit(n=20, d=8)
    few, many = (EmbeddingSet.from_gram(z @ z.T, images=10, dimension=d) for d in (8, 200))
    before, after = (robustness(one.images, one.texts, 0.1).mean() for one in (few, many))
    assert after < before - 0.01


@pytest.mark.parametrize(
    "rounded", [lambda g: g.astype(np.float16), lambda g: g.astype(np.float32), lambda g: g.round(4)]
)
def test_rounded_entries_are_clipped_and_counted(rounded):
    gram = rounded(unit() @ unit().T).astype(float)
    found = points_from_gram(gram, dimension=30)
    assert found.clipped > 0 and -found.rounding < found.least < 0
    assert found.rank == 12  # rounding is no dimension
    assert np.abs(found.points @ found.points.T - gram).max() < 3 * found.rounding
    assert points_from_gram(gram, dimension=12).points.shape == (30, 12)


def test_a_torch_tensor_comes_back_as_one():
    assert isinstance(points_from_gram(torch.eye(3), dimension=3).points, torch.Tensor)


def changed(gram, *places):
    gram = gram.copy()
    for i, j, value in places:
        gram[i, j] = value
    return gram


GRAM = unit() @ unit().T


@pytest.mark.parametrize(
    ("gram", "dimension", "message"),
    [
        (GRAM[:15], 12, "square"),
        (changed(GRAM, (2, 5, GRAM[2, 5] + 1e-3)), 12, r"symmetric; entry \(2, 5\)"),
        (changed(GRAM, (3, 3, 0.99)), 12, r"1 on its diagonal; entry \(3, 3\) is 0.99"),
        (100 * GRAM, 12, "logit scale"),
        (1 - GRAM, 12, "diagonal"),
        (changed(GRAM, (2, 5, 0.9), (5, 2, 0.9)), 30, "no vectors have these inner products"),
        (np.array([[1, 0.9, 0], [0.9, 1, 0.9], [0, 0.9, 1]]), 3, "eigenvalue -0.273"),
        (GRAM, 11, "rank 12, more than dimension=11"),
        (changed(GRAM, (1, 2, np.nan)), 12, "finite"),
        (GRAM, 0, "dimension must be a whole number"),
    ],
)
def test_what_is_no_matrix_of_cosines_is_refused_with_its_size(gram, dimension, message):
    with pytest.raises(InputError, match=message):
        points_from_gram(gram, dimension=dimension)


def test_counts_that_do_not_fit_are_refused():
    for images, message in ((0, "from 1 to 29"), (30, "from 1 to 29"), (10, "leaves 20 texts")):
        with pytest.raises(InputError, match=message):
            EmbeddingSet.from_gram(GRAM, images=images, dimension=12)
    classes = EmbeddingSet.from_gram(GRAM, images=25, dimension=12, labels=np.arange(25) % 5)
    assert classes.task == "zero-shot"
