"""The README's table of results, made from a ``claims.json``."""

import re
from collections.abc import Mapping
from pathlib import Path

from gapkit._files import write_text
from gapkit._format import number, with_interval
from gapkit.claims import CLAIMS
from gapkit.errors import InputError
from gapkit.report.view import command_for, experiment_of, short_model, yes_count

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"

SETTINGS = {
    "miniclip-wide": "temperature fixed at 1/300",
    "miniclip-t0.01": "fixed at 0.01",
    "miniclip-learned": "learned, as CLIP does",
    "miniclip-siglip": "sigmoid loss",
}
"""What tells the shipped models apart."""
GAP_OF = ("gap-exists", "scenes100")
MOST = 13
"""Claims in the first table where none of the leading ones was decided; all others follow folded."""


def results_table(record: Mapping) -> str:
    """Markdown: the leading claims with their numbers, then every claim with the command that decides it.

    Parameters
    ----------
    record : as `gapkit.report.read_record` gives it
    """
    entries: dict[str, list[Mapping]] = {}
    for entry in record["claims"]:
        entries.setdefault(entry["id"], []).append(entry)
    where = experiment_of()
    commands = {
        name: command_for(where[name], record) if name in where else record["command"] for name in entries
    }
    leading = [claim.id for claim in CLAIMS if claim.headline and claim.id in entries] or list(entries)[:MOST]
    lines = [
        _legend(entries),
        "",
        "| claim | verdict | by model | measured, weakest case | value | `gapkit replicate` |",
    ]
    lines.append("|---|---|---|---|---|---|")
    for name in leading:
        first = entries[name][0]
        lines.append(
            f"| {_cell(first['statement'])} | **{record['overall'][name]}** | {_by_model(entries[name])} | "
            f"{_measured(first)} | {value_with_interval(first)} | `{commands[name].removeprefix('gapkit replicate ')}` |"
        )
    lines += [
        "",
        f"<details><summary>All {len(entries)} claims, with the command that decides each</summary>",
    ]
    lines += ["", "| claim | verdict | by model | command |", "|---|---|---|---|"]
    for name, group in entries.items():
        statement = _cell(f"{group[0]['statement']} *({group[0]['source']})*")
        verdict = f"**{record['overall'][name]}**"
        lines.append(f"| {statement} | {verdict} | {_by_model(group)} | `{commands[name]}` |")
    return "\n".join([*lines, "", "</details>"])


def _legend(entries: Mapping[str, list[Mapping]]) -> str:
    """What the names and brackets of the table mean, and how wide each model's gap is."""
    claim, dataset = GAP_OF
    gaps = {
        entry["model"]: number(cell["value"], 2)
        for entry in entries.get(claim, ())
        for cell in entry["cells"]
        if cell["where"] == dataset and cell["value"] is not None
    }
    known = [
        f"*{short_model(model)}* ({words}{f'; ‖g‖ = {gaps[model]}' if model in gaps else ''})"
        for model, words in SETTINGS.items()
        if any(entry["model"] == model for some in entries.values() for entry in some)
    ]
    names = (
        f"Models: {', '.join(known)}: small CLIPs, trained alike but for temperature or loss"
        + (f" (‖g‖ on {dataset}). " if gaps else ". ")
        if known
        else ""
    )
    return (
        f"{names}“Untouched 0.9” is noise that leaves 90 % of the answers as they were while nothing is moved; brackets are "
        "95 % intervals; “partly (2 of 6)” says in how many of the cells (datasets, noise levels, …) a claim holds."
    )


def value_with_interval(entry: Mapping) -> str:
    """The value with its interval, all with the same decimals, or a dash where there is none."""
    return with_interval(entry["value"], *(entry["interval"] or (None, None)), scientific=False)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _measured(entry: Mapping) -> str:
    """What was measured, on which model and where."""
    places = [f"*{short_model(entry['model'])}*", *([entry["where"]] if entry["where"] else [])]
    return _cell(f"{entry['measured']} ({', '.join(places)})")


def _by_model(entries: list[Mapping]) -> str:
    """The verdicts grouped: ``holds: wide, learned; partly: siglip (2 of 6)``."""
    counted = [entry for entry in entries if not entry["control"]]
    if len(counted) <= 1:
        return "–"
    groups: dict[str, list[str]] = {}
    for entry in counted:
        cells = "({} of {})".format(*yes_count(entry)) if entry["verdict"] == "partly" else ""
        groups.setdefault(entry["verdict"], []).append(f"{short_model(entry['model'])} {cells}".strip())
    if len(groups) == 1 and "partly" not in groups:
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
