"""The mini-CLIPs: small CLIPs trained from scratch on digits10 and scenes, by gapkit itself.

The towers are OpenCLIP's own `CLIP` module: a narrow ModifiedResNet for images, a narrow text
transformer with OpenCLIP's standard vocabulary, 512-dimensional embeddings. Every member of the
family has the same towers and sees the same data in the same order; only the loss and the
temperature differ, and with them the modality gap. This is the natural experiment for "gap against
robustness".
"""

from gapkit.miniclip.curves import TRAINED, training_curve
from gapkit.miniclip.data import Tokeniser, TrainingData, held_out_pairs, normalise_pixels
from gapkit.miniclip.family import MODEL_CONFIG, PREPROCESS_CONFIG, SETTINGS, Setting, build, run_name
from gapkit.miniclip.training import train

__all__ = [
    "MODEL_CONFIG",
    "PREPROCESS_CONFIG",
    "SETTINGS",
    "TRAINED",
    "Setting",
    "Tokeniser",
    "TrainingData",
    "build",
    "held_out_pairs",
    "normalise_pixels",
    "run_name",
    "train",
    "training_curve",
]
