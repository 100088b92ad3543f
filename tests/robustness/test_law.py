"""The law of the gap: noise in one candidate's score, and the gain of closing from lengths alone."""

import warnings

import numpy as np
import pytest
import torch

import gapkit
from gapkit.closing import AffineProjection, GapCloser, LinearProjection, MeanShift
from gapkit.closing.published import Centring, Procrustes, Standardisation
from gapkit.closing.shifts import HalfwayShift
from gapkit.embeddings import published_sets
from gapkit.robustness import calibrate_sigma, expected_shift, predict_closed, robustness
from gapkit.robustness.law import effective_noise, equal_noise, predict_metric
from gapkit.robustness.score_noise import equal_sigma

METRICS = ("euclidean", "dot", "cosine")


def _unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _covariance(rng, d, scale):
    a = rng.standard_normal((d, d))
    return scale**2 * (a @ a.T / d)


def _score(y, x, metric):
    if metric == "euclidean":
        return ((x - y) ** 2).sum(-1) / 2
    products = (x * y).sum(-1)
    return products if metric == "dot" else products / np.linalg.norm(x, axis=-1) / np.linalg.norm(y)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("isotropic", [True, False])
def test_noise_in_a_score_is_that_of_drawn_noise(metric, isotropic):
    rng = np.random.default_rng(3)
    d, n = 60, 40_000
    y, x = 0.8 * _unit(rng.standard_normal((1, d))), 1.3 * _unit(rng.standard_normal((1, d)) + 2)
    sigma = 0.15
    covariance = sigma**2 * np.eye(d) if isotropic else _covariance(rng, d, sigma)
    drawn = _score(y[0], x[0] + rng.multivariate_normal(np.zeros(d), covariance, n), metric).std()
    given = {"sigma": sigma} if isotropic else {"covariance": covariance}
    value = effective_noise(y, x, metric=metric, **given)[0]
    # the sample's standard deviation is good to 1/√(2n) = 0.4 %; the cosine's formula is of second order
    assert value == pytest.approx(drawn, rel=0.03 if metric == "cosine" else 0.015)


@pytest.mark.parametrize("metric", METRICS)
def test_a_covariance_that_is_isotropic_gives_what_sigma_gives(metric):
    rng = np.random.default_rng(0)
    y, x = rng.standard_normal((2, 5, 7))
    np.testing.assert_allclose(
        effective_noise(y, x, 0.3, metric=metric),
        effective_noise(y, x, covariance=0.09 * np.eye(7), metric=metric),
        rtol=1e-12,
    )


def test_noise_in_a_cosine_is_the_sine_at_small_noise():
    angle = np.array([0.3, 1.2, 2.5])
    y = np.stack([np.ones(3), np.zeros(3)], 1)
    x = np.stack([np.cos(angle), np.sin(angle)], 1)
    np.testing.assert_allclose(effective_noise(y, x, 1e-5, metric="cosine"), 1e-5 * np.sin(angle), rtol=1e-4)


def _set(name, count):
    pairs = gapkit.load_embeddings(name)
    return _unit(np.asarray(pairs.images[:count], dtype=np.float64)), _unit(
        np.asarray(pairs.texts, dtype=np.float64)
    )


@pytest.mark.parametrize(
    ("metric", "closers"),
    [
        ("euclidean", (GapCloser(), GapCloser(moves="queries"), AffineProjection(), GapCloser(alpha=0.5))),
        ("dot", (GapCloser(moves="queries"), AffineProjection(), LinearProjection())),
        ("cosine", (GapCloser(), GapCloser(moves="queries"), AffineProjection(), LinearProjection())),
    ],
)
def test_predicted_gains_are_the_measured_ones(metric, closers):
    predicted, measured = [], []
    for name in ("miniclip-wide/digits10", "miniclip-wide/scenes100", "miniclip-learned/digits10"):
        images, texts = _set(name, 60)
        for target in (0.9, 0.5):
            sigma = calibrate_sigma(images, texts, target, metric=metric)
            for closer in closers:
                closer.fit(texts, images)
                moved_texts, moved_images = closer.transform_pair(texts, images)
                measured.append(
                    robustness(moved_images, moved_texts, sigma=sigma, metric=metric).mean() - target
                )
                predicted.append(predict_closed(images, texts, sigma, closer=closer, metric=metric) - target)
    predicted, measured = np.array(predicted), np.array(measured)
    assert np.ptp(measured) > 0.1  # else the comparison would tell nothing
    assert np.abs(predicted - measured).max() < 0.03
    assert 1 - ((predicted - measured) ** 2).sum() / ((measured - measured.mean()) ** 2).sum() > 0.98


