"""The shipped training curves of the family."""

import json

from gapkit._arrays import check_choice
from gapkit._paths import shipped_file
from gapkit.miniclip.family import SETTINGS, run_name

TRAINED = tuple(name for name, setting in SETTINGS.items() if setting.steps)
"""The settings that were trained: all but the random control."""


def training_curve(name: str, *, seed: int = 0) -> dict:
    """How a member of the family was trained, and its curve on the held-out pairs.

    Parameters
    ----------
    name : one of `TRAINED`
    seed : 0, 1 or 2

    Returns
    -------
    dict with setting, seed, steps, torch (version) and rows: one dict a recorded step with step, loss, accuracy
    (image to text), gap (‖g‖), variance_along_gap_images and variance_along_gap_texts (relative to isotropic),
    doubly_stochastic_defect (mean |S_i − 1|), temperature

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
    check_choice(name, "name", TRAINED)
    return json.loads(shipped_file(f"curves/{run_name(name, seed)}.json").read_text(encoding="utf-8"))
