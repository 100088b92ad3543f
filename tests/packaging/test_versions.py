"""One set of versions: pyproject.toml allows them, the lock pins them, the environment has them."""

import importlib.metadata
import re

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import gapkit
from tests.packaging.recipe import ROOT, lock, project, requirements

EXTRAS = tuple(project()["optional-dependencies"])


def closure(roots: list[Requirement]) -> dict[str, set[str]]:
    """Name -> extras, of everything that is installed because of ``roots``."""
    found: dict[str, set[str]] = {}
    todo = [(requirement, {""}) for requirement in roots]
    while todo:
        requirement, extras = todo.pop()
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
            continue
        name = canonicalize_name(requirement.name)
        wanted = requirement.extras | {""}
        if wanted <= found.get(name, set()):
            continue
        found[name] = found.get(name, set()) | wanted
        todo += [(Requirement(line), found[name]) for line in importlib.metadata.requires(name) or []]
    return found


def test_the_lock_pins_everything_that_any_extra_needs():
    needed = closure(requirements(*EXTRAS)).keys() - {"pip", "setuptools", "wheel"}
    assert sorted(needed - lock().keys()) == []


def test_what_is_installed_is_what_the_lock_pins():
    needed = closure(requirements(*EXTRAS)).keys() & lock().keys()
    installed = {name: Version(importlib.metadata.version(name)).public for name in needed}
    assert {name: version for name, version in installed.items() if version != lock()[name]} == {}


def test_the_lock_satisfies_every_range_of_pyproject():
    pins = lock()
    for requirement in requirements(*EXTRAS):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


def test_the_lock_is_plain_pins_without_local_builds_or_paths():
    lines = [
        line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")
    ]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.!]*", line) for line in lines)
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
