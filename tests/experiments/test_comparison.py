"""The closers against each other: one protocol for all, and the mistakes it is there to avoid."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gapkit.closing import CLOSERS
from gapkit.experiments import closers as comparison
from gapkit.experiments import zero_shot_task
from gapkit.geometry import nearest
from tests.experiments.toys import MODEL

SIGMA = 0.12


@pytest.fixture(scope="module")
def task(toy):
    return zero_shot_task(MODEL, toy["classes"])


@pytest.fixture(scope="module")
def table(task):
    return pd.DataFrame(comparison.compare_closers(task, SIGMA, draws=400)).set_index("closer")


def test_every_closer_is_compared(table):
    assert list(table.index) == ["untouched", *CLOSERS]


def test_promised_answers_are_kept(table):
    promised = table[table["guarantee"]]
    kept = {"projected shift", "affine projection", "linear projection", "span projection"}
    assert {"untouched", *kept} == set(promised.index)
    assert (promised["agreement"] == 1).all()
    np.testing.assert_allclose(promised["kept"], promised["robustness"])


def test_three_names_for_one_shift_come_out_the_same(table):
    for column in ("clean_accuracy", "agreement", "robustness", "kept"):
        assert np.ptp(table.loc[["raw shift", "halfway shift", "centring"], column]) < 1e-6


@pytest.mark.parametrize(
    "name", ["projected shift", "affine projection", "standardisation", "Procrustes", "I0T"]
)
def test_noise_enters_before_the_closer(task, table, name):
    closer, rest = comparison.fit_on_half(name, task)
    rng, kept = np.random.default_rng(3), []
    moved, asked = closer.transform_pair(task.gallery, task.queries[rest])
    clean = nearest(asked, moved)
    for _ in range(400):
        noisy = task.gallery + SIGMA * rng.standard_normal(task.gallery.shape)
        moved = closer.transform_pair(noisy, task.queries, perturbed=True)[0]
        kept.append((nearest(asked, moved) == clean).mean())
    error = np.std(kept) / np.sqrt(len(kept))
    assert table.loc[name, "robustness"] == pytest.approx(np.mean(kept), abs=max(6 * error, 2e-3))


def test_no_closer_has_seen_the_queries_it_is_judged_on(task, table):
    _, rest = comparison.fit_on_half("projected shift", task)
    assert (table["queries"] == len(rest)).all()
    changed = task.queries.copy()
    changed[rest] += 1.0
    again, _ = comparison.fit_on_half("projected shift", replace(task, queries=changed))
    first, _ = comparison.fit_on_half("projected shift", task)
    np.testing.assert_array_equal(again.shift_, first.shift_)


def test_noise_after_a_rescaling_closer_flatters_it(task, table):
    fair = table.loc["standardisation", "robustness"]
    assert comparison.noise_after_the_closer("standardisation", task, SIGMA) > fair + 0.05
    same = comparison.noise_after_the_closer("projected shift", task, SIGMA)
    assert same == pytest.approx(table.loc["projected shift", "robustness"], abs=1e-9)
