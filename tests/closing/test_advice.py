"""Advice: its choice is the best of those that keep answers, and each lever is the right one somewhere."""

import numpy as np
import pytest

import gapkit
from gapkit.closing import AffineProjection, GapCloser, LinearProjection, advise
from gapkit.closing.projections import SpanProjection
from gapkit.embeddings import published_sets
from gapkit.geometry import nearest
from gapkit.geometry.galleries import METRICS
from gapkit.robustness import robustness


def _unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _classes(rng, *, k, m, d, spread, noise, gap, unit):
    """k texts and m images around them, a gap along the last axis of which the texts know nothing."""
    texts = np.zeros((k, d))
    texts[:, : d - 1] = spread * rng.standard_normal((k, d - 1))
    images = texts[rng.integers(k, size=m)] + noise * rng.standard_normal((m, d))
    texts[:, -1] -= gap / 2
    images[:, -1] += gap / 2
    return (_unit(images), _unit(texts)) if unit else (images, texts)


def nothing_helps(rng):
    """Near-twin texts, more than dimensions, and images upon them: no room to move, and angles are distances."""
    texts = _unit(rng.standard_normal(256) + 0.01 * rng.standard_normal((260, 256)))
    return texts[rng.integers(260, size=40)], texts


def metric_alone(rng):
    """A wide gap and more texts than dimensions: nothing can be moved, but the dot product bears less noise."""
    texts = rng.standard_normal((60, 24))
    images = texts[rng.integers(60, size=40)] + 0.3 * rng.standard_normal((40, 24))
    texts[:, 0] -= 5
    images[:, 0] += 5
    return _unit(images), _unit(texts)


def shift(rng):
    """The gap is all that lies outside the texts' span, and all images have it alike."""
    return _classes(rng, k=6, m=60, d=7, spread=1.0, noise=0.0, gap=6.0, unit=False)


def projection(rng):
    """Images scatter widely outside the texts' span, each in a direction of its own."""
    return _classes(rng, k=5, m=60, d=120, spread=0.3, noise=0.25, gap=0.5, unit=True)


@pytest.mark.parametrize(
    ("make", "metric", "closers"),
    [
        (nothing_helps, None, {""}),
        (metric_alone, None, {""}),
        (shift, "euclidean", {"projected shift"}),
        (projection, "euclidean", {"affine projection"}),
        (projection, None, {"linear projection", "affine projection", "span projection"}),
    ],
)
def test_each_lever_is_advised_where_it_is_the_right_one(make, metric, closers):
    images, texts = make(np.random.default_rng(4))
    advice = advise(images, texts, metric=metric)
    assert advice.best.closer in closers
    assert (advice.best.metric != "euclidean") == (
        make in (metric_alone,) or (make is projection and metric is None)
    )


def _every_lever(images, texts, metrics, sigma):
    """Brute force, apart from the module's own list."""
    wanted = nearest(images, texts, metric=metrics[0])
    best = -1.0
    for metric in metrics:
        for closer in (
            None,
            GapCloser(),
            GapCloser(moves="queries"),
            GapCloser(moves="both"),
            AffineProjection(),
            LinearProjection(),
            SpanProjection(),
        ):
            y, x = images, texts
            if closer is not None:
                x, y = closer.fit(texts, images).transform_pair(texts, images)
            if (nearest(y, x, metric=metric) == wanted).all():
                best = max(best, robustness(y, x, sigma=sigma, metric=metric).mean())
    return best


@pytest.mark.parametrize("name", ["miniclip-wide/digits10", "miniclip-learned/scenes100"])
@pytest.mark.parametrize("metric", [None, *METRICS])
def test_the_advised_lever_is_the_best_there_is(name, metric):
    pairs = gapkit.load_embeddings(name)
    images = _unit(np.asarray(pairs.images[:80], dtype=np.float64))
    texts = _unit(np.asarray(pairs.texts, dtype=np.float64))
    advice = advise(images, texts, metric=metric)
    metrics = METRICS if metric is None else (metric,)
    assert advice.best.robustness >= _every_lever(images, texts, metrics, advice.sigma) - 0.002
    assert advice.untouched.robustness == pytest.approx(0.7, abs=1e-3)
    assert advice.best.answers_kept == 1
    for lever in advice.levers:
        if lever.predicted is not None:
            assert abs(lever.predicted - lever.robustness) < 0.05
        if lever.guaranteed:
            assert lever.answers_kept == 1


def test_a_metric_with_other_answers_is_not_advised():
    """Texts of different lengths: the dot product answers otherwise, however robust it is."""
    rng = np.random.default_rng(1)
    images, texts = projection(rng)
    texts = texts * rng.uniform(0.3, 3, len(texts))[:, None]
    advice = advise(images, texts)
    others = [lever for lever in advice.levers if lever.answers_kept < 1]
    assert others
    assert advice.best not in others
    assert advice.best.metric == "euclidean"


def test_a_given_sigma_is_used():
    images, texts = projection(np.random.default_rng(0))
    advice = advise(images, texts, sigma=0.05)
    assert advice.sigma == 0.05
    assert advice.untouched.robustness == pytest.approx(
        robustness(images, texts, sigma=0.05).mean(), abs=1e-12
    )


@pytest.mark.parametrize("wrong", [{"sigma": 0}, {"sigma": float("nan")}, {"metric": "euclid"}])
def test_wrong_options_are_refused(wrong):
    images, texts = projection(np.random.default_rng(0))
    with pytest.raises(gapkit.InputError, match=next(iter(wrong))):
        advise(images, texts, **wrong)


def test_one_candidate_is_refused():
    with pytest.raises(gapkit.InputError, match="at least 2"):
        advise([[1.0, 0.0]], [[0.0, 1.0]])


ONE_GALLERY = [
    name
    for name in gapkit.list_embeddings()
    if not name.endswith(("vqa", "rephrased")) and not name.startswith("miniclip-random")
]


EVERY_SET = [*ONE_GALLERY, *sorted(published_sets())]


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore::gapkit.errors.GapkitWarning"
)  # with more texts than dimensions nothing is moved
@pytest.mark.parametrize(("place", "name"), list(enumerate(EVERY_SET)), ids=EVERY_SET)
def test_the_advised_lever_is_not_the_best_there_is_on_some_set(place, name):
    """All three metrics at once; on further seeds and on random controls one of them, in turn."""
    try:
        pairs = gapkit.load_embeddings(name)
    except gapkit.InputError as missing:
        pytest.skip(str(missing))
    metric = METRICS[place % 3] if "@" in name or "random" in name else None
    images = _unit(np.asarray(pairs.images[:40], dtype=np.float64))
    texts = _unit(np.asarray(pairs.texts[:60] if pairs.task == "pairs" else pairs.texts, dtype=np.float64))
    advice = advise(images, texts, metric=metric)
    metrics = METRICS if metric is None else (metric,)
    assert advice.best.robustness >= _every_lever(images, texts, metrics, advice.sigma) - 0.002
