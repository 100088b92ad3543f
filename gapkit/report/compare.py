"""Where two replications differ beyond their intervals."""

import math
from collections.abc import Mapping
from typing import NamedTuple

TOLERANCE = 1e-6
"""Numbers that nothing random enters may differ this much between machines."""
DRAWN = ("monte-carlo-agrees", "refit-control", "query-noise-nothing")
DRAWN_MODELS = ("free embeddings",)
"""Claims, and models, whose values are drawn and have no interval."""
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
    """Differences between two records, and how many cells both have.

    Two values differ if their 95 % intervals do not overlap; where there is no interval, if they differ by
    more than a rounding error. What is drawn and has no interval (such as a difference in standard errors) has another
    value with every seed: with two seeds it differs if the rule's answer does. Changed verdicts, and claims and cells that
    only one of the two has, are listed too.

    Parameters
    ----------
    first, second : as `read_record` gives them
    """
    one, other = _by_place(first), _by_place(second)
    reseeded = first.get("seed") != second.get("seed")
    differences, compared = [], 0
    for place in dict.fromkeys([*one, *other]):
        if place not in one or place not in other:
            differences.append(Difference(*place, "", "", "", MISSING[place in one]))
            continue
        a, b = one[place], other[place]
        if a["verdict"] != b["verdict"]:
            differences.append(Difference(*place, "", a["verdict"], b["verdict"], "verdict"))
        drawn = reseeded and (place[0] in DRAWN or place[1] in DRAWN_MODELS)
        cells, others = _cells(a), _cells(b)
        for where in dict.fromkeys([*cells, *others]):
            if where not in cells or where not in others:
                shown = [_show(some[where]) if where in some else "" for some in (cells, others)]
                differences.append(Difference(*place, where, *shown, MISSING[where in cells]))
                continue
            compared += 1
            differences += _differ(place, where, cells[where], others[where], drawn)
    return sorted(differences), compared


def _by_place(record: Mapping) -> dict[tuple[str, str], Mapping]:
    return {(entry["id"], entry["model"]): entry for entry in record["claims"]}


def _cells(entry: Mapping) -> dict[str, Mapping]:
    """Cells by where they were measured; those of one place are told apart by their order."""
    named: dict[str, Mapping] = {}
    for cell in entry.get("cells") or [entry]:
        where = name = cell.get("where") or ""
        count = 1
        while name in named:
            count += 1
            name = f"{where} ({count})"
        named[name] = cell
    return named


def _differ(place, where: str, one: Mapping, other: Mapping, drawn: bool) -> list[Difference]:
    a, b = _numbers(one), _numbers(other)
    if drawn and a[1] == a[2] and b[1] == b[2]:
        answers = one.get("answer", ""), other.get("answer", "")
        return [] if answers[0] == answers[1] else [Difference(*place, where, *answers, "answer")]
    return [Difference(*place, where, _show(one), _show(other), "value")] if _apart(a, b) else []


def _numbers(cell: Mapping) -> tuple[float, float, float]:
    return tuple(math.nan if v is None else v for v in (cell["value"], *cell["interval"]))


def _apart(one: tuple, other: tuple) -> bool:
    """Whether two values with their intervals lie apart; one that is missing lies apart from any that is not."""
    missing = [any(map(math.isnan, some)) for some in (one, other)]
    if any(missing):
        return not all(missing)
    slack = TOLERANCE * max(1.0, abs(one[0]), abs(other[0]))
    return one[1] > other[2] + slack or other[1] > one[2] + slack


def _show(cell: Mapping) -> str:
    value, low, high = _numbers(cell)
    if math.isnan(value):
        return "–"
    return f"{value:.4g}" if low == high or math.isnan(low) else f"{value:.4g} [{low:.4g}, {high:.4g}]"
