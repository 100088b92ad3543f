"""From embeddings to answers and scores: zero-shot classification, retrieval, multiple choice.

All of them are nearest-neighbour tasks; `nearest` says how ties and rounding are handled. A score that is
a share lies in [0, 1].
"""

from gapkit.geometry.neighbours import nearest
from gapkit.tasks.answers import accuracy, agreement
from gapkit.tasks.classification import answer_multiple_choice, multiple_choice, prompt_ensemble, zero_shot
from gapkit.tasks.galleries import (
    block_interval,
    calibrate_in_galleries,
    corrected_gain,
    cut_galleries,
    nearest_in_galleries,
    robustness_in_galleries,
    unrepeated_rows,
)
from gapkit.tasks.retrieval import k_occurrence, retrieval, retrieval_ranks

__all__ = [
    "accuracy",
    "agreement",
    "answer_multiple_choice",
    "block_interval",
    "calibrate_in_galleries",
    "corrected_gain",
    "cut_galleries",
    "k_occurrence",
    "multiple_choice",
    "nearest",
    "nearest_in_galleries",
    "prompt_ensemble",
    "retrieval",
    "retrieval_ranks",
    "robustness_in_galleries",
    "unrepeated_rows",
    "zero_shot",
]
