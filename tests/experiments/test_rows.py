"""The columns that all tables about answers share, and the noisy accuracy in them, against brute force."""

import warnings

import numpy as np
import pandas as pd
import pytest

from gapkit.closing import GapCloser
from gapkit.embeddings import EmbeddingSet
from gapkit.errors import GapkitWarning
from gapkit.experiments import multiple_choice, zero_shot_task
from gapkit.experiments.drawn import drawn_right, right_after_noise
from gapkit.experiments.family import measure_member
from gapkit.experiments.multiple_choice import ALPHAS as CHOICE_ALPHAS
from gapkit.experiments.noise import PAPER_ALPHAS
from gapkit.experiments.protocol import MEANS, TIDY
from gapkit.experiments.quantisation import TIED, unique_answers
from gapkit.geometry import gap_vector, nearest
from gapkit.geometry.galleries import METRICS
from gapkit.robustness import robustness
from tests.experiments.toys import MODEL, job

ABOUT_ANSWERS = [
    "noise",
    "closers",
    "axes",
    "levers",
    "raw-shift",
    "multiple-choice",
    "quantisation",
    "rephrasing",
    "retrieval",
    "family",
]
"""All experiments but those on the gap itself (gap, orthogonality, theory, formation), which move nothing."""


@pytest.fixture(scope="module")
def all_tables(tables, toy):
    return {**tables, "family": pd.DataFrame(measure_member(job("family", toy["classes"]))["family"])}


@pytest.mark.parametrize("name", ABOUT_ANSWERS)
def test_the_table_has_every_promised_column_filled(all_tables, name):
    table = all_tables[name]
    promised = [column for column in TIDY if name != "rephrasing" or column != "queries"]
    assert [column for column in promised if column not in table] == []
    known = table.dropna(subset=["robustness"])  # else no σ reaches the level, and the row says so
    assert len(known)
    assert known[promised].notna().all().all()
    for column in MEANS:
        assert known[column].between(0, 1).all()
        assert (known[f"{column}_low"] <= known[column] + 1e-12).all()
        assert (known[f"{column}_high"] >= known[column] - 1e-12).all()


def test_every_experiment_on_embeddings_is_asked_for_its_columns():
    from gapkit.experiments import experiments

    others = {"gap", "orthogonality", "theory", "formation", "real-models", "noise-kinds", "mixed"}
    assert {record.name for record in experiments()} == {*ABOUT_ANSWERS, *others}


def test_no_noise_loses_nothing(all_tables):
    table = all_tables["raw-shift"]
    assert (table["noise"] == "none").all()
    assert (table["robustness"] == 1).all()
    assert (table["noisy_accuracy"] == table["clean_accuracy"]).all()


def test_the_papers_noise_and_multiple_choice_are_measured_over_the_whole_range_of_alpha(all_tables):
    noise = all_tables["noise"]
    for level in ("σ²=0.022 per coordinate", "σ²=0.022 in total"):
        assert set(noise[noise["level"] == level]["alpha"]) == set(PAPER_ALPHAS)
    assert min(PAPER_ALPHAS) == min(CHOICE_ALPHAS) == -0.5
    assert max(PAPER_ALPHAS) == max(CHOICE_ALPHAS) == 1.5
    retrieval = all_tables["retrieval"]
    assert set(retrieval[retrieval["rank"] == "full"]["alpha"]) == {-0.5, 0.0, 0.5, 1.0, 1.5}
    assert set(retrieval[retrieval["rank"] == "half"]["alpha"]) == {0.0, 0.5, 1.0}