@pytest.mark.parametrize("metric", ["dot", "cosine"])
def test_the_robustness_under_another_metric_is_predicted(metric):
    errors, changes = [], []
    for name in ("miniclip-wide/scenes100", "miniclip-learned/scenes100", "miniclip-t0.01/digits10"):
        images, texts = _set(name, 120)
        for target in (0.9, 0.7, 0.5):
            sigma = calibrate_sigma(images, texts, target)
            exact = robustness(images, texts, sigma=sigma, metric=metric).mean()
            errors.append(abs(predict_metric(images, texts, sigma, metric=metric) - exact))
            changes.append(exact - target)
    assert max(map(abs, changes)) > 0.1
    assert max(errors) < 0.04


@pytest.mark.parametrize("cosine", [0.2, 0.8])
def test_the_dot_product_keeps_more_answers_where_its_noise_is_less(cosine):
    """Unit rows in one plane and a gap: D² = 2(1 − cosine) beside ‖y‖² = 1, at noise small enough not to add to it."""
    rng = np.random.default_rng(2)
    spread = 0.02 * rng.standard_normal((12, 30))
    texts = np.concatenate([np.ones((12, 1)), np.zeros((12, 1)), spread], 1)
    images = np.concatenate([np.full((12, 1), cosine), np.full((12, 1), np.sqrt(1 - cosine**2)), spread], 1)
    images, texts = _unit(images), _unit(texts)
    sigma = calibrate_sigma(images, texts, 0.7)
    dot = robustness(images, texts, sigma=sigma, metric="dot").mean()
    assert (dot > 0.7) == (cosine < 0.5)
    assert (predict_metric(images, texts, sigma, metric="dot") > 0.7) == (cosine < 0.5)
    assert robustness(images, texts, sigma=sigma, metric="cosine").mean() > max(dot, 0.7)


def test_moving_the_gallery_under_the_dot_product_is_predicted_to_do_nothing():
    images, texts = _set("miniclip-wide/digits10", 50)
    closer = GapCloser().fit(texts, images)
    value, sigma = predict_closed(images, texts, 0.05, closer=closer, metric="dot", return_sigma=True)
    assert sigma == pytest.approx(0.05, rel=1e-9)
    assert value == pytest.approx(robustness(images, texts, sigma=0.05, metric="dot").mean(), abs=1e-9)


def test_the_prediction_fails_where_candidates_lie_at_very_different_distances():
    """One candidate at the query and 199 far off, whose noise decides; with all at nearly one distance it holds."""
    rng = np.random.default_rng(0)
    d = 64
    queries = np.zeros((20, d))
    queries[:, 8] = 4.0  # the gap: orthogonal to the gallery
    errors = {}
    for distance in (0.0, 5.5):
        gallery = np.zeros((200, d))
        gallery[:, :8] = 6 * _unit(rng.standard_normal((200, 8)))
        gallery[0] *= distance / 6
        closer = AffineProjection().fit(gallery, queries)
        sigma = calibrate_sigma(queries, gallery, 0.5)
        exact = robustness(closer.transform(queries), gallery, sigma=sigma).mean()
        errors[distance] = abs(predict_closed(queries, gallery, sigma, closer=closer) - exact)
    assert errors[0.0] > 0.05
    assert errors[5.5] < 0.03


@pytest.mark.parametrize(
    "closer",
    [
        MeanShift(),
        HalfwayShift(),
        GapCloser(n_components=3),
        Centring(),
        Standardisation(),
    ],
)
def test_closers_that_change_margins_are_refused(closer):
    images, texts = _set("miniclip-wide/digits10", 30)
    with pytest.raises(gapkit.InputError, match="does not keep margins"):
        predict_closed(images, texts, 0.05, closer=closer.fit(texts, images))


def test_a_rotation_is_refused():
    images, texts = _set("miniclip-wide/digits10", 10)
    with pytest.raises(gapkit.InputError, match="does not keep margins"):
        predict_closed(images, texts, 0.05, closer=Procrustes().fit(texts, images))


