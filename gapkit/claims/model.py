"""What a claim is made of, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gapkit.claims.rules import Rule

About = Literal["models", "training runs", "family", "free embeddings"]
Origin = Literal["paper", "earlier work", "derived here"]


@dataclass(frozen=True)
class Measure:
    """Which cells of which table a claim reads.

    Attributes
    ----------
    table : name of an experiment's table, such as ``"noise"``
    column : the column with the value; its interval is in ``{column}_low`` and ``{column}_high``
    where : column -> the value (or the tuple of values) a row must have
    label : columns that tell a claim's cells apart
    words : what is measured, as the report prints it
    """

    table: str
    column: str
    words: str
    where: Mapping[str, object] = field(default_factory=dict)
    label: tuple[str, ...] = ("dataset",)


@dataclass(frozen=True)
class Claim:
    """One statement that measurements can support or contradict.

    Attributes
    ----------
    id : short name, unique
    experiment : the experiment whose tables it reads; the report shows it there
    statement : the claim in one sentence
    source : where it is made
    origin : who says so
    measure : what is measured
    rule : how the measurement decides, written down beforehand
    about : what it is about; "family" compares models and gets one verdict only
    """

    id: str
    experiment: str
    statement: str
    source: str
    measure: Measure
    rule: Rule
    origin: Origin = "paper"
    about: About = "models"
