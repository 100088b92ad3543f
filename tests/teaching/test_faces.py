"""Grading and slides use gapkit as anyone else does: through its faces."""

import ast
import tomllib
from pathlib import Path

import pytest
from setuptools import find_packages

import teaching

MODULES = sorted(Path(teaching.__file__).parent.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The modules that a file imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_nothing_reaches_into_a_module_inside_gapkit(path):
    ours = {name for name in imported(path) if name.split(".")[0] == "gapkit"}
    assert [name for name in ours if name.count(".") > 1 or "._" in name] == []


def test_the_wheel_does_not_hold_what_only_an_instructor_runs():
    root = Path(teaching.__file__).parents[1]
    with open(root / "pyproject.toml", "rb") as file:
        options = tomllib.load(file)["tool"]["setuptools"]["packages"]["find"]
    packages = find_packages(str(root), **options)
    assert "gapkit" in packages
    assert [name for name in packages if not name.startswith("gapkit")] == []
