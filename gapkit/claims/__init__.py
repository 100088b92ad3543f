"""The claims of the paper, of earlier work and of this project, as data: statement, source, measurement, rule, verdict.

`CLAIMS` holds them; `decide` applies each rule to the tables of `gapkit.experiments`. Rules and smallest
effects were written first; ``claims.toml``, which holds them, lists what was changed after
looking at results.
"""

from gapkit._renamed import renamed
from gapkit.claims.decide import VERDICTS, decide, overall
from gapkit.claims.registry import CLAIMS, claim
from gapkit.claims.rules import Below, Cell

__all__ = ["CLAIMS", "VERDICTS", "Below", "Cell", "claim", "decide", "overall"]

__getattr__ = renamed(__name__)
