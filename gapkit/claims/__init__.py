"""The paper's claims, earlier work's and our own, as data: statement, source, measurement, rule, verdict.

`CLAIMS` holds them; `decide` applies each rule to the tables of `gapkit.experiments`. Rules and smallest
effects were written first; the two changes made after looking are told in `gapkit.claims.registry`.
"""

from gapkit.claims.decide import FAMILY, Finding, decide, is_control, overall
from gapkit.claims.model import Claim, Measure
from gapkit.claims.registry import CLAIMS, claim
from gapkit.claims.rules import Cell
from gapkit.claims.verdicts import VERDICTS, combine, combine_models

__all__ = [
    "CLAIMS",
    "FAMILY",
    "VERDICTS",
    "Cell",
    "Claim",
    "Finding",
    "Measure",
    "claim",
    "combine",
    "combine_models",
    "decide",
    "is_control",
    "overall",
]
