"""Other words for the same classes: what a changed caption template costs, and whether closing helps.

The closer is fitted once, on the standard template; galleries in other words are moved by that same
shift.
"""

import numpy as np

from gapkit.errors import InputError
from gapkit.experiments.intervals import Resamples, columns
from gapkit.experiments.protocol import PROJECTED, answers_after, fit_closer, refitted_answers, right, same
from gapkit.experiments.subject import Task, load_subject, wordings_of
from gapkit.experiments.sweep import Job, Rows
from gapkit.geometry import relative_variance

ALPHAS = (0.0, 0.5, 1.0)
COUNTS = 0.005
"""The smallest gain that counts, as in the claims."""
VARIES = 1e-4
"""Relative variance along g' from which wordings count as varying along it; rounding to half precision gives 1e-6."""


def _wordings(job: Job) -> tuple[Task, list[tuple[dict, np.ndarray]]]:
    """The task in the standard template, and every wording's description with its gallery."""
    entries = load_subject(job.model, job.dataset)
    described = wordings_of(entries)
    if not described or len(entries.texts) % len(described):
        raise InputError(
            f"{job.model}/{job.dataset} holds no rephrased captions (its metadata lists no templates); "
            "take scenes100-rephrased or digits10-rephrased"
        )
    galleries = np.split(entries.texts.astype(np.float64), len(described))
    name = f"zero-shot, K={len(galleries[0])}"
    images = entries.images.astype(np.float64)
    task = Task(job.model, job.dataset, name, images, galleries[0], entries.labels)
    return task, list(zip(described, galleries, strict=True))


def measure_rephrasing(job: Job) -> dict[str, Rows]:
    """Accuracy and agreement for each wording and α, and their means over the unseen wordings."""
    task, wordings = _wordings(job)
    closer = fit_closer(PROJECTED, task)
    resamples = task.resamples(job.seed)
    clean = {alpha: answers_after(task, closer, alpha) for alpha in ALPHAS}
    rows, accuracy, agreement, refitted = [], {}, {}, []
    unseen = [i for i, (about, _) in enumerate(wordings) if about.get("held_out") or about.get("synonyms")]
    for i, (about, gallery) in enumerate(wordings):
        words = about["template"] + (" (synonyms)" if about.get("synonyms") else "")
        for alpha in ALPHAS:
            answers = answers_after(task, closer, alpha, lambda _, other=gallery: other)
            accuracy[i, alpha], agreement[i, alpha] = right(answers, task), same(answers, clean[alpha])
            rows.append(
                task.head
                | {"closer": PROJECTED, "alpha": alpha, "metric": "euclidean", "noise": "rephrased"}
                | {"level": words, "unseen": i in unseen}
                | columns("noisy_accuracy", resamples.mean(accuracy[i, alpha]))
                | columns("agreement", resamples.mean(agreement[i, alpha]))
                | {"clean_accuracy": float(right(clean[alpha], task).mean())}
                | {"queries": len(task.queries), "seed": job.seed}
            )
        if i in unseen:
            plain = answers_after(task, closer, 0.0, lambda _, other=gallery: other)
            again = refitted_answers(task, lambda _, other=gallery: other)
            refitted.append(1 - same(again, plain))
    checks = _checks(accuracy, agreement, unseen, np.stack(refitted), right(clean[0.0], task), resamples)
    reason = _powerless([wordings[i][1] for i in unseen], closer.shift_)
    cost = next(check["value"] for check in checks if check["check"] == "cost of rephrasing")
    lost = 1 - float(np.mean([agreement[i, 0.0] for i in unseen]))
    for check in checks:
        to_win = {"accuracy won back": cost, "agreement won": lost}.get(check["check"])
        check["reason"] = "" if to_win is None else reason or _nothing_to_win(to_win, check["value_high"])
    return {
        "rephrasing": rows,
        "rephrasing.checks": [task.head | {"seed": job.seed} | check for check in checks],
    }


def _powerless(galleries: list[np.ndarray], shift: np.ndarray) -> str:
    """Why the shift cannot change any answer to these wordings; empty if it can.

    ``‖x' + αg' − y‖²`` differs from ``‖x' − y‖²`` by ``2α g'·x'`` and what all rows share: if no wording varies
    along g', closing can neither help nor harm. So it is where a narrow text tower keeps all captions in few
    dimensions and the classes span them.
    """
    if not shift.any():
        return "there is no gap outside the span of the classes"
    along = max(relative_variance(gallery, shift) for gallery in galleries)
    if along > VARIES:
        return ""
    return "all wordings stay in the span of the classes: the shift can change no answer, for better or worse"


def _nothing_to_win(lost: float, high: float) -> str:
    """Where rephrasing costs less than the smallest gain that counts, no gain can be seen; a loss can."""
    return f"nothing to win back: rephrasing costs only {lost:.3f}" if lost < COUNTS and high >= 0 else ""


def _checks(accuracy, agreement, unseen, refitted, untouched, resamples: Resamples) -> list[dict]:
    def over_unseen(values, alpha):
        return np.mean([values[i, alpha] for i in unseen], axis=0)

    def spread(alpha):
        return float(np.std([values.mean() for (i, a), values in accuracy.items() if a == alpha]))

    differ = float(refitted.mean())
    found = {
        "cost of rephrasing": resamples.difference(untouched, over_unseen(accuracy, 0.0)),
        "accuracy won back": resamples.difference(over_unseen(accuracy, 1.0), over_unseen(accuracy, 0.0)),
        "agreement won": resamples.difference(over_unseen(agreement, 1.0), over_unseen(agreement, 0.0)),
        "refitted: answers differ": (differ, differ, differ),
        "spread of accuracy over wordings, untouched": (spread(0.0),) * 3,
        "spread of accuracy over wordings, closed": (spread(1.0),) * 3,
    }
    return [
        {"check": check, "value": value, "value_low": low, "value_high": high}
        for check, (value, low, high) in found.items()
    ]