def test_noise_is_also_told_against_the_spread_of_the_gallery(all_tables, toy):
    texts = zero_shot_task(MODEL, toy["classes"]).gallery
    apart = np.sqrt(((texts - texts.mean(0)) ** 2).sum(1).mean())
    row = all_tables["noise"].iloc[0]
    expected = row["sigma_per_coordinate"] * np.sqrt(texts.shape[1]) / apart
    assert row["sigma_over_spread"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_the_noisy_accuracy_is_that_of_whole_noisy_galleries(metric):
    """Also where the clean answer is wrong: there only three numbers a row are drawn."""
    rng = np.random.default_rng(0)
    d, sigma, count = 24, 0.35, 300 if metric == "cosine" else 1000
    gallery = rng.standard_normal((7, d)) + 1
    labels = np.arange(count) % 7
    queries = gallery[labels] + 1.6 * rng.standard_normal((count, d))
    survives = robustness(queries, gallery, sigma, metric=metric)
    wrong = nearest(queries, gallery, metric=metric) != labels
    assert 0.1 < wrong.mean() < 0.9
    found = np.mean(
        [
            right_after_noise(queries, gallery, labels, survives, sigma, metric=metric, seed=seed)
            for seed in range(8)
        ],
        axis=0,
    )
    drawn = np.mean(
        [
            nearest(queries, gallery + sigma * rng.standard_normal(gallery.shape), metric=metric) == labels
            for _ in range(200)
        ],
        axis=0,
    )
    assert found[wrong].mean() == pytest.approx(drawn[wrong].mean(), abs=0.02)
    assert found.mean() == pytest.approx(drawn.mean(), abs=0.015)
    assert found[wrong].mean() > 0.03  # else a constant 0 would pass
    np.testing.assert_allclose(found[~wrong], survives[~wrong])


def test_drawn_distances_are_those_of_noisy_rows_in_one_dimension_too():
    squares = np.array([[1.0, 4.0]] * 500)
    found = drawn_right(squares, np.ones(500, int), 0.9, 1).mean()
    rng = np.random.default_rng(1)
    near, far = (np.abs(at + 0.9 * rng.standard_normal(200_000)) for at in (1.0, 2.0))
    assert found == pytest.approx((far < near).mean(), abs=0.03)


@pytest.mark.parametrize("scale", [1.0, 3000.0])  # the second is that of raw codes of one byte
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_two_equal_options_of_a_question_are_one_answer(scale, alpha):
    """Exact and drawn, against the same questions with every option once."""
    rng, d, times = np.random.default_rng(0), 12, 60
    texts = rng.standard_normal((9, d)) * scale
    images = texts[:5] + 0.8 * scale * rng.standard_normal((5, d))
    options = np.array([[0, 1, 0, 2], [3, 3, 1, 4], [5, 2, 6, 5], [1, 3, 0, 7], [8, 8, 8, 4]])
    answers, sigma = np.array([2, 1, 1, 1, 3]), 0.6 * scale
    questions = multiple_choice._questions(
        EmbeddingSet(
            images=images,
            texts=texts,
            task="multiple-choice",
            options=np.tile(options, (times, 1)),
            answers=np.tile(answers, times),
            image_rows=np.tile(np.arange(5), times),
        )
    )
    survives = questions.robustness(alpha, sigma)
    right = questions.right_after_noise(alpha, sigma, survives, 0).reshape(times, 5).mean(0)
    for q, (row, answer) in enumerate(zip(options, answers, strict=True)):
        once = list(dict.fromkeys(row.tolist()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GapkitWarning)
            closer = GapCloser().fit(texts[once], gap=gap_vector(texts, images))
        gallery = texts[once] + alpha * closer.shift_
        assert survives[q] == pytest.approx(robustness(images[q : q + 1], gallery, sigma)[0], abs=1e-9)
        noisy = gallery + sigma * rng.standard_normal((20_000, len(once), d))
        chosen = ((noisy - images[q]) ** 2).sum(-1).argmin(1)
        assert right[q] == pytest.approx((chosen == once.index(row[answer])).mean(), abs=0.03)


def test_a_stored_row_that_is_there_twice_answers_nothing():
    stored = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [2.0, 2.0]])
    answers = unique_answers(np.array([[0.1, 0.1], [0.9, 0.0], [2.0, 2.1]]), stored)
    assert answers.tolist() == [TIED, 1, 3]
    collapsed = unique_answers(np.ones((3, 2)), np.zeros((4, 2)))
    assert (collapsed == TIED).all()


def test_minus_zero_is_another_code_than_zero():
    stored = np.array([[0.0, 1.0], [-0.0, 1.0], [5.0, 5.0]])
    assert unique_answers(np.array([[0.0, 1.0], [5.0, 5.0]]), stored).tolist() == [TIED, 2]
