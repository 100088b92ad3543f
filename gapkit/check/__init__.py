"""Self-checks: give one your function, and it says whether it is right, or in what way it is not.

``check.gap_vector(my_function)`` compares with the reference in float64 on fresh random inputs. The
message names what differs (shape, sign, normalisation, wrong axis …) and never the answer.

>>> from gapkit import check
>>> check.gap_vector(lambda x, y: y.mean(0) - x.mean(0))
gap_vector: right (compared on 5 fresh inputs in float64)
>>> check.gap_vector(lambda x, y: x.mean(0) - y.mean(0))
Traceback (most recent call last):
...
gapkit.check.engine.CheckFailed: gap_vector has the wrong sign
"""

import lazy_loader

from gapkit._renamed import renamed

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "axes": ["AxesDescription", "describe", "must_be_labelled", "must_not_be_swapped"],
        "engine": ["Check", "fresh_rng"],
        "gap": [
            "column_sums",
            "contrastive_loss",
            "doubly_stochastic_defect",
            "gap_vector",
            "gradient_along_gap",
            "image_gradient",
            "l2i",
            "q_matrices",
            "relative_spectrum",
            "relative_variance",
            "rmg",
            "subspace_share",
        ],
        "robustness": [
            "affine_projection",
            "agreement",
            "best_alpha",
            "close_gap",
            "exact_robustness",
            "linear_projection",
            "monte_carlo",
            "nearest",
            "pair_approximation",
            "pair_robustness",
            "projected_gap",
            "quantise",
        ],
    },
)
__getattr__ = renamed(__name__, __getattr__)
