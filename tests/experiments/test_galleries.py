"""Pair sets cut into small galleries: the same as classes, repeats dropped, and intervals that cover."""

import numpy as np
import pytest

from gapkit.closing import AffineProjection, GapCloser, LinearProjection, MeanShift
from gapkit.embeddings import EmbeddingSet, load_embeddings, published_sets
from gapkit.errors import InputError
from gapkit.experiments.data import Task
from gapkit.experiments.gains import UnderNoise, crowded
from gapkit.experiments.galleries import (
    GalleryCloser,
    galleries_in,
    gallery_task,
    near_twins_task,
    possible_sizes,
)
from gapkit.experiments.protocol import (
    AFFINE,
    CALIBRATED,
    LINEAR,
    MIDDLE,
    PROJECTED,
    RAW,
    Level,
    answers_to,
    calibrated_levels,
    fit_closer,
    shift_gallery,
    survival_of,
)
from gapkit.experiments.real_models import compare_models, permuted_rank_correlation
from gapkit.experiments.record import Job, experiment
from gapkit.geometry import Interval, nearest
from gapkit.robustness import robustness
from gapkit.tasks.galleries import calibrate_in_galleries

CLASSES = {PROJECTED: GapCloser, RAW: MeanShift, AFFINE: AffineProjection, LINEAR: LinearProjection}


def pairs(count=60, d=40, seed=0, repeats=0):
    rng = np.random.default_rng(seed)
    texts = rng.standard_normal((count, d))
    images = texts + 0.8 * rng.standard_normal((count, d))
    texts[:, 0] += 4
    images[:, 1] += 4
    for i in range(repeats):
        texts[count - 1 - i] = texts[i]
    return EmbeddingSet(images=images, texts=texts, task="pairs", metadata={"model": "m"}).normalise()


@pytest.fixture
def job(tmp_path):
    def make(name, entries=None, **options):
        path = (entries or pairs()).save(tmp_path / "pairs.safetensors")
        return Job(name, "m", str(path), options=dict(options, galleries=options.get("galleries", 10)))

    return make


def test_repeated_gallery_rows_stay_in():
    task = gallery_task(pairs(repeats=4), "m", "d", 10, partitions=2)
    assert task.dropped == 4
    assert task.head["galleries"] == 5
    assert task.gallery.shape == (10, 10, 40)
    other = gallery_task(pairs(repeats=4), "m", "d", 10, direction="text to image", partitions=2)
    assert other.dropped == 0


def test_queries_are_no_partners_of_their_candidates():
    entries = pairs()
    task = gallery_task(entries, "m", "d", 10)
    texts, images = entries.texts.astype(float), entries.images.astype(float)
    for x, y in zip(task.gallery.reshape(-1, 40), task.queries.reshape(-1, 40), strict=True):
        i = int((np.abs(texts - x).max(1)).argmin())
        assert np.abs(images[i] - y).max() < 1e-12


@pytest.mark.parametrize("name", CLASSES)
def test_a_closer_is_not_that_of_each_gallery_with_the_sets_mean(name):
    task = gallery_task(pairs(), "m", "d", 10, partitions=1)
    ours = fit_closer(name, task)
    assert isinstance(ours, GalleryCloser)
    for i, (x, y) in enumerate(zip(task.gallery, task.queries, strict=True)):
        if name in (PROJECTED, RAW):
            closer = CLASSES[name]().fit(x, gap=task.middle - x.mean(0))
            assert ours.shift_[i, 0] == pytest.approx(closer.shift_, abs=1e-12)
        else:
            closer = CLASSES[name]().fit(x, y)
            assert ours.transform(task.queries)[i] == pytest.approx(closer.transform(y), abs=1e-10)


def test_a_set_with_too_few_pairs_is_cut():
    with pytest.raises(InputError, match="d: 5 disjoint galleries of 30 need 150 pairs; got 60"):
        gallery_task(pairs(), "m", "d", 30)
    assert possible_sizes(pairs(), (10, 30, 100)) == [10]
    assert possible_sizes(pairs(repeats=11), (10,)) == []


@pytest.mark.parametrize("name", ["noise", "closers", "axes", "quantisation", "raw-shift", "retrieval"])
def test_an_experiment_takes_no_small_galleries(job, name):
    """Every table has the columns it has for classes, and K in the name of the dataset."""
    options = dict(experiment(name).galleries, partitions=2, draws=2, paper_alphas=[0.0, 1.0])
    tables = experiment(name).measure(job(name, **options))
    for rows in tables.values():
        assert rows
        assert all(row["dataset"].endswith(", K=10") for row in rows)
    gains = [row for row in tables[name] if "gain" in row and row["alpha"] == 0.0]
    assert all(row["gain"] == pytest.approx(0, abs=1e-12) for row in gains)


