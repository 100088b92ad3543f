"""The paper's experiments, each returning tidy tables, and the sweep that does them all.

`plan` lists the jobs, `replicate` does them; one function an experiment is in the modules, found by name
through `experiment`. Embeddings come in by model and dataset, tables go out: one row a setting, units in
the column names, every mean with its paired bootstrap interval, every row with its seed.
"""

from gapkit.experiments.plan import DATASETS, SHIPPED, TRAINED, plan, prepare
from gapkit.experiments.registry import EXPERIMENTS, Experiment, experiment
from gapkit.experiments.replication import Replication, replicate, tables_of
from gapkit.experiments.sweep import Job, JobStore, Result

__all__ = [
    "DATASETS",
    "EXPERIMENTS",
    "SHIPPED",
    "TRAINED",
    "Experiment",
    "Job",
    "JobStore",
    "Replication",
    "Result",
    "experiment",
    "plan",
    "prepare",
    "replicate",
    "tables_of",
]
