"""From tables to verdicts: each claim's cells are read, its rule is applied, the answers are combined.

Per model first, then over all models.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import pandas as pd

from gapkit.claims.registry import CLAIMS, Claim
from gapkit.claims.rules import DOUBT, ROUNDING, Answer, Cell, Rule, why_not_asked
from gapkit.geometry import Interval

FAMILY = "all models"
Verdict = Literal["holds", "partly", "does not hold", "harms", "not decidable"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True)
class Finding:
    """The verdict on one claim for one model, and what it rests on; answers are corrected for the number of cells.

    Attributes
    ----------
    claim : the `Claim`
    model : what it was tested on
    control : whether the model is a random-initialisation control, which counts in no overall verdict
    cells, answers : every value the claim rests on and what the rule says to it
    verdict : of the answers together
    """

    claim: Claim
    model: str
    control: bool
    cells: tuple[Cell, ...]
    answers: tuple[Answer, ...]
    verdict: Verdict

    @property
    def weakest(self) -> Cell | None:
        """The cell the rule is met by the least: the value that a summary shows."""
        known = [cell for cell in self.cells if math.isfinite(cell.value)]
        decided = [cell for cell in known if not cell.reason] or known
        return min(decided, key=self.claim.rule.margin, default=None)

    def as_dict(self) -> dict:
        """Plain values, as ``claims.json`` holds them."""
        claim, shown = self.claim, dict.fromkeys(("value", "interval", "where", "margin"))
        if weakest := self.weakest:
            shown |= _measured(weakest) | {"margin": _plain(claim.rule.margin(weakest))}
        about = {name: getattr(claim, name) for name in ("id", "statement", "source", "origin", "kind")}
        about |= {"model": self.model, "control": self.control, "measured": claim.measured, **shown}
        cells = []
        for cell, answer in zip(self.cells, self.answers, strict=True):
            reason = {"reason": cell.reason} if cell.reason else {}
            cells.append(_measured(cell) | {"answer": answer} | reason)
        return about | {"rule": claim.rule.words(), "verdict": self.verdict, "cells": cells}


def _measured(cell: Cell) -> dict:
    interval = [_plain(cell.low), _plain(cell.high)]
    return {"where": cell.label, "value": _plain(cell.value), "interval": interval}


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def is_control(model: str) -> bool:
    """Whether a model is a random-initialisation control, by its name.

    >>> is_control("miniclip-random"), is_control("miniclip-wide"), is_control("RN50/random")
    (True, False, True)
    """
    return model.partition("@")[0].replace("/", "-").split("-")[-1].startswith("random")


def decide(tables: Mapping[str, pd.DataFrame], claims: Sequence[Claim] = CLAIMS) -> list[Finding]:
    """Every claim's verdict for every model in its table; claims whose table is missing are left out.

    Parameters
    ----------
    tables : name of a table -> its rows
    claims : the claims to decide, in order

    Returns
    -------
    Findings, by claim and then by model in the order of the table
    """
    findings = []
    for claim in claims:
        table = tables.get(claim.table)
        if table is None or table.empty:
            continue
        rows = select(table, claim)
        if claim.about == "family":
            findings += [_finding(claim, FAMILY, rows)] if len(rows) else []
            continue
        for model in (name for name in table["model"].unique() if name != FAMILY):
            findings.append(_finding(claim, model, rows[rows["model"] == model]))
    return findings


def overall(findings: Sequence[Finding]) -> dict[str, Verdict]:
    """Claim id -> the verdict over the cells of all models that are no controls."""
    by_claim: dict[str, list[Cell]] = {}
    for finding in findings:
        by_claim.setdefault(finding.claim.id, [])
        if not finding.control:
            by_claim[finding.claim.id] += finding.cells
    rules = {finding.claim.id: finding.claim.rule for finding in findings}
    return {name: combine(answers_of(rules[name], cells)) for name, cells in by_claim.items()}


def answers_of(rule: Rule, cells: Sequence[Cell]) -> list[tuple[Answer, bool]]:
    """What each cell says to a rule, and whether it counts, corrected for their number by Holm.

    *Some* cell says yes, or harms, by chance the sooner the more cells are asked. So unless all that are asked say yes (all
    of them by chance is no danger), a yes stands only if Holm's procedure rejects chance for it at one-sided 2.5 %,
    over all cells that are asked, and becomes "cannot tell" otherwise; a harm is treated alike, over all cells there are,
    and becomes no. A cell that is not asked counts only where it harms.

    Parameters
    ----------
    rule : the claim's
    cells : all of them
    """
    answers = [rule.answer(cell) for cell in cells]
    asked = [not cell.reason for cell in cells]
    if any(asked) and all(a == "yes" if ask else a != "harms" for a, ask in zip(answers, asked, strict=True)):
        return list(zip(answers, asked, strict=True))
    for answer, tests, instead in (("yes", sum(asked), "cannot tell"), ("harms", len(cells), "no")):
        given = [i for i, said in enumerate(answers) if said == answer]
        doubts = {i: rule.doubt(cells[i], answer) for i in given}
        stands = True
        for rank, i in enumerate(sorted(given, key=doubts.__getitem__)):
            stands = stands and doubts[i] <= DOUBT / (tests - rank) * (1 + ROUNDING)
            if not stands:
                answers[i] = instead if asked[i] else "cannot tell"
    return [(a, ask or a == "harms") for a, ask in zip(answers, asked, strict=True)]


def combine(answers: Iterable[tuple[Answer, bool]]) -> Verdict:
    """The verdict on a claim that was put to the test several times, from the answers that count.

    *holds* if every answer is yes, *partly* if some are, *harms* if none is and at least one harms, *does not hold* if none
    is yes and at least one is no (a single certain counter-example refutes a statement that nothing supports), *not
    decidable* if every answer is "cannot tell", or if there are none.

    >>> combine([("yes", True), ("no", False)]), combine([("yes", True), ("no", True)])
    ('holds', 'partly')
    >>> combine([("no", True), ("harms", True)]), combine([("no", True), ("cannot tell", True)]), combine([])
    ('harms', 'does not hold', 'not decidable')
    """
    seen = {answer for answer, counts in answers if counts}
    if seen == {"yes"}:
        return "holds"
    if "yes" in seen:
        return "partly"
    return "harms" if "harms" in seen else "does not hold" if "no" in seen else "not decidable"


def select(table: pd.DataFrame, claim: Claim) -> pd.DataFrame:
    """The rows of a table that a claim reads."""
    keep = pd.Series(True, index=table.index)
    for column, wanted in claim.where.items():
        values = wanted if isinstance(wanted, tuple) else (wanted,)
        keep &= table[column].isin(values) if column in table else False
    return table[keep]


def _finding(claim: Claim, model: str, rows: pd.DataFrame) -> Finding:
    cells = tuple(_cell(claim, row) for row in rows.to_dict("records"))
    answers = answers_of(claim.rule, cells)
    kept = tuple(answer for answer, _ in answers)
    return Finding(claim, model, is_control(model), cells, kept, combine(answers))


def _cell(claim: Claim, row: dict) -> Cell:
    label = ", ".join(_word(row[name]) for name in claim.label if name in row and not _missing(row[name]))
    reason = "" if _missing(row.get("reason")) else str(row["reason"])
    reason = reason or why_not_asked(claim.rule, _interval(row, f"{claim.column}_expected"))
    band = (_number(row.get(f"band_{end}")) for end in ("low", "high"))
    degrees = math.inf if _missing(row.get("galleries")) else float(row["galleries"]) - 1
    return Cell(label, *_interval(row, claim.column), *band, reason, degrees)


def _interval(row: dict, column: str) -> Interval:
    return Interval(*(_number(row.get(f"{column}{end}", row.get(column))) for end in ("", "_low", "_high")))


def _word(value) -> str:
    """Whole numbers without a point: a column with gaps holds them as floats."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _missing(value) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _number(value) -> float:
    return math.nan if _missing(value) else float(value)
