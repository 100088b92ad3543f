"""How many answers survive when the embeddings are perturbed, and how large a perturbation changes none.

`robustness` is the paper's Eq. 10: the probability that a query keeps its nearest neighbour, exact for Gaussian noise on the
gallery under all three metrics. Read `gapkit.robustness.reference` first: it does the same in a page of scipy. Theorem 3.4
(the farther the candidates, the likelier an answer changes) is drawn by `boundary_scene` and `sweep_boundary`, quantified by
`predict_closed`, and measured query by query in `gapkit.experiments.noise`. The package itself can be called, too:
``gapkit.robustness(queries, gallery, sigma=0.02)`` is ``gapkit.robustness.robustness(...)``.
"""

import inspect
import sys
import types

from gapkit._renamed import renamed
from gapkit.robustness.api import robustness, robustness_bounds
from gapkit.robustness.boundary import boundary_scene, sweep_boundary
from gapkit.robustness.calibration import calibrate_sigma
from gapkit.robustness.certified import certified_radius
from gapkit.robustness.law import expected_shift, predict_closed

__all__ = [
    "boundary_scene",
    "calibrate_sigma",
    "certified_radius",
    "expected_shift",
    "predict_closed",
    "robustness",
    "robustness_bounds",
    "sweep_boundary",
]


__getattr__ = renamed(__name__)


class _CallablePackage(types.ModuleType):
    """A package that is called like the function it is named after.

    Importing a submodule sets it as an attribute of its parent, so whether ``gapkit.robustness`` were the function or the
    package would depend on what was imported first. It is always the package, and the package can be called.
    """

    __signature__ = inspect.signature(robustness)

    def __call__(self, *args, **options):
        return robustness(*args, **options)


sys.modules[__name__].__class__ = _CallablePackage
