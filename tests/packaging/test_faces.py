"""Lessons, assignments, examples, teaching and the docs' snippets use gapkit by its faces, never by a module inside."""

import ast
import importlib
import inspect
import pkgutil
import re
import warnings
from pathlib import Path

import pytest

import gapkit

ROOT = Path(__file__).resolve().parents[2]
FACES = {"gapkit", "gapkit.errors"} | {
    f"gapkit.{module.name}" for module in pkgutil.iter_modules(gapkit.__path__) if module.ispkg
}
PYTHON = [
    path
    for folder in ("notebooks", "notebooks/assignments/source", "examples", "teaching", "teaching/sandbox")
    for path in sorted((ROOT / folder).glob("*.py"))
]
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "paper").glob("*.md"))]


def snippets(text: str) -> list[str]:
    """The Python in a Markdown file: code blocks said to be Python, without prompts and lines for the shell."""
    blocks = re.findall(
        r"^```(?:python|pycon|\{code-cell\}[^\n]*)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE
    )
    return [re.sub(r"^(>>>|\.\.\.) ?|^[%!].*$", "", block, flags=re.MULTILINE) for block in blocks]


def inside(source: str) -> list[str]:
    """What ``source`` imports from gapkit by another way than a face, or takes from a face that does not offer it."""
    faults = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            faults += [name for name in names if name.split(".")[0] == "gapkit" and name not in FACES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "gapkit":
            if node.module not in FACES:
                faults.append(node.module)
                continue
            offered = set(getattr(importlib.import_module(node.module), "__all__", ())) | {
                "InputError",
                "GapkitWarning",
            }
            offered |= {face.rpartition(".")[2] for face in FACES if face.rpartition(".")[0] == node.module}
            faults += [f"{node.module}.{alias.name}" for alias in node.names if alias.name not in offered]
    return faults


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_inside_is_used(path):
    assert inside(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_snippet_uses_a_module_inside(path):
    assert [fault for block in snippets(path.read_text(encoding="utf-8")) for fault in inside(block)] == []


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ("import gapkit\nfrom gapkit import plots\nfrom gapkit.plots import show", []),
        ("from gapkit.plots.style import show", ["gapkit.plots.style"]),
        ("from gapkit.plots import style", ["gapkit.plots.style"]),
        ("from gapkit._paths import data_folder", ["gapkit._paths"]),
        ("def f():\n    import gapkit.geometry.gap as g", ["gapkit.geometry.gap"]),
    ],
)
def test_a_way_around_the_faces_is_not_seen(source, faults):
    assert inside(source) == faults


def test_snippets_are_not_read():
    text = "```python\n>>> import gapkit\n```\n\n```bash\ngapkit info\n```\n"
    assert snippets(text) == ["import gapkit\n"]


def signatures():
    """Every public function, and every public method of a public class, by its dotted name."""
    for face in sorted(FACES - {"gapkit.errors"}):
        module = importlib.import_module(face)
        for name in module.__all__:
            thing = getattr(module, name)
            own = {"": thing} if inspect.isfunction(thing) else vars(thing) if inspect.isclass(thing) else {}
            for part, function in own.items():
                public = inspect.isfunction(function) and (not part.startswith("_") or part == "__init__")
                if public and function.__module__.startswith("gapkit"):
                    yield f"{face}.{name}.{part}".rstrip("."), inspect.signature(function)


def test_a_public_argument_or_result_has_no_annotation():
    bare = [
        name
        for name, signature in signatures()
        if signature.return_annotation is signature.empty
        or any(
            parameter.annotation is parameter.empty
            for key, parameter in signature.parameters.items()
            if key != "self"
        )
    ]
    assert bare == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "gapkit").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_an_import_inside_a_function_would_fail(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # nor does gapkit itself use an old name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "gapkit":
                for alias in node.names:
                    assert hasattr(
                        importlib.import_module(node.module), alias.name
                    ) or importlib.import_module(f"{node.module}.{alias.name}")