def test_a_gallery_the_closer_was_not_fitted_on_is_refused():
    images, texts = _set("miniclip-wide/scenes100", 30)
    with pytest.raises(
        gapkit.InputError, match="does not keep margins on this gallery.*fit a full-rank GapCloser"
    ):
        predict_closed(images, texts, 0.05, closer=GapCloser(n_components=20).fit(texts[:60], images))


def test_a_gallery_of_several_lengths_is_refused_for_the_cosine():
    images, texts = _set("miniclip-wide/digits10", 30)
    texts = texts * np.linspace(1, 1.1, len(texts))[:, None]
    with pytest.raises(gapkit.InputError, match="one length"):
        predict_closed(images, texts, 0.05, closer=LinearProjection().fit(texts, images), metric="cosine")


@pytest.mark.parametrize("wrong", ["0.1", True, 0.0, -1.0, float("nan"), [0.1]])
def test_a_sigma_that_is_no_positive_number_is_refused(wrong):
    images, texts = _set("miniclip-wide/digits10", 10)
    with pytest.raises(gapkit.InputError, match="sigma"):
        predict_closed(images, texts, wrong, closer=GapCloser().fit(texts, images))


def test_the_expected_shift_is_that_of_random_galleries():
    rng = np.random.default_rng(5)
    d, k = 64, 24
    gap = rng.standard_normal(d)
    squares = []
    for _ in range(400):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            closer = GapCloser().fit(rng.standard_normal((k, d)), gap=gap)
        squares.append((closer.shift_**2).sum())
    error = np.std(squares) / np.sqrt(len(squares))
    assert abs(np.mean(squares) - expected_shift(gap, k) ** 2) < 4 * error


@pytest.mark.parametrize("candidates", [65, 66, 1000])
def test_nothing_is_left_from_one_candidate_more_than_dimensions(candidates):
    assert expected_shift(1.0, candidates, 64) == 0
    assert expected_shift(1.0, 64, 64) > 0


def test_a_length_without_its_dimension_is_refused():
    with pytest.raises(gapkit.InputError, match="dimension"):
        expected_shift(0.8, 10)


def test_torch_in_torch_out():
    y, x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    assert isinstance(effective_noise(y, x, 0.1), torch.Tensor)


@pytest.mark.parametrize("metric", METRICS)
def test_many_galleries_have_one_common_noise(metric):
    """A stack's σ* has the s² of all galleries together; a stack of one is that gallery, and a raw shift is refused."""
    rng = np.random.default_rng(6)
    y, x = (_unit(rng.standard_normal((2, 12, 40)).reshape(-1, 40)).reshape(2, 12, 40) for _ in range(2))
    moved = np.stack([GapCloser(moves="queries").fit(a, b).transform(b) for a, b in zip(x, y, strict=True)])
    one = equal_noise((y[0], x[0]), (moved[0], x[0]), 0.2, metric=metric)
    assert equal_noise((y[:1], x[:1]), (moved[:1], x[:1]), 0.2, metric=metric) == pytest.approx(
        one, rel=1e-12
    )
    both = equal_noise((y, x), (moved, x), 0.2, metric=metric)
    answers = [
        gallery[gapkit.nearest(queries, gallery, metric=metric)]
        for queries, gallery in zip(y, x, strict=True)
    ]

    def mean_square(queries, sigma):
        pairs = zip(queries, answers, strict=True)
        s = np.concatenate(
            [
                effective_noise(a, b, sigma, metric=metric) * _unit_of_score(a, b, sigma, metric)
                for a, b in pairs
            ]
        )
        return (s**2).mean()

    assert mean_square(y, both) == pytest.approx(mean_square(moved, 0.2), rel=1e-9)
    with pytest.raises(gapkit.InputError, match="does not keep margins"):
        equal_noise((y, x), (y + rng.standard_normal(40), x), 0.2, metric=metric)


def _unit_of_score(y, x, sigma, metric):
    """`effective_noise` gives the cosine's in cosines; the law compares it in the units of a dot product."""
    if metric != "cosine":
        return 1.0
    lengths = np.linalg.norm(y, axis=1) * np.linalg.norm(x, axis=1)
    return lengths * np.sqrt(1 + x.shape[1] * sigma**2 / (x**2).sum(1))


