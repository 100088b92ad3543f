"""Tests see the same on every machine, in every terminal and whatever their user has set (see conftest.py)."""

import os
import shutil
import subprocess
import sys

import matplotlib
from hypothesis import settings
from rich.console import Console

from conftest import FIXED, FORGOTTEN, fix_environment


def test_what_a_user_has_set_reaches_the_tests():
    variables = dict.fromkeys(FORGOTTEN, "1") | {"COLUMNS": "31", "PATH": "/bin", "NO_PROXY": "example.org"}
    fix_environment(variables)
    loopback = {"NO_PROXY": "example.org,localhost,127.0.0.1", "no_proxy": "localhost,127.0.0.1"}
    assert variables == {"PATH": "/bin"} | FIXED | loopback


def test_how_a_user_starts_python_reaches_the_programs_that_tests_start():
    """Some of these are found on servers; with the first, ``python -m tests.…`` would find nothing."""
    words = [
        "SAFEPATH",
        "DEVMODE",
        "VERBOSE",
        "PROFILEIMPORTTIME",
        "OPTIMIZE",
        "TRACEMALLOC",
        "WARNDEFAULTENCODING",
    ]
    asked = {f"PYTHON{word}": "1" for word in words} | {
        "PYTHONIOENCODING": "ascii",
        "PYTHONWARNINGS": "error",
    }
    code = "import sys, tracemalloc; print(sys.flags, sys.stdout.encoding, tracemalloc.is_tracing())"
    said = []
    for more in ({}, asked):
        fix_environment(variables := {**os.environ, **more})
        done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, check=True)
        said.append((done.stdout, done.stderr))
    assert said[0] == said[1]


def test_the_width_of_the_terminal_reaches_the_tests():
    assert (Console().width, Console(force_terminal=True).width) == (80, 80)
    assert shutil.get_terminal_size() == (80, 24)


def test_a_users_style_of_pictures_reaches_the_tests():
    assert matplotlib.matplotlib_fname() == os.devnull


def test_a_slow_machine_or_a_new_example_fails_a_test():
    default = settings()
    assert default.derandomize
    assert default.deadline is None
    assert default.database is None
