"""Two replications side by side: what counts as a difference, and that two honest seeds show none."""

import contextlib
import copy
import json

import pytest
import torch

from gapkit import engine
from gapkit.claims import decide
from gapkit.errors import InputError
from gapkit.experiments import Job, measure, tables_of
from gapkit.experiments.plan import plan
from gapkit.experiments.sweep import Replication
from gapkit.report import make_record, read_record
from gapkit.report.record import NO_MODELS, compare_records, weakest_entries
from gapkit.report.view import value_text
from tests.experiments.toys import *  # noqa: F403  (fixtures)
from tests.experiments.toys import MODEL, ON, OPTIONS


def record_of(results, seed):
    tables = tables_of(results)
    findings = decide(tables)
    return make_record(Replication(tables, tuple(results)), findings, command="", mode="chosen", seed=seed)


@pytest.fixture(scope="module")
def record(results):
    return record_of(results, 0)


@pytest.fixture(scope="module")
def reseeded(toy):
    """The same toys, everything random from another seed."""
    jobs = [
        Job(name, MODEL, toy[kind], 1, OPTIONS.get(name, {}))
        for name, kinds in ON.items()
        for kind in kinds
        if name not in ("multiple-choice", "rephrasing", "orthogonality")
    ]
    jobs.append(Job("theory", seed=1, options={"steps": 60}))
    return record_of([measure(job) for job in jobs], 1)


def shared(one, other):
    """Both records with the claims alone that both have."""
    places = [{(entry["id"], entry["model"]) for entry in some["claims"]} for some in (one, other)]
    return [
        {**some, "claims": [e for e in some["claims"] if (e["id"], e["model"]) in places[0] & places[1]]}
        for some in (one, other)
    ]


def test_a_replication_does_not_differ_from_itself(record):
    differences, compared = compare_records(record, copy.deepcopy(record))
    assert differences == []
    assert compared > 50


def test_another_seed_alone_is_no_difference(record, reseeded):
    one, other = shared(record, reseeded)
    differences, compared = compare_records(one, other)
    assert compared > 50
    assert [d for d in differences if d.what != "verdict"] == []
    drawn = [{c["where"]: c["value"] for e in some["claims"] if e["id"] == "monte-carlo-agrees" for c in e["cells"]}
             for some in (one, other)]  # fmt: skip
    assert drawn[0] != drawn[1]  # else nothing was tested


def test_with_one_seed_drawn_values_must_be_equal_too(record):
    other = copy.deepcopy(record)
    entry = next(entry for entry in other["claims"] if entry["id"] == "monte-carlo-agrees")
    cell = entry["cells"][0]
    cell["value"] += 0.01
    cell["interval"] = [cell["value"]] * 2
    assert [d.claim for d in compare_records(record, other)[0]] == ["monte-carlo-agrees"]
    other["seed"] = 1
    assert compare_records(record, other)[0] == []
    cell["answer"] = "no"
    assert [(d.claim, d.what) for d in compare_records(record, other)[0]] == [
        ("monte-carlo-agrees", "answer")
    ]


def test_a_value_beyond_its_interval_is_seen_and_one_within_is_not(record):
    other = copy.deepcopy(record)
    entry = next(entry for entry in other["claims"] if entry["id"] == "gain")
    cell = entry["cells"][0]
    low, high = cell["interval"]
    assert low < high
    cell["value"], cell["interval"] = cell["value"] + (high - low) / 2, [low + (high - low) / 2, high + 1]
    assert compare_records(record, other)[0] == []
    cell["interval"] = [high + 0.01, high + 0.02]
    (difference,) = compare_records(record, other)[0]
    assert (difference.claim, difference.what, difference.where) == ("gain", "value", cell["where"])


def test_changed_verdicts_and_missing_claims_are_seen(record):
    other = copy.deepcopy(record)
    other["claims"][0]["verdict"] = "not decidable"
    gone = other["claims"].pop()
    whats = {(d.claim, d.what) for d in compare_records(record, other)[0]}
    assert whats == {(record["claims"][0]["id"], "verdict"), (gone["id"], "only in the first")}


def test_a_cell_that_only_one_of_them_has_is_listed(record):
    other = copy.deepcopy(record)
    entry = next(entry for entry in other["claims"] if entry["id"] == "gain")
    gone = entry["cells"].pop()
    entry["cells"][0]["value"], entry["cells"][0]["interval"] = None, [None, None]
    found = {(d.claim, d.where, d.what) for d in compare_records(record, other)[0]}
    assert found == {
        ("gain", gone["where"], "only in the first"),
        ("gain", entry["cells"][0]["where"], "value"),
    }
    found = {(d.where, d.what) for d in compare_records(other, record)[0]}
    assert (gone["where"], "only in the second") in found


