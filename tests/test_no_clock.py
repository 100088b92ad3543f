"""Tests do not read clocks: a number of seconds says as much about the machine as about the code.

What takes time is counted here (see tests/widgets/counting.py) and measured by `make bench`; whoever waits
uses tests/waiting.py. Time-outs guard against hanging alone.
"""

import re

import pytest

from tests.notebooks.lessons import ROOT

CLOCK = re.compile(
    r"\b(?:perf_counter|process_time|thread_time|monotonic|clock_gettime|timeit|cpu_times|default_timer)(?:_ns)?\b"
    r"|\btime\.time(?:_ns)?\(|\bos\.times\(|\bru_[us]time\b|\bdatetime\.now\(|\bbenchmark\("
)
LEAST_TIMEOUT = 240
"""Seconds that a test or a process gets at least: a slow one of ten, on a machine ten times slower, and more."""


@pytest.mark.parametrize(
    "line", ["time.perf_counter()", "x = monotonic_ns()", "used.ru_utime", "time.time()"]
)
def test_a_clock_would_be_noticed(line):
    assert CLOCK.search(line)


def test_a_test_reads_a_clock():
    here = ROOT / "tests"
    found = [
        f"{path.relative_to(here)}:{number}: {line.strip()}"
        for path in sorted(here.rglob("*.py"))
        if path.name != "test_no_clock.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if CLOCK.search(line)
    ]
    assert found == []


def test_a_time_out_is_short(request):
    assert float(request.config.getini("timeout")) >= LEAST_TIMEOUT
    texts = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("*.py"))}
    given = [
        (path.name, float(number))
        for path, text in texts.items()
        for number in re.findall(r"\btimeout[=(]([\d_.]+)(?=\s*[,)])", text)
        + re.findall(r"\.(?:wait|join|acquire)\(([1-9][\d_.]*)(?=\s*[,)])", text)  # less than 1 is a pause
    ]
    assert [short for short in given if short[1] < LEAST_TIMEOUT] == []
