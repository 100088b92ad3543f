"""Reference values on real embeddings: CLIP ViT-B/16, 500 COCO pairs; skipped where they are not in the cache."""

import pytest

from gapkit.embeddings import load_embeddings
from gapkit.errors import InputError
from gapkit.geometry import (
    gap_vector,
    l2i,
    l2m,
    linear_separability,
    matched_cosine,
    relative_variance,
    relative_variance_band,
    rmg,
    subspace_share,
)


@pytest.fixture(scope="module", params=["coco500-clip-vitb16", "coco500-clip-vitb16-random"])
def named_set(request):
    try:
        return request.param, load_embeddings(request.param)
    except InputError as missing:
        pytest.skip(f"not in the cache: {missing}")


def test_reference_values(named_set):
    name, entries = named_set
    x, y = entries.texts, entries.images
    g = gap_vector(x, y)
    if name.endswith("random"):
        assert l2m(x, y) == pytest.approx(1.136, abs=5e-4)
        assert relative_variance(y, g) == pytest.approx(9.42, abs=5e-3)
        assert relative_variance(x, g) == pytest.approx(2.45, abs=5e-3)
        return
    assert l2m(x, y) == pytest.approx(0.8514, abs=5e-5)
    assert matched_cosine(x, y) == pytest.approx(0.310, abs=5e-4)
    assert l2i(x, y) == pytest.approx(1.1745, abs=5e-5)
    assert rmg(x, y) == pytest.approx(0.5915, abs=5e-5)
    assert relative_variance(y, g) == pytest.approx(2.52, abs=5e-3)
    assert relative_variance(x, g) == pytest.approx(3.43, abs=5e-3)
    assert subspace_share(x, g, [100, 300]) == pytest.approx([0.557, 0.736], abs=5e-4)
    for z in (x, y):
        band = relative_variance_band(z)
        assert band.low == pytest.approx(0.69, abs=0.03)
        assert band.high == pytest.approx(1.48, abs=0.04)
    assert linear_separability(x, y) == 1.0
