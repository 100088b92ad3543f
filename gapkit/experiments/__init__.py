"""The paper's experiments, each returning tidy tables, and the replication that runs them all.

`plan` lists the jobs, `replicate` runs them all, and `measure` runs one. Each experiment is one module, which measures
and holds its record; `experiment` finds it by name. It takes embeddings by model and dataset and returns tables: one row
per setting, units in the column names, a paired bootstrap interval for every mean, and a seed in every row.

Nine modules are not experiments but hold what experiments share: `plan`, `sweep`, `record`, `protocol`, `data`, `galleries`,
`gains` and the drawn controls of `drawn`, besides `limits`, which only lesson 07 measures.
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
