"""The mini-CLIPs: small CLIPs trained from scratch on digits10 and scenes, by gapkit itself.

The towers are OpenCLIP's own `CLIP` module: a narrow ModifiedResNet for images, a narrow text
transformer with OpenCLIP's standard vocabulary, 512-dimensional embeddings. Every member of the
family has the same towers and sees the same data in the same order; only the loss and the
temperature differ, and with them the modality gap. This is the natural experiment for "gap against
robustness".
"""

from gapkit._renamed import renamed
from gapkit.miniclip.data import TrainingData, held_out_pairs
from gapkit.miniclip.family import (
    MODEL_CONFIG,
    PREPROCESS_CONFIG,
    SETTINGS,
    TRAINED,
    Setting,
    build,
    run_name,
    training_curve,
)
from gapkit.miniclip.training import train

__all__ = [
    "MODEL_CONFIG",
    "PREPROCESS_CONFIG",
    "SETTINGS",
    "TRAINED",
    "Setting",
    "TrainingData",
    "build",
    "held_out_pairs",
    "run_name",
    "train",
    "training_curve",
]

__getattr__ = renamed(__name__)
