"""``import gapkit`` is instant: nothing is loaded before it is used. Its seconds are a row of `make bench`."""

import json
import subprocess
import sys

PROBE = """
import json, sys
before = set(sys.modules)
{statement}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def loaded(statement: str) -> list[str]:
    """The modules that a statement brings into a new process."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(statement=statement)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def packages(modules: list[str]) -> set[str]:
    """What of them is not of Python itself."""
    return {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)


def test_importing_the_package_loads_another_package_or_much_of_its_own():
    modules = loaded("import gapkit")
    assert packages(modules) <= {"gapkit", "lazy_loader"}
    assert sum(name.startswith("gapkit") for name in modules) <= 5


def test_the_probe_would_see_a_heavy_import():
    assert {"torch", "numpy"} <= packages(loaded("import gapkit; gapkit.gap_vector"))
