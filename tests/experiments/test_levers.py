"""Levers: the table's numbers are those of the functions, and predictions are held against them."""

import numpy as np
import pandas as pd
import pytest

import gapkit
from gapkit.claims import CLAIMS, decide
from gapkit.closing import AffineProjection
from gapkit.experiments import Job, measure
from gapkit.experiments.levers import compare_predictions
from gapkit.robustness import robustness


@pytest.fixture(scope="module")
def tables():
    return {
        name: pd.DataFrame(rows)
        for name, rows in measure(Job("levers", "miniclip-learned", "digits10")).tables.items()
    }


def test_rows_hold_the_robustness_of_each_metric_and_closer(tables):
    pairs = gapkit.load_embeddings("miniclip-learned/digits10")
    images, texts = pairs.images.astype(float), pairs.texts.astype(float)
    rows = tables["levers"].query("level == 'untouched 0.7'").set_index(["metric", "closer"])
    assert len(rows) == 12
    sigma = rows["sigma_per_coordinate"].iloc[0]
    moved = AffineProjection().fit(texts, images).transform(images)
    for metric in ("euclidean", "dot", "cosine"):
        assert rows.loc[(metric, "affine projection"), "robustness"] == pytest.approx(
            robustness(moved, texts, sigma, metric=metric).mean(), abs=1e-9
        )
    assert rows.loc[("euclidean", "untouched"), "robustness"] == pytest.approx(0.7, abs=1e-4)
    assert (rows["agreement"] == 1).all()


def test_a_prediction_that_is_off_is_a_refuted_claim(tables):
    law = [claim for claim in CLAIMS if claim.id in ("law-predicts", "metric-order")]
    assert [finding.verdict for finding in decide(tables, law)] == ["holds", "holds"]
    wrong = {name: table.copy() for name, table in tables.items()}
    wrong["levers.checks"][["value", "value_low", "value_high"]] += 0.2
    assert "holds" not in [finding.verdict for finding in decide(wrong, law)]


def test_r_squared_is_one_minus_the_share_that_is_missed():
    rng = np.random.default_rng(0)
    gain, noise = rng.uniform(0, 0.2, 60), 0.01 * rng.standard_normal(60)
    table = pd.DataFrame(
        {"metric": "euclidean", "closer": "projected shift", "gain": gain, "predicted_gain": gain + noise}
    ).assign(model=[f"m{i % 6}" for i in range(len(gain))], dataset="d")
    row = compare_predictions(table, 0)[0]
    assert row["reason"] == ""
    assert compare_predictions(table.assign(model="m"), 0)[0]["reason"]  # one set alone decides nothing
    assert row["value"] == pytest.approx(1 - (noise**2).sum() / ((gain - gain.mean()) ** 2).sum(), abs=1e-12)
    assert compare_predictions(table.head(2), 0) == []
