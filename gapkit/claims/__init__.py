"""The paper's claims, earlier work's and our own, as data: statement, source, measurement, rule, verdict.

`CLAIMS` holds them; `decide` applies each rule to the tables of `gapkit.experiments`. Rules and smallest
effects were written first; the two changes made after looking are told in `gapkit.claims.registry`.
"""

from gapkit._renamed import renamed
from gapkit.claims.decide import (
    FAMILY,
    VERDICTS,
    Finding,
    combine,
    combine_models,
    decide,
    is_control,
    overall,
)
from gapkit.claims.model import Claim
from gapkit.claims.registry import CLAIMS, claim
from gapkit.claims.rules import Above, Below, BelowBand, Cell, Falls, Rises, Rule, Within

__all__ = [
    "CLAIMS",
    "FAMILY",
    "VERDICTS",
    "Above",
    "Below",
    "BelowBand",
    "Cell",
    "Claim",
    "Falls",
    "Finding",
    "Rises",
    "Rule",
    "Within",
    "claim",
    "combine",
    "combine_models",
    "decide",
    "is_control",
    "overall",
]

__getattr__ = renamed(__name__)
