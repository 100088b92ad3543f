"""``claims.json``: what a replication found, what it rests on, how to make it again, and where two of them differ."""

import json
import math
import platform
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import gapkit
from gapkit._files import read_json
from gapkit._format import significant, version_of
from gapkit._options import one_line
from gapkit.claims import CLAIMS, overall
from gapkit.claims.decide import FAMILY, Finding
from gapkit.errors import InputError
from gapkit.experiments.record import code_hash
from gapkit.experiments.sweep import Replication

FORMAT = 2
"""2: verdicts by strict rules with harms, answers corrected by Holm, ``kind`` and ``margin`` of a claim. 1 is still read."""
LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "pandas", "matplotlib")


def make_record(
    replication: Replication,
    findings: Sequence[Finding],
    *,
    command: str,
    mode: str,
    seed: int,
    times: dict | None = None,
) -> dict:
    """Everything as plain values; two runs with one seed differ in ``times`` alone.

    Parameters
    ----------
    replication : tables and results
    findings : as `gapkit.claims.decide` gives them
    command : the command line that does it again
    mode : "quick", "full" or "chosen"
    seed : of everything random
    times : when it ran and how long it took; the only part that changes from run to run
    """
    results = replication.results
    of_job = ({"key": result.job.key(), "data_sha256": result.job.sha256} for result in results)
    seconds = [round(result.seconds, 3) for result in results]
    return {
        "format": FORMAT,
        "gapkit": gapkit.__version__,
        "command": command,
        "mode": mode,
        "seed": seed,
        "claims": [finding.as_dict() for finding in findings],
        "overall": overall(findings),
        "environment": environment(),
        "jobs": [result.job.as_dict() | more for result, more in zip(results, of_job, strict=True)],
        "times": {**(times or {}), "jobs_seconds": seconds},
    }


def environment() -> dict[str, str]:
    """Versions and the hash of the code that measured."""
    machine = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    return machine | {name: version_of(name) for name in LIBRARIES} | {"code_sha256": code_hash()}


def to_json(record: dict) -> str:
    """The record as the text of ``claims.json``."""
    return json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_record(path: str | Path) -> dict:
    """A ``claims.json``, or the folder it lies in.

    Raises
    ------
    InputError
        If it is missing, is no such file, or comes from a newer version.
    """
    path = Path(path, "claims.json") if Path(path).is_dir() else Path(path)
    record = read_json(path)
    if not isinstance(record, dict) or not isinstance(record.get("claims"), list):
        raise InputError(f"{path} is not a claims.json: it lists no claims")
    if not isinstance(form := record.get("format", 0), int):
        raise InputError(f"{path} is damaged: its format is no number")
    if form > FORMAT:
        raise InputError(f"{path} has format {form}; this gapkit reads up to {FORMAT}. Upgrade gapkit")
    for entry in record["claims"]:
        names = isinstance(entry, dict) and [entry.get(key) for key in ("id", "model", "verdict")]
        if not names or not all(isinstance(name, str) for name in names) or not _is_cell(entry):
            raise InputError(f"{path} is damaged: a claim lacks id, model, value, interval or verdict")
        cells = entry.get("cells") or []
        if not isinstance(cells, list) or not all(map(_is_cell, cells)):
            raise InputError(f"{path} is damaged: a cell of {one_line(entry['id'])} lacks value or interval")
        margin, usual = entry.get("margin"), isinstance(entry.get("control", False), bool)
        if not usual or isinstance(margin, bool) or not isinstance(margin, int | float | None):
            raise InputError(f"{path} is damaged: control or margin of {one_line(entry['id'])} is unusable")
    if twice := next(
        (k for k, n in Counter((e["id"], e["model"]) for e in record["claims"]).items() if n > 1), None
    ):
        raise InputError(f"{path} is damaged: it has {one_line(twice[0])} on {one_line(twice[1])} twice")
    # Format 1 knew not all of them; what it has is kept.
    unknown = {"kind": "finding", "margin": None, "control": False}
    record["claims"] = [unknown | e | {"cells": e.get("cells") or []} for e in record["claims"]]
    verdicts = record.setdefault("overall", {})
    if not isinstance(verdicts, dict) or not all(isinstance(verdict, str) for verdict in verdicts.values()):
        raise InputError(f"{path} is damaged: its verdicts over all models are no table")
    return record


def _is_cell(cell: object) -> bool:
    """Whether ``cell`` has a value and an interval, numbers or none, and says where in words."""
    if not isinstance(cell, dict) or not isinstance(cell.get("where"), str | None):
        return False
    interval = [None, None] if cell.get("interval", "") is None else cell.get("interval")
    if not isinstance(interval, list) or len(interval) != 2:
        return False
    numbers = [cell.get("value", ""), *interval]
    return all(n is None or (isinstance(n, int | float) and abs(n) < 1e300) or n != n for n in numbers)


