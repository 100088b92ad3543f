"""What the experiments say about small made-up sets, against independent computations."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gapkit.claims import claim, decide
from gapkit.closing import GapCloser
from gapkit.embeddings import EmbeddingSet
from gapkit.errors import InputError
from gapkit.experiments import noise as noise_module
from gapkit.experiments import zero_shot_task
from gapkit.experiments.family import compare_family
from gapkit.experiments.formation import _checks
from gapkit.experiments.multiple_choice import _questions, measure_multiple_choice
from gapkit.experiments.orthogonality import resolved_components
from gapkit.experiments.protocol import CALIBRATED, MIDDLE, PROJECTED, fit_closer
from gapkit.experiments.raw_shift import _hump
from gapkit.experiments.rephrasing import measure_rephrasing
from gapkit.experiments.retrieval import measure_retrieval
from gapkit.geometry import nearest
from gapkit.perturbations import UniformQuantization
from gapkit.robustness import robustness
from gapkit.tasks import retrieval
from tests.experiments.toys import CLASSES, IMAGES, MODEL, job, make_sets


def pick(table, **where):
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def test_every_row_says_where_it_comes_from_and_every_mean_has_an_interval(tables):
    for name, table in tables.items():
        assert {"model", "seed"} <= set(table), name
        for column in table:
            if f"{column}_low" in table:
                known = table.dropna(subset=[column])
                assert (known[f"{column}_low"] <= known[column] + 1e-12).all(), (name, column)
                assert (known[f"{column}_high"] >= known[column] - 1e-12).all(), (name, column)


def test_calibrated_levels_are_where_they_say(tables):
    untouched = pick(tables["noise"], alpha=0.0)
    for name in CALIBRATED:
        np.testing.assert_allclose(
            pick(untouched, level=name)["robustness"], float(name.split()[1]), atol=1e-5
        )


def test_rows_of_the_noise_table_are_the_exact_robustness(tables, toy):
    row = pick(tables["noise"], level=MIDDLE, alpha=0.5).iloc[0]
    task = zero_shot_task(MODEL, toy["classes"])
    moved = GapCloser(alpha=0.5).fit(task.gallery, task.queries).transform(task.gallery)
    values = robustness(task.queries, moved, sigma=row["sigma_per_coordinate"])
    assert row["robustness"] == pytest.approx(values.mean(), abs=1e-6)
    before = robustness(task.queries, task.gallery, sigma=row["sigma_per_coordinate"])
    assert row["gain"] == pytest.approx((values - before).mean(), abs=1e-6)


def test_the_check_of_the_optimum_sees_a_displaced_optimum(toy, monkeypatch):
    task = zero_shot_task(MODEL, toy["classes"])
    closer = fit_closer(PROJECTED, task)
    assert noise_module._better_beside_the_optimum(task, closer, 0.08)["value"] == 0
    true = noise_module.per_query_optimum
    monkeypatch.setattr(noise_module, "per_query_optimum", lambda *a: true(*a) + 0.3)
    assert noise_module._better_beside_the_optimum(task, closer, 0.08)["value"] > 0.9


def test_multiple_choice_distances_are_those_to_each_questions_moved_options():
    entries = make_sets()["choice"]
    questions = _questions(entries)
    gap = entries.images.mean(0) - entries.texts.mean(0)
    for q in (0, 7, 20):
        options, image = entries.texts[entries.options[q]], entries.images[entries.image_rows[q]]
        centred = options - options.mean(0)
        inside = np.linalg.pinv(centred) @ centred  # projection onto the span of the differences
        moved = options + 0.6 * (gap - inside @ gap)
        np.testing.assert_allclose(questions.at(0.6)[q], ((moved - image) ** 2).sum(1), atol=1e-12)


def test_questions_that_share_an_image_are_resampled_together(toy):
    table = pd.DataFrame(measure_multiple_choice(job("multiple-choice", toy["choice"]))["multiple-choice"])
    assert set(table["question_type"]) == {"all", "left", "right"}
    assert (pick(table, question_type="all")["queries"] == 2 * IMAGES).all()


def test_a_fitted_range_moves_along_with_the_gallery_and_a_fixed_one_does_not(toy):
    """With fitted ranges "move, then round" is "round, then move", the protocol of all other perturbations."""
    task = zero_shot_task(MODEL, toy["classes"])
    closer = fit_closer(PROJECTED, task)
    moved = task.gallery + closer.shift_
    for kind, equivariant in (("fitted", True), ("fixed", False)):
        code = UniformQuantization(8, range=kind)
        apart = np.abs(code.apply(moved) - (code.apply(task.gallery) + closer.shift_)).max()
        assert (apart < 1e-9) == equivariant


def test_quantised_rows_count_the_answers_to_the_stored_gallery(tables, toy):
    """In every rotation that the seed draws, and their mean is the value; the law says beforehand what is gained."""
    task = zero_shot_task(MODEL, toy["classes"])
    shift, rng, d = fit_closer(PROJECTED, task).shift_, np.random.default_rng([0, 6]), task.gallery.shape[1]
    clean, kept = nearest(task.queries, task.gallery), []
    for _ in range(8):
        turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
        stored = UniformQuantization(16, range="fixed", limit=1.0).apply((task.gallery + shift) @ turn)
        kept.append((nearest(task.queries @ turn, stored) == clean).mean())
    row = pick(tables["quantisation"], noise="range ±1", level="16 bins", alpha=1.0).iloc[0]
    assert row["robustness"] == pytest.approx(np.mean(kept), abs=1e-12)
    spread = np.std(kept, ddof=1) / 8**0.5 * stats.t.ppf(0.975, 7)
    assert row["robustness_high"] - row["robustness"] >= spread - 1e-12


def test_rephrasing_measures_against_the_standard_wording(toy):
    found = measure_rephrasing(job("rephrasing", toy["rephrased"]))
    checks = {row["check"]: row["value"] for row in found["rephrasing.checks"]}
    entries = make_sets()["rephrased"]
    galleries = np.split(entries.texts, 4)

    def accuracy(gallery):
        distances = ((entries.images[:, None] - gallery[None]) ** 2).sum(-1)
        return (distances.argmin(1) == entries.labels).mean()

    expected = accuracy(galleries[0]) - (accuracy(galleries[2]) + accuracy(galleries[3])) / 2
    assert checks["cost of rephrasing"] == pytest.approx(expected, abs=1e-12)
    assert checks["refitted: answers differ"] == 0


def test_rephrasing_that_cannot_be_affected_by_the_shift_decides_nothing(tmp_path):
    """Wordings inside the affine span of the classes: g' is orthogonal to them, whatever they are."""
    entries = make_sets()["rephrased"]
    texts = entries.texts[:CLASSES].astype(float)
    mixed = 0.9 * texts + 0.1 * np.roll(texts, 1, axis=0)
    inside = EmbeddingSet(
        images=entries.images,
        texts=np.concatenate([texts, texts, mixed, mixed[::-1]]),
        task="zero-shot",
        labels=entries.labels,
        metadata=entries.metadata,
    )
    path = str(inside.save(tmp_path / "inside.safetensors"))
    checks = pd.DataFrame(measure_rephrasing(job("rephrasing", path))["rephrasing.checks"])
    assert pick(checks, check="accuracy won back")["reason"].iloc[0] != ""
    assert pick(checks, check="cost of rephrasing")["reason"].iloc[0] == ""


