"""The projected shift on real embeddings: CLIP ViT-B/16, 500 COCO pairs; skipped where they are not in the cache."""

import numpy as np
import pytest

from gapkit import normalise_rows
from gapkit.closing import GapCloser
from gapkit.embeddings import load_embeddings
from gapkit.errors import InputError
from gapkit.geometry import nearest

# components, length of the shift, R@1, same answers, exact robustness at σ = 0.02 and 0.05
TABLE = [
    (0, 0.8514, 0.302, 0.312, 0.5008, 0.1286),
    (100, 0.7071, 0.530, 0.780, 0.5151, 0.1299),
    (300, 0.5760, 0.552, 0.946, 0.4891, 0.1177),
    (499, 0.2813, 0.552, 1.000, 0.4529, 0.1037),
]


@pytest.fixture(scope="module")
def sides():
    try:
        entries = load_embeddings("coco500-clip-vitb16")
    except InputError as missing:
        pytest.skip(f"not in the cache: {missing}")
    return tuple(normalise_rows(z.astype(np.float64)) for z in (entries.texts, entries.images))


@pytest.mark.parametrize(("components", "length", "recall", "same"), [row[:4] for row in TABLE])
def test_recall_and_kept_answers(sides, components, length, recall, same):
    x, y = sides
    closer = GapCloser(n_components=components).fit(x, y)
    untouched, answers = nearest(y, x), nearest(y, closer.transform(x))
    assert (untouched == np.arange(500)).mean() == pytest.approx(0.552, abs=1e-9)
    assert np.linalg.norm(closer.shift_) == pytest.approx(length, abs=5e-5)
    assert (answers == np.arange(500)).mean() == pytest.approx(recall, abs=1e-9)
    assert (answers == untouched).mean() == pytest.approx(same, abs=1e-9)


@pytest.mark.parametrize("alpha", [-2.0, 0.5, 2.0, 50.0])
def test_with_full_rank_answers_hold_for_every_alpha(sides, alpha):
    x, y = sides
    moved = GapCloser(alpha=alpha).fit(x, y).transform(x)
    assert (nearest(y, moved) == nearest(y, x)).all()


@pytest.mark.parametrize(("sigma", "column", "untouched"), [(0.02, 4, 0.4433), (0.05, 5, 0.1001)])
def test_exact_robustness(sides, sigma, column, untouched):
    from gapkit.robustness import robustness

    x, y = sides
    assert robustness(y, x, sigma=sigma).mean() == pytest.approx(untouched, abs=1e-3)
    for row in TABLE:
        moved = GapCloser(n_components=row[0]).fit(x, y).transform(x)
        # The answer that is kept or lost is that of the moved gallery itself.
        assert robustness(y, moved, sigma=sigma).mean() == pytest.approx(row[column], abs=1e-3)
