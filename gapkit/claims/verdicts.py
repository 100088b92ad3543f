"""From answers to verdicts: per model, then over all models."""

from collections.abc import Iterable
from typing import Literal

from gapkit.claims.rules import Answer

Verdict = Literal["holds", "partly", "does not hold", "not decidable"]
VERDICTS: tuple[Verdict, ...] = ("holds", "partly", "does not hold", "not decidable")


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
