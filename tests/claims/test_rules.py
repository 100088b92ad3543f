import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gapkit.claims import VERDICTS, Below, Cell
from gapkit.claims.decide import combine, combine_models
from gapkit.claims.rules import Above, BelowBand, Falls, Rises, Within

RULES = (Rises(0.01), Falls(0.01), Above(0.1), Below(0.5), Within(1.0, 0.005), BelowBand())


def cell(value, low=None, high=None, **more):
    return Cell("", value, value if low is None else low, value if high is None else high, **more)


@pytest.mark.parametrize(
    ("rule", "one", "answer"),
    [
        (Rises(0.01), cell(0.05, 0.02, 0.08), "yes"),
        (Rises(0.01), cell(0.05, -0.01, 0.11), "cannot tell"),
        (Rises(0.01), cell(0.05, 2e-18, 0.11), "cannot tell"),  # zero, but for rounding
        (Rises(0.01), cell(0.005, 0.004, 0.006), "no"),  # certain, but too small to count
        (Rises(0.01), cell(-0.1, -0.2, -0.05), "no"),
        (Rises(0.01), cell(0.008, 0.002, 0.02), "cannot tell"),
        (Falls(0.01), cell(-0.05, -0.08, -0.02), "yes"),
        (Falls(0.01), cell(-0.05, -0.11, 0.01), "cannot tell"),
        (Falls(0.01), cell(-0.005, -0.006, -0.004), "no"),
        (Falls(0.01), cell(0.1, 0.05, 0.2), "no"),
        (Above(0.1), cell(0.2, 0.1, 0.3), "yes"),
        (Above(0.1), cell(0.2, 0.09, 0.3), "cannot tell"),
        (Above(0.1), cell(0.05, 0.01, 0.09), "no"),
        (Below(0.5), cell(0.4, 0.3, 0.5), "yes"),
        (Below(0.5), cell(0.4, 0.3, 0.6), "cannot tell"),
        (Below(0.5), cell(0.7, 0.6, 0.8), "no"),
        (Within(1.0), cell(1.0), "yes"),
        (Within(1.0), cell(0.998), "no"),
        (Within(0.0, 0.005), cell(-0.005), "yes"),
        (Within(0.0, 0.005), cell(-0.0051), "no"),
        (BelowBand(), cell(0.2, 0.1, 0.3, band_low=0.4, band_high=2.0), "yes"),
        (BelowBand(), cell(0.5, 0.3, 0.6, band_low=0.4, band_high=2.0), "cannot tell"),
        (BelowBand(), cell(3.0, 2.5, 3.5, band_low=0.4, band_high=2.0), "no"),
        (BelowBand(), cell(0.2), "cannot tell"),
    ],
)
def test_rule_at_and_around_its_threshold(rule, one, answer):
    assert rule.answer(one) == answer


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "one", [cell(math.nan), cell(5.0, reason="the noise is too weak"), cell(0.5, math.nan, 1.0)]
)
def test_no_rule_decides_what_cannot_be_measured(rule, one):
    assert rule.answer(one) == "cannot tell"


@settings(max_examples=60)
@given(st.floats(-2, 2), st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.5))
def test_a_wider_interval_never_turns_doubt_into_certainty(value, below, above, wider):
    """Nor a yes into a no."""
    narrow = cell(value, value - below, value + above, band_low=0.3, band_high=1.5)
    wide = cell(value, value - below - wider, value + above + wider, band_low=0.3, band_high=1.5)
    for rule in RULES:
        before, after = rule.answer(narrow), rule.answer(wide)
        assert after in (before, "cannot tell")


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["yes", "no", "cannot tell"]), max_size=5), st.randoms())
def test_verdict_does_not_depend_on_the_order_and_needs_a_yes_to_hold(answers, random):
    shuffled = random.sample(answers, len(answers))
    verdict = combine(answers)
    assert verdict == combine(shuffled)
    assert (verdict in ("holds", "partly")) == ("yes" in answers)
    assert (verdict == "holds") == (bool(answers) and set(answers) == {"yes"})
    assert (verdict == "does not hold") == ("no" in answers and "yes" not in answers)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(VERDICTS), max_size=4))
def test_overall_holds_only_if_it_holds_for_every_model(verdicts):
    overall = combine_models(verdicts)
    assert (overall == "holds") == (bool(verdicts) and set(verdicts) == {"holds"})
    supported = {"holds", "partly"} & set(verdicts)
    assert (overall == "does not hold") == ("does not hold" in verdicts and not supported)
    if {"not decidable"} >= set(verdicts):
        assert overall == "not decidable"
