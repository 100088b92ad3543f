"""From embeddings to answers and scores: zero-shot classification, retrieval, multiple choice.

All of them are nearest-neighbour tasks; `nearest` says how ties and rounding are handled. A score that is
a share lies in [0, 1].
"""

from gapkit.geometry.neighbours import nearest
from gapkit.tasks.choice import answer_multiple_choice, multiple_choice
from gapkit.tasks.retrieval import k_occurrence, retrieval, retrieval_ranks
from gapkit.tasks.scores import accuracy, agreement
from gapkit.tasks.zero_shot import prompt_ensemble, zero_shot

__all__ = [
    "accuracy",
    "agreement",
    "answer_multiple_choice",
    "k_occurrence",
    "multiple_choice",
    "nearest",
    "prompt_ensemble",
    "retrieval",
    "retrieval_ranks",
    "zero_shot",
]
