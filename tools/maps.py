"""Write the maps of CONTRIBUTING.md: from lesson to module, from equation to function.

``python tools/maps.py`` writes, ``--check`` only says (exit code 1) whether CONTRIBUTING.md is out of date. The first map
follows the lessons' imports, the second the docstrings of public names: what they say before their first section.
"""

import ast
import importlib
import inspect
import pkgutil
import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NUMERICS = ("geometry", "contrastive", "perturbations", "robustness", "closing", "tasks")
COMMON = ("plots.style", "widgets.panel")
"""Used by every lesson, so of no help to those who look for something."""
sys.path.insert(0, str(ROOT))

import gapkit  # noqa: E402
from tools.readme import between  # noqa: E402

NUMBERED = re.compile(
    r"\b(Eq|Eqs|Theorem|Theorems|Assumption)\.? (\d+(?:\.\d+)?)(?:(?:,| and|,? and) (\d+(?:\.\d+)?))*"
)


def faces() -> dict[str, list[str]]:
    """Every package of gapkit, and what it offers besides modules."""
    packages = [f"gapkit.{module.name}" for module in pkgutil.iter_modules(gapkit.__path__) if module.ispkg]
    return {name: list(getattr(importlib.import_module(name), "__all__", ())) for name in packages}


def defined_in(face: str, name: str) -> str | None:
    """The module, without ``gapkit.``, where a public name is defined; None for constants and what is another's."""
    thing = getattr(importlib.import_module(face), name, None)
    if inspect.ismodule(thing) and not callable(thing):
        return thing.__name__.removeprefix("gapkit.")
    module = getattr(thing, "__module__", "") or ""
    return module.removeprefix("gapkit.") if module.startswith("gapkit.") and callable(thing) else None


def used(path: Path) -> dict[str, set[str]]:
    """What a lesson uses of gapkit: module to names."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    packages, names = faces(), defaultdict(set)
    imported = [
        (node.module, alias)
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module in {*packages, "gapkit"}
        for alias in node.names
    ]
    aliases = {a.asname or a.name: f"gapkit.{a.name}" for _, a in imported if f"gapkit.{a.name}" in packages}
    aliases["gapkit"] = "gapkit"
    uses = [(module, alias.name) for module, alias in imported]
    calls = [node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    uses += [(aliases[name], name) for name in calls if name in aliases]  # a package that is called
    uses += [
        (aliases[ast.unparse(node.value)], node.attr)
        for node in nodes
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in aliases
    ]
    for face, name in uses:
        module = None if f"{face}.{name}" in packages else defined_in(face, name)
        if module is not None and module not in COMMON:
            names[module].add(name)
    return names


def lessons() -> str:
    """The table from lesson to module."""
    lines = ["| lesson | uses |", "|---|---|"]
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.py")):
        modules = "; ".join(
            f"`{module}` ({', '.join(sorted(names))})" for module, names in sorted(used(path).items())
        )
        lines.append(f"| {path.stem[:2]} | {modules} |")
    return "\n".join(lines)


def numbers(docstring: str) -> list[str]:
    """The paper's equations, theorems and assumptions that a docstring names before its first section."""
    opening = re.split(r"\n[A-Z]\w+\n-{3,}", inspect.cleandoc(docstring))[0]
    named = []
    for match in NUMBERED.finditer(opening):
        kind = "Eq." if match[1].startswith("Eq") else match[1].rstrip("s")
        named += [f"{kind} {number}" for number in re.findall(r"\d+(?:\.\d+)?", match[0])]
    return list(dict.fromkeys(named))


def equations() -> str:
    """The table from equation to function."""
    places: dict[str, set[str]] = defaultdict(set)
    for face in (f"gapkit.{package}" for package in NUMERICS):
        for name in faces()[face]:
            thing = getattr(importlib.import_module(face), name)
            if (inspect.isfunction(thing) or inspect.isclass(thing)) and (module := defined_in(face, name)):
                for number in numbers(thing.__doc__ or ""):
                    places[number].add(f"`{module}.{name}`")
    order = sorted(places, key=lambda number: (number.split()[0], float(number.split()[1])))
    lines = ["| in the paper | in gapkit |", "|---|---|"]
    return "\n".join(lines + [f"| {number} | {', '.join(sorted(places[number]))} |" for number in order])


def main(arguments: list[str]) -> int:
    """Write or check; returns the exit code."""
    path = ROOT / "CONTRIBUTING.md"
    before = path.read_text(encoding="utf-8")
    after = between(between(before, "lessons-to-modules", lessons()), "equations-to-functions", equations())
    if "--check" in arguments:
        if before != after:
            print("CONTRIBUTING.md is out of date: run make readme")
        return int(before != after)
    path.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
