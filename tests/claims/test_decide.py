import pandas as pd
import pytest

from gapkit.claims import CLAIMS, claim, decide, overall
from gapkit.claims.decide import FAMILY, is_control


def gap_table(**by_model):
    return {
        "gap": pd.DataFrame(
            {
                "model": m,
                "dataset": "d",
                "gap_norm": v,
                "gap_norm_low": v,
                "gap_norm_high": v,
                "separability": 1.0,
            }
            for m, v in by_model.items()
        )
    }


EXISTS = [claim("gap-exists")]


def test_verdict_of_each_model_and_overall_without_the_control():
    tables = gap_table(**{"miniclip-wide": 0.8, "miniclip-random": 0.01})
    findings = decide(tables, EXISTS)
    assert [(f.model, f.verdict, f.control) for f in findings] == [
        ("miniclip-wide", "holds", False),
        ("miniclip-random", "does not hold", True),
    ]
    assert overall(findings) == {"gap-exists": "holds"}


def test_a_control_alone_decides_nothing():
    assert overall(decide(gap_table(**{"miniclip-random": 0.9}), EXISTS)) == {"gap-exists": "not decidable"}


def test_control_is_seen_by_name():
    assert [
        is_control(m) for m in ("miniclip-random", "RN50/random@3", "coco500-random", "miniclip-wide@1")
    ] == [
        True,
        True,
        True,
        False,
    ]


def test_claims_whose_experiment_did_not_run_are_left_out():
    findings = decide(gap_table(**{"miniclip-wide": 0.8}))
    assert {f.claim.id for f in findings} == {"gap-exists", "gap-separable"}
    assert len(findings) < len(CLAIMS)


def test_missing_cells_are_not_decidable_and_say_nothing():
    table = gap_table(**{"miniclip-wide": 0.8})["gap"].assign(gap_norm=float("nan"))
    (finding,) = decide({"gap": table}, EXISTS)
    assert finding.verdict == "not decidable"
    assert finding.weakest is None
    assert finding.as_dict()["value"] is None


def test_the_weakest_cell_is_shown():
    one = gap_table(**{"miniclip-wide": 0.8})["gap"]
    other = gap_table(**{"miniclip-wide": 0.05})["gap"].assign(dataset="narrow")
    (finding,) = decide({"gap": pd.concat([one, other])}, EXISTS)
    assert (finding.verdict, finding.weakest.label, finding.weakest.value) == ("partly", "narrow", 0.05)


def test_reasons_of_the_experiments_make_a_cell_undecidable():
    table = gap_table(**{"miniclip-wide": 0.8})["gap"].assign(reason="because")
    (finding,) = decide({"gap": table}, EXISTS)
    assert finding.verdict == "not decidable"
    assert finding.as_dict()["cells"][0]["reason"] == "because"


def test_family_claims_get_one_verdict():
    rows = [
        {"model": FAMILY, "check": "gap and gain", "dataset": d, "level": "untouched 0.7", "value": 1.0,
         "value_low": low, "value_high": 1.0, "reason": ""}
        for d, low in (("a", 0.6), ("b", -0.5))
    ]  # fmt: skip
    (finding,) = decide({"family.checks": pd.DataFrame(rows)}, [claim("wider-gains-more")])
    assert (finding.model, finding.verdict) == (FAMILY, "partly")


def gains(**cells):
    """The table behind the claim on gains: one row for each (value, low, high, expected)."""
    rows = [
        {"model": model, "dataset": "d", "level": "untouched 0.7", "closer": "projected shift", "alpha": 1.0,
         "metric": "euclidean", "gain": value, "gain_low": low, "gain_high": high, "gain_expected": expected,
         "gain_expected_low": expected - 0.001, "gain_expected_high": expected + 0.001}
        for model, (value, low, high, expected) in cells.items()
    ]  # fmt: skip
    return {"noise": pd.DataFrame(rows)}


def test_a_cell_that_cannot_decide_counts():
    """Where the law expects too little neither yes nor no counts, in the model's verdict and in that over all models."""
    tables = gains(wide=(0.1, 0.09, 0.11, 0.1), narrow=(0.001, 0.0, 0.002, 0.001))
    wide, narrow = decide(tables, [claim("gain")])
    assert (wide.verdict, narrow.verdict) == ("holds", "not decidable")
    assert "expected is 0.001" in narrow.as_dict()["cells"][0]["reason"]
    assert overall([wide, narrow]) == {"gain": "holds"}


def test_harm_on_one_model_is_lost_among_others():
    tables = gains(one=(-0.05, -0.06, -0.04, 0.1), other=(0.0, -0.001, 0.001, 0.1))
    findings = decide(tables, [claim("gain")])
    assert [finding.verdict for finding in findings] == ["harms", "does not hold"]
    assert overall(findings) == {"gain": "harms"}
    assert findings[0].as_dict()["margin"] == pytest.approx(-0.06)


def test_a_t_interval_is_corrected_as_a_normal_one():
    """Of few blocks the tail is heavy: the same interval is worth less to Holm."""
    table = gains(m=(0.03, 0.015, 0.045, 0.1))["noise"]
    rows = [table.assign(dataset=name) for name in "abc"]
    rows[1:] = [row.assign(gain=0.01, gain_low=0.0, gain_high=0.02) for row in rows[1:]]
    many = decide({"noise": pd.concat(rows)}, [claim("gain")])[0]
    few = decide({"noise": pd.concat(rows).assign(galleries=5)}, [claim("gain")])[0]
    assert (many.verdict, few.verdict) == ("partly", "not decidable")
