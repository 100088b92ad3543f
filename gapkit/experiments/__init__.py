"""The paper's experiments, each returning tidy tables, and the replication that does them all.

`plan` lists the jobs, `replicate` does them, `measure` does a single one. An experiment is one module, which measures
and holds its record; `experiment` finds it by name. Embeddings come in by model and dataset, tables go out: one row a
setting, units in the column names, every mean with its paired bootstrap interval, every row with its seed.

Nine modules are no experiments but what these share: `plan`, `sweep`, `record`, `protocol`, `data`, `galleries`, `gains` and
the drawn controls of `drawn`, besides `limits`, which only lesson 07 measures.
"""

from gapkit._renamed import renamed
from gapkit.experiments import limits
from gapkit.experiments.closers import compare_closers, noise_after_the_closer
from gapkit.experiments.data import zero_shot_task
from gapkit.experiments.plan import plan
from gapkit.experiments.record import Job, experiments
from gapkit.experiments.sweep import measure, replicate, tables_of

__all__ = [
    "Job",
    "compare_closers",
    "experiments",
    "limits",
    "measure",
    "noise_after_the_closer",
    "plan",
    "replicate",
    "tables_of",
    "zero_shot_task",
]

__getattr__ = renamed(__name__)
