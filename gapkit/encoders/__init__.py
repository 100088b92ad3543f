"""From a model's name and a dataset to a file of embeddings.

`load_model` finds and checks the model, and `embed` runs it in batches. `embed` resumes if interrupted
and never computes the same model and data twice.
"""

from gapkit._renamed import renamed
from gapkit.encoders.embedding import embed
from gapkit.encoders.hub import hub_answers
from gapkit.encoders.loading import load_model
from gapkit.encoders.names import available_models

__all__ = ["available_models", "embed", "hub_answers", "load_model"]

__getattr__ = renamed(__name__)
