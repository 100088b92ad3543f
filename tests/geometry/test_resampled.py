"""What weights give for all bootstrap samples at once is what each sample gives, taken row by row."""

import numpy as np
import pytest
import torch

from gapkit.embeddings import EmbeddingSet, load_embeddings
from gapkit.embeddings.evaluation import measure_set
from gapkit.errors import InputError
from gapkit.experiments import Job
from gapkit.experiments import measure as measure_job
from gapkit.geometry import gap_vector, relative_variance, share_intervals, subspace_share, variance_intervals
from gapkit.geometry.bootstrap import basic_interval, bootstrap_interval, draw_weights
from gapkit.geometry.resampled import gap_interval, resampled_shares, resampled_variances


def rows_of(weights: np.ndarray) -> np.ndarray:
    """The rows that were drawn, as often as they were drawn."""
    times = (weights * len(weights)).round().astype(int)
    return np.repeat(np.arange(len(weights)), times)


@pytest.fixture
def sampled(rng):
    """Forty rows in twelve dimensions far from the origin, weights of thirty samples, a direction for each."""
    z = rng.standard_normal((40, 12)) * np.geomspace(5, 0.05, 12) + 10
    return z, rng.standard_normal((31, 12)), draw_weights(40, resamples=30, seed=4)


def test_weights_are_counts_that_keep_the_groups(rng):
    groups = rng.integers(3, size=50)
    weights = draw_weights(50, groups=groups, resamples=200)
    counts = weights * 50
    assert counts == pytest.approx(counts.round(), abs=1e-9)
    assert (counts[0] == 1).all()
    for group in range(3):
        assert counts[:, groups == group].sum(1) == pytest.approx((groups == group).sum())
    assert counts[1:].mean(0) == pytest.approx(1, abs=0.35)
    assert not np.allclose(weights[1], weights[2])


def test_weights_repeat_with_their_seed():
    assert (draw_weights(9, resamples=3, seed=1) == draw_weights(9, resamples=3, seed=1)).all()
    assert (draw_weights(9, resamples=3, seed=1) != draw_weights(9, resamples=3, seed=2)).any()


def test_variances_are_those_of_the_repeated_rows(sampled):
    z, directions, weights = sampled
    expected = [relative_variance(z[rows_of(w)], g) for w, g in zip(weights, directions, strict=True)]
    assert resampled_variances(z, directions, weights) == pytest.approx(expected, rel=1e-9)


def test_shares_are_those_of_the_repeated_rows(sampled):
    z, directions, weights = sampled
    ks = [0, 1, 3, 7, 12, 40]
    expected = [subspace_share(z[rows_of(w)], g, ks) ** 2 for w, g in zip(weights, directions, strict=True)]
    assert resampled_shares(z, directions, weights, ks) == pytest.approx(np.array(expected), abs=1e-9)


def test_shares_know_the_rank_of_a_sample_with_fewer_rows_than_dimensions(rng):
    z, directions = rng.standard_normal((10, 30)), rng.standard_normal((21, 30))
    weights = draw_weights(10, resamples=20)
    ks = [2, 5, 9, 30]
    expected = [subspace_share(z[rows_of(w)], g, ks) ** 2 for w, g in zip(weights, directions, strict=True)]
    found = resampled_shares(z, directions, weights, ks)
    assert found == pytest.approx(np.array(expected), abs=1e-9)
    assert (found[1:, -1] < 1).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda z, g, w: resampled_shares(z, 0 * g, w, [1]), "must not be zero"),
        (lambda z, g, w: draw_weights(4, groups=[0, 1]), "one group for each of 4 rows"),
        (lambda z, g, w: draw_weights(0), "at least 1"),
    ],
)
def test_bad_input_is_named(sampled, call, message):
    with pytest.raises(InputError, match=message):
        call(*sampled)


def two_clouds(rng, n=12, m=60, d=9):
    return rng.standard_normal((n, d)) - 1, rng.standard_normal((m, d)) * np.linspace(0.2, 1, d) + 1


