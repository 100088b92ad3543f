"""Kinds of noise: the rows are what drawn noise says, and the law's prediction is made from lengths alone."""

import numpy as np
import pandas as pd
import pytest

from gapkit.closing import GapCloser
from gapkit.embeddings import load_embeddings
from gapkit.experiments import Job, measure, zero_shot_task
from gapkit.experiments.noise_kinds import GaussianProblem, _drawn_gain
from gapkit.experiments.plan import locate
from gapkit.geometry import nearest
from gapkit.robustness.law import effective_noise

PLACE = "miniclip-wide", "digits10"


@pytest.fixture(scope="module")
def table():
    job = Job("noise-kinds", *PLACE, options={"queries": 60, "draws": 2})
    return pd.DataFrame(measure(job).tables["noise-kinds"])


def test_gains_are_those_of_drawn_noise(table):
    task = zero_shot_task(*PLACE)
    closer = GapCloser().fit(task.gallery, task.queries)
    queries = task.queries[::6]
    for noise, rows in (("isotropic", None), ("covariance of the images", task.queries)):
        row = table[(table["noise"] == noise) & (table["metric"] == "euclidean")].iloc[0]
        covariance = np.eye(512) if rows is None else np.cov(rows.T)
        covariance = row["sigma_per_coordinate"] ** 2 * covariance * 512 / np.trace(covariance)
        values, axes = np.linalg.eigh(covariance)
        root = axes * np.sqrt(values.clip(0))
        rng, kept = np.random.default_rng(0), np.zeros(2)
        sides = [(z, nearest(queries, z)) for z in (task.gallery, closer.transform(task.gallery))]
        for _ in range(600):
            noise = rng.standard_normal(task.gallery.shape) @ root.T
            for i, (clean, answers) in enumerate(sides):
                kept[i] += (nearest(queries, clean + noise) == answers).mean() / 600
        drawn = kept
        assert row["untouched"] == pytest.approx(drawn[0], abs=0.025)
        assert row["gain"] == pytest.approx(drawn[1] - drawn[0], abs=0.025)


def test_noise_shaped_like_the_gallery_is_not_exactly_as_bad_after_closing(table):
    rows = table[table["noise"] == "covariance of the texts"]
    assert rows["gain"].abs().max() < 1e-6  # g' has no part in the span of the texts
    assert table.query("noise == 'isotropic' and metric == 'euclidean'")["gain"].item() > 0.1


def test_the_prediction_is_that_of_the_effective_noise():
    """σ* found here by search on `effective_noise`, apart from the module's quadratic."""
    task = zero_shot_task(*PLACE)
    closer = GapCloser().fit(task.gallery, task.queries)
    covariance = np.cov(task.queries.T)
    problem = GaussianProblem(task, closer, covariance)
    row = next(problem.rows("euclidean", Job("noise-kinds", *PLACE)))
    sigma = row["sigma_per_coordinate"]
    answers = task.gallery[((task.queries[:, None] - task.gallery) ** 2).sum(-1).argmin(1)]

    def mean_square(scale, gallery):
        return (effective_noise(task.queries, gallery, covariance=scale**2 * covariance) ** 2).mean()

    target = mean_square(sigma, answers + closer.shift_)
    low, high = sigma / 4, sigma
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_square(middle, answers) < target else (low, middle)
    predicted = problem.survival(low, False).mean() - problem.survival(sigma, False).mean()
    assert row["predicted_gain"] == pytest.approx(predicted, abs=1e-6)


def test_doubt_of_few_draws_is_left_out_of_the_interval():
    """Draws that all queries share: one loses all of its answers, the other none."""
    task = zero_shot_task(*PLACE)
    wrong = np.roll(task.gallery, 1, axis=0)
    drawn = [(task.gallery, task.gallery), (wrong, task.gallery)]
    gain = _drawn_gain(task, drawn, 0)
    assert gain["gain"] == pytest.approx(0.5)
    assert gain["gain_low"] < 0 < gain["gain_high"]
    assert _drawn_gain(task, drawn[:1] * 3, 0)["gain_high"] == 0


def test_stale_rows_come_from_the_same_texts(tmp_path, table):
    """Texts that were embedded anew, in other words say, are not those of the shipped other seed."""
    entries = load_embeddings("/".join(PLACE))
    path = entries.replace(texts=np.roll(entries.texts, 1, axis=1)).save(tmp_path / "anew.safetensors")
    job = locate(Job("noise-kinds", *PLACE, options={"queries": 10, "draws": 2}, path=str(path)))
    assert "stale rows" in set(table["noise"])
    assert "stale rows" not in {row["noise"] for row in measure(job).tables["noise-kinds"]}
