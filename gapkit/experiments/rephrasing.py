"""Other words for the same classes: what a changed caption template costs, and whether closing helps.

The closer is fitted once, on the standard template; galleries in other words are moved by that same
shift. Where a hundred classes span all that a narrow text tower can say, the shift is orthogonal to every wording and
the test is empty. So a large gallery is also cut into galleries of ten classes, each with its own V, whose queries
are counted together.
"""

import numpy as np

from gapkit.embeddings.evaluation import classes_to_draw_within
from gapkit.errors import InputError
from gapkit.experiments import protocol
from gapkit.experiments.data import Task, load_set, wordings_of
from gapkit.experiments.record import Experiment, Job, Rows
from gapkit.geometry import Interval, Resamples, relative_variance
from gapkit.geometry.bootstrap import percentile_interval

ALPHAS = (0.0, 0.5, 1.0)
VARIES = 1e-4
"""Relative variance along g' from which wordings count as varying along it; rounding to half precision gives 1e-6."""
LESS_SPREAD = "spread of accuracy over wordings, closed minus untouched"
FEW = 10
"""Classes of the smaller galleries."""

Part = tuple[Task, list[np.ndarray]]
"""A task in the standard wording, and its gallery in every wording."""


def measure_rephrasing(job: Job) -> dict[str, Rows]:
    """Accuracy and agreement for each wording and α, and their means over the unseen wordings.

    All classes at once and, from a hundred on, in galleries of ten (every tenth class).
    """
    described, whole = _wordings(job)
    tasks = {f"zero-shot, K={len(whole[0].gallery)}": [whole]}
    if len(whole[0].gallery) >= 10 * FEW:
        tasks[f"zero-shot, K={FEW}"] = _tenths(*whole)
    rows, checks = [], []
    for name, parts in tasks.items():
        head = parts[0][0].head | {"task": name, "seed": job.seed}
        some, more = _measure(described, parts, job.seed)
        rows += [head | row for row in some]
        checks += [head | row for row in more]
    return {"rephrasing": rows, "rephrasing.checks": checks}


def _wordings(job: Job) -> tuple[list[dict], Part]:
    """Every wording's description, and the task with its gallery in each of them."""
    entries = load_set(*job.source)
    described = wordings_of(entries)
    if not described or len(entries.texts) % len(described):
        where = f"{job.model}/{job.dataset}"
        raise InputError(f"{where} lists no templates in its metadata; take scenes100-rephrased")
    galleries = np.split(entries.texts.astype(np.float64), len(described))
    images = entries.images.astype(np.float64)
    return described, (Task(job.model, job.dataset, "", images, galleries[0], entries.labels), galleries)


def _tenths(task: Task, galleries: list[np.ndarray]) -> list[Part]:
    """Galleries of ten classes, every tenth one, with the queries that belong to them."""
    step = len(task.gallery) // FEW
    parts = []
    for first in range(step):
        chosen = np.arange(first, first + FEW * step, step)
        asked = np.isin(task.labels, chosen)
        labels = np.searchsorted(chosen, task.labels[asked])
        part = Task(task.model, task.dataset, "", task.queries[asked], task.gallery[chosen], labels)
        parts.append((part, [gallery[chosen] for gallery in galleries]))
    return parts


def _measure(described: list[dict], parts: list[Part], seed: int) -> tuple[Rows, Rows]:
    """Rows and checks of tasks whose queries count together."""
    unseen = [i for i, about in enumerate(described) if about.get("held_out") or about.get("synonyms")]
    closers = [protocol.fit_closer(protocol.PROJECTED, task) for task, _ in parts]
    scored = [_scores(*part, closer) for part, closer in zip(parts, closers, strict=True)]
    scores = {key: np.concatenate([some[key] for some in scored]) for key in scored[0]}
    classes = np.concatenate([task.labels + 1000 * i for i, (task, _) in enumerate(parts)])
    resamples = Resamples(len(classes), strata=classes_to_draw_within(classes), seed=seed)
    rows = []
    for i, about in enumerate(described):
        words = about["template"] + (" (synonyms)" if about.get("synonyms") else "")
        for alpha in ALPHAS:
            of_each = scores["clean accuracy", alpha], scores["accuracy", i, alpha]
            of_each += scores["agreement", alpha], scores["kept", i, alpha]
            row = {"closer": protocol.PROJECTED, "alpha": alpha, "metric": "euclidean", "noise": "rephrased"}
            row |= {"level": words, "unseen": i in unseen}
            row |= protocol.means(resamples, **dict(zip(protocol.MEANS, of_each, strict=True)))
            rows.append(row | {"method": "counted", "queries": len(classes)})
    reason = _powerless(parts, closers, unseen)
    return rows, _checks(scores, len(described), unseen, reason, resamples)


