"""What both forms of the report say: the record and the tables, put in the order of reading."""

import functools
from collections import Counter
from collections.abc import Mapping

from gapkit._format import with_interval
from gapkit.claims import CLAIMS, VERDICTS
from gapkit.claims.decide import FAMILY, is_control
from gapkit.embeddings import published_sets
from gapkit.experiments import experiments
from gapkit.experiments.plan import DATASETS, SHIPPED

TITLE = "Is the modality gap a bug or a feature? A replication"
GLYPHS = {"holds": "✓", "partly": "◐", "does not hold": "✗", "not decidable": "?"}
NO_MODELS = (FAMILY, "free embeddings")
"""What some claims are about instead of one model; their verdict is the overall one."""
HOW_TO_READ = (
    "A claim is put to the test in several cells (datasets, noise levels, …); each cell answers yes, no or "
    "cannot tell by a rule and a smallest effect. It holds for a model if every cell says yes, holds partly if "
    "some do, does not hold if none does and at least one says no, and is not decidable if the data cannot "
    "tell. “Partly (2 of 6)” says how many cells say yes. Cells that cannot test the claim at all say why and are not "
    "counted. Overall counts every model but the "
    "random control. Rules were written before measuring; what was changed after looking stands in "
    "gapkit/claims/registry.py."
)
CONTROL_NOTE = "Random is the control: the same towers with random weights. It counts in no overall verdict."
METHODS = (
    "Robustness to noise on the gallery is computed exactly, by one integral a query, not by sampling. Every "
    "closer is fitted once, on untouched data; the untouched gallery is perturbed, then moved (what is quantised is the moved gallery, as it is stored). "
    "Noisy accuracy equals robustness where the clean answer is right, and is drawn for the other queries. Where "
    "quantising makes two rows of the gallery equal and they are the nearest, the answer counts as lost, untouched or "
    "closed; where more than 99.5 % of the answers survive untouched there is nothing to gain, and the cell is not "
    "counted, whichever way it comes out. Intervals are 95 % "
    "intervals: paired bootstrap over queries (1,000 draws, resampled by image where queries share one; classes "
    "are not resampled); for the gap's length and the variance along it the basic bootstrap (400 draws), for its share in "
    "the texts' components the percentile one (200 draws), with images drawn within classes and captions drawn with their "
    "images; for rank correlations over the "
    "family, bootstrap over seeds, the widest over leaving out one setting, which with four settings is no test "
    "against chance (four settings fall into one given order by chance in 1 of 24 cases). σ is per coordinate unless a total is named. Calibrated levels are those at which the "
    "untouched robustness is 0.9, 0.7 and 0.5. The tables beside this report hold every row."
)


def build_view(record: Mapping) -> dict:
    """The context that the templates of the report are filled with (tables and pictures are added by the caller)."""
    models, summary = build_summary(record)
    return {
        "title": TITLE,
        "lead": _lead(record),
        "counts": _counts(record),
        "glyphs": GLYPHS,
        "how_to_read": HOW_TO_READ,
        "control_note": CONTROL_NOTE,
        "has_control": any(is_control(model) for model in models),
        "methods": METHODS,
        "models": models,
        "summary": summary,
        "sections": _sections(record),
        "record": record,
        "times": [(name, value) for name, value in record["times"].items() if name != "jobs_seconds"],
        "jobs": [
            {**job, "seconds": seconds}
            for job, seconds in zip(record["jobs"], record["times"]["jobs_seconds"], strict=True)
        ],
    }


def build_summary(record: Mapping) -> tuple[list[str], list[dict]]:
    """The models, in the order of columns, and one row for each claim."""
    every = dict.fromkeys(entry["model"] for entry in record["claims"])
    models = sorted((m for m in every if m not in NO_MODELS), key=is_control)  # controls last
    return models, _summary(record, models)


def short_model(model: str) -> str:
    """A model's name as columns show it."""
    return _labels().get(model) or model.removeprefix("miniclip-")


@functools.cache
def _labels() -> dict[str, str]:
    return {entry.model: entry.label for entry in published_sets().values()}


def _lead(record: Mapping) -> str:
    models = dict.fromkeys(job["model"].partition("@")[0] for job in record["jobs"] if job["model"])
    datasets = dict.fromkeys(job["dataset"] for job in record["jobs"] if job["dataset"])
    return (
        f"{len(record['overall'])} claims of Chowers et al. (CVPR 2026), of earlier work and of this project, "
        f"measured on {', '.join(short_model(model) for model in models) or 'free embeddings'}"
        + (f" with {', '.join(datasets)}." if datasets else ".")
    )


