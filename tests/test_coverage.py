"""A sample of what tools/coverage.py measures: intervals cover, and the rule is seldom wrong at the smallest effect."""

import pytest

from tools.coverage import KINDS, SMALLEST, coverage, decided

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
RUNS = 200


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if "calibrated" not in kind and "thirty" not in kind]
)
def test_an_interval_covers_too_seldom_or_too_often(kind):
    """Between 92 and 98 %, give or take what 200 data sets leave open: a proportion's standard error is 0.019."""
    assert 0.92 - 0.045 <= coverage(kind, RUNS) <= 1.0


def test_cells_at_the_smallest_effect_hold_and_cells_at_twice_that_do_not():
    at, twice = (decided(times * SMALLEST, 300, populations=1) for times in (1, 2))
    assert at["yes of all"] <= 0.05 + 0.04
    assert twice["yes of asked"] >= 0.8 and twice["asked"] > 0.2
