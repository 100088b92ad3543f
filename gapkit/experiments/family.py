"""The natural experiment: same data, same towers, other temperature or loss, and so another gap.

Does a wider gap mean a larger gain from closing it? Compared at matched untouched robustness, over several
seeds of each setting, because one model more or less would decide otherwise.
"""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from gapkit.experiments import protocol
from gapkit.experiments.data import zero_shot_task
from gapkit.experiments.record import Experiment, Job, Rows
from gapkit.geometry import nearest
from gapkit.robustness import robustness

LEAST_SEEDS = 3
LEAST_SETTINGS = 3
MATCHED = 0.01
DRAWS = 1000


def measure_member(job: Job) -> dict[str, Rows]:
    """One model of the family: its gap, and what closing it gains at each calibrated level."""
    task = zero_shot_task(*job.source)
    resamples = task.resamples(job.seed)
    closer = protocol.fit_closer(protocol.PROJECTED, task)
    setting, _, run = job.model.partition("@")
    gallery = protocol.shift_gallery(task.gallery, closer, 1.0)
    answers, untouched = nearest(task.queries, gallery), nearest(task.queries, task.gallery)
    rows = []
    for level in protocol.calibrated_levels(task):
        before = robustness(task.queries, task.gallery, sigma=level.sigma)
        row = protocol.exact_row(
            {"setting": setting, "run": int(run or 0), "closer": protocol.PROJECTED, "alpha": 1.0},
            task,
            resamples,
            level,
            queries=task.queries,
            gallery=gallery,
            survives=robustness(task.queries, gallery, sigma=level.sigma),
            untouched=before,
            answers=answers,
            before=untouched,
            predicts=True,
            seed=job.seed,
        )
        rows.append(
            row
            | {"gap_norm": float(np.linalg.norm(closer.gap_))}
            | {"shift_norm": float(np.linalg.norm(closer.shift_))}
            | {"gallery_spread": float(np.sqrt(task.gallery.var(axis=0).sum()))}
            | protocol.columns("untouched", resamples.mean(before))
        )
    return {"family": rows}


def compare_family(members: pd.DataFrame, seed: int) -> Rows:
    """Whether wider gaps gained more, from all members' rows.

    Parameters
    ----------
    members : the table ``"family"``
    seed : seed of the bootstrap
    """
    rows = []
    for (dataset, level), group in members.groupby(["dataset", "level"], sort=False):
        reason = _undecidable(group)
        estimate = rank_correlation(group["setting"], group["gap_norm"], group["gain"], seed)
        rows.append(
            {"check": "gap and gain", "dataset": dataset, "level": level, "reason": reason} | estimate
        )
    return [{"model": "all models", "seed": seed} | row for row in rows]


def rank_correlation(settings, first, second, seed: int) -> dict[str, float]:
    """Spearman's ρ with an interval that neither one setting nor one seed decides.

    For each setting left out in turn (and for none), seeds are resampled within settings; the interval runs
    from the least lower to the largest upper end of the 95 % intervals.
    """
    frame = pd.DataFrame({"setting": list(settings), "first": list(first), "second": list(second)})
    value = float(_rho(frame["first"], frame["second"]))
    rng = np.random.default_rng([seed, 3])
    names = list(frame["setting"].unique())
    lows, highs = [], []
    for left_out in [None, *names]:
        kept = [np.flatnonzero(frame["setting"] == name) for name in names if name != left_out]
        if len(kept) < 2:
            continue
        rows = np.concatenate(
            [group[rng.integers(len(group), size=(DRAWS, len(group)))] for group in kept], 1
        )
        drawn = _rho(frame["first"].to_numpy()[rows], frame["second"].to_numpy()[rows])
        if not np.isfinite(drawn).any():
            continue
        low, high = np.nanquantile(drawn, [0.025, 0.975])
        lows.append(float(low))
        highs.append(float(high))
    return {
        "value": value,
        "value_low": min(lows, default=float("nan")),
        "value_high": max(highs, default=float("nan")),
        "members": len(frame),
        "settings": len(names),
    }


def _rho(first, second) -> np.ndarray:
    """Spearman's ρ along the last axis; NaN where one side is constant."""
    ranks = [rankdata(np.asarray(z, dtype=float), axis=-1) for z in (first, second)]
    a, b = (rank - rank.mean(-1, keepdims=True) for rank in ranks)
    scale = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    return np.divide((a * b).sum(-1), scale, out=np.full(scale.shape, np.nan), where=scale > 0)


def too_few(group: pd.DataFrame) -> str:
    """Why these runs can decide nothing: too few settings, or seeds of one; empty if they can."""
    seeds = group.groupby("setting")["run"].nunique()
    if len(seeds) < LEAST_SETTINGS:
        return f"only {len(seeds)} settings; {LEAST_SETTINGS} are needed"
    if seeds.min() < LEAST_SEEDS:
        return f"{seeds.idxmin()} has only {seeds.min()} seeds; {LEAST_SEEDS} are needed"
    return ""


def _undecidable(group: pd.DataFrame) -> str:
    few = too_few(group)
    if few:
        return few
    spread = float(group["untouched"].max() - group["untouched"].min())
    if spread > MATCHED:
        return f"the untouched robustness is not matched: it differs by {spread:.3f}"
    return ""


EXPERIMENT = Experiment(
    name="family",
    title="The natural experiment: wider gap, larger gain?",
    order=130,
    measure=measure_member,
    kinds=("family",),
    paper="If distance is what costs robustness, models with a wider gap must gain more from closing it.",
    question="Models that differ in temperature or loss alone, several seeds each, at matched untouched robustness.",
    compare=compare_family,
)