def _counts(record: Mapping) -> list[tuple[str, int]]:
    count = Counter(record["overall"].values())
    return [(verdict, count[verdict]) for verdict in VERDICTS if count[verdict]]


def _summary(record: Mapping, models: list[str]) -> list[dict]:
    rows: dict[str, dict] = {}
    where = experiment_of()
    for entry in record["claims"]:
        row = rows.setdefault(
            entry["id"],
            {
                "statement": entry["statement"],
                "source": entry["source"],
                "experiment": where.get(entry["id"], "summary"),
                "overall": record["overall"][entry["id"]],
                "by_model": {},
            },
        )
        row["by_model"][entry["model"]] = entry
    for row in rows.values():
        row["cells"] = [_summary_cell(row["by_model"].get(model), model) for model in models]
    return list(rows.values())


def _summary_cell(entry: Mapping | None, model: str) -> dict:
    if entry is None:
        return {"verdict": None, "words": "·", "control": is_control(model), "text": ""}
    return {
        "verdict": entry["verdict"],
        "words": verdict_words(entry),
        "control": entry["control"],
        "text": f"{value_text(entry)} ({entry['where']})" if entry["value"] is not None else "no value",
    }


def verdict_words(entry: Mapping) -> str:
    """The verdict, with how many of the cells say yes where they are divided: ``partly (2 of 6)``."""
    yes, tested = yes_count(entry)
    return f"{entry['verdict']} ({yes} of {tested})" if entry["verdict"] == "partly" else entry["verdict"]


def yes_count(entry: Mapping) -> tuple[int, int]:
    """How many cells say yes, and how many could be tested at all."""
    tested = [cell for cell in entry["cells"] if not cell.get("reason")]
    return sum(cell["answer"] == "yes" for cell in tested), len(tested)


def value_text(entry: Mapping) -> str:
    """The value with its interval, or a dash where there is none."""
    return with_interval(entry["value"], *(entry["interval"] or (None, None)))


def _sections(record: Mapping) -> list[dict]:
    where = experiment_of()
    done = dict.fromkeys(job["experiment"] for job in record["jobs"])
    sections = []
    for each in experiments():
        if each.name not in done:
            continue
        entries: dict[str, list[Mapping]] = {}
        for entry in record["claims"]:
            if where.get(entry["id"]) == each.name:
                entries.setdefault(entry["id"], []).append(entry)
        claims = [_claim(group, record["overall"][name]) for name, group in entries.items()]
        sections.append({**vars(each), "claims": claims, "command": command_for(each.name, record)})
    return sections


def _claim(entries: list[Mapping], overall: str) -> dict:
    rows = [
        {
            **entry,
            "value": value_text(entry),
            "where": entry["where"] or "–",
            "answers": _answers(entry["cells"]),
            "reason": "; ".join(dict.fromkeys(cell["reason"] for cell in entry["cells"] if "reason" in cell)),
        }
        for entry in entries
    ]
    return {**entries[0], "overall": overall, "rows": rows}


def _answers(cells: list[Mapping]) -> str:
    count = Counter(cell["answer"] for cell in cells)
    return f"{count['yes']} / {count['no']} / {count['cannot tell']}"


def command_for(experiment: str, record: Mapping) -> str:
    """The command that does one experiment of a replication again."""
    words = ["gapkit replicate", f"--only {experiment}"]
    jobs = [job for job in record["jobs"] if job["experiment"] == experiment]
    models = dict.fromkeys(job["model"] for job in jobs if job["model"])
    datasets = dict.fromkeys(job["dataset"] for job in jobs if job["dataset"])
    shipped = {model.partition("@")[0] for model in models} <= set(SHIPPED) and set(datasets) <= set(DATASETS)
    if record["mode"] == "chosen" or not shipped:
        words += [f"--model {model}" for model in models]
        words += [f"--dataset {dataset}" for dataset in datasets]
    if record["mode"] == "full":
        words.append("--full")
    if record["seed"]:
        words.append(f"--seed {record['seed']}")
    return " ".join(words)


def experiment_of() -> dict[str, str]:
    """Claim id -> the experiment it is shown with."""
    return {claim.id: claim.experiment for claim in CLAIMS}
