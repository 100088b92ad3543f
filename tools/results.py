"""The tables of docs/results.md, made from the records of the two replications.

``python tools/results.py results/claims.json docs/results.md`` writes the table between the file's markers.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from gapkit._files import write_text
from gapkit._format import number, with_interval
from gapkit.claims import CLAIMS
from gapkit.embeddings import published_sets
from gapkit.errors import InputError
from gapkit.report import read_record
from gapkit.report.record import weakest_entries
from gapkit.report.view import GLYPHS, SETTINGS, command_for, experiment_of, short_model, yes_count

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
    weakest = weakest_entries(record)
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
        first = weakest[name]
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


ON_MODELS = (
    *("gap-exists", "orthogonal-variance", "orthogonal-chance", "answers-kept", "accuracy-kept"),
    *("gain", "monotone", "affine-gain", "raw-changes-answers", "retrieval-gain"),
)
"""The leading claims on published models: at most ten."""


def is_published(record: Mapping) -> bool:
    """Whether a record is about published embeddings of real models."""
    return any(job["dataset"] in published_sets() for job in record["jobs"])


def models_table(record: Mapping) -> str:
    """Markdown: what was found on real models in sentences, then the leading claims with a column for each model.

    Parameters
    ----------
    record : of ``gapkit replicate --published``, as `gapkit.report.read_record` gives it
    """
    entries = {(entry["id"], entry["model"]): entry for entry in record["claims"] if not entry["control"]}
    models = [model for (name, model) in entries if name == "gap-exists"]
    models.sort(key=lambda model: -entries["gap-exists", model]["value"])
    lines = [f"- {sentence}" for sentence in headline(record)]
    lines += ["", f"| claim | {' | '.join(map(short_model, models))} |", "|---" * (len(models) + 1) + "|"]
    for name in ON_MODELS:
        found = [entries.get((name, model)) for model in models]
        if any(found):
            statement = next(entry["statement"] for entry in found if entry)
            lines.append(f"| {_cell(statement)} | {' | '.join(map(_model_cell, found))} |")
    legend = ", ".join(f"{glyph} {verdict}" for verdict, glyph in GLYPHS.items())
    return "\n".join(
        [
            *lines,
            "",
            f"{legend}. Numbers are the weakest case of each model; “3 of 6” means that a claim holds in 3 of 6 cells (galleries "
            "of 10, 30 and 100 candidates and the whole set, noise levels); brackets are 95 % intervals. Published "
            "embeddings, downloaded by hash and not part of this repository: `gapkit fetch --all && gapkit replicate "
            "--published`.",
        ]
    )


def headline(record: Mapping) -> list[str]:
    """What a record on real models says, in sentences, with each exception named."""
    claims: dict[str, list[Mapping]] = {}
    for entry in record["claims"]:
        if not entry["control"]:
            claims.setdefault(entry["id"], []).append(entry)
    sentences = [_on_models(claims["gain"], "Closing the gap makes answers more robust to noise")]
    for entry in claims.get("real-wider-gains-more", ()):
        cells = [cell for cell in entry["cells"] if not cell.get("reason")]
        if cells:
            values = sorted(cell["value"] for cell in cells)
            word = {"holds": "The gain follows the width of the gap over models"}.get(
                entry["verdict"],
                f"That the gain follows the width of the gap over models: {entry['verdict']}",
            )
            sentences.append(
                f"{word}: rank correlation {number(values[0], 2)} to {number(values[-1], 2)} over "
                f"{len(claims['gain'])} models, at three levels of noise."
            )
    sentences.append(
        _on_models(
            claims["orthogonal-variance"], "That nothing varies along the gap (Assumption 3.3)", plain=True
        )
        + " "
        + _on_models(
            claims["orthogonal-chance"], "Less variance along it than along a random direction", plain=True
        )
    )
    if "affine-gain" in claims:
        yes, tested = map(sum, zip(*map(yes_count, claims["affine-gain"]), strict=True))
        without = {entry["model"] for entry in claims["gain"] if entry["verdict"] == "does not hold"}
        also = [
            short_model(entry["model"])
            for entry in claims["affine-gain"]
            if entry["model"] in without and entry["verdict"] in ("holds", "partly")
        ]
        sentences.append(
            f"The affine projection derived here gains more than the paper's shift in {yes} of {tested} cells"
            + (f", also on {' and '.join(also)}, where the shift gains too little to count." if also else ".")
        )
    return sentences


def _on_models(entries: list[Mapping], what: str, *, plain: bool = False) -> str:
    """On which models a claim holds; unless ``plain``, with every cell that does not say yes on those where it does in part."""
    by_verdict: dict[str, list[Mapping]] = {}
    for entry in entries:
        by_verdict.setdefault(entry["verdict"], []).append(entry)

    def names(verdict: str) -> str:
        return ", ".join(short_model(entry["model"]) for entry in by_verdict[verdict])

    if len(by_verdict) == 1 and "partly" not in by_verdict:
        verdict = next(iter(by_verdict))
        every = "any of the" if "not" in verdict else "all"
        return f"{what}: {verdict} on {every} {len(entries)} models."
    parts = [f"holds on {names('holds')}" if "holds" in by_verdict else "holds on none"]
    if "partly" in by_verdict:
        counted = (
            "{} ({} of {} cells)".format(short_model(e["model"]), *yes_count(e)) for e in by_verdict["partly"]
        )
        parts.append(f"in part on {', '.join(counted)}")
    parts += [
        f"{verdict} on {names(verdict)}"
        for verdict in ("does not hold", "not decidable")
        if verdict in by_verdict
    ]
    exceptions = [
        f"{short_model(entry['model'])} ({cell['where']}): {with_interval(cell['value'], *cell['interval'])}"
        for entry in by_verdict.get("partly", ())
        for cell in entry["cells"]
        if cell["answer"] != "yes" and not cell.get("reason")
    ]
    tail = f" Exceptions: {'; '.join(exceptions)}." if exceptions and not plain else ""
    return f"{what}: {'; '.join(parts)}.{tail}"


def _model_cell(entry: Mapping | None) -> str:
    if entry is None:
        return "·"
    glyph = GLYPHS[entry["verdict"]]
    if entry["verdict"] == "partly":
        return "{} {}\u00a0of\u00a0{}".format(glyph, *yes_count(entry))
    return (
        f"{glyph}\u00a0{number(entry['value'], 3, scientific=False)}" if entry["value"] is not None else glyph
    )


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
        if any(
            entry["model"] == model and not entry["control"] for some in entries.values() for entry in some
        )
    ]
    names = (
        f"Models: {', '.join(known)}: small CLIPs, trained alike but for temperature or loss"
        + (f" (‖g‖ on {dataset}). " if gaps else ". ")
        if known
        else ""
    )
    return (
        f"{names}“Untouched 0.9” is noise that changes 10 % of the answers before the gap is closed; brackets are "
        "95 % intervals; “partly (2 of 6)” means that a claim holds in 2 of 6 cells (datasets, noise levels, …)."
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


def update_page(path: str | Path, record: Mapping) -> bool:
    """Put the table between the page's markers for this kind of record; returns whether that changed the page.

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
    begin, end = markers(record)
    pattern = re.compile(f"^{re.escape(begin)}$.*?^{re.escape(end)}$", flags=re.DOTALL | re.MULTILINE)
    if not pattern.search(text):
        raise InputError(
            f"{path} must have the markers {begin} and {end}, in this order, each on a line of its own"
        )
    table = models_table(record) if is_published(record) else results_table(record)
    changed = pattern.sub(lambda _: f"{begin}\n\n{table}\n\n{end}", text, count=1)
    if changed != text:
        write_text(path, changed)
    return changed != text


def markers(record: Mapping) -> tuple[str, str]:
    """Between which lines the table of a record stands."""
    name = "published" if is_published(record) else "results"
    return f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


if __name__ == "__main__":
    try:
        update_page(sys.argv[2], read_record(sys.argv[1]))
    except IndexError:
        sys.exit("usage: python tools/results.py RECORD FILE")
    except InputError as fault:
        sys.exit(f"tools/results.py: {fault}")
