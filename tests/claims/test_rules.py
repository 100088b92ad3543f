import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gapkit.claims import Below, Cell
from gapkit.claims.decide import answers_of, combine
from gapkit.claims.rules import Above, BelowBand, Falls, Rises, Within, why_not_asked
from gapkit.geometry import Interval

RULES = (Rises(0.01), Falls(0.01), Above(0.1), Below(0.5), Within(1.0, 0.005), BelowBand())


def cell(value, low=None, high=None, **more):
    return Cell("", value, value if low is None else low, value if high is None else high, **more)


@pytest.mark.parametrize(
    ("rule", "one", "answer"),
    [
        (Rises(0.01), cell(0.05, 0.02, 0.08), "yes"),
        (Rises(0.01), cell(0.05, -0.01, 0.11), "cannot tell"),
        (Rises(0.01), cell(0.05, 0.001, 0.11), "cannot tell"),  # certain, but perhaps too small to count
        (Rises(0.01), cell(0.05, 0.01, 0.09), "yes"),
        (Rises(0.01), cell(0.005, 0.004, 0.006), "no"),  # certain, and too small to count
        (Rises(0.01), cell(-0.1, -0.2, -0.05), "harms"),
        (Rises(0.01), cell(-0.011, -0.02, -0.001), "harms"),
        (Rises(0.01), cell(-0.011, -0.02, -2e-18), "no"),  # zero, but for rounding
        (Rises(0.01), cell(-0.009, -0.01, -0.008), "no"),  # a loss too small to count
        (Rises(0.01), cell(0.008, 0.002, 0.02), "cannot tell"),
        (Falls(0.01), cell(-0.05, -0.08, -0.02), "yes"),
        (Falls(0.01), cell(-0.05, -0.11, 0.01), "cannot tell"),
        (Falls(0.01), cell(-0.005, -0.006, -0.004), "no"),
        (Falls(0.01), cell(0.1, 0.05, 0.2), "harms"),
        (Falls(0.01), cell(0.1, -0.05, 0.2), "cannot tell"),
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
        (Within(0.0, 0.005), cell(0.0, -0.004, 0.006), "cannot tell"),
        (Within(0.0, 0.005), cell(0.01, 0.004, 0.016), "cannot tell"),
        (Within(0.0, 0.005), cell(0.01, 0.006, 0.014), "no"),
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
    assert rule.answer(one) == ("harms" if (rule, one.value) == (Falls(0.01), 5.0) else "cannot tell")


@settings(max_examples=60)
@given(st.floats(-2, 2), st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.5))
def test_a_wider_interval_never_turns_doubt_into_certainty(value, below, above, wider):
    """Nor a yes into a no."""
    narrow = cell(value, value - below, value + above, band_low=0.3, band_high=1.5)
    wide = cell(value, value - below - wider, value + above + wider, band_low=0.3, band_high=1.5)
    for rule in RULES:
        before, after = rule.answer(narrow), rule.answer(wide)
        assert after in (before, "cannot tell") or (before, after) == ("harms", "no")


@settings(max_examples=60)
@given(st.floats(-0.1, 0.1), st.floats(0, 0.05), st.floats(0, 0.05))
def test_a_rise_is_judged_otherwise_than_the_fall_that_mirrors_it(value, below, above):
    one, mirrored = cell(value, value - below, value + above), cell(-value, -value - above, -value + below)
    assert Rises(0.01).answer(one) == Falls(0.01).answer(mirrored)
    assert Above(0.01).answer(one) == Below(-0.01).answer(mirrored)
    assert Rises(0.01).margin(one) == pytest.approx(Falls(0.01).margin(mirrored))


def test_harm_is_overlooked_where_a_gain_is_not_asked_for():
    lost = cell(-0.05, -0.06, -0.04, reason="the law expects too little")
    assert Rises(0.01).answer(lost) == "harms"
    assert Rises(0.01).answer(cell(0.05, 0.04, 0.06, reason="the law expects too little")) == "cannot tell"
    assert combine(answers_of(Rises(0.01), [lost])) == "harms"


def normal(effect, width, degrees=math.inf):
    effect = float(effect)
    return cell(effect, effect - width, effect + width, degrees=degrees)


def test_partly_needs_holm_and_holds_does_not():
    """One of six that just says yes is what chance gives in 14 of 100 claims; six of six is not."""
    barely, nothing = normal(0.0201, 0.01), normal(0.01, 0.01)
    rule = Rises(0.01)
    assert combine(answers_of(rule, [barely] * 6)) == "holds"
    assert combine(answers_of(rule, [barely] + [nothing] * 5)) == "not decidable"
    sure = normal(0.04, 0.01)
    answers = answers_of(rule, [sure, barely, *[nothing] * 4])
    assert [a for a, _ in answers] == ["yes", *["cannot tell"] * 5]
    assert combine(answers) == "partly"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-0.03, 0.05), min_size=2, max_size=8), st.sampled_from([math.inf, 4.0, 9.0]))
