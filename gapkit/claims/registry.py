"""What a claim is, and every claim: read from ``claims.toml``, which also tells what was changed after looking."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Literal, get_args

from gapkit._options import check_choice
from gapkit.claims.rules import RULES, Rule
from gapkit.errors import InputError

About = Literal["models", "training runs", "family", "free embeddings"]
Origin = Literal["paper", "earlier work", "derived here"]
Kind = Literal["finding", "identity", "control"]
CHOICES = {"about": get_args(About), "origin": get_args(Origin), "kind": get_args(Kind)}


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

    id: str
    statement: str
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


def read_claims(text: str) -> tuple[Claim, ...]:
    """The claims of a file, which is TOML: a ``[[claims]]`` for each, and ``[tables.NAME]`` with what those of a table share.

    Raises
    ------
    InputError
        If a claim lacks something, has a field or a word that means nothing, or the name of another.
    """
    content, claims = tomllib.loads(text), {}
    for given in content["claims"]:
        entry = content["tables"].get(given.get("table"), {}) | given
        name = f"claim {entry.get('id')!r}"
        for attribute in CHOICES.keys() & entry:
            check_choice(entry[attribute], f"{attribute} of {name}", CHOICES[attribute])
        word, *numbers = entry.pop("rule", [""])
        try:
            entry["rule"] = RULES[check_choice(word, f"rule of {name}", RULES)](*numbers)
            entry["where"] = {column: _frozen(wanted) for column, wanted in entry.get("where", {}).items()}
            claim = Claim(**{attribute: _frozen(value) for attribute, value in entry.items()})
        except TypeError as fault:
            raise InputError(f"{name}: {fault}") from None
        if claim.id in claims:
            raise InputError(f"two claims are called {claim.id!r}")
        claims[claim.id] = claim
    return tuple(claims.values())


def _frozen(value):
    return tuple(value) if isinstance(value, list) else value


CLAIMS = read_claims(resources.files("gapkit.claims").joinpath("claims.toml").read_text(encoding="utf-8"))


def claim(name: str) -> Claim:
    """The claim called ``name``.

    >>> claim("answers-kept").source
    'the paper, Theorem 3.5'
    """
    known = {claim.id: claim for claim in CLAIMS}
    return known[check_choice(name, "claim", known)]
