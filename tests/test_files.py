"""Locks between processes, and files that Windows or macOS would treat in another way."""

import ast
import errno
import sys
from pathlib import Path

import pytest

from gapkit import _files
from gapkit._files import locked
from gapkit.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path
    for folder in ("gapkit", "teaching", "tools", "benchmarks", "docs", "examples", "notebooks")
    for path in (ROOT / folder).rglob("*.py")
    if not {"_build", "_generated"} & set(path.parts)
)
UNIX_ONLY = {"resource", "fcntl", "pwd", "grp", "termios", "pty"}
UNIX_ATTRIBUTES = {
    f"{module}.{name}"
    for module, names in {
        "os": "fork geteuid getuid killpg mkfifo pidfd_open sched_getaffinity setsid uname",
        "signal": "SIGALRM SIGHUP SIGKILL SIGSTOP SIGUSR1 SIGXFSZ alarm setitimer",
    }.items()
    for name in names.split()
}


def test_a_lock_keeps_its_file_while_it_is_held_and_nobody_removes_it_open(tmp_path, monkeypatch):
    """Windows removes no open file; elsewhere a removed one would be another lock than a new one of its name."""
    path = tmp_path / "folder" / "x.lock"
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: pytest.fail("a lock's file was removed"))
    with locked(path):
        inode = path.stat().st_ino
    with locked(path):
        assert path.stat().st_ino == inode


def test_a_folder_that_cannot_be_flushed_makes_a_written_file_a_fault(tmp_path, monkeypatch):
    """Folders that may not be listed, and some file systems over a network, refuse it."""
    whole, path = _files._flush, tmp_path / "a.txt"

    def flush(place):
        if place.is_dir():
            raise OSError(errno.EINVAL, "Invalid argument")
        whole(place)

    monkeypatch.setattr(_files, "_flush", flush)
    assert _files.write_text(path, "σ") == path
    assert path.read_text(encoding="utf-8") == "σ"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_written_to_a_link_goes_where_it_leads(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "old.txt").write_text("old", encoding="utf-8")
    links = {"old.txt": tmp_path / "a.txt", "new.txt": tmp_path / "b.txt"}
    for name, link in links.items():
        try:
            link.symlink_to(Path("disk") / name)
        except OSError:
            pytest.skip("links are not allowed here")
        assert _files.write_text(link, "new") == link
        assert link.is_symlink() and (disk / name).read_text(encoding="utf-8") == "new"
    assert {path.name for path in disk.iterdir()} == set(links)


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


def when_imported(node):
    """What is carried out when a module is imported: not what stands in functions, but their decorators and defaults."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            decorators = getattr(child, "decorator_list", [])
            children = [*decorators, *child.args.defaults, *filter(None, child.args.kw_defaults)]
        else:
            children = [child]
        for each in children:
            yield each
            yield from when_imported(each)


def unix_only(source):
    """Modules and attributes that Windows has not, and that importing this source asks for."""
    for node in when_imported(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ({alias.name for alias in node.names} & UNIX_ONLY)
        elif isinstance(node, ast.ImportFrom) and node.module in UNIX_ONLY:
            yield node.module
        elif isinstance(node, ast.Attribute) and (name := ast.unparse(node)) in UNIX_ATTRIBUTES:
            yield name


def test_what_windows_lacks_would_be_noticed():
    source = "import resource\n@mark(os.geteuid() == 0)\ndef f(how=signal.SIGKILL):\n    os.fork()\n"
    assert list(unix_only(source)) == ["resource", "os.geteuid", "signal.SIGKILL"]
    assert list(unix_only("def f():\n    import fcntl\nmake = lambda: os.mkfifo\n")) == []


@pytest.mark.parametrize("folder", ["gapkit", "tools", "teaching", "tests"])
def test_what_only_unix_has_is_asked_for_where_windows_would_fall_over_it(folder):
    """Of ``teaching`` grading alone needs Unix, and starts what needs it as a program of its own."""
    found = {
        f"{path.relative_to(ROOT).as_posix()}: {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in unix_only(path.read_text(encoding="utf-8"))
    }
    assert found - {"teaching/inside/__main__.py: resource"} == set()


def test_grading_on_windows_is_a_traceback_or_asks_for_a_sandbox_there(tmp_path, monkeypatch):
    grade = pytest.importorskip("teaching.grade", exc_type=ImportError)
    monkeypatch.setattr(sys, "platform", "win32")
    for confined in (True, False):
        with pytest.raises(InputError, match=r"^grading needs Linux or macOS; on Windows do it in WSL$"):
            grade.grade_folder(tmp_path, course=tmp_path, out=tmp_path / "out", confined=confined)


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