def test_answers_change_under_the_projected_shift():
    task = gallery_task(pairs(), "m", "d", 10)
    closer = fit_closer(PROJECTED, task)
    before = answers_to(task.queries, task.gallery)
    for alpha in (-0.5, 0.5, 1.0, 1.5):
        assert (answers_to(task.queries, shift_gallery(task.gallery, closer, alpha)) == before).all()


def test_pooled_robustness_is_not_that_of_the_galleries():
    task = gallery_task(pairs(), "m", "d", 10, partitions=1)
    values = survival_of(task.queries, task.gallery, 0.1).reshape(len(task.gallery), -1)
    for i, (x, y) in enumerate(zip(task.gallery, task.queries, strict=True)):
        assert values[i] == pytest.approx(robustness(y, x, 0.1), abs=2e-6)
        assert (answers_to(task.queries, task.gallery).reshape(values.shape)[i] == nearest(y, x)).all()


def test_codes_depend_on_coordinates_that_a_matrix_of_cosines_has_lost(job):
    """Rotations are drawn: embeddings known up to one are asked like all others, and axes say nothing."""
    z = np.concatenate([pairs().images, pairs().texts]).astype(float)
    entries = EmbeddingSet.from_gram(z @ z.T, images=60, dimension=40)
    rows = experiment("quantisation").measure(job("quantisation", entries, partitions=1))["quantisation"]
    assert all(row["reason"] == "" and row["gain_low"] <= row["gain"] <= row["gain_high"] for row in rows)
    assert {row["rotations"] for row in rows} == {8}


def test_a_gallery_that_holds_the_gap_is_asked_for_what_is_orthogonal():
    """Crowded: more rows than half of the dimensions, and most of the squared gap among them."""
    rng = np.random.default_rng(0)
    queries, few = rng.standard_normal((40, 32)) + 2, rng.standard_normal((10, 32))
    many = np.concatenate([few, rng.standard_normal((25, 32))])
    flat = np.concatenate(
        [few, few + 0.5 * few[::-1], few - few[::-1]]
    )  # thirty rows that span nine dimensions
    found = [crowded(Task("", "", "", queries, x, np.zeros(40, int))) for x in (few, many, flat)]
    assert found[0] == found[2] == "" and "little is orthogonal: 35 rows in 32 dimensions" in found[1]


def test_the_order_of_models_is_no_permutation_test():
    rng = np.random.default_rng(0)
    found = permuted_rank_correlation(np.arange(7), np.arange(7) ** 2)
    assert found["value"] == pytest.approx(1) and found["p"] == pytest.approx(1 / 5040)
    drawn = [permuted_rank_correlation(*rng.standard_normal((2, 6)))["p"] for _ in range(300)]
    assert np.mean(np.array(drawn) <= 0.05) < 0.09  # nominal 0.05, at most: fails once in a thousand seeds
    opposite = permuted_rank_correlation(np.arange(7), -np.arange(7))
    assert opposite["p"] == 1.0 and opposite["value_high"] < 0


def test_few_models_decide():
    import pandas as pd

    def row(i):
        return {
            "model": f"m{i}",
            "dataset": f"coco-{i}",
            "level": MIDDLE,
            "gap_norm": 0.1 * i,
            "gain": 0.01 * i,
        }

    for count, reason in ((5, "only 5 models; 6 are needed"), (6, "")):
        rows = compare_models(pd.DataFrame(map(row, range(count))), 0)
        assert {r["reason"] for r in rows} == {reason}


def published(name):
    if not published_sets()[name].cached:
        pytest.skip(f"{name} is not in the cache; put it there with: gapkit fetch {name}")
    return load_embeddings(name)


def gain_of_task(task, level, side, after):
    row = UnderNoise(task, level, seed=0).gain(side, after, expect=False)
    return Interval(*row.values())


KNOWN = {  # the shift's gain and the affine projection's, at untouched robustness 0.7, as measured before
    10: ((0.083, 0.080, 0.087), 0.141),
    30: ((0.075, 0.069, 0.080), 0.129),
    100: ((0.056, 0.051, 0.061), 0.096),
}


