"""From a new process to `import gapkit`, to the first answer and to the first embeddings, beside what that must take."""

import tempfile
from collections.abc import Iterator

from benchmarks.clock import best, in_a_new_python
from benchmarks.rows import Row

NOTHING = "pass"
PACKAGE = "import gapkit"
NUMERICS = "import torch, scipy.linalg, scipy.special"
ANSWER = """
import gapkit
from gapkit.robustness import robustness
pairs = gapkit.load_embeddings("miniclip-wide/scenes100")
robustness(pairs.images[:32], pairs.texts, 0.02)
"""
LIBRARIES = "from gapkit._openclip import open_clip; open_clip()"
EMBEDDING = """
from gapkit.encoders import load_model
from gapkit.encoders.embedding import embed_to_file
from benchmarks.embedding import noise
embed_to_file(load_model("miniclip-wide"), noise(32, 64, 0))
"""
PAIRS = [
    ("`import gapkit`", PACKAGE, "a Python that does nothing", NOTHING, 2),
    ("first exact robustness", ANSWER, "importing torch and scipy alone", NUMERICS, 1.5),
    ("first 32 embeddings, miniclip-wide", EMBEDDING, "importing torch and OpenCLIP alone", LIBRARIES, 1.25),
]


def rows(*, quick: bool = False, repeats: int = 3) -> Iterator[Row]:
    """All rows; each run is a process of its own, with a warm disk and an empty cache."""
    for what, ours, against, theirs, most_ratio in PAIRS:
        turns = 5 * repeats if ours is PACKAGE else repeats  # it takes a few hundredths of a second
        found = best({code: lambda code=code: _run(code) for code in (ours, theirs)}, turns)
        whole = f"new process to {what}"
        yield Row(whole, found[ours], against=against, other=found[theirs], most_ratio=most_ratio)


def _run(code: str) -> None:
    with tempfile.TemporaryDirectory() as cache:
        in_a_new_python(code, GAPKIT_CACHE=cache)
