"""``gapkit replicate`` and ``gapkit compare`` from the outside, on made-up embeddings."""

import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys

import pytest
from threadpoolctl import threadpool_info

from gapkit._paths import data_folder
from gapkit.cli import main
from gapkit.report.view import command_for
from tests.experiments.toys import *  # noqa: F403  (fixtures)
from tests.waiting import MARK, left_behind, wait_until

QUICK = ["--only", "gap", "--only", "raw-shift", "--quiet"]


def run(*arguments):
    """Exit code of the command line in this process."""
    with pytest.raises(SystemExit) as end:
        main(["replicate", *map(str, arguments)])
    return end.value.code


def record_of(folder):
    return json.loads((folder / "claims.json").read_text())


def without_times(folder):
    record = record_of(folder)
    del record["times"]
    del record["command"]
    return record


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    monkeypatch.setenv("GAPKIT_PROGRESS", "0")
    # pytest's process is not to be forked; that several processes give the same is tested from outside
    monkeypatch.setattr("gapkit.engine.usable_cores", lambda: 1)


def test_two_runs_with_one_seed_differ_in_their_times_alone(tmp_path, toy):
    for name in ("a", "b"):
        assert run("--dataset", toy["classes"], "--out", tmp_path / name, *QUICK) == 0
    assert without_times(tmp_path / "a") == without_times(tmp_path / "b")
    assert run("--dataset", toy["classes"], "--out", tmp_path / "c", "--seed", 1, *QUICK) == 0
    assert without_times(tmp_path / "a") != without_times(tmp_path / "c")


@pytest.mark.slow
def test_another_number_of_threads_gives_the_same_to_a_millionth(tmp_path, toy, monkeypatch):
    import torch

    import gapkit.experiments

    measure, used = gapkit.experiments.replicate, []

    def spy(*arguments, **options):
        pools = {
            (pool["filepath"], pool["num_threads"])
            for pool in threadpool_info()
            if pool["user_api"] == "blas"
        }
        used.append((len(pools), {threads for _, threads in pools}, torch.get_num_threads()))
        return measure(*arguments, **options)

    monkeypatch.setattr(gapkit.experiments, "replicate", spy)
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            options = ["--only", "closers", "--only", "quantisation", "--quiet"]
            run("--dataset", toy["classes"], "--out", tmp_path / str(count), "--threads", count, *options)
    finally:
        torch.set_num_threads(threads)
    assert [(blas, torchs) for _, blas, torchs in used] == [({1}, 1), ({2}, 2)]
    assert all(pools for pools, *_ in used)
    one, two = (record_of(tmp_path / count)["claims"] for count in "12")
    assert [entry["verdict"] for entry in one] == [entry["verdict"] for entry in two]
    for first, second in zip(one, two, strict=True):
        for a, b in zip(first["cells"], second["cells"], strict=True):
            if a["value"] is None:
                assert b["value"] is None
            else:
                assert [a["value"], *a["interval"]] == pytest.approx([b["value"], *b["interval"]], abs=1e-6)


def test_everything_a_replication_leaves_behind(tmp_path, toy):
    out = tmp_path / "results"
    assert run("--dataset", toy["pairs"], "--out", out, "--format", "html", "--format", "md", *QUICK) == 0
    assert {p.name for p in out.iterdir()} == {"claims.json", "report.html", "report.md", "figures", "tables"}
    assert [p.name for p in tmp_path.iterdir()] == ["results"]


def test_json_on_stdout_is_the_record_and_nothing_else(tmp_path, toy, capsys):
    assert run("--dataset", toy["classes"], "--out", tmp_path / "r", "--only", "gap", "--json") == 0
    assert json.loads(capsys.readouterr().out) == record_of(tmp_path / "r")


