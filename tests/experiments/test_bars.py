"""What must hold on the shipped wide-gap model, measured at each test run instead of read from a record."""

import numpy as np
import pytest

from gapkit.closing import AffineProjection, GapCloser, LinearProjection
from gapkit.experiments import zero_shot_task
from gapkit.experiments.protocol import TARGETS
from gapkit.geometry import Resamples, nearest
from gapkit.robustness import calibrate_sigma, robustness
from gapkit.robustness.api import ERROR_BOUND

MODEL = "miniclip-wide"
pytestmark = pytest.mark.parametrize("dataset", ["digits10", "scenes100"])


def closed(dataset):
    task = zero_shot_task(MODEL, dataset)
    return task, GapCloser().fit(task.gallery, task.queries)


def test_no_answer_changes_for_any_alpha(dataset):
    task, closer = closed(dataset)
    untouched = nearest(task.queries, task.gallery)
    assert len(np.unique(untouched)) > 5  # answers that could change
    for alpha in np.linspace(-0.5, 1.5, 81):
        moved = nearest(task.queries, task.gallery + alpha * closer.shift_)
        assert np.array_equal(moved, untouched), alpha


@pytest.mark.parametrize("target", TARGETS)
def test_mean_robustness_rises_all_the_way_and_the_gain_is_certain(dataset, target):
    task, closer = closed(dataset)
    sigma = calibrate_sigma(task.queries, task.gallery, target)
    values = [
        robustness(task.queries, task.gallery + 0.1 * step * closer.shift_, sigma) for step in range(11)
    ]
    assert values[0].mean() == pytest.approx(target, abs=1e-4)
    means = [value.mean() for value in values[:10]]
    assert (np.diff(means) > 0).all()
    assert means[-1] - means[0] > 100 * ERROR_BOUND
    gain = Resamples(len(task.queries), seed=0).difference(values[10], values[0])
    assert gain.low > 0.01


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("metric", "best"), [("euclidean", AffineProjection), ("dot", LinearProjection)])
def test_each_projection_is_at_least_as_robust_as_the_shift_for_every_single_query(
    dataset, metric, best, target
):
    task, closer = closed(dataset)
    sigma = calibrate_sigma(task.queries, task.gallery, target, metric=metric)
    shifted = robustness(task.queries - closer.shift_, task.gallery, sigma, metric=metric)
    projection = best().fit(task.gallery, task.queries).transform(task.queries)
    projected = robustness(projection, task.gallery, sigma, metric=metric)
    assert (projected >= shifted - 2 * ERROR_BOUND).all()
    assert projected.mean() > shifted.mean()  # and it is not the same thing