def test_the_quadratic_is_not_solved():
    sigma = equal_sigma(0.3, 2.0, 0.7, 5.0)
    assert sigma**2 * 2.0 + sigma**4 * 5.0 == pytest.approx(0.3**2 * 0.7 + 0.3**4 * 5.0, rel=1e-12)
    assert equal_sigma(0.3, 1.0, 1.0, 5.0) == pytest.approx(0.3, rel=1e-12)


def _gains(images, texts, targets=(0.9, 0.7, 0.5)):
    """Predicted and measured gains of the shift and of the affine projection at each level."""
    rows = []
    for target in targets:
        sigma = calibrate_sigma(images, texts, target)
        for closer in (GapCloser(), AffineProjection()):
            closer.fit(texts, images)
            moved_texts, moved_images = closer.transform_pair(texts, images)
            measured = robustness(moved_images, moved_texts, sigma=sigma).mean() - target
            rows.append((predict_closed(images, texts, sigma, closer=closer) - target, measured))
    return rows


def _check_law(rows):
    predicted, measured = np.array(rows).T
    assert 1 - ((predicted - measured) ** 2).sum() / ((measured - measured.mean()) ** 2).sum() >= 0.98
    assert np.abs(predicted - measured).max() <= 0.03


@pytest.mark.slow
def test_the_law_holds_on_every_shipped_model():
    names = [
        n
        for n in gapkit.list_embeddings()
        if n.startswith("miniclip") and n.endswith(("digits10", "scenes100"))
    ]
    assert len(names) >= 20
    _check_law([row for name in names for row in _gains(*_set(name, 80))])


@pytest.mark.slow
def test_the_law_holds_on_every_real_set_at_hand():
    rows = []
    for name, entry in published_sets().items():
        if not entry.cached:
            continue
        pairs = gapkit.load_embeddings(name)
        chosen = np.random.default_rng(0).permutation(len(pairs.images))
        for count in (10, 30):
            images, texts = (
                np.asarray(side, dtype=np.float64)[chosen[:count]] for side in (pairs.images, pairs.texts)
            )
            if len(np.unique(texts, axis=0)) == count:
                rows += _gains(images, texts)
    if not rows:
        pytest.skip("no published set is in the cache; get them with: gapkit fetch --all")
    _check_law(rows)


@pytest.mark.parametrize("spread", [1e-3, 1e-8])
@pytest.mark.parametrize("side", ["gallery", "queries"])
def test_a_raw_shift_is_refused_however_tight_the_gallery(spread, side):
    rng = np.random.default_rng(0)
    x = np.eye(64)[0] + spread * rng.standard_normal((10, 64))  # margins far below the lengths
    y = x + 0.5 * spread * rng.standard_normal((10, 64)) + np.eye(64)[1]
    sigma = calibrate_sigma(y, x, 0.5)
    raw = MeanShift(moves=side).fit(x, y)
    with pytest.raises(gapkit.InputError, match="does not keep margins"):
        predict_closed(y, x, sigma, closer=raw)
    whole = GapCloser(moves=side).fit(x, y)
    moved_x, moved_y = whole.transform_pair(x, y)
    measured = robustness(moved_y, moved_x, sigma).mean()
    assert predict_closed(y, x, sigma, closer=whole) == pytest.approx(measured, abs=0.02)


def test_lengths_that_differ_as_much_as_the_scores_are_refused():
    rng = np.random.default_rng(0)
    x = np.eye(64)[0] + 1e-3 * rng.standard_normal((10, 64))
    y = x + 1e-3 * rng.standard_normal((10, 64))
    x = (
        x / np.linalg.norm(x, axis=1, keepdims=True) * rng.uniform(0.9995, 1.0005, (10, 1))
    )  # one length, in half precision
    for metric in ("dot", "cosine"):
        with pytest.raises(gapkit.InputError, match="one length"):
            predict_metric(y, x, 1e-4, metric=metric)
    wide = rng.standard_normal((10, 64))
    wide = wide / np.linalg.norm(wide, axis=1, keepdims=True) * rng.uniform(0.9995, 1.0005, (10, 1))
    queries = wide + 0.1 * rng.standard_normal((10, 64))
    measured = robustness(queries, wide, 0.1, metric="dot").mean()
    assert predict_metric(queries, wide, 0.1, metric="dot") == pytest.approx(measured, abs=0.03)
