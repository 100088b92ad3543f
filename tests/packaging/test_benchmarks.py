"""`make bench`: what falls short is named and ends it with 1; every section is there and says what it measures."""

import importlib
import sys
import types

import pytest

from benchmarks import run
from benchmarks.clock import best, in_a_new_python
from benchmarks.memory import growth, in_a_fresh_process, peak_growth
from benchmarks.rows import Row, shortfalls, table

KEPT = [
    Row("a", 1.0),
    Row("b", 1.0, most=1.0),
    Row("c", 3.0, against="d", other=2.0, most_ratio=1.5),
    Row("e", 1.0, against="f", other=20.0, least_speedup=20),
    Row("g", 499.0, "MB", most=500),
]
MISSED = [
    Row("b", 1.01, most=1.0),
    Row("c", 3.1, against="d", other=2.0, most_ratio=1.5),
    Row("e", 1.0, against="f", other=19.9, least_speedup=20),
    Row("g", 501.0, "MB", most=500),
]


def test_a_bar_that_is_kept_counts_as_missed_or_the_other_way_round():
    assert [row.falls_short for row in KEPT] == [False] * len(KEPT)
    assert [row.falls_short for row in MISSED] == [True] * len(MISSED)


def test_the_table_of_what_falls_short_lacks_a_row_or_has_one_too_many():
    assert shortfalls({"x": KEPT[:2], "y": KEPT[2:]}) == "Nothing: all 4 bars are kept.\n"
    assert shortfalls({"x": KEPT, "y": MISSED}) == table(MISSED)
    assert table(MISSED).count("\n") == 2 + len(MISSED)
    assert all(line.count("|") == 6 for line in table(KEPT + MISSED).splitlines())


@pytest.fixture
def section(monkeypatch):
    """A section of made-up rows."""
    module = types.ModuleType("benchmarks.made_up", "Made up.")
    monkeypatch.setitem(sys.modules, "benchmarks.made_up", module)
    monkeypatch.setattr(run, "SECTIONS", {"made_up": "Made up"})
    return module


@pytest.mark.parametrize("before", [KEPT, MISSED])
@pytest.mark.parametrize("other", [KEPT, MISSED])
@pytest.mark.parametrize("now", [KEPT, MISSED])
def test_a_section_measured_anew_leaves_another_page_than_all_measured_at_once(
    section, monkeypatch, before, other, now
):
    monkeypatch.setitem(sys.modules, "benchmarks.second", types.ModuleType("benchmarks.second", "Another."))
    monkeypatch.setitem(run.SECTIONS, "second", "Second")
    other = [
        Row(f"second {row.what}", **{k: v for k, v in vars(row).items() if k != "what"}) for row in other
    ]
    whole = run.page({"made_up": now, "second": other})
    assert run.renewed(run.page({"made_up": before, "second": other}), {"made_up": now}) == whole
    assert run.renewed(run.page({"second": other}), {"made_up": now}) == whole


@pytest.mark.parametrize(("rows", "strict", "code"), [(KEPT, True, 0), (MISSED, True, 1), (MISSED, False, 0)])
def test_strict_ends_with_another_code(section, tmp_path, capsys, rows, strict, code):
    section.rows = lambda quick, repeats: iter(rows)
    out = tmp_path / "benchmarks.md"
    assert run.main(["--out", str(out), *["--strict"] * strict]) == code
    text = out.read_text(encoding="utf-8")
    assert shortfalls({"made_up": rows}) in text
    assert table(rows) in text
    assert capsys.readouterr().out.count("FALLS SHORT") == (rows is MISSED) * len(MISSED)


def test_one_section_alone_overwrites_the_page(section, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "TABLE", tmp_path / "benchmarks.md")
    section.rows = lambda quick, repeats: iter(KEPT)
    run.main(["--only", "made_up"])
    assert not run.TABLE.exists()


@pytest.mark.parametrize("name", run.SECTIONS)
def test_a_section_cannot_be_imported_or_does_not_say_what_it_measures(name):
    module = importlib.import_module(f"benchmarks.{name}")
    assert callable(module.rows)
    assert len(module.__doc__) > 40


def test_both_sides_are_not_measured_equally_often():
    calls = []
    best({name: lambda name=name: calls.append(name) for name in "ab"}, 3)
    assert calls == ["b", "a", "a", "b", "b", "a"]


def test_a_program_that_fails_is_taken_for_a_quick_one():
    with pytest.raises(RuntimeError, match="planted"):
        in_a_new_python("raise ValueError('planted')")


def _held(measure, megabytes: int) -> float:
    return measure(lambda: [bytearray(b"1") * (megabytes * 2**20) for _ in range(4)])


def _dropped(measure, megabytes: int) -> float:
    return measure(lambda: len([bytearray(b"1") * (megabytes * 2**20) for _ in range(4)]))


@pytest.mark.parametrize("measure", [growth, peak_growth])
def test_memory_that_a_result_holds_is_not_seen(measure):
    assert 150 < in_a_fresh_process(_held, measure, 50) < 400


def test_memory_that_is_given_back_is_not_seen():
    assert 150 < in_a_fresh_process(_dropped, peak_growth, 50) < 400


def _twice(megabytes: int) -> float:
    _dropped(peak_growth, megabytes)
    return peak_growth(lambda: None)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not forget a peak")
def test_an_earlier_peak_hides_what_comes_later():
    assert in_a_fresh_process(_twice, 50) < 50


def _fails() -> float:
    raise ValueError("planted")


def test_a_process_that_fails_is_waited_for_in_vain():
    with pytest.raises(RuntimeError, match="_fails"):
        in_a_fresh_process(_fails)
