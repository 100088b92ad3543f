"""Multiple-choice questions about images: every question's options are a gallery of their own.

The gap vector comes from the whole set, the principal components V from each question's options.
"""

import functools
from dataclasses import dataclass

import numpy as np
import torch

from gapkit.closing import GapCloser
from gapkit.embeddings import EmbeddingSet
from gapkit.errors import InputError
from gapkit.experiments.calibration import solve_sigma
from gapkit.experiments.intervals import Resamples, columns
from gapkit.experiments.levels import CALIBRATED, MIDDLE, TARGETS
from gapkit.experiments.subject import load_subject
from gapkit.experiments.sweep import Job, Rows
from gapkit.geometry import gap_vector
from gapkit.robustness.exact_euclidean import euclidean

ALPHAS = (-0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
ALL = "all"


@dataclass(frozen=True)
class Questions:
    """Distances of each question's image to its options, as they change with α."""

    squares: np.ndarray  # (q, c) untouched squared distances
    tilt: np.ndarray  # (q, c) 2 g'·(x_i − y)
    rise: np.ndarray  # (q, 1) ‖g'‖²
    answers: np.ndarray  # (q,) the right option
    dimension: int

    def at(self, alpha: float) -> np.ndarray:
        """(q, c) squared distances to the options moved by αg': ‖x_i + αg' − y‖²."""
        return self.squares + alpha * self.tilt + alpha**2 * self.rise

    def robustness(self, alpha: float, sigma: float) -> np.ndarray:
        """(q,) exact robustness to noise on the options."""
        squares = torch.from_numpy(self.at(alpha))
        return euclidean(squares, squares.argmin(1), sigma, self.dimension).numpy()


def _questions(entries: EmbeddingSet) -> Questions:
    texts, images = entries.texts.astype(np.float64), entries.images.astype(np.float64)
    gap = gap_vector(texts, images)

    @functools.cache
    def shift(options: tuple[int, ...]) -> np.ndarray:
        return GapCloser().fit(texts[list(options)], gap=gap).shift_

    shifts = np.stack([shift(tuple(sorted(row))) for row in entries.options.tolist()])
    apart = texts[entries.options] - images[entries.image_rows][:, None]
    return Questions(
        squares=(apart**2).sum(-1),
        tilt=2 * np.einsum("qcd,qd->qc", apart, shifts),
        rise=(shifts**2).sum(1, keepdims=True),
        answers=entries.answers,
        dimension=entries.dim,
    )


def measure_multiple_choice(job: Job) -> dict[str, Rows]:
    """Accuracy, agreement and exact robustness over α, for all questions and for each type of question."""
    entries = load_subject(job.model, job.dataset)
    if entries.task != "multiple-choice":
        raise InputError(f"{job.model}/{job.dataset} holds no multiple-choice questions")
    questions = _questions(entries)
    count, choices = questions.squares.shape
    types = np.array(entries.groups or [ALL] * count)
    head = {"model": job.model, "dataset": job.dataset, "task": f"multiple choice of {choices}"}
    rows = []
    for name, target in zip(CALIBRATED, TARGETS, strict=True):
        try:
            sigma = solve_sigma(lambda s: float(questions.robustness(0.0, s).mean()), target)
        except InputError as fault:
            rows.append(head | {"question_type": ALL, "level": name, "alpha": 1.0, "reason": str(fault)})
            continue
        for kind in [ALL, *(sorted(set(types)) if name == MIDDLE else [])]:
            chosen = np.ones(count, bool) if kind == ALL else types == kind
            resamples = Resamples(int(chosen.sum()), groups=entries.image_rows[chosen], seed=job.seed)
            for row in _sweep(questions, chosen, sigma, resamples):
                rows.append(
                    head
                    | {"question_type": kind, "level": name, "sigma_per_coordinate": sigma}
                    | {"closer": "projected shift", "metric": "euclidean", "noise_on": "gallery"}
                    | row
                    | {"method": "exact", "queries": int(chosen.sum()), "seed": job.seed}
                )
    return {"multiple-choice": rows}


def _sweep(questions: Questions, chosen: np.ndarray, sigma: float, resamples: Resamples):
    untouched_answers = questions.squares.argmin(1)[chosen]
    untouched = questions.robustness(0.0, sigma)[chosen]
    for alpha in ALPHAS:
        answers = questions.at(alpha).argmin(1)[chosen]
        values = questions.robustness(alpha, sigma)[chosen]
        yield (
            {"alpha": alpha}
            | columns("clean_accuracy", resamples.mean(answers == questions.answers[chosen]))
            | columns("agreement", resamples.mean(answers == untouched_answers))
            | columns("robustness", resamples.mean(values))
            | columns("gain", resamples.difference(values, untouched))
        )
