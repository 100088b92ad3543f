"""One set of versions: pyproject.toml allows them, the lock pins them, the environment has them."""

import importlib.metadata
import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import gapkit
from tests.packaging.recipe import ROOT, lock, project, requirements
from tools import install as tool

EXTRAS = tuple(project()["optional-dependencies"])


SYSTEMS = {"linux": ("posix", "Linux"), "darwin": ("posix", "Darwin"), "win32": ("nt", "Windows")}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def environment(system: str, python: str) -> dict[str, str]:
    """What markers are asked about, on another system with another Python."""
    os_name, platform_system = SYSTEMS[system]
    return {
        "sys_platform": system,
        "os_name": os_name,
        "platform_system": platform_system,
        "platform_machine": {"linux": "x86_64", "darwin": "arm64", "win32": "AMD64"}[system],
        "python_version": python,
        "python_full_version": f"{python}.5",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }


def closure(roots: list[Requirement], where: dict[str, str] | None = None) -> dict[str, set[str]]:
    """Name -> extras, of everything that is installed because of ``roots``, here or ``where`` else."""
    found: dict[str, set[str]] = {}
    todo = [(requirement, {""}) for requirement in roots]
    while todo:
        requirement, extras = todo.pop()
        asked = [{**(where or {}), "extra": extra} for extra in extras]
        if requirement.marker and not any(map(requirement.marker.evaluate, asked)):
            continue
        name = canonicalize_name(requirement.name)
        wanted = requirement.extras | {""}
        if wanted <= found.get(name, set()):
            continue
        found[name] = found.get(name, set()) | wanted
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:  # of another system; what it needs is not known here
            needs = []
        todo += [(Requirement(line), found[name]) for line in needs]
    return found


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_lock_pins_everything_that_any_extra_needs(system, python):
    needed = closure(requirements(*EXTRAS), environment(system, python)).keys()
    lacking = needed - {"pip", "setuptools", "wheel"} - lock().keys()
    of_cuda = ("triton", "nvidia-", "cuda-")  # they come with CUDA builds of torch alone
    assert sorted(name for name in lacking if not name.startswith(of_cuda)) == []


def test_what_is_installed_is_what_the_lock_pins():
    needed = closure(requirements(*EXTRAS)).keys() & lock().keys()
    assert needed
    installed = {name: Version(importlib.metadata.version(name)).public for name in needed}
    assert {name: version for name, version in installed.items() if version != lock()[name]} == {}


def test_the_lock_satisfies_every_range_of_pyproject():
    pins = lock()
    for requirement in requirements(*EXTRAS):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


def test_the_lock_is_plain_pins_without_local_builds_or_paths():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.!]*( ; .+)?", line) for line in lines)
    names = [line.partition("==")[0].lower() for line in lines]
    assert names == sorted(set(names))


def test_torch_and_torchvision_are_the_pair_that_belongs_together():
    pins = lock()
    assert (pins["torch"], pins["torchvision"]) == ("2.13.0", "0.28.0")


def test_the_version_is_the_same_wherever_it_is_written():
    version = project()["version"]
    assert gapkit.__version__ == version
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(
        rf"^## {re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )


def test_every_place_names_the_same_pythons():
    (oldest, newest) = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project()["requires-python"]).groups()
    meant = [f"3.{minor}" for minor in range(int(oldest), int(newest))]
    assert meant == list(PYTHONS)
    prefix = "Programming Language :: Python :: "
    assert [
        line.removeprefix(prefix) for line in project()["classifiers"] if line.startswith(prefix)
    ] == meant
    assert [f"3.{version[1]}" for version in (tool.OLDEST, tool.NEWEST)] == [meant[0], meant[-1]]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (low, high) = re.search(r"\(3, (\d+)\) <= sys\.version_info\[:2\] <= \(3, (\d+)\)", makefile).groups()
    assert [f"3.{low}", f"3.{high}"] == [meant[0], meant[-1]]
    assert re.search(r"for p in (.*?);", makefile)[1].split()[: len(meant)] == [
        f"python{name}" for name in meant
    ]
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]
    assert ruff["target-version"] == f"py{meant[0].replace('.', '')}"
    for page in ("README.md", "docs/repository.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert set(re.findall(r"Python (3\.\d+ to 3\.\d+)", text)) == {f"{meant[0]} to {meant[-1]}"}, page
