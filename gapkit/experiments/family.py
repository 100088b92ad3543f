"""The natural experiment: same data, same towers, other temperature or loss, and so another gap.

Does a wider gap mean a larger gain from closing it? Compared at matched untouched robustness, over the means of several
seeds of each setting: seeds of one setting are no models of their own. Chance is the order of the settings drawn anew.
"""

import itertools

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from gapkit.experiments import protocol
from gapkit.experiments.data import zero_shot_task
from gapkit.experiments.gains import UnderNoise
from gapkit.experiments.record import Experiment, Job, Rows

LEAST_SEEDS = 3
LEAST_SETTINGS = 6
LEAST_TEMPERATURES = 5
"""Of four only the perfect order has a p below 0.05 (1/24); of five neither a swap of neighbours spoils it (5/120)."""
MATCHED = 0.01
EXACT = 8
DRAWS = 20_000


def measure_member(job: Job) -> dict[str, Rows]:
    """One model of the family: its gap, and what closing it gains at each calibrated level."""
    task = zero_shot_task(*job.source)
    closer = protocol.fit_closer(protocol.PROJECTED, task)
    setting, _, run = job.model.partition("@")
    moved = task.queries, protocol.shift_gallery(task.gallery, closer, 1.0)
    about = {"setting": setting, "run": int(run or 0), "closer": protocol.PROJECTED, "alpha": 1.0}
    gap, shift = (float(np.linalg.norm(z)) for z in (closer.gap_, closer.shift_))
    spread = float(np.sqrt(task.gallery.var(axis=0).sum()))
    lengths = {"gap_norm": gap, "shift_norm": shift, "gallery_spread": spread}
    rows = []
    for level in protocol.calibrated_levels(task):
        noise = UnderNoise(task, level, seed=job.seed)
        row = noise.row(about, moved, noise.survival(moved))
        rows.append(row | lengths | protocol.columns("untouched", noise.resamples.mean(noise.untouched)))
    return {"family": rows}


def compare_family(members: pd.DataFrame, seed: int) -> Rows:
    """Whether wider gaps gained more, from all members' rows.

    Parameters
    ----------
    members : the table ``"family"``
    seed : of the drawn orders, where there are too many settings for all
    """
    rows = []
    for (dataset, level), group in members.groupby(["dataset", "level"], sort=False):
        spread = float(group["untouched"].max() - group["untouched"].min())
        unmatched = f"the untouched robustness is not matched: it differs by {spread:.3f}"
        reason = too_few(group) or (unmatched if spread > MATCHED else "")
        means = group.groupby("setting")[["gap_norm", "gain"]].mean()
        estimate = permuted_rank_correlation(means["gap_norm"], means["gain"], seed=seed)
        rows.append({"dataset": dataset, "level": level, "reason": reason} | estimate)
    return [{"model": "all models", "seed": seed, "check": "gap and gain"} | row for row in rows]


def permuted_rank_correlation(first, second, *, seed: int = 0) -> dict[str, float]:
    """Spearman's ρ with the p of a permutation test, for more of the one with more of the other.

    The interval is ρ minus and plus the value that 95 % of all orders stay below: its lower end is above 0 where p < 0.05.

    Examples
    --------
    >>> found = permuted_rank_correlation([1, 2, 3, 4], [10, 20, 30, 40])
    >>> found["value"], round(found["p"], 4)          # one order of 24 is as good
    (1.0, 0.0417)
    """
    a, b = (rankdata(np.asarray(z, dtype=float)) for z in (first, second))
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    members = {"members": len(a), "settings": len(a)}
    if len(a) < 3 or scale == 0:
        return dict.fromkeys(("value", "value_low", "value_high", "p"), float("nan")) | members
    if len(a) <= EXACT:
        orders = np.array(list(itertools.permutations(range(len(a)))))
    else:
        rng = np.random.default_rng([seed, 5])
        orders = np.stack([np.arange(len(a)), *(rng.permutation(len(a)) for _ in range(DRAWS))])
    chance = (b[orders] @ a) / scale
    value = float(a @ b) / scale
    reach = float(np.quantile(chance, 0.95, method="higher"))
    ends = {"value": value, "value_low": max(value - reach, -1.0), "value_high": min(value + reach, 1.0)}
    return ends | {"p": float(np.mean(chance >= value - 1e-12))} | members


def too_few(group: pd.DataFrame, *, least: int = LEAST_SETTINGS) -> str:
    """Why these runs can decide nothing: too few settings, or seeds of one; empty if they can."""
    seeds = group.groupby("setting")["run"].nunique()
    if len(seeds) < least:
        return f"only {len(seeds)} settings; {least} are needed"
    if seeds.min() < LEAST_SEEDS:
        return f"{seeds.idxmin()} has only {seeds.min()} seeds; {LEAST_SEEDS} are needed"
    return ""


EXPERIMENT = Experiment(
    title="The natural experiment: wider gap, larger gain?",
    order=130,
    measure=measure_member,
    kinds=("family",),
    paper="If distance is what costs robustness, models with a wider gap must gain more from closing it.",
    question="Models that differ in temperature or loss alone, at matched untouched robustness.",
    compare=compare_family,
)
