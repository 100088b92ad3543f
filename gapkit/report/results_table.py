"""The README's table of results, made from a ``claims.json``."""

import re
from collections.abc import Mapping
from pathlib import Path

from gapkit._files import write_text
from gapkit.errors import InputError
from gapkit.report.view import command_for, experiment_of, short_model, value_text

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"


HEADLINES = (
    "gap-exists",
    "orthogonal-chance",
    "answers-kept",
    "accuracy-kept",
    "gain",
    "monotone",
    "wider-gains-more",
    "quantised-codes",
    "rephrasing-costs",
    "affine-best",
    "dot-gallery-nothing",
)
"""The claims that a reader in a hurry should see; all others follow folded."""


def results_table(record: Mapping) -> str:
    """Markdown: the leading claims with their numbers, then every claim with the command that decides it.

    Parameters
    ----------
    record : as `gapkit.report.read_record` gives it
    """
    entries: dict[str, list[Mapping]] = {}
    for entry in record["claims"]:
        entries.setdefault(entry["id"], []).append(entry)
    leading = [name for name in HEADLINES if name in entries] or list(entries)[: len(HEADLINES)]
    first = short_model(entries[leading[0]][0]["model"]) or "first model"
    lines = [f"| claim | verdict | by model | measured on *{first}*, worst case |", "|---|---|---|---|"]
    for name in leading:
        lines.append(
            f"| {_cell(entries[name][0]['statement'])} | **{record['overall'][name]}** | "
            f"{_by_model(entries[name])} | {_measured(entries[name][0])} |"
        )
    lines += [
        "",
        f"<details><summary>All {len(entries)} claims, with the command that decides each</summary>",
    ]
    lines += ["", "| claim | verdict | by model | command |", "|---|---|---|---|"]
    where = experiment_of()
    for name, group in entries.items():
        statement = _cell(f"{group[0]['statement']} *({group[0]['source']})*")
        command = command_for(where[name], record) if name in where else record["command"]
        lines.append(f"| {statement} | **{record['overall'][name]}** | {_by_model(group)} | `{command}` |")
    return "\n".join([*lines, "", "</details>"])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _measured(entry: Mapping) -> str:
    """What was measured, the value with its interval, and where."""
    if entry["value"] is None:
        return "–"
    where = f" ({entry['where']})" if entry["where"] else ""
    return _cell(f"{entry['measured']}: {value_text(entry)}{where}")


def _by_model(entries: list[Mapping]) -> str:
    """The verdicts grouped: ``holds: wide, learned; partly: siglip``."""
    counted = [entry for entry in entries if not entry["control"]]
    if len(counted) <= 1:
        return "–"
    groups: dict[str, list[str]] = {}
    for entry in counted:
        groups.setdefault(entry["verdict"], []).append(short_model(entry["model"]))
    if len(groups) == 1:
        return "all alike"
    return "; ".join(f"{verdict}: {', '.join(models)}" for verdict, models in groups.items())


def update_readme(path: str | Path, record: Mapping) -> bool:
    """Put the table between the markers of a README; returns whether that changed it.

    Raises
    ------
    InputError
        If the file cannot be read or lacks the markers.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as fault:
        raise InputError(f"cannot read {path}: {fault.strerror or fault}") from fault
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), flags=re.DOTALL)
    if not pattern.search(text):
        raise InputError(f"{path} must have the markers {BEGIN} and {END}, in this order")
    changed = pattern.sub(lambda _: f"{BEGIN}\n\n{results_table(record)}\n\n{END}", text, count=1)
    if changed != text:
        write_text(path, changed)
    return changed != text
