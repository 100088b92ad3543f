import os

import pytest

from gapkit.errors import InputError
from gapkit.report.write import Workspace


def write(text):
    return lambda folder: (folder / "claims.json").write_text(text)


def content(folder):
    return (folder / "claims.json").read_text()


def test_results_are_published_and_nothing_is_left_behind(tmp_path):
    with Workspace(tmp_path / "results") as space:
        (space.part / "jobs" / "a.json").write_text("{}")
        assert space.publish(write("new")) == tmp_path / "results"
    assert content(tmp_path / "results") == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["results"]


def test_old_results_stay_whole_until_the_new_ones_are(tmp_path):
    results = tmp_path / "results"
    with Workspace(results) as space:
        space.publish(write("old"))
    with Workspace(results) as space:

        def half(folder):
            write("new")(folder)
            assert content(results) == "old"
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            space.publish(half)
    assert content(results) == "old"
    with Workspace(results) as space:
        space.publish(write("new"))
    assert content(results) == "new"


def test_killed_between_the_two_renames_the_next_run_finds_the_old_results(tmp_path, monkeypatch):
    results = tmp_path / "results"
    with Workspace(results) as space:
        space.publish(write("old"))
    rename, calls = os.rename, []

    def killed(source, target):
        calls.append(target)
        if len(calls) == 2:
            raise SystemExit  # as sudden as a kill: nothing is cleaned up
        rename(source, target)

    with Workspace(results) as space:
        monkeypatch.setattr(os, "rename", killed)
        with pytest.raises(SystemExit):
            space.publish(write("new"))
    monkeypatch.undo()
    assert not results.exists()
    with Workspace(results):
        assert content(results) == "old"


def test_finished_jobs_wait_for_the_next_run_unless_it_is_fresh(tmp_path):
    with Workspace(tmp_path / "results") as space:
        (space.part / "jobs" / "a.json").write_text("{}")
    with Workspace(tmp_path / "results") as space:
        assert (space.part / "jobs" / "a.json").exists()
    with Workspace(tmp_path / "results", fresh=True) as space:
        assert not (space.part / "jobs" / "a.json").exists()


def test_a_folder_with_anything_else_in_it_is_never_replaced(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"thesis\.tex"), Workspace(tmp_path):
        pass
    results = tmp_path / "results"
    with Workspace(results) as space:
        space.publish(write("old"))
    (results / "my notes.md").write_text("mine")
    with pytest.raises(InputError, match="my notes"), Workspace(results):
        pass
    assert (results / "my notes.md").exists()


def test_two_runs_cannot_write_to_one_folder(tmp_path):
    with Workspace(tmp_path / "results"):
        with pytest.raises(InputError, match="another gapkit"), Workspace(tmp_path / "results"):
            pass
        with Workspace(tmp_path / "others"):
            pass
    with Workspace(tmp_path / "results"):
        pass


def test_places_that_cannot_be_written_to_are_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "results", "/proc/results", "/"):
        with pytest.raises(InputError) as fault, Workspace(place):
            pass
        assert "\n" not in str(fault.value)


def test_a_run_that_finished_nothing_leaves_no_folder_and_one_that_did_keeps_it(tmp_path):
    with pytest.raises(InputError), Workspace(tmp_path / "results"):
        raise InputError("no data")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyboardInterrupt), Workspace(tmp_path / "results") as space:
        (space.part / "jobs" / "a.json").write_text("{}")
        raise KeyboardInterrupt
    assert (tmp_path / "results.part" / "jobs" / "a.json").exists()