def test_a_long_model_name_leaves_no_room_for_the_claims(capsys, monkeypatch):
    from gapkit.cli.replicate import _print_table
    from gapkit.report import read_record
    from tests.test_results_table import RECORD

    record = read_record(RECORD)
    for entry in record["claims"]:
        if entry["model"] == "miniclip-wide":
            entry["model"] = "ViT-L-14-quickgelu/metaclip_fullcc_with_a_long_tag"
    monkeypatch.setenv("COLUMNS", "80")
    _print_table(record)
    assert "│ Images and" in capsys.readouterr().out


def test_strict_fails_where_a_claim_does_not_hold(tmp_path, toy):
    options = ["--dataset", toy["classes"], "--out", tmp_path / "r", "--quiet", "--strict"]
    assert run(*options, "--only", "gap") == 0
    assert run(*options, "--only", "noise") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "nois"], "did you mean 'noise'"),
        (["--model", "miniclip-wied", "--dataset", "scenes100"], "miniclip-wide"),
        (["--dataset", "scenes10"], "scenes100"),
        (["--format", "pdf"], "is not one of"),
        (["--dataset", "nowhere.safetensors"], "no file nowhere.safetensors"),
        (["--seed", "one"], "not a valid integer"),
        (["--seed", "-1"], "-1 is not in the range"),
        (["--threads", "0"], "0 is not in the range"),
        (["--processes", "0"], "0 is not in the range"),
        (["--full", "more"], "unexpected extra argument"),
    ],
)
def test_bad_usage_is_one_clear_line_and_exit_code_2(tmp_path, capsys, arguments, said):
    out = tmp_path / "results"
    assert run("--out", out, "--quiet", *arguments) == 2
    words = capsys.readouterr().err
    assert said in words
    assert len(words.strip().splitlines()) == 1
    assert not out.exists()


def test_a_mistyped_command_brings_the_nearest(capsys):
    with pytest.raises(SystemExit) as done:
        main(["replicat"])
    words = capsys.readouterr().err
    assert done.value.code == 2
    assert "did you mean 'replicate'" in words
    assert len(words.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "gone", [".", "embeddings/miniclip-wide", "embeddings/miniclip-wide/scenes100.safetensors",
             "embeddings/miniclip-learned@2/digits10.safetensors"]
)  # fmt: skip
def test_shipped_data_that_are_missing_are_an_error_and_the_old_results_stay(
    tmp_path, monkeypatch, capsys, gone
):
    """Else the report would silently do without a model, or without all of them."""
    copy = tmp_path / "data"
    copy.mkdir()
    for entry in data_folder().iterdir():  # links: nothing is written
        (copy / entry.name).symlink_to(entry)
    (copy / "embeddings").unlink()
    shutil.copytree(data_folder() / "embeddings", copy / "embeddings", copy_function=os.symlink)
    if gone == ".":
        copy = tmp_path / "nowhere"
    elif (copy / gone).is_dir():
        shutil.rmtree(copy / gone)
    else:
        (copy / gone).unlink()
    out = tmp_path / "results"
    out.mkdir()
    (out / "claims.json").write_text("old")
    monkeypatch.setenv("GAPKIT_DATA", str(copy))
    assert run("--out", out, "--quiet") == 2
    words = capsys.readouterr().err
    assert "is missing; restore it with" in words or "no shipped data in" in words
    assert len(words.strip().splitlines()) == 1
    assert [path.name for path in out.iterdir()] == ["claims.json"]
    assert (out / "claims.json").read_text() == "old"


def test_results_that_cannot_be_written_are_one_clear_line(tmp_path, toy, capsys):
    (tmp_path / "file").write_text("")
    assert run("--dataset", toy["classes"], "--out", tmp_path / "file" / "results", *QUICK) == 2
    words = capsys.readouterr().err
    assert "cannot" in words
    assert len(words.strip().splitlines()) == 1


def test_an_experiment_that_fits_no_dataset_says_so(tmp_path, toy, capsys):
    assert run("--dataset", toy["pairs"], "--only", "rephrasing", "--out", tmp_path / "r", "--quiet") == 2
    assert "nothing to do" in capsys.readouterr().err


