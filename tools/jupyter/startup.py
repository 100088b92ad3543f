"""What every kernel of ``make lab`` and of Binder begins with: after a restart, a missing name says which cell to run."""


def _help_with_missing_names():
    import ast
    import json
    import os
    from pathlib import Path

    def made_by(source):
        """The names that a cell gives a meaning to."""
        tree = ast.parse("\n".join(line for line in source.splitlines() if line[:1] not in ("%", "!")))
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield node.name
            elif isinstance(node, ast.alias):
                yield node.asname or node.name.partition(".")[0]

    def advise(result):
        fault = result.error_in_exec
        fault = getattr(fault, "__cause__", None) or fault  # a self-check tells what the function raised
        if not isinstance(fault, NameError) or not fault.name:
            return
        try:
            cells = json.loads(Path(os.environ["JPY_SESSION_NAME"]).read_text(encoding="utf-8"))["cells"]
            codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
            first = next(source for source in codes if fault.name in made_by(source))
        except (KeyError, OSError, ValueError, StopIteration, SyntaxError):
            where = "the cell that defines it"
        else:
            where = f"the cell that begins with\n\n    {first.strip().splitlines()[0]}\n"
        print(f"“{fault.name}” is not there yet, perhaps after a restart. Run {where}\n"
              "or all cells above this one: menu Run, “Run All Above Selected Cell”.")  # fmt: skip

    get_ipython().events.register("post_run_cell", advise)  # noqa: F821


try:
    _help_with_missing_names()
finally:
    del _help_with_missing_names
