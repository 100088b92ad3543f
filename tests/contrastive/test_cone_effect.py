"""The tool behind the shipped table of untrained architectures makes that table, unless told otherwise."""

import csv

from gapkit._paths import shipped_file
from tools import cone_effect


def test_the_defaults_are_the_architectures_seeds_and_pairs_of_the_shipped_table():
    with shipped_file("cone_effect.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["architecture"], int(row["seed"])) for row in rows] == [
        (architecture, seed) for architecture in cone_effect.ARCHITECTURES for seed in cone_effect.SEEDS
    ]
    assert {int(row["pairs"]) for row in rows} == {cone_effect.PAIRS}


def test_run_without_options_the_tool_measures_just_these(monkeypatch, tmp_path):
    monkeypatch.setattr(cone_effect, "row", lambda architecture, seed: {"architecture": architecture})
    monkeypatch.setattr(cone_effect.torch, "set_num_threads", lambda n: None)
    monkeypatch.setattr("sys.argv", ["cone_effect.py", "--out", str(tmp_path / "table.csv")])
    cone_effect.main()
    written = (tmp_path / "table.csv").read_text().split()
    assert written == ["architecture", *(a for a in cone_effect.ARCHITECTURES for _ in cone_effect.SEEDS)]
