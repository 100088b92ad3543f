"""Mixed search: images and captions in one gallery, where the gap does cost accuracy.

Every image asks for its caption among all captions *and* all other images, and every caption for its image. With a gap
wider than the clouds all of a query's own kind come first. What a closer wins here is set beside what it costs in the
plain search, among captions (or images) alone.
"""

import numpy as np

from gapkit.closing import CLOSERS
from gapkit.experiments import protocol
from gapkit.experiments.data import load_set
from gapkit.experiments.galleries import DIRECTIONS
from gapkit.experiments.record import Experiment, Job, Rows
from gapkit.geometry import Resamples
from gapkit.tasks.retrieval import retrieval_ranks

UNTOUCHED, BOTH_MEANS = "untouched", "GR-CLIP"
CENTRED = ("centring", BOTH_MEANS, "renormalised shift", "mean-direction removal")
NAMES = (protocol.PROJECTED, protocol.RAW, *CENTRED)


def mixed_ranks(queries: np.ndarray, partners: np.ndarray) -> np.ndarray:
    """(m,) Euclidean rank of each query's partner among all partners and all other queries; 0 is the first.

    >>> mixed_ranks(np.array([[0.0], [1.0]]), np.array([[0.5], [9.0]]))
    array([0, 2])
    """
    ids = np.arange(len(queries))
    targets = ids, np.concatenate([ids, ids + len(ids)])
    # The query itself lies in the gallery, at distance 0, and is not counted.
    return np.maximum(retrieval_ranks(queries, np.concatenate([partners, queries]), targets=targets) - 1, 0)


def measure_mixed(job: Job) -> dict[str, Rows]:
    """R@1 in the mixed gallery and in the plain one, for every closer, fitted once on the set itself."""
    entries = load_set(*job.source).first_captions()
    sides = entries.texts.astype(np.float64), entries.images.astype(np.float64)
    resamples = Resamples(len(sides[0]), seed=job.seed)
    rows = []
    before: dict[str, tuple] = {}
    for name in (UNTOUCHED, *NAMES):
        texts, images = sides if name == UNTOUCHED else CLOSERS[name]().fit(*sides).transform_pair(*sides)
        for direction, asking, partners in zip(DIRECTIONS, (images, texts), (texts, images), strict=True):
            ranks = mixed_ranks(asking, partners), retrieval_ranks(asking, partners)
            mixed, plain = ((some < 1).astype(float) for some in ranks)
            answers = protocol.answers_to(asking, partners)
            untouched = before.setdefault(direction, (mixed, plain, answers))
            measured = {"mixed_recall_at_1": mixed, "gain": mixed - untouched[0], "lost": plain - mixed}
            measured |= {"recall_at_1": plain, "recall_change": plain - untouched[1]}
            measured |= {"agreement": protocol.same(answers, untouched[2])}
            about = {"model": job.model, "dataset": job.dataset, "direction": direction, "closer": name}
            row = about | protocol.means(resamples, **measured)
            rows.append(row | {"queries": len(asking), "seed": job.seed})
    return {"mixed": rows}


EXPERIMENT = Experiment(
    title="Mixed search: images and captions in one gallery",
    order=125,
    measure=measure_mixed,
    kinds=("pairs",),
    paper="Li et al. 2025 (GR-CLIP): among both kinds the gap costs accuracy; centring both wins it back.",
    question="R@1 among all captions and all other images, both ways, by closer, beside the plain search.",
)