KILLED = """
import os, signal, sys
from gapkit.cli import main

kept = 0

def watch(event, arguments):
    global kept
    if event == "os.rename" and os.path.basename(os.path.dirname(arguments[1])) == "jobs":
        kept += 1
        if kept == 2:  # the first job is kept, the second is about to be
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
main(sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills itself by a signal")
def test_killed_the_next_run_goes_on_and_ends_with_the_same(tmp_path, toy):
    out, part = tmp_path / "results", tmp_path / "results.part"
    datasets = [w for name in ("classes", "pairs") for w in ("--dataset", toy[name])]
    only = [w for name in ("gap", "orthogonality", "raw-shift") for w in ("--only", name)]
    rest = ["replicate", *datasets, *only, "--quiet", "--out"]
    command = [sys.executable, "-m", "gapkit", *rest]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", MARK: str(tmp_path)}
    killed = subprocess.run([sys.executable, "-c", KILLED, *rest, str(out)], env=environment)
    assert killed.returncode == -signal.SIGKILL
    assert wait_until(
        lambda: not left_behind(tmp_path)
    )  # its other processes hold the lock until they notice
    assert not out.exists()
    assert len(list((part / "jobs").glob("*.json"))) == 1
    subprocess.run([*command, str(out)], env=environment, check=True)
    subprocess.run([*command, str(tmp_path / "whole")], env=environment, check=True)
    assert without_times(out) == without_times(tmp_path / "whole")
    kept = record_of(out)["times"]["jobs_seconds"]
    assert len(kept) == len(record_of(out)["jobs"])
    assert not part.exists()


def test_compare_ends_with_1_only_where_two_replications_differ(tmp_path, toy, capsys):
    assert run("--dataset", toy["classes"], "--out", tmp_path / "a", *QUICK) == 0

    def compare(*paths):
        with pytest.raises(SystemExit) as end:
            main(["compare", *map(str, paths)])
        return end.value.code

    assert compare(tmp_path / "a", tmp_path / "a" / "claims.json") == 0
    assert "No difference" in capsys.readouterr().out
    changed = record_of(tmp_path / "a")
    changed["claims"][0]["verdict"] = "not decidable"
    (tmp_path / "b.json").write_text(json.dumps(changed))
    assert compare(tmp_path / "a", tmp_path / "b.json") == 1
    shown = capsys.readouterr().out
    assert "gap-exists" in shown and "2 differences" not in shown and "1 difference;" in shown
    assert compare(tmp_path / "a", tmp_path / "missing.json") == 2


def test_the_quick_path_needs_neither_open_clip_nor_the_image_libraries(tmp_path, toy):
    code = (
        "import sys; from gapkit.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "bad = {'open_clip', 'torchvision', 'timm', 'transformers'} & set(sys.modules); assert not bad, bad"
    )
    arguments = ["replicate", "--dataset", toy["classes"], "--out", str(tmp_path / "r"), *QUICK]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)


def test_the_command_that_the_report_prints_does_not_do_its_experiment_again(tmp_path, toy):
    asked = ["--dataset", toy["pairs"], "--galleries", 4, "--only", "gap", "--only", "raw-shift", "--quiet"]
    assert run(*asked, "--out", tmp_path / "a") == 0
    first = record_of(tmp_path / "a")
    again = shlex.split(command_for("raw-shift", first))
    assert again[:2] == ["gapkit", "replicate"]
    assert run(*again[2:], "--out", tmp_path / "b", "--quiet") == 0
    second = record_of(tmp_path / "b")
    assert second["jobs"] == [job for job in first["jobs"] if job["experiment"] == "raw-shift"]
    assert {4} == {job["options"]["galleries"] for job in second["jobs"] if "galleries" in job["options"]}


@pytest.mark.parametrize("wanted", [True, False])
def test_a_terminal_without_colour_gets_colour(tmp_path, toy, monkeypatch, wanted):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("NO_COLOR", "" if wanted else "1")
    assert run("--dataset", toy["classes"], "--out", tmp_path / "r", "--only", "gap") == 0
    stream.flush()
    assert (b"\x1b[" in stream.buffer.getvalue()) == wanted