def command_line(arguments: Sequence[str] | None = None) -> str:
    """The command that is running, as one would type it."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return shlex.join(["gapkit", *given])


TOLERANCE = 1e-6
"""Numbers that nothing random enters may differ this much between machines; one and two threads differ by some 1e-14."""
DRAWN_MODEL = "free embeddings"
"""All values of this one are drawn, as those of the claims that say so, and have no interval."""
NO_MODELS = (FAMILY, DRAWN_MODEL)
"""What some claims are about instead of one model; their verdict is the overall one."""
MISSING = ("only in the second", "only in the first")


class Difference(NamedTuple):
    """One claim, on one model and in one cell, on which two replications differ."""

    claim: str
    model: str
    where: str
    first: str
    second: str
    what: str


def compare_records(first: Mapping, second: Mapping) -> tuple[list[Difference], int]:
    """Differences between two records, and how many values were compared.

    Where they have no model in common, claims are compared as a whole (`_compare_models`). Else cell by cell: two values differ if their 95 % intervals do not overlap; where there is no interval, if they differ by
    more than a rounding error. What is drawn and has no interval (such as a difference in standard errors) has another
    value with every seed: with two seeds it differs if the rule's answer does. Changed verdicts, and claims and cells that
    only one of the two has, are listed too.

    Parameters
    ----------
    first, second : as `read_record` gives them
    """
    models = [{e["model"] for e in some["claims"] if e["model"] not in NO_MODELS} for some in (first, second)]
    if all(models) and not models[0] & models[1]:
        return _compare_models(first, second)
    one, other = _by_place(first), _by_place(second)
    reseeded = first.get("seed") != second.get("seed")
    drawn_claims = {claim.id for claim in CLAIMS if claim.drawn}
    differences, compared = [], 0
    for place, a, b in _matched(one, other):
        if a is None or b is None:
            differences.append(Difference(*place, "", "", "", MISSING[b is None]))
            continue
        if a["verdict"] != b["verdict"]:
            differences.append(Difference(*place, "", a["verdict"], b["verdict"], "verdict"))
        drawn = reseeded and (place[0] in drawn_claims or place[1] == DRAWN_MODEL)
        for where, *cells in _matched(_cells(a), _cells(b)):
            if None in cells:
                shown = ["" if cell is None else _show(cell) for cell in cells]
                differences.append(Difference(*place, where, *shown, MISSING[cells[1] is None]))
                continue
            compared += 1
            differences += _differ(place, where, *cells, drawn)
    told = {difference.claim for difference in differences}
    for name, *verdicts in _matched(first["overall"], second["overall"]):
        if verdicts[0] != verdicts[1] and None not in verdicts and name not in told:
            differences.append(Difference(name, FAMILY, "", *verdicts, "verdict"))
    return sorted(differences), compared


def _matched(one: Mapping, other: Mapping) -> Iterator[tuple]:
    """Every key of either, with what each has under it: None where it has nothing."""
    return ((key, one.get(key), other.get(key)) for key in dict.fromkeys([*one, *other]))


def _compare_models(first: Mapping, second: Mapping) -> tuple[list[Difference], int]:
    """Claims on which records of different models differ: the verdict over all of them, or the weakest values apart.

    ``what`` says by how much the weakest value of the second is larger.
    """
    one, other = weakest_entries(first), weakest_entries(second)
    differences = []
    for name, *sides in _matched(one, other):
        if None in sides:
            differences.append(Difference(name, "", "", "", "", MISSING[sides[1] is None]))
            continue
        verdicts = [first["overall"].get(name, ""), second["overall"].get(name, "")]
        a, b = map(numbers_of, sides)
        if verdicts[0] != verdicts[1] or _apart(a, b):
            shown = map(": ".join, zip(verdicts, map(_show, sides), strict=True))
            by = "verdict" if verdicts[0] != verdicts[1] else "value"
            by += f", {significant(b[0] - a[0])}" if math.isfinite(b[0] - a[0]) else ""
            models = " / ".join(side["model"] for side in sides)
            where = " / ".join(side.get("where") or "–" for side in sides)
            differences.append(Difference(name, models, where, *shown, by))
    return differences, len(one.keys() & other.keys())


def weakest_entries(record: Mapping) -> dict[str, Mapping]:
    """Claim id -> its entry with the weakest value over all models but controls (over controls where there is nothing else)."""
    found: dict[str, Mapping] = {}
    for entry in record["claims"]:
        found[entry["id"]] = min(found.get(entry["id"], entry), entry, key=_weakness)
    return found


def _weakness(entry: Mapping) -> tuple[bool, bool, int | float]:
    """Order of entries: no control before a control, one that was asked before one that was not, little margin before much."""
    margin = entry["margin"]
    asked = any("reason" not in cell for cell in entry["cells"])
    return entry["control"], not asked or margin is None, math.inf if margin is None else margin


def _by_place(record: Mapping) -> dict[tuple[str, str], Mapping]:
    return {(entry["id"], entry["model"]): entry for entry in record["claims"]}


def _cells(entry: Mapping) -> dict[str, Mapping]:
    """Cells by where they were measured; those of one place are told apart by their order."""
    named, times = {}, Counter()
    for cell in entry.get("cells") or [entry]:
        where = cell.get("where") or ""
        times[where] += 1
        named[f"{where} ({times[where]})" if times[where] > 1 else where] = cell
    return named


def _differ(place, where: str, one: Mapping, other: Mapping, drawn: bool) -> list[Difference]:
    a, b = numbers_of(one), numbers_of(other)
    if drawn and a[1] == a[2] and b[1] == b[2]:
        answers = one.get("answer", ""), other.get("answer", "")
        return [] if answers[0] == answers[1] else [Difference(*place, where, *answers, "answer")]
    return [Difference(*place, where, _show(one), _show(other), "value")] if _apart(a, b) else []


def numbers_of(cell: Mapping) -> tuple[float, float, float]:
    """Value, low and high; NaN where there is no value, and an end that is missing is the value."""
    value = math.nan if cell["value"] is None else cell["value"]
    low, high = (value if end is None or end != end else end for end in cell["interval"] or (None, None))
    return value, low, high


def _apart(one: tuple, other: tuple) -> bool:
    """Whether two values with their intervals lie apart; one that is missing lies apart from any that is not."""
    missing = [any(map(math.isnan, some)) for some in (one, other)]
    if any(missing):
        return not all(missing)
    slack = TOLERANCE * max(1.0, abs(one[0]), abs(other[0]))
    return one[1] > other[2] + slack or other[1] > one[2] + slack


def _show(cell: Mapping) -> str:
    return significant(*numbers_of(cell))