def test_partly_is_another_correction_than_holms(effects, degrees):
    """Against Holm's adjusted p values from their definition, of the one-sided t tests that the intervals stand for."""
    rule, width = Rises(0.01), 0.012
    quantile = stats.norm.isf(0.025) if math.isinf(degrees) else stats.t.isf(0.025, degrees)
    law = stats.norm() if math.isinf(degrees) else stats.t(degrees)
    p = np.array([law.sf((effect - 0.01) / (width / quantile)) for effect in effects])
    order = np.argsort(p)
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    found = [a for a, _ in answers_of(rule, [normal(e, width, degrees) for e in effects])]
    if (p <= 0.025).all() or (np.abs(adjusted - 0.025) < 1e-9).any():
        return
    assert [a == "yes" for a in found] == (adjusted <= 0.025).tolist()


def test_by_chance_alone_some_cell_says_yes():
    """A claim without effect, in eight cells at the smallest that counts: partly in at most 2.5 of 100 claims."""
    rng = np.random.default_rng(0)
    drawn = 0.01 + 0.005 * rng.standard_normal((2000, 8))
    verdicts = [combine(answers_of(Rises(0.01), [normal(v, 0.0098) for v in row])) for row in drawn]
    assert np.mean([v in ("holds", "partly") for v in verdicts]) < 0.035


@pytest.mark.parametrize(
    ("rule", "expected", "reason"),
    [
        (Rises(0.01), Interval(0.05, 0.04, 0.06), ""),
        (Rises(0.01), Interval(0.012, 0.012, 0.012), "expected is 0.012 or a fifth less"),
        (Rises(0.01), Interval(0.0126, 0.0126, 0.0126), ""),
        (Rises(0.01), Interval(-0.05, -0.06, -0.04), "expected is -0.05"),
        (Rises(0.01), Interval(0.05, 0.02, 0.08), "too few data"),
        (Falls(0.01), Interval(-0.05, -0.06, -0.04), ""),
        (Falls(0.01), Interval(0.05, 0.04, 0.06), "expected is 0.05"),
        (Above(0.1), Interval(0.05, 0.04, 0.06), ""),
        (Rises(0.01), Interval(math.nan, math.nan, math.nan), ""),
    ],
)
def test_the_power_check_admits_what_cannot_be_seen(rule, expected, reason):
    assert why_not_asked(rule, expected).startswith(reason)
    assert bool(why_not_asked(rule, expected)) == bool(reason)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(["yes", "no", "harms", "cannot tell"]), st.booleans())), st.randoms()
)
def test_verdict_depends_on_the_order_or_on_what_does_not_count(answers, random):
    verdict = combine(answers)
    assert verdict == combine(random.sample(answers, len(answers)))
    seen = {answer for answer, counts in answers if counts}
    assert (verdict == "holds") == (seen == {"yes"})
    assert (verdict in ("holds", "partly")) == ("yes" in seen)
    assert (verdict == "harms") == ("harms" in seen and "yes" not in seen)
    assert (verdict == "does not hold") == ("no" in seen and not seen & {"yes", "harms"})


@pytest.mark.parametrize("hair", [-2e-15, 0.0, 2e-15])
@pytest.mark.parametrize("rule", [Above(-0.01), Within(0.0, 0.01)], ids=["above", "within"])
def test_the_last_bit_of_a_sum_decides(rule, hair):
    """Intervals that end at the edge: one that reaches it from below cannot tell, one that begins there says yes."""
    edge = -0.01 + hair
    assert rule.answer(Cell("", -0.06, -0.12, edge)) == "cannot tell"
    assert rule.answer(Cell("", -0.005, edge, 0.0)) == "yes"
