"""Locks between processes, and files that Windows or macOS would treat in another way."""

import ast
import sys
from pathlib import Path

import pytest

from gapkit._files import locked

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path
    for folder in ("gapkit", "teaching", "tools", "benchmarks", "docs", "examples", "notebooks")
    for path in (ROOT / folder).rglob("*.py")
    if not {"_build", "_generated"} & set(path.parts)
)
UNIX_ONLY = {"resource", "fcntl", "pwd", "grp", "termios"}


def test_a_lock_keeps_its_file_while_it_is_held_and_nobody_removes_it_open(tmp_path, monkeypatch):
    """Windows removes no open file; elsewhere a removed one would be another lock than a new one of its name."""
    path = tmp_path / "folder" / "x.lock"
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: pytest.fail("a lock's file was removed"))
    with locked(path):
        inode = path.stat().st_ino
    with locked(path):
        assert path.stat().st_ino == inode


def test_every_text_file_is_opened_with_its_encoding():
    """Windows would take another one by default; ruff's PLW1514 is the same, but still in preview."""
    silent = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            named = {keyword.arg for keyword in node.keywords}
            method = isinstance(
                node.func, ast.Attribute
            )  # `gapkit._files.write_text`, a function, writes UTF-8
            text = method and {"read_text": 1, "write_text": 2}.get(name, 0) > len(node.args)
            if isinstance(node.func, ast.Name) and name == "open":
                mode = node.args[1] if len(node.args) > 1 else None
                text = not (isinstance(mode, ast.Constant) and "b" in mode.value)
            if text and "encoding" not in named:
                silent.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert silent == []


@pytest.mark.parametrize("package", ["gapkit", "tools"])
def test_what_only_unix_has_is_not_imported_where_windows_would_fall_over_it(package):
    found = []
    for path in SOURCES:
        if path.relative_to(ROOT).parts[0] != package:
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:  # the top level of a module
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path.relative_to(ROOT)}: {name}" for name in names if name in UNIX_ONLY]
    assert found == []


@pytest.mark.parametrize(("platform", "unit"), [("linux", 2**10), ("darwin", 2**20)])
def test_peak_memory_is_read_in_the_units_of_the_system(monkeypatch, platform, unit):
    resource = pytest.importorskip("resource")
    from gapkit.cli.replicate import _peak_memory

    usage = type("Usage", (), {"ru_maxrss": 300 * unit})
    monkeypatch.setattr(resource, "getrusage", lambda _: usage)
    monkeypatch.setattr(sys, "platform", platform)
    assert _peak_memory() == {"peak memory of the first process": "300 MiB"}


def test_without_the_module_that_counts_it_peak_memory_is_left_out(monkeypatch):
    from gapkit.cli.replicate import _peak_memory

    monkeypatch.setitem(sys.modules, "resource", None)  # as on Windows
    assert _peak_memory() == {}
