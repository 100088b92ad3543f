"""Earlier work's experiment: the raw shift X + αg, and what it does to answers and accuracy."""

import copy

import numpy as np

from gapkit.experiments import protocol
from gapkit.experiments.galleries import task_of
from gapkit.experiments.record import Experiment, Job, Rows
from gapkit.geometry import Interval, Resamples

NO_NOISE = {"noise": "none", "noise_on": "nothing", "method": "counted"}


def measure_raw_shift(job: Job) -> dict[str, Rows]:
    """Clean accuracy and agreement over α, for the raw and, beside it, the projected shift.

    Nothing is perturbed (``noise`` is "none"), so every answer survives: robustness is 1, and the noisy accuracy is
    the clean one.
    """
    task = task_of(job)
    resamples = task.resamples(job.seed)
    alphas = job.options.get("alphas", protocol.ALPHAS)
    untouched = protocol.answers_to(task.queries, task.gallery)
    rows, accuracy, agreement = [], {}, {}
    for name in (protocol.RAW, protocol.PROJECTED):
        closer = protocol.fit_closer(name, task)
        for alpha in alphas:
            answers = protocol.answers_after(task, closer, alpha)
            accuracy[name, alpha] = right = protocol.right(answers, task)
            agreement[name, alpha] = same = protocol.same(answers, untouched)
            about = task.head | {"closer": name, "alpha": alpha, "metric": "euclidean"} | NO_NOISE
            counted = {"clean": right, "noisy": right, "agrees": same, "survives": np.ones(len(right))}
            rows.append(protocol.tidy_row(about, resamples, **counted, seed=job.seed))
    changed = 1 - agreement[protocol.RAW, 1.0]
    hump = _hump(np.stack([accuracy[protocol.RAW, alpha] for alpha in alphas], 1), resamples)
    checks = {"answers changed": resamples.share(changed), "hump": hump}
    checks = [task.head | protocol.check_row(*check, seed=job.seed) for check in checks.items()]
    return {"raw-shift": rows, "raw-shift.checks": checks}


def _hump(accuracy: np.ndarray, resamples: Resamples) -> Interval:
    """How far accuracy rises to its peak and falls after it: the smaller of the two, ≤ 0 if monotone.

    An accuracy that dips instead of peaking counts as not monotone too. The peak is chosen on the queries that judge it, so
    the interval is Bonferroni's over all peaks and dips that might have been chosen.
    """
    mean = accuracy.mean(0)
    strict = copy.copy(resamples)
    strict.confidence = 1 - (1 - resamples.confidence) / (2 * len(mean))
    best = None
    for sign in (1, -1):
        peak = int(np.argmax(sign * mean))
        sides = sign * (accuracy[:, [peak]] - accuracy[:, [0, -1]])
        smaller = Interval(*np.min([strict.mean(side) for side in sides.T], axis=0))
        if best is None or smaller.value > best.value:
            best = smaller
    return best


EXPERIMENT = Experiment(
    title="Earlier work's raw shift",
    order=80,
    measure=measure_raw_shift,
    kinds=("zero-shot", "near-twins"),
    paper="Fig. 2 and Liang et al. 2022: moving by the whole gap changes accuracy, not monotonically.",
    question="Clean accuracy and unchanged answers over α, for the raw and for the projected shift.",
    on_request=("pairs",),
    galleries={},
)