def test_rephrasing_of_a_hundred_classes_is_measured_in_galleries_of_ten_too(tmp_path):
    """Every tenth class is a gallery of its own, moved by its own shift; the queries count together."""
    rng = np.random.default_rng(0)
    texts = rng.standard_normal((100, 130)) - 4 * np.eye(130)[0]
    other = texts + 0.9 * rng.standard_normal(texts.shape)
    other[:, 0] += 8 * rng.standard_normal(100)  # along the gap, so that closing has something to do
    labels = np.arange(300) % 100
    images = texts[labels] + 1.2 * rng.standard_normal((300, 130)) + 8 * np.eye(130)[0]
    templates = [{"template": "a", "held_out": False}, {"template": "b", "held_out": True}]
    entries = EmbeddingSet(
        images=images,
        texts=np.concatenate([texts, other]),
        task="zero-shot",
        labels=labels,
        metadata={"model": MODEL, "dataset": "toy", "notes": {"templates": templates}},
    )
    path = str(entries.save(tmp_path / "hundred.safetensors"))
    found = measure_rephrasing(job("rephrasing", path))
    few = pick(pd.DataFrame(found["rephrasing.checks"]), task="zero-shot, K=10")
    won, hits = [], []
    for first in range(10):
        rows = np.flatnonzero(labels % 10 == first)
        gallery, asked = other[first::10], images[rows]
        shift = GapCloser().fit(texts[first::10], asked).shift_
        before, after = (
            ((asked[:, None] - moved[None]) ** 2).sum(-1).argmin(1) * 10 + first == labels[rows]
            for moved in (gallery, gallery + shift)
        )
        hits += list(before)
        won += list(after.astype(float) - before)
    row = pick(few, check="accuracy won back").iloc[0]
    assert row["value"] == pytest.approx(np.mean(won), abs=1e-12)
    rows = pick(pd.DataFrame(found["rephrasing"]), task="zero-shot, K=10", level="b", alpha=0.0)
    assert rows["noisy_accuracy"].item() == pytest.approx(np.mean(hits), abs=1e-12)
    assert np.any(won)  # else the comparison would say nothing
    assert set(pd.DataFrame(found["rephrasing.checks"])["task"]) == {"zero-shot, K=100", "zero-shot, K=10"}


