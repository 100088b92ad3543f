"""From tables to verdicts: each claim's cells are read, its rule is applied, the answers are combined."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from gapkit.claims.model import Claim, Measure
from gapkit.claims.registry import CLAIMS
from gapkit.claims.rules import Answer, Cell
from gapkit.claims.verdicts import Verdict, combine, combine_models

FAMILY = "all models"


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
            "measured": self.claim.measure.words,
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
        table = tables.get(claim.measure.table)
        if table is None or table.empty:
            continue
        rows = select(table, claim.measure)
        if claim.about == "family":
            findings += [_finding(claim, FAMILY, rows)] if len(rows) else []
            continue
        for model in table["model"].unique():
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


def select(table: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """The rows of a table that a claim reads."""
    keep = pd.Series(True, index=table.index)
    for column, wanted in measure.where.items():
        values = wanted if isinstance(wanted, tuple) else (wanted,)
        keep &= table[column].isin(values) if column in table else False
    return table[keep]


def _finding(claim: Claim, model: str, rows: pd.DataFrame) -> Finding:
    cells = tuple(_cell(claim.measure, row) for row in rows.to_dict("records"))
    answers = tuple(claim.rule.answer(cell) for cell in cells)
    tested = [answer for cell, answer in zip(cells, answers, strict=True) if not cell.reason]
    return Finding(claim, model, is_control(model), cells, answers, combine(tested))


def _cell(measure: Measure, row: dict) -> Cell:
    column = measure.column
    label = ", ".join(_word(row[name]) for name in measure.label if name in row and not _missing(row[name]))
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