def test_one_and_two_threads_give_other_verdicts_or_digits():
    """Sums are taken in another order: values differ by some 1e-14, far within what is compared and printed."""
    jobs, before, records = (
        plan(("miniclip-wide",), ("digits10",), only=("gap", "orthogonality")),
        torch.get_num_threads(),
        [],
    )
    try:
        for threads in (1, 2):
            with engine.limit_threads(threads):
                records.append(record_of([measure(job) for job in jobs], 0))
    finally:
        torch.set_num_threads(before)
    differences, compared = compare_records(*records)
    assert differences == []
    assert compared > 5
    for one, two in zip(*(record["claims"] for record in records), strict=True):
        assert (one["verdict"], value_text(one)) == (two["verdict"], value_text(two))
        if one["value"] is not None:
            assert one["value"] == pytest.approx(two["value"], rel=1e-9, abs=1e-12)


def test_records_of_other_models_differ_in_everything(record):
    """A record of another model has no cell in common: claims are compared, and by how much they differ is said."""
    other = copy.deepcopy(record)
    for entry in other["claims"]:
        if entry["model"] not in NO_MODELS:
            entry["model"] = "another"
    assert compare_records(record, other) == ([], len({entry["id"] for entry in record["claims"]}))
    entry = next(entry for entry in other["claims"] if entry["id"] == "gain")
    entry["value"] += 1
    entry["interval"] = [end + 1 for end in entry["interval"]]
    other["overall"]["monotone"] = "harms"
    found = {difference.claim: difference for difference in compare_records(record, other)[0]}
    assert set(found) == {"gain", "monotone"}
    assert found["gain"].what == "value, 1" and "another" in found["gain"].model
    assert found["monotone"].what.startswith("verdict") and found["monotone"].second.startswith("harms: ")


def test_a_record_of_the_first_format_is_not_read(record, tmp_path):
    """Without kinds and margins, with the words of its time: it loads and compares."""
    old = copy.deepcopy(record) | {"format": 1}
    for entry in old["claims"]:
        del entry["kind"], entry["margin"]
    path = tmp_path / "claims.json"
    path.write_text(json.dumps(old), encoding="utf-8")
    read = read_record(path)
    assert compare_records(read, record)[0] == []
    assert {entry["kind"] for entry in read["claims"]} == {"finding"}
    assert set(weakest_entries(read)) == set(weakest_entries(record))


def test_the_weakest_case_is_that_of_the_first_model(record):
    """Over all models; of those that were asked, and of no control."""
    entry = next(entry for entry in record["claims"] if entry["id"] == "gain")
    more = [
        entry | {"model": "weaker", "margin": entry["margin"] - 1},
        entry | {"model": "random", "margin": entry["margin"] - 2, "control": True},
        entry | {"model": "silent", "margin": entry["margin"] - 3, "cells": [{"reason": "not asked"}]},
    ]
    found = weakest_entries(record | {"claims": [entry, *more]})
    assert found["gain"]["model"] == "weaker"


@pytest.mark.parametrize("value", ["left out", None, [], "x", 3, True])
@pytest.mark.parametrize("key", ["overall", "control", "margin", "cells", "kind"])
def test_a_damaged_record_of_another_model_is_one_line(record, tmp_path, key, value):
    other = json.loads(json.dumps(record))
    for entry in other["claims"]:
        entry["model"] += "" if entry["model"] in NO_MODELS else " 2"
    holder = other if key == "overall" else other["claims"][0]
    holder.pop(key) if value == "left out" else holder.__setitem__(key, value)
    (tmp_path / "claims.json").write_text(json.dumps(other))
    with contextlib.suppress(InputError):
        damaged = read_record(tmp_path)
        compare_records(record, damaged)
        compare_records(damaged, record)


def test_a_record_with_a_claim_twice_is_refused(record, tmp_path):
    (tmp_path / "claims.json").write_text(json.dumps(record | {"claims": record["claims"] * 2}))
    with pytest.raises(InputError, match="twice"):
        read_record(tmp_path)


@pytest.mark.parametrize("interval", [None, [None, None]])
def test_values_without_an_interval_are_not_compared(record, interval):
    entry = next(e for e in record["claims"] if e["id"] == "gap-exists")
    cell = entry["cells"][0] | {"interval": interval}
    first = record | {"claims": [entry | {"cells": [cell]}]}
    second = record | {"claims": [entry | {"cells": [cell | {"value": cell["value"] + 0.1}]}]}
    assert [d.what for d in compare_records(first, second)[0]] == ["value"]
    assert compare_records(first, copy.deepcopy(first)) == ([], 1)


def test_another_verdict_over_all_models_is_no_difference(record):
    second = record | {"overall": record["overall"] | {"gap-exists": "harms"}}
    (difference,) = compare_records(record, second)[0]
    assert (difference.claim, difference.second, difference.what) == ("gap-exists", "harms", "verdict")


def test_an_overall_verdict_that_is_no_word_is_a_traceback(record, tmp_path):
    path = tmp_path / "claims.json"
    path.write_text(json.dumps(record | {"overall": {"gap-exists": 5}}))
    with pytest.raises(InputError, match="is damaged"):
        read_record(path)
