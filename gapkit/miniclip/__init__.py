"""The mini-CLIPs: small CLIPs trained from scratch on digits10 and scenes, by gapkit itself.

The towers are OpenCLIP's own `CLIP` module: a narrow ModifiedResNet for images, a narrow text
transformer with OpenCLIP's standard vocabulary, 512-dimensional embeddings. Every member of the
family has the same towers and sees the same data in the same order; only the loss and the
temperature differ, and with them the modality gap. This is the natural experiment for "gap against
robustness".
"""

from gapkit._renamed import renamed
from gapkit.miniclip.family import MODEL_CONFIG, SETTINGS, TRAINED, run_name, training_curve

__all__ = ["MODEL_CONFIG", "SETTINGS", "TRAINED", "run_name", "training_curve"]

__getattr__ = renamed(__name__)
