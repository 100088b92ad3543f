"""The reference values of robustness on real embeddings: CLIP ViT-B/16, 500 COCO pairs; skipped where not in the cache.

The table of who moves, who is perturbed and which metric was first measured with 200 draws; the package's values are
exact (noise on the gallery) or quasi-Monte Carlo (noise on the queries), so that table is met to what 200 draws
can say. Exact reference values are met to ±0.001. The table of components is in ``tests/closing/test_coco500.py``.
"""

import numpy as np
import pytest

from gapkit import normalise_rows
from gapkit.closing import GapCloser
from gapkit.embeddings import load_embeddings
from gapkit.errors import InputError
from gapkit.experiments.data import Task
from gapkit.experiments.limits import measure_hubs, no_effect
from gapkit.geometry import nearest
from gapkit.geometry.galleries import METRICS
from gapkit.robustness import robustness

SIGMA, COMPONENTS = 0.02, 300
MOVES = ("nothing", "gallery", "queries")
# noise on the gallery: nothing moved, gallery moved, queries moved
DRAWN = {
    "euclidean": (0.444, 0.487, 0.490),
    "dot": (0.514, 0.515, 0.574),
    "cosine": (0.529, 0.567, 0.598),
}


@pytest.fixture(scope="module")
def pair():
    try:
        entries = load_embeddings("coco500-clip-vitb16")
    except InputError as missing:
        pytest.skip(f"not in the cache: {missing}")
    return tuple(normalise_rows(z.astype(np.float64)) for z in (entries.texts, entries.images))


@pytest.fixture(scope="module")
def sides(pair):
    x, y = pair
    shift = GapCloser(n_components=COMPONENTS).fit(x, y).shift_
    return {"nothing": (y, x), "gallery": (y, x + shift), "queries": (y - shift, x)}


@pytest.mark.parametrize("metric", METRICS)
def test_noise_on_the_gallery_is_as_in_the_table(sides, metric):
    values = [robustness(*sides[moves], SIGMA, metric=metric).mean() for moves in MOVES]
    _, info = robustness(
        *sides["nothing"], SIGMA, metric=metric, method="monte-carlo", draws=200, return_info=True
    )
    assert info.mean == pytest.approx(values[0], abs=4 * info.mean_std_error)
    assert info.mean_std_error < 2e-3
    assert values == pytest.approx(DRAWN[metric], abs=4 * info.mean_std_error)  # what 200 draws can say
    for moves in MOVES:
        right = (nearest(*sides[moves], metric=metric) == np.arange(500)).mean()
        assert right in (pytest.approx(0.552), pytest.approx(0.554))


def test_the_empty_cell_of_the_dot_product_is_empty_for_every_query(sides):
    assert no_effect("dot", "gallery", "gallery")
    before, after = (robustness(*sides[moves], SIGMA, metric="dot") for moves in ("nothing", "gallery"))
    np.testing.assert_allclose(after, before, atol=1e-9)


def test_the_euclidean_table_is_the_same_whoever_moves(sides):
    gallery, queries = (robustness(*sides[moves], SIGMA) for moves in ("gallery", "queries"))
    np.testing.assert_allclose(gallery, queries, atol=1e-6)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("moves", MOVES)
def test_noise_on_the_queries_is_as_in_the_table(sides, metric, moves):
    low, high = (0.703, 0.706) if moves == "nothing" else (0.706, 0.708)
    kept, info = robustness(
        *sides[moves],
        SIGMA,
        metric=metric,
        noise_on="queries",
        method="monte-carlo",
        draws=120,
        return_info=True,
    )
    assert info.mean_std_error < 2e-3
    assert low - 0.004 < kept.mean() < high + 0.004


def test_the_mean_of_the_first_forty_queries(pair):
    x, y = pair
    assert robustness(y[:40], x, SIGMA).mean() == pytest.approx(0.47874, abs=1e-3)


def test_leaving_out_far_candidates_at_large_noise_moves_the_mean(pair):
    x, y = pair
    few = []
    for query in y[::5]:
        near = np.argsort(((x - query) ** 2).sum(1), kind="stable")[:200]
        few.append(robustness(query[None], x[near], 0.05)[0])
    exact = robustness(y, x, 0.05)
    assert exact.mean() == pytest.approx(0.100, abs=1e-3)
    assert np.mean(few - exact[::5]) == pytest.approx(0.004, abs=1e-3)


def test_the_raw_shift_makes_hubs_of_captions(pair):
    """The numbers that lesson 07 quotes."""
    x, y = pair
    task = Task("clip", "coco500", "image to text", y, x, np.arange(500))
    rows = {(row["shift"], row["alpha"]): row for row in measure_hubs(task, (0.0, 1.0))}
    before, after = rows["raw shift", 0.0], rows["raw shift", 1.0]
    assert (before["skewness"], after["skewness"]) == pytest.approx((3.7, 8.4), abs=0.05)
    assert (before["largest"], after["largest"]) == (14, 43)
    assert (before["never"], after["never"]) == pytest.approx((0.35, 0.62), abs=0.005)
    assert rows["projected shift", 1.0]["skewness"] == before["skewness"]
