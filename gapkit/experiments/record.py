"""What an experiment is, what one of its jobs is, and where all experiments are found.

An experiment is one module of this package: a function that measures, and beside it the record ``EXPERIMENT``. What
lies here is found; no list names it.
"""

import functools
import hashlib
import importlib
import json
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

import pandas as pd

import gapkit
from gapkit import engine
from gapkit._options import check_choice

Rows = list[dict]
"""A tidy table before pandas has it: a dictionary a row, plain values, units in the names."""

MEASURING = (
    *("_arrays", "_options", "closing", "contrastive", "embeddings", "experiments"),
    *("geometry", "miniclip", "perturbations", "robustness", "tasks"),
)
"""Parts of the package that a measurement depends on, given its data: their source counts into a job's key.

Encoders and datasets made the embeddings, whose bytes count; engine, plots, report and commands change no number.
"""


@dataclass(frozen=True)
class Job:
    """One measurement that needs no other.

    Attributes
    ----------
    experiment : name of the experiment
    model, dataset : of the embeddings; empty where it needs none
    seed : of everything random in it
    options : what else the experiment is told, as plain values
    path : the file of embeddings; empty where the names say enough
    sha256 : of the bytes it reads; empty until `gapkit.experiments.plan` or `replicate` has looked
    """

    experiment: str
    model: str = ""
    dataset: str = ""
    seed: int = 0
    options: dict = field(default_factory=dict)
    path: str = ""
    sha256: str = ""

    def __str__(self) -> str:
        where = "/".join(part for part in (self.model, self.dataset) if part)
        return f"{self.experiment}, {where}" if where else self.experiment

    @property
    def source(self) -> tuple[str, str, str, str]:
        """Model, dataset, path and sha256, as `gapkit.experiments.data.load_set` takes them."""
        return self.model, self.dataset, self.path, self.sha256

    def as_dict(self) -> dict:
        """What was asked for, as plain values; without the path, which is this machine's."""
        return {name: value for name, value in asdict(self).items() if name not in ("path", "sha256")}

    def key(self) -> str:
        """The sha256 of all that the result depends on.

        >>> Job("gap", "a", "b").key() == Job("gap", "a", "b").key() != Job("gap", "a", "b", seed=1).key()
        True
        """
        parts = {"job": self.as_dict(), "data": self.sha256}
        parts |= {"version": gapkit.__version__, "code": code_hash()}
        # Other libraries give other last digits, and the record names those of the machine that ends the run.
        parts |= {"libraries": engine.about() | {"gapkit": "", "scikit-learn": version("scikit-learn")}}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@functools.cache
def code_hash() -> str:
    """The sha256 of the source that measures: `MEASURING`."""
    root = Path(gapkit.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if relative.parts[0].removesuffix(".py") in MEASURING:
            digest.update(f"{relative.as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    Attributes
    ----------
    title : as the report calls it
    order : its place in the report
    measure : does one job of it; gives tidy tables by name, the first part of which is the experiment's own
    kinds : what it runs on: kinds of datasets ("zero-shot", "pairs", "multiple-choice", "rephrased"), the shipped
        "training curve", the whole "family" of shipped models and seeds, or nothing at all
    paper : what the paper (or whoever else) says, in one or two sentences
    question : what is done here
    on_request : further kinds, on which it runs only where a dataset was asked for by name
    quick, full : options of a quick and of a full replication; any other job runs with the module's own
    galleries : options on small galleries of a pair set; None where an experiment cannot be done on them
    compare : from the table of all jobs and a seed, rows of what only all of them together can say (``NAME.checks``)
    """

    title: str
    order: int
    measure: Callable[[Job], dict[str, Rows]]
    kinds: tuple[str, ...]
    paper: str
    question: str
    on_request: tuple[str, ...] = ()
    quick: Mapping = field(default_factory=dict)
    full: Mapping = field(default_factory=dict)
    galleries: Mapping | None = None
    compare: Callable[[pd.DataFrame, int], Rows] | None = None

    @property
    def name(self) -> str:
        """As tables, claims and the command line call it: the name of the module that measures, with hyphens."""
        return self.measure.__module__.rpartition(".")[2].replace("_", "-")


@functools.cache
def experiments() -> tuple[Experiment, ...]:
    """All experiments, in the order of the report."""
    package = importlib.import_module("gapkit.experiments")
    names = (module.name for module in pkgutil.iter_modules(package.__path__))
    modules = (importlib.import_module(f"{package.__name__}.{name}") for name in names)
    records = (getattr(module, "EXPERIMENT", None) for module in modules)
    return tuple(sorted((record for record in records if record), key=lambda record: record.order))


def experiment(name: str) -> Experiment:
    """The experiment called ``name``; an unknown name raises with the nearest known one.

    >>> experiment("raw-shift").title
    "Earlier work's raw shift"
    """
    known = {record.name: record for record in experiments()}
    return known[check_choice(name, "experiment", known)]
