"""What both forms of the report say: the record and the tables, put in the order of reading."""

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping

from gapkit._format import number, with_interval
from gapkit.claims import CLAIMS, VERDICTS, claim
from gapkit.claims.decide import is_control
from gapkit.embeddings import published_sets
from gapkit.errors import as_one_line
from gapkit.experiments import experiments
from gapkit.report.record import NO_MODELS, numbers_of

TITLE = "Is the modality gap a bug or a feature? A replication"
GLYPHS = {"holds": "✓", "partly": "◐", "does not hold": "✗", "harms": "!", "not decidable": "?"}
SETTINGS = {
    "miniclip-wide": "temperature fixed at 1/300",
    "miniclip-t0.01": "temperature fixed at 0.01",
    "miniclip-learned": "temperature learned, as in CLIP, but for a short time: it stays near 0.06",
    "miniclip-siglip": "sigmoid loss, as in SigLIP",
    "miniclip-few-words": "temperature fixed at 0.01, wide text tower, two wordings in training",
    "miniclip-random": "random weights, the control",
}
"""What tells the shipped models apart."""
PARTS = ("The paper and earlier work", "This project's own", "Controls and identities: only bugs break them")


def build_view(record: Mapping) -> dict:
    """The context that the templates of the report are filled with (tables and pictures are added by the caller)."""
    models, summary = build_summary(record)
    jobs = []
    for job, took in zip(record["jobs"], record["times"]["jobs_seconds"], strict=True):
        asked = job["experiment"], short_model(job["model"]), job["dataset"], job["seed"]
        jobs.append([*asked, job["data_sha256"][:16], f"{took:.2f}"])
    return {
        "title": TITLE,
        "answer": answer(record),
        "lead": _lead(record),
        "model_words": model_words(record),
        "leading": [row for row in summary if row["headline"]],
        "parts": [(part, [row for row in summary if row["part"] == i]) for i, part in enumerate(PARTS)],
        "counts": counts_of(record["overall"].values()),
        "glyphs": GLYPHS,
        "has_control": any(is_control(model) for model in models),
        "models": models,
        "sections": _sections(record),
        "record": record,
        "times": [(name, value) for name, value in record["times"].items() if name != "jobs_seconds"],
        "job_rows": jobs,
    }


def build_summary(record: Mapping) -> tuple[list[str], list[dict]]:
    """The models, in the order of columns, and one row for each claim."""
    every = dict.fromkeys(entry["model"] for entry in record["claims"])
    models = sorted((m for m in every if m not in NO_MODELS), key=is_control)  # controls last
    where, leading = experiment_of(), {claim.id for claim in CLAIMS if claim.headline}
    rows = []
    for name, entries in _by_claim(record).items():
        first, by_model = entries[0], {entry["model"]: entry for entry in entries}
        ours = int(first["origin"] == "derived here")
        row = {"statement": first["statement"], "source": first["source"]}
        row |= {"experiment": where.get(name, "summary"), "overall": record["overall"][name]}
        row |= {"headline": name in leading, "part": ours if first.get("kind", "finding") == "finding" else 2}
        rows.append(row | {"cells": [_summary_cell(by_model.get(model), model) for model in models]})
    return models, rows


def short_model(model: str) -> str:
    """A model's name as columns show it."""
    labels = (entry.label for entry in published_sets().values() if entry.model == model)
    return next(labels, "") or as_one_line(model.removeprefix("miniclip-"))


def model_words(record: Mapping) -> dict[str, str]:
    """The shipped models of a record in a line: what tells them apart."""
    models = dict.fromkeys(entry["model"] for entry in record["claims"])
    known = [f"{short_model(model)} ({SETTINGS[model]})" for model in models if model in SETTINGS]
    words = f"small CLIPs, trained alike but for what is in brackets: {', '.join(known)}."
    return {"models": words} if known else {}


def on_models(record: Mapping, claim: str) -> dict[str, Mapping]:
    """Model -> its entry for a claim, the widest gap first, without controls."""
    entries = {(e["id"], e["model"]): e for e in record["claims"] if not e["control"]}
    widths = {model: e["value"] or 0 for (name, model), e in entries.items() if name == "gap-exists"}
    found = [model for name, model in entries if name == claim]
    return {model: entries[claim, model] for model in sorted(found, key=lambda m: -widths.get(m, 0))}


def span(values: Iterable[float], digits: int) -> str:
    """The least and the largest value: ``5 to 10``."""
    ends = [number(round(end, digits), digits) for end in sorted(values)]
    return ends[0] if ends[0] == ends[-1] else f"{ends[0]} to {ends[-1]}"


COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
LEVEL = "untouched 0.7"


def answer(record: Mapping, *, where: str = LEVEL, models: str = "models") -> list[str]:
    """Bug or feature? Sentences that follow from the verdicts, as far as accuracy and robustness were measured.

    Parameters
    ----------
    record : as `gapkit.report.read_record` gives it
    where : the end of the name of the cells that are quoted, such as "K=10, untouched 0.7"
    models : what the models are called, such as "published models"
    """
    gains, kept, widths = (on_models(record, name) for name in ("gain", "answers-kept", "gap-exists"))
    level = {m: [cell for cell in e["cells"] if cell["where"].endswith(where)] for m, e in gains.items()}
    yes, harmed = ({m: _saying(word, level[m]) for m in gains} for word in ("yes", "harms"))
    gained = [model for model, entry in gains.items() if entry["verdict"] in ("holds", "partly")]
    more = [model for model in gained if yes[model] or not level[model]]
    rest = [model for model in gains if model not in more]
    worse = [model for model in rest if gains[model]["verdict"] == "harms" or harmed[model]]
    quoted = {m: [cell for cell in cells if not cell.get("reason")] or cells for m, cells in level.items()}
    quoted |= {m: yes[m] for m in more} | {m: harmed[m] or _saying("harms", gains[m]["cells"]) for m in worse}
    rest, edge = [model for model in rest if model not in worse], claim("gain").rule.edge
    less = [
        m
        for m in rest
        if quoted[m] and all(-edge < numbers_of(cell)[1] and numbers_of(cell)[2] < edge for cell in quoted[m])
    ]
    apart = bool(more and rest) and set(gains) <= set(widths)
    apart = apart and min(widths[m]["value"] for m in more) > max(widths[m]["value"] for m in rest)

    def group(chosen: list[str], width: str = "") -> str:
        gaps = f"‖g‖ = {span((widths[m]['value'] for m in chosen), 2)}" if set(chosen) <= set(widths) else ""
        if width and apart and len(gains) > 4:
            return f"the {_count(len(chosen))} with a {width} gap ({gaps})"
        partly = (m in more and gains[m]["verdict"] == "partly" for m in chosen)
        names = (short_model(m) + " in part" * part for m, part in zip(chosen, partly, strict=True))
        return ", ".join(names) + (f" ({gaps})" if gaps else "")

    def points(chosen: list[str], digits: int) -> str:
        values = [
            100 * cell["value"] for model in chosen for cell in quoted[model] if cell["value"] is not None
        ]
        return span(values, digits) if values else "an unknown number of"

    sentences = []
    if told := {model: entry for model, entry in kept.items() if entry["verdict"] != "not decidable"}:
        changed = [short_model(model) for model, entry in told.items() if entry["verdict"] != "holds"]
        measured = f"any of the {_count(len(told))} {models}" if len(told) > 1 else "the model"
        some = f"matters on some models: closing it changes answers on {', '.join(changed)}"
        none = f"is neither bug nor feature: closing it changes no answer on {measured} measured here"
        sentences.append(f"For accuracy the gap {some if changed else none}.")
    if more:
        wide, ten = " where it is wide" * apart, "ten candidates and " * ("K=10" in where)
        noise = f"with {ten}noise that 70 % of the answers survive"
        share = f"that share by {points(more, 0)} percentage points on {group(more, 'wide')}"
        sentences.append(f"For robustness it is a bug{wide}: {noise}, closing it raises {share}.")
    if less:
        narrow = "narrow" if less == rest else ""
        sentences.append(
            f"On {group(less, narrow)} the change is {points(less, 1)} points, too little to count."
        )
    if unsure := [model for model in rest if model not in less]:
        change = f"whether it counts: the change is {points(unsure, 1)} points"
        sentences.append(f"On {group(unsure)} the data cannot tell {change}.")
    if worse:
        sentences.append(f"On {group(worse)} closing does harm: {points(worse, 1)} points.")
    return sentences


def _saying(word: str, cells: Iterable[Mapping]) -> list[Mapping]:
    return [cell for cell in cells if cell["answer"] == word]


def _count(number: int) -> str:
    return COUNTS[number] if number < len(COUNTS) else str(number)


