import json
from dataclasses import replace

import pytest

from gapkit import engine
from gapkit.errors import InputError
from gapkit.experiments import Job
from gapkit.experiments.sweep import JobStore, run_jobs

JOBS = [Job("gap", "m", f"d{i}") for i in range(4)]


def counting(calls):
    def measure(job):
        calls.append(job)
        return {"gap": [{"dataset": job.dataset, "value": len(job.dataset) / 3}]}

    return measure


def test_key_changes_with_everything_a_result_depends_on():
    base = Job("gap", "m", "d", 0, {"draws": 1})
    others = [
        Job("noise", "m", "d", 0, {"draws": 1}),
        Job("gap", "n", "d", 0, {"draws": 1}),
        Job("gap", "m", "e", 0, {"draws": 1}),
        Job("gap", "m", "d", 1, {"draws": 1}),
        Job("gap", "m", "d", 0, {"draws": 2}),
    ]
    keys = {base.key(), replace(base, sha256="other data").key(), *(job.key() for job in others)}
    assert len(keys) == 7
    assert replace(base, path="where the same bytes lie").key() == base.key()


def test_key_changes_with_the_code(monkeypatch):
    before = JOBS[0].key()
    monkeypatch.setattr("gapkit.experiments.record.code_hash", lambda: "another")
    assert JOBS[0].key() != before


@pytest.mark.parametrize("library", ["numpy", "scipy", "torch"])
def test_what_another_version_of_a_library_measured_is_measured_again(monkeypatch, tmp_path, library):
    calls, store, known = [], JobStore(tmp_path), engine.about()
    assert len(list(run_jobs(JOBS[:1], counting(calls), store=store))) == 1
    monkeypatch.setattr(engine, "about", lambda: known | {library: "0.1"})
    assert len(list(run_jobs(JOBS[:1], counting(calls), store=store))) == 1
    assert len(calls) == 2


def test_interrupted_sweep_resumes_and_ends_with_the_same(tmp_path):
    uninterrupted = list(run_jobs(JOBS, counting([])))
    calls = []

    def killed(job):
        if len(calls) == 2:
            raise KeyboardInterrupt
        return counting(calls)(job)

    store = JobStore(tmp_path / "jobs")
    with pytest.raises(KeyboardInterrupt):
        list(run_jobs(JOBS, killed, store=store))
    assert len(calls) == 2
    rest = []
    resumed = list(run_jobs(JOBS, counting(rest), store=store))
    assert rest == JOBS[2:]
    assert [r.tables for r in resumed] == [r.tables for r in uninterrupted]


def test_other_data_are_measured_again(tmp_path):
    calls, store = [], JobStore(tmp_path)
    for sha256 in "abb":
        list(run_jobs([replace(JOBS[0], sha256=sha256)], counting(calls), store=store))
    assert len(calls) == 2


@pytest.mark.parametrize("damage", ["", "{", '{"key": "other"}', "[]", "null"])
def test_damaged_results_are_measured_again(tmp_path, damage):
    calls, store = [], JobStore(tmp_path)
    list(run_jobs(JOBS[:1], counting(calls), store=store))
    (file,) = tmp_path.iterdir()
    file.write_text(damage)
    (result,) = run_jobs(JOBS[:1], counting(calls), store=store)
    assert len(calls) == 2
    assert json.loads(file.read_text())["tables"] == result.tables


def test_store_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        list(run_jobs(JOBS[:1], counting([]), store=JobStore(tmp_path / "file" / "jobs")))


def test_names_with_slashes_stay_inside_the_store(tmp_path):
    store = JobStore(tmp_path / "jobs")
    list(run_jobs([Job("gap", "../../up", "/etc/x")], counting([]), store=store))
    assert len(list((tmp_path / "jobs").iterdir())) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["jobs"]


def test_a_name_in_letters_of_several_bytes_is_too_long_for_a_file(tmp_path):
    job = Job("gap", "模型" * 40, "数据" * 40)
    (first,) = run_jobs([job], counting([]), store=JobStore(tmp_path))
    assert JobStore(tmp_path).read(job) == first
