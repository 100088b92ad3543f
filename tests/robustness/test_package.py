"""``gapkit.robustness`` is a function and a package at once, whatever is imported first."""

import subprocess
import sys

import pytest

ORDERS = {
    "attribute first": "import gapkit\ncall = gapkit.robustness\nfrom gapkit.robustness import calibrate_sigma, robustness",
    "module first": "import gapkit.robustness\nimport gapkit\ncall = gapkit.robustness",
    "from import first": "from gapkit.robustness import robustness\nfrom gapkit import robustness as call\nimport gapkit",
    "submodule first": "import gapkit.robustness.reference\nimport gapkit\ncall = gapkit.robustness",
}
USE = """
import inspect
y, x = [[0.9, 0.1]], [[1.0, 0.0], [0.0, 1.0]]
assert call(y, x, sigma=0.3) == gapkit.robustness(y, x, sigma=0.3) == gapkit.robustness.robustness(y, x, sigma=0.3)
assert gapkit.calibrate_sigma is gapkit.robustness.calibrate_sigma
assert "sigma" in inspect.signature(gapkit.robustness).parameters
"""


@pytest.mark.parametrize("order", ORDERS)
def test_either_import_order_gives_the_callable_package(order):
    done = subprocess.run([sys.executable, "-c", ORDERS[order] + USE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
