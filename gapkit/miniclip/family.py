"""The family of settings, the towers they share, and the shipped training curves.

*Temperature* is 1 / logit scale, as OpenCLIP trains it; the ``tau`` of the paper's Eq. 6 is twice
that (see `gapkit.contrastive`).
"""

import json
import math
from dataclasses import dataclass
from typing import Any

import torch

from gapkit._openclip import open_clip
from gapkit._options import check_choice
from gapkit._paths import shipped_file
from gapkit.datasets.scenes import IMAGE_SIZE

_IMAGE = {"image_size": IMAGE_SIZE, "layers": [1, 1, 1, 1], "width": 16, "head_width": 64, "patch_size": None}
_TEXT = {"context_length": 32, "vocab_size": 49408, "width": 48, "heads": 4, "layers": 3}
MODEL_CONFIG = {"embed_dim": 512, "vision_cfg": _IMAGE, "text_cfg": _TEXT}
PREPROCESS_CONFIG = {
    "size": [IMAGE_SIZE, IMAGE_SIZE],
    "mode": "RGB",
    "mean": [0.4, 0.4, 0.4],
    "std": [0.3, 0.3, 0.3],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


@dataclass(frozen=True)
class Setting:
    """How one member of the family is trained.

    Attributes
    ----------
    loss : "softmax" (CLIP) or "sigmoid" (SigLIP)
    temperature : initial 1 / logit scale
    learned : whether the temperature is trained
    bias : initial logit bias (sigmoid loss only)
    scale_rate : learning rate of the temperature and the bias, relative to that of the weights
    steps : gradient steps
    text_width : width of the text tower: its embeddings span one dimension fewer
    few_wordings : whether it reads two wordings of each kind of caption, and no others
    everywhere : whether all experiments are done on it; False where the family alone needs it
    """

    loss: str
    temperature: float
    learned: bool = False
    bias: float | None = None
    scale_rate: float = 1.0
    steps: int = 1500
    text_width: int = 48
    few_wordings: bool = False
    everywhere: bool = True

    @property
    def in_family(self) -> bool:
        """Whether it differs from the others in temperature or loss alone."""
        return self.steps > 0 and self.text_width == Setting.text_width and not self.few_wordings

    @property
    def config(self) -> dict:
        """OpenCLIP's configuration of the model."""
        return MODEL_CONFIG | {"text_cfg": _TEXT | {"width": self.text_width}}


SETTINGS = {
    "wide": Setting("softmax", 1 / 300),
    "t0.005": Setting("softmax", 0.005, everywhere=False),
    "t0.01": Setting("softmax", 0.01),
    "t0.03": Setting("softmax", 0.03, everywhere=False),
    "learned": Setting("softmax", 0.07, learned=True, scale_rate=0.3),
    "siglip": Setting("sigmoid", 1 / 40, learned=True, bias=-15.0, scale_rate=10.0),
    "few-words": Setting("softmax", 0.01, text_width=160, few_wordings=True),
    "random": Setting("softmax", 0.07, steps=0),
}
"""The family, *few-words* (no member: another tower, fewer wordings), and the control ``random``, never trained."""

TRAINED = tuple(name for name, setting in SETTINGS.items() if setting.in_family)
"""The members of the family."""


def run_name(setting: str, seed: int = 0) -> str:
    """How embeddings and curves of a run are called.

    >>> run_name("wide", 0), run_name("wide", 2)
    ('miniclip-wide', 'miniclip-wide@2')
    """
    return f"miniclip-{setting}" + (f"@{seed}" if seed else "")


def build(setting: Setting, *, seed: int) -> Any:
    """An untrained OpenCLIP model for ``setting``, initialised from ``seed`` alone."""
    library = open_clip()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        log_scale = math.log(1 / setting.temperature)
        model = library.CLIP(**setting.config, init_logit_scale=log_scale, init_logit_bias=setting.bias)
    model.logit_scale.requires_grad_(setting.learned)
    return model


def training_curve(name: str, *, seed: int = 0) -> dict:
    """How a member of the family was trained, and its curve on the held-out pairs.

    Parameters
    ----------
    name : a setting that was trained
    seed : 0, 1 or 2

    Returns
    -------
    dict with setting, seed, steps, torch (version) and rows: one dict a recorded step with step, loss, accuracy
    (image to text), gap (‖g‖), variance_along_gap_images and variance_along_gap_texts (relative to isotropic),
    one_sided_defect (mean |S_i − 1| over the images), temperature

    Raises
    ------
    InputError
        If there is no such curve.

    Examples
    --------
    >>> rows = training_curve("wide")["rows"]
    >>> rows[0]["step"], rows[0]["gap"] > rows[-1]["gap"] > 0.6
    (0, True)
    """
    check_choice(name, "name", [known for known, setting in SETTINGS.items() if setting.steps])
    curve = json.loads(shipped_file(f"curves/{run_name(name, seed)}.json").read_text(encoding="utf-8"))
    return curve | {"rows": [columns_of_today(row) for row in curve["rows"]]}


def columns_of_today(row: dict) -> dict:
    """A row of a training curve, whose defect was first called as the two-sided one of `gapkit.contrastive`.

    >>> columns_of_today({"step": 0, "doubly_stochastic_defect": 0.1})
    {'step': 0, 'one_sided_defect': 0.1}
    """
    return {"one_sided_defect" if name == "doubly_stochastic_defect" else name: v for name, v in row.items()}
