"""The memory limit holds, measured in a fresh process, and answers in little memory are the same."""

import subprocess
import sys

import numpy as np
import pytest

from gapkit.errors import InputError
from gapkit.robustness import calibrate_sigma, certified_radius, robustness, robustness_bounds

MEASURE = """
import resource, sys
import numpy as np, torch
from gapkit.robustness import robustness
torch.set_num_threads(1)
rng = np.random.default_rng(0)
{problem}
robustness(y[:1], x[:3], sigma, **options)          # what is loaded and cached once
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = robustness(y, x, sigma, memory_limit={limit} * 2**20, **options)
scale = 2**20 if sys.platform == "darwin" else 2**10
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / scale)
"""
UNNORMALISED = """
x = rng.standard_normal((20, 16))
x *= np.geomspace(1, {shortest}, 20)[:, None] / np.linalg.norm(x, axis=1, keepdims=True)
y, sigma, options = rng.standard_normal((6, 16)), 0.001, dict(metric="cosine")
"""
QUERY_NOISE = """
x = rng.standard_normal((800, 32))
y, sigma, options = rng.standard_normal((2, 32)), 0.1, dict(noise_on="queries", draws=2**16)
"""
EUCLIDEAN = """
x = rng.standard_normal((500, 16))
y, sigma, options = rng.standard_normal((2000, 16)), 0.5, dict(metric="euclidean")
"""


@pytest.mark.parametrize(
    "problem",
    [UNNORMALISED.format(shortest=1e-2), UNNORMALISED.format(shortest=1e-3), QUERY_NOISE, EUCLIDEAN],
    ids=["cosine, lengths 1 to 1/100", "cosine, lengths 1 to 1/1000", "query noise", "euclidean"],
)
def test_little_memory_is_enough(problem):
    limit = 32
    code = MEASURE.format(problem=problem, limit=limit)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # "About": the allocator and small tables come on top.
    assert float(done.stdout) < 2 * limit


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