def test_the_intervals_of_the_gap_are_not_those_of_drawing_rows_one_by_one(rng):
    """The shortcut by weights against whole resampled matrices, of the same draws."""
    x, y = two_clouds(rng)
    groups = np.arange(60) % 4
    options = {"groups": groups, "resamples": 50, "method": "basic", "least": 0.0}
    fixed = torch.from_numpy(x)
    gap = bootstrap_interval(y, statistic=lambda sample: gap_vector(fixed, sample).norm(), **options)
    np.testing.assert_allclose(gap_interval(x, y, groups=groups, resamples=50), gap, rtol=1e-10)
    along = bootstrap_interval(
        y, statistic=lambda sample: relative_variance(sample, gap_vector(fixed, sample)), **options
    )
    np.testing.assert_allclose(variance_intervals(x, y, groups=groups, resamples=50)[1], along, rtol=1e-9)
    shares = bootstrap_interval(
        y,
        statistic=lambda sample: subspace_share(x, gap_vector(fixed, sample).numpy(), [2, 5]),
        **(options | {"method": "percentile"}),
    )
    got = share_intervals(x, y, [2, 5], groups=groups, resamples=50)
    np.testing.assert_allclose(np.transpose(got), shares, rtol=1e-9)


def test_captions_are_not_drawn_together_with_their_images(rng):
    """Pairs that differ by a constant: whichever are drawn, the gap is that constant."""
    _, y = two_clouds(rng)
    value, low, high = gap_interval(y - 2.0, y, paired=True)
    assert value == pytest.approx(6.0)
    assert (low, high) == (pytest.approx(6.0), pytest.approx(6.0))
    alone = gap_interval(y - 2.0, y)
    assert alone.high - alone.low > 0.1


@pytest.mark.parametrize("least", [0.0, -1.0])
def test_a_basic_interval_leaves_its_value_out_or_goes_where_no_value_can_be(least):
    value, low, high = basic_interval(0.2, np.array([1.0, 2.0, 3.0]), least=least)
    assert (value, low, high) == (0.2, least, 0.2)
    assert np.isnan(basic_interval(0.2, np.array([np.nan, 1.0])).low)


def test_one_number_has_two_intervals():
    """The same of `gapkit measure`, of the experiments, and of whoever calls the numerics."""
    name = "miniclip-wide/digits10"
    entries = load_embeddings(name)
    by_command = measure_set(entries, intervals=True)
    own = gap_interval(entries.texts, entries.images, groups=entries.labels)
    row = measure_job(Job("gap", *name.split("/"))).tables["gap"][0]
    assert row["gap_norm_low"] < row["gap_norm"] < row["gap_norm_high"]
    for interval in (own, by_command["l2m"]):
        np.testing.assert_allclose(
            interval, [row[f"gap_norm{end}"] for end in ("", "_low", "_high")], rtol=1e-9
        )
    rows = measure_job(Job("orthogonality", *name.split("/"))).tables["orthogonality"]
    for side, key in (("texts", "gallery"), ("images", "queries")):
        (kept,) = [r for r in rows if r["side"] == side and r["quantity"] == "relative variance"]
        np.testing.assert_allclose(
            by_command[f"relative_variance_{key}"],
            [kept[f"value{end}"] for end in ("", "_low", "_high")],
            rtol=1e-8,
        )


def test_a_class_with_a_single_image_pretends_to_know_its_mean():
    """Drawn within such classes no sample would differ from the set."""
    rng = np.random.default_rng(0)
    few = EmbeddingSet(
        images=rng.standard_normal((8, 5)),
        texts=rng.standard_normal((8, 5)),
        task="zero-shot",
        labels=np.arange(8),
    )
    gap = measure_set(few, intervals=True)["l2m"]
    assert gap.high - gap.low > 0.01


def test_a_sample_of_one_row_throughout_has_no_variance():
    z = np.array([[0.1, 0.7], [0.1, 0.7], [0.1, 0.7], [1.1, 5.3]])
    weights = np.array([[2, 1, 1, 0], [1, 3, 3, 0], [5, 1, 1, 0]]) / np.array([[4], [7], [7]])
    assert np.isnan(resampled_variances(z, np.ones((3, 2)), weights)).all()