def _lead(record: Mapping) -> str:
    models = dict.fromkeys(job["model"].partition("@")[0] for job in record["jobs"] if job["model"])
    shown = [short_model(model) for model in models if not is_control(model)]
    controls = len(models) - len(shown)
    datasets = dict.fromkeys(job["dataset"] for job in record["jobs"] if job["dataset"])
    random = f" and {_count(controls)} with random weights" if controls else ""
    data = f", with {', '.join(datasets)}" if 0 < len(datasets) < 6 else ""
    sources = "of Chowers et al. (CVPR 2026), of earlier work and of this project"
    measured = f"measured on {', '.join(shown) or 'free embeddings'}{random}{data}"
    return f"{(n := len(record['overall']))} claim{'s' * (n != 1)} {sources}, {measured}."


def counts_of(verdicts: Iterable[str]) -> list[tuple[str, int]]:
    """How many there are of each verdict, those without any left out."""
    count = Counter(verdicts)
    return [(verdict, count[verdict]) for verdict in VERDICTS if count[verdict]]


def _by_claim(record: Mapping) -> dict[str, list[Mapping]]:
    """Claim id -> its entries, one a model."""
    groups: dict[str, list[Mapping]] = {}
    for entry in record["claims"]:
        groups.setdefault(entry["id"], []).append(entry)
    return groups


def _summary_cell(entry: Mapping | None, model: str) -> dict:
    if entry is None:
        return {"verdict": None, "words": "·", "control": is_control(model), "text": ""}
    text = f"{value_text(entry)} ({entry['where']})" if entry["value"] is not None else "no value"
    verdict = {"verdict": entry["verdict"], "words": verdict_words(entry)}
    return verdict | {"control": entry["control"], "text": text}


def verdict_words(entry: Mapping) -> str:
    """The verdict, with how many of the cells say yes where they are divided: ``partly (2 of 6)``."""
    if entry["verdict"] != "partly":
        return entry["verdict"]
    yes, tested = yes_count(entry)
    harmed = sum(cell["answer"] == "harms" for cell in entry["cells"])
    return f"partly ({yes} of {tested}{f', {harmed} harm' if harmed else ''})"


def yes_count(entry: Mapping) -> tuple[int, int]:
    """How many cells say yes, and how many could be tested at all."""
    tested = [cell for cell in entry["cells"] if not cell.get("reason")]
    return sum(cell["answer"] == "yes" for cell in tested), len(tested)


def value_text(entry: Mapping) -> str:
    """The value with its interval, or a dash where there is none."""
    return with_interval(entry["value"], *(entry["interval"] or (None, None)))


def _sections(record: Mapping) -> list[dict]:
    where, groups = experiment_of(), _by_claim(record)
    done, sections = {job["experiment"] for job in record["jobs"]}, []
    for each in experiments():
        if each.name in done:
            names = [name for name in groups if where.get(name) == each.name]
            claims = [_claim(groups[name], record["overall"][name]) for name in names]
            about = {"name": each.name, "command": command_for(each.name, record)}
            sections.append({**vars(each), **about, "claims": claims})
    return sections


def _claim(entries: list[Mapping], overall: str) -> dict:
    rows = []
    for entry in entries:
        reasons = dict.fromkeys(cell["reason"] for cell in entry["cells"] if "reason" in cell)
        shown = {"value": value_text(entry), "where": entry["where"] or "–"}
        shown |= {"answers": _answers(entry["cells"]), "reason": "; ".join(reasons)}
        rows.append({**entry, **shown})
    return {**entries[0], "overall": overall, "rows": rows}


def _answers(cells: list[Mapping]) -> str:
    count = Counter(cell["answer"] for cell in cells)
    harmed = f" ({count['harms']} harm)" if count["harms"] else ""
    return f"{count['yes']} / {count['no'] + count['harms']}{harmed} / {count['cannot tell']}"


_ASIDE = dict.fromkeys(("--only", "--out", "--format", "--processes", "--threads", "--cluster"), 1)
_ASIDE |= dict.fromkeys(("--json", "--all", "--quiet", "--strict", "--fresh"), 0)
"""Options that change nothing of what is measured in one experiment, and how many values they take."""


def command_for(experiment: str, record: Mapping) -> str:
    """The command that does one experiment of a replication again: as it was given, for this experiment alone."""
    words = shlex.split(record["command"])
    given, kept = iter(words[2:] if words[:2] == ["gapkit", "replicate"] else ()), []
    for word in given:
        name, valued, _ = word.partition("=")
        if name not in _ASIDE:
            kept.append(shlex.quote(word))
        elif _ASIDE[name] and not valued:
            next(given, None)
    return " ".join(["gapkit replicate", f"--only {experiment}", *kept])


def experiment_of() -> dict[str, str]:
    """Claim id -> the experiment it is shown with."""
    return {claim.id: claim.experiment for claim in CLAIMS}
