"""The exact integrals against scipy, against plain draws, and at the ends of what they are asked."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gapkit.errors import InputError
from gapkit.robustness import exact_cosine, exact_euclidean, reference, robustness
from tests.robustness.problems import cosine_in_the_plane, problem

METRICS = ("euclidean", "dot", "cosine")


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("metric", "solve", "dimensions", "problems"),
    [
        ("euclidean", reference.euclidean, (1, 2, 3, 8, 40, 127, 128, 300, 512), 120),
        ("dot", reference.dot, (1, 2, 3, 8, 40, 300), 40),
        ("cosine", cosine_in_the_plane, (2,), 20),
        ("cosine", reference.cosine, (3, 8, 40, 128, 300), 20),
    ],
)
def test_agrees_with_scipy_on_200_random_problems(metric, solve, dimensions, problems):
    rng = np.random.default_rng(1)
    for _ in range(problems):
        d, candidates = int(rng.choice(dimensions)), int(rng.choice([2, 3, 8, 20]))
        y, x, sigma = problem(rng, d, candidates)
        value = robustness(y[None], x, sigma, metric=metric, method="exact")[0]
        assert value == pytest.approx(solve(y, x, sigma), abs=1e-5), (d, candidates, sigma)


@pytest.mark.slow
def test_agrees_with_draws_on_20_problems():
    rng = np.random.default_rng(2)
    for i in range(20):
        d, candidates, metric = int(rng.choice([1, 2, 3, 5])), int(rng.choice([2, 3, 4])), METRICS[i % 3]
        y, x, sigma = problem(rng, d, candidates)
        value = robustness(y[None], x, sigma, metric=metric)[0]
        share, error = reference.monte_carlo(y, x, sigma, metric, draws=300_000, seed=i)
        assert abs(value - share) < 4 * error, (metric, d, candidates, sigma)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("d", [16, 200])
def test_tables_and_single_queries_agree(metric, d, monkeypatch):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((30, d)) / np.sqrt(d) * rng.uniform(0.8, 1.2, (30, 1))
    y = x[rng.integers(30, size=12)] + 0.8 * rng.standard_normal((12, d)) / np.sqrt(d)
    for sigma in (0.01, 0.1, 1.0):
        found = []
        for least in (1, 10**9):
            monkeypatch.setattr(exact_euclidean, "_MESH_FROM", least)
            monkeypatch.setattr(exact_cosine, "_MESH_FROM", least)
            found.append(robustness(y, x, sigma, metric=metric))
        np.testing.assert_allclose(*found, atol=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_no_noise_keeps_every_answer_and_one_candidate_is_always_kept(metric):
    rng = np.random.default_rng(4)
    y, x = rng.standard_normal((5, 7)), rng.standard_normal((6, 7))
    x[3] = x[2]
    np.testing.assert_array_equal(robustness(y, x, 0.0, metric=metric), 1)
    np.testing.assert_array_equal(robustness(y, x[:1], 3.0, metric=metric), 1)
    assert robustness(y, np.delete(x, 3, 0), 1e-9, metric=metric).min() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("d", [1, 2, 64, 200])
def test_endless_noise_leaves_one_in_k(metric, d):
    rng = np.random.default_rng(5)
    y, x = rng.standard_normal((4, d)), rng.standard_normal((9, d))
    found = robustness(y, x, 1e7, metric=metric)
    if metric == "cosine" and d == 1:
        # Signs only: the answer i is kept if it is the first on its side, 2^-(i+1), or if i = 0 and none is.
        first = np.array([np.argmax(np.sign(x[:, 0]) == np.sign(one)) for one in y[:, 0]])
        np.testing.assert_allclose(found, 0.5 ** (first + 1) + (first == 0) * 0.5**9, atol=1e-5)
    else:
        np.testing.assert_allclose(found, 1 / 9, atol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("d", [2, 200])
def test_duplicates_share_what_is_kept(metric, d):
    rng = np.random.default_rng(6)
    y, x = rng.standard_normal((3, d)), rng.standard_normal((5, d))
    for query in y:
        best = (
            ((x - query) ** 2).sum(1).argmin()
            if metric == "euclidean"
            else (x @ query / (np.linalg.norm(x, axis=1) if metric == "cosine" else 1)).argmax()
        )
        doubled = np.concatenate([x, x[[best]], x[[best]]])
        value, info = robustness(query[None], doubled, 1e-4, metric=metric, return_info=True)
        assert value[0] == pytest.approx(1 / 3, abs=1e-5)
        assert info.answers[0] == best  # the lowest index among them


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("d", [2, 5, 40, 200])
def test_duplicates_share_evenly_however_small_the_noise(metric, d):
    rng = np.random.default_rng(16)
    x = rng.standard_normal((4, d))
    y = np.stack([x[0] + 0.1 * rng.standard_normal(d), x[3] + 0.1 * rng.standard_normal(d)])
    if metric == "dot":
        y *= 100
        x[0], x[3] = 9 * x[0], 9 * x[3]
    x[1] = x[0]
    for sigma in (1e-6, 1e-9, 1e-11, 1e-13, 1e-15, 1e-40):
        tolerance = 1e-7 + 2e-17 / max(sigma, 1e-14)
        # By symmetry: one of two alike, and one that nothing comes near.
        np.testing.assert_allclose(robustness(y, x, sigma, metric=metric), [0.5, 1], atol=tolerance)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_a_query_on_a_candidate(metric):
    rng = np.random.default_rng(7)
    x = rng.standard_normal((6, 12)) / np.sqrt(12)
    for sigma in (1e-8, 0.1, 0.4):
        value = robustness(x[:1], x, sigma, metric=metric)[0]
        share, error = reference.monte_carlo(x[0], x, sigma, metric, draws=20_000)
        assert abs(value - share) < 4 * error


@pytest.mark.parametrize("metric", METRICS)
def test_float32_with_noise_near_its_rounding(metric):
    rng = np.random.default_rng(8)
    x = rng.standard_normal((4, 32)).astype(np.float32)
    x[1] = np.nextafter(x[0], np.float32(9))
    y = (x[0] * 0.9).astype(np.float32)[None]
    value = robustness(y, x, 1e-7, metric=metric)
    assert value.dtype == np.float64
    share, error = reference.monte_carlo(y[0].astype(float), x.astype(float), 1e-7, metric, draws=20_000)
    assert abs(value[0] - share) < 4 * error
    assert 0.01 < share < 0.99


@pytest.mark.parametrize("metric", METRICS)
def test_rotations_change_nothing(metric):
    rng = np.random.default_rng(9)
    y, x = rng.standard_normal((6, 20)), rng.standard_normal((8, 20))
    turn = np.linalg.qr(rng.standard_normal((20, 20)))[0]
    before, after = (robustness(a, b, 0.5, metric=metric) for a, b in ((y, x), (y @ turn, x @ turn)))
    np.testing.assert_allclose(before, after, atol=1e-9)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    d=st.sampled_from([1, 2, 5, 30, 140, 512]),
    k=st.integers(2, 12),
    scale=st.floats(0.01, 3),
)
def test_robustness_falls_as_all_squared_distances_grow_alike(seed, d, k, scale):
    """Theorem 3.4 as derived for any K and d: a common offset of all λ lowers robustness."""
    rng = np.random.default_rng(seed)
    squares = torch.from_numpy(rng.uniform(0, 4 * d * scale**2, (1, k)))
    offsets = torch.linspace(0, 3 * d * scale**2, 7, dtype=torch.float64)[:, None]
    values = exact_euclidean.euclidean(squares + offsets, squares.argmin(1).expand(7), scale, d)
    assert (values.diff() <= 1e-5).all()


def test_a_common_translation_of_the_gallery_changes_no_dot_product_robustness():
    rng = np.random.default_rng(10)
    y, x, shift = rng.standard_normal((6, 9)), rng.standard_normal((5, 9)), rng.standard_normal(9)
    np.testing.assert_allclose(
        *(robustness(y, z, 0.4, metric="dot") for z in (x, x + 10 * shift)), atol=1e-12
    )


@pytest.mark.parametrize("metric", METRICS)
def test_memory_limit_changes_nothing_but_memory(metric):
    rng = np.random.default_rng(11)
    y, x = rng.standard_normal((12, 30)), rng.standard_normal((20, 30))
    whole, pieces = (robustness(y, x, 0.3, metric=metric, memory_limit=limit) for limit in (2**28, 1))
    np.testing.assert_allclose(whole, pieces, atol=1e-7)


@pytest.mark.parametrize("metric", METRICS)
def test_a_thousand_classes(metric):
    rng = np.random.default_rng(12)
    x = rng.standard_normal((1000, 30))
    y = x[:3] + 0.3 * rng.standard_normal((3, 30))
    found = robustness(y, x, 0.5, metric=metric)
    for value, query in zip(found, y, strict=True):
        share, _ = reference.monte_carlo(query, x, 0.5, metric, draws=1000)
        assert abs(value - share) < 4 * np.sqrt(value * (1 - value) / 1000) + 1e-5


@pytest.mark.parametrize("metric", METRICS)
def test_inputs_stay_as_they_are_and_torch_gives_torch(metric):
    rng = np.random.default_rng(13)
    y, x = rng.standard_normal((3, 4)), rng.standard_normal((5, 4))
    kept = y.copy(), x.copy()
    value = robustness(y, x, 0.2, metric=metric)
    np.testing.assert_array_equal(y, kept[0])
    np.testing.assert_array_equal(x, kept[1])
    tensor = robustness(torch.from_numpy(y), torch.from_numpy(x), 0.2, metric=metric)
    assert isinstance(value, np.ndarray)
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_array_equal(tensor.numpy(), value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sigma": -1.0}, "at least 0"),
        ({"sigma": float("nan")}, "finite"),
        ({}, "exactly one of sigma"),
        ({"sigma": 1.0, "covariance": np.eye(4)}, "exactly one of sigma"),
        ({"sigma": 1.0, "metric": "euclidian"}, "did you mean 'euclidean'"),
        ({"sigma": 1.0, "noise_on": "gallary"}, "did you mean 'gallery'"),
        ({"sigma": 1.0, "draws": 0}, "draws must be"),
        ({"sigma": 1.0, "memory_limit": 0.5}, "memory_limit must be"),
        ({"sigma": np.ones(3)}, "given for 3 dimensions"),
        ({"perturbation": 3}, "needs a method apply"),
        ({"sigma": 1.0, "noise_on": "queries", "method": "exact"}, "'exact' takes Gaussian noise"),
        ({"sigma": 1.0, "transform": 3}, "transform must be callable"),
        ({"sigma": 1.0, "generator": "x"}, "generator.* must be"),
        (
            {"sigma": 1.0, "generator": 10**30},
            "generator.* must be a whole number of at most .*; got 10",
        ),
        ({"sigma": "0.1"}, "sigma must be a number; got '0.1'; pass it without quotes"),
        ({"sigma": True}, "sigma must be a number; got True; pass"),
        ({"sigma": -np.inf}, "sigma must be finite; got -inf; pass"),
    ],
)
def test_bad_input_gets_one_clear_line(options, words):
    y, x = np.ones((2, 4)), np.eye(4)
    with pytest.raises(InputError, match=words):
        robustness(y, x, **({"method": "monte-carlo"} if "generator" in options else {}), **options)


def test_the_cosine_of_a_zero_row_is_refused():
    with pytest.raises(InputError, match="gallery must have no zero row"):
        robustness(np.ones((1, 2)), np.zeros((2, 2)), 1.0, metric="cosine")


def test_a_zero_query_has_no_preference_under_the_dot_product():
    value, info = robustness(np.zeros((1, 3)), np.eye(3), 1.0, metric="dot", return_info=True)
    assert value[0] == 1
    assert info.answers[0] == 0
