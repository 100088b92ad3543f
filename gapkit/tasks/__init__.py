"""From embeddings to answers and scores: zero-shot classification, retrieval, multiple choice.

All of them are nearest-neighbour tasks; `nearest` explains how ties and rounding are handled. Scores that
are shares lie in [0, 1].
"""

from gapkit._renamed import renamed
from gapkit.geometry.neighbours import nearest
from gapkit.tasks.answers import accuracy, agreement
from gapkit.tasks.classification import multiple_choice, prompt_ensemble, zero_shot
from gapkit.tasks.retrieval import k_occurrence, retrieval

__all__ = [
    "accuracy",
    "agreement",
    "k_occurrence",
    "multiple_choice",
    "nearest",
    "prompt_ensemble",
    "retrieval",
    "zero_shot",
]

__getattr__ = renamed(__name__)
