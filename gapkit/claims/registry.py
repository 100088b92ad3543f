"""Every claim, in the order of the report.

The decision rules and the smallest effects that count were written before any of the measurements
was made, and outcomes are nowhere assumed: a claim that fails is a finding. Two things were changed after looking.
After a pilot run on two early models, cells in which a claim cannot be tested at all, each with its reason, no
longer count as "cannot tell". And after results of the shipped models had been seen, the rephrasing
experiment got such a reason: "nothing to win back". Sources: "the paper" is
Chowers, Naparstek, Barzelay, Weiss, *Is the Modality Gap a Bug or a Feature? A Robustness
Perspective*, CVPR 2026, arXiv 2603.29080; other works are named.
"""

import difflib

from gapkit.claims.closing import CLOSING
from gapkit.claims.codes import BEYOND_GAUSS
from gapkit.claims.gap import FORMATION, GAP
from gapkit.claims.model import Claim
from gapkit.errors import InputError

CLAIMS: tuple[Claim, ...] = (*GAP, *FORMATION, *CLOSING, *BEYOND_GAUSS)


def claim(name: str) -> Claim:
    """The claim called ``name``.

    >>> claim("answers-kept").source
    'the paper, Theorem 3.5'
    """
    for one in CLAIMS:
        if one.id == name:
            return one
    near = difflib.get_close_matches(name, [one.id for one in CLAIMS], n=1)
    raise InputError(f"no claim {name!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