def test_rephrasing_needs_wordings(toy):
    with pytest.raises(InputError, match="templates"):
        measure_rephrasing(job("rephrasing", toy["classes"]))


def test_recall_is_that_of_the_tasks_module(toy):
    table = pd.DataFrame(measure_retrieval(job("retrieval", toy["pairs"]))["retrieval"])
    entries = make_sets()["pairs"]
    scores = retrieval(entries.texts, entries.images)
    for direction in ("image to text", "text to image"):
        row = pick(table, direction=direction, alpha=0.0).iloc[0]
        for cut in (1, 5, 10):
            assert row[f"recall_at_{cut}"] == scores[f"{direction.replace(' ', '_')}_R@{cut}"]


@pytest.mark.parametrize(
    ("curve", "expected"),
    [([0.5, 0.7, 0.4], 0.2), ([0.5, 0.6, 0.7], 0.0), ([0.7, 0.4, 0.6], 0.2), ([0.5, 0.5, 0.5], 0.0)],
)
def test_hump_is_the_smaller_side_and_zero_for_monotone_curves(curve, expected):
    from gapkit.geometry import Resamples

    accuracy = np.array([[float(i < round(10 * value)) for value in curve] for i in range(10)])
    assert _hump(accuracy, Resamples(10, seed=0)).value == pytest.approx(expected, abs=1e-12)


def test_a_flat_curve_is_taken_for_a_hump_because_its_peak_was_chosen_after_looking():
    from gapkit.geometry import Resamples

    resamples = Resamples(100, seed=0)
    flat = (
        np.random.default_rng(0).random((60, 100, 21)) < 0.7
    )  # sixty sets of answers, right or wrong by chance
    lows = np.array([_hump(answers.astype(float), resamples).low for answers in flat])
    assert np.mean(lows > 0) < 0.05
    peaked = (flat[0] | (np.arange(21) == 10)).astype(float)
    assert _hump(peaked, resamples).low > 0.1  # and a true peak is found


