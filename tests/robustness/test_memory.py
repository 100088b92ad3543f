"""The memory limit holds, measured in a fresh process, and answers in little memory are the same."""

import numpy as np
import pytest
import torch

from benchmarks.memory import in_a_fresh_process, peak_growth
from gapkit.errors import InputError
from gapkit.robustness import calibrate_sigma, certified_radius, robustness, robustness_bounds


def unnormalised(rng, shortest):
    x = rng.standard_normal((20, 16))
    x *= np.geomspace(1, shortest, 20)[:, None] / np.linalg.norm(x, axis=1, keepdims=True)
    return rng.standard_normal((6, 16)), x, 0.001, {"metric": "cosine"}


def query_noise(rng):
    x = rng.standard_normal((800, 32))
    return rng.standard_normal((2, 32)), x, 0.1, {"noise_on": "queries", "draws": 2**16}


def euclidean(rng):
    x = rng.standard_normal((500, 16))
    return rng.standard_normal((2000, 16)), x, 0.5, {"metric": "euclidean"}


def grown(limit, problem, *arguments):
    """The most megabytes that the answer takes, of which ``limit`` are allowed."""
    torch.set_num_threads(1)
    y, x, sigma, options = problem(np.random.default_rng(0), *arguments)
    robustness(y[:1], x[:3], sigma, **options)  # what is loaded and cached once
    return peak_growth(lambda: robustness(y, x, sigma, memory_limit=limit * 2**20, **options))


@pytest.mark.parametrize(
    "problem",
    [(unnormalised, 1e-2), (unnormalised, 1e-3), (query_noise,), (euclidean,)],
    ids=["cosine, lengths 1 to 1/100", "cosine, lengths 1 to 1/1000", "query noise", "euclidean"],
)
def test_little_memory_is_enough(problem):
    limit = 32
    # "About": the allocator and small tables come on top.
    assert in_a_fresh_process(grown, limit, *problem) < 2 * limit


def test_as_much_memory_as_is_there_would_be_noticed():
    assert in_a_fresh_process(grown, 1024, euclidean) > 64


@pytest.mark.parametrize("limit", ["x", -1, 0.5, 0, True])
def test_a_limit_that_is_none_is_refused_everywhere(limit):
    y, x = np.ones((1, 2)), np.eye(2)
    for call in (
        lambda: robustness(y, x, 1.0, memory_limit=limit),
        lambda: robustness_bounds(y, x, 1.0, memory_limit=limit),
        lambda: certified_radius(y, x, memory_limit=limit),
        lambda: calibrate_sigma(y, x, 0.9, memory_limit=limit),
    ):
        with pytest.raises(InputError, match="memory_limit must be a whole number"):
            call()
