"""The pre-commit hooks use the tools that the project installs, whatever is on the caller's PATH."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
HOOKS = [
    hook
    for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    for hook in repo["hooks"]
]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_each_hook_names_its_tool_by_its_place(hook):
    tool = hook["entry"].split()[0]
    assert tool.startswith(".venv/bin/")
    if (ROOT / ".venv").is_dir():
        assert (ROOT / tool).exists()


def test_what_the_contributing_page_promises_is_hooked():
    assert {"ruff", "ruff-format", "notebooks-sync", "notebooks-in-step", "notebooks-clean", "codespell"} <= {
        hook["id"] for hook in HOOKS
    }