def _scores(task: Task, galleries: list[np.ndarray], closer) -> dict[tuple, np.ndarray]:
    """What is counted query by query, 0 or 1: by α, and by wording and α."""
    untouched, scores = protocol.answers_after(task, closer, 0.0), {}
    for alpha in ALPHAS:
        clean = protocol.answers_after(task, closer, alpha)
        scores["clean accuracy", alpha] = protocol.right(clean, task)
        scores["agreement", alpha] = protocol.same(clean, untouched)
        for i, gallery in enumerate(galleries):
            answers = protocol.answers_after(task, closer, alpha, gallery)
            scores["accuracy", i, alpha] = protocol.right(answers, task)
            scores["kept", i, alpha] = protocol.same(answers, clean)
            if alpha == 0.0:
                again = protocol.refitted_answers(task, gallery)
                scores["refitted differs", i] = 1 - protocol.same(again, answers)
    return scores


def _powerless(parts: list[Part], closers: list, unseen: list[int]) -> str:
    """Why the shifts cannot change any answer to these wordings; empty if one of them can.

    ``‖x' + αg' − y‖²`` differs from ``‖x' − y‖²`` by ``2α g'·x'`` and what all rows share: if no wording varies
    along g', closing can neither help nor harm. So it is where a narrow text tower keeps all captions in few
    dimensions and the classes span them.
    """
    moved = ((galleries, closer.shift_) for (_, galleries), closer in zip(parts, closers, strict=True))
    moving = [(galleries, shift) for galleries, shift in moved if shift.any()]
    if not moving:
        return "there is no gap outside the span of the classes"
    if any(relative_variance(galleries[i], shift) > VARIES for galleries, shift in moving for i in unseen):
        return ""
    return "all wordings stay in the span of the classes: the shift can change no answer, for better or worse"


def _checks(scores: dict, wordings: int, unseen: list[int], reason: str, resamples: Resamples) -> Rows:
    def over_unseen(name, alpha):
        return np.mean([scores[name, i, alpha] for i in unseen], axis=0)

    def spread(alpha):  # standard deviation of the accuracy over wordings, as it is and resampled
        accuracy = np.stack([scores["accuracy", i, alpha] for i in range(wordings)], 1)
        return float(accuracy.mean(0).std()), resamples.means(accuracy).std(1)

    before, after = spread(0.0), spread(1.0)
    untouched = percentile_interval(*before)
    cost = resamples.difference(scores["clean accuracy", 0.0], over_unseen("accuracy", 0.0))
    measured = {
        "cost of rephrasing": cost,
        "refitted: answers differ": float(np.mean([scores["refitted differs", i] for i in unseen])),
        "spread of accuracy over wordings, untouched": untouched,
        "spread of accuracy over wordings, closed": percentile_interval(*after),
        "accuracy won back": resamples.difference(*(over_unseen("accuracy", a) for a in (1.0, 0.0))),
        "agreement won": resamples.difference(*(over_unseen("kept", a) for a in (1.0, 0.0))),
        LESS_SPREAD: percentile_interval(after[0] - before[0], after[1] - before[1]),
    }
    hoped = {  # at most: that closing wins back all that rephrasing costs
        "accuracy won back": cost,
        "agreement won": resamples.mean(1 - over_unseen("kept", 0.0)),
        LESS_SPREAD: Interval(*(-x for x in untouched)),
    }
    return [
        protocol.check_row(check, estimate, reason=reason if check in hoped else "")
        | (protocol.columns("value_expected", hoped[check]) if check in hoped else {})
        for check, estimate in measured.items()
    ]


EXPERIMENT = Experiment(
    title="Rephrased captions",
    order=110,
    measure=measure_rephrasing,
    kinds=("rephrased",),
    paper="“a photo of …” made “photograph of …” costs over 6 points of accuracy; closing mitigates it.",
    question="Wordings that no model was trained on; the closer is fitted on the standard template only.",
)
