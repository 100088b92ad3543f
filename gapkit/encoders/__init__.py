"""From a model's name and a dataset to a file of embeddings.

`load_model` finds and checks the model, `embed` runs it: in batches, resumable after any
interruption, and never twice for the same model and data.
"""

from gapkit.encoders.embedding import embed, embed_to_file
from gapkit.encoders.hub import hub_answers
from gapkit.encoders.loading import load_model
from gapkit.encoders.model import Model
from gapkit.encoders.names import PRESETS, available_models, list_models

__all__ = [
    "PRESETS",
    "Model",
    "available_models",
    "embed",
    "embed_to_file",
    "hub_answers",
    "list_models",
    "load_model",
]
