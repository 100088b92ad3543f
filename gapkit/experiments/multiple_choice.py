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
from gapkit.experiments import protocol
from gapkit.experiments.data import load_set
from gapkit.experiments.drawn import drawn_right
from gapkit.experiments.gains import gain_slope
from gapkit.experiments.record import Experiment, Job, Rows
from gapkit.geometry import Resamples, gap_vector
from gapkit.robustness.calibration import solve_sigma
from gapkit.robustness.exact_euclidean import euclidean
from gapkit.robustness.score_noise import equal_sigma

ALPHAS = (-0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
ALL = "all"
_FAR = 1e6
"""So many times the largest squared distance no noise bridges."""


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

    def expected(self, alpha: float, sigma: float) -> np.ndarray:
        """(q,) robustness that the law lets expect: that of the untouched options at less noise (see `gains.law`)."""
        before, after = (float(self.at(a).min(1).mean()) for a in (0.0, alpha))
        return self.robustness(0.0, equal_sigma(sigma, before, after, self.dimension / 2))

    def right_after_noise(self, alpha: float, sigma: float, survives: np.ndarray, seed: int) -> np.ndarray:
        """(q,) probability that the right option is chosen: exact where it is without noise, drawn elsewhere."""
        squares, result = self.at(alpha), survives.copy()
        wrong = np.flatnonzero(squares.argmin(1) != self.answers)
        result[wrong] = drawn_right(squares[wrong], self.answers[wrong], sigma, self.dimension, seed=seed)
        return result


def _questions(entries: EmbeddingSet) -> Questions:
    texts, images = entries.texts.astype(np.float64), entries.images.astype(np.float64)
    gap = gap_vector(texts, images)

    @functools.cache
    def shift(options: tuple[int, ...]) -> np.ndarray:
        return GapCloser().fit(texts[list(options)], gap=gap).shift_

    shifts = np.stack([shift(tuple(sorted(row))) for row in entries.options.tolist()])
    apart = texts[entries.options] - images[entries.image_rows][:, None]
    squares = (apart**2).sum(-1)
    squares[_repeated(entries.options)] = _FAR * squares.max()
    tilt, rise = 2 * np.einsum("qcd,qd->qc", apart, shifts), (shifts**2).sum(1, keepdims=True)
    return Questions(squares, tilt, rise, entries.answers, entries.dim)


def _repeated(options: np.ndarray) -> np.ndarray:
    """(q, c) whether an option is the same text as an earlier one of its question: no answer of its own."""
    same = options[:, :, None] == options[:, None, :]
    return np.tril(same, -1).any(-1)


def measure_multiple_choice(job: Job) -> dict[str, Rows]:
    """Accuracy, agreement and exact robustness over α, for all questions and for each type of question."""
    entries = load_set(*job.source)
    if entries.task != "multiple-choice":
        raise InputError(f"{job.model}/{job.dataset} holds no multiple-choice questions")
    questions = _questions(entries)
    count, choices = questions.squares.shape
    types = np.array(entries.groups or [ALL] * count)
    head = {"model": job.model, "dataset": job.dataset, "task": f"multiple choice of {choices}"}
    head |= {"closer": protocol.PROJECTED, **protocol.NOISE_ON_GALLERY}
    texts = entries.texts.astype(np.float64)
    rows, search = [], {"low": 1e-6, "high": 0.1, "factor": 10.0}
    for name, target in zip(protocol.CALIBRATED, protocol.TARGETS, strict=True):
        try:
            sigma = solve_sigma(lambda s: float(questions.robustness(0.0, s).mean()), target, **search)
        except InputError as fault:
            unsolved = {"question_type": ALL, "level": name, "alpha": 1.0, "reason": str(fault)}
            rows.append(head | unsolved | {"seed": job.seed})
            continue
        setting = head | protocol.level_columns(protocol.Level(name, sigma), texts)
        measured = {alpha: _at(questions, alpha, sigma, job.seed) for alpha in ALPHAS}
        slopes = {alpha: _slope(questions, alpha, sigma) for alpha in ALPHAS}
        for kind in [ALL, *(sorted(set(types)) if name == protocol.MIDDLE else [])]:
            chosen = np.ones(count, bool) if kind == ALL else types == kind
            resamples = Resamples(int(chosen.sum()), groups=entries.image_rows[chosen], seed=job.seed)
            for alpha, of_each in measured.items():
                about = setting | {"question_type": kind, "alpha": alpha}
                asked = {column: values[chosen] for column, values in of_each.items()}
                row = protocol.tidy_row(about, resamples, **asked, seed=job.seed)
                after, before = (measured[a]["survives"][chosen] for a in (alpha, 0.0))
                gain = resamples.gain(after, before, slope=slopes[alpha], target=target)
                row |= protocol.columns("gain", gain)
                if alpha == 1.0:
                    expected = resamples.difference(questions.expected(alpha, sigma)[chosen], before)
                    row |= protocol.columns("gain_expected", expected) | {"predicted_gain": expected.value}
                rows.append(row)
    return {"multiple-choice": rows}


def _slope(questions: Questions, alpha: float, sigma: float) -> float:
    """How the gain changes with the untouched robustness as σ does."""

    def at(sigma: float) -> tuple[float, float]:
        before, after = (float(questions.robustness(a, sigma).mean()) for a in (0.0, alpha))
        return after - before, before

    return gain_slope(at, sigma)


def _at(questions: Questions, alpha: float, sigma: float, seed: int) -> dict[str, np.ndarray]:
    """What `tidy_row` asks of every question, at one α and one σ."""
    answers = questions.at(alpha).argmin(1)
    survives = questions.robustness(alpha, sigma)
    noisy = questions.right_after_noise(alpha, sigma, survives, seed)
    known = {"clean": answers == questions.answers, "noisy": noisy, "survives": survives}
    return known | {"agrees": answers == questions.squares.argmin(1)}


EXPERIMENT = Experiment(
    title="Multiple-choice questions",
    order=90,
    measure=measure_multiple_choice,
    kinds=("multiple-choice",),
    paper="On A-OKVQA too, closing the gap makes answers more robust.",
    question="Four-option questions about scenes; g from the whole set, V from each question's options.",
)
