"""All experiments by name, what each needs, and what it is about."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from gapkit._arrays import check_choice
from gapkit.experiments.sweep import Job, Rows


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    Attributes
    ----------
    name : as tables, claims and the command line call it
    title : as the report calls it
    place : "module:function" under `gapkit.experiments`
    kinds : kinds of datasets it runs on; empty if it needs none
    paper : what the paper (or whoever else) says, in one or two sentences
    question : what is done here
    on_request : further kinds, on which it runs only where a dataset was asked for by name
    """

    name: str
    title: str
    place: str
    kinds: tuple[str, ...]
    paper: str
    question: str
    on_request: tuple[str, ...] = ()

    @property
    def measure(self) -> Callable[[Job], dict[str, Rows]]:
        """The function that does one job of it."""
        module, _, function = self.place.partition(":")
        return getattr(importlib.import_module(f"gapkit.experiments.{module}"), function)


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "gap",
        "Is there a gap?",
        "gap:measure_gap",
        ("zero-shot", "pairs", "multiple-choice"),
        "Images and texts of a CLIP model occupy separate regions of the sphere (Liang et al. 2022; the "
        "paper's Eq. 4 defines the gap vector g = μ_y − μ_x).",
        "Length of g on held-out data, and the held-out accuracy of a linear classifier that tells the two "
        "modalities apart.",
    ),
    Experiment(
        "orthogonality",
        "Is the gap orthogonal to the data?",
        "gap:measure_orthogonality",
        ("zero-shot", "pairs", "multiple-choice"),
        "Assumption 3.3: neither modality varies along g.",
        "The variance along g against an average direction, and the share of g inside the texts' principal "
        "components, each against what a random direction would give.",
    ),
    Experiment(
        "theory",
        "Why a gap appears: the theorems on free embeddings",
        "theory:measure_theory",
        (),
        "Theorem 3.1: at first the loss compresses the variance along the gap. Theorem 3.2: then the gap "
        "freezes, once the softmax matrices are doubly stochastic.",
        "The exact gradient against the theorem's formula, inside and outside its regime; gradient descent "
        "on free embeddings, without and with the unit sphere.",
    ),
    Experiment(
        "formation",
        "How the gap arose in the trained models",
        "formation:measure_formation",
        ("training curve",),
        "The gap is there at random initialisation, training shrinks the variance along it first, and double "
        "stochasticity comes late (Figs. 3 to 6).",
        "The recorded training curves of the mini-CLIPs, all seeds.",
    ),
    Experiment(
        "noise",
        "Gaussian noise on the texts",
        "noise:measure_noise",
        ("zero-shot",),
        "Fig. 8: as the gap is closed, zero-shot robustness to Gaussian noise on the text embeddings rises "
        "while clean accuracy stays. Theorems 3.4 and 3.5 say why.",
        "Exact robustness over α at noise calibrated to an untouched robustness of 0.9, 0.7 and 0.5 (verdicts "
        "rest on these), and at the paper's own σ², in both readings.",
        ("pairs",),
    ),
    Experiment(
        "closers",
        "The best way to close the gap",
        "closers:measure_closers",
        ("zero-shot",),
        "The paper shifts the whole gallery by one vector. Derived here: projecting each query is the most "
        "robust of all translations that keep every margin, with one projection for each metric.",
        "Robustness to noise on the gallery after each closer, under Euclidean distance and dot product.",
        ("pairs",),
    ),
    Experiment(
        "axes",
        "Who moves, who is perturbed, which metric",
        "axes:measure_axes",
        ("zero-shot",),
        "The paper perturbs and moves the gallery and measures Euclidean distance. Derived here: in half of "
        "the other combinations nothing can be gained.",
        "Robustness for every combination of metric, moved side and perturbed side, at one σ.",
        ("pairs",),
    ),
    Experiment(
        "raw-shift",
        "Earlier work's raw shift",
        "raw_shift:measure_raw_shift",
        ("zero-shot",),
        "Fig. 2 and Liang et al. 2022: moving one modality along the whole gap vector changes accuracy, and "
        "not monotonically.",
        "Clean accuracy and unchanged answers over α, for the raw and for the projected shift.",
        ("pairs",),
    ),
    Experiment(
        "multiple-choice",
        "Multiple-choice questions",
        "multiple_choice:measure_multiple_choice",
        ("multiple-choice",),
        "On A-OKVQA too, closing the gap makes answers more robust.",
        "Four-option questions about rendered scenes; g from the whole set, V from each question's options.",
    ),
    Experiment(
        "quantisation",
        "Quantised galleries",
        "quantisation:measure_quantisation",
        ("zero-shot",),
        "With the gap closed, more answers survive when embeddings are quantised to 32, 64, 128 or 256 bins.",
        "The stored, moved gallery is quantised with one fixed range and with a range fitted to each "
        "dimension, besides int8 and binary codes.",
        ("pairs",),
    ),
    Experiment(
        "rephrasing",
        "Rephrased captions",
        "rephrasing:measure_rephrasing",
        ("rephrased",),
        "“a photo of …” turned into “photograph of …” and the like costs untouched models over 6 % accuracy; "
        "closing the gap mitigates it.",
        "Wordings that no model has seen in training; the closer is fitted on the standard template only.",
    ),
    Experiment(
        "retrieval",
        "Retrieval, both ways",
        "retrieval:measure_retrieval",
        ("pairs",),
        "Theorem 3.5 and Fig. 8 carry over to any nearest-neighbour task.",
        "Captions among captions and images among images: recall, and the robustness of the first hit.",
    ),
    Experiment(
        "family",
        "The natural experiment: wider gap, larger gain?",
        "family:measure_member",
        ("family",),
        "If distance is what costs robustness, models with a wider gap must gain more from closing it.",
        "Models that differ in temperature or loss alone, several seeds each, at matched untouched robustness.",
    ),
)
"""In the order of the report."""


def experiment(name: str) -> Experiment:
    """The experiment called ``name``; an unknown name raises with the nearest known one.

    >>> experiment("raw-shift").title
    "Earlier work's raw shift"
    """
    known = {one.name: one for one in EXPERIMENTS}
    return known[check_choice(name, "experiment", known)]
