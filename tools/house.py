"""How large the house is: modules, lines of code, import layers, public names. ``python tools/house.py``

A line of code holds at least one token that is neither a comment nor part of a docstring; blank lines do not count,
and a statement that is folded over several lines counts each of them; but annotations cost nothing: a signature counts as
many lines as it would take without them. A public name is one that a package offers in
its ``__all__``.
"""

import ast
import io
import sys
import tokenize
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 110
_NOT_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
    tokenize.ENCODING,
}  # fmt: skip


def lines_with_code(source: str) -> set[int]:
    """Numbers of the lines of ``source`` with code on them."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines - _docstring_lines(ast.parse(source))


def code_lines(source: str) -> int:
    """How many lines of ``source`` have code on them, signatures counted as if they had no annotations."""
    tree, lines, saved = ast.parse(source), lines_with_code(source), 0
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            taken = lines.intersection(range(node.lineno, node.body[0].lineno))
            saved += max(0, len(taken) - _signature_lines(node))
    return len(lines) - saved


def _signature_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines that the formatter gives a signature without its annotations: one, three, or one an argument."""
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    stars = [star for star in (node.args.vararg, node.args.kwarg) if star]
    for argument in (*every, *stars):
        argument.annotation = None
    listed = ast.unparse(node.args)
    if node.col_offset + len(f"def {node.name}({listed}):") <= WIDTH:
        return 1
    return 3 if node.col_offset + 4 + len(listed) <= WIDTH else 2 + len(every) + len(stars)


def _docstring_lines(tree: ast.Module) -> set[int]:
    """Lines of strings that stand alone as a statement: docstrings, and those below an attribute."""
    return {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, node.end_lineno + 1)
    }


def modules(package: Path = ROOT / "gapkit") -> list[Path]:
    """Every Python file of a package, sorted."""
    return sorted(package.rglob("*.py"))


def public_names(face: Path) -> list[str]:
    """What a package's ``__init__`` offers, read without importing it: ``__all__``, and what is attached lazily."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(face.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List | ast.Tuple):
            if any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
                names |= set(ast.literal_eval(node.value))
        elif isinstance(node, ast.Assign) and "__all__" in ast.unparse(node.targets[0]):
            call = node.value
            options = {word.arg: word.value for word in call.keywords} if isinstance(call, ast.Call) else {}
            for listed in (
                ast.literal_eval(options["submod_attrs"]).values() if "submod_attrs" in options else ()
            ):
                names |= set(listed)
    return sorted(names)


def layers() -> list[str]:
    """The layers of the import contract, top first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    return next(contract["layers"] for contract in settings["contracts"] if contract["type"] == "layers")


def house() -> dict[str, dict[str, int]]:
    """For each package of gapkit (and the modules beside them): modules, lines of code, public names."""
    counted: dict[str, dict[str, int]] = {}
    for path in modules():
        parts = path.relative_to(ROOT / "gapkit").parts
        row = counted.setdefault(
            parts[0] if len(parts) > 1 else "(root)", {"modules": 0, "code": 0, "names": 0}
        )
        row["modules"] += 1
        row["code"] += code_lines(path.read_text(encoding="utf-8"))
        if path.name == "__init__.py" and len(parts) == 2:
            row["names"] = len(public_names(path))
    return counted


def main() -> int:
    """Print the table."""
    counted = house()
    print(f"{'package':<14}{'modules':>8}{'code':>8}{'names':>7}")
    for name, row in counted.items():
        print(f"{name:<14}{row['modules']:>8}{row['code']:>8,}{row['names']:>7}")
    total = {key: sum(row[key] for row in counted.values()) for key in ("modules", "code", "names")}
    print(f"{'all':<14}{total['modules']:>8}{total['code']:>8,}{total['names']:>7}")
    print(
        f"root: {len(public_names(ROOT / 'gapkit' / '__init__.py'))} names; import contract: {len(layers())} layers"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
