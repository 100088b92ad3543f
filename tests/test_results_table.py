"""The README's table of results: made from the kept record, and the record still true of what ships."""

from pathlib import Path

import pytest

from gapkit._files import known_sha256
from gapkit.claims import CLAIMS, claim, decide
from gapkit.embeddings.library import embeddings_file
from gapkit.experiments import plan, replicate
from gapkit.report import read_record
from gapkit.report.readme import BEGIN, END, results_table

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "docs" / "claims.json"


@pytest.fixture(scope="module")
def record():
    return read_record(RECORD)


def test_the_book_shows_another_table_than_the_kept_record_gives(record):
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert text.split(BEGIN)[1].split(END)[0].strip() == results_table(record)


def test_the_record_was_measured_on_other_data_than_ship(record):
    used = {(job["model"], job["dataset"], job["data_sha256"]) for job in record["jobs"] if job["dataset"]}
    assert len(used) > 20
    stale = [
        f"{model}/{dataset}"
        for model, dataset, digest in used
        if digest != known_sha256(embeddings_file(f"{model}/{dataset}"))
    ]
    assert stale == []


def test_a_claim_was_added_or_a_rule_changed_since_the_record_was_made(record):
    kept = {(entry["id"], entry["statement"], entry["rule"]) for entry in record["claims"]}
    assert kept == {(claim.id, claim.statement, claim.rule.words()) for claim in CLAIMS}


CHEAP = (
    *(("noise", model, "digits10") for model in ("miniclip-wide", "miniclip-learned")),
    *(("quantisation", model, "digits10") for model in ("miniclip-wide", "miniclip-siglip")),
    ("multiple-choice", "miniclip-t0.01", "scenes-vqa"),
    ("closers", "miniclip-wide", "digits10"),
    ("rephrasing", "miniclip-wide", "digits10-rephrased"),
)
"""A few jobs of every kind that is cheap; the theory, all training curves and all raw shifts are measured too."""


def test_measuring_again_gives_other_values_than_the_record(record):
    """The hash of the code that measured changes with every comment: what counts is that the numbers are the same."""
    jobs = plan((), (), only=("raw-shift", "formation", "theory"))
    everything = plan((), ())
    jobs += [job for job in everything if (job.experiment, job.model, job.dataset) in CHEAP]
    assert len(jobs) >= 12 + len(CHEAP)
    again = decide(replicate(jobs).tables)
    fresh = {(found.claim.id, found.model): found.as_dict() for found in again}
    entries = [entry for entry in record["claims"] if (entry["id"], entry["model"]) in fresh]
    whole = {job.experiment for job in jobs} - {name for name, *_ in CHEAP}
    compared = set()
    for entry in entries:
        found = fresh[entry["id"], entry["model"]]
        if claim(entry["id"]).experiment in whole:
            assert found["verdict"] == entry["verdict"]
        kept = {cell["where"]: cell for cell in entry["cells"]}
        for cell in found["cells"]:
            before = kept[cell["where"]]
            assert (cell["answer"], cell.get("reason")) == (before["answer"], before.get("reason")), entry[
                "id"
            ]
            assert [cell["value"], *cell["interval"]] == pytest.approx(
                [before["value"], *before["interval"]], rel=1e-6, abs=1e-6, nan_ok=True
            ), (entry["id"], entry["model"], cell["where"])
            compared.add(entry["id"])
    assert {
        "gain",
        "quantised-fixed",
        "quantised-unit-range",
        "theorem-3.1",
        "raw-changes-answers",
    } <= compared
    assert len(compared) >= 35
