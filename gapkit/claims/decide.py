"""From tables to verdicts: each claim's cells are read, its rule is applied, the answers are combined.

Per model first, then over all models.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from gapkit.claims.model import Claim
from gapkit.claims.registry import CLAIMS
from gapkit.claims.rules import Answer, Cell

FAMILY = "all models"
Verdict = Literal["holds", "partly", "does not hold", "not decidable"]
VERDICTS: tuple[Verdict, ...] = ("holds", "partly", "does not hold", "not decidable")


@dataclass(frozen=True)
class Finding:
    """The verdict on one claim for one model, and what it rests on.

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
        cell = self.weakest
        return {
            "id": self.claim.id,
            "statement": self.claim.statement,
            "source": self.claim.source,
            "origin": self.claim.origin,
            "model": self.model,
            "control": self.control,
            "measured": self.claim.measured,
            "value": None if cell is None else _plain(cell.value),
            "interval": None if cell is None else [_plain(cell.low), _plain(cell.high)],
            "where": None if cell is None else cell.label,
            "rule": self.claim.rule.words(),
            "verdict": self.verdict,
            "cells": [
                {
                    "where": cell.label,
                    "value": _plain(cell.value),
                    "interval": [_plain(cell.low), _plain(cell.high)],
                    "answer": answer,
                    **({"reason": cell.reason} if cell.reason else {}),
                }
                for cell, answer in zip(self.cells, self.answers, strict=True)
            ],
        }


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
    """Claim id -> the verdict over all models that are no controls."""
    by_claim: dict[str, list[Verdict]] = {}
    for finding in findings:
        by_claim.setdefault(finding.claim.id, [])
        if not finding.control:
            by_claim[finding.claim.id].append(finding.verdict)
    return {name: combine_models(verdicts) for name, verdicts in by_claim.items()}


def combine(answers: Iterable[Answer]) -> Verdict:
    """The verdict on a claim that was put to the test several times.

    *holds* if every answer is yes, *partly* if some but not all are yes, *does not hold* if none is yes and
    at least one is no (a single certain counter-example refutes a statement that nothing supports), *not
    decidable* if every answer is "cannot tell", or if there are none. Cells in which the claim could not be
    tested at all do not come here.

    >>> combine(["yes", "yes"]), combine(["yes", "cannot tell"]), combine(["no", "cannot tell"])
    ('holds', 'partly', 'does not hold')
    >>> combine(["cannot tell"]), combine([])
    ('not decidable', 'not decidable')
    """
    seen = set(answers)
    if seen == {"yes"}:
        return "holds"
    if "yes" in seen:
        return "partly"
    return "does not hold" if "no" in seen else "not decidable"


def combine_models(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict over several models, from the verdict on each.

    *holds* if it holds for every model, *partly* if it holds, at least partly, for some, *does not hold* if
    it holds for none of them and is refuted on at least one; else *not decidable*.

    >>> combine_models(["holds", "does not hold"]), combine_models(["holds", "holds"])
    ('partly', 'holds')
    >>> combine_models(["does not hold", "not decidable"])
    'does not hold'
    """
    seen = set(verdicts)
    if seen == {"holds"}:
        return "holds"
    if seen & {"holds", "partly"}:
        return "partly"
    return "does not hold" if "does not hold" in seen else "not decidable"


def select(table: pd.DataFrame, claim: Claim) -> pd.DataFrame:
    """The rows of a table that a claim reads."""
    keep = pd.Series(True, index=table.index)
    for column, wanted in claim.where.items():
        values = wanted if isinstance(wanted, tuple) else (wanted,)
        keep &= table[column].isin(values) if column in table else False
    return table[keep]


def _finding(claim: Claim, model: str, rows: pd.DataFrame) -> Finding:
    cells = tuple(_cell(claim, row) for row in rows.to_dict("records"))
    answers = tuple(claim.rule.answer(cell) for cell in cells)
    tested = [answer for cell, answer in zip(cells, answers, strict=True) if not cell.reason]
    return Finding(claim, model, is_control(model), cells, answers, combine(tested))


def _cell(claim: Claim, row: dict) -> Cell:
    column = claim.column
    label = ", ".join(_word(row[name]) for name in claim.label if name in row and not _missing(row[name]))
    return Cell(
        label=label,
        value=_number(row.get(column)),
        low=_number(row.get(f"{column}_low", row.get(column))),
        high=_number(row.get(f"{column}_high", row.get(column))),
        band_low=_number(row.get("band_low")),
        band_high=_number(row.get("band_high")),
        reason="" if _missing(row.get("reason")) else str(row["reason"]),
    )


def _word(value) -> str:
    """Whole numbers without a point: a column with gaps holds them as floats."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _missing(value) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _number(value) -> float:
    return math.nan if _missing(value) else float(value)
