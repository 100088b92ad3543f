"""What the packaging tests share: the lists of packages and versions, each read from its own file."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PIP_NAME = {"matplotlib-base": "matplotlib", "pytorch-cpu": "torch"}
"""conda-forge's name -> PyPI's, where they differ."""


def project() -> dict:
    """The [project] table of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(*extras: str) -> list[Requirement]:
    """What the package needs, with the given extras."""
    table = project()
    lines = table["dependencies"] + [
        line for extra in extras for line in table["optional-dependencies"][extra]
    ]
    return [Requirement(line) for line in lines]


def lock() -> dict[str, str]:
    """Canonical name -> pinned version, of requirements.lock."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line.partition(";")[0].strip().split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pins}


def conda() -> dict:
    """The Binder recipe."""
    return yaml.safe_load((ROOT / "binder" / "environment.yml").read_text(encoding="utf-8"))


def conda_pins() -> dict[str, str]:
    """conda-forge's name -> version, python and pip left out."""
    pins = dict(re.fullmatch(r"([^=]+)=?(.*)", line).groups() for line in conda()["dependencies"])
    return {name: version for name, version in pins.items() if name not in ("python", "pip")}


def pip_equivalents() -> dict[str, str]:
    """Canonical PyPI name -> version, for everything in the Binder recipe but Python and pip."""
    return {canonicalize_name(PIP_NAME.get(name, name)): version for name, version in conda_pins().items()}
