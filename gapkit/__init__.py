"""gapkit: the modality gap of CLIP, from its geometry to its price in robustness.

Public names are loaded when first used, so ``import gapkit`` is instant and brings neither
torch nor matplotlib nor open_clip.
"""

import pkgutil

import lazy_loader

from gapkit._renamed import renamed

__version__ = "0.1.0"
_INTERRUPTED = "gapkit: interrupted; finished parts are kept, run the same command to go on"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[package.name for package in pkgutil.iter_modules(__path__) if package.ispkg],
    submod_attrs={
        "_arrays": ["normalise_rows"],
        "closing": ["GapCloser", "ProjectedShift", "close_model"],
        "datasets": ["Dataset", "load_dataset"],
        "embeddings": ["EmbeddingSet", "list_embeddings", "load_embeddings"],
        "encoders": ["embed", "load_model"],
        "errors": ["GapkitWarning", "InputError"],
        "geometry": ["gap_vector", "measure", "nearest"],
        "robustness": ["calibrate_sigma", "certified_radius"],
    },
)
__getattr__ = renamed(__name__, __getattr__)
