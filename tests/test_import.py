"""``import gapkit`` is instant: nothing heavy is loaded before it is used."""

import subprocess
import sys

HEAVY = ("torch", "matplotlib", "open_clip", "torchvision", "pandas", "scipy", "ipywidgets", "sklearn")
PROBE = """
import sys, time
started = time.perf_counter()
import gapkit
print(time.perf_counter() - started)
print(*[name for name in {heavy!r} if name in sys.modules])
"""


def probe() -> tuple[float, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(heavy=HEAVY)], capture_output=True, text=True, check=True
    )
    seconds, loaded = done.stdout.splitlines()
    return float(seconds), loaded.split()


def test_import_takes_a_fifth_of_a_second_or_loads_something_heavy():
    runs = [probe() for _ in range(3)]
    assert [loaded for _, loaded in runs] == [[], [], []]
    assert min(seconds for seconds, _ in runs) < 0.2


def test_the_probe_would_see_a_heavy_import():
    code = PROBE.format(heavy=HEAVY).replace("import gapkit", "import gapkit; gapkit.gap_vector")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "torch" in done.stdout.splitlines()[1].split()
