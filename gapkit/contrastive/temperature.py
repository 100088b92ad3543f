"""Two ways to write one number: τ of the paper's Eq. 6 and the temperature that OpenCLIP trains.

Eq. 6 puts ``-‖x - y‖²/τ`` into the softmax. Between unit vectors ``‖x - y‖² = 2 - 2 x·y``, so this is
``(2/τ) x·y`` minus a constant that the softmax ignores: the *logit scale* is 2/τ. OpenCLIP calls its
reciprocal the *temperature*. In gapkit ``tau`` always means τ, and never the temperature.
"""

from gapkit.contrastive.numbers import real_number


def tau_from_temperature(temperature) -> float:
    """τ of Eq. 6 for a CLIP temperature (derived): τ = 2 · temperature.

    >>> tau_from_temperature(0.01)  # logit scale 100, where OpenCLIP stops
    0.02
    """
    return 2 * real_number(temperature, "temperature", above=0.0)


def temperature_from_tau(tau) -> float:
    """CLIP's temperature, 1 / logit scale, for τ of Eq. 6 (derived): temperature = τ / 2.

    >>> temperature_from_tau(0.02)
    0.01
    """
    return real_number(tau, "tau", above=0.0) / 2


def logit_scale_from_tau(tau) -> float:
    """What OpenCLIP multiplies cosines by (``model.logit_scale.exp()``), from τ of Eq. 6: 2 / τ.

    >>> logit_scale_from_tau(0.02)
    100.0
    """
    return 2 / real_number(tau, "tau", above=0.0)


def tau_from_logit_scale(logit_scale) -> float:
    """τ of Eq. 6 for a logit scale (``model.logit_scale.exp()``, not its logarithm): 2 / logit scale.

    >>> tau_from_logit_scale(100.0)
    0.02
    """
    return 2 / real_number(logit_scale, "logit_scale", above=0.0)
