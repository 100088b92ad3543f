"""Where the theory stops: what is said to be provably empty is empty, and what is measured is what it says."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import skew

from gapkit.closing import GapCloser, MeanShift
from gapkit.experiments import limits, zero_shot_task
from gapkit.geometry import nearest
from gapkit.geometry.galleries import METRICS
from gapkit.robustness import robustness
from tests.experiments.toys import CLASSES, MODEL, D

SIGMA = 0.08


@pytest.fixture(scope="module")
def task(toy):
    return zero_shot_task(MODEL, toy["classes"])


@pytest.fixture(scope="module")
def directions(task):
    return {row["noise"]: row for row in limits.measure_noise_directions(task, SIGMA, draws=400)}


def survivors(task, moves, metric, noise_on, rng):
    """(draws, m) whether an answer survives, with noise that is the same whoever moves."""
    shift = GapCloser().fit(task.gallery, task.queries).shift_
    queries = task.queries - shift * (moves == "queries")
    gallery = task.gallery + shift * (moves == "gallery")
    clean, kept = nearest(queries, gallery, metric=metric), []
    for _ in range(25):
        on_gallery = SIGMA * rng.standard_normal(gallery.shape) * (noise_on == "gallery")
        on_queries = 5 * SIGMA * rng.standard_normal(queries.shape) * (noise_on == "queries")
        kept.append(nearest(queries + on_queries, gallery + on_gallery, metric=metric) == clean)
    return np.array(kept)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("noise_on", ["gallery", "queries"])
@pytest.mark.parametrize("moves", ["gallery", "queries"])
def test_a_cell_is_called_empty_exactly_where_no_single_answer_changes(task, metric, noise_on, moves):
    before = survivors(task, "nothing", metric, noise_on, np.random.default_rng(1))
    after = survivors(task, moves, metric, noise_on, np.random.default_rng(1))
    assert 0.1 < before.mean() < 0.999
    assert bool(limits.no_effect(metric, noise_on, moves)) == bool((before == after).all())


def test_nothing_moved_needs_no_reason():
    assert limits.no_effect("dot", "queries", "nothing") == ""


def test_noise_at_right_angles_to_the_shift_does_not_see_it(directions):
    assert directions["all but g'"]["directions"] == D - 1
    assert directions["the texts' span"]["directions"] == CLASSES - 1
    for name in ("all but g'", "the texts' span"):
        assert directions[name]["method"] == "exact"
        assert directions[name]["largest_change"] < 1e-6
    assert directions["every direction"]["shift"] > directions["every direction"]["untouched"] + 0.02


def test_noise_along_the_gap_alone_is_the_one_dimensional_problem(task):
    sigma = 4 * SIGMA
    shift = GapCloser().fit(task.gallery, task.queries).shift_
    unit = shift / np.linalg.norm(shift)
    rng, clean = np.random.default_rng(0), nearest(task.queries, task.gallery)
    squares = ((task.queries[:, None] - task.gallery) ** 2).sum(2)
    away = (task.gallery[None] - task.queries[:, None]) @ unit
    noise = sigma * rng.standard_normal((400, 1, CLASSES))
    kept = ((squares + 2 * noise * away + noise**2).argmin(2) == clean).mean(1)
    row = limits.measure_noise_directions(task, sigma, draws=400)[-1]
    assert row["noise"] == "g' alone"
    error = kept.std() / np.sqrt(400)
    assert row["untouched"] == pytest.approx(kept.mean(), abs=6 * error)
    assert row["shift"] > row["untouched"] + 0.05


def test_renormalising_a_fully_projected_gallery_changes_no_answer_and_scales_all_rows_alike(task):
    rows = limits.measure_renormalised(task, SIGMA, (None, 0))
    full = [row for row in rows if row["shift"] in ("untouched", f"k = {CLASSES - 1}")]
    assert len(full) == 4
    for row in full:
        assert row["agreement"] == 1
        assert row["longest"] == pytest.approx(row["shortest"], rel=1e-9)
    raw = next(row for row in rows if row["shift"] == "k = 0")
    assert raw["longest"] > raw["shortest"] + 1e-3


def test_renormalised_robustness_is_that_of_noise_then_shift_then_unit_rows(task):
    row = limits.measure_renormalised(task, SIGMA, (None,))[-1]
    assert row["after"] == "renormalised"
    closer = GapCloser().fit(task.gallery, task.queries)

    def move_and_normalise(gallery):
        moved = closer.transform(gallery, perturbed=True)
        return moved / (moved**2).sum(-1, keepdims=True) ** 0.5

    drawn, info = robustness(
        task.queries, task.gallery, SIGMA, transform=move_and_normalise, draws=600, return_info=True
    )
    assert row["robustness"] == pytest.approx(drawn.mean(), abs=4 * info.mean_std_error)


def test_overshooting_keeps_answers_with_all_components_and_robustness_peaks_at_closure(task):
    alphas = (0.0, 0.5, 1.0, 1.5, 2.0, 4.0)
    rows = limits.measure_overshoot(task, SIGMA, (None, 0), alphas)
    full = {row["alpha"]: row for row in rows if row["components"] == CLASSES - 1}
    assert [row["agreement"] for row in full.values()] == [1.0] * len(alphas)
    assert max(full, key=lambda alpha: full[alpha]["robustness"]) == 1.0
    assert full[4.0]["robustness"] < full[0.0]["robustness"] - 0.05
    raw = [row for row in rows if row["components"] == 0]
    assert raw[0]["agreement"] == 1.0
    assert raw[0]["shift_norm"] > full[0.0]["shift_norm"]


def test_a_gallery_as_large_as_the_dimension_leaves_nothing_to_move(task):
    rng = np.random.default_rng(0)
    crowd = rng.standard_normal((D + 5, D)) / np.sqrt(D) + task.gallery.mean(0)
    many = replace(task, gallery=crowd, labels=nearest(task.queries, crowd))
    rows = limits.measure_gallery_sizes(many, (5, D // 2, D + 5), choices=(None, 0.5))
    exact = [row for row in rows if row["choice"] == "all"]
    assert [row["components"] for row in exact] == [4, D // 2 - 1, D]
    assert exact[0]["gain"] > 0.01
    assert (exact[-1]["shift_norm"], exact[-1]["gain"], exact[-1]["left_by_chance"]) == (0, 0, 0)
    assert all(row["agreement"] == 1 for row in exact)
    some = [row for row in rows if row["choice"] == "0.5 of the variance"][-1]
    assert some["shift_norm"] > 0.1
    assert some["agreement"] < 1


def test_hubs_are_counted_over_the_moved_gallery(task):
    rows = limits.measure_hubs(task, (0.0, 1.0), k=2)
    found = {(row["shift"], row["alpha"]): row for row in rows}
    for alpha in (0.0, 1.0):
        shift = MeanShift().fit(task.gallery, task.queries).shift_
        far = ((task.queries[:, None] - task.gallery - alpha * shift) ** 2).sum(2)
        counts = np.bincount(far.argsort(1)[:, :2].ravel(), minlength=CLASSES)
        row = found["raw shift", alpha]
        assert row["skewness"] == pytest.approx(skew(counts))
        assert row["largest"] == counts.max()
    assert found["projected shift", 1.0]["skewness"] == found["projected shift", 0.0]["skewness"]


def test_a_hub_is_seen():
    even, hub = limits.describe_hubs(np.full(10, 3)), limits.describe_hubs(np.array([21] + [1] * 9))
    assert hub["skewness"] > 2
    assert (even["skewness"], even["largest"], hub["largest"], even["never"]) == (0, 3, 21, 0)