def test_curve_checks_read_the_right_steps():
    curve = [
        {"step": s, "accuracy": a, "gap": g, "temperature": 0.07, "one_sided_defect": d,
         "variance_along_gap_images": v, "variance_along_gap_texts": 2 * v}
        for s, a, g, d, v in [(0, 0.0, 1.2, 0.1, 1.0), (10, 0.5, 0.9, 0.8, 0.4), (20, 0.9, 0.7, 0.2, 0.3)]
    ]  # fmt: skip
    found = {row["check"]: row["value"] for row in _checks(curve)}
    assert found["gap at step 0"] == 1.2
    assert found["gap at the end"] == 0.7
    assert found["defect at the end over the largest"] == pytest.approx(0.25)
    assert found["step of half the final accuracy"] == 10
    assert found["defect at the end over that at the start"] == pytest.approx(2.0)  # not "late, not early"
    assert found["variance along g, half accuracy over start, images"] == 0.4
    assert found["relative variance at the end, texts"] == 0.6
    assert found["variance along g, end over start, texts"] == pytest.approx(0.3)


def test_variance_that_rises_from_a_small_start_is_not_called_shrinking():
    """What shrinks is seen against its own start: an end value below a threshold says nothing."""
    curve = [
        {"step": s, "accuracy": a, "gap": 1.0, "temperature": 0.07, "one_sided_defect": 0.1,
         "variance_along_gap_images": v, "variance_along_gap_texts": 10 * v}
        for s, a, v in [(0, 0.0, 0.05), (10, 0.5, 0.2), (20, 0.9, 0.3)]
    ]  # fmt: skip
    rows = [{"model": "miniclip-x", "training": "seed 0", **row} for row in _checks(curve)]
    for name in ("variance-shrinks", "variance-shrinks-first"):
        (finding,) = decide({"formation": pd.DataFrame(rows)}, [claim(name)])
        assert finding.verdict == "does not hold"


def members(runs=3, untouched=0.7):
    return pd.DataFrame(
        {"setting": s, "run": r, "dataset": "toy", "level": MIDDLE, "gap_norm": i + 0.1 * r, "gain": i + 0.1 * r,
         "untouched": untouched if s != "d" else 0.7}
        for i, s in enumerate("abcdef") for r in range(runs)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (members(), ""),
        (members(runs=2), "seeds"),
        (members(untouched=0.75), "matched"),
        (members().query("setting in ('a', 'b')"), "settings"),
    ],
)
def test_family_is_undecidable_without_seeds_settings_or_matched_robustness(table, reason):
    (row,) = compare_family(table, 0)
    assert reason in row["reason"]
    assert bool(row["reason"]) == bool(reason)


def test_exact_robustness_of_a_plan_without_gap_has_nothing_to_gain(tmp_path):
    """Queries inside the span of the gallery: no gap to close, and no gain is made up."""
    entries = make_sets()["classes"]
    texts = entries.texts.astype(float)
    weights = np.random.default_rng(0).dirichlet(np.full(CLASSES, 0.3), size=IMAGES)
    flat = EmbeddingSet(images=weights @ texts, texts=texts, task="zero-shot", labels=weights.argmax(1))
    task = zero_shot_task("", str(flat.save(tmp_path / "flat.safetensors")))
    with pytest.warns(UserWarning, match="nothing is moved"):
        closer = fit_closer(PROJECTED, task)
    found = noise_module._better_beside_the_optimum(task, closer, 0.05)
    assert found["value"] == 0
    assert "below the error of the quadrature" in found["reason"]  # a check that cannot fail decides nothing


def test_components_made_of_rounding_are_not_counted():
    rng = np.random.default_rng(0)
    flat = rng.standard_normal((60, 12)) @ rng.standard_normal((12, 200))
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    stored = flat.astype(np.float16).astype(float)
    stored /= np.linalg.norm(stored, axis=1, keepdims=True)  # as embeddings are loaded
    assert np.linalg.matrix_rank(stored) == 60  # rounding fills all dimensions
    assert resolved_components(stored) == resolved_components(flat) == 12
    assert resolved_components(rng.standard_normal((60, 200))) in (59, 60)
