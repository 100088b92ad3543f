"""What a claim is made of, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gapkit.claims.rules import Rule

About = Literal["models", "training runs", "family", "free embeddings"]
Origin = Literal["paper", "earlier work", "derived here"]
Kind = Literal["finding", "identity", "control"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One statement that measurements can support or contradict.

    Attributes
    ----------
    id : short name, unique
    statement : the claim in one sentence
    source : where it is made
    table : the table it reads, such as ``"noise"`` or ``"noise.checks"``; its first part names the experiment
    column : the column with the value; its interval is in ``{column}_low`` and ``{column}_high``
    measured : what is measured, as the report prints it
    where : column -> the value (or the tuple of values) a row must have
    label : columns that tell a claim's cells apart
    rule : how the measurement decides, written down beforehand
    origin : who says so
    about : what it is about; "family" compares models and gets one verdict only
    kind : "finding"; "identity": what is proved, so that only a bug could break it; "control": a check of ourselves
    headline : in a few words, where a reader in a hurry should see it; else empty
    drawn : whether its values are drawn and have no interval, so that they differ from seed to seed
    """

    id: str = field(kw_only=False)
    statement: str = field(kw_only=False)
    source: str
    table: str
    measured: str
    rule: Rule
    column: str = "value"
    where: Mapping[str, object] = field(default_factory=dict)
    label: tuple[str, ...] = ("dataset",)
    origin: Origin = "paper"
    about: About = "models"
    kind: Kind = "finding"
    headline: str = ""
    drawn: bool = False

    @property
    def experiment(self) -> str:
        """The experiment whose table it reads; the report shows it there."""
        return self.table.partition(".")[0]