@pytest.mark.parametrize("size", KNOWN)
def test_gains_of_real_clip_have_changed(size):
    task = gallery_task(published("coco500-clip-vitb16"), "clip", "coco500", size, partitions=10)
    level = Level(MIDDLE, calibrate_in_galleries(task.queries, task.gallery, 0.7), metric="euclidean")
    (value, low, high), affine = KNOWN[size]
    shifted = task.queries, shift_gallery(task.gallery, fit_closer(PROJECTED, task), 1.0)
    projected = fit_closer(AFFINE, task).transform(task.queries), task.gallery
    for side, expected in ((shifted, value), (projected, affine)):
        values = survival_of(*side, level.sigma)
        gain = gain_of_task(task, level, side, values)
        if expected == value:
            assert low - 0.0005 <= gain.value <= high + 0.0005
            assert (gain.high - gain.low) == pytest.approx(high - low, rel=0.35)
        assert gain.low < expected < gain.high


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("size", [10])
def test_the_interval_covers_too_little(size):
    """A Gaussian population fitted to a shipped set, 150 sets drawn from it: 95 % is between 91 and 100 %."""
    entries = load_embeddings("miniclip-wide/scenes-pairs")
    kept = np.unique(entries.texts, axis=0, return_index=True)[1]
    both = np.concatenate([entries.images[kept], entries.texts[kept]], 1).astype(float)
    centre, spread = both.mean(0), (both - both.mean(0)) / len(both) ** 0.5
    rng, d = np.random.default_rng(size), entries.dim

    def gain_of(count, partitions, seed):
        rows = centre + rng.standard_normal((count, len(spread))) @ spread
        drawn = EmbeddingSet(images=rows[:, :d], texts=rows[:, d:], task="pairs")
        task = gallery_task(drawn, "m", "d", size, partitions=partitions, seed=seed)
        level = Level(
            CALIBRATED[1], calibrate_in_galleries(task.queries, task.gallery, 0.7), metric="euclidean"
        )
        side = task.queries, shift_gallery(task.gallery, fit_closer(PROJECTED, task), 1.0)
        return gain_of_task(task, level, side, survival_of(*side, level.sigma))

    truth = gain_of(300 * size, 1, 0).value
    found = [gain_of(10 * size, 2, draw) for draw in range(150)]
    covered = np.mean([gain.low <= truth <= gain.high for gain in found])
    assert 0.91 <= covered <= 1


def twins(count=6, size=8, asked=3, d=30, **notes):
    rng = np.random.default_rng(5)
    texts = rng.standard_normal((count * size, d))
    labels = (
        np.arange(count)[:, None] * size
        + rng.permuted(np.tile(np.arange(size), (count, 1)), axis=1)[:, :asked]
    ).ravel()
    images = texts[labels] + 0.5 * rng.standard_normal((count * asked, d))
    return EmbeddingSet(
        images=images,
        texts=texts,
        task="zero-shot",
        labels=labels,
        metadata={"notes": {"galleries": count} | notes},
    )


def test_a_set_with_galleries_of_its_own_is_not_asked_gallery_by_gallery():
    entries = twins()
    task = near_twins_task(entries, 6, "m", "d")
    found = answers_to(task.queries, task.gallery).reshape(6, 3)
    for g in range(6):
        texts, images = entries.texts[8 * g : 8 * g + 8], entries.images[3 * g : 3 * g + 3]
        assert (found[g] == nearest(images, texts)).all()
        assert (task.labels.reshape(6, 3)[g] == entries.labels[3 * g : 3 * g + 3] - 8 * g).all()
        closer = GapCloser().fit(texts, gap=entries.images.mean(0) - texts.mean(0))
        np.testing.assert_allclose(fit_closer(PROJECTED, task).shift_[g, 0], closer.shift_, atol=1e-9)
    assert task.resamples(0).mean(np.ones(18)) == Interval(1, 1, 1)


@pytest.mark.parametrize("galleries", [5, 2, 0, -6, "6", None, 6.0, [6]])
def test_notes_that_describe_no_galleries_cut_a_set(galleries):
    assert galleries_in(twins()) == 6
    assert galleries_in(twins(galleries=galleries)) == 0


def test_a_right_answer_in_another_gallery_is_not_noticed():
    entries = twins()
    labels = np.array(entries.labels)
    labels[0] += 8
    assert galleries_in(entries.replace(labels=labels)) == 0


@pytest.mark.parametrize("metric", ["euclidean", "dot", "cosine"])
def test_every_gain_on_galleries_is_predicted_or_says_why_not(metric):
    """Closed galleries differ in length from each other, which the law of the cosine must bear."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((60, 40))
    texts, images = z + np.eye(40)[0] * 6, z + 0.9 * rng.standard_normal((60, 40)) - np.eye(40)[0] * 6
    rows = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (images, texts)]
    task = gallery_task(EmbeddingSet(images=rows[0], texts=rows[1], task="pairs"), "m", "d", 10, partitions=1)
    level = calibrated_levels(task, [MIDDLE])[0]
    noise = UnderNoise(task, level, seed=0, metric=metric)
    for name, told in ((PROJECTED, True), (RAW, False)):
        moved = task.queries - fit_closer(name, task).shift_, task.gallery
        row = noise.gain(moved, noise.survival(moved))
        assert ("predicted_gain" in row) == told and ("not_predicted" in row) != told
        if told:
            assert row["predicted_gain"] == pytest.approx(row["gain"], abs=0.03)
