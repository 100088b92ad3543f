"""Where two replications differ beyond their intervals."""

from collections.abc import Mapping
from typing import NamedTuple

TOLERANCE = 1e-6
"""Numbers that nothing random enters may differ this much between machines."""


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
    more than a rounding error. Changed verdicts and cells that only one of them has are listed too.

    Parameters
    ----------
    first, second : as `read_record` gives them
    """
    one, other = _by_place(first), _by_place(second)
    differences, compared = [], 0
    for place in dict.fromkeys([*one, *other]):
        if place not in one or place not in other:
            missing = "only in the second" if place not in one else "only in the first"
            differences.append(Difference(*place, "", "", "", missing))
            continue
        a, b = one[place], other[place]
        if a["verdict"] != b["verdict"]:
            differences.append(Difference(*place, "", a["verdict"], b["verdict"], "verdict"))
        cells, others = _cells(a), _cells(b)
        for where in cells.keys() & others.keys():
            compared += 1
            if _apart(cells[where], others[where]):
                shown = (_show(cells[where]), _show(others[where]))
                differences.append(Difference(*place, where, *shown, "value"))
    return sorted(differences), compared


def _by_place(record: Mapping) -> dict[tuple[str, str], Mapping]:
    return {(entry["id"], entry["model"]): entry for entry in record["claims"]}


def _cells(entry: Mapping) -> dict[str, tuple]:
    cells = entry.get("cells") or [entry]
    return {
        cell.get("where") or "": (cell["value"], *cell["interval"])
        for cell in cells
        if cell["value"] is not None and None not in cell["interval"]
    }


def _apart(one: tuple, other: tuple) -> bool:
    slack = TOLERANCE * max(1.0, abs(one[0]), abs(other[0]))
    return one[1] > other[2] + slack or other[1] > one[2] + slack


def _show(cell: tuple) -> str:
    value, low, high = cell
    return f"{value:.4g}" if low == high else f"{value:.4g} [{low:.4g}, {high:.4g}]"
